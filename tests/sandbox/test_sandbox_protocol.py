"""The bytes on the wire: what is written is read, and what a program writes breaks nothing."""

from __future__ import annotations

import concurrent.futures
import os
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.sandbox import protocol

ENDS = st.sampled_from([protocol.RETURNED, protocol.RAISED, protocol.NO_MEMORY])
PARTS = st.lists(
    st.builds(
        protocol.Part, st.lists(st.binary(max_size=40)).map(tuple), st.tuples(ENDS, st.binary(max_size=40))
    ),
    max_size=5,
)
MANY = 1 << 20


def size_of(part: protocol.Part) -> int:
    return sum(map(protocol.size_of, (*part.outputs, part.end[1])))


def encoded(parts: list[protocol.Part]) -> bytes:
    data = b""
    for part in parts:
        data += b"".join(protocol.record(protocol.OUTPUT, output) for output in part.outputs)
        data += protocol.record(*part.end)
    return data


@given(PARTS, st.lists(st.integers(1, 30), min_size=1))
@settings(max_examples=60)
def test_parts_are_read_however_they_are_cut(parts: list[protocol.Part], sizes: list[int]) -> None:
    stream, data = protocol.ResultStream(MANY), encoded(parts)
    while data:
        size = sizes.pop(0)
        sizes.append(size)
        stream.feed(data[:size])
        data = data[size:]
    assert (stream.ended, stream.outputs, stream.is_clean) == (parts, [], True)


@given(PARTS, st.lists(st.binary(max_size=40), max_size=3), st.binary(min_size=5, max_size=40))
@settings(max_examples=60)
def test_what_came_before_garbage_is_kept(
    parts: list[protocol.Part], outputs: list[bytes], garbage: bytes
) -> None:
    stream = protocol.ResultStream(MANY)
    stream.feed(encoded(parts) + b"".join(protocol.record(protocol.OUTPUT, output) for output in outputs))
    stream.feed(b"?" + garbage)
    stream.feed(encoded(parts))
    assert (stream.ended, stream.outputs) == (parts, outputs)
    assert stream.is_garbled
    assert not stream.is_clean


@given(PARTS.filter(bool), st.data())
@settings(max_examples=60)
def test_a_cut_record_is_told_from_an_end(parts: list[protocol.Part], data: st.DataObject) -> None:
    whole = encoded(parts)
    kept = data.draw(st.integers(len(whole) - len(protocol.record(*parts[-1].end)) + 1, len(whole) - 1))
    stream = protocol.ResultStream(MANY)
    stream.feed(whole[:kept])
    assert stream.ended == parts[:-1]
    assert not stream.is_clean
    assert not stream.is_garbled


@given(PARTS.filter(bool), st.booleans())
@settings(max_examples=60)
def test_a_part_that_is_too_long_is_the_last_thing_looked_at(
    parts: list[protocol.Part], is_too_long: bool
) -> None:
    longest = max(map(size_of, parts))
    stream = protocol.ResultStream(longest - is_too_long)
    stream.feed(encoded(parts))
    if is_too_long:
        first = next(i for i, part in enumerate(parts) if size_of(part) == longest)
        parts = parts[:first]
    assert (stream.ended, stream.is_too_long) == (parts, is_too_long)


def test_endless_garbage_is_too_long() -> None:
    stream = protocol.ResultStream(100)
    for _ in range(11):
        stream.feed(b"?" * 10)
    assert stream.is_too_long


@given(st.integers(0, 2**32 - 1), st.binary(max_size=9), st.lists(st.binary(max_size=9)))
def test_a_request_is_read_as_it_was_written(number: int, what: bytes, payloads: list[bytes]) -> None:
    request = protocol.Request(number, what, payloads)
    assert protocol.Request.decode(request.encode()) == request


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**63), st.booleans(), st.booleans())
def test_a_report_is_read_as_it_was_written(wait: int, rss: int, memory: bool, dirty: bool) -> None:
    report = protocol.Report(wait, rss, memory, dirty)
    assert protocol.Report.decode(report.encode()) == report
    assert protocol.Report.decode(report.encode()[1:]) is None


def test_a_pipe_that_does_not_block_takes_all_that_is_written() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    data = bytes(range(256)) * 4096
    with concurrent.futures.ThreadPoolExecutor(1) as pool, os.fdopen(reader, "rb") as pipe:
        time.sleep(0.01)
        taken = pool.submit(pipe.read)
        protocol.write_all(writer, data)
        os.close(writer)
        assert taken.result(timeout=10) == data
