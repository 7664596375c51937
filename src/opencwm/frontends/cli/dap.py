"""``opencwm dap``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opencwm.frontends.cli.options import Call, Entry, Model

_NEW: Final = "new"  # in place of a token: make one


def dap(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="What clients debug that name no program.", show_default=False),
    ] = None,
    call: Call = None,
    entry: Entry = None,
    mode: Annotated[
        str,
        typer.Option("--mode", metavar="predicted|real|compare", help="What is stepped of FILE."),
    ] = "predicted",
    model: Model = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", help="Listen on a port instead of stdio; 0: any.", min=0, max=65535
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="With --port: where to listen.")
    ] = "127.0.0.1",
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TEXT",
            help="What clients have to bring as launch argument 'token'; 'new' makes one and prints it.",
        ),
    ] = "",
) -> None:
    """Serve editors by the Debug Adapter Protocol.

    Over stdin and stdout, or on a port of this machine. Editors start it themselves, see docs/editors.md.
    With --port it serves many clients, and prints the port on stderr; FILE and what goes with it are for
    clients that attach.
    """
    import secrets

    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.dap.adapter import Settings
    from opencwm.frontends.dap.arguments import Launch
    from opencwm.frontends.dap.serving import listen, serve_port, serve_stdio
    from opencwm.frontends.programs import load_assumed
    from opencwm.frontends.sessions import Mode

    if mode not in tuple(Mode):
        raise ConfigError(f"no mode {mode!r}", where="--mode", hint=f"one of: {', '.join(Mode)}")
    program = None
    if file is not None:
        load_assumed(file, call=call, entry=entry)
        program = Launch(
            program=str(file.absolute()),
            call=call or "",
            entry=entry or "",
            mode=mode,
            model=model or "",
            stop_on_entry=True,
        )
    elif call is not None or entry is not None:
        raise ConfigError("--call and --entry need a FILE")
    if port is None:
        serve_stdio(Settings(token=token, program=program))
        return
    is_made = token == _NEW
    settings = Settings(token=secrets.token_urlsafe(16) if is_made else token, program=program)
    server = listen(host, port, settings)
    made = f", token {settings.token}" if is_made else ""
    notice(f"listening on {host} port {server.getsockname()[1]}{made}")
    serve_port(server, settings)
