"""How ``--help`` reads: commands in sections with their whole first sentence, arguments as typed."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Group(TyperGroup):
    """A command with commands below it, listed by section."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each command does; a long sentence takes two lines rather than ending in dots."""
        sections: dict[str, list[tuple[str, str]]] = {}
        widest = max((len(name) for name in self.list_commands(ctx)), default=0)
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            section = getattr(command, "rich_help_panel", None)
            rows = sections.setdefault(section if isinstance(section, str) else "Commands", [])
            rows.append((name.ljust(widest), _first_sentence(getattr(command, "help", None) or "")))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)


class Command(TyperCommand):
    """A command whose usage line shows arguments without the braces of some versions of typer."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the command's name in its usage line."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


def _first_sentence(text: str) -> str:
    paragraph, _, _ = text.strip().partition("\n\n")
    return " ".join(paragraph.split()).removesuffix(".")
