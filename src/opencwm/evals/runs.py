"""What a run, recorded or predicted, says about lines and variables: lines executed, states, values.

Two readings of "after a line" are here. :meth:`Run.states` is that of REval: the state after a line is the
next recorded one, of whatever activation. :meth:`Run.value_after` is the debugger's: the next step of the
same activation. Values are text; an expression over them is worked out without running anything.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from opencwm.traces import (
    Activation,
    CodeInfo,
    Outcome,
    Program,
    Step,
    StepKind,
    Trace,
    apply_step,
    observed_outcome,
)


class UnreadableError(Exception):
    """A rendered value does not say what was asked: it was cut, or it shows an object from outside."""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """One moment of a run: a line, and the locals before it ran (none where only a return was seen)."""

    lineno: int
    locals: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Run:
    """The steps of a program, as far as they go.

    Attributes:
        program: what ran.
        codes: the code objects that its steps index.
        steps: the well-formed ones.
        outcome: what the run came to; None when it did not come to its end.
    """

    program: Program
    codes: tuple[CodeInfo, ...]
    steps: tuple[Step, ...]
    outcome: Outcome | None

    @classmethod
    def of(cls, trace: Trace) -> Run:
        """Return a recorded run."""
        return cls(trace.program, trace.codes, trace.steps, observed_outcome(trace))

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self.outcome is not None

    @cached_property
    def lines(self) -> list[int]:
        """Lines of the source, in the order in which they were about to run."""
        return [step.lineno for step in self.steps if step.kind is StepKind.LINE and self._is_own(step)]

    @cached_property
    def states(self) -> list[State]:
        """Moments of the run; those of one line in a row are one, with the locals seen last.

        Calls are none. A return or an exception on another line than the moment before is one without locals.
        """
        states: list[State] = []
        stack: list[Activation] = []
        for step in self.steps:
            apply_step(stack, step, self.codes)
            if step.kind is StepKind.CALL or not self._is_own(step):
                continue
            seen = dict(stack[-1].locals) if step.kind is StepKind.LINE else {}
            if not states or states[-1].lineno != step.lineno:
                states.append(State(step.lineno, seen))
            elif step.kind is StepKind.LINE:
                states[-1] = State(step.lineno, seen)
        return states

    def visits(self, lineno: int) -> list[int]:
        """Return the indices of the states of a line."""
        return [index for index, state in enumerate(self.states) if state.lineno == lineno]

    def value_after(self, lineno: int, expression: str) -> str | None:
        """Return the value of an expression once a line ran for the first time, or what the line returned.

        None when the line was not run to its end, or the expression has no value then.

        Args:
            lineno: of the line.
            expression: over locals; empty for what the line returns.

        Raises:
            UnreadableError: the values do not say.
        """
        stack: list[Activation] = []
        depth = None
        for step in self.steps:
            apply_step(stack, step, self.codes)
            if depth is None:
                depth = step.depth if step.kind is StepKind.LINE and step.lineno == lineno else None
            elif step.depth == depth and step.kind is not StepKind.CALL:
                if not expression:
                    return step.value if step.kind is StepKind.RETURN else None
                found = values_of(expression, [stack[-1].locals])
                return found[0] if found and step.kind is not StepKind.EXCEPTION else None
        return None

    def _is_own(self, step: Step) -> bool:
        wrapper = self.program.wrapper_lineno
        return wrapper is None or step.lineno < wrapper


def values_of(expression: str, moments: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the values an expression has in any of the moments (locals as text); empty: in none.

    Names, constants, attributes, subscripts and tuples are known; operands of different moments are
    combined, as REval does.

    Raises:
        UnreadableError: the values do not say.
    """
    return _values(ast.parse(expression.strip(), mode="eval").body, moments) if moments else []


def _values(node: ast.expr, moments: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(_all_values(node, moments)))


def _all_values(node: ast.expr, moments: Sequence[Mapping[str, str]]) -> list[str]:
    if isinstance(node, ast.Constant):
        return [repr(node.value)]
    if isinstance(node, ast.Name):
        return [_readable(moment[node.id]) for moment in moments if node.id in moment]
    if isinstance(node, ast.Attribute):
        return [_attribute(text, node.attr) for text in _values(node.value, moments)]
    if isinstance(node, ast.Subscript):
        pairs = itertools.product(_values(node.value, moments), _values(node.slice, moments))
        found = (_item(text, key) for text, key in pairs)
        return [text for text in found if text is not None]
    if isinstance(node, ast.Tuple):
        parts = itertools.product(*(_values(part, moments) for part in node.elts))
        return [f"({', '.join(part)}{',' if len(part) == 1 else ''})" for part in parts]
    raise UnreadableError(ast.unparse(node))


def _readable(text: str) -> str:
    if text.startswith("<") or is_cut(text):
        raise UnreadableError(text)
    return text


def is_cut(text: str) -> bool:
    """Whether a rendered value may have been cut: it holds a bare ``...``."""
    if "..." not in text:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = ast.walk(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in nodes)


def _attribute(text: str, name: str) -> str:
    """Return an attribute of an object that was rendered as ``Name(attribute=value)``."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UnreadableError(text) from None
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == name:
            return _readable(ast.get_source_segment(text, keyword.value) or ast.unparse(keyword.value))
    raise UnreadableError(f"{text}.{name}")


def _item(text: str, key: str) -> str | None:
    values = literal(text), literal(key)
    if any(value is NO_LITERAL for value in values):
        raise UnreadableError(f"{text}[{key}]")
    try:
        return repr(values[0][values[1]])
    except (TypeError, KeyError, IndexError):
        return None


NO_LITERAL: Any = object()
"""What :func:`literal` returns for other text: None is a value."""


def literal(text: str) -> Any:
    """Return the value of a Python literal, or :data:`NO_LITERAL`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NO_LITERAL
