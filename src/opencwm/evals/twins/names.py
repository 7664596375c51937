"""Other names for what a program names itself: functions, parameters, variables.

The one idea: a name is renamed everywhere in a module at once, to one that occurs nowhere, so no scope needs
to be known. Names that are reached in other ways than by writing them stay: attributes, keywords, imports,
builtins.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import random
from collections.abc import Mapping
from typing import Final

_SYLLABLES: Final = ("ba", "do", "fe", "gi", "ko", "lu", "me", "na", "pi", "ro", "se", "tu", "va", "wi", "zo")
_REFLECTION: Final = frozenset(
    {"locals", "globals", "vars", "dir", "eval", "exec", "getattr", "setattr", "__name__", "__dict__"}
)
"""What reads names as text: programs with it are left alone."""


def own_names(tree: ast.Module) -> list[str]:
    """Return the names that can be renamed, in order of appearance; none where names are read as text."""
    bound: dict[str, None] = {}
    kept: set[str] = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            kept |= {name for statement in node.body for name in _bound_here(statement)}
        elif isinstance(node, ast.keyword) and node.arg:
            kept.add(node.arg)
        elif isinstance(node, ast.MatchClass):
            kept.update(node.kwd_attrs)
        elif isinstance(node, ast.alias):
            kept.add((node.asname or node.name).split(".")[0])
        elif (isinstance(node, ast.Name) and node.id in _REFLECTION) or (
            isinstance(node, ast.Attribute) and node.attr in _REFLECTION
        ):
            return []
        bound.update(dict.fromkeys(_bound_here(node)))
    return [name for name in bound if name not in kept and not name.startswith("__")]


def _bound_here(node: ast.AST) -> list[str]:
    """Return the names that a node itself binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Assign):
        return [part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return [node.name]
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest else []


def new_names(names: list[str], taken: set[str], rng: random.Random) -> dict[str, str]:
    """Return a made-up word for each name, none of them twice and none that is taken."""
    given: dict[str, str] = {}
    used = taken | set(keyword.kwlist) | set(keyword.softkwlist) | set(dir(builtins))
    for name in names:
        word = ""
        while not word or word in used:
            word = "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 3))))
        used.add(word)
        given[name] = word
    return given


def all_names(tree: ast.AST) -> set[str]:
    """Return every identifier that is written anywhere."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            if isinstance(value, str):
                found.add(value)
            elif isinstance(value, list):
                found.update(item for item in value if isinstance(item, str))
    return found


class Renaming(ast.NodeTransformer):
    """Writes other names into a tree, in place.

    Args:
        given: old name -> new name.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def visit(self, node: ast.AST) -> ast.AST:
        """Rename what a node names itself, then what is below it."""
        if isinstance(node, ast.Name):
            node.id = self._given.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = self._given.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.name = self._given.get(node.name, node.name)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            node.name = self._given.get(node.name, node.name) if node.name else None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            node.rest = self._given.get(node.rest, node.rest)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._given.get(name, name) for name in node.names]
        return super().generic_visit(node)
