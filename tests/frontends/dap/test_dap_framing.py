"""Bytes to messages: whatever arrives, in whatever pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.frontends.dap import framing
from opencwm.frontends.dap.framing import BadFrame, FrameDecoder, encode


def decoded(*pieces: bytes) -> list[bytes | BadFrame]:
    decoder = FrameDecoder()
    return [frame for piece in pieces for frame in decoder.feed(piece)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(0, 1000), max_size=8))
def test_messages_arrive_whole_however_they_are_cut(payloads: list[bytes], places: list[int]) -> None:
    data = b"".join(map(encode, payloads))
    assert decoded(*cut(data, places)) == payloads


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=4))
def test_any_bytes_are_messages_or_problems_and_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    assert decoded(*cut(data, places)) == decoded(data)


@given(st.binary(max_size=60).filter(lambda data: b"\r" not in data and b"HTTP" not in data))
def test_reading_goes_on_behind_garbage(garbage: bytes) -> None:
    found = decoded(garbage + b"\r\n\r\n" + encode(b"{}") + encode(b"[]"))
    assert found[-1] == b"[]"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"X: 1\r\n\r\n", "without Content-Length"),
        (b"Content-Length: x\r\n\r\n", "not a length"),
        (b"Content-Length: -5\r\n\r\n", "not a length"),
        (b"Content-Length: 99999999999999999999\r\n\r\n", "not a length"),
        (b"a" * (framing.MAX_HEADER_BYTES + 1), "no header within"),
        (b'{"seq":1}Content-Length: 2\r\n\r\n{}', "belong to no message"),
    ],
)
def test_a_bad_header_is_named_and_the_next_message_is_read(data: bytes, problem: str) -> None:
    found = decoded(data + encode(b"{}"))
    assert isinstance(found[0], BadFrame)
    assert problem in found[0].problem
    assert not found[0].is_fatal
    assert found[-1] == b"{}"


def test_a_huge_message_is_skipped_without_being_kept() -> None:
    decoder = FrameDecoder()
    size = framing.MAX_PAYLOAD_BYTES + 1
    found = list(decoder.feed(b"Content-Length: %d\r\n\r\n" % size))
    assert isinstance(found[0], BadFrame)
    assert "at most" in found[0].problem
    for _ in range(size // 2**20 + 1):
        assert list(decoder.feed(b"x" * min(2**20, size))) == []
        size -= min(2**20, size)
        assert len(decoder._buffer) == 0
    assert list(decoder.feed(encode(b"{}"))) == [b"{}"]


@pytest.mark.parametrize("verb", [b"POST", b"GET", b"OPTIONS"])
def test_a_browser_is_not_listened_to(verb: bytes) -> None:
    body = b'{"seq":1,"type":"request","command":"initialize"}'
    request = verb + b" / HTTP/1.1\r\nHost: localhost\r\n" + encode(body)
    found = decoded(request, encode(body))
    assert len(found) == 1
    assert isinstance(found[0], BadFrame)
    assert found[0].is_fatal


def test_a_stream_that_breaks_off_says_so() -> None:
    decoder = FrameDecoder()
    assert decoder.finish() is None
    list(decoder.feed(b"Content-Length: 10\r\n\r\n{"))
    broken = decoder.finish()
    assert broken is not None
    assert "in the middle" in broken.problem
