from __future__ import annotations

import pytest
from cwm_programs import programs
from cwm_recorder import record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencwm.codec.cwm import CwmCodec, CwmReader
from opencwm.codec.cwm_step import LocatedStep
from opencwm.codec.cwm_text import trace_text, written_steps
from opencwm.codec.testing import tiny_tokenizer
from opencwm.traces import Binding, StepKind, Trace, replay

View = tuple[StepKind, int, int, tuple[Binding, ...] | None, str | None]


def observed(trace: Trace, *, unwind_returns: bool = False) -> list[View]:
    """What the format keeps of a trace: kind, line, depth, locals of calls and lines, value."""
    views: list[View] = []
    kept = {step.index for step in written_steps(trace, unwind_returns=unwind_returns)}
    for index, (step, stack) in enumerate(replay(trace)):
        if index in kept:
            has_locals = step.kind in (StepKind.CALL, StepKind.LINE)
            value = step.value if has_locals or step.value is not None else "None"
            locals_ = tuple(stack[-1].locals.items()) if has_locals else None
            views.append((step.kind, step.lineno, step.depth, locals_, value))
    return views


def decoded(steps: object) -> list[View]:
    assert isinstance(steps, tuple | list)
    views: list[View] = []
    for step in steps:
        assert isinstance(step, LocatedStep), step
        has_locals = step.kind in (StepKind.CALL, StepKind.LINE)
        views.append((step.kind, step.lineno, step.depth, step.locals if has_locals else None, step.value))
    return views


GENERATOR = """\
def numbers(n):
    try:
        for i in range(n):
            yield i
    finally:
        n = -1
def main():
    total = 0
    for value in numbers(3):
        total += value
    pairs = zip(numbers(2), numbers(2))
    return total, list(pairs), next(numbers(1)), sum(i * i for i in numbers(2))
"""
CLASSES = """\
import functools
def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) + function(*args)
    return wrapper
class Box:
    size = 2
    def __init__(self, items):
        self.items = items
    def __len__(self):
        return len(self.items)
    @property
    def first(self):
        return self.items[0]
    @twice
    def total(self):
        return sum(self.items)
    def __getattr__(self, name):
        raise AttributeError(name)
    def __repr__(self):
        return "Box"
class Guard:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return True
    def __repr__(self):
        return "Guard"
def main():
    box = Box([3, 1])
    with Guard() as guard:
        box.missing()
    known = hasattr(box, "size"), hasattr(box, "nothing")
    ordered = sorted(box.items, key=lambda item: -item)
    return len(box), box.first, box.total(), known, ordered
"""
RECURSION = """\
def walk(tree, depth):
    if depth > 2:
        raise RecursionError("deep")
    found = []
    for child in tree:
        try:
            found.append(walk(child, depth + 1))
        except RecursionError:
            found.append(None)
            if depth < 2:
                raise
    return found
def main():
    try:
        return walk([[[[]]], []], 0)
    except RecursionError as error:
        return walk([[], [[]]], 0)
"""
REPEATED = """\
def main():
    x = 1
    for i in range(2):
        x = x + 1
        x = x + 1
        if x % 2:
            x = x + 1
        x = x + 1
    x = x + 1
    while x > 9:
        x = x - 4
        x = x - 4
    x = x + 1
    return x
"""


@pytest.mark.parametrize("unwind_returns", [False, True])
@pytest.mark.parametrize("source", [GENERATOR, CLASSES, RECURSION, REPEATED])
def test_recorded_runs_come_back(source: str, unwind_returns: bool) -> None:
    trace = record(source)
    codec = CwmCodec(tiny_tokenizer(), unwind_returns=unwind_returns)
    encoded = codec.encode(trace)
    result = codec.decode(encoded.ids, trace.program)
    assert decoded(result.steps) == observed(trace, unwind_returns=unwind_returns)
    assert result.is_finished


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(unique_lines=True), st.booleans())
def test_every_step_comes_back(source: str, unwind_returns: bool) -> None:
    trace = record(source)
    codec = CwmCodec(tiny_tokenizer(), unwind_returns=unwind_returns)
    encoded = codec.encode(trace)
    result = codec.decode(encoded.ids[encoded.num_prompt :], trace.program)
    assert decoded(result.steps) == observed(trace, unwind_returns=unwind_returns)
    assert result.is_finished


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(unique_lines=False))
def test_repeated_lines_come_back_as_a_possible_run(source: str) -> None:
    trace = record(source)
    codec = CwmCodec(tiny_tokenizer())
    steps = codec.decode(codec.encode(trace).ids, trace.program).steps
    for step, view in zip(steps, observed(trace), strict=True):
        assert isinstance(step, LocatedStep)
        assert (step.kind, step.value) == (view[0], view[4])
        assert view[1] in step.candidates
        assert step.lineno in step.candidates
        if view[3] is not None and not step.unresolved and step.depth == view[2]:
            assert step.locals == view[3]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(unique_lines=True))
def test_ids_are_the_text_and_spans_cover_what_is_predicted(source: str) -> None:
    trace = record(source)
    codec = CwmCodec(tiny_tokenizer())
    encoded = codec.encode(trace)
    assert codec.to_text(encoded.ids) == trace_text(trace)
    assert encoded.ids[: encoded.num_prompt] == codec.encode_prompt(trace.program)
    edges = [encoded.num_prompt, *(span.stop for span in encoded.spans)]
    assert [span.start for span in encoded.spans] == edges[:-1]
    assert len(encoded.ids) - edges[-1] == 1  # the end token
    assert encoded.is_predicted() == [position >= encoded.num_prompt for position in range(len(encoded.ids))]
    for span, step in zip(encoded.spans, written_steps(trace), strict=True):
        assert span.index == step.index
        part = encoded.ids[span.start : span.stop]
        assert codec.to_text(part[: span.action - span.start]).startswith(f"<|{step.kind}_sep|>")
        stop = (span.arg or span.stop - 1) - span.start
        assert codec.to_text(part[span.action - span.start + 1 : stop]) == step.source
        assert (span.arg is None) == (step.value is None)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(unique_lines=True), st.data())
def test_reading_id_by_id_keeps_ids_and_can_step_back(source: str, data: st.DataObject) -> None:
    trace = record(source)
    codec = CwmCodec(tiny_tokenizer())
    encoded = codec.encode(trace)
    sampled = encoded.ids[encoded.num_prompt :]
    reader = CwmReader(codec, trace.program)
    steps = reader.extend(sampled)
    assert reader.kept_ids == sampled[:-1]
    num_steps = data.draw(st.integers(0, len(steps)))
    reader.truncate(num_steps)
    stop = encoded.spans[num_steps - 1].stop if num_steps else encoded.num_prompt
    assert reader.kept_ids == encoded.ids[encoded.num_prompt : stop]
    assert not reader.is_finished
    reader.extend(encoded.ids[stop:])
    assert decoded(reader.steps) == observed(trace)
