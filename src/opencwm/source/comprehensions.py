"""Where comprehensions and some other parts of a text stand, and which names comprehensions really bind.

Read from the syntax tree; the code objects alone do not tell an iteration variable from a local of the same
name.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections.abc import Iterator

Range = tuple[int, int, int, int]
"""First line, first column, last line, end column; lines from 1, columns in UTF-8 bytes from 0."""

Place = tuple[int, int]
"""Line and column of a :data:`Range`."""

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_MOST_KEYS = 15
"""A dictionary display of more keys than that is built one by one in every Python."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclasses.dataclass(slots=True)
class Scope:
    """A function, lambda, class body, generator expression or the module.

    Attributes:
        bound: names it binds or declares, comprehension variables apart.
        mentioned: names it uses or binds, comprehension variables apart.
        captured: names that functions inside take from it or from further outside.
        nonlocals: names it declares to be of an outer function.
        order: every name it mentions, comprehension variables too, in the order the compiler meets them.
    """

    bound: set[str] = dataclasses.field(default_factory=set)
    order: dict[str, None] = dataclasses.field(default_factory=dict)
    mentioned: set[str] = dataclasses.field(default_factory=set)
    captured: set[str] = dataclasses.field(default_factory=set)
    nonlocals: set[str] = dataclasses.field(default_factory=set)

    def free_names(self, bound: set[str]) -> set[str]:
        """Return the names it takes from outside, when it binds ``bound``."""
        return ((self.mentioned | self.captured) - bound) | self.nonlocals


@dataclasses.dataclass(frozen=True, slots=True)
class Comprehension:
    """A list, set or dict comprehension.

    Attributes:
        range: all of it, brackets included.
        iterable: its outermost iterable, which is evaluated outside of it.
        scope: the scope it belongs to.
    """

    range: Range
    iterable: Range
    scope: Scope


@dataclasses.dataclass(frozen=True, slots=True)
class While:
    """A ``while`` statement: where its test begins and ends, and its body."""

    test: tuple[Place, Place]
    body: tuple[Place, Place]


class SourceScopes:
    """The comprehensions, ``with`` and ``while`` statements of a text that compiles.

    Attributes:
        comprehensions: by range.
        with_headers: start, and end of the last item, of every ``with`` statement whose items are on several
            lines.
        keys: constant keys of dictionary displays that have two or more, which compilers may put together.
        whiles: the ``while`` statements whose body begins on a line of the test.
    """

    def __init__(self, text: str, *, needed: bool = True) -> None:
        self.comprehensions: dict[Range, Comprehension] = {}
        self.with_headers: list[tuple[Place, Place]] = []
        self.keys: set[Range] = set()
        self.whiles: list[While] = []
        if needed:
            self._visit_all(ast.parse(text).body, Scope())

    def _visit_all(self, nodes: list[ast.stmt], scope: Scope) -> None:
        for node in nodes:
            self._visit(node, scope, scope)

    def _visit(self, node: ast.AST, scope: Scope, target_scope: Scope) -> None:
        """Visit in the compiler's order; ``target_scope`` takes what plain names bind."""
        if isinstance(node, ast.Name):
            scope.order.setdefault(node.id)
            scope.mentioned.add(node.id)
            if not isinstance(node.ctx, ast.Load):
                target_scope.bound.add(node.id)
        elif isinstance(node, _FUNCTIONS):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._class(node, scope)
        elif isinstance(node, _COMPREHENSIONS):
            self._comprehension(node, scope)
        elif isinstance(node, ast.GeneratorExp):
            self._visit(node.generators[0].iter, scope, scope)
            inner = Scope()
            scope.captured |= inner.free_names(self._generators(node, inner, scope))
        elif isinstance(node, ast.NamedExpr):
            self._visit(node.value, scope, scope)
            scope.order.setdefault(node.target.id)
            scope.bound.add(node.target.id)
        else:
            if isinstance(node, ast.With | ast.AsyncWith):
                self._note_header(node)
            if isinstance(node, ast.While):
                self._note_loop(node)
            if isinstance(node, ast.Dict):
                self._note_keys(node)
            if isinstance(node, ast.Nonlocal):
                scope.nonlocals |= set(node.names)
            for name in _other_names(node):
                scope.order.setdefault(name)
                scope.bound.add(name)
            for child in _children(node):
                self._visit(child, scope, target_scope if isinstance(child, _TARGETS) else scope)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> None:
        arguments = node.args
        inner = Scope()
        for argument in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ):
            if argument is not None:
                inner.bound.add(argument.arg)
        if isinstance(node, ast.Lambda):
            body: list[ast.AST] = [node.body]
        else:
            for decorator in node.decorator_list:
                self._visit(decorator, scope, scope)
            self._define(node, scope)
            body = list(node.body)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self._visit(default, scope, scope)
        for child in body:
            self._visit(child, inner, inner)
        scope.captured |= inner.free_names(inner.bound)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        for decorator in node.decorator_list:
            self._visit(decorator, scope, scope)
        inner = Scope()
        self._visit_all(node.body, inner)
        scope.captured |= inner.captured | inner.free_names(inner.bound)
        for child in (*node.bases, *node.keywords):
            self._visit(child, scope, scope)
        self._define(node, scope)

    def _note_header(self, node: ast.With | ast.AsyncWith) -> None:
        last = node.items[-1].optional_vars or node.items[-1].context_expr
        end = _range_of(last)[2:]
        if end[0] != node.lineno:
            self.with_headers.append(((node.lineno, node.col_offset), end))

    def _note_keys(self, node: ast.Dict) -> None:
        for _, run in itertools.groupby(node.keys, lambda key: key is None):
            keys = [key for key in run if key is not None]
            if 1 < len(keys) <= _MOST_KEYS and all(map(_is_constant, keys)):
                self.keys.update(map(_range_of, keys))

    def _note_loop(self, node: ast.While) -> None:
        first, last = node.body[0], node.body[-1]
        if first.lineno == node.test.end_lineno and not isinstance(last, ast.Continue):
            test, body = _range_of(node.test), (first.lineno, first.col_offset, *_range_of(last)[2:])
            self.whiles.append(While((test[:2], test[2:]), (body[:2], body[2:])))

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        scope.order.setdefault(node.name)
        scope.bound.add(node.name)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp, scope: Scope) -> None:
        iterable = node.generators[0].iter
        place = _range_of(node)
        self.comprehensions[place] = Comprehension(place, _range_of(iterable), scope)
        self._visit(iterable, scope, scope)
        mentioned, captured = set(scope.mentioned), set(scope.captured)
        targets = self._generators(node, scope, scope)
        scope.mentioned = mentioned | (scope.mentioned - targets)
        scope.captured = captured | (scope.captured - targets)

    def _generators(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope, walrus: Scope
    ) -> set[str]:
        """Visit all but the outermost iterable and return the iteration variables.

        Assignment expressions inside bind in ``walrus``.
        """
        throwaway = Scope(order=scope.order)
        for index, generator in enumerate(node.generators):
            if index:
                self._visit(generator.iter, scope, scope)
            self._visit(generator.target, scope, throwaway)
            for condition in generator.ifs:
                self._visit(condition, scope, scope)
        elements = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for element in elements:
            self._visit(element, scope, scope)
        if walrus is not scope:
            walrus.bound |= scope.bound
        return throwaway.bound


_TARGETS = (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.Attribute, ast.Subscript)


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    )


def _range_of(node: ast.expr | ast.stmt) -> Range:
    end_line, end_column = node.end_lineno, node.end_col_offset
    return (
        node.lineno,
        node.col_offset,
        -1 if end_line is None else end_line,
        -1 if end_column is None else end_column,
    )


def _other_names(node: ast.AST) -> Iterator[str]:
    """Yield the names a node binds or declares that are no ``Name`` nodes."""
    if isinstance(node, ast.ExceptHandler | ast.MatchStar | ast.MatchAs) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield (alias.asname or alias.name).split(".")[0]
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children in the order they are compiled: the value of an assignment before its target."""
    fields = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Assign):
        fields = [node.value, *node.targets]
    elif isinstance(node, ast.AnnAssign):
        fields = [item for item in (node.value, node.target) if item is not None]
    elif isinstance(node, ast.For | ast.AsyncFor):
        fields = [node.iter, node.target, *node.body, *node.orelse]
    elif isinstance(node, ast.Dict):
        fields = [
            item for pair in zip(node.keys, node.values, strict=True) for item in pair if item is not None
        ]
    elif isinstance(node, ast.IfExp):
        fields = [node.test, node.body, node.orelse]
    yield from fields
