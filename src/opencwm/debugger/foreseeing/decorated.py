"""What functions at the top of a file have become by decorators of the program.

The one idea: a decorator that binds names to literals, defines one function within it and returns that, makes
of a function what it says: the inner function, whose free variables are the function that it was given and
those literals. That is known before anything runs. Any other decorator is left alone.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.arguments import signature
from opencwm.debugger.foreseeing.expectations import Made
from opencwm.debugger.foreseeing.isolation import bound_at_top
from opencwm.debugger.foreseeing.qualified_names import is_wraps

_CHANGING: Final = frozenset(
    {
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "setdefault",
        "update",
    }
)
_READING: Final = frozenset({"count", "get", "index", "copy", "items", "keys", "values"})


@dataclasses.dataclass(frozen=True, slots=True)
class Decorated:
    """What the decorated functions of one program are.

    Attributes:
        functions: by name.
        plain: decorators that hold nothing that can change.
        kept: by first line of an inner function those of its free variables that nothing else can change, as
            they read before it has run.
    """

    functions: Mapping[str, Made] = dataclasses.field(default_factory=dict)
    kept: Mapping[int, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    plain: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module) -> Decorated:
        """Read a program."""
        counts = collections.Counter(bound_at_top(tree))
        declared = [name for node in nodes_of(tree) if isinstance(node, ast.Global) for name in node.names]
        counts.update([*declared, *declared])
        if any(getattr(node, "name", "") in ("wraps", "functools") for node in _definitions(tree)):
            return cls()
        top = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and counts[node.name] == 1
        }
        functions: dict[str, Made] = {}
        made: list[_Instance] = []
        for name, node in top.items():
            value: Made | None = Made(f"<function {name}>", first=_first(node))
            for decorator in reversed(node.decorator_list):
                instance = None if value is None else _applied(decorator, value, top)
                value = None if instance is None else instance.value
                made += [] if instance is None else [instance]
            if value is not None and node.decorator_list:
                functions[name] = value
        uses = collections.Counter(node.id for node in nodes_of(tree) if isinstance(node, ast.Name))
        kept = {
            instance.value.first: names
            for instance in made
            if uses[instance.decorator] == 1 and (names := dict(_kept(instance)))
        }
        holding = {
            instance.decorator
            for instance in made
            if any(text[0] in "[{" for text in instance.bound.values())
        }
        used = {_name(item) for node in top.values() for item in node.decorator_list}
        unknown = used - {instance.decorator for instance in made}
        plain = {instance.decorator for instance in made} - holding
        return cls(functions, kept, frozenset() if unknown else frozenset(plain))


def _definitions(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what binds the names of functions and classes."""
    yield from (node for node in nodes_of(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))


@dataclasses.dataclass(frozen=True, slots=True)
class _Instance:
    """One use of a decorator.

    Attributes:
        decorator: its name.
        outer: the function that defines the inner one.
        inner: that.
        value: what it makes of a function.
        bound: how the names read that its free variables may be.
    """

    decorator: str
    outer: ast.FunctionDef
    inner: ast.FunctionDef
    value: Made
    bound: Mapping[str, str]


def _applied(node: ast.expr, value: Made, top: Mapping[str, ast.FunctionDef]) -> _Instance | None:
    """Return what a decorator of the program makes of a function; None where that is not known."""
    call = node if isinstance(node, ast.Call) else None
    name = node.func if isinstance(node, ast.Call) else node
    outer = top.get(name.id) if isinstance(name, ast.Name) else None
    if outer is None or outer.decorator_list or not isinstance(name, ast.Name):
        return None
    scope, bound = f"{outer.name}.<locals>.", dict[str, str]()
    if call is not None:  # it makes the decorator
        given = _given(outer, call)
        inner = None if given is None else _returned(outer, bound)
        if given is None or inner is None or inner.decorator_list:
            return None
        bound = {**given, **bound}
        outer, scope = inner, f"{scope}{inner.name}.<locals>."
    arguments = outer.args
    if len(arguments.args) != 1 or arguments.posonlyargs or arguments.vararg or arguments.kwarg:
        return None
    bound[arguments.args[0].arg] = value
    inner = _returned(outer, bound)
    if inner is None or not all(map(is_wraps, inner.decorator_list)):
        return None
    text = str(value) if inner.decorator_list else f"<function {scope}{inner.name}>"
    rebound = {name for part in ast.walk(outer) if isinstance(part, ast.Nonlocal) for name in part.names}
    used = {part.id for part in ast.walk(inner) if isinstance(part, ast.Name)}
    own = {part.arg for part in ast.walk(inner.args) if isinstance(part, ast.arg)}
    own |= {
        part.id
        for part in ast.walk(inner)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    }
    free = {
        name: text
        for name, text in bound.items()
        if name in used - own - rebound and (text[0] not in "[{" or isinstance(text, Made))
    }
    made = Made(text, first=_first(inner), free=free)
    return _Instance(name.id, outer, inner, made, {name: bound[name] for name in bound if name in used})


def _given(definition: ast.FunctionDef, call: ast.Call) -> dict[str, str] | None:
    """Return the arguments of a call, if all are literals that cannot change."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    if len(keywords) < len(call.keywords):
        return None
    try:
        bound = signature(definition.args).bind(*call.args, **keywords)
    except TypeError:
        return None
    bound.apply_defaults()
    texts = {name: _literal(value) for name, value in bound.arguments.items()}
    known = {name: text for name, text in texts.items() if text is not None and text[0] not in "[{"}
    return known if len(known) == len(texts) else None


def _returned(definition: ast.FunctionDef, bound: dict[str, str]) -> ast.FunctionDef | None:
    """Return the function that a function defines and returns, and nothing else but bind names to literals.

    None for any other; ``bound`` is given those names.
    """
    *body, last = definition.body
    inner: ast.FunctionDef | None = None
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.FunctionDef) and inner is None:
            inner = node
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        text = _literal(node.value) if isinstance(node, ast.Assign) else None
        if not isinstance(target, ast.Name) or text is None or target.id in bound:
            return None
        bound[target.id] = text
    value = last.value if isinstance(last, ast.Return) else None
    if inner is None or not isinstance(value, ast.Name) or value.id != inner.name or value.id in bound:
        return None
    return inner


def _literal(node: object) -> str | None:
    """Return how a literal reads, or an empty list or dictionary; None for anything else."""
    if not isinstance(node, ast.expr) or any(
        isinstance(part, ast.Set | ast.JoinedStr) for part in ast.walk(node)
    ):
        return None
    try:
        return repr(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _name(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def _first(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(item.lineno for item in node.decorator_list)])


def _kept(instance: _Instance) -> Iterator[tuple[str, str]]:
    """Yield the free variables of an inner function that nothing but it can change, with how they read."""
    parents = {child: node for node in ast.walk(instance.inner) for child in ast.iter_child_nodes(node)}
    within = [part for part in ast.walk(instance.inner) if isinstance(part, ast.FunctionDef | ast.Lambda)]
    if len(within) > 1:
        return
    for name, text in instance.bound.items():
        if name in instance.value.free:
            continue
        uses = [part for part in ast.walk(instance.inner) if isinstance(part, ast.Name) and part.id == name]
        if text[0] not in "[{" or all(_stays(part, parents) for part in uses):
            yield name, text


def _stays(node: ast.Name, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a container is used where nothing keeps it."""
    parent = parents[node]
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    if isinstance(parent, ast.Compare):
        return node in parent.comparators and all(isinstance(op, ast.In | ast.NotIn) for op in parent.ops)
    if isinstance(parent, ast.Attribute):
        call = parents[parent]
        return isinstance(call, ast.Call) and call.func is parent and parent.attr in _CHANGING | _READING
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in (
            "len",
            "list",
            "sorted",
            "sum",
            "dict",
        )
    return False


def changes_at_once(statement: ast.AST, name: str) -> bool:
    """Whether a statement may change what a name holds and go on after that."""
    changing = [
        node
        for node in ast.walk(statement)
        if (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _CHANGING)
        and node.value.id == name
    ]
    if not changing:
        return False
    call = statement.value if isinstance(statement, ast.Expr) else None
    return len(changing) > 1 or not isinstance(call, ast.Call) or call.func is not changing[0]
