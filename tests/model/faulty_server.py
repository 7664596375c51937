"""A server that answers as it is told: well, wrongly, late, in part or not at all."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]
VOCAB_SIZE = 20
CARD = {
    "id": "tiny",
    "object": "model",
    "max_model_len": 64,
    "opencwm": {"codec": "cwm", "vocab_size": VOCAB_SIZE},
}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Tell which models there are."""
        self.send(200, {"object": "list", "data": self.server.cards})

    def do_POST(self) -> None:
        """Answer as the script says, then well."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        with self.server.lock:
            answer = self.server.script.pop(0) if self.server.script else good()
        with contextlib.suppress(ConnectionError):
            answer(self)

    def send(self, status: int, data: Any, **headers: str) -> None:
        """Send an answer; bytes as they are."""
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class FaultyServer(ThreadingHTTPServer):
    """The server; ``script`` is what it does next, ``asked`` the bodies it was sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.script: list[Answer] = []
        self.asked: list[dict[str, Any]] = []
        self.cards: list[Any] = [CARD]

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """Clients go away; that is what is tested."""


@contextlib.contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """Serve while the block runs."""
    with FaultyServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def choice(ids: list[Any], **changes: Any) -> dict[str, Any]:
    """Return a good choice of these ids, with changes."""
    made: dict[str, Any] = {
        "index": 0,
        "text": "?" * len(ids),
        "finish_reason": "stop",
        "token_ids": ids,
        "logprobs": {"tokens": ["?"] * len(ids), "token_logprobs": [-0.5] * len(ids)},
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def good(ids: tuple[int, ...] = (3, 4, 9)) -> Answer:
    """Write these ids."""
    return answering({"choices": [choice(list(ids))]})


def answering(data: Any, status: int = 200, **headers: str) -> Answer:
    """Answer this."""
    return lambda handler: handler.send(status, data, **headers)


def dropping(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def truncating(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"tok')
    handler.close_connection = True


def cutting(handler: Handler) -> None:
    """Send a part of an answer, without a word of how long it is."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"tok')
    handler.close_connection = True


def late(seconds: float) -> Answer:
    """Answer well, but late."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        good()(handler)

    return answer
