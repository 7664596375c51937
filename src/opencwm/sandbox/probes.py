"""Attempts to break out, run as targets inside a sandbox by :mod:`opencwm.sandbox.isolation`.

Each emits one JSON value saying how far it came, where its own end does not say that. They are harmless where
nothing holds them back: they touch only what the parent made for them, nothing is sent to anybody else, and
every loop ends with the run.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

Emit = Callable[[bytes], None]

MAX_FORKS = 240
_CLONE_NEWUSER = 0x10000000


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


def spin(payload: bytes, emit: Emit) -> None:
    """Use the processor for as many seconds as the payload says; emit null when nothing prevented it."""
    while time.process_time() < float(payload):
        pass
    emit(b"null")


def write_much(payload: bytes, emit: Emit) -> None:
    """Write a file of as many bytes as the payload says to the current directory; emit its size."""
    path = Path("probe")
    with contextlib.suppress(OSError):
        path.write_bytes(bytes(int(payload)))
    emit(json.dumps(path.stat().st_size).encode())
    path.unlink()


def emit_much(payload: bytes, emit: Emit) -> None:
    """Emit as many bytes as the payload says, in many records."""
    for _ in range(int(payload) >> 10):
        emit(bytes(1 << 10))


def leave_file(payload: bytes, emit: Emit) -> None:
    """Emit whether there is a file of the name in the payload where runs start, and leave one there."""
    path = Path(payload.decode())
    emit(json.dumps(path.exists()).encode())
    path.touch()


def environment(payload: bytes, emit: Emit) -> None:
    """Emit, by name, what can be seen of the variables that the payload, a JSON list of names, lists."""
    emit(json.dumps({name: os.environ[name] for name in json.loads(payload) if name in os.environ}).encode())


def user_namespace(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Move to a user namespace, in which this process may mount and more; emit success."""
    emit(json.dumps(ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0).encode())


def privileges(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Emit the privileges this process has or could get by starting a program, as words."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    found = ["root"] if 0 in os.getresuid() else []
    found += ["capabilities"] if int(status["CapEff"], 16) else []
    found += ["programs that give more"] if not int(status["NoNewPrivs"]) else []
    emit(json.dumps(found).encode())


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
