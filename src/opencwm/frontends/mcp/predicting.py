"""Tools that answer a question about a program at once, without a session."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from opencwm.debugger.cancellation import CancelledError, Watch
from opencwm.frontends.check_json import finding_json
from opencwm.frontends.mcp.answers import (
    CallAnswer,
    CheckAnswer,
    ExecutionAnswer,
    InputAnswer,
    OutcomeAnswer,
    StatesAnswer,
    cut,
    full_step,
    short_step,
)
from opencwm.frontends.mcp.service import OpenSession, ProgramRequest, Service
from opencwm.frontends.programs import program_for_calls, program_of_source

if TYPE_CHECKING:
    from opencwm.debugger.execution import Execution, StepView
    from opencwm.debugger.questions import EarlierState
    from opencwm.traces import Outcome, Program

MAX_STEPS = 1_000
"""Most steps of a run that is predicted to its end."""

RUN_S = 5.0
"""Most seconds of a real run."""


def predict_execution(
    service: Service,
    watch: Watch,
    request: ProgramRequest,
    *,
    offset: int,
    limit: int,
    is_full: bool,
    max_chars: int,
) -> ExecutionAnswer:
    """Return some steps of an execution.

    Raises:
        OpenCWMError: the program, the model or the sandbox is at fault.
    """
    opened = service.opened(request)
    execution = opened.execution
    steps: list[dict[str, Any]] = []
    for index in range(offset + limit):
        if watch.is_cancelled:
            break
        view = execution.get(index)
        watch.advance(index + 1)
        if view is None:
            break
        if index >= offset:
            described = full_step if is_full else functools.partial(short_step, max_chars=max_chars)
            steps.append(described(execution, index, view))
        if view.malformed is not None:
            break
    next_offset = offset + len(steps)
    has_more = len(steps) == limit and execution.get(next_offset) is not None
    if watch.is_cancelled:
        has_more = True
    divergence = None
    if opened.real is not None:
        row = opened.session().first_divergence
        divergence = None if row is None else f"step {row.predicted_index}: {row.describe()}"
    return {
        "status": execution.status or "there are more steps",
        "is_ended": execution.ended(),
        "steps": steps,
        "next_offset": next_offset if has_more else None,
        "first_divergence": divergence,
        "notices": list(opened.notices),
    }


def predict_output(
    service: Service, watch: Watch, request: ProgramRequest, *, rollouts: int, max_chars: int
) -> OutcomeAnswer:
    """Return what a call comes to.

    Raises:
        OpenCWMError: the program or the model is at fault.
        CancelledError: it took too long.
    """
    from opencwm.debugger.invented import with_invented_arguments
    from opencwm.debugger.working import Working
    from opencwm.evals.agreement import agree
    from opencwm.evals.rollout import RolloutBounds
    from opencwm.model.sampling import SamplingConfig

    world = service.world
    assumed = with_invented_arguments(world, service.program_of(request))

    def execution(sampling: SamplingConfig | None) -> Execution:
        made = world.execution(
            assumed.program,
            sampling=sampling,
            expressions=True,
            working=Working.CALCULATED,
            assumed=assumed.assumed,
        )
        return cast("Execution", _Stoppable(made, watch))

    bounds = RolloutBounds(max_steps=MAX_STEPS, max_seconds=math.inf)  # the call itself is stopped
    found = agree(execution, bounds, num_rollouts=rollouts)
    first = found.rollouts[0]
    product = math.prod(1.0 if view.probability is None else view.probability for view in first.steps)
    outcome = found.outcome
    return {
        "kind": None if outcome is None else str(outcome.kind),
        "value": None if outcome is None else cut(outcome.value, max_chars)[0],
        "status": first.reason or str(first.end),
        "probability": product if len(found.rollouts) == 1 else found.share,
        "num_steps": len(first.steps),
        "votes": found.num_votes,
        "rollouts": len(found.rollouts),
        "notices": [f"assumed: {note}" for note in assumed.notes],
    }


class _Stoppable:
    """An execution that is cancelled between steps."""

    def __init__(self, execution: Execution, watch: Watch) -> None:
        self._execution = execution
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._execution, name)

    def get(self, index: int) -> StepView | None:
        """Return a step.

        Raises:
            CancelledError: nobody wants it any more.
        """
        if self._watch.is_cancelled:
            raise CancelledError
        self._watch.advance(index + 1)
        return self._execution.get(index)


def predict_input(
    service: Service,
    watch: Watch,
    request: ProgramRequest,
    function: str,
    wanted: Outcome,
    *,
    draws: int,
    verify: bool,
) -> InputAnswer:
    """Return calls that may give a result.

    Raises:
        OpenCWMError: the program, the model or the sandbox is at fault.
    """
    from opencwm.debugger.questions import inputs_for

    source, name = service.source_of(request.source, request.file)
    program = program_for_calls(source, name, function, where="function")
    calls: list[CallAnswer] = []
    proposed = inputs_for(
        service.world, program, function, wanted, num_draws=draws, is_cancelled=lambda: watch.is_cancelled
    )
    for found in proposed:
        holds = _comes_to(dataclasses.replace(program, call=found.call), wanted) if verify else None
        calls.append({"call": found.call, "probability": found.probability, "holds": holds})
        watch.advance(len(calls))
        if watch.is_cancelled:
            break
    return {"calls": calls}


def predict_state_before(
    service: Service,
    watch: Watch,
    request: ProgramRequest,
    line: int,
    after: Mapping[str, str],
    *,
    end_line: int | None,
    known: Mapping[str, str],
    draws: int,
    verify: bool,
) -> StatesAnswer:
    """Return states that may have come before a line.

    Raises:
        OpenCWMError: the program, the model or the sandbox is at fault.
    """
    from opencwm.debugger.questions import state_question, states_before

    source, name = service.source_of(request.source, request.file)
    program = program_of_source(source, name, call="print()")
    after, known = rendered_values(after), rendered_values(known)
    question = state_question(program, line, after, end_lineno=end_line, known=known)
    found = states_before(
        service.world,
        program,
        line,
        after,
        end_lineno=end_line,
        known=known,
        num_draws=draws,
        is_cancelled=lambda: watch.is_cancelled,
    )
    states = [_state(item, _comes_to(item.program, question.wanted) if verify else None) for item in found]
    return {"states": states}


def predict_state_before_here(
    service: Service, held: OpenSession, watch: Watch, changes: Mapping[str, str], *, draws: int
) -> StatesAnswer:
    """Return states that may have come before the line that ran last where a session stands.

    Raises:
        ConfigError: no line ran yet in this function, or a value is no literal.
        EngineError: the engine broke.
    """
    from opencwm.debugger.questions import states_before_here

    found = states_before_here(
        service.world,
        held.session,
        rendered_values(changes),
        num_draws=draws,
        is_cancelled=lambda: watch.is_cancelled,
    )
    return {"states": [_state(item, None) for item in found]}


def _state(state: EarlierState, holds: bool | None) -> dict[str, Any]:
    return {
        "locals": dict(state.locals),
        "probability": state.probability,
        "is_predicted_to_lead_there": state.agrees,
        "holds": holds,
    }


def check(
    service: Service, watch: Watch, request: ProgramRequest, function: str, *, inputs: int, verify: bool
) -> CheckAnswer:
    """Return what could go wrong in a function.

    Raises:
        OpenCWMError: the program, the model or the sandbox is at fault.
        CancelledError: the client no longer wants it.
    """
    from opencwm.debugger.checking.check import CheckConfig, check_function
    from opencwm.debugger.checking.verify import verify as verified
    from opencwm.sandbox import Sandbox

    source, name = service.source_of(request.source, request.file)
    program_for_calls(source, name, function, where="function")

    def progress(done: int, _: int) -> None:
        watch.advance(done)
        if watch.is_cancelled:
            raise CancelledError

    config = CheckConfig(num_inputs=inputs, max_seconds=service.config.max_call_s * 0.8)
    checked = check_function(service.world, source, function, config, filename=name, progress=progress)
    if verify and checked.findings:
        with Sandbox() as sandbox:
            checked = verified(checked, source, sandbox, filename=name)
    return {
        "function": function,
        "num_inputs": len(checked.inputs),
        "inputs": [item.call for item in checked.inputs],
        "findings": [finding_json(finding, max_other_calls=3) for finding in checked.findings],
        "problem": checked.problem,
    }


def rendered_values(values: Mapping[str, str]) -> dict[str, str]:
    """Return values as a run's record shows them.

    Raises:
        ConfigError: one is no literal.
    """
    from opencwm.debugger.assumed import rendered
    from opencwm.debugger.assumptions import parse_assumption

    return {name: rendered(parse_assumption(f"{name} = {text}").value) for name, text in values.items()}


def _comes_to(program: Program, wanted: Outcome) -> bool:
    from opencwm.evals.inputs import comes_to
    from opencwm.sandbox import RunLimits, record

    return comes_to(record(program, limits=RunLimits(wall_s=RUN_S, cpu_s=RUN_S)), wanted)
