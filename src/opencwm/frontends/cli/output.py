"""What commands print with: JSON and tables on stdout, notices and progress bars on stderr.

rich is imported when something is drawn. Text from programs and files never reaches a terminal raw:
see :func:`visible`.
"""

from __future__ import annotations

import contextlib
import json
import sys
import unicodedata
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH: Final = 120
"""Columns of a table that goes to no terminal; the variable COLUMNS overrides it."""


def console(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    """Return a rich console for stdout, stderr or ``file`` that adds no markup of its own."""
    from rich.console import Console

    class Screen(Console):
        """A console that leaves to us what a reader's end means, where rich would end with status 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    made = Screen(stderr=stderr, file=file, markup=False, emoji=False, highlight=False)
    if not made.is_terminal and made.width == 80:  # rich's own default when it cannot know
        made.width = WIDTH
    return made


def print_table(screen: Console, table: Table) -> None:
    """Print a table; what is read by a program or goes to a file has no spaces at the ends of its lines."""
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as captured:
        screen.print(table)
    for line in captured.get().splitlines():
        screen.file.write(f"{line.rstrip()}\n")


def print_json(data: Any) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def notice(text: str) -> None:
    """Say one line on stderr."""
    print(f"opencwm: {' '.join(text.split())}", file=sys.stderr)


def counted(count: int, thing: str) -> str:
    """Return ``1 step``, ``2 steps``: a number of things with a regular plural."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def visible(text: str) -> str:
    """Return ``text`` with control characters as escapes, so that it cannot steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in text.expandtabs(4)
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, completed: int, total: int | None = None, description: str | None = None) -> None:
        """Show that ``completed`` are done by now, of ``total``, and what is done, when those are news."""
        ...


@contextlib.contextmanager
def progress(description: str, total: int | None = None, *, counts: bool = True) -> Iterator[Advance]:
    """Show a progress bar on stderr while the block runs, when stderr is a terminal.

    Args:
        description: what is being done.
        total: how many there are; None when that is not known yet.
        counts: show ``done/total``, not a percentage.
    """
    from rich import progress as bars

    columns: list[Any] = [
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn() if counts else bars.TaskProgressColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    ]
    screen = console(stderr=True)
    with bars.Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        task = bar.add_task(description, total=total)

        def advance(completed: int, total: int | None = None, description: str | None = None) -> None:
            bar.update(task, completed=completed, total=total, description=description)

        yield advance


class Page(Protocol):
    """A server of one page."""

    @property
    def url(self) -> str:
        """The address, with its token."""
        ...

    def run(self) -> None:
        """Serve until interrupted."""
        ...


def serve_page(page: Page, host: str, *, opens: bool) -> None:
    """Print where a page is and who can reach it, open it if asked to, and serve it."""
    from opencwm.frontends.listening import is_loopback

    print(page.url, flush=True)
    if not is_loopback(host):
        notice(
            "other machines can reach this page: whoever has the address can use it, and it is not encrypted"
        )
    if sys.stderr.isatty():
        notice("Ctrl-C ends it")
    if opens:
        import webbrowser

        webbrowser.open(page.url)
    page.run()
