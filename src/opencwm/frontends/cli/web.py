"""``opencwm web``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.debugger.working import Working
from opencwm.frontends.cli.options import (
    Assume,
    Call,
    Detail,
    DetailLevel,
    Entry,
    Model,
    MostSteps,
    ProgramFile,
    Real,
    SearchSamples,
    Timeout,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.frontends.sessions import SessionConfig
    from opencwm.frontends.web.desk import Desk
    from opencwm.frontends.web.starting import Start


def web(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    assume: Assume = None,
    real: Real = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show the real run beside the prediction.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="FILE.html", help="Serve nothing: write the session as one HTML file."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Port to listen at; 0 for a free one.", min=0, max=65535),
    ] = 0,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    model: Model = None,
    unconstrained: Unconstrained = False,
    detail: DetailLevel = Detail.EXPR,
    working: WorkingLevel = Working.CALCULATED,
    search: SearchSamples = 0,
    max_steps: MostSteps = 1_000,
    timeout: Timeout = 10.0,
) -> None:
    """Step through a call in the browser.

    Prints the address of the page; the token in it is what lets a browser in. Ends with Ctrl-C. With --save
    the whole run goes into a file that shows the same page without a server, for sharing.
    """
    from opencwm.frontends.cli.session_options import session_config
    from opencwm.frontends.web.starting import Start

    config = session_config(
        real=real,
        compare=compare,
        model=model,
        unconstrained=unconstrained,
        detail=detail,
        working=working,
        search=search,
        max_steps=max_steps,
        timeout=timeout,
    )
    start = Start(call=call, entry=entry, assumptions=tuple(assume or ()))
    make_desk = _desk_maker(file, start, config)
    if save is not None:
        _save(make_desk, save, max_steps)
    else:
        _serve(make_desk, host, port, opens=opens)


def _desk_maker(file: Path, start: Start, config: SessionConfig) -> Callable[[Callable[[], None]], Desk]:
    """Return what opens the program; what is plainly wrong with it is said at once.

    The model is loaded meanwhile.
    """
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.cli.session_options import models_for
    from opencwm.frontends.programs import load_assumed
    from opencwm.frontends.web.starting import opens

    load_assumed(file, call=start.call, entry=start.entry, assumptions=start.assumptions)
    open_start = opens(file, config, models_for(config))

    def make_desk(pause: Callable[[], None]) -> Desk:
        from opencwm.frontends.web.desk import Desk

        opened = open_start(start)
        for text in opened.notices:
            notice(text)
        return Desk(opened, open_start, start, path=file, pause=pause)

    return make_desk


def _save(make_desk: Callable[[Callable[[], None]], Desk], path: Path, max_steps: int) -> None:
    from opencwm.core.errors import ConfigError
    from opencwm.core.files import write_atomic
    from opencwm.frontends.cli.output import notice, progress
    from opencwm.frontends.web.saved import document

    if not path.parent.is_dir():
        raise ConfigError("there is no such folder to save in", where=str(path.parent))
    desk = make_desk(lambda: None)
    with progress("predicting steps") as advance:
        desk.read_on(max_steps, advance)
    write_atomic(path, document(desk))
    notice(f"{path}: {path.stat().st_size // 1024} KiB, to be opened in any browser")


def _serve(make_desk: Callable[[Callable[[], None]], Desk], host: str, port: int, *, opens: bool) -> None:
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import serve_page

    try:
        from opencwm.frontends.web.serving import Served
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the page needs {error.name}", hint="pip install 'opencwm[web]'; --save needs nothing more"
        ) from None
    served = Served(make_desk, host=host, port=port)
    serve_page(served, host, opens=opens)
