"""Pipes and sockets for conversations: one over stdin and stdout, or any number on a port.

The one idea: a thread per connection reads and cuts what arrives, another answers; they share a queue and
nothing else. Clients share the models, which are loaded once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.frontends.dap.adapter import Adapter, Settings
from opencwm.frontends.dap.conversation import Arrival
from opencwm.frontends.dap.framing import BadFrame, FrameDecoder, encode
from opencwm.frontends.listening import bound, is_loopback

MAX_CLIENTS: Final = 16
"""More at once are turned away."""
_MAX_WAITING: Final = 10_000
_CHUNK_BYTES: Final = 2**16


def converse(receive: Callable[[int], bytes], send: Callable[[bytes], object], settings: Settings) -> None:
    """Hold a conversation until the client leaves or the connection breaks.

    Args:
        receive: takes a size and returns up to so many bytes, none at the end.
        send: takes bytes.
        settings: of the server.
    """
    inbox: queue.SimpleQueue[Arrival] = queue.SimpleQueue()

    def post(payload: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # a client that is gone is noticed where it is read
            send(encode(payload))

    reader = threading.Thread(target=_read, args=(receive, inbox), name="opencwm-dap-reader", daemon=True)
    reader.start()
    Adapter(inbox, post, settings).run()


def _read(receive: Callable[[int], bytes], inbox: queue.SimpleQueue[Arrival]) -> None:
    """Fill the inbox until the connection ends."""
    decoder = FrameDecoder()
    with contextlib.suppress(OSError, ValueError):
        while data := receive(_CHUNK_BYTES):
            for frame in decoder.feed(data):
                if inbox.qsize() > _MAX_WAITING:
                    inbox.put(
                        BadFrame(f"more than {_MAX_WAITING} messages are waiting; the rest is not read")
                    )
                    inbox.put(None)
                    return
                inbox.put(frame)
                if isinstance(frame, BadFrame) and frame.is_fatal:
                    inbox.put(None)
                    return
    if (broken := decoder.finish()) is not None:
        inbox.put(broken)
    inbox.put(None)


def serve_stdio(settings: Settings) -> None:
    """Converse over stdin and stdout; what else is printed goes to stderr."""
    sys.stdout.flush()
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(out, "wb", buffering=0) as stream:
            converse(lambda size: os.read(0, size), lambda data: _write_all(stream.fileno(), data), settings)
    finally:
        sys.stdout.flush()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def listen(host: str, port: int, settings: Settings) -> socket.socket:
    """Open a port; 0 takes any that is free.

    Raises:
        ConfigError: others than this machine could reach it and there is no token, or it cannot be opened.
    """
    if not is_loopback(host) and not settings.token:
        raise ConfigError(
            f"{host} can be reached from other machines",
            where="--host",
            hint="give a --token as well, or listen on 127.0.0.1",
        )
    return bound(host, port)


def serve_port(server: socket.socket, settings: Settings) -> None:
    """Converse with any number of clients, each on its own, until interrupted."""
    free = threading.BoundedSemaphore(MAX_CLIENTS)
    with server:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # closed from outside
                return
            if not free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=_serve_client, args=(connection, settings, free), name="opencwm-dap", daemon=True
            ).start()


def _serve_client(connection: socket.socket, settings: Settings, free: threading.BoundedSemaphore) -> None:
    with _released(free), connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        converse(connection.recv, connection.sendall, settings)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # wakes the reader


@contextlib.contextmanager
def _released(free: threading.BoundedSemaphore) -> Iterator[None]:
    try:
        yield
    finally:
        free.release()
