"""Calls seen by the trace function: what is recorded of them, and what is passed over."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from opencwm.corpus.harvest.observe import Observer, ObserveRequest, written_arguments

SOURCE = """
class Slotted:
    __slots__ = ("size",)

    def __new__(cls, size):
        self = object.__new__(cls)
        self.size = size
        return self

    def doubled(self):
        return 2 * self.size


class Counter:
    def __init__(self, start=0):
        self.value = start

    def up(self):
        self.value += 1
        return self.value


def joined(first, *rest, sep="-", **more):
    return sep.join([first, *rest, *more])


def fails(x):
    raise KeyError(x)


def swallows(x):
    try:
        fails(x)
    except KeyError:
        pass


def counted(n):
    yield from range(n)


def outer():
    def inner():
        return 1

    return inner()


async def later():
    return 1
"""


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    path = tmp_path / "watched.py"
    path.write_text(SOURCE, encoding="utf-8")
    module = types.ModuleType("watched")
    exec(compile(SOURCE, str(path), "exec", dont_inherit=True), module.__dict__)
    return module


def _seen(watch: Any, **settings: Any) -> list[dict[str, Any]]:
    request = ObserveRequest(modules=("watched",), num_paths=0, tests=(), arguments=(), **settings)
    records: list[dict[str, Any]] = []
    observer = Observer(request, lambda data: records.append(json.loads(data)))
    before = sys.gettrace()
    sys.settrace(observer.trace)
    try:
        watch()
    finally:
        sys.settrace(before)
    return records


def _calls(records: list[dict[str, Any]]) -> list[tuple[str, str, str, Any]]:
    return [
        (record["function"][1], written_arguments(record), record["ended"], record["values"])
        for record in records
        if "function" in record
    ]


def test_arguments_and_results(watched: Any) -> None:
    records = _seen(lambda: (watched.joined("a"), watched.joined("a", "b", sep="+", c=1)))
    assert _calls(records) == [
        ("joined", "'a'", "returned", ["'a'"]),
        ("joined", "'a', 'b', sep='+', c=1", "returned", ["'a+b+c'"]),
    ]
    assert records[0] == {"seen": ["watched", "joined", watched.joined.__code__.co_firstlineno]}


def test_exceptions_that_leave_and_that_do_not(watched: Any) -> None:
    records = _seen(lambda: watched.swallows("k"))
    assert _calls(records) == [("fails", "'k'", "raised", []), ("swallows", "'k'", "returned", ["None"])]
    assert [record.get("raised") for record in records if "function" in record] == ["KeyError", None]


def test_a_generator_is_seen_once(watched: Any) -> None:
    assert _calls(_seen(lambda: list(watched.counted(3)))) == [("counted", "3", "yielded", ["0"])]


def test_objects_are_the_calls_that_made_them(watched: Any) -> None:
    def watch() -> None:
        watched.Slotted(4).doubled()
        counter = watched.Counter(2)
        counter.up()
        counter.up()

    calls = [record for record in _seen(watch) if "function" in record]
    assert [(call["function"][1], written_arguments(call)) for call in calls] == [
        ("Slotted.doubled", "Slotted(4)"),
        ("Counter.__init__", "2"),
        ("Counter.up", "Counter(2)"),
    ]
    assert calls[2]["state"]["args"] == [["self", "object_with(Counter, value=2)"]]


def test_local_functions_and_coroutines_are_passed_over(watched: Any) -> None:
    def watch() -> None:
        watched.outer()
        watched.later().close()

    assert [call[0] for call in _calls(_seen(watch))] == ["outer"]


def test_the_same_input_counts_once_and_enough_is_enough(watched: Any) -> None:
    assert len(_calls(_seen(lambda: [watched.joined("a") for _ in range(9)]))) == 1
    assert len(_calls(_seen(lambda: [watched.joined(str(i)) for i in range(9)], max_inputs=3))) == 3


def test_what_cannot_be_written_is_said_once(watched: Any) -> None:
    records = _seen(lambda: [watched.joined("a" * 999) for _ in range(3)])
    assert [record["why"] for record in records if "unrenderable" in record] == ["long"]
