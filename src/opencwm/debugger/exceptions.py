"""Which exceptions the steps of an execution raise: their types by name, and whether they leave the program.

Types are known by name alone: those of Python by Python's own hierarchy, those of the program by the bases
that its classes are written with. Nothing is run.
"""

from __future__ import annotations

import ast
import builtins
import functools
import re
import warnings

from opencwm.debugger.activations import step_at
from opencwm.debugger.execution import Execution
from opencwm.traces import Step, StepFlags, StepKind

_TYPE = re.compile(r"[^\W\d][\w.]*")
UNKNOWN = "an exception"
"""In place of a type that is not known."""


def type_name(rendered: str | None) -> str:
    """Return the type of a rendered exception, for example ``KeyError`` for ``KeyError('b')``."""
    found = None if rendered is None else _TYPE.match(rendered)
    return UNKNOWN if found is None else found[0]


def is_kind_of(name: str, wanted: str, text: str) -> bool:
    """Whether exceptions of type ``name`` are caught as ``wanted``, in a program with this source text."""
    own = _bases(text)
    waiting, seen = [name], set[str]()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if wanted in (current, current.rpartition(".")[2]):
            return True
        if current in own:
            waiting += own[current]
            continue
        found = getattr(builtins, current, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            if wanted not in own and found is getattr(builtins, wanted, None):  # as IOError is OSError
                return True
            waiting += [base.__name__ for base in found.__bases__]
    return False


def catches(handler: ast.ExceptHandler, rendered: str, text: str) -> bool | None:
    """Whether an ``except`` clause catches a rendered exception, in a program with this source text.

    None where that takes a type that neither Python nor the program defines under its name.
    """
    if handler.type is None:
        return True
    name = type_name(rendered)
    is_known = _is_known(name, text)
    answers: list[bool | None] = []
    for part in handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]:
        if not isinstance(part, ast.Name):
            answers.append(None)
        elif is_kind_of(name, part.id, text):
            answers.append(True)
        else:
            answers.append(False if is_known and _is_known(part.id, text) else None)
    return True if True in answers else None if None in answers else False


def _is_known(name: str, text: str) -> bool:
    """Whether all that a type derives from is told by the program and by Python."""
    own = _bases(text)
    if name in own:
        return all(_is_known(base, text) for base in own[name] if base != name)
    return isinstance(getattr(builtins, name, None), type)


def raised_at(execution: Execution, index: int) -> str | None:
    """Return the rendered exception when step ``index`` is where one is raised, not where it only passes."""
    step = step_at(execution, index)
    if step is None or step.kind is not StepKind.EXCEPTION:
        return None
    before = step_at(execution, index - 1) if index else None
    is_passing = before is not None and _is_unwind(before) and before.depth == step.depth + 1
    return None if is_passing else step.value or UNKNOWN


def uncaught_at(execution: Execution, index: int) -> str | None:
    """Return the rendered exception when from step ``index`` on it leaves the program without another line.

    That is where it was raised, or the last ``finally`` on its way. Reads the steps that unwind, no others.
    """
    if not _is_leaving(execution, index):
        return None
    before = step_at(execution, index - 1) if index else None
    if before is not None and _is_leaving_step(before):
        return None  # it was leaving before
    while (step := step_at(execution, index)) is not None and _is_leaving_step(step):
        if _is_unwind(step) and step.depth == 0:
            return _last_raised(execution, index)
        index += 1
    return None


def _is_leaving(execution: Execution, index: int) -> bool:
    step = step_at(execution, index)
    return step is not None and _is_leaving_step(step)


def _is_leaving_step(step: Step) -> bool:
    return step.kind is StepKind.EXCEPTION or _is_unwind(step)


def _is_unwind(step: Step) -> bool:
    return step.kind is StepKind.RETURN and bool(step.flags & StepFlags.UNWIND)


def _last_raised(execution: Execution, index: int) -> str:
    for earlier in range(index, -1, -1):
        step = step_at(execution, earlier)
        if step is not None and step.kind is StepKind.EXCEPTION:
            return step.value or UNKNOWN
    return UNKNOWN


@functools.lru_cache(maxsize=8)
def _bases(text: str) -> dict[str, list[str]]:
    """Return the bases, by name, of every class that a program defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the program's business
        tree = ast.parse(text)
    return {
        node.name: [ast.unparse(base) for base in node.bases]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
