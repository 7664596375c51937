"""Exceptions whose making is known: ``ValueError('x')`` reads ``ValueError('x')``, whatever is in it.

Those of Python that do nothing with what they are given, and classes of a program that derive from them and
hold nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

from opencwm.debugger.expressions import ExpressionError, Undecided, literal
from opencwm.debugger.pure_values import is_told, text_of

_OF_PYTHON: Final = frozenset(
    """ArithmeticError AssertionError BufferError EOFError Exception FloatingPointError IndexError KeyError
    LookupError MemoryError NotImplementedError OverflowError RecursionError RuntimeError TypeError ValueError
    ZeroDivisionError""".split()  # noqa: SIM905 - it reads better
)


def plain_exceptions(tree: ast.Module, texts: Mapping[str, str]) -> frozenset[str]:
    """Return the names of a program's exceptions that are made plainly.

    Args:
        tree: the program.
        texts: how the names of its module read that are bound once.
    """
    found = {name for name in _OF_PYTHON if texts.get(name) == f"<class '{name}'>"}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.decorator_list or node.keywords or len(node.bases) != 1:
            continue
        base = node.bases[0]
        is_empty = all(
            isinstance(item, ast.Pass)
            or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
            for item in node.body
        )
        is_once = texts.get(node.name) == f"<class 'program.{node.name}'>"
        if is_empty and is_once and isinstance(base, ast.Name) and base.id in found:
            found.add(node.name)
    return frozenset(found)


def made(text: str, names: frozenset[str]) -> str | None:
    """Return how an exception reads that a call makes; None where that is not known.

    Args:
        text: of the call, with the values of its arguments.
        names: of exceptions that are made plainly.
    """
    if text.partition("(")[0] not in names:
        return None
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call) or node.keywords:
            return None
        arguments = [literal(ast.unparse(argument)) for argument in node.args]
    except (SyntaxError, ValueError, RecursionError, MemoryError, ExpressionError, Undecided):
        return None
    if not is_told(arguments) or not isinstance(node.func, ast.Name):
        return None
    shown = [text_of(argument) for argument in arguments]
    return f"{node.func.id}({', '.join(shown)})"


def raised_by(text: str | None, names: frozenset[str]) -> str | None:
    """Return how the exception reads that ``raise`` raises, given a class or an exception as it reads."""
    if text is None:
        return None
    if text.startswith("<class '"):
        name = text[len("<class '") : -len("'>")].removeprefix("program.")
        return f"{name}()" if name in names else None
    return text if text.partition("(")[0] in names and text.endswith(")") else None
