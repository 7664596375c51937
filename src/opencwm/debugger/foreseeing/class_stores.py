"""Which attributes a program may set on its classes, not only on their objects.

A class is a value like any other only where the program uses it as one: where it is called, ``Point(1)``,
stands before a dot, ``Point.unit``, or is asked about, ``isinstance(point, Point)``, nothing gets hold of it.
If none is used as a value, attributes are set on classes only where that is written, as ``Point.unit = 1`` or
``cls.unit = 1``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.object_shapes import last_name
from opencwm.debugger.foreseeing.qualified_names import FunctionNode

_GIVING: Final = frozenset(
    """__annotations__ __base__ __bases__ __class_getitem__ __closure__ __dataclass_fields__ __dict__ __func__
    __get__ __globals__ __init_subclass__ __mro__ __objclass__ __self__ __self_class__ __set_name__
    __subclasses__ __subclasshook__ __thisclass__ delattr fields gc get_type_hints getmembers globals
    import_module inspect locals modules mro vars""".split()  # noqa: SIM905 - it reads better
)
"""Names by which a program gets hold of a class without its name."""
_ASKING: Final = frozenset({"isinstance", "issubclass"})
_SILENT: Final = frozenset({"dataclass", "total_ordering", "final", "runtime_checkable"})
"""Decorators of classes that do not hand them on."""


def set_on_classes(tree: ast.Module) -> frozenset[str]:
    """Return the names of attributes that may be set on, or deleted from, a class of the program."""
    stores = [
        node
        for node in nodes_of(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    ]
    names = _names_of_classes(tree)
    are_values = _are_values(tree, names)
    if any(map(_calls_its_class_self, nodes_of(tree))):
        return frozenset(node.attr for node in stores)
    return frozenset(node.attr for node in stores if _may_be_class(node.value, names, are_values=are_values))


def _may_be_class(node: ast.expr, names: frozenset[str], *, are_values: bool) -> bool:
    """Whether what an attribute is set on may be a class."""
    if isinstance(node, ast.Name):
        return node.id in names or (are_values and node.id != "self")
    is_super = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    return are_values or is_super or _is_class(node, names)


def _calls_its_class_self(node: ast.AST) -> bool:
    """Whether a node is a method that gets a class as ``self``."""
    return isinstance(node, FunctionNode) and _given_class(node) == "self"


def _given_class(node: ast.AST) -> str:
    """Return the parameter of a method that gets its class, empty for none."""
    if not isinstance(node, FunctionNode):
        return ""
    is_given = node.name == "__new__" or any(map(_makes_class_method, node.decorator_list))
    arguments = [item.arg for item in (*node.args.posonlyargs, *node.args.args)]
    return arguments[0] if is_given and arguments else ""


def _makes_class_method(node: ast.AST) -> bool:
    return isinstance(node, ast.expr) and last_name(node).endswith("classmethod")


def _names_of_classes(tree: ast.Module) -> frozenset[str]:
    """Return the names that classes of a program have, parameters that get one among them."""
    found = {node.name for node in nodes_of(tree) if isinstance(node, ast.ClassDef)}
    return frozenset(found | {_given_class(node) for node in nodes_of(tree)} | {"__class__"}) - {""}


def _are_values(tree: ast.Module, names: frozenset[str]) -> bool:
    """Whether a class may be used as a value, so that anything may be one."""
    allowed: set[int] = set()
    for node in nodes_of(tree):
        if not _GIVING.isdisjoint(getattr(node, field, None) for field in ("id", "attr", "name")):
            return True
        if isinstance(node, ast.ClassDef) and _is_handed_on(node):
            return True
        if (
            isinstance(node, ast.Call)
            and last_name(node.func) == "getattr"
            and not _is_of_constant(node, names)
        ):
            return True
        allowed.update(map(id, _harmless(node, names)))
    return any(id(node) not in allowed and _is_class(node, names) for node in nodes_of(tree))


def _is_handed_on(node: ast.ClassDef) -> bool:
    """Whether a class is made in a way in which the program has a say."""
    decorators = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return (
        any(item.arg != "metaclass" or last_name(item.value) != "ABCMeta" for item in node.keywords)
        or "type" in map(last_name, node.bases)
        or not _SILENT.issuperset(map(last_name, decorators))
    )


def _is_of_constant(node: ast.Call, names: frozenset[str]) -> bool:
    """Whether a call, if it is one of ``getattr``, is of a name that is written there, of no class."""
    if last_name(node.func) != "getattr":
        return True
    name = node.args[1] if len(node.args) > 1 else None
    return isinstance(name, ast.Constant) and name.value not in names | _GIVING


def _is_class(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a node is a class: a name, ``x.__class__`` or ``type(x)``; or is what makes class methods."""
    if isinstance(node, ast.Name):
        is_maker = node.id in ("type", "classmethod")
        return isinstance(node.ctx, ast.Load) and (node.id in names or is_maker)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "type"
    return isinstance(node, ast.Attribute) and node.attr in names


def _harmless(node: ast.AST, names: frozenset[str]) -> Iterator[ast.AST]:
    """Yield the parts of a node that may be a class without anything getting hold of it."""
    if isinstance(node, ast.Attribute):
        yield node.value
    elif isinstance(node, ast.Call):
        if last_name(node.func) != "classmethod":
            yield node.func
        if isinstance(node.func, ast.Name) and node.func.id in _ASKING and len(node.args) > 1:
            yield from _several(node.args[1])
        elif isinstance(node.func, ast.Name) and node.func.id == "super":
            yield from node.args
    elif isinstance(node, ast.ClassDef):
        yield from node.bases
    elif isinstance(node, FunctionNode):
        yield from filter(_makes_class_method, node.decorator_list)
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        yield from _several(node.type)
    elif isinstance(node, ast.Raise) and node.exc is not None:
        yield node.exc
    elif isinstance(node, ast.MatchClass):
        yield node.cls
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        are_same = all(isinstance(item, ast.Is | ast.IsNot) for item in node.ops)
        yield from sides if are_same or all(_is_class(side, names) for side in sides) else ()
    for note in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        yield from ast.walk(note) if isinstance(note, ast.AST) else ()


def _several(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]
