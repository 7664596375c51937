"""Snippets: pieces of code that are no file, and perhaps no function either, made into a program.

The one idea: what stands on its own is stepped as it is; bare statements, such as a selection in an editor,
go into a function ``snippet``, indented, so that they can be entered. Nothing is evaluated.
"""

from __future__ import annotations

import ast
import builtins
import io
import symtable
import textwrap
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from opencwm.debugger.assumed import AssumedProgram
from opencwm.debugger.assumptions import parse_assumption
from opencwm.frontends.programs import assumed_of_source

SNIPPET_NAME: Final = "snippet.py"
FUNCTION: Final = "snippet"
_INDENT: Final = "    "
_STRINGS: Final = {
    getattr(tokenize, name)
    for name in ("STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE")
    if hasattr(tokenize, name)
}
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def assumed_snippet(
    source: str, *, call: str | None, entry: str | None, assumptions: Sequence[str] = ()
) -> AssumedProgram:
    """Make a snippet a program; without call and entry it starts in ``main`` or at its first statement.

    What bare statements take from elsewhere are arguments: those assumed, or invented where nothing says.

    Args:
        source: its text.
        call: what to start with.
        entry: where to start, in place of ``call``.
        assumptions: see :mod:`opencwm.debugger.assumptions`.

    Raises:
        ConfigError: it is not valid Python, or defines functions only and nothing says which to start in; an
            assumption is not valid or says something about what is not there.
    """
    text = textwrap.dedent(source)
    if call is None and entry is None and _has_statements(text):
        told = (parse_assumption(item).name for item in assumptions)
        names = dict.fromkeys((*_taken_from_elsewhere(text), *(name for name in told if name)))
        text, entry = as_function(text, names), FUNCTION
    return assumed_of_source(text, SNIPPET_NAME, call=call, entry=entry, assumptions=assumptions)


def _taken_from_elsewhere(text: str) -> list[str]:
    """Return the names that statements read and nothing there, nor Python, gives, in order of appearance."""
    graph = symtable.symtable(as_function(text), SNIPPET_NAME, "exec").get_children()[0]
    globals_ = {name for table in _tables(graph) for name in _global_names(table)}
    nodes = [node for node in ast.walk(ast.parse(as_function(text))) if isinstance(node, ast.Name)]
    ordered = dict.fromkeys(
        node.id for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset))
    )
    return [name for name in ordered if name in globals_ and not hasattr(builtins, name)]


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _global_names(table: symtable.SymbolTable) -> set[str]:
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}


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
