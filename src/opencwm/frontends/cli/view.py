"""``opencwm view``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from opencwm.frontends.view.shown import Json

MAX_SAVED = 500


def view(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|DIR", help="A trajectory (ATIF), or a folder of them.", show_default=False
        ),
    ],
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE.html", help="Serve nothing: write the page as one HTML file."),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Port to listen at; 0 for a free one.", min=0, max=65535),
    ] = 0,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Look at rollouts in the browser, step by step.

    Each with what it changed. Prints the address of the page; the token in it is what lets a browser in. Ends
    with Ctrl-C. Keys: j and k go to the next and the previous step, J and K to the next and the previous
    trajectory.
    """
    from opencwm.core.errors import ConfigError, TraceFormatError
    from opencwm.core.files import write_atomic
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.view import pages, shown

    paths, trajectories = [], []
    found = shown.find(path)
    for file in found:
        try:
            trajectories.append(shown.read(file))
            paths.append(file)
        except TraceFormatError as error:
            if len(found) == 1:
                raise
            notice(str(error))
    if not paths:
        raise ConfigError("no trajectories there", where=str(path))
    index = [_entry(trajectory) for trajectory in trajectories]
    if save is None:
        del trajectories
        _serve(paths, index, host, port, opens=opens)
        return
    if len(paths) > MAX_SAVED:
        raise ConfigError(
            f"{len(paths)} trajectories, and one page holds {MAX_SAVED}",
            where=str(path),
            hint="name one file",
        )
    if not save.parent.is_dir():
        raise ConfigError("there is no such folder to save in", where=str(save.parent))
    write_atomic(save, pages.saved_page(index, trajectories, path.resolve().name))
    notice(f"{save}: {save.stat().st_size // 1024} KiB, to be opened in any browser")


def _entry(trajectory: Json) -> Json:
    return {key: trajectory[key] for key in ("title", "reward", "status", "num_turns")}


def _serve(paths: Sequence[Path], index: Sequence[Json], host: str, port: int, *, opens: bool) -> None:
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import serve_page

    try:
        from opencwm.frontends.view.serving import Served
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the page needs {error.name}", hint="pip install 'opencwm[web]'; --save needs nothing more"
        ) from None
    served = Served(paths, index, host=host, port=port)
    serve_page(served, host, opens=opens)
