"""Properties that the body of a class makes by a call: ``x = property(get_x, set_x)``.

They are read as what they do: a getter and a setter of that name, with the bodies, and on the lines, of the
functions that are given.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator, Mapping
from typing import Final

_WAYS: Final = ("getter", "setter", "deleter")
"""What the arguments of ``property`` are, in order."""
_ARGUMENTS: Final = ("fget", "fset", "fdel")


def with_properties(tree: ast.Module, constants: Mapping[str, str]) -> ast.Module:
    """Return a program with decorated methods in the places of properties that calls make.

    Args:
        tree: the program, which stays as it is.
        constants: how names of its module read that stand for the same always.
    """
    if constants.get("property") != "<class 'property'>":
        return tree
    return ast.Module([_changed(node) for node in tree.body], tree.type_ignores)


def _changed(node: ast.stmt) -> ast.stmt:
    if not isinstance(node, ast.ClassDef) or not any(map(_called, node.body)):
        return node
    times = collections.Counter(_bound(node))
    functions: dict[str, ast.FunctionDef] = {}
    body: list[ast.stmt] = []
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and times[part.name] == 1 and not part.decorator_list:
            functions[part.name] = part
        made = _made(part, functions) if times[_name(part)] == 1 else []
        body += made or [part]
    copy = ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)
    return ast.copy_location(copy, node)


def _bound(node: ast.ClassDef) -> Iterator[str]:
    """Yield every name as often as something in the body of a class may bind it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            yield part.id
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.alias):
            yield part.asname or part.name


def _called(part: ast.stmt) -> ast.Call | None:
    """Return the call of ``property`` whose value a statement binds to one name; None for any other."""
    call = part.value if isinstance(part, ast.Assign) and _name(part) else None
    is_it = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "property"
    return call if is_it and isinstance(call, ast.Call) else None


def _name(part: ast.stmt) -> str:
    """Return the one name that a statement binds, empty for any other."""
    targets = part.targets if isinstance(part, ast.Assign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _made(part: ast.stmt, functions: Mapping[str, ast.FunctionDef]) -> list[ast.stmt]:
    """Return the methods that a property has the same ways by; none where it is not certain which."""
    call = _called(part)
    if call is None or len(call.args) > len(_ARGUMENTS):
        return []
    given = dict(zip(_ARGUMENTS, call.args, strict=False))
    for item in call.keywords:
        if item.arg not in (*_ARGUMENTS, "doc") or item.arg in given:
            return []
        given[item.arg] = item.value
    given.pop("doc", None)
    found: list[ast.stmt] = []
    for way, argument in zip(_WAYS, _ARGUMENTS, strict=True):
        value = given.get(argument)
        if value is None or (isinstance(value, ast.Constant) and value.value is None):
            continue
        if not isinstance(value, ast.Name) or value.id not in functions:
            return []
        found.append(_as_way(functions[value.id], _name(part), way))
    return found if "fget" in given and found[:1] and _is_getter(found[0]) else []


def _is_getter(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and isinstance(node.decorator_list[0], ast.Name)


def _as_way(function: ast.FunctionDef, name: str, way: str) -> ast.FunctionDef:
    """Return a function as it would be written with a decorator on its own line."""
    plain = ast.Name("property", ast.Load())
    decorator = plain if way == "getter" else ast.Attribute(ast.Name(name, ast.Load()), way, ast.Load())
    copy = ast.FunctionDef(name, function.args, function.body, [decorator], function.returns)
    ast.copy_location(decorator, function)
    return ast.copy_location(copy, function)
