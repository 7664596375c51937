"""A chat endpoint that says what a script says, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODEL = "scripted"
Script = Callable[[dict[str, Any]], str | Response]
"""Given the body of a request; returns what the assistant says, or a whole response."""


@contextlib.contextmanager
def scripted_chat(script: Script, asked: list[dict[str, Any]] | None = None) -> Iterator[str]:
    """Serve a script; yield the address. Bodies of requests are put into ``asked``."""

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def complete(request: Request) -> Response:
        body = json.loads(await request.body())
        if asked is not None:
            asked.append({**body, "authorization": request.headers.get("authorization", "")})
        choices = []
        for index in range(body.get("n") or 1):
            said = script(body)
            if isinstance(said, Response):
                return said
            message = {"role": "assistant", "content": said}
            choices.append({"index": index, "message": message, "finish_reason": "stop"})
        return JSONResponse(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": MODEL,
                "choices": choices,
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    routes = [
        Route("/v1/models", models),
        Route("/v1/chat/completions", complete, methods=["POST"]),
    ]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()


def last_question(body: dict[str, Any]) -> str:
    """Return the user's last turn, as text."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
