"""Write statements as text and keep in mind which line each line came from."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def unparsed(node: ast.stmt) -> tuple[str, list[int]]:
    """Return a statement as text, and for each line of it the 1-based line that ``node`` says it is from.

    A line that no statement begins on is where the one before it is from.
    """
    text = ast.unparse(ast.fix_missing_locations(node))
    lines = [0] * (text.count("\n") + 1)
    for old, new in zip(_pieces(node), _pieces(ast.parse(text).body[0]), strict=False):
        lines[new.lineno - 1] = old.lineno
    current = getattr(node, "lineno", 0)
    for index, found in enumerate(lines):
        lines[index] = current = found or current
    return text, lines


def _pieces(node: ast.AST) -> Iterator[ast.stmt | ast.excepthandler]:
    """Yield a statement and those within it in order; expressions may read differently when parsed again."""
    if isinstance(node, ast.stmt | ast.excepthandler):
        yield node
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        parts = getattr(node, name, None)
        for part in parts if isinstance(parts, list) else ():
            yield from _pieces(part)
