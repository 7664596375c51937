"""How all our HTTP servers run: without logs, and without a word about themselves."""

from __future__ import annotations

from typing import Any

import uvicorn


def quiet_server(application: Any, *, keep_alive_s: int, patience_s: int) -> uvicorn.Server:
    """Return a server of an ASGI application, not started.

    Args:
        application: what is served.
        keep_alive_s: seconds that an idle connection stays open.
        patience_s: seconds that requests under way get to end when the server is told to.
    """
    config = uvicorn.Config(
        application,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=patience_s,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return uvicorn.Server(config)
