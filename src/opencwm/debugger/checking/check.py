"""Predict what a function does with proposed inputs, and report what goes wrong.

Nothing of the program runs here. Whether a report is true only a run tells: :mod:`.verify`.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import math
import time
from collections.abc import Callable, Iterator, Sequence

from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.debugger.checking.endlessness import Endless, EndWatch
from opencwm.debugger.checking.proposals import ProposedInput, propose_inputs
from opencwm.debugger.execution import Execution, StepView
from opencwm.debugger.invented import functions_of
from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.traces import OutcomeKind, Program, Step, StepFlags, StepKind, leaves_entry, outcome_of_steps


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """How hard a function is tried.

    Attributes:
        num_inputs: most inputs of a function.
        max_steps: most steps of a predicted run.
        max_seconds: most time for a function; inputs that are left then are not tried.
        seed: of what is drawn.

    Raises:
        ConfigError: a number that is not positive.
    """

    num_inputs: int = 12
    max_steps: int = 200
    max_seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_inputs", "max_steps", "max_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}", where="check")


class FindingKind(enum.StrEnum):
    """What goes wrong."""

    EXCEPTION = "exception"
    ENDLESS_LOOP = "endless_loop"
    ENDLESS_RECURSION = "endless_recursion"


class Verdict(enum.StrEnum):
    """What a real run says about a finding."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"  # there was no real run


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something that goes wrong, as predicted.

    Attributes:
        function: that was called.
        kind: what goes wrong.
        lineno: 1-based line of the file where it does.
        call: the input.
        what: the exception, or why there is no end.
        confidence: the model's probability of the whole run up to there, in (0, 1].
        num_steps: of the predicted run.
        is_raised: the line raises the exception on purpose, with ``raise`` or ``assert``.
        other_calls: further inputs that come to the same, in the order tried.
        verdict: of a real run; None before there was one.
        really: what the real run came to, in words.
    """

    function: str
    kind: FindingKind
    lineno: int
    call: str
    what: str
    confidence: float
    num_steps: int
    is_raised: bool = False
    other_calls: tuple[str, ...] = ()
    verdict: Verdict | None = None
    really: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedFunction:
    """What came of checking one function.

    Attributes:
        name: of the function.
        inputs: that were tried, in order.
        findings: what goes wrong, most sure first.
        problem: why it could not be checked, or not with all inputs; empty otherwise.
    """

    name: str
    inputs: tuple[ProposedInput, ...]
    findings: tuple[Finding, ...]
    problem: str = ""


def check_function(
    world: WorldModel,
    source: str,
    name: str,
    config: CheckConfig | None = None,
    *,
    filename: str = "<program>",
    progress: Callable[[int, int], None] | None = None,
) -> CheckedFunction:
    """Propose inputs for a function at the top of a program, predict runs, and collect what goes wrong.

    Args:
        world: predicts.
        source: valid Python.
        name: of the function.
        config: how hard it is tried.
        filename: for errors.
        progress: told how many inputs are done, of how many.

    Raises:
        ConfigError: there is no such function.
        EngineError: the engine broke.
    """
    config = config or CheckConfig()
    if name not in functions_of(source):
        raise ConfigError(
            f"there is no function {name!r} at the top of {filename}",
            hint=f"its functions: {', '.join(functions_of(source)) or 'none'}",
        )
    start = time.perf_counter()
    inputs = propose_inputs(source, name, num_inputs=config.num_inputs, world=world, seed=config.seed)
    tried: list[ProposedInput] = []
    found: list[Finding] = []
    problem = ""
    for number, proposed in enumerate(inputs):
        if progress is not None:
            progress(number, len(inputs))
        if time.perf_counter() - start > config.max_seconds:
            problem = f"{len(inputs) - number} inputs were not tried: {config.max_seconds:g} s are over"
            break
        try:
            program = Program.from_call(source, proposed.call, filename=filename)
            execution = world.execution(program, expressions=True, working=Working.CALCULATED)
        except OpenCWMError as error:  # it does not compile or does not fit
            return CheckedFunction(name, tuple(tried), (), error.what)
        tried.append(proposed)
        left = config.max_seconds - (time.perf_counter() - start)
        finding = find(execution, name, max_steps=config.max_steps, max_seconds=left)
        if finding is not None:
            found.append(finding)
    return CheckedFunction(name, tuple(tried), tuple(_merged(found)), problem)


def find(execution: Execution, name: str, *, max_steps: int, max_seconds: float = math.inf) -> Finding | None:
    """Follow an execution and return what goes wrong in it, if anything does.

    Args:
        execution: of a program with a call.
        name: of the function that it calls.
        max_steps: most steps that are read.
        max_seconds: most time, looked at between steps.
    """
    start = time.perf_counter()
    program = execution.program
    watch = EndWatch(program.source)
    views: list[StepView] = []
    for index in range(max_steps):
        view = execution.get(index)
        if view is None or view.malformed is not None or time.perf_counter() - start > max_seconds:
            return None
        views.append(view)
        endless = watch.see(view.step, execution.stack_at(index))
        if endless is not None:
            return _endless(name, program, views, endless)
        if leaves_entry(view.step):
            return _exception(name, program, views)
    return None


def _endless(name: str, program: Program, views: Sequence[StepView], endless: Endless) -> Finding:
    return Finding(
        name,
        FindingKind(endless.kind.value),
        endless.lineno,
        program.call or "",
        endless.reason,
        _confidence(views),
        len(views),
    )


def _exception(name: str, program: Program, views: Sequence[StepView]) -> Finding | None:
    steps = [view.step for view in views]
    outcome = outcome_of_steps(steps)
    if outcome is None or outcome.kind is not OutcomeKind.RAISED:
        return None
    lineno = raising_line(steps, program.source)
    return Finding(
        name,
        FindingKind.EXCEPTION,
        lineno,
        program.call or "",
        outcome.value,
        _confidence(views),
        len(views),
        is_raised=lineno in _raising_lines(program.source),
    )


def raising_line(steps: Sequence[Step], source: str) -> int:
    """Return the line that raised the exception which left the entry: where it was seen first.

    Args:
        steps: of a run that raised.
        source: of the program; handlers that let the exception pass are told by it.
    """
    handlers = _handling_lines(source)
    lineno, value = 0, None
    for step in reversed(steps):
        is_passing = step.kind is StepKind.RETURN and bool(step.flags & StepFlags.UNWIND)
        if step.kind is StepKind.EXCEPTION and value in (None, step.value):
            lineno, value = step.lineno, step.value
        elif not is_passing and not (step.kind is StepKind.LINE and step.lineno in handlers):
            break
    return lineno


def _handling_lines(source: str) -> frozenset[int]:
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            found.add(node.lineno)
        elif isinstance(node, ast.Try | ast.TryStar):
            for part in node.finalbody:
                found.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    return frozenset(found)


def _raising_lines(source: str) -> frozenset[int]:
    return frozenset(
        node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise | ast.Assert)
    )


def _confidence(views: Sequence[StepView]) -> float:
    return math.prod(1.0 if view.probability is None else view.probability for view in views)


def exception_name(what: str) -> str:
    """Return the type of a rendered exception: ``KeyError`` of ``KeyError('x')``."""
    return what.partition("(")[0].rpartition(".")[2]


def _merged(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield findings, those that are the same thing once, with the shortest of the surest inputs."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        what = exception_name(finding.what) if finding.kind is FindingKind.EXCEPTION else ""
        groups.setdefault((finding.kind, finding.lineno, what), []).append(finding)
    merged = []
    for group in groups.values():
        surest = max(finding.confidence for finding in group)
        sure = [finding for finding in group if finding.confidence >= surest * 0.99]
        first = min(sure, key=lambda finding: len(finding.call))
        others = tuple(finding.call for finding in group if finding is not first)
        merged.append(dataclasses.replace(first, other_calls=others))
    yield from sorted(merged, key=lambda finding: -finding.confidence)
