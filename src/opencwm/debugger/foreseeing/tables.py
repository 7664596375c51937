"""Dictionaries of functions that a module holds: ``OPS[token]``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final

from opencwm.debugger.foreseeing.expectations import Made
from opencwm.debugger.foreseeing.expressions import Builtins
from opencwm.debugger.foreseeing.pure_operations import FUNCTIONS, METHODS, MODULES
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_LAMBDA: Final = "<function <lambda>>"

Table = Mapping[Any, Made]
"""How the functions of one read, by key."""


def table(
    node: ast.expr, texts: Mapping[str, str], builtins: Builtins, first_of: Callable[[str], int]
) -> tuple[str, Table] | None:
    """Return how a dictionary reads in which functions stand, and those; None for anything else.

    Args:
        node: the expression that makes it, at the top of a module.
        texts: how names read that stand for the same always.
        builtins: functions of Python among them.
        first_of: gives the first line of a function of the program by how it reads, 0 for none.
    """
    if not isinstance(node, ast.Dict) or not node.keys:
        return None
    found: dict[Any, Made] = {}
    parts: list[str] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant) or key.value in found:
            return None
        made = _function(value, texts, builtins, first_of)
        if made is None:
            return None
        found[key.value] = made
        parts.append(f"{key.value!r}: {made}")
    return f"{{{', '.join(parts)}}}", found


def _function(
    node: ast.expr, texts: Mapping[str, str], builtins: Builtins, first_of: Callable[[str], int]
) -> Made | None:
    if isinstance(node, ast.Lambda):
        return Made(_LAMBDA, first=node.lineno)
    if isinstance(node, ast.Name):
        text = texts.get(node.id, "")
        if text.startswith(("<function ", "<class 'program.")):
            return Made(text, first=first_of(text))
        python = builtins.functions.get(node.id)
    else:
        python = _member(node, builtins)
    is_known = python is not None and any(
        python is known for known in (*FUNCTIONS.values(), *builtins.functions.values(), *_members())
    )
    return Made(Renderer(DEFAULT_LIMITS).render(python), ast.unparse(node)) if is_known else None


def _members() -> list[Any]:
    return [function for functions in MODULES.values() for function in functions.values()] + [
        vars(kind)[name] for kind, names in METHODS.items() for name in names if name in vars(kind)
    ]


def _member(node: ast.expr, builtins: Builtins) -> Any:
    """Return the function of a module, or method of a built-in type, that an attribute is."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    module = builtins.module(node.value)
    if module:
        return MODULES.get(module, {}).get(node.attr)
    kind = builtins.functions.get(node.value.id)
    return (
        vars(kind).get(node.attr) if isinstance(kind, type) and node.attr in METHODS.get(kind, ()) else None
    )
