"""What can be known of a call before anything runs: whether a file defines what it names, and how.

The idea: a call that cannot do what its writer wants is refused with the mend, where a prediction would make
something up and a run would tell of a wrapper that nobody wrote. Whatever only a run can tell is left to it.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import warnings
from collections.abc import Iterable, Sequence

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.arguments import signature
from opencwm.traces import Outcome, OutcomeKind

Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_call(call: str, tree: ast.Module, filename: str) -> None:
    """Check that an expression calls something that a file defines, imports or gets from Python.

    Args:
        call: the expression.
        tree: of the file.
        filename: how a user recognises it.

    Raises:
        ConfigError: it is no expression, calls nothing, mentions a name that is nowhere, gives a function of
            the file other arguments than it takes, or makes a coroutine or a generator that nothing runs.
    """
    expression = _read(call, where="--call", hint="write it as in the program: f('a', 3)")
    if not any(isinstance(node, ast.Call) for node in ast.walk(expression)):
        hint = functions_hint(tree, filename, call, for_call=True)
        raise ConfigError(f"{call!r} calls no function", where="--call", hint=hint)
    _check_names(expression, tree, filename)
    own = _own_names(expression)
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and _root(node.func) not in own:
            _check_arguments(node, tree)
    if isinstance(expression.body, ast.Call) and isinstance(expression.body.func, ast.Name):
        check_runs(expression.body.func.id, tree, where="--call", call=call.strip())


def wanted_outcome(returns: str | None, raises: str | None) -> Outcome:
    """Return what a call is to come to.

    Args:
        returns: the value that it is to return, as Python writes it.
        raises: the exception that it is to raise, likewise.

    Raises:
        ConfigError: neither or both are given, or it is nothing that Python would write.
    """
    if (returns is None) == (raises is None):
        hint = "for example returns: \"'abc'\", raises: \"KeyError('a')\""
        raise ConfigError("give either a value to return or an exception to raise", hint=hint)
    if returns is not None:
        if not returns.startswith("<"):  # what has no other text reads like <class 'int'>
            _read(returns, where="returns", hint=f"a text is quoted: {returns!r}")
        return Outcome(OutcomeKind.RETURNED, returns)
    raised = _read(raises or "", where="raises", hint="write it like KeyError('a')").body
    if _root(raised.func if isinstance(raised, ast.Call) else raised) is None:
        raise ConfigError(f"{raises!r} is no exception", where="raises", hint="write it like KeyError('a')")
    return Outcome(OutcomeKind.RAISED, raises or "")


def check_runs(name: str, tree: ast.Module, *, where: str, call: str) -> None:
    """Check that calling a function of a file runs it: no coroutine or generator is all that comes of it.

    Raises:
        ConfigError: its definition is ``async``, or has a ``yield`` of its own.
    """
    reason = why_nothing_runs(name, tree)
    if not reason:
        return
    if "coroutine" in reason:
        hint = f'use --call "asyncio.run({call})"'
        if "asyncio" not in (bound_names(tree) or ()):
            hint += ", and import asyncio in the file"
    else:
        hint = f'use --call "list({call})"'
    raise ConfigError(f"{name!r} {reason}", where=where, hint=hint)


def why_nothing_runs(name: str, tree: ast.Module) -> str:
    """Say why a call of a function runs nothing of it; empty where it does, or where that is not certain."""
    definition = _definition(name, tree)
    if definition is None:
        return ""
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(definition.body)):
        return "is a generator: calling it runs nothing until its values are asked for"
    if isinstance(definition, ast.AsyncFunctionDef):
        return "is async: calling it makes a coroutine and runs nothing"
    return ""


def _read(text: str, *, where: str, hint: str) -> ast.Expression:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = ast.parse(text.strip(), mode="eval")
            compile(expression, "--call", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = getattr(error, "msg", None) or error
        raise ConfigError(f"not a Python expression: {text!r}: {problem}", where=where, hint=hint) from None
    return expression


def _check_names(expression: ast.Expression, tree: ast.Module, filename: str) -> None:
    bound = bound_names(tree)
    if bound is None:
        return
    known = bound | _own_names(expression)
    called = {_root(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call)}
    for node in ast.walk(expression):
        if not isinstance(node, ast.Name) or node.id in known or hasattr(builtins, node.id):
            continue
        name = node.id
        hint = f"a text is quoted: {name!r}"
        if name in called:
            hint = functions_hint(tree, filename, name, for_call=True)
        raise ConfigError(f"{filename} defines no {name!r}", where="--call", hint=hint)


def _check_arguments(call: ast.Call, tree: ast.Module) -> None:
    definition = _definition(call.func.id, tree) if isinstance(call.func, ast.Name) else None
    is_spread = any(isinstance(item, ast.Starred) for item in call.args)
    if definition is None or is_spread or any(keyword.arg is None for keyword in call.keywords):
        return
    try:
        signature(definition.args).bind(*call.args, **{item.arg or "": item.value for item in call.keywords})
    except TypeError as error:
        takes = f"{definition.name}({ast.unparse(definition.args)})"
        raise ConfigError(f"{ast.unparse(call)} does not fit {takes}: {error}", where="--call") from None


def _definition(name: str, tree: ast.Module) -> Function | None:
    """Return the undecorated function that a name at the top of a file is sure to be; None without one."""
    found = next((node for node in tree.body if isinstance(node, Function) and node.name == name), None)
    if found is None or found.decorator_list:
        return None
    bindings = [other for other in _bindings(tree) if other in (name, "*")]
    return found if bindings == [name] else None


def _own_nodes(body: Sequence[ast.AST]) -> Iterable[ast.AST]:
    """Yield the nodes of a function's body that are not in functions and classes within it."""
    for node in body:
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            yield from _own_nodes(list(ast.iter_child_nodes(node)))


def functions(tree: ast.Module) -> Iterable[tuple[str, Function]]:
    """Yield the functions of a file's own scope by name."""
    for node in _statements(tree.body):
        if isinstance(node, Function):
            yield node.name, node


def functions_hint(tree: ast.Module, filename: str, name: str, *, for_call: bool = False) -> str:
    """Return which functions a file has, or the one whose name is nearest to ``name``.

    ``for_call`` adds how ``--call`` names one of them.
    """
    names = [name for name, _ in functions(tree)]
    if not names:
        return f"{filename} defines no function"
    close = difflib.get_close_matches(name, names, n=1) if name else []
    if close:
        return f"did you mean {close[0]!r}?"
    shown = "functions there: " + ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f'use --call "{names[0]}(...)"; {shown}' if for_call else shown


def _statements(body: Sequence[ast.stmt]) -> Iterable[ast.stmt]:
    """Yield the statements of the module's own scope: those in its blocks, not in functions and classes."""
    for node in body:
        yield node
        if isinstance(node, Function | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, field, []))
        for inner in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
            yield from _statements(inner.body)


def bound_names(tree: ast.Module) -> frozenset[str] | None:
    """Names the module's own statements bind; None when a star import hides some."""
    found = frozenset(_bindings(tree))
    return None if "*" in found else found


def _bindings(tree: ast.Module) -> Iterable[str]:
    """Yield the names that a file's own scope has, those declared global too; ``*`` for a star import."""
    for node in _statements(tree.body):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        else:
            yield from _own_names(node)
    for inner in nodes_of(tree):
        if isinstance(inner, ast.Global):
            yield from inner.names


def _own_names(tree: ast.AST) -> set[str]:
    """Names that ``tree`` binds somewhere in it, lambda arguments included."""
    found = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return found | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
