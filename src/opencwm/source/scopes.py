"""What the syntax tree adds to code objects: which names belong to comprehensions only, and hidden calls.

The one idea: from Python 3.12 on, list, set and dict comprehensions are compiled into their function, and their variables
look like its locals; the tree tells them apart.

Source: PEP 709.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from types import CodeType

_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Scope = _FunctionNode | ast.ClassDef
_NAMED = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
)
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

# Names whose mention means that a loop, a subscript or an operator may call functions handed over earlier.
_LAZY_NAMES = frozenset(
    {"map", "filter", "iter", "setattr", "property", "partial", "defaultdict", "singledispatch"}
)
# Modules none of whose objects call back later: nothing lazy can come from importing them.
_EAGER_MODULES = frozenset(
    {
        "abc",
        "array",
        "bisect",
        "cmath",
        "copy",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "heapq",
        "json",
        "logging",
        "math",
        "numbers",
        "operator",
        "os",
        "pathlib",
        "random",
        "re",
        "statistics",
        "string",
        "sys",
        "textwrap",
        "time",
        "typing",
        "unicodedata",
        "uuid",
    }
)
_BUILTIN_BASES = frozenset(
    {"object", "Exception", "ValueError", "TypeError", "KeyError", "RuntimeError", "LookupError"}
)


class Scopes:
    """The scopes of one syntax tree, found by the name and first line of the code object compiled from them."""

    def __init__(self, tree: ast.Module) -> None:
        self._nodes: dict[tuple[str, int], list[_Scope]] = {}
        for node in ast.walk(tree):
            if isinstance(node, _Scope):
                self._nodes.setdefault(_key(node), []).append(node)
        self.has_finalizers = any(_may_finalize(node) for node in ast.walk(tree))
        self.has_hidden_calls = self.has_finalizers or any(_may_hide_calls(node) for node in ast.walk(tree))

    def local_names(self, code: CodeType) -> tuple[str, ...]:
        """Return the names a step of ``code`` may bind: varnames, cellvars, freevars."""
        names = dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars)
        nodes = self._nodes.get((code.co_name, code.co_firstlineno), [])
        bound = {*code.co_freevars}.union(*(bound_names(_body(node)) for node in nodes))
        return tuple(
            name
            for name in names
            if not name.startswith(".") and (not nodes or name in bound or _is_mangled(name, bound))
        )


def _key(node: _Scope) -> tuple[str, int]:
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    return node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, bool]]:
    """Yield ``nodes`` and what is evaluated in the same scope, each with whether it belongs to a comprehension."""
    pending: list[tuple[ast.AST, bool]] = [(node, False) for node in nodes]
    while pending:
        node, inside = pending.pop()
        yield node, inside
        if isinstance(node, _Comprehension):
            pending.append((node.generators[0].iter, inside))
            pending += [(part, True) for part in _inner_parts(node)]
        elif isinstance(node, _Scope):
            pending += [(part, inside) for part in _outer_parts(node)]
        else:
            pending += [(child, inside) for child in ast.iter_child_nodes(node)]


def _body(scope: _Scope) -> list[ast.AST]:
    if isinstance(scope, ast.ClassDef):
        return [*scope.body]
    return [scope.args, scope.body] if isinstance(scope, ast.Lambda) else [scope.args, *scope.body]


def _inner_parts(node: _Comprehension) -> list[ast.expr]:
    """Return everything of a comprehension but its first iterable, which is evaluated outside."""
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for index, generator in enumerate(node.generators):
        parts += [generator.target, *generator.ifs]
        if index:
            parts.append(generator.iter)
    return parts


def _outer_parts(node: _Scope) -> list[ast.AST]:
    """Return what of a nested scope is evaluated in the scope around it."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    defaults: list[ast.AST] = [
        *node.args.defaults,
        *(item for item in node.args.kw_defaults if item is not None),
    ]
    return defaults if isinstance(node, ast.Lambda) else [*node.decorator_list, *defaults]


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names ``nodes`` bind in their scope by anything but the targets of comprehensions.

    Args:
        nodes: statements, expressions or ``ast.arguments`` of one scope.
    """
    found: set[str | None] = set()
    for node, inside in _own_nodes(nodes):
        if isinstance(node, ast.NamedExpr):
            found.add(node.target.id)
        elif isinstance(node, ast.Name) and not inside and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, _NAMED):
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping):
            found.add(node.rest)
    return {name for name in found if name is not None}


def _is_mangled(name: str, bound: set[str]) -> bool:
    """Whether ``name`` is a private name of ``bound`` as compiled inside a class: ``_C__x`` for ``__x``."""
    return name.startswith("_") and any(item.startswith("__") and name.endswith(item) for item in bound)


def _may_finalize(node: ast.AST) -> bool:
    """Whether ``node`` makes it possible that dropping an object calls a function, or resumes a generator to end it."""
    if isinstance(node, ast.FunctionDef):
        return node.name == "__del__"
    if isinstance(node, ast.Name | ast.Attribute):
        return (node.id if isinstance(node, ast.Name) else node.attr) in ("weakref", "finalize")
    return isinstance(node, ast.Yield | ast.YieldFrom | ast.Await | ast.AsyncFunctionDef)


def _may_hide_calls(node: ast.AST) -> bool:
    """Whether ``node`` makes it possible that an operation which is no call calls a function of the program."""
    if isinstance(node, ast.GeneratorExp):
        return True
    if isinstance(node, ast.Name):
        return node.id in _LAZY_NAMES
    if isinstance(node, ast.Import):
        return any(item.name.split(".")[0] not in _EAGER_MODULES for item in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] not in _EAGER_MODULES
    if isinstance(node, ast.ClassDef):
        return any(
            not isinstance(base, ast.Name) or base.id not in _BUILTIN_BASES for base in node.bases
        ) or any(
            isinstance(item, ast.FunctionDef)
            and (item.decorator_list or (item.name.startswith("__") and item.name != "__init__"))
            for item in ast.walk(node)
        )
    return False
