"""Values and stops as a client shows them: confidence is part of the text, so that every client has it."""

from __future__ import annotations

import re
from typing import Final

from opencwm.debugger import display, value_parts
from opencwm.debugger.compare import Row
from opencwm.debugger.execution import Origin, StepView, Value
from opencwm.frontends.dap.messages import Body

_MARK: Final = re.compile(r"  \((?:supplied|carried|predicted|really|from predicted)[^()]*\)\s*$")
_LONGEST_MARK: Final = 400


def mark(value: Value, real: str | None = None) -> str:
    """Say where a value comes from; ``real`` is what it really is, when that is known to differ."""
    text = display.mark(value)
    if real is None:
        return text
    return f"{text[:-1]}, really {real})" if text else f"(really {real})"


def shown(value: Value, real: str | None = None) -> str:
    """Write a value with where it comes from."""
    said = mark(value, real)
    return f"{value.text}  {said}" if said else value.text


def unmarked(text: str) -> str:
    """Return what was typed over a shown value, without the mark that was left behind it."""
    found = _MARK.search(text[-_LONGEST_MARK:])
    return text[: len(text) - (found.end() - found.start())] if found else text


def hint(value: Value, *, is_settable: bool) -> Body:
    """Return the presentation hint of a variable: where it comes from, and whether it can be set."""
    attributes = [str(value.origin)]
    if not is_settable:
        attributes.append("readOnly")
    return {"kind": "data", "attributes": attributes}


def confidence(view: StepView, row: Row | None) -> str:
    """Say how sure a step is, or how it compares with the real run."""
    probability = view.probability
    said = "observed" if probability is None else f"predicted {display.percent(probability)}"
    if view.origin is Origin.PREDICTED and row is not None:
        said += ", verified" if row.agrees else ", differs from the real run"
    return said


def details(view: StepView, row: Row | None) -> str:
    """Say in one line how sure each part of a step is, and what is really different."""
    parts = []
    if view.control_probability is not None:
        parts.append(f"this line follows: {display.percent(view.control_probability)}")
    parts += [f"{name}: {display.percent(probability)}" for name, probability in view.probabilities.items()]
    if view.value_probability is not None:
        parts.append(f"value: {display.percent(view.value_probability)}")
    if view.objection is not None:
        parts.append(f"not possible: {view.objection}")
    if row is not None and not row.agrees:
        parts.append(row.describe())
    return "; ".join(parts)


def exception_name(text: str) -> str:
    """Name the type of a rendered exception."""
    return value_parts.type_name(text) or text.partition("(")[0] or "exception"
