"""``opencwm web``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
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
    ProgramFile,
    SearchSamples,
    Timeout,
    Unconstrained,
    WorkingLevel,
)

if TYPE_CHECKING:
    from opencwm.frontends.sessions import SessionConfig
    from opencwm.frontends.web.desk import Desk


def web(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    assume: Assume = None,
    real: Annotated[
        bool, typer.Option("--real", help="Step the real run instead, recorded in the sandbox.")
    ] = False,
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
    max_steps: Annotated[
        int, typer.Option("--max-steps", metavar="N", help="Most steps predicted at once.", min=1)
    ] = 1_000,
    timeout: Timeout = 10.0,
) -> None:
    """Step through a call in the browser.

    Prints the address of the page; the token in it is what lets a browser in. Ends with Ctrl-C. With --save
    the whole run goes into a file that shows the same page without a server, for sharing.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.sessions import Mode, SessionConfig

    if real and compare:
        raise ConfigError(
            "--real and --compare exclude each other", hint="--compare shows the real run as well"
        )
    config = SessionConfig(
        mode=Mode.REAL if real else Mode.COMPARE if compare else Mode.PREDICTED,
        model=model,
        constrained=not unconstrained,
        expressions=detail is Detail.EXPR,
        working=working,
        search=search,
        max_steps=max_steps,
        timeout_s=timeout,
    )
    make_desk = _desk_maker(file, call, entry, assume or [], config)
    if save is not None:
        _save(make_desk, save, max_steps)
    else:
        _serve(make_desk, host, port, opens=opens)


def _desk_maker(
    file: Path, call: str | None, entry: str | None, assumptions: Sequence[str], config: SessionConfig
) -> Callable[[Callable[[], None]], Desk]:
    """Return what opens the program; what is wrong with it is said before anything is served."""
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.programs import load_assumed
    from opencwm.frontends.sessions import Mode, Opened, open_program
    from opencwm.frontends.web.desk import Desk

    def make_desk(pause: Callable[[], None]) -> Desk:
        assumed = load_assumed(file, call=call, entry=entry, assumptions=assumptions)
        world = None if config.mode is Mode.REAL else WorldModel.load(config.model)
        opened = open_program(assumed, config, world)
        for text in opened.notices:
            notice(text)

        def reopen(other: str | None) -> Opened:
            how = {"call": call, "entry": entry} if other is None else {"call": other, "entry": None}
            return open_program(load_assumed(file, **how, assumptions=assumptions), config, world)

        return Desk(opened, reopen, path=file, pause=pause)

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
    from opencwm.frontends.cli.output import notice

    try:
        from opencwm.frontends.web.serving import Served, is_loopback
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the page needs {error.name}", hint="pip install 'opencwm[web]'; --save needs nothing more"
        ) from None
    served = Served(make_desk, host=host, port=port)
    print(served.url, flush=True)
    if not is_loopback(host):
        notice(
            "other machines can reach this page: whoever has the address can use it, and it is not encrypted"
        )
    if sys.stderr.isatty():
        notice("Ctrl-C ends it")
    if opens:
        import webbrowser

        webbrowser.open(served.url)
    served.run()
