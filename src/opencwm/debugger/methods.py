"""Methods of values of Python that are looked up and kept: ``search = pattern.search``."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, Final

from opencwm.debugger.expectations import Made
from opencwm.debugger.expressions import Undecided, known_value
from opencwm.debugger.pure_operations import METHODS
from opencwm.debugger.pure_values import kind_of
from opencwm.debugger.rendered import is_atom, is_built_in
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_SAMPLES: Final[Mapping[Any, Any]] = {
    re.Pattern: re.compile(""),
    re.Match: re.match("", ""),
    range: range(0),
}
"""Values of the types that make none of their own when they are called."""


def method_of(text: str, name: str) -> Made | None:
    """Return the method of a value of Python that an attribute is; None for anything else.

    With an expression for it where the value cannot change.

    Args:
        text: how the value reads.
        name: of the attribute.
    """
    is_match = text.startswith("<re.Match object; ")
    if not (is_match or is_built_in(text)):
        return None
    try:
        kind = re.Match if is_match else kind_of(known_value(text))
    except Undecided:
        return None
    if kind not in METHODS or not isinstance(getattr(kind, name, None), types.MethodDescriptorType):
        return None
    whole = text if is_atom(text) else ""
    if is_match and isinstance(text, Made):
        whole = text.source
    is_told = bool(whole) and name in METHODS[kind]
    sample = _SAMPLES[kind] if kind in _SAMPLES else kind()
    read = Renderer(DEFAULT_LIMITS).render(getattr(sample, name))
    return Made(read, f"({whole}).{name}" if is_told else "")
