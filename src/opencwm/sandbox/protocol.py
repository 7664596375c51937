"""The bytes between the parent, the fork-server and a running program.

One record is a kind (one byte), the length of its body (four bytes, big endian), and the body. The control
socket carries records between parent and server; a run's result pipe carries them from the program's process
to the parent. The pipe is writable by the program, so :func:`split_records` takes anything and never raises.
"""

from __future__ import annotations

import os
import socket
import struct

HEADER = struct.Struct("!cI")
MAX_BODY_BYTES = 1 << 30

HELLO = b"H"  # server -> parent: ready
RUN = b"R"  # parent -> server: a JSON line, then the payload; with the write end of the result pipe
KILL = b"K"  # parent -> server: end the run now; its body names the run
DONE = b"D"  # server -> parent: the run is over and no process of it is left; JSON
REFUSED = b"X"  # server -> parent: the run could not be started; text

OUTPUT = b"O"  # program -> parent: one emitted record
RETURNED = b"E"  # program -> parent: the target returned
RAISED = b"F"  # program -> parent: the target raised; text
NO_MEMORY = b"M"  # program -> parent: the target raised MemoryError


def record(kind: bytes, body: bytes = b"") -> bytes:
    """One record as bytes."""
    return HEADER.pack(kind, len(body)) + body


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however often a pipe takes only a part.

    Raises:
        OSError: the descriptor is closed or its reader is gone.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def receive(control: socket.socket) -> tuple[bytes, bytes, int | None] | None:
    """Receive the next record (kind, body, descriptor sent with it or None); None when the peer is gone.

    Raises:
        OSError: the socket broke, or its timeout passed.
    """
    descriptor: int | None = None
    try:
        header, descriptors, _, _ = socket.recv_fds(control, HEADER.size, 1)
        if descriptors:
            descriptor = descriptors[0]
        header += _receive_exactly(control, HEADER.size - len(header)) if header else b""
        if len(header) < HEADER.size:
            return None
        kind, length = HEADER.unpack(header)
        if length > MAX_BODY_BYTES:
            raise ConnectionError(f"a record of {length} bytes")
        body = _receive_exactly(control, length)
        if len(body) < length:
            return None
        kept, descriptor = descriptor, None
    except ConnectionResetError:
        return None
    else:
        return kind, body, kept
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _receive_exactly(control: socket.socket, num_bytes: int) -> bytes:
    parts = bytearray()
    while len(parts) < num_bytes:
        part = control.recv(min(num_bytes - len(parts), 1 << 16))
        if not part:
            break
        parts += part
    return bytes(parts)


def split_records(data: bytes | bytearray) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Cut what came through a result pipe into (kind, body) records.

    Returns:
        the whole records of known kinds from the start of ``data``, and whether nothing else was in it (a
        record cut at the end counts as something else).
    """
    records: list[tuple[bytes, bytes]] = []
    position = 0
    while position + HEADER.size <= len(data):
        kind, length = HEADER.unpack_from(data, position)
        end = position + HEADER.size + length
        if kind not in (OUTPUT, RETURNED, RAISED, NO_MEMORY) or end > len(data):
            return records, False
        records.append((kind, bytes(data[position + HEADER.size : end])))
        position = end
    return records, position == len(data)
