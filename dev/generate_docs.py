"""Write the documentation that is made from the code: ``docs/cli.md``, and what others hold between marks.

Run it with ``make docs``. ``tests/test_docs.py`` fails when a file is not what this would write.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opencwm.debugger.prompt import Prompt
from opencwm.debugger.verbs import VERBS
from opencwm.frontends.cli.app import build

ROOT = Path(__file__).parents[1]
TREE = ("src/opencwm", "examples", "recipes", "benchmarks", "dev", "docs")


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Return each generated file with the text it should have."""
    readme, tree, session = root / "README.md", root / "docs" / "tree.md", root / "docs" / "session.md"
    return {
        readme: _filled(readme, "packages", ("```", *_packages(root), "```")),
        tree: _filled(tree, "tree", ("```", *_tree(root), "```")),
        session: _filled(session, "words", ("", *_words(), "")),
        root / "docs" / "cli.md": cli_reference(),
    }


def _filled(path: Path, name: str, lines: Iterable[str]) -> str:
    """Return the text of a file with other lines between its marks of this name."""
    begin, end = f"<!-- {name}: begin (written by `make docs`) -->", f"<!-- {name}: end -->"
    before, is_begun, rest = path.read_text(encoding="utf-8").partition(begin)
    _, is_ended, after = rest.partition(end)
    if not is_begun or not is_ended:
        raise SystemExit(f"{path}: the marks of {name!r} are missing")
    return "\n".join((before + begin, *lines, end + after))


def _words() -> Iterator[str]:
    """Yield the table of what a debugger can be told, in three languages."""
    yield "| `debug` | | Python: `Session` | Debug Adapter Protocol |"
    yield "|---|---|---|---|"
    for verb in VERBS:
        method = getattr(Prompt, f"do_{verb.command}", None)
        usage, _, meaning = inspect.cleandoc(method.__doc__ or "" if method else "").partition("``: ")
        usage = usage.removeprefix("``").replace("|", "\\|") or "break FUNCTION"
        shown = re.findall(r"\w+|\?", usage)
        words = [usage, *(word for word in verb.aliases if word not in shown)]
        spelled = ", ".join(f"`{word}`" for word in words)
        python, dap = (f"`{name}`" if name else "" for name in (verb.method, verb.dap))
        yield f"| {spelled} | {meaning} | {python} | {dap} |"


def cli_reference() -> str:
    """Return the reference of all commands in Markdown."""
    lines = ["# Command line", "", "Written from the code by `make docs`.", ""]
    for path, command in _commands("opencwm", build()):
        lines += [f"## {path}", ""] if path.count(" ") < 2 else [f"### {path}", ""]
        lines += [_prose(command.help or ""), ""]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        if hasattr(command, "commands"):
            lines += [f"Commands: {', '.join(f'`{name}`' for name in command.commands)}.", ""]
        else:
            words = [path, *(_metavar(p) for p in arguments), *(["[OPTIONS]"] if options else [])]
            lines += ["```", " ".join(words), "```", ""]
        if arguments or options:
            lines += ["| | |", "|---|---|"]
            lines += [f"| `{_metavar(p)}` | {p.help or ''} |" for p in arguments]
            lines += [f"| `{_spelling(p)}` | {_meaning(p)} |" for p in options]
            lines += [""]
    return "\n".join(lines)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(f"{path} {name}", below)


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _spelling(parameter: Any) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    if isinstance(parameter.default, bool):
        return names
    return f"{names} {parameter.metavar}".replace("|", "\\|")


def _meaning(parameter: Any) -> str:
    text = (parameter.help or "").replace("|", "\\|")
    default = parameter.default
    if callable(default) or default is None or isinstance(default, bool) or not parameter.show_default:
        return text
    return f"{text} Default: `{getattr(default, 'value', default)}`."


def _packages(root: Path) -> Iterator[str]:
    source = root / "src" / "opencwm"
    yield "src/opencwm/"
    for folder in sorted(path for path in source.iterdir() if (path / "__init__.py").exists()):
        yield f"  {folder.name}/".ljust(16) + _first_line(folder / "__init__.py")


def _tree(root: Path) -> Iterator[str]:
    for top in TREE:
        yield f"{top}/"
        yield from _folder(root / top, "  ")
    yield "tests/".ljust(36) + "the same layout as src/opencwm"


def _folder(folder: Path, indent: str) -> Iterator[str]:
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        if path.name.startswith((".", "__pycache__")) or path.name in {"__init__.py", "weights", "py.typed"}:
            continue
        if path.suffix in {".so", ".pyd"}:  # compiled here, no part of the source
            continue
        if path.is_dir():
            if any(path.rglob("*.py")):
                yield f"{indent}{path.name}/".ljust(36) + _first_line(path / "__init__.py")
                yield from _folder(path, indent + "  ")
        else:
            yield (f"{indent}{path.name}".ljust(35) + " " + _first_line(path)).rstrip()


def _first_line(path: Path) -> str:
    """Return the one line that says what a file is: of its docstring, its heading or its first comment."""
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    elif path.suffix == ".toml":
        tomllib.loads(text)
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line.lstrip("#/* ").replace("``", "`").removesuffix(".") if path.suffix != ".json" else "data"


def main() -> None:
    """Write what differs and name it."""
    for path, text in generated().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
