"""Operators on statements: left out, in another order, another jump. The lines keep their numbers.

Each takes the file and a node of the type it is listed for in ``operators.py``, and yields changes.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Final

from opencwm.corpus.mutants.changes import Change, Edit, is_same_tree, replacement
from opencwm.corpus.mutants.source_file import SourceFile

_MOVABLE: Final = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)


def drop_statement(file: SourceFile, node: ast.stmt) -> Iterator[Change]:
    """Leave a statement out: its lines become blank, or ``pass`` where its block would be empty."""
    start, end = file.span(node)
    before = file.text[file.line_start(node.lineno) : start]
    after = file.text[end:].split("\n", 1)[0]
    blank = "\n" * file.text.count("\n", start, end)
    is_needed = not file.text.startswith("elif", start) and all(
        item is node or _is_text(item) for item in file.blocks[node]
    )
    if is_needed or before.strip() or after.strip()[:1] not in ("", "#"):
        yield Change(node, (Edit(start, end, "pass" + blank),))
    elif after.strip():  # the comment stays where the statement was
        yield Change(node, (Edit(start, end + len(after) - len(after.lstrip()), blank),))
    else:
        yield Change(node, (Edit(start - len(before), end, blank),))


def swap_statements(file: SourceFile, node: ast.stmt) -> Iterator[Change]:
    """Two statements that follow each other change places."""
    block = file.blocks[node]
    for one, other in itertools.pairwise(block):
        if one is node and isinstance(other, _MOVABLE) and other in file.blocks and not _is_text(node):
            edits = (Edit(*file.span(one), file.text_of(other)), Edit(*file.span(other), file.text_of(one)))
            if not is_same_tree(one, other):
                yield Change(node, edits)


def swap_jump(file: SourceFile, node: ast.Break | ast.Continue) -> Iterator[Change]:
    """Turn ``break`` into ``continue``."""
    word = "continue" if isinstance(node, ast.Break) else "break"
    yield Change(node, (Edit(*file.span(node), word),))


def assign_only(file: SourceFile, node: ast.AugAssign) -> Iterator[Change]:
    """Turn ``n += 1`` into ``n = 1``."""
    start, end = file.span(node.target)[1], file.span(node.value)[0]
    position = file.text.find("=", start, end)
    if position > 0:
        begin = start + len(file.text[start:position]) - len(file.text[start:position].lstrip())
        yield Change(node, (Edit(begin, position, ""),))


def return_none(file: SourceFile, node: ast.Return) -> Iterator[Change]:
    """Turn ``return x`` into ``return None``."""
    if node.value is not None:
        yield replacement(file, node.value, ast.Constant(None))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
