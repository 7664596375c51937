"""A change of a source text: what is written anew, and what the syntax tree must be afterwards.

The one idea: an operator says what it means as a tree (which expression stands in place of which) and how it
would write that down as small edits. The edits are tried as they are, then with parentheses, and what parses
to the wanted tree is taken. So the rest of the text keeps its form, and precedence cannot turn a change into
another one.
"""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections.abc import Mapping
from typing import Final

from opencwm.corpus.mutants.source_file import SourceFile

ATOMS: Final = (
    ast.Name,
    ast.Constant,
    ast.Call,
    ast.Attribute,
    ast.Subscript,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.JoinedStr,
)
_IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment"})


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """One piece of text in place of another.

    Attributes:
        start: index in the text of the first character that goes.
        end: one past the last; equal to ``start`` for an insertion.
        text: what comes in.
        is_open: whether that is an expression that may need parentheses around it.
    """

    start: int
    end: int
    text: str
    is_open: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One way to change a file.

    Attributes:
        node: what is changed, for its line.
        edits: how, in any order; they do not overlap.
        tree: which nodes of one outermost expression are replaced by which; empty when a statement changes,
            whose edits leave no doubt.
        around: an expression that may need parentheses around it afterwards.
        parts: expressions that stay, and may need parentheses around them afterwards.
    """

    node: ast.stmt | ast.expr | ast.ExceptHandler
    edits: tuple[Edit, ...]
    tree: Mapping[ast.AST, ast.AST] = dataclasses.field(default_factory=dict)
    around: ast.expr | None = None
    parts: tuple[ast.expr, ...] = ()


def replacement(file: SourceFile, node: ast.expr, new: ast.expr, text: str | None = None) -> Change:
    """Return the change that writes ``new`` in place of ``node``.

    Args:
        file: where ``node`` is.
        node: what goes.
        new: what comes; nodes of the file may be part of it.
        text: how it is written; as :func:`ast.unparse` does when None.
    """
    start, end = file.span(node)
    edit = Edit(start, end, ast.unparse(new) if text is None else text, is_open=not isinstance(new, ATOMS))
    return Change(node, (edit,), {node: new})


def changed_text(file: SourceFile, change: Change) -> str | None:
    """Return the file's text after a change, with as many lines as before.

    None when it cannot be written so, or when the syntax tree would be the one there is.
    """
    if not change.tree:
        text = _applied(file.text, [(edit.start, edit.end, 1, edit.text) for edit in change.edits])
        return text if text.count("\n") == file.text.count("\n") else None
    root = file.root(next(iter(change.tree)))
    if root is None:
        return None
    wanted = _rebuilt(root, change.tree)
    if is_same_tree(root, wanted):
        return None
    start, end = file.span(root)
    for edits in _ways(file, change):
        if any(edit[0] < start or edit[1] > end for edit in edits):
            return None
        piece = _applied(
            file.text[start:end], [(a - start, b - start, rank, text) for a, b, rank, text in edits]
        )
        if piece.count("\n") == file.text.count("\n", start, end) and _means(piece, wanted):
            return file.text[:start] + piece + file.text[end:]
    return None


_Piece = tuple[int, int, int, str]
"""Start, end, rank among insertions at one place, text."""


def _ways(file: SourceFile, change: Change) -> list[list[_Piece]]:
    """Return the edits as they are, then with parentheses where they may be needed."""
    plain: list[_Piece] = [(edit.start, edit.end, 1, edit.text) for edit in change.edits]
    closed: list[_Piece] = [
        (edit.start, edit.end, 1, f"({edit.text})" if edit.is_open else edit.text) for edit in change.edits
    ]
    inner: list[_Piece] = []
    for part in change.parts:
        if not isinstance(part, ATOMS):
            start, end = file.span(part)
            inner += [(start, start, 2, "("), (end, end, 0, ")")]
    outer: list[_Piece] = []
    if change.around is not None:
        start, end = file.span(change.around)
        outer = [(start, start, 0, "("), (end, end, 2, ")")]
    ways = [plain]
    ways += [closed] if closed != plain else []
    ways += [plain + inner] if inner else []
    ways += [plain + outer] if outer else []
    ways += [plain + inner + outer] if inner and outer else []
    return ways


def _applied(text: str, edits: list[_Piece]) -> str:
    pieces = []
    position = 0
    for start, end, _, new in sorted(edits, key=lambda edit: edit[:3]):
        pieces += [text[position:start], new]
        position = max(position, end)
    return "".join([*pieces, text[position:]])


def _means(piece: str, wanted: ast.AST) -> bool:
    """Whether a text is this expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are the program's business
            found = ast.parse(f"({piece}\n)", mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return is_same_tree(found, wanted)


def _rebuilt(node: ast.AST, replaced: Mapping[ast.AST, ast.AST]) -> ast.AST:
    """Return a tree in which nodes are replaced; what does not change is shared."""
    if node in replaced:
        return replaced[node]
    changed: dict[str, object] = {}
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            new = _rebuilt(value, replaced)
            if new is not value:
                changed[name] = new
        elif isinstance(value, list):
            items = [_rebuilt(item, replaced) if isinstance(item, ast.AST) else item for item in value]
            if any(new is not old for new, old in zip(items, value, strict=True)):
                changed[name] = items
    if not changed:
        return node
    fields: dict[str, object] = {
        name: getattr(node, name, None) for name in node._fields if name not in changed
    }
    return type(node)(**fields, **changed)


def is_same_tree(one: ast.AST, other: ast.AST) -> bool:
    """Whether two syntax trees are equal; positions and load or store contexts are not looked at."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    return all(
        name in _IGNORED_FIELDS or _is_same(getattr(one, name, None), getattr(other, name, None))
        for name in one._fields
    )


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        return is_same_tree(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)  # tells 0.0 from -0.0, and nan is nan
