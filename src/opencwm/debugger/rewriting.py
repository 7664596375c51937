"""Put other expressions and statements into a program's text; every line keeps its number.

What takes the place of several lines is padded within brackets to as many.
"""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import nodes_of, syntax_tree

_SIMPLE = ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Assert | ast.Delete
_SOMETIMES = (
    ast.BoolOp | ast.IfExp | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
)
_TIGHT = ast.Attribute | ast.BinOp | ast.UnaryOp | ast.Subscript | ast.Call


@dataclasses.dataclass(frozen=True, slots=True)
class _Edit:
    start: int  # in bytes
    end: int
    text: str


class Rewriter:
    """A program's text, and what is to take the place of which parts of it.

    Args:
        source: valid Python; its line ends become single newlines.

    Attributes:
        tree: of the source as it is.
        parents: of each node but the module.
        replaced: expressions that something else takes the place of.
    """

    def __init__(self, source: str) -> None:
        self.source = source.replace("\r\n", "\n").replace("\r", "\n")
        self.tree = syntax_tree(self.source)
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in nodes_of(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self.replaced: list[ast.expr] = []
        self._in_strings: dict[ast.JoinedStr, dict[ast.expr, ast.expr]] = {}
        self._edits: list[_Edit] = []
        self._appended: list[str] = []
        self._starts = [0]
        for line in self.source.encode("utf-8", "surrogatepass").split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def find(self, wanted: Callable[[ast.expr], bool]) -> list[ast.expr]:
        """Return the outermost expressions that are ``wanted`` and still there, in the order of the text."""
        found: list[ast.expr] = []

        def visit(node: ast.AST) -> None:
            if node in self.replaced:
                return
            if isinstance(node, ast.expr) and wanted(node):
                found.append(node)
                return
            for child in ast.iter_child_nodes(node):
                visit(child)

        visit(self.tree)
        return found

    def put(self, node: ast.expr, text: str) -> None:
        """Put an expression in the place of another one.

        Within an f-string the whole string is written anew: before Python 3.12 there is no telling where in
        it an expression stands, nor may its text hold the quotes of the string or a backslash.

        Raises:
            ConfigError: it stands within an f-string that this Python cannot write with it.
        """
        parent = self.parents.get(node)
        if isinstance(parent, ast.Await):  # a coroutine is not what is assumed: its result is
            node = parent
        strings = [item for item in self.around(node) if isinstance(item, ast.JoinedStr)]
        if strings:
            self._put_in_string(strings[-1], node, text)
            return
        is_number = text[:1] in "-0123456789"
        if is_number and isinstance(parent, _TIGHT):
            text = f"({text})"
        self.replaced.append(node)
        num_lines = (node.end_lineno or node.lineno) - node.lineno
        self._edit(node, f"({text}{chr(10) * num_lines})" if num_lines else text)

    def _put_in_string(self, string: ast.JoinedStr, node: ast.expr, text: str) -> None:
        self.replaced.append(node)
        within = self._in_strings.setdefault(string, {})
        within[node] = _expression(text)
        problem = "it holds a line break"
        try:
            whole = ast.unparse(_exchanged(string, within))
        except ValueError as error:  # quotes and backslashes that do not fit, before Python 3.12
            whole, problem = "", str(error)
        num_lines = (string.end_lineno or string.lineno) - string.lineno - whole.count("\n")
        if not whole or num_lines < 0:
            raise ConfigError(
                f"{text} cannot stand within the f-string: {problem}",
                where=f"line {node.lineno}",
                hint="give its value a name before it is formatted",
            )
        self._edit(string, f"({whole}{chr(10) * num_lines})" if num_lines else whole)

    def put_statement(self, node: ast.stmt, text: str) -> None:
        """Put a simple statement in the place of another one."""
        self.replaced += [item for item in ast.iter_child_nodes(node) if isinstance(item, ast.expr)]
        num_lines = (node.end_lineno or node.lineno) - node.lineno
        self._edit(node, f"{text}; ({chr(10) * num_lines})" if num_lines else text)

    def append(self, line: str) -> None:
        """Add a line at the end of the program."""
        self._appended.append(line)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node stands in, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def statement_that_always_evaluates(self, node: ast.expr) -> ast.stmt | None:
        """Return the simple statement that evaluates a node whenever it runs; None when there is none."""
        for parent in self.around(node):
            if isinstance(parent, _SOMETIMES):
                return None
            if isinstance(parent, ast.stmt):
                return parent if isinstance(parent, _SIMPLE) else None
        return None

    def is_replaced(self, node: ast.AST) -> bool:
        """Whether a node is gone, because something else takes its place."""
        return node in self.replaced or any(parent in self.replaced for parent in self.around(node))

    def text(self) -> str:
        """Return the text with everything in its place.

        Raises:
            ConfigError: it would not be valid Python.
        """
        data = self.source.encode("utf-8", "surrogatepass")
        for edit in sorted(self._edits, key=lambda item: item.start, reverse=True):
            data = data[: edit.start] + edit.text.encode("utf-8", "surrogatepass") + data[edit.end :]
        text = data.decode("utf-8", "surrogatepass")
        if self._appended:
            text = "".join([text.rstrip("\n"), "\n", *(f"{line}\n" for line in self._appended)])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"the assumptions cannot be put into the program: {error}") from None
        return text

    def _edit(self, node: ast.expr | ast.stmt, text: str) -> None:
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        self._edits = [edit for edit in self._edits if not start <= edit.start < end]  # they go with it
        self._edits.append(_Edit(start, end, text))


def _expression(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _exchanged(node: ast.AST, others: Mapping[ast.expr, ast.expr]) -> ast.AST:
    """Return a copy of a tree with other expressions in the place of some."""
    if isinstance(node, ast.expr) and node in others:
        return others[node]

    def copied(value: Any) -> Any:
        if isinstance(value, list):
            return [copied(item) for item in value]
        return _exchanged(value, others) if isinstance(value, ast.AST) else value

    return type(node)(**{name: copied(value) for name, value in ast.iter_fields(node)})


def own_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a scope: those in its blocks, not in the functions and classes it defines."""
    for node in body:
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from own_statements(getattr(node, field, []))
        for inner in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
            yield from own_statements(inner.body)
