"""Wrong steps in words, and which of them a report shows."""

from evals_programs import generator, mixed, raising

from opencwm.evals.failures import MAX_CHARS, NUM_SHOWN, Failure, describe, surest
from opencwm.traces import Step, StepKind


def test_a_step_has_words() -> None:
    changed = (("n", "3"), ("s", "'a'"))
    line = Step(StepKind.LINE, 0, 7, 0, changed, ("old",))
    assert describe(line) == "n = 3, s = 'a', old is gone, then line 7"
    assert describe(Step(StepKind.CALL, 0, 2, 1, changed)) == "called on line 2: n = 3, s = 'a'"
    assert describe(Step(StepKind.RETURN, 0, 2, 1, (), (), "None")) == "returns None"


def test_every_kind_of_step_has_words() -> None:
    steps = [step for trace in (mixed(), raising(), generator()) for step in trace.steps]
    told = " ".join(describe(step) for step in steps)
    for word in ("called", "resumed", "line", "returns", "yields", "raises"):
        assert word in told


def test_a_long_step_is_cut() -> None:
    assert len(describe(Step(StepKind.RETURN, 0, 3, 0, (), (), "x" * 1000))) == MAX_CHARS


def test_a_call_is_described_from_the_line_that_made_it() -> None:
    trace = mixed()
    index = next(i for i, step in enumerate(trace.steps) if i and step.kind is StepKind.CALL)
    caller = next(s for s in reversed(trace.steps[:index]) if s.depth < trace.steps[index].depth)
    failure = Failure.of(trace, index, trace.steps[index], 0.5, "value")
    assert failure.lineno == caller.lineno
    assert failure.expected == failure.predicted


def test_the_surest_come_first() -> None:
    failures = [{"probability": index / 20, "line": str(index)} for index in range(20)]
    assert [found["line"] for found in surest(failures)] == [str(19 - index) for index in range(NUM_SHOWN)]
