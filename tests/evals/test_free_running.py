import dataclasses
from collections.abc import Callable

import pytest
from evals_programs import loop, mixed, raising, recorded

from opencwm.core.errors import EngineError
from opencwm.debugger.execution import Origin, RealExecution, StepView
from opencwm.debugger.sampler import OutOfContextError
from opencwm.evals.free_running import Comparison, Divergence, compare, first_difference
from opencwm.evals.rollout import End, Rollout, roll_out
from opencwm.traces import Outcome, OutcomeKind, Status, Step, StepFlags, StepKind, Trace, observed_outcome


class Playback(RealExecution):
    """A recorded run played back as if it were predicted; ``broken`` steps raise or return what it says."""

    def __init__(self, trace: Trace, broken: dict[int, Exception | StepView | None] | None = None) -> None:
        super().__init__(trace)
        self._broken = broken or {}

    def get(self, index: int) -> StepView | None:
        if index not in self._broken:
            return super().get(index)
        found = self._broken[index]
        if isinstance(found, Exception):
            raise found
        return found


def change(trace: Trace, index: int, **changes: object) -> Trace:
    steps = list(trace.steps)
    steps[index] = dataclasses.replace(steps[index], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(trace, steps=tuple(steps))


def run(predicted: Trace, observed: Trace, *, max_steps: int = 1000) -> Comparison:
    return compare(roll_out(Playback(predicted), max_steps=max_steps), observed)


def first(trace: Trace, kind: StepKind, *, after: int = 0) -> int:
    return next(i for i, step in enumerate(trace.steps) if i >= after and step.kind is kind)


def test_a_rollout_ends_where_the_entry_is_left() -> None:
    trace = mixed()
    rollout = roll_out(Playback(trace), max_steps=1000)
    assert rollout.end is End.ENDED
    assert rollout.outcome == Outcome(OutcomeKind.RETURNED, trace.result or "")
    assert [view.step for view in rollout.steps] == list(trace.steps)
    assert roll_out(Playback(trace), max_steps=len(trace.steps)).end is End.ENDED


def test_the_exception_that_leaves_the_entry_is_the_outcome() -> None:
    trace = raising()
    assert trace.status is Status.RAISED
    outcome = roll_out(Playback(trace), max_steps=1000).outcome
    assert outcome == Outcome(OutcomeKind.RAISED, "KeyError('y')")
    assert observed_outcome(trace) == outcome


def test_bounds_and_breaks_end_a_rollout() -> None:
    trace = mixed()
    limited = roll_out(Playback(trace), max_steps=7)
    assert (limited.end, len(limited.steps), limited.outcome) == (End.STEP_LIMIT, 7, None)
    full = roll_out(Playback(trace, {5: OutOfContextError("the context is full")}), max_steps=1000)
    assert (full.end, len(full.steps)) == (End.CONTEXT, 5)
    wrapped = EngineError("one step does not fit")
    wrapped.__cause__ = OutOfContextError("the context is full")
    assert roll_out(Playback(trace, {5: wrapped}), max_steps=1000).end is End.CONTEXT
    with pytest.raises(EngineError, match="broke"):
        roll_out(Playback(trace, {5: EngineError("the engine broke")}), max_steps=1000)
    bad = StepView(trace.steps[4], Origin.PREDICTED, malformed="no such line")
    malformed = roll_out(Playback(trace, {5: bad}), max_steps=1000)
    assert (malformed.end, len(malformed.steps), malformed.reason) == (End.MALFORMED, 5, "no such line")
    stopped = roll_out(Playback(trace, {5: None}), max_steps=1000)
    assert (stopped.end, len(stopped.steps), stopped.outcome) == (End.STOPPED, 5, None)


def test_time_is_looked_at_between_steps() -> None:
    ticks = iter(range(1000))
    rollout = roll_out(Playback(mixed()), max_steps=1000, max_seconds=5, clock=lambda: float(next(ticks)))
    assert rollout.end is End.TIMEOUT
    assert len(rollout.steps) == 5
    assert rollout.seconds > 5


def test_a_yield_of_the_entry_does_not_end_it() -> None:
    source = "def f():\n    yield 1\n"
    steps = (
        Step(StepKind.CALL, 0, 1, 0),
        Step(StepKind.RETURN, 0, 2, 0, value="1", flags=StepFlags.YIELD),
        Step(StepKind.CALL, 0, 1, 0, flags=StepFlags.RESUME),
        Step(StepKind.RETURN, 0, 2, 0, value="None"),
    )
    trace = dataclasses.replace(recorded(source, "f()"), steps=steps)
    assert len(roll_out(Playback(trace), max_steps=9).steps) == 4


@pytest.mark.parametrize("make", [mixed, raising, lambda: loop(5)])
def test_the_true_run_is_exact(make: Callable[[], Trace]) -> None:
    trace = make()
    found = run(trace, trace)
    assert found.is_exact
    assert found.is_outcome_right
    assert found.divergence is None
    assert found.num_right == found.num_predicted == found.num_steps == len(trace.steps)


def test_the_first_wrong_thing_decides() -> None:
    trace = mixed()
    line = next(i for i, s in enumerate(trace.steps) if s.kind is StepKind.LINE and s.changed)
    name, value = trace.steps[line].changed[0]
    exception = first(trace, StepKind.EXCEPTION)
    returned = first(trace, StepKind.RETURN)
    call = first(trace, StepKind.CALL, after=2)
    cases = {
        (line, "lineno", trace.steps[line].lineno + 1): Divergence.LINE,
        (line, "changed", ((name, value + "x"),)): Divergence.VALUE,
        (line, "changed", ((name + "x", value),)): Divergence.NAME,
        (line, "changed", ()): Divergence.NAME,
        (line, "deleted", ("gone",)): Divergence.NAME,
        (line, "kind", StepKind.RETURN): Divergence.KIND,
        (line, "depth", 7): Divergence.KIND,
        (exception, "value", "ValueError('other')"): Divergence.VALUE,
        (returned, "value", "17"): Divergence.VALUE,
        (returned, "flags", StepFlags.UNWIND): Divergence.KIND,
        (call, "lineno", 1000): Divergence.LINE,
        (call, "changed", (("x", "0"), ("y", "1"))): Divergence.NAME,
    }
    for (index, field, content), divergence in cases.items():
        if getattr(trace.steps[index], field) == content:
            continue
        found = run(change(trace, index, **{field: content}), trace)
        assert (found.divergence, found.num_right) == (divergence, index), (index, field, content)
        assert not found.is_exact
    assert len(cases) == 12


def test_what_is_written_first_names_the_mistake() -> None:
    line = Step(StepKind.LINE, 0, 3, 0, (("a", "1"), ("b", "2")))
    wrong = dataclasses.replace(line, lineno=4, changed=(("a", "1"), ("b", "3")))
    assert first_difference(wrong, line) is Divergence.VALUE  # effects come before the line
    call = Step(StepKind.CALL, 0, 3, 1, (("x", "1"),))
    assert first_difference(dataclasses.replace(call, lineno=9, changed=()), call) is Divergence.LINE
    assert first_difference(call, line) is Divergence.KIND
    assert first_difference(dataclasses.replace(line, code=5, flags=StepFlags.TRUNCATED), line) is None


def test_a_wrong_step_need_not_spoil_the_outcome() -> None:
    trace = mixed()
    middle = len(trace.steps) // 2
    found = run(change(trace, middle, changed=(("zz", "0"),)), trace)
    assert not found.is_exact
    assert found.is_outcome_right
    assert found.num_right == middle


def test_a_wrong_outcome() -> None:
    trace = mixed()
    found = run(change(trace, len(trace.steps) - 1, value="'other'"), trace)
    assert (found.is_exact, found.is_outcome_right) == (False, False)
    respelled = "'" + (trace.result or "")[1:-1].replace("'", "\\'") + "'"
    found = run(change(trace, len(trace.steps) - 1, value=respelled), trace)
    assert (found.is_exact, found.is_outcome_right) == (False, True)  # another text for the same value


def test_rollouts_that_are_over_early() -> None:
    trace = loop(6)
    assert run(loop(2), trace).divergence in (Divergence.VALUE, Divergence.LINE)
    early = dataclasses.replace(trace, steps=trace.steps[:9])
    found = run(early, trace)
    assert (found.divergence, found.end, found.num_right) == (Divergence.EARLY_END, End.STOPPED, 9)
    found = run(trace, trace, max_steps=9)
    assert (found.divergence, found.end, found.is_exact) == (Divergence.STEP_LIMIT, End.STEP_LIMIT, False)
    assert found.is_outcome_right is False


def test_a_recording_that_was_cut_is_compared_as_far_as_it_goes() -> None:
    trace = loop(6)
    cut = dataclasses.replace(trace, steps=trace.steps[:9], status=Status.STEP_LIMIT)
    found = run(trace, cut)
    assert found.is_exact
    assert found.is_outcome_right is None
    assert found.num_steps == 9


def predicted(step: Step, **probabilities: float) -> StepView:
    value = probabilities.pop("returned", None)
    return StepView(step, Origin.PREDICTED, probabilities, 1.0, value, frozenset({"given"}))


def test_confidences_stop_after_the_first_wrong_step() -> None:
    observed = (
        Step(StepKind.CALL, 0, 1, 0, (("given", "1"), ("x", "1"))),
        Step(StepKind.LINE, 0, 2, 0, (("a", "1"), ("b", "2"))),
        Step(StepKind.RETURN, 0, 3, 0, value="5"),
    )
    steps = (
        predicted(observed[0], given=0.1, x=0.9),
        predicted(
            dataclasses.replace(observed[1], changed=(("a", "1"), ("b", "3"), ("c", "0"))),
            a=0.8,
            b=0.7,
            c=0.6,
        ),
        predicted(observed[2], returned=0.5),
    )
    trace = Trace(loop(1).program, (), observed, Status.RETURNED)
    found = compare(Rollout(steps, End.ENDED, Outcome(OutcomeKind.RETURNED, "5"), 0.0), trace)
    assert found.confidences == ((0.9, True), (0.8, True), (0.7, False))
    right = (steps[0], predicted(observed[1], a=0.8, b=0.7), steps[2])
    found = compare(Rollout(right, End.ENDED, Outcome(OutcomeKind.RETURNED, "5"), 0.0), trace)
    assert found.confidences == ((0.9, True), (0.8, True), (0.7, True), (0.5, True))
