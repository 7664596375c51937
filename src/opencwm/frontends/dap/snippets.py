"""Snippets: pieces of code that are no file, and perhaps no function either, made into a program.

The one idea: what stands on its own is stepped as it is; bare statements, such as a selection in an editor,
go into a function ``snippet``, indented, so that they can be entered. Nothing is evaluated.
"""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from opencwm.frontends.programs import make_program
from opencwm.traces import Program

SNIPPET_NAME: Final = "snippet.py"
FUNCTION: Final = "snippet"
_INDENT: Final = "    "
_STRINGS: Final = {
    getattr(tokenize, name)
    for name in ("STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE")
    if hasattr(tokenize, name)
}
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def snippet_program(
    source: str, *, call: str | None, entry: str | None, assumed: Mapping[str, str] | None = None
) -> Program:
    """Make a snippet a program; without call and entry it starts in ``main`` or at its first statement.

    Args:
        source: its text.
        call: what to start with.
        entry: where to start, in place of ``call``.
        assumed: name -> literal, of what bare statements take from elsewhere.

    Raises:
        ConfigError: it is not valid Python, or defines functions only and nothing says which to start in.
    """
    text = textwrap.dedent(source)
    if call is None and entry is None and _has_statements(text):
        names = tuple(assumed or ())
        text, entry = as_function(text, names), FUNCTION
        if assumed:
            call, entry = call_with(FUNCTION, assumed), None
    return make_program(text, Path(SNIPPET_NAME), call=call, entry=entry)


def call_with(function: str, values: Mapping[str, str]) -> str:
    """Write the call of a function with arguments by name."""
    return f"{function}({', '.join(f'{name}={value}' for name, value in values.items())})"


def _has_statements(text: str) -> bool:
    """Whether there is something to step through outside functions; false for what does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(as_function(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    statements = body[0].body if isinstance(body[0], ast.FunctionDef) else []
    names = [node.name for node in statements if isinstance(node, ast.FunctionDef)]
    return "main" not in names and not all(
        isinstance(node, _DEFINITIONS)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in statements
    )


def as_function(text: str, names: Iterable[str] = ()) -> str:
    """Return statements as the body of a function of ``names``; what lies inside strings is not indented."""
    inside = _lines_in_strings(text)
    lines = [
        line if lineno in inside or not line.strip() else _INDENT + line
        for lineno, line in enumerate(text.splitlines(), 1)
    ]
    return "\n".join((f"def {FUNCTION}({', '.join(names)}):", *lines, ""))


def _lines_in_strings(text: str) -> set[int]:
    """Return the lines that begin inside a string."""
    found: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in _STRINGS:
                found.update(range(token.start[0] + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError):
        pass  # what does not parse is refused where it is parsed
    return found
