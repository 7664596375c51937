"""What several runs agree on, over scripted executions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from opencwm.debugger.execution import Execution, Origin, StepView
from opencwm.debugger.testing import ScriptedExecution
from opencwm.evals.agreement import agree
from opencwm.evals.rollout import End, RolloutBounds
from opencwm.model.sampling import SamplingConfig
from opencwm.traces import CodeInfo, Outcome, OutcomeKind, Program, Step, StepFlags, StepKind

PROGRAM = Program.from_call("def f():\n    return 1\n", "f()")
CODE = CodeInfo("main", 1, ())


def run(value: str | None, *, raises: bool = False) -> Execution:
    """A run that returns, or raises, a value; None is one that does not end."""
    steps = [Step(StepKind.CALL, 0, 1, 0), Step(StepKind.LINE, 0, 2, 0)]
    if raises:
        steps.append(Step(StepKind.EXCEPTION, 0, 2, 0, value=value))
        steps.append(Step(StepKind.RETURN, 0, 2, 0, value="None", flags=StepFlags.UNWIND))
    elif value is not None:
        steps.append(Step(StepKind.RETURN, 0, 2, 0, value=value))
    else:
        steps += [Step(StepKind.LINE, 0, 2, 0)] * 50
    return ScriptedExecution(PROGRAM, (CODE,), [StepView(step, Origin.PREDICTED) for step in steps])


def outcomes(runs: Sequence[Execution]) -> tuple[Outcome | None, int, int]:
    drawn: list[SamplingConfig | None] = []

    def execution(sampling: SamplingConfig | None) -> Execution:
        drawn.append(sampling)
        return runs[len(drawn) - 1]

    found = agree(execution, RolloutBounds(max_steps=20), num_rollouts=len(runs), seed=3)
    assert drawn[0] is None
    seeds = [sampling.seed for sampling in drawn[1:] if sampling is not None]
    assert len(set(seeds)) == len(drawn) - 1
    return found.outcome, found.num_votes, len(found.rollouts)


def returned(value: str) -> Outcome:
    return Outcome(OutcomeKind.RETURNED, value)


@pytest.mark.parametrize(
    ("runs", "outcome", "votes", "made"),
    [
        ([run("1")], returned("1"), 1, 1),
        ([run("1"), run("2"), run("2"), run("2"), run("3")], returned("2"), 3, 4),
        ([run("1"), run("2"), run("3")], returned("1"), 1, 3),
        ([run("{1, 2}"), run("{2, 1}"), run("5")], returned("{1, 2}"), 2, 2),
        ([run("1"), run("True"), run("1.0"), run("1")], returned("1"), 2, 4),
        ([run(None), run("4"), run(None)], returned("4"), 1, 2),
        ([run("E()"), run("E()", raises=True), run("E()", raises=True)],
         Outcome(OutcomeKind.RAISED, "E()"), 2, 3),
        ([run(None), run(None)], None, 0, 2),
    ],
)  # fmt: skip
def test_the_outcome_of_most_runs(
    runs: list[Execution], outcome: Outcome | None, votes: int, made: int
) -> None:
    assert outcomes(runs) == (outcome, votes, made)


def test_a_run_that_does_not_end_says_why() -> None:
    found = agree(lambda _: run(None), RolloutBounds(max_steps=5), num_rollouts=2)
    assert [rollout.end for rollout in found.rollouts] == [End.STEP_LIMIT, End.STEP_LIMIT]
    assert found.share == 0
