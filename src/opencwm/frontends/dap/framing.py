"""Messages of the protocol as bytes: a header with the length, a blank line, that many bytes of JSON.

The one idea: whatever arrives, in whatever pieces, is either a payload or a :class:`BadFrame` that says what
was wrong, and reading goes on behind it. Nothing here knows JSON, and nothing reads or writes.

Source: https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

MAX_HEADER_BYTES: Final = 4_096
MAX_PAYLOAD_BYTES: Final = 8 * 2**20
"""A larger message is skipped and reported."""
MAX_SKIPPED_BYTES: Final = 2**30
"""A length above this is no length: nobody sends so much."""

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"content-length[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n|$)", re.IGNORECASE)
_FIELD: Final = re.compile(rb"[!#-'*+\-.^-z|~\w]+[ \t]*:[^\r\n]*")
_HTTP: Final = re.compile(rb"\s*[A-Z]{3,10} \S{1,2000} HTTP/")


@dataclasses.dataclass(frozen=True, slots=True)
class BadFrame:
    """Bytes that are no message.

    Attributes:
        problem: what is wrong with them, in words.
        is_fatal: whether the peer speaks another protocol, so that nothing it sends should be believed. A web
            page can make a browser send HTTP to a local port; its body must not become a request.
    """

    problem: str
    is_fatal: bool = False


class FrameDecoder:
    """Cuts payloads out of a stream that arrives in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._num_expected: int | None = None  # bytes of the payload that is arriving
        self._num_skipped = 0  # bytes still to drop
        self._is_closed = False

    def feed(self, data: bytes) -> Iterator[bytes | BadFrame]:
        """Yield what is complete with ``data``; nothing after a fatal :class:`BadFrame`."""
        self._buffer += data
        while not self._is_closed:
            found = self._next()
            if found is None:
                return
            yield found

    def finish(self) -> BadFrame | None:
        """Say what the stream, now at its end, broke off in; None when it ended between messages."""
        if self._is_closed or not (self._buffer or self._num_expected or self._num_skipped):
            return None
        return BadFrame("the connection ended in the middle of a message")

    def _next(self) -> bytes | BadFrame | None:
        if self._num_skipped:
            num_dropped = min(self._num_skipped, len(self._buffer))
            del self._buffer[:num_dropped]
            self._num_skipped -= num_dropped
        if self._num_skipped:
            return None
        if self._num_expected is None:
            return self._header()
        return self._payload()

    def _payload(self) -> bytes | None:
        length = self._num_expected or 0
        if len(self._buffer) < length:
            return None
        payload = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._num_expected = None
        return payload

    def _header(self) -> bytes | BadFrame | None:
        if _HTTP.match(self._buffer):
            self._is_closed = True
            return BadFrame("this is the Debug Adapter Protocol, not HTTP", is_fatal=True)
        end = self._buffer.find(_END)
        if end > MAX_HEADER_BYTES or (end < 0 and len(self._buffer) > MAX_HEADER_BYTES):
            return self._resynchronise()
        if end < 0:
            return None
        header = bytes(self._buffer[:end])
        del self._buffer[: end + len(_END)]
        return self._expect(header)

    def _resynchronise(self) -> BadFrame:
        """Drop bytes up to where a header may start."""
        starts = [match.start() for match in _LENGTH.finditer(self._buffer) if match.start() > 0]
        keep = starts[0] if starts else max(1, len(self._buffer) - len(b"content-length:"))
        del self._buffer[:keep]
        return BadFrame(f"no header within {MAX_HEADER_BYTES} bytes; skipped to where one may start")

    def _expect(self, header: bytes) -> bytes | BadFrame | None:
        matches = list(_LENGTH.finditer(header))
        if not matches:
            return BadFrame("a header without Content-Length")
        text = matches[-1][1]
        if not text.isdigit() or len(text) > 12 or int(text) > MAX_SKIPPED_BYTES:
            return BadFrame(f"not a length: Content-Length: {text[:40].decode('ascii', 'replace')}")
        length = int(text)
        if length > MAX_PAYLOAD_BYTES:
            self._num_skipped = length
            return BadFrame(f"a message of {length} bytes; at most {MAX_PAYLOAD_BYTES} are read")
        self._num_expected = length
        if not all(_FIELD.fullmatch(line) for line in header.strip().split(b"\r\n")):
            return BadFrame("bytes that belong to no message; skipped to the next header")
        return self._next()


def encode(payload: bytes) -> bytes:
    """Return a payload with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(payload), payload)
