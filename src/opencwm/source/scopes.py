"""What the syntax tree tells about names and calls: what code binds, and what calls without a call.

The one idea: code objects say what each instruction is, the tree says what the program defines that gives it
a meaning.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator

from opencwm.core.syntax import nodes_of

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


@dataclasses.dataclass(frozen=True, slots=True)
class HiddenCalls:
    """Which instructions, calls apart, may call a function of a program.

    Attributes:
        by_protocol: operators, attribute access, loops and so on may, since the program defines special
            methods, properties or generators, or uses lazy iterators.
        by_finalizer: any instruction may, since dropping an object can end a generator or run ``__del__``.
    """

    by_protocol: bool
    by_finalizer: bool


def hidden_calls(tree: ast.Module) -> HiddenCalls:
    """Find out which instructions of a program may call its functions."""
    by_finalizer = any(_may_finalize(node) for node in nodes_of(tree))
    return HiddenCalls(by_finalizer or any(_may_hide_calls(node) for node in nodes_of(tree)), by_finalizer)


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, bool]]:
    """Yield ``nodes`` and what is evaluated in their scope, and whether it belongs to a comprehension."""
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


def _may_finalize(node: ast.AST) -> bool:
    """Whether, because of ``node``, dropping an object may call a function or resume a generator."""
    if isinstance(node, ast.FunctionDef):
        return node.name == "__del__"
    if isinstance(node, ast.Name | ast.Attribute):
        return (node.id if isinstance(node, ast.Name) else node.attr) in ("weakref", "finalize")
    return isinstance(node, ast.Yield | ast.YieldFrom | ast.Await | ast.AsyncFunctionDef)


def _may_hide_calls(node: ast.AST) -> bool:
    """Whether, because of ``node``, an operation that is no call may call a function of the program."""
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
