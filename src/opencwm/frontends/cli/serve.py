"""``opencwm serve``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from opencwm.frontends.cli.options import Model

TOKEN_VARIABLE = "OPENCWM_API_KEY"  # noqa: S105 - a name


NeedsToken = Annotated[
    bool,
    typer.Option(
        "--token/--no-token",
        help="Whether requests must carry a token, that of the variable OPENCWM_API_KEY or a new one.",
    ),
]
Rows = Annotated[
    int | None,
    typer.Option(
        "--rows",
        metavar="N",
        help="Sequences that are decoded together, and beginnings that are kept: 64; 8 with torch.",
        min=1,
        max=1024,
        show_default=False,
    ),
]
MaxRequests = Annotated[
    int,
    typer.Option(
        "--max-requests",
        metavar="N",
        help="Most sequences under way or waiting; more are refused with status 429.",
        min=1,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads of the engine; torch has OMP_NUM_THREADS.",
        min=1,
        max=1024,
    ),
]


def serve(
    model: Model = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="Port to listen at; 0 for a free one.", min=0, max=65535),
    ] = 0,
    needs_token: NeedsToken = True,
    rows: Rows = None,
    max_requests: MaxRequests = 256,
    threads: Threads = 1,
) -> None:
    """Serve a model behind OpenAI's API.

    To debuggers and agents, here or elsewhere. A folder of ours, or a Hugging Face model of the cwm format,
    which also answers chats. Prints the address for --model and for OpenAI's clients, and the token that
    requests must carry. Many requests are decoded together. Ends with Ctrl-C.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.listening import is_loopback

    try:
        from opencwm.frontends.serve.served_model import open_served
        from opencwm.frontends.serve.serving import ServeConfig, Served
    except ModuleNotFoundError as error:
        raise ConfigError(f"serving needs {error.name}", hint="pip install 'opencwm[serve]'") from None
    given = os.environ.get(TOKEN_VARIABLE, "")
    config = ServeConfig(
        host=host, port=port, token=given if needs_token else None, max_requests=max_requests
    )
    served = Served(lambda: open_served(model, num_rows=rows, num_threads=threads), config)
    print(served.url, flush=True)
    if served.token is not None:
        notice(
            f"requests must carry the token of {TOKEN_VARIABLE}"
            if given
            else f"requests must carry this token: export {TOKEN_VARIABLE}={served.token}"
        )
    if not is_loopback(host):
        notice(
            "other machines can reach this server, and what they send is not encrypted"
            + ("" if served.token is not None else "; whoever reaches it can use it")
        )
    if sys.stderr.isatty():
        notice("Ctrl-C ends it")
    served.run()
