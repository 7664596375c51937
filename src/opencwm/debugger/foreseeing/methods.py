"""Methods of values of Python that are looked up and kept: ``search = pattern.search``."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.disguises import Disguises
from opencwm.debugger.foreseeing.expectations import Made
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.pure_getters import GETTER
from opencwm.debugger.foreseeing.pure_operations import METHODS
from opencwm.debugger.foreseeing.pure_values import kind_of
from opencwm.debugger.foreseeing.rendered import is_atom, is_built_in, is_literal
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


def is_reading(called: str, args: Sequence[str | None], disguises: Disguises) -> bool:
    """Whether a function of Python that is called by another name runs nothing of the program.

    Args:
        called: how it reads.
        args: how what it is called with reads.
        disguises: which values may be objects of the program.
    """
    if any(text is None or text.startswith(("<function ", "<bound ")) for text in args):
        return False
    is_plain = all(text is not None and is_literal(text) for text in args)
    return called != GETTER or (is_plain and not disguises.may_change(*args))
