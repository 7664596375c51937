"""Exceptions whose making is known: ``ValueError('x')`` reads ``ValueError('x')``, whatever is in it.

Those of Python that do nothing with what they are given; for those of a program see :mod:`.own_exceptions`.
"""

from __future__ import annotations

import ast
from typing import Final

from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, literal
from opencwm.debugger.foreseeing.pure_values import is_told, text_of

OF_PYTHON: Final = frozenset(
    """ArithmeticError AssertionError AttributeError BufferError EOFError Exception FloatingPointError
    IndexError KeyError LookupError MemoryError NameError NotImplementedError OverflowError RecursionError
    RuntimeError StopIteration TypeError ValueError ZeroDivisionError""".split()  # noqa: SIM905 - it reads better
)


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


def raised_by(text: str | None, names: frozenset[str], plain: frozenset[str]) -> str | None:
    """Return how the exception reads that ``raise`` raises, given a class or an exception as it reads.

    Args:
        text: of what is raised.
        names: of exceptions that read as they are made.
        plain: those among them that are made without entering anything.
    """
    if text is None:
        return None
    if text.startswith("<class '"):
        name = text[len("<class '") : -len("'>")].removeprefix("program.")
        return f"{name}()" if name in plain else None
    return text if text.partition("(")[0] in names and text.endswith(")") else None
