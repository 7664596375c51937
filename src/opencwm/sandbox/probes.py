"""Attempts to break out, run as targets inside a sandbox by :mod:`opencwm.sandbox.isolation`.

Each emits one JSON value saying how far it came. They are harmless where nothing holds them back: they touch
only what the parent made for them, nothing is sent to anybody else, and every loop ends with the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

Emit = Callable[[bytes], None]

MAX_FORKS = 400


def network(payload: bytes, emit: Emit) -> None:
    """Connect to a port of this machine, which the payload gives, and look for a route out; emit success."""
    reached = False
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(payload)), timeout=1):
        reached = True
    # Connecting a datagram socket looks up a route and sends nothing. The address is nobody's: RFC 5737.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("192.0.2.1", 9))
        reached = True
    emit(json.dumps(reached).encode())


def write(payload: bytes, emit: Emit) -> None:
    """Create the files that the payload, a JSON list of paths, names; emit null. The parent looks."""
    for path in json.loads(payload):
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    emit(b"null")


def read(payload: bytes, emit: Emit) -> None:
    """Read the file that the payload names; emit whether that worked."""
    readable = False
    with contextlib.suppress(OSError):
        readable = bool(Path(payload.decode()).read_bytes())
    emit(json.dumps(readable).encode())


def kill(payload: bytes, emit: Emit) -> None:
    """Kill the process the payload gives, if it is named ``sleep``; emit null. The parent looks."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{int(payload)}/comm").read_text().strip() == "sleep":
            os.kill(int(payload), signal.SIGKILL)
    emit(b"null")


def memory(payload: bytes, emit: Emit) -> None:
    """Allocate as many bytes as the payload says; emit their number."""
    emit(json.dumps(len(bytearray(int(payload)))).encode())


def forks(payload: bytes, emit: Emit) -> None:  # noqa: ARG001 - the signature of a target
    """Fork sleeping processes up to :data:`MAX_FORKS`; emit how many there were."""
    count = 0
    with contextlib.suppress(OSError):
        while count < MAX_FORKS:
            if os.fork() == 0:
                time.sleep(60)
            count += 1
    emit(json.dumps(count).encode())


def spin(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Use the processor for ever."""
    while True:
        pass


def outlive(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Start a daemon in a session of its own, emit its id, and wait for ever, deaf to all signals."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    emit(os.read(reader, 32))
    time.sleep(600)


def process_exists(payload: bytes, emit: Emit) -> None:
    """Emit whether there is a process of the id in the payload."""
    emit(json.dumps(Path(f"/proc/{int(payload)}").exists()).encode())
