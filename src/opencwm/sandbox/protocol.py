"""The bytes between the parent, the fork-server and a running program.

One record is a kind (one byte), the length of its body (four bytes, big endian), and the body. The control
socket carries records between parent and server; a child's result pipe carries them from the program to the
parent. The pipe is writable by the program, so :class:`ResultStream` takes anything and never raises.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

HEADER = struct.Struct("!cI")
MAX_BODY_BYTES = 1 << 30
LEAST_BYTES = 64
"""What the smallest record of a program counts for against its limit."""

HELLO = b"H"  # server -> parent: ready; JSON
RUN = b"R"  # parent -> server: a Request; with the write end of the result pipe
KILL = b"K"  # parent -> server: end the child now; its body is the child's number
DONE = b"D"  # server -> parent: the child is gone and no process of it is left; a Report
REFUSED = b"X"  # server -> parent: the child could not be started; text

OUTPUT = b"O"  # program -> parent: one emitted record
RETURNED = b"E"  # program -> parent: the target returned
RAISED = b"F"  # program -> parent: the target raised; text
NO_MEMORY = b"M"  # program -> parent: the target raised MemoryError
_OF_PROGRAMS = (OUTPUT, RETURNED, RAISED, NO_MEMORY)

_write, _poll, _POLLOUT = os.write, select.poll, select.POLLOUT  # bound now: programs may replace attributes
CHILD_NUMBER = struct.Struct("!I")
_DESCRIPTOR = struct.Struct("=i")
_SPACE_FOR_DESCRIPTOR = socket.CMSG_SPACE(_DESCRIPTOR.size)
_RECEIVED_BYTES = 1 << 16
_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_REQUEST = struct.Struct("!III")
_REPORT = struct.Struct("!iQ??")


def size_of(body: bytes) -> int:
    """Return what a record counts for: its bytes, and not less than it costs the parent to keep it."""
    return max(HEADER.size + len(body), LEAST_BYTES)


def record(kind: bytes, body: bytes = b"") -> bytes:
    """One record as bytes."""
    return HEADER.pack(kind, len(body)) + body


class Request(NamedTuple):
    """What a child is to do: its number, JSON of the target and the limits, and one payload after another."""

    number: int
    what: bytes
    payloads: Sequence[bytes]

    def encode(self) -> bytes:
        """Return the body of a RUN record."""
        sizes = struct.pack(f"!{len(self.payloads)}I", *map(len, self.payloads))
        start = _REQUEST.pack(self.number, len(self.what), len(self.payloads))
        return b"".join((start, sizes, self.what, *self.payloads))

    @classmethod
    def decode(cls, body: bytes) -> Request:
        """Return what :meth:`encode` was given; the server believes its parent."""
        number, num_bytes, num_payloads = _REQUEST.unpack_from(body)
        sizes = struct.unpack_from(f"!{num_payloads}I", body, _REQUEST.size)
        position = _REQUEST.size + 4 * num_payloads
        what = body[position : position + num_bytes]
        position += num_bytes
        payloads = []
        for size in sizes:
            payloads.append(body[position : position + size])
            position += size
        return cls(number, what, payloads)


class Report(NamedTuple):
    """The server's account of a child.

    Attributes:
        wait_status: of the child's first process, as ``os.waitpid`` gives it.
        max_rss_bytes: peak resident memory of that process.
        is_over_memory: it was ended because all processes together used too much.
        is_dirty: something is left that the server did not remove; it asks to be replaced.
    """

    wait_status: int
    max_rss_bytes: int
    is_over_memory: bool
    is_dirty: bool

    def encode(self) -> bytes:
        """Return the body of a DONE record."""
        return _REPORT.pack(*self)

    @classmethod
    def decode(cls, body: bytes) -> Report | None:
        """Return what :meth:`encode` was given; None for anything of another length."""
        return cls(*_REPORT.unpack(body)) if len(body) == _REPORT.size else None


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however often a pipe takes only a part, also one that was set not to block.

    Raises:
        OSError: the descriptor is closed or its reader is gone.
    """
    written = 0
    while True:
        try:
            written += _write(descriptor, data[written : written + (1 << 20)] if written else data)
        except BlockingIOError:
            room = _poll()
            room.register(descriptor, _POLLOUT)
            room.poll()
        if written >= len(data):
            return


class Receiver:
    """Takes records off a control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._rest = bytearray()
        self._descriptors: list[int] = []

    def receive(self) -> tuple[bytes, bytes] | None:
        """Wait for the next record (kind, body); None when the peer is gone.

        Raises:
            OSError: the socket broke, its timeout passed, or what came is no record.
        """
        while (found := self._take()) is None:
            try:
                data, ancillary, _, _ = self._control.recvmsg(_RECEIVED_BYTES, _SPACE_FOR_DESCRIPTOR, _FLAGS)
            except ConnectionResetError:
                return None
            if not data:
                return None
            for level, kind, body in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._descriptors.append(_DESCRIPTOR.unpack_from(body)[0])
            self._rest += data
        return found

    def descriptor(self) -> int | None:
        """Hand over the next descriptor that came with the records, in their order; None if there is none."""
        return self._descriptors.pop(0) if self._descriptors else None

    def has_more(self) -> bool:
        """Whether a record has come that was not taken yet, so that polling the socket would miss it."""
        return bool(self._rest)

    def _take(self) -> tuple[bytes, bytes] | None:
        rest = self._rest
        if len(rest) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(rest)
        if length > MAX_BODY_BYTES:
            raise ConnectionError(f"a record of {length} bytes")
        end = HEADER.size + length
        if len(rest) < end:
            return None
        body = bytes(rest[HEADER.size : end])
        del rest[:end]
        return kind, body


class Part(NamedTuple):
    """What came through a result pipe for one payload: the outputs, and the record that ended it."""

    outputs: tuple[bytes, ...]
    end: tuple[bytes, bytes]


class ResultStream:
    """Cuts what comes through a result pipe into the parts of one payload after another.

    Args:
        max_bytes: most bytes of one part.

    Attributes:
        ended: the parts that have ended.
        outputs: whole outputs since then.
        num_bytes: bytes since then, as far as they were looked at; see :func:`size_of`.
        is_garbled: something that is no record has come.
        is_too_long: a part is longer than allowed. What comes after it is dropped.
    """

    def __init__(self, max_bytes: int) -> None:
        self.ended: list[Part] = []
        self.outputs: list[bytes] = []
        self.num_bytes = 0
        self.is_garbled = False
        self.is_too_long = False
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.is_too_long:
            return
        self._rest += data
        while not self.is_garbled and (found := self._next_record()) is not None:
            kind, body = found
            self.num_bytes += size_of(body)
            if self.num_bytes > self._max_bytes:
                break
            if kind == OUTPUT:
                self.outputs.append(body)
            else:
                self.ended.append(Part(tuple(self.outputs), (kind, body)))
                self.outputs.clear()
                self.num_bytes = 0
        if self.is_garbled:
            self.num_bytes += len(self._rest)
            self._rest.clear()
        self.is_too_long = self.num_bytes + len(self._rest) > self._max_bytes

    @property
    def is_clean(self) -> bool:
        """Whether all that has come is whole records."""
        return not (self.is_garbled or self._rest)

    def _next_record(self) -> tuple[bytes, bytes] | None:
        """Take a whole record off what has come; None if there is none."""
        if len(self._rest) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._rest)
        if kind not in _OF_PROGRAMS:
            self.is_garbled = True
            return None
        end = HEADER.size + length
        if len(self._rest) < end:
            return None
        body = bytes(self._rest[HEADER.size : end])
        del self._rest[:end]  # cheap: a bytearray keeps an offset
        return kind, body
