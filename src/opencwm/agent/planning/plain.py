"""A test's body in plain Python: what pytest and unittest check becomes ``if`` and ``try``.

``assert x == y`` becomes ``if not x == y: raise AssertionError``, so that a failing test is a line that is
reached; ``pytest.raises`` becomes ``try`` with ``else``. Every statement keeps the line it is from. What
cannot be said that way is refused with the reason (:class:`CannotSayError`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

MESSAGE: Final = "expected_message"
"""The local that holds, where an expected exception is caught, what its message must contain."""
NOT_RAISED: Final = "DID NOT RAISE"
_PLAIN_PATTERN: Final = re.compile(r"[^\\.^$*+?{}\[\]|()]*")
_TOLERANCE: Final = 1e-6
_LEAST_TOLERANCE: Final = 1e-12
_Statement = TypeVar("_Statement", bound=ast.stmt)


class CannotSayError(Exception):
    """Why a test cannot be predicted, in a few words."""


def _compared(operator: type[ast.cmpop]) -> Callable[[ast.expr, ast.expr], ast.expr]:
    return lambda left, right: ast.Compare(left, [operator()], [right])


def _with_none(operator: type[ast.cmpop]) -> Callable[[ast.expr], ast.expr]:
    return lambda value: ast.Compare(value, [operator()], [ast.Constant(None)])


def _called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _negated(value: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), value)


_CHECKS: Final[Mapping[str, tuple[int, Callable[..., ast.expr]]]] = {
    "assertEqual": (2, _compared(ast.Eq)),
    "assertEquals": (2, _compared(ast.Eq)),
    "assertListEqual": (2, _compared(ast.Eq)),
    "assertTupleEqual": (2, _compared(ast.Eq)),
    "assertDictEqual": (2, _compared(ast.Eq)),
    "assertSetEqual": (2, _compared(ast.Eq)),
    "assertSequenceEqual": (2, _compared(ast.Eq)),
    "assertMultiLineEqual": (2, _compared(ast.Eq)),
    "assertNotEqual": (2, _compared(ast.NotEq)),
    "assertIs": (2, _compared(ast.Is)),
    "assertIsNot": (2, _compared(ast.IsNot)),
    "assertIn": (2, _compared(ast.In)),
    "assertNotIn": (2, _compared(ast.NotIn)),
    "assertGreater": (2, _compared(ast.Gt)),
    "assertGreaterEqual": (2, _compared(ast.GtE)),
    "assertLess": (2, _compared(ast.Lt)),
    "assertLessEqual": (2, _compared(ast.LtE)),
    "assertTrue": (1, lambda value: value),
    "assertFalse": (1, _negated),
    "assertIsNone": (1, _with_none(ast.Is)),
    "assertIsNotNone": (1, _with_none(ast.IsNot)),
    "assertIsInstance": (2, lambda value, kind: _called("isinstance", value, kind)),
    "assertNotIsInstance": (2, lambda value, kind: _negated(_called("isinstance", value, kind))),
    "assertCountEqual": (
        2,
        lambda left, right: ast.Compare(_called("sorted", left), [ast.Eq()], [_called("sorted", right)]),
    ),
    "assertAlmostEqual": (
        2,
        lambda left, right: ast.Compare(
            _called("round", ast.BinOp(left, ast.Sub(), right), ast.Constant(7)),
            [ast.Eq()],
            [ast.Constant(0)],
        ),
    ),
}
"""What unittest checks: how many arguments count, and what must hold of them."""


def plain_body(
    body: Sequence[ast.stmt], names: Mapping[str, str], own: Mapping[str, str] | None = None
) -> list[ast.stmt]:
    """Return the statements of a test in plain Python; the given ones are changed.

    Args:
        body: of the test.
        names: what names that the test's module imports mean, with dots: ``raises`` -> ``pytest.raises``.
        own: of a method, what its first parameter is called -> the prefix of the locals that its attributes
            become.

    Raises:
        CannotSayError: something has no plain form.
    """
    plain = _Plain(names, dict(own or {}))
    return plain.all_of(body)


class _Plain(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], own: Mapping[str, str]) -> None:
        self._names = names
        self._own = own

    def all_of(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return statements in plain form."""
        made: list[ast.stmt] = []
        for statement in body:
            found = self.visit(statement)
            made += found if isinstance(found, list) else [found]
        return made

    def visit_AsyncFunctionDef(self, _: ast.AsyncFunctionDef) -> ast.AST:
        """Refuse coroutines."""
        raise CannotSayError("defines a coroutine")

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Turn ``assert x`` into ``if not x: raise AssertionError``."""
        return self._check(self.visit(node.test), node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        """Turn what unittest checks into the same."""
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if not (
            isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Name)
            and called.value.id in self._own
            and isinstance(node.value, ast.Call)
        ):
            return self.generic_visit(node)
        arguments = [self.visit(argument) for argument in node.value.args]
        if called.attr == "fail":
            return self._check(ast.Constant(False), node)
        if called.attr == "assertRaises" and len(arguments) > 1:
            call = ast.Call(arguments[1], arguments[2:], node.value.keywords)
            return self._raises(node, arguments[0], None, [ast.Expr(call)])
        if called.attr not in _CHECKS:
            raise CannotSayError(f"self.{called.attr}")
        count, check = _CHECKS[called.attr]
        if len(arguments) < count or any(word.arg not in ("msg", None) for word in node.value.keywords):
            raise CannotSayError(f"self.{called.attr} with other arguments")
        return self._check(check(*arguments[:count]), node)

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        """Turn an expected exception into ``try``."""
        expected = self._expected(node.items[0].context_expr) if len(node.items) == 1 else None
        if expected is None:
            return self.generic_visit(node)
        if node.items[0].optional_vars is not None:
            raise CannotSayError("looks at an exception")
        return self._raises(node, *expected, self.all_of(node.body))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Turn a comparison with ``pytest.approx`` into one with a tolerance."""
        right = node.comparators[0]
        if len(node.ops) != 1 or not isinstance(right, ast.Call):
            return self.generic_visit(node)
        if self._meaning(right.func) != "pytest.approx":
            return self.generic_visit(node)
        if len(right.args) != 1 or right.keywords or not isinstance(node.ops[0], ast.Eq):
            raise CannotSayError("pytest.approx with other arguments")
        if isinstance(right.args[0], ast.List | ast.Tuple | ast.Dict):
            raise CannotSayError("pytest.approx of a container")
        left, wanted = self.visit(node.left), self.visit(right.args[0])
        tolerance = ast.BinOp(ast.Constant(_TOLERANCE), ast.Mult(), _called("abs", wanted))
        return ast.Compare(
            _called("abs", ast.BinOp(left, ast.Sub(), wanted)),
            [ast.LtE()],
            [_called("max", tolerance, ast.Constant(_LEAST_TOLERANCE))],
        )

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Turn attributes of the test's object into locals."""
        if isinstance(node.value, ast.Name) and node.value.id in self._own:
            return ast.copy_location(ast.Name(f"{self._own[node.value.id]}{node.attr}", node.ctx), node)
        self._refuse(node)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Refuse what only a run knows."""
        if node.id in self._own:
            raise CannotSayError("uses the object of its test class")
        self._refuse(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Refuse calls of the test's own methods."""
        called = node.func
        holder = called.value if isinstance(called, ast.Attribute) else None
        if isinstance(called, ast.Attribute) and isinstance(holder, ast.Name) and holder.id in self._own:
            raise CannotSayError(f"self.{called.attr}")
        return self.generic_visit(node)

    def _refuse(self, node: ast.expr) -> None:
        meaning = self._meaning(node)
        first = meaning.partition(".")[0]
        if first in ("pytest", "unittest", "mock", "hypothesis"):
            raise CannotSayError(meaning)

    def _meaning(self, node: ast.expr) -> str:
        """Return what a name with dots means; empty when it is none that is imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._names:
            return ""
        return ".".join([self._names[node.id], *reversed(parts)])

    def _expected(self, node: ast.expr) -> tuple[ast.expr, str | None] | None:
        """Return the exception that a ``with`` waits for, and what its message must contain."""
        if not isinstance(node, ast.Call):
            return None
        called = node.func
        is_own = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
        is_own = is_own and called.value.id in self._own  # type: ignore[attr-defined]
        name = called.attr if is_own else self._meaning(called)  # type: ignore[attr-defined]
        if name not in ("pytest.raises", "assertRaises", "assertRaisesRegex"):
            return None
        patterns = [word.value for word in node.keywords if word.arg == "match"] + node.args[1:2]
        if len(node.args) not in (1, 2) or len(patterns) > 1 or len(node.keywords) > 1:
            raise CannotSayError(f"{name} with other arguments")
        message = None
        if patterns and isinstance(patterns[0], ast.Constant) and isinstance(patterns[0].value, str):
            message = patterns[0].value if _PLAIN_PATTERN.fullmatch(patterns[0].value) else None
        return self.visit(node.args[0]), message

    def _raises(
        self, node: ast.stmt, kind: ast.expr, message: str | None, body: list[ast.stmt]
    ) -> list[ast.stmt]:
        caught: ast.stmt = ast.Pass()
        if message is not None:
            caught = ast.Assign([ast.Name(MESSAGE, ast.Store())], ast.Constant(message))
        failing = ast.Raise(_called("AssertionError", ast.Constant(NOT_RAISED)), None)
        made = ast.Try(body, [ast.ExceptHandler(kind, None, [caught])], [failing], [])
        return [_placed(made, node)]

    def _check(self, condition: ast.expr, node: ast.stmt) -> ast.If:
        failing = ast.Raise(ast.Name("AssertionError", ast.Load()), None)
        return _placed(ast.If(_negated(condition), [failing], []), node)


def _placed(made: _Statement, node: ast.stmt) -> _Statement:
    """Give all of a statement that is new the line of the one it stands for."""
    for part in ast.walk(made):
        if isinstance(part, ast.stmt | ast.expr | ast.excepthandler) and not hasattr(part, "lineno"):
            ast.copy_location(part, node)
    return made
