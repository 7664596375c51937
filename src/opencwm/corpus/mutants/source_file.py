"""The text that is mutated: its syntax tree, where every node lies in it, and which nodes may be touched.

A node may be touched when its line is visible from the program's entry and, inside of functions, when one of
its statement's lines was run. Annotations, decorators, base classes, docstrings and f-strings are left alone:
the first four do not show in a trace, and what lies inside of an f-string has no reliable position before
Python 3.12.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from collections.abc import Collection

from opencwm.source.reach import visible_lines
from opencwm.traces import Program

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_GAP = re.compile(r"(?:[\s()\\]|#[^\n]*)*")
_UNTOUCHED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"})
_CHILDLESS_FIELDS = frozenset(
    {"annotation", "ctx", "op", "ops", "id", "attr", "arg", "kind", "is_async", "conversion"}
)


class SourceFile:
    r"""A program's source without the wrapper of its call.

    Attributes:
        text: what is edited; lines end in ``\n``.
        tree: its syntax tree.
        nodes: those that may be touched, by type, in the order of the text.
        blocks: for each statement that may be touched, the list of statements it stands in.

    Raises:
        ConfigError: the program does not parse, or has no such entry.
    """

    def __init__(self, program: Program, lines: Collection[int] | None = None) -> None:
        self._program = program
        self.text = dataclasses.replace(program, call=None).text
        self.tree = ast.parse(self.text)
        self.nodes: dict[type[ast.AST], list[ast.AST]] = {}
        self.blocks: dict[ast.stmt, list[ast.stmt]] = {}
        self._parents: dict[ast.AST, ast.AST] = {}
        self._functions: dict[ast.AST, FunctionDef | None] = {}
        self._child_fields: dict[type[ast.AST], tuple[str, ...]] = {}
        self._run = None if lines is None else frozenset(lines)
        self._bindings: dict[FunctionDef, dict[str, int]] = {}
        self._is_ascii = self.text.isascii()
        self._lines = self.text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._visit_block(self.tree, self.tree.body, None)

    # -- positions ---------------------------------------------------------------------------------

    def offset(self, lineno: int, col_bytes: int) -> int:
        """Return the index in the text of a position of the syntax tree, whose columns count bytes."""
        if self._is_ascii:
            return self._starts[lineno - 1] + col_bytes
        line = self._lines[lineno - 1]
        return self._starts[lineno - 1] + len(line.encode()[:col_bytes].decode())

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return where a node starts in the text and where it ends; parentheses around it are not part."""
        end_lineno, end_col = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.offset(node.lineno, node.col_offset), self.offset(end_lineno, end_col)

    def text_of(self, node: ast.expr | ast.stmt) -> str:
        """Return a node as it is written."""
        start, end = self.span(node)
        return self.text[start:end]

    def token_after(self, position: int, pattern: re.Pattern[str]) -> tuple[int, int] | None:
        """Return where the next token that is no parenthesis lies, if ``pattern`` matches it."""
        gap = _GAP.match(self.text, position)
        match = pattern.match(self.text, gap.end() if gap else position)
        return match.span() if match else None

    def line_start(self, lineno: int) -> int:
        """Return the index in the text at which a line starts."""
        return self._starts[lineno - 1]

    # -- surroundings ------------------------------------------------------------------------------

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node above one that may be touched."""
        return self._parents.get(node)

    def root(self, node: ast.AST) -> ast.expr | None:
        """Return the outermost expression that a node is part of."""
        found = None
        above: ast.AST | None = node
        while above is not None and not isinstance(above, ast.stmt):
            if isinstance(above, ast.expr):
                found = above
            above = self._parents.get(above)
        return found

    def function(self, node: ast.AST) -> FunctionDef | None:
        """Return the innermost ``def`` whose body holds a node."""
        return self._functions.get(node)

    def bindings(self, function: FunctionDef) -> dict[str, int]:
        """Return a function's parameters and local variables, with the first line that binds each."""
        if function not in self._bindings:
            self._bindings[function] = _bindings(function)
        return self._bindings[function]

    @functools.cached_property
    def bound_names(self) -> frozenset[str]:
        """All names that the file gives a value anywhere, which so may not be builtins."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                found.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).split(".")[0])
        return frozenset(found)

    # -- collecting --------------------------------------------------------------------------------

    def _visit_block(self, above: ast.AST, block: list[ast.stmt], function: FunctionDef | None) -> None:
        for position, statement in enumerate(block):
            if position == 0 and isinstance(above, (*_Scope, ast.Module)) and _is_docstring(statement):
                continue
            self._parents[statement] = above
            self._functions[statement] = function
            is_wanted = self.may_be_touched(statement, function)
            if is_wanted:
                self.nodes.setdefault(type(statement), []).append(statement)
                self.blocks[statement] = block
            inner = statement if isinstance(statement, FunctionDef) else function
            self._visit_parts(statement, function, inner, is_wanted=is_wanted)

    @functools.cached_property
    def _visible(self) -> frozenset[int]:
        return frozenset(visible_lines(self._program.text, self._program.entry).lines)

    def may_be_touched(self, statement: ast.stmt, function: FunctionDef | None) -> bool:
        """Whether a statement is run, as far as is known; inside functions that may have been recorded."""
        if self._run is None or not (function or isinstance(statement, FunctionDef)):
            return not _is_bare(statement) and statement.lineno in self._visible
        last = statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if function is not None and isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            last = max(statement.lineno, body[0].lineno - 1)  # what is inside is looked at by itself
        return any(line in self._run for line in range(statement.lineno, last + 1))

    def _visit_parts(
        self, node: ast.AST, function: FunctionDef | None, inner: FunctionDef | None, *, is_wanted: bool
    ) -> None:
        """Go through what a statement, a handler or a case consists of."""
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _UNTOUCHED_FIELDS or value is None:
                continue
            items = value if isinstance(value, list) else [value]
            if items and isinstance(items[0], ast.stmt):
                self._visit_block(node, items, inner)
                continue
            for item in items:
                if isinstance(item, ast.ExceptHandler | ast.match_case):
                    self._parents[item] = node
                    self._functions[item] = function
                    if is_wanted and isinstance(item, ast.ExceptHandler):
                        self.nodes.setdefault(ast.ExceptHandler, []).append(item)
                    self._visit_parts(item, function, inner, is_wanted=is_wanted)
                elif is_wanted and isinstance(item, ast.AST):
                    self._visit_expression(item, node, function)

    def _visit_expression(self, top: ast.AST, above: ast.AST, function: FunctionDef | None) -> None:
        nodes, parents, functions, fields = self.nodes, self._parents, self._functions, self._child_fields
        pending = [(top, above)]
        while pending:
            node, parent = pending.pop()
            parents[node] = parent
            functions[node] = function
            kind = type(node)
            nodes.setdefault(kind, []).append(node)
            if kind not in fields:
                fields[kind] = _child_fields(kind)
            for name in fields[kind]:
                value = getattr(node, name)
                if isinstance(value, ast.AST):
                    pending.append((value, node))
                elif isinstance(value, list):
                    pending += [(item, node) for item in reversed(value) if isinstance(item, ast.AST)]


def _child_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Return the fields in which nodes of a type have parts that may be touched, last one first."""
    if kind is ast.JoinedStr:
        return ()
    return tuple(name for name in reversed(kind._fields) if name not in _CHILDLESS_FIELDS)


def _bindings(function: FunctionDef) -> dict[str, int]:
    found: dict[str, int] = {}
    arguments = function.args
    for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        found[item.arg] = 0
    for star in (arguments.vararg, arguments.kwarg):
        if star is not None:
            found[star.arg] = 0
    pending: list[ast.AST] = list(function.body)
    outer: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, _Scope):
            continue
        if isinstance(node, _Comprehension):
            pending += [item for item in ast.walk(node) if isinstance(item, ast.NamedExpr)]
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = min(found.get(node.id, node.lineno), node.lineno)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
        pending += ast.iter_child_nodes(node)
    return {name: line for name, line in found.items() if name not in outer}


def _is_bare(node: ast.stmt) -> bool:
    """Whether nothing of a statement itself can be changed, which saves looking whether it is visible."""
    if isinstance(node, FunctionDef):
        return not node.args.defaults and not any(node.args.kw_defaults)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
