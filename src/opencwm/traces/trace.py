"""The one record of a run that everything else is a view of.

A :class:`Trace` is a flat list of :class:`Step`, in the order ``sys.settrace`` reports them. Values are
text: the bounded rendering of the tracer, never live objects. The locals of any moment follow from the
steps by a stack discipline, see :func:`replay`. Only activations of the program's own file are recorded;
comprehension activations are folded into their function, so that Python 3.11 and 3.12+ give the same trace.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator

from opencwm.traces.program import Program

SCHEMA_VERSION = 2

Binding = tuple[str, str]
"""A local variable's name and its rendered value."""


class StepKind(enum.StrEnum):
    """What ``sys.settrace`` reported."""

    CALL = "call"
    LINE = "line"
    RETURN = "return"
    EXCEPTION = "exception"


class StepFlags(enum.IntFlag):
    """What a step's kind does not say."""

    NONE = 0
    YIELD = 1
    """A RETURN that only suspends a generator or coroutine (yield, await): the activation lives on."""
    RESUME = 2
    """A CALL that continues a suspended activation; ``changed`` then holds all its locals again."""
    UNWIND = 4
    """A RETURN by a propagating exception: the activation ends and has no value."""
    TRUNCATED = 8
    """At least one value of this step was cut by the rendering bounds."""


@dataclasses.dataclass(frozen=True, slots=True)
class CodeInfo:
    """A code object that was entered during the run; two that are equal here (lambdas on a line) are one.

    Attributes:
        qualname: ``co_qualname``.
        firstlineno: line of its ``def`` (or of its first decorator), 1-based.
        local_names: canonical order of its locals: varnames, cellvars, freevars, without duplicates and
            without names that belong to folded comprehensions (``.0`` and their iteration variables).
    """

    qualname: str
    firstlineno: int
    local_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """One sub-expression that was evaluated, with the values of its operands filled in.

    Attributes:
        text: the expression with operands replaced by their rendered values: ``'strawberry'.count('r')``.
        value: rendered result.
        lineno: 1-based first line of the expression in ``Program.text``.
        col: its first column, in characters from 0.
        end_lineno: its last line.
        end_col: the column after its last character.
    """

    text: str
    value: str
    lineno: int
    col: int
    end_lineno: int
    end_col: int


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One recorded event.

    Attributes:
        kind: what happened.
        code: index into :attr:`Trace.codes` of the activation this step belongs to.
        lineno: 1-based line in ``Program.text``; for LINE the line about to run, for CALL the ``def`` line
            (the first decorator's when decorated; the suspended line when flagged RESUME), otherwise the
            line that was running.
        depth: number of recorded activations below this one; 0 is the entry.
        changed: locals that are new or differ since the previous step of this activation, in
            ``local_names`` order (all of them at a CALL). For LINE: the state *before* the line runs.
        deleted: names that were bound at the previous step of this activation and no longer are.
        value: rendered returned (or yielded) value at a RETURN; rendered exception at an EXCEPTION;
            otherwise None, also at an UNWIND.
        flags: see :class:`StepFlags`.
        evaluations: sub-expressions evaluated since the previous recorded step of any activation, in the
            order in which they ended; empty unless recorded with expression detail.
    """

    kind: StepKind
    code: int
    lineno: int
    depth: int
    changed: tuple[Binding, ...] = ()
    deleted: tuple[str, ...] = ()
    value: str | None = None
    flags: StepFlags = StepFlags.NONE
    evaluations: tuple[Evaluation, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Mutation:
    """How a program differs from the one it was made from, and where their runs part.

    Attributes:
        original: :attr:`Program.id` of the program that was changed.
        operator: name of the change, for example ``swap-comparison``.
        first_divergence: index of the first step that differs from the original's run; None when the two
            runs have equal steps.
        is_equivalent: whether it behaved the same on every input that was tried.
    """

    original: str
    operator: str
    first_divergence: int | None
    is_equivalent: bool


class Status(enum.StrEnum):
    """How a recorded run ended. A run that did not end well still has the steps recorded until then."""

    RETURNED = "returned"  # the entry returned
    RAISED = "raised"  # an exception left the entry
    NO_ENTRY = "no_entry"  # the module ran, but has no such function, or it cannot be called so
    MODULE_FAILED = "module_failed"  # an exception while the module's own statements ran
    STEP_LIMIT = "step_limit"
    BYTE_LIMIT = "byte_limit"
    TIMEOUT = "timeout"  # wall clock or CPU time
    MEMORY = "memory"
    EXITED = "exited"  # os._exit, SystemExit out of the entry
    KILLED = "killed"  # a signal, its name in the detail
    UNTRACED = "untraced"  # the program removed or replaced the tracer
    REFUSED = "refused"  # not run at all, for example it does not compile


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """The steps of one program run.

    Attributes:
        program: what ran.
        codes: the code objects entered, in order of first entry.
        steps: the events, in order.
        status: how the run ended.
        detail: one line on the status: the exception, the signal, the limit. Empty when RETURNED.
        python: ``major.minor`` of the interpreter that ran it.
        stdout: what the program printed, bounded.
        mutation: for the run of a mutant, what was changed; None for other programs.
    """

    program: Program
    codes: tuple[CodeInfo, ...]
    steps: tuple[Step, ...]
    status: Status
    detail: str = ""
    python: str = ""
    stdout: str = ""
    mutation: Mutation | None = None

    @property
    def result(self) -> str | None:
        """The rendered value the entry returned, or None when it did not return."""
        if self.status is Status.RETURNED and self.steps:
            return self.steps[-1].value
        return None


@dataclasses.dataclass(slots=True)
class Activation:
    """A live activation while replaying: its code, its line, and its locals in canonical order."""

    code: int
    lineno: int
    locals: dict[str, str]


def apply_step(stack: list[Activation], step: Step, codes: tuple[CodeInfo, ...]) -> None:
    """Bring ``stack`` (outermost first) from before ``step`` to the moment of ``step``, in place.

    A RETURN leaves its activation on the stack, so that the final locals can be looked at; the next step's
    depth tells that it is gone. Steps of untrusted traces whose depth does not fit are taken as they come
    and never raise.
    """
    del stack[step.depth + 1 :]
    if step.kind is StepKind.CALL:
        del stack[step.depth :]
        stack.append(Activation(step.code, step.lineno, dict(step.changed)))
        return
    if len(stack) <= step.depth:
        stack.append(Activation(step.code, step.lineno, {}))
    top = stack[-1]
    top.code, top.lineno = step.code, step.lineno
    for name in step.deleted:
        top.locals.pop(name, None)
    if any(name not in top.locals for name, _ in step.changed):
        merged = {**top.locals, **dict(step.changed)}
        order = codes[step.code].local_names if 0 <= step.code < len(codes) else ()
        top.locals = {name: merged.pop(name) for name in order if name in merged} | merged
    else:
        top.locals.update(step.changed)


def replay(trace: Trace) -> Iterator[tuple[Step, list[Activation]]]:
    """Yield each step with the stack of activations at that moment, outermost first.

    The list and its activations are reused between steps: copy what is to be kept.
    """
    stack: list[Activation] = []
    for step in trace.steps:
        apply_step(stack, step, trace.codes)
        yield step, stack
