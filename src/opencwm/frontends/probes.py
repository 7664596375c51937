"""What ``opencwm doctor`` lets loose inside the sandbox: each function tries to get out and reports how far it came.

They run as targets of :meth:`opencwm.sandbox.Sandbox.run`. They are harmless where nothing holds them back: what one manages to
create it removes, nothing is sent anywhere, and every loop has an end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

Emit = Callable[[bytes], None]

UNROUTED = "192.0.2.1"
"""An address that belongs to nobody. Source: RFC 5737."""
NUM_FORKS = 64
MEMORY_BYTES = 2 << 30


def network(payload: bytes, emit: Emit) -> None:  # noqa: ARG001 - the signature of a target
    """Emit whether a route leads out; connecting a datagram socket asks the kernel and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect((UNROUTED, 9))
        except OSError as error:
            emit(f"blocked {errno.errorcode.get(error.errno or 0, '')}".encode())
        else:
            emit(b"open")


def files(payload: bytes, emit: Emit) -> None:
    """Emit the directories among the lines of ``payload`` in which a file could be created."""
    written = []
    for directory in [*payload.decode().splitlines(), sys.prefix, "/usr", "/etc", "/var"]:
        path = os.path.join(directory, f".opencwm-probe-{os.getpid()}")
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.unlink(path)
            written.append(directory)
    emit("\n".join(dict.fromkeys(written)).encode())


def reading(payload: bytes, emit: Emit) -> None:
    """Emit whether the file named by ``payload`` can be read."""
    try:
        with open(payload.decode(), "rb") as file:
            file.read(1)
    except OSError:
        emit(b"blocked")
    else:
        emit(b"open")


def processes(payload: bytes, emit: Emit) -> None:
    """Emit whether the process whose id ``payload`` names can be seen."""
    try:
        os.kill(int(payload), 0)
    except ProcessLookupError:
        emit(b"blocked")
    except PermissionError:
        emit(b"seen")
    else:
        emit(b"open")


def identity(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Emit the user id."""
    emit(str(os.getuid()).encode())


def forks(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Fork up to :data:`NUM_FORKS` sleeping children; emit how many there were."""
    count = 0
    with contextlib.suppress(OSError):
        while count < NUM_FORKS:
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
            count += 1
    emit(str(count).encode())


def memory(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Ask for :data:`MEMORY_BYTES`; emit when they were given."""
    emit(str(len(bytearray(MEMORY_BYTES))).encode())


def endless(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Ignore every signal that can be ignored and sleep for a minute."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def sudden_exit(payload: bytes, emit: Emit) -> None:  # noqa: ARG001
    """Leave without a word."""
    os._exit(0)
