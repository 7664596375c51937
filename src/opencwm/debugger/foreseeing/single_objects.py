"""Objects that a module makes once and that are told apart by nothing but which they are.

``_MARKER = object()``, or ``EMPTY = Empty()`` of a class that gives its objects no attributes: how they read
never changes. Where nothing else in a program makes an object that reads so, what reads so is that object.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of

_OBJECT: Final = "<object object>"
_GIVING: Final = frozenset(
    {"__dict__", "__setattr__", "eval", "exec", "gc", "globals", "locals", "setattr", "vars"}
)
"""What may give an object attributes that do not stand in the program as such."""
_COPYING: Final = frozenset(
    """__class__ __new__ __reduce__ __reduce_ex__ __subclasses__ asdict astuple copy copyreg deepcopy marshal
    pickle shelve type""".split()  # noqa: SIM905 - it reads better
)
"""What may make an object like another one without its class being named."""
_ADDING: Final = frozenset({"__init__", "__new__", "__slots__", "__init_subclass__"})


def single_objects(
    tree: ast.Module, texts: Mapping[str, str], counts: Mapping[str, int]
) -> tuple[dict[str, str], frozenset[str]]:
    """Return how the names of such objects read, and which of those texts are of one object only.

    Args:
        tree: the program.
        texts: how names of its module read that stand for the same always.
        counts: how often each name is bound anywhere.
    """
    found: dict[str, str] = {}
    single: set[str] = set()
    words = {word for node in nodes_of(tree) for word in _words(node)}
    is_giving = not _GIVING.isdisjoint(words)
    is_copying = is_giving or not _COPYING.isdisjoint(words)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    are_bare = not is_giving and not _sets_attributes(tree) and not _calls_on(tree, classes)
    for node in tree.body:
        made = node.value if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        if (
            not isinstance(made, ast.Call)
            or made.args
            or made.keywords
            or not isinstance(made.func, ast.Name)
        ):
            continue
        assert isinstance(node, ast.Assign)  # noqa: S101 - it makes it
        target, kind = node.targets[0], made.func.id
        if not isinstance(target, ast.Name) or counts[target.id] != 1:
            continue
        if kind == "object" and texts.get(kind) == "<class 'object'>":
            found[target.id] = _OBJECT
        elif are_bare and kind in classes and counts[kind] == 1 and _is_bare(classes[kind], texts):
            found[target.id] = f"{kind}()"
        else:
            continue
        if not is_copying and _uses(tree, kind) == 1 and not _is_private_used(tree):
            single.add(found[target.id])
    return found, frozenset(single)


def _sets_attributes(tree: ast.Module) -> bool:
    """Whether an attribute is set on anything that is not called ``self``."""
    return any(
        not (isinstance(node.value, ast.Name) and node.value.id == "self")
        for node in nodes_of(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    )


def _words(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "name", "module"):
        yield str(getattr(node, field, "")).partition(".")[0]


def _is_bare(node: ast.ClassDef, texts: Mapping[str, str]) -> bool:
    """Whether objects of a class have no attributes, and it derives from no other."""
    if node.decorator_list or node.keywords or any(ast.unparse(base) != "object" for base in node.bases):
        return False
    inside = list(ast.walk(node))
    if any(
        getattr(part, "decorator_list", ()) for part in inside
    ):  # one may keep what it gives in the object
        return False
    return (
        texts.get(node.name) == f"<class 'program.{node.name}'>"
        and texts.get("object") == "<class 'object'>"
        and not any(isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load) for part in inside)
        and _ADDING.isdisjoint(word for part in inside for word in _words(part))
    )


def _uses(tree: ast.Module, name: str) -> int:
    """Return how often a class is named, as a base of others apart if it is ``object``."""
    bases = {id(base) for node in nodes_of(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
    return sum(
        isinstance(node, ast.Name) and node.id == name and (name != "object" or id(node) not in bases)
        for node in nodes_of(tree)
    )


def _calls_on(tree: ast.Module, classes: Mapping[str, ast.ClassDef]) -> bool:
    """Whether a method may be called with an object of another class for its own."""
    return any(
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in classes
        for node in nodes_of(tree)
    )


def _is_private_used(tree: ast.Module) -> bool:
    """Whether the program imports what modules keep to themselves, which may be such an object."""
    modules = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes_of(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    return any(
        (isinstance(node, ast.ImportFrom) and any(alias.name[0] in "_*" for alias in node.names))
        or (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        )
        for node in nodes_of(tree)
    )
