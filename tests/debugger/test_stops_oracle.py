"""Where moves stop, both ways, against a brute-force oracle that knows nothing but the recorded steps."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from debugged import CALLS, traced
from engines import generated
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.debugger.execution import RealExecution
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.tracer import record
from opencwm.traces import Activation, Program, Step, StepFlags, StepKind, Trace, replay

FINALLY = """\
class Oops(ValueError):
    pass


def inner(x):
    try:
        if x > 1:
            raise Oops(x)
        return [][x]
    finally:
        x = -x


def outer(n):
    found = []
    for i in range(n):
        try:
            found.append(inner(i))
        except IndexError as error:
            found.append(error)
    return found
"""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A step with the stack of its moment and the last step of its activation."""

    index: int
    step: Step
    stack: tuple[Activation, ...]
    before: Moment | None
    qualname: str

    @property
    def locals(self) -> dict[str, str]:
        return self.stack[-1].locals


def moments(trace: Trace) -> list[Moment]:
    found: list[Moment] = []
    last: dict[int, Moment] = {}
    for index, (step, stack) in enumerate(replay(trace)):
        copied = tuple(Activation(item.code, item.lineno, dict(item.locals)) for item in stack)
        before = None if step.kind is StepKind.CALL else last.get(step.depth)
        last = {depth: item for depth, item in last.items() if depth < step.depth}
        now = Moment(index, step, copied, before, trace.codes[step.code].qualname)
        last[step.depth] = now
        found.append(now)
    return found


Hits = list[tuple[int, int]]
"""The step at which each hit is seen, and that at which going back stops for it."""


def line_hits(all_: Sequence[Moment], lineno: int) -> Hits:
    return [
        (item.index, item.index)
        for item in all_
        if item.step.kind is StepKind.LINE and item.step.lineno == lineno
    ]


def function_hits(all_: Sequence[Moment], name: str) -> Hits:
    return [
        (item.index, item.index)
        for item in all_
        if item.step.kind is StepKind.CALL
        and not item.step.flags & StepFlags.RESUME
        and item.qualname.split(".")[-1] == name
    ]


def data_hits(all_: Sequence[Moment], name: str) -> Hits:
    found = []
    for item in all_:
        if item.step.flags & StepFlags.RESUME:
            continue
        before = None if item.before is None else item.before.locals.get(name)
        if item.locals.get(name) != before:
            found.append((item.index, item.index if item.before is None else item.before.index))
    return found


def raised_hits(all_: Sequence[Moment]) -> Hits:
    return [
        (item.index, item.index)
        for item in all_
        if item.step.kind is StepKind.EXCEPTION
        and not (item.index and all_[item.index - 1].step.flags & StepFlags.UNWIND)
    ]


def uncaught_hits(all_: Sequence[Moment]) -> Hits:
    """The first of the last run of steps that only unwind, when the program ends with it."""
    place = len(all_)
    while place and (
        all_[place - 1].step.kind is StepKind.EXCEPTION or all_[place - 1].step.flags & StepFlags.UNWIND
    ):
        place -= 1
    return [(place, place)] if place < len(all_) else []


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A breakpoint, as it is added to a session and as the oracle sees it."""

    add: Callable[[Session, dict[str, Any]], object]
    hits: Callable[[Sequence[Moment]], Hits]
    condition: str | None
    hit_condition: str | None

    def stops(self, all_: Sequence[Moment]) -> Hits:
        hits = [hit for hit in self.hits(all_) if holds(self.condition, all_[hit[0]].locals)]
        numbered = enumerate(hits, start=1)
        return [hit for number, hit in numbered if is_counted(self.hit_condition, number)]


def holds(condition: str | None, locals_: dict[str, str]) -> bool:
    """Whether a condition holds; one that cannot be decided does. Only what it names has a say."""
    if condition is None:
        return True
    try:
        values = {
            name: ast.literal_eval(text) for name, text in locals_.items() if name in names_of(condition)
        }
        return bool(eval(condition, {}, values))  # noqa: S307 - the reference
    except (NameError, TypeError, ValueError, SyntaxError):
        return True


def names_of(expression: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}


def is_counted(hit_condition: str | None, number: int) -> bool:
    if hit_condition is None:
        return True
    if hit_condition.startswith("%"):
        return number % int(hit_condition[1:]) == 0
    text = hit_condition if not hit_condition.isdigit() else f"== {hit_condition}"
    return bool(eval(f"{number} {text}"))  # noqa: S307 - the reference


@st.composite
def breakpoints(draw: st.DrawFn, trace: Trace) -> Wanted:
    hit_condition = draw(st.none() | st.sampled_from(["1", "2", ">= 2", "> 1", "< 3", "<= 1", "% 2", "== 3"]))
    kind = draw(st.sampled_from(["line", "function", "data", "raised", "uncaught"]))
    lines = sorted({step.lineno for step in trace.steps if step.kind is StepKind.LINE})
    names = sorted({name for step in trace.steps for name, _ in step.changed})
    condition = None
    if kind == "line" and names and draw(st.booleans()):
        name = draw(st.sampled_from(names))
        condition = f"{name} {draw(st.sampled_from(['==', '!=']))} {draw(st.integers(0, 2))}"
    options = {"condition": condition, "hit_condition": hit_condition}
    if kind == "line" and lines:
        lineno = draw(st.sampled_from(lines))
        return Wanted(
            lambda session, given: session.breakpoints.add_line(lineno, **given),
            lambda all_: line_hits(all_, lineno),
            **options,
        )
    if kind == "data" and names:
        name = draw(st.sampled_from(names))
        return Wanted(
            lambda session, given: session.breakpoints.add_data(name, **given),
            lambda all_: data_hits(all_, name),
            **options,
        )
    if kind in ("raised", "uncaught"):
        return Wanted(
            lambda session, given: session.breakpoints.add_exception(kind, **given),
            raised_hits if kind == "raised" else uncaught_hits,
            **options,
        )
    called = sorted({trace.codes[step.code].qualname.split(".")[-1] for step in trace.steps})
    function = draw(st.sampled_from([name for name in called if name.isidentifier()]))
    return Wanted(
        lambda session, given: session.breakpoints.add_function(function, **given),
        lambda all_: function_hits(all_, function),
        **options,
    )


def check_walk(data: st.DataObject, trace: Trace) -> None:
    all_ = moments(trace)
    wanted = data.draw(st.lists(breakpoints(trace), min_size=1, max_size=4))
    session = Session(RealExecution(trace))
    for item in wanted:
        item.add(session, {"condition": item.condition, "hit_condition": item.hit_condition})
    stops = [item.stops(all_) for item in wanted]
    seen = {index for hits in stops for index, _ in hits}
    for _ in range(data.draw(st.integers(1, 6))):
        move = data.draw(st.sampled_from(["forward", "back", "jump", "end"]))
        if move == "jump":
            assert session.goto(data.draw(st.integers(0, len(all_) - 1))).kind is StopKind.GOAL
        elif move == "end":
            assert session.goto(len(all_)).kind is StopKind.ENDED
        elif move == "forward" and not session.is_ended:
            expected = min((index for index in seen if index > session.position), default=None)
            stop = session.continue_()
            assert (None if stop.kind is StopKind.ENDED else stop.position) == expected
            if expected is not None:
                numbers = [n for n, hits in enumerate(stops, 1) if expected in {index for index, _ in hits}]
                assert stop.breakpoints == tuple(numbers)
        elif move == "back":
            limit = len(all_) if session.is_ended else session.position
            candidates = [
                made_at for hits in stops for index, made_at in hits if made_at < limit and index <= limit
            ]
            stop = session.continue_back()
            if candidates:
                assert stop.position == max(candidates)
                assert stop.breakpoints
            else:
                assert (stop.kind, stop.position) == (StopKind.START, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_continuing_both_ways_stops_where_an_oracle_says(data: st.DataObject) -> None:
    check_walk(data, traced(data.draw(st.sampled_from(sorted(CALLS)))))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(1, 4))
def test_so_it_does_with_exceptions_that_pass_finally(data: st.DataObject, number: int) -> None:
    check_walk(data, record(Program.from_call(FINALLY, f"outer({number})")))


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(0, 10**6))
def test_so_it_does_in_generated_programs(data: st.DataObject, seed: int) -> None:
    check_walk(data, generated(seed))
