"""How many arguments a function of a program takes, from its definition."""

from __future__ import annotations

import ast
import dataclasses
import warnings


@dataclasses.dataclass(frozen=True, slots=True)
class Arity:
    """How many arguments a call writes.

    Attributes:
        least: at least so many.
        most: at most so many; None without a bound.
    """

    least: int = 0
    most: int | None = None


ANY = Arity()


def arity_of(source: str, name: str) -> Arity:
    """Return what calls ``name(...)`` have to write; :data:`ANY` where the definition does not tell.

    Args:
        source: the program.
        name: of a function or class at its top level. Decorated ones, and classes without an ``__init__`` of
            their own or with a metaclass, may take anything.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ANY
    found = [node for node in body if getattr(node, "name", None) == name]
    if len(found) != 1:
        return ANY
    (node,) = found
    if isinstance(node, ast.ClassDef):
        makers = [
            inner
            for inner in node.body
            if isinstance(inner, ast.FunctionDef) and inner.name in ("__init__", "__new__")
        ]
        if node.decorator_list or node.keywords or len(makers) != 1 or makers[0].name != "__init__":
            return ANY
        return _arity(makers[0], num_given=1)
    return _arity(node, num_given=0) if isinstance(node, ast.FunctionDef) else ANY


def _arity(node: ast.FunctionDef, num_given: int) -> Arity:
    arguments = node.args
    if node.decorator_list:
        return ANY
    positional = len(arguments.posonlyargs) + len(arguments.args) - num_given
    required = sum(default is None for default in arguments.kw_defaults)
    least = max(0, positional - len(arguments.defaults)) + required
    is_open = arguments.vararg is not None or arguments.kwarg is not None
    return Arity(least, None if is_open else positional + len(arguments.kwonlyargs))
