"""What the sub-expressions of the line that is about to run come to, for whoever points at one.

The one idea: a sub-expression that is pure is calculated from the locals; one that is not, say a call, has
the value that was written when the line ran, if that is known: found by place in a recorded run,
and by its text with operands filled in otherwise. Nothing is run, and nothing is predicted for it.
"""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections.abc import Iterator, Mapping

from opencwm.debugger.display import percent
from opencwm.debugger.execution import Execution, FrameView, Origin, Value
from opencwm.debugger.foreseeing.expressions import ExpressionError, Result, Undecided, evaluate, parsed
from opencwm.traces import Evaluation, StepKind

MAX_NODES = 60
"""Most sub-expressions of one line that are looked at."""
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Statement = ast.stmt | ast.ExceptHandler | ast.match_case


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """A sub-expression whose value is known.

    Attributes:
        lineno: its 1-based line.
        col: its first column, in characters from 0.
        end_col: the column after its last character.
        value: rendered.
        how: where the value comes from, in words.
    """

    lineno: int
    col: int
    end_col: int
    value: str
    how: str


class SubExpressions:
    """The sub-expressions of a program, by line.

    Args:
        text: the program; one that does not parse has none.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._nodes: dict[int, list[ast.expr]] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in _expressions(tree):
            if node.lineno == node.end_lineno:
                self._nodes.setdefault(node.lineno, []).append(node)

    def at(self, execution: Execution, index: int) -> Iterator[Known]:
        """Yield what is known of the line that is about to run at step ``index``."""
        view = execution.get(index)
        if view is None or view.malformed is not None or view.step.kind is not StepKind.LINE:
            return
        lineno = view.step.lineno
        frame = execution.stack_at(index)[-1]
        texts = {name: value.text for name, value in frame.locals.items()}
        written = tuple(_written(execution, index))
        for node in self._nodes.get(lineno, ())[:MAX_NODES]:
            col, end_col = (
                self._column(lineno, node.col_offset),
                self._column(lineno, node.end_col_offset or 0),
            )
            found = self._known(node, texts, frame, written, (col, end_col), view.origin)
            if found is not None:
                yield Known(lineno, col, end_col, *found)

    def written_value(self, execution: Execution, index: int, expression: str) -> tuple[str, str] | None:
        """Return value and source of an expression that the line at step ``index`` evaluates, if known."""
        view = execution.get(index)
        if view is None or view.step.kind is not StepKind.LINE:
            return None
        try:
            node = parsed(expression.strip()).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        frame = execution.stack_at(index)[-1]
        texts = {name: value.text for name, value in frame.locals.items()}
        return _lookup(node, texts, tuple(_written(execution, index)), None, view.origin)

    def _known(
        self,
        node: ast.expr,
        texts: Mapping[str, str],
        frame: FrameView,
        written: tuple[Evaluation, ...],
        place: tuple[int, int],
        origin: Origin,
    ) -> tuple[str, str] | None:
        source = self._lines[node.lineno - 1][place[0] : place[1]]
        try:
            result = evaluate(source, texts)
        except (Undecided, ExpressionError):
            return _lookup(node, texts, written, place, origin)
        return result.text, calculated(result, frame.locals)

    def _column(self, lineno: int, offset: int) -> int:
        """Return the character at a byte offset, which is what ``ast`` counts in."""
        return len(
            self._lines[lineno - 1].encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "replace")
        )


def calculated(result: Result, values: Mapping[str, Value]) -> str:
    """Say what a calculated value rests on."""
    known = [values[name].probability for name in result.names if name in values]
    said = [p for p in known if p is not None]
    if said:
        return f"calculated from predicted values, the least sure {percent(min(said))}"
    return "calculated"


def _expressions(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what has a value when its line runs, outermost first; not what stands in a scope of its own."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.expr):
            is_read = isinstance(getattr(child, "ctx", None), ast.Load | None)
            if is_read and not isinstance(
                child, ast.Name | ast.Constant | ast.Starred | ast.Slice | ast.Lambda
            ):
                yield child
            if isinstance(child, _SCOPES):
                continue
        if not isinstance(child, ast.arguments):
            yield from _expressions(child)


def _written(execution: Execution, index: int) -> Iterator[Evaluation]:
    """Yield what is known to be evaluated by the line of step ``index``, without predicting."""
    view = execution.get(index)
    if view is None:
        return
    depth, lineno = view.step.depth, view.step.lineno
    for later in range(index + 1, execution.num_known):
        following = execution.get(later)
        if following is None or following.malformed is not None:
            return
        yield from (item for item in following.step.evaluations if item.lineno == lineno)
        if following.step.depth <= depth:
            return


def _lookup(
    node: ast.expr,
    texts: Mapping[str, str],
    written: tuple[Evaluation, ...],
    place: tuple[int, int] | None,
    origin: Origin,
) -> tuple[str, str] | None:
    how = "observed when the line ran" if origin is Origin.VERIFIED else "predicted for this line"
    for item in written:
        if place is not None and item.end_col and (item.col, item.end_col) == place:
            return item.value, how
    wanted = _filled(node, texts, written)
    for item in written:
        if wanted is not None and _canonical(item.text) == wanted:
            return item.value, how
    return None


def _filled(node: ast.expr, texts: Mapping[str, str], written: tuple[Evaluation, ...]) -> str | None:
    """Return an expression with the values of its operands filled in, in canonical form."""

    def value_of(part: ast.expr) -> ast.expr | None:
        if isinstance(part, ast.Constant):
            return part
        try:
            return parsed(evaluate(ast.unparse(part), texts).text).body
        except (Undecided, ExpressionError, SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        try:
            if isinstance(part, ast.Name):
                return parsed(texts[part.id]).body if part.id in texts else part
            inner = _filled(part, texts, written)
            found = next((item.value for item in written if _canonical(item.text) == inner), None)
            return None if found is None else parsed(found).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    class Filler(ast.NodeTransformer):
        is_whole = True

        def visit(self, part: ast.AST) -> ast.AST:
            if part is node or not isinstance(part, ast.expr) or isinstance(part, ast.Starred):
                return self.generic_visit(part)
            is_callee = isinstance(node, ast.Call) and part is node.func
            if is_callee and isinstance(part, ast.Attribute):
                return self.generic_visit(part)
            if is_callee:
                return part
            value = value_of(part)
            self.is_whole = self.is_whole and value is not None
            return value if value is not None else part

    try:
        copy = parsed(ast.unparse(node)).body
        node = copy
        filler = Filler()
        text = ast.unparse(filler.visit(copy))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return text if filler.is_whole else None


def _canonical(text: str) -> str | None:
    try:
        return ast.unparse(parsed(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
