"""Whether a predicted outcome is the gold one. Nothing is evaluated but literals.

A returned value must equal the gold value (:func:`opencwm.evals.values.is_same_value`). A gold text that
reads as an exception is met by raising it: ``ValueError`` asks for the class, ``ValueError: no such key``,
``ValueError('no such key')`` and the last line of a traceback ask for the message too.
"""

from __future__ import annotations

import ast
import re
import warnings

from opencwm.evals.values import is_same_value
from opencwm.traces import Outcome, OutcomeKind

_CLASS = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)\s*(.*)", re.DOTALL)


def is_right(outcome: Outcome | None, gold: str) -> bool:
    """Whether a predicted outcome is what ``gold`` says; no outcome is never right."""
    if outcome is None:
        return False
    if outcome.kind is OutcomeKind.RETURNED:
        return is_same_value(outcome.value, gold)
    return is_same_exception(outcome.value, gold)


def is_same_exception(raised: str, gold: str) -> bool:
    """Whether two texts name the same exception; the message counts only when ``gold`` has one."""
    one, other = _exception(raised), _exception(gold)
    if one is None or other is None or one[0] != other[0]:
        return False
    return not other[1] or bool(one[1] & other[1])


def _exception(text: str) -> tuple[str, frozenset[str]] | None:
    """Return the class and the forms its message may have (none: no message), or None for other text."""
    lines = text.strip().splitlines()
    is_traceback = bool(lines) and lines[0].startswith("Traceback (most recent call last)")
    match = _CLASS.fullmatch(lines[-1].strip() if is_traceback else text.strip())
    if match is None:
        return None
    name, rest = match.groups()
    if not rest:
        return name, frozenset()
    if rest.startswith(":"):
        return name, frozenset({rest[1:].strip()})
    return (name, _arguments(rest)) if rest.startswith("(") and rest.endswith(")") else None


def _arguments(text: str) -> frozenset[str]:
    """Return the forms of arguments ``(...)``: as written and, of one literal, its ``str`` and ``repr``."""
    inner = text[1:-1].strip().removesuffix(",")
    forms = {inner} - {""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value: tuple[object, ...] = ast.literal_eval(f"({inner},)") if inner else ()
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return frozenset(forms)
    if len(value) == 1:
        forms |= {str(value[0]), repr(value[0])}
    elif value:
        forms.add(repr(value))
    return frozenset(forms)
