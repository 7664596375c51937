"""Operators on whole pieces of a file: a function's body, a part of one, an import, a return.

They add to those of :mod:`opencwm.corpus.mutants`, which keep every line where it is; here lines go.
Each takes the file and a node, and yields changes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from opencwm.corpus.mutants.changes import Change, Edit
from opencwm.corpus.mutants.operators import Operator
from opencwm.corpus.mutants.source_file import SourceFile

_PARTS: Final = (
    ast.If,
    ast.For,
    ast.While,
    ast.With,
    ast.Try,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
)
_STUB: Final = "raise NotImplementedError"


def remove_function(file: SourceFile, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Change]:
    """Leave nothing of a function's body but its docstring."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if body and not (len(body) == 1 and isinstance(body[0], ast.Pass | ast.Raise)):
        start, end = file.span(body[0])[0], file.span(body[-1])[1]
        if not file.text[file.line_start(body[0].lineno) : start].strip():
            yield Change(node, (Edit(start, end, _STUB),))


def remove_part(file: SourceFile, node: ast.stmt) -> Iterator[Change]:
    """Remove a statement with all below it, or it and the ones after it in its block."""
    if file.function(node) is None or _is_text(node):
        return
    block = file.blocks[node]
    position = block.index(node)
    yield from removal(file, block, position, position + 1)
    if 0 < position < len(block) - 2:
        yield from removal(file, block, position, len(block) - 1)


def remove_import(file: SourceFile, node: ast.Import | ast.ImportFrom) -> Iterator[Change]:
    """Remove an import, or one of the names it brings."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return
    block = file.blocks[node]
    position = block.index(node)
    yield from removal(file, block, position, position + 1)
    if len(node.names) > 1:
        for index in range(len(node.names)):
            kept = [alias for other, alias in enumerate(node.names) if other != index]
            new: ast.stmt = (
                ast.Import(kept)
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, kept, node.level)
            )
            yield Change(node, (Edit(*file.span(node), ast.unparse(new)),))


def remove_return(file: SourceFile, node: ast.Return) -> Iterator[Change]:
    """Remove a return, so that the function goes on."""
    if node.value is None:
        return
    block = file.blocks[node]
    position = block.index(node)
    yield from removal(file, block, position, position + 1)


def removal(file: SourceFile, block: list[ast.stmt], first: int, last: int) -> Iterator[Change]:
    """Yield the change that removes statements ``first`` to ``last`` (exclusive) of a block."""
    start, end = file.span(block[first])[0], file.span(block[last - 1])[1]
    line_start = file.line_start(block[first].lineno)
    line_end = file.text.find("\n", end)
    line_end = len(file.text) if line_end < 0 else line_end
    before, after = file.text[line_start:start], file.text[end:line_end].strip()
    if before.strip() or (after and not after.startswith("#")):
        return  # shares its line with something else
    rest = [item for item in block[:first] + block[last:] if not _is_text(item)]
    if rest:
        yield Change(block[first], (Edit(line_start, min(line_end + 1, len(file.text)), ""),))
    else:
        yield Change(block[first], (Edit(start, end, "pass"),))


def apply(text: str, change: Change) -> str:
    """Return a text after a change whose edits leave no doubt."""
    for edit in sorted(change.edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


STRUCTURE: Final[dict[str, Operator]] = {
    "remove-function": Operator(4.0, (ast.FunctionDef, ast.AsyncFunctionDef), remove_function),
    "remove-part": Operator(5.0, _PARTS, remove_part),
    "remove-import": Operator(2.0, (ast.Import, ast.ImportFrom), remove_import),
    "remove-return": Operator(2.0, (ast.Return,), remove_return),
}
"""The operators by name."""
