"""Which functions of a program cannot reach an object of their caller that they are not given.

The one idea: a function at the top of a file sees its arguments and what the module holds. Where the module
holds nothing that can change (no containers, no default arguments or class attributes made of them) and no
function puts anything there, a call whose arguments cannot change either leaves every object of its caller as
it is. Errs on the side of reaching; what lies in imported modules is taken to be out of reach.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Collection, Iterator
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.object_shapes import last_name

_BY_STRING: Final = frozenset({"globals", "locals", "vars", "eval", "exec", "setattr", "__import__"})


_DECORATORS: Final = frozenset(
    """abstractmethod classmethod dataclass final overload override property runtime_checkable staticmethod
    total_ordering""".split()  # noqa: SIM905 - it reads better
)
_MARKS: Final = frozenset({"NamedTuple", "NewType", "ParamSpec", "TypeVar", "namedtuple", "object"})


def functions_apart(tree: ast.Module, fixed: Collection[str] = ()) -> dict[str, int]:
    """Return such functions by name, with the first lines of their definitions; none if the module shares.

    ``fixed`` are names of the module that stand for what never changes, and holds nothing that does.

    Generators, coroutines, decorated functions, and names that are bound twice are left out.
    """
    if shares(tree, fixed):
        return {}
    bound = collections.Counter(bound_at_top(tree))
    return {
        node.name: node.lineno
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and bound[node.name] == 1
        and not node.decorator_list
        and not any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))
    }


def bound_at_top(node: ast.AST) -> Iterator[str]:
    """Yield every name as often as the module binds it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
        elif isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            yield child.id
        else:
            yield from bound_at_top(child)


def shares(tree: ast.Module, fixed: Collection[str] = ()) -> bool:
    """Whether the module holds, or may come to hold, what can change; ``fixed`` are names of what cannot."""
    top = set(bound_at_top(tree))
    return not all(_is_fixed(statement, fixed) for statement in tree.body) or any(
        isinstance(node, ast.Global)
        or (isinstance(node, ast.Attribute) and node.attr == "__slots__")
        or (isinstance(node, ast.Name) and node.id in _BY_STRING)
        or (isinstance(node, ast.arguments) and not all(_is_atom(item, fixed) for item in _defaults(node)))
        or (
            isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and _may_be_shared(node, top)
        )
        for node in nodes_of(tree)
    )


def _is_fixed(statement: ast.stmt, fixed: Collection[str]) -> bool:
    """Whether a statement of a module or of a class leaves nothing there that can change."""
    if isinstance(statement, ast.ClassDef):
        is_plain = all(map(_is_harmless, statement.decorator_list)) and all(
            map(_is_abstract, statement.keywords)
        )
        return is_plain and all(_is_fixed(item, ()) or _is_field(item) for item in statement.body)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return all(_is_harmless(item) or _of(item) in fixed for item in statement.decorator_list)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        are_fixed = all(isinstance(target, ast.Name) and target.id in fixed for target in targets)
        are_fixed = are_fixed or [ast.unparse(target) for target in targets] == ["__slots__"]
        return are_fixed or statement.value is None or _is_atom(statement.value) or _is_mark(statement.value)
    if isinstance(statement, ast.If):  # such as what runs a file as a program
        return all(_is_fixed(item, fixed) for item in (*statement.body, *statement.orelse))
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr | ast.Pass)


def _is_harmless(decorator: ast.expr) -> bool:
    """Whether a decorator keeps nothing: those of methods, and those that add methods to a class."""
    if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
        return True
    return last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) in _DECORATORS


def _of(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _is_abstract(keyword: ast.keyword) -> bool:
    return keyword.arg == "metaclass" and last_name(keyword.value) == "ABCMeta"


def _is_field(statement: ast.stmt) -> bool:
    """Whether a statement of a class declares a field, of which each object has its own."""
    value = statement.value if isinstance(statement, ast.AnnAssign) else None
    if not isinstance(value, ast.Call) or last_name(value.func) != "field":
        return False
    return all(item.arg == "default_factory" or _is_atom(item.value) for item in value.keywords)


def _is_mark(value: ast.expr) -> bool:
    """Whether a value is made of which nothing but its identity matters, or a type."""
    return isinstance(value, ast.Call) and last_name(value.func) in _MARKS


def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)


def _is_atom(node: ast.expr, fixed: Collection[str] = ()) -> bool:
    """Whether an expression of a module, or of a class, is a value that cannot change."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Tuple):
        return all(_is_atom(item, fixed) for item in node.elts)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "re.compile"
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Call) and _is_atom(node.value)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in fixed)


def _may_be_shared(node: ast.Attribute, top: set[str]) -> bool:
    """Whether the object whose attribute is set may be a module, a class or a function."""
    return not isinstance(node.value, ast.Name) or node.value.id in top or node.value.id == "cls"
