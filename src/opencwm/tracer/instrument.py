"""Compile a program so that it reports its sub-expressions, and does all else as before.

The one idea: a hook receives a value that the program has computed itself, notes its text and returns the
very same object. ``f(x) + 1`` becomes ``result(0, result(1, f(operand(1, 0, x))) + 1)``: every operation
stays in the function, at the position and in the order it had, so names, closures, frames, positions in
tracebacks, ``super()``, ``await`` and ``yield`` are what they were. The texts of operands wait on a stack
that belongs to the activation, until the operation's own hook takes them.

The hooks are constants of the code objects, not names: a marker string stands in the syntax tree, and the
compiled code gets the hook in its place. So nothing appears in ``locals()``, ``globals()`` or a class's
namespace.

What is compiled to jumps (``and``, ``or``, ``not``, chained comparisons and conditional expressions where
only their truth is asked for) is not wrapped, because a value that is tested twice has its ``__bool__``
called twice. Its operands report, and the outcome follows from them where that runs no code of the program.

Not instrumented: annotations, patterns, ``except`` clauses, targets, operators that lie on several lines
(their parts on one line are), and a program nested so deeply that the compiler would refuse it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from opencwm.tracer.bound_names import nodes_of
from opencwm.tracer.expression_rewriter import BINARY, ExpressionRewriter, hook_call, is_constant
from opencwm.tracer.sites import MARKERS, Site, SiteKind


@dataclasses.dataclass(frozen=True, slots=True)
class Instrumented:
    """An instrumented program.

    Attributes:
        code: of the module, with markers in the place of hooks: see :func:`with_hooks`.
        sites: the expressions that report.
    """

    code: CodeType
    sites: list[Site]


def instrument(text: str, filename: str) -> Instrumented | None:
    """Compile a program; None when it is nested too deeply to be instrumented.

    Raises:
        SyntaxError: it does not compile; ValueError for a null byte.
    """
    try:
        tree, sites = rewritten(text, filename)
        code = compile(tree, filename, "exec", dont_inherit=True) if sites is not None else None
    except (RecursionError, MemoryError):
        return None
    return None if code is None or sites is None else Instrumented(code, sites)


def rewritten(text: str, filename: str) -> tuple[ast.Module, list[Site] | None]:
    """Return a program's syntax tree with calls of markers in the places of hooks, and its sites.

    The sites are None, and the tree as it was, where the program itself contains a marker.

    Raises:
        SyntaxError: it does not parse; ValueError for a null byte; RecursionError: it is nested too deeply.
    """
    tree = ast.parse(text, filename)
    if "opencwm" in text and any(getattr(node, "value", None) in MARKERS for node in nodes_of(tree)):
        return tree, None
    instrumenter = _Rewriter(text, tree)
    instrumenter.statements(tree.body)
    return tree, instrumenter.sites


def with_hooks(code: CodeType, hooks: Mapping[str, Callable[..., Any]]) -> CodeType:
    """Return ``code`` with the hooks, by name, in the places of their markers."""

    def replaced(constant: Any) -> Any:
        if type(constant) is str:
            return hooks[MARKERS[constant]] if constant in MARKERS else constant
        return with_hooks(constant, hooks) if isinstance(constant, CodeType) else constant

    return code.replace(co_consts=tuple(map(replaced, code.co_consts)))


class _Rewriter(ExpressionRewriter):
    """Rewrites statements in place."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        super().__init__(text, tree)
        self._statements: dict[str, Callable[[Any], None]] = {
            "AnnAssign": self._annotated,
            "Assign": self._assign,
            "AsyncFor": self._async_for,
            "AsyncFunctionDef": self._function,
            "AugAssign": self._augmented,
            "ClassDef": self._class,
            "Delete": self._delete,
            "Expr": self._expression,
            "For": self._for,
            "FunctionDef": self._function,
            "Match": self._match,
            "TypeAlias": lambda _: None,
        }

    def statements(self, body: list[ast.stmt]) -> None:
        """Rewrite a block."""
        for node in body:
            self._statements.get(type(node).__name__, self._other_statement)(node)

    def _expression(self, node: ast.Expr) -> None:
        first, original = len(self.sites), node.value
        node.value = self.value(original)
        if isinstance(original, ast.Call | ast.Await) and node.value is not original:
            self.sites[first].drops_none = True

    def _assign(self, node: ast.Assign) -> None:
        node.targets = [self.target(target) for target in node.targets]
        node.value = self.value(node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        self.target(node.target)
        if node.value is not None:
            node.value = self.value(node.value)

    def _delete(self, node: ast.Delete) -> None:
        node.targets = [self.target(target) for target in node.targets]

    def _async_for(self, node: ast.AsyncFor) -> None:
        node.target, node.iter = self.target(node.target), self.value(node.iter)
        self.statements(node.body)
        self.statements(node.orelse)

    def _match(self, node: ast.Match) -> None:
        node.subject = self.value(node.subject)
        for case in node.cases:
            if case.guard is not None:
                case.guard = self.test(case.guard)
            self.statements(case.body)

    def _other_statement(self, node: ast.stmt) -> None:
        """Rewrite a statement of which every field is a value, a test or a block."""
        for field, found in ast.iter_fields(node):
            if isinstance(found, ast.expr):
                setattr(node, field, self.test(found) if field == "test" else self.value(found))
            elif isinstance(found, list):
                self._parts(found)

    def _parts(self, nodes: list[Any]) -> None:
        """Rewrite a block, the handlers of a ``try`` or the items of a ``with``."""
        for node in nodes:
            if isinstance(node, ast.stmt):
                self.statements([node])
            elif isinstance(node, ast.ExceptHandler):
                self.statements(node.body)
            elif isinstance(node, ast.withitem):
                node.context_expr = self.value(node.context_expr)
                if node.optional_vars is not None:
                    node.optional_vars = self.target(node.optional_vars)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        node.decorator_list = [self.value(item) for item in node.decorator_list]
        self.defaults(node.args)
        outer, self.in_function = self.in_function, True
        self.statements(node.body)
        self.in_function = outer

    def _class(self, node: ast.ClassDef) -> None:
        node.decorator_list = [self.value(item) for item in node.decorator_list]
        node.bases = [self.value(item) for item in node.bases]
        for keyword in node.keywords:
            keyword.value = self.value(keyword.value)
        outer, self.in_function = self.in_function, False
        self.statements(node.body)
        self.in_function = outer

    def _augmented(self, node: ast.AugAssign) -> None:
        """Let ``x += y`` report ``x + y``: the hook is given ``x`` once more, which has a value by then.

        ``x[i] += y`` and ``x.a += y`` report ``x[i]`` and ``x.a`` first, when they are read.
        """
        target = node.target
        operation = -1
        if node.lineno != node.end_lineno:
            node.target = self.target(target)  # type: ignore[assignment]
        elif isinstance(target, ast.Subscript):
            operation = self._loaded(target, node)
        elif isinstance(target, ast.Attribute):
            reading, operation = self._reading(target, node)
            name = ast.copy_location(ast.Constant(target.attr), target.value)
            target.value = self.hook("fetched", self.value(target.value), reading, name)
        node.value = self.value(node.value)
        if operation >= 0:
            node.value = self.hook("combined", node.value, operation)
        elif isinstance(target, ast.Name) and self._is_own(target) and node.lineno == node.end_lineno:
            site = self.site(node)
            self.sites[site].operators = (BINARY[type(node.op)],)
            node.value = self.hook("augmented", node.value, site, _again(target, node.value))

    def _loaded(self, target: ast.Subscript, node: ast.AugAssign) -> int:
        """Rewrite ``x[i]`` of ``x[i] += y``; return the site of the operation, -1 where none is reported.

        The hook of the subscript is given ``x`` once more. What is no name waits for it instead: but not
        while anything is evaluated that may raise, or it would be kept alive.
        """
        container, key = target.value, target.slice
        is_simple = isinstance(key, ast.Name) or is_constant(key)
        is_read_again = isinstance(container, ast.Name) and self._is_own(container) and not _binds(key)
        target.value, target.slice = self.value(container), self._index(key)
        if not (is_simple or is_read_again) or _has_slice(key):
            return -1
        reading, operation = self._reading(target, node)
        extra = None
        if is_read_again:
            extra = _again(container, target.slice)
        else:
            target.value = self.hook("holder", target.value, reading)
        target.slice = self.hook("loaded", target.slice, reading, extra)
        return operation

    def _reading(self, target: ast.expr, node: ast.AugAssign) -> tuple[int, int]:
        """Return the sites of the reading and of the operation of an augmented assignment."""
        reading, operation = self.site(target), self.site(node)
        self.sites[reading].push = (operation, 0)
        self.sites[operation].operators = (BINARY[type(node.op)],)
        return reading, operation

    def _is_own(self, name: ast.Name) -> bool:
        """Whether a name is a local of the function that no other one binds."""
        return self.in_function and name.id not in self.names.shared

    def _for(self, node: ast.For) -> None:
        is_reported = (
            self.in_function
            and node.target.lineno == node.iter.end_lineno
            and self._is_plain_target(node.target)
        )
        first = len(self.sites)
        is_call = isinstance(node.iter, ast.Call)
        target, iterable = node.target, node.iter
        node.target = self.target(target)
        node.iter = self.value(iterable)
        if is_reported:
            index = len(self.sites)
            site = Site(self.place(target)[:2] + self.place(iterable)[2:], kind=SiteKind.LOOP)
            if is_call and index > first:
                site.iterable = first
            self.sites.append(site)
            node.iter = self.hook("loop", node.iter, index)
        self.statements(node.body)
        self.statements(node.orelse)
        if is_reported:
            node.body.insert(0, _note("item", target, index, _loaded(target)))
            node.orelse.insert(0, _note("exhausted", iterable, index))

    def _is_plain_target(self, target: ast.expr) -> bool:
        """Tell whether ``target`` binds local names only, which can be read right after."""
        if isinstance(target, ast.Name):
            return target.id not in self.names.shared
        if isinstance(target, ast.Tuple | ast.List):
            return bool(target.elts) and all(map(self._is_plain_target, target.elts))
        return False


def _again(name: ast.expr, at: ast.expr) -> ast.expr:
    """Return an expression that reads a name once more."""
    assert isinstance(name, ast.Name)  # noqa: S101 - asked before
    return ast.copy_location(ast.Name(name.id, ast.Load()), at)


def _binds(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node))


def _has_slice(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(part, ast.Slice) for part in parts)


def _note(name: str, at: ast.expr, index: int, *arguments: ast.expr) -> ast.stmt:
    """Return a statement that calls a hook without a value of the program's own."""
    call = hook_call(name, at, index, None, list(arguments))
    return ast.copy_location(ast.Expr(call), call)


def _loaded(target: ast.expr) -> ast.expr:
    """Return an expression that reads what a target of plain names was given."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    items = [_loaded(item) for item in target.elts] if isinstance(target, ast.Tuple | ast.List) else []
    return ast.copy_location(ast.Tuple(items, ast.Load()), target)
