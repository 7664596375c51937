"""``opencwm mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opencwm.frontends.cli.options import Model


def mcp(
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Files below it may be named by the client.")
    ] = Path(),
    model: Model = None,
    max_sessions: Annotated[
        int, typer.Option("--max-sessions", metavar="N", help="Most open debugging sessions.", min=1)
    ] = 16,
    idle: Annotated[
        float, typer.Option("--idle", metavar="SECONDS", help="Close sessions that nobody uses.", min=1)
    ] = 1_800.0,
    max_call: Annotated[
        float, typer.Option("--max-call", metavar="SECONDS", help="Most time of one call.", min=0.1)
    ] = 60.0,
) -> None:
    """Serve agents by the Model Context Protocol.

    Predictions and debugging sessions, over stdin and stdout. Nothing of a program runs unless a tool is told
    to (mode real or compare, verify), then in the sandbox.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.mcp.service import McpConfig, Service

    config = McpConfig(root=root, model=model, max_sessions=max_sessions, idle_s=idle, max_call_s=max_call)
    try:
        from opencwm.frontends.mcp.server import build
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in (
            "mcp",
            "mcp_types",
            "anyio",
            "pydantic",
        ):
            raise
        raise ConfigError(
            "the Model Context Protocol's library is not installed", hint="pip install 'opencwm[mcp]'"
        ) from None
    build(Service(config)).run("stdio")
