"""What two programs have in common when only their names differ, and the split that follows from it.

The idea: the *structure* of a source is its syntax tree as a list of tokens, with every name of its own
replaced by its rank of appearance, and without comments, docstrings and annotations. Copies that were
renamed, reformatted or annotated have one structure. The split of a program is a hash of its group, and of
its structure when it belongs to none: the same function called with other arguments lies in the same split,
and which split that is depends on nothing but the source.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import keyword
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Final

from opencwm.traces import Program

SPLITS: Final = ("train", "valid", "test")
"""Names of the splits, in the order in which they are written."""

SHORT_FUNCTION: Final = 40
"""Tokens of structure; a function of two short lines has about as many."""

_KNOWN: Final = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self", "cls"}
_SKIPPED_FIELDS: Final = frozenset(
    {"annotation", "returns", "type_comment", "type_params", "type_ignores", "ctx", "kind", "simple"}
)
_NAME_FIELDS: Final = frozenset({"id", "arg", "name", "names", "asname", "rest"})
_BODIES: Final = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _Normaliser:
    """Collects the tokens of one tree; names keep their ranks over the whole of it."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self._ranks: dict[str, str] = {}

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            self.tokens.append("Assign")
            self._field("[", [node.target])
            self.visit(node.value)
            return
        self.tokens.append(type(node).__name__)
        for name in node._fields:
            if name in _SKIPPED_FIELDS:
                continue
            value = getattr(node, name, None)
            if name == "body" and isinstance(node, _BODIES):
                value = _without_docstring(node.body)
            self._value(node, name, value)

    def _value(self, node: ast.AST, name: str, value: object) -> None:
        if isinstance(value, ast.AST):
            self.visit(value)
        elif isinstance(value, list):
            if name == "names" and isinstance(node, ast.Global | ast.Nonlocal):
                value = [ast.Name(text) for text in value]
            self._field("[", value)
        elif isinstance(value, str) and name in _NAME_FIELDS:
            self.tokens.append(value if _is_foreign(node, name) else self._renamed(node, value))
        elif value is not None or isinstance(node, ast.Constant):
            self.tokens.append(repr(value) if isinstance(node, ast.Constant) else str(value))

    def _field(self, start: str, items: Sequence[object]) -> None:
        self.tokens.append(start)
        for item in items:
            if isinstance(item, ast.AST):
                self.visit(item)
            else:
                self.tokens.append(str(item))
        self.tokens.append("]")

    def _renamed(self, node: ast.AST, name: str) -> str:
        if name in _KNOWN or (isinstance(node, ast.keyword) and name not in self._ranks):
            return name
        return self._ranks.setdefault(name, f"v{len(self._ranks)}")


def _is_foreign(node: ast.AST, name: str) -> bool:
    """Whether a name belongs to something outside of the source: what is imported."""
    return isinstance(node, ast.alias) and name == "name"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if body and isinstance(body[0], ast.Expr):
        value = body[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return body[1:]
    return body


def parse_quietly(source: str) -> ast.Module | None:
    """Return the syntax tree of ``source``; None when it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are the program's business
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def tree_tokens(tree: ast.AST) -> list[str]:
    """Return the structure of a syntax tree; for comparing, not for running."""
    normaliser = _Normaliser()
    try:
        normaliser.visit(tree)
    except RecursionError:
        return [ast.dump(tree)] if not isinstance(tree, ast.Module) else [str(len(tree.body))]
    return normaliser.tokens


def structure_tokens(source: str) -> list[str]:
    """Return the structure of ``source``; the text itself when it is not Python."""
    tree = parse_quietly(source)
    return [source] if tree is None else tree_tokens(tree)


def structure_of(source: str) -> str:
    """Return the structure of ``source`` as one text; for comparing, not for running."""
    return "\0".join(structure_tokens(source))


def digest(tokens: list[str]) -> int:
    """Return a 64-bit hash of tokens, the same everywhere."""
    text = "\0".join(tokens).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module and the methods of its classes, not those nested in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif not isinstance(node, ast.expr):
            yield from functions_of(node)


def subject_and_parts(program: Program) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return digests of the functions a program is about, and of all that its source holds.

    It is about the functions of one name: that of its origin where it was cut out of a package
    (``...#module:qualname``), otherwise, or where it was renamed, that of its call or its entry. What
    is shorter than :data:`SHORT_FUNCTION` is left out: such functions are nobody's own.
    """
    tree = parse_quietly(program.source)
    parts: dict[int, str] = {}
    for function in functions_of(tree) if tree is not None else ():
        tokens = tree_tokens(function)
        if len(tokens) >= SHORT_FUNCTION:
            parts[digest(tokens)] = function.name
    for name in _subject_names(program):
        if subject := tuple(one for one, its_name in parts.items() if its_name == name):
            return subject, tuple(parts)
    return (), tuple(parts)


def _subject_names(program: Program) -> Iterator[str]:
    _, found, place = program.origin.partition("#")
    if found:
        yield re.split(r"[:.]", place)[-1]
    if called := re.match(r"(\w+)\(", program.call or ""):
        yield called[1]
    yield program.entry


def group_of(program: Program) -> str:
    """Return the group of a program; without one, a digest of its structure.

    What is made from a program, such as its mutants, has this group, and so lies in the program's split.
    """
    return program.group or f"structure:{digest(structure_tokens(program.source)):016x}"


def split_of(program: Program, *, valid_fraction: float, test_fraction: float) -> str:
    """Return the split of a program's group, see :func:`group_of`; fractions are of all groups, 0 to 1."""
    group = group_of(program).encode("utf-8", "surrogatepass")
    draw = int.from_bytes(hashlib.sha256(group).digest()[:8], "big") / 2**64
    if draw < test_fraction:
        return "test"
    return "valid" if draw < test_fraction + valid_fraction else "train"
