"""Objects of the standard library that a module makes once, and what they tell: locks, and data of threads.

They read as their type alone. ``_lock = RLock()``: to acquire it gives ``True``, or never comes back.
``_local = threading.local()``: it has an attribute only if the program sets one of that name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

_READ: Final = {"Lock": "<lock object>", "RLock": "<RLock object>", "local": "<_local object>"}
LOCAL: Final = _READ["local"]
"""How the data of a thread read."""
ACQUIRED: Final = frozenset({f"{_READ['Lock']}.acquire()", f"{_READ['RLock']}.acquire()"})
"""Calls that give ``True``, if anything."""


def library_objects(tree: ast.Module, counts: Mapping[str, int]) -> dict[str, str]:
    """Return how the names of such objects read; ``counts`` says how often each name is bound anywhere."""
    imported = dict(_imported(tree))
    found: dict[str, str] = {}
    for node in tree.body:
        made = node.value if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        if not isinstance(made, ast.Call) or made.args or made.keywords:
            continue
        assert isinstance(node, ast.Assign)  # noqa: S101 - it makes it
        target, called = node.targets[0], ast.unparse(made.func)
        root = called.partition(".")[0]
        if (
            isinstance(target, ast.Name)
            and counts[target.id] == 1
            and counts[root] == 1
            and called in imported
        ):
            found[target.id] = _READ[imported[called]]
    return found


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what calls that make such objects are called, with what they make."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "threading" and not node.level:
            yield from (
                (alias.asname or alias.name, alias.name) for alias in node.names if alias.name in _READ
            )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "threading":
                    yield from ((f"{alias.asname or alias.name}.{name}", name) for name in _READ)
