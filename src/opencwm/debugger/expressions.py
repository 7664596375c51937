"""Evaluate Python expressions over values that are only known as text, without running anything.

The one idea: a value's text that is a literal stands for its value; an allow-list of pure operations works on
those, within bounds; whatever depends on anything else is *undecided*, which is an answer and not an error.
There is no ``eval``.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MAX_OPERATIONS = 20_000
MAX_SIZE = 100_000
"""Most characters or elements of a result."""
MAX_BITS = 20_000
"""Most bits of an integer."""


class Undecided(Exception):  # noqa: N818 - a result, not a failure
    """The expression's value cannot be known from the texts at hand; the message says why."""


class ExpressionError(Exception):
    """The expression is not valid, not allowed, or raises; the message reads like Python's own."""


class UnsupportedError(ExpressionError):
    """The expression is valid, but has a form that is not worked out here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What an expression evaluated to.

    Attributes:
        value: the Python value, made of literals.
        text: its ``repr``.
        names: the variables it was computed from.
    """

    value: Any
    text: str
    names: frozenset[str]


def evaluate(expression: str, texts: Mapping[str, str]) -> Result:
    """Evaluate ``expression``.

    Args:
        expression: one Python expression of literals, variables, operators, subscripts, comparisons,
            comprehensions, pure built-in functions and pure methods of built-in types.
        texts: variable -> its rendered value.

    Raises:
        Undecided: a variable is unknown, or its text is no literal (an object, a value that was cut).
        ExpressionError: not valid, not allowed, too large, or the operation raises.
    """
    try:
        tree = parsed(expression.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"SyntaxError: {getattr(error, 'msg', None) or error}") from None
    evaluation = _Evaluation(texts)
    try:
        value = evaluation.visit(tree.body, {})
        text = repr(value)
    except (Undecided, ExpressionError):
        raise
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None
    except Exception as error:
        raise ExpressionError(
            f"{type(error).__name__}: {error}"
        ) from None  # what the operation raises is the answer
    if callable(value) and not isinstance(value, type):
        raise ExpressionError(f"{expression.strip()} is a function")
    return Result(value, text, frozenset(evaluation.used))


def parsed(text: str) -> ast.Expression:
    """Return the syntax tree of an expression, without warnings of what is odd about it.

    Raises:
        SyntaxError: it is none; ValueError, RecursionError, MemoryError: as :func:`ast.parse`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval")


def literal(text: str) -> Any:
    """Return the value a rendered text stands for.

    Raises:
        Undecided: it is no literal, or it was cut.
    """
    special = {
        "set()": set(),
        "frozenset()": frozenset(),
        "nan": float("nan"),
        "inf": float("inf"),
        "-inf": float("-inf"),
    }
    if text in special:
        return special[text]
    try:
        tree = parsed(text)
        if any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in ast.walk(tree)):
            raise Undecided(f"its value is shown only in part: {_short(text)}")
        return ast.literal_eval(tree)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise Undecided(f"its value {_short(text)} is no literal") from None


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


_ALLOWED: list[Any] = [
    *(
        abs,
        all,
        any,
        ascii,
        bin,
        bool,
        bytes,
        chr,
        complex,
        dict,
        divmod,
        enumerate,
        float,
        frozenset,
        hex,
        int,
    ),
    *(
        isinstance,
        len,
        list,
        max,
        min,
        oct,
        ord,
        range,
        repr,
        reversed,
        round,
        set,
        sorted,
        str,
        sum,
        tuple,
        type,
    ),
    zip,
]
_FUNCTIONS: dict[str, Any] = {function.__name__: function for function in _ALLOWED}

_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        """capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit
        isidentifier islower isnumeric isprintable isspace istitle isupper join lower lstrip partition
        removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines startswith
        strip swapcase title upper""".split()  # noqa: SIM905
    ),
    bytes: frozenset({"count", "endswith", "find", "hex", "index", "lower", "startswith", "strip", "upper"}),
    list: frozenset({"copy", "count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"copy", "get", "items", "keys", "values"}),
    set: frozenset({"copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}),
    frozenset: frozenset({"difference", "intersection", "isdisjoint", "issubset", "issuperset", "union"}),
    int: frozenset({"bit_length", "bit_count"}),
    float: frozenset({"is_integer"}),
}

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}

_SIZED = (str, bytes, list, tuple, dict, set, frozenset, range)
_Names = Mapping[str, Any]


class _Evaluation:
    """One evaluation: the variables it may read, and what it has used of its allowance."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.used: set[str] = set()
        self.operations = 0

    def visit(self, node: ast.expr, bound: _Names) -> Any:
        """Evaluate ``node``; ``bound`` holds the variables of comprehensions around it."""
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise ExpressionError("the expression takes too long")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise UnsupportedError(f"{ast.unparse(node)} is not supported here")
        value = _sized(method(node, bound))
        if isinstance(value, _SIZED):
            self.operations += len(value) // 16
        return value

    def _constant(self, node: ast.Constant, _: _Names) -> Any:
        return node.value

    def _name(self, node: ast.Name, bound: _Names) -> Any:
        if node.id in bound:
            return bound[node.id]
        if node.id in self.texts:
            self.used.add(node.id)
            try:
                return literal(self.texts[node.id])
            except Undecided as error:
                raise Undecided(f"{node.id}: {error}") from None
        if node.id in _FUNCTIONS:
            return _FUNCTIONS[node.id]
        raise Undecided(f"{node.id} is no local variable here")

    def _tuple(self, node: ast.Tuple, bound: _Names) -> Any:
        return tuple(self._elements(node.elts, bound))

    def _list(self, node: ast.List, bound: _Names) -> Any:
        return list(self._elements(node.elts, bound))

    def _set(self, node: ast.Set, bound: _Names) -> Any:
        return set(self._elements(node.elts, bound))

    def _elements(self, nodes: Iterable[ast.expr], bound: _Names) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.visit(node.value, bound)
            else:
                yield self.visit(node, bound)

    def _dict(self, node: ast.Dict, bound: _Names) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self.visit(value, bound))
            else:
                found[self.visit(key, bound)] = self.visit(value, bound)
        return found

    def _unaryop(self, node: ast.UnaryOp, bound: _Names) -> Any:
        return _UNARY[type(node.op)](self.visit(node.operand, bound))

    def _binop(self, node: ast.BinOp, bound: _Names) -> Any:
        left, right = self.visit(node.left, bound), self.visit(node.right, bound)
        if type(node.op) not in _BINARY:
            raise UnsupportedError(f"{ast.unparse(node)} is not supported here")
        _check_size(node.op, left, right)
        return _BINARY[type(node.op)](left, right)

    def _boolop(self, node: ast.BoolOp, bound: _Names) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self.visit(part, bound)
            if bool(value) is wanted:
                break
        return value

    def _compare(self, node: ast.Compare, bound: _Names) -> Any:
        left = self.visit(node.left, bound)
        result: Any = True
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.visit(right_node, bound)
            identity = isinstance(op, ast.Is | ast.IsNot)
            if identity and not any(side is None or isinstance(side, bool) for side in (left, right)):
                raise Undecided("identity of objects is not known")
            result = _COMPARISONS[type(op)](left, right)
            if not result:
                break
            left = right
        return result

    def _ifexp(self, node: ast.IfExp, bound: _Names) -> Any:
        return self.visit(node.body if self.visit(node.test, bound) else node.orelse, bound)

    def _subscript(self, node: ast.Subscript, bound: _Names) -> Any:
        return self.visit(node.value, bound)[self.visit(node.slice, bound)]

    def _slice(self, node: ast.Slice, bound: _Names) -> Any:
        parts = [
            None if part is None else self.visit(part, bound) for part in (node.lower, node.upper, node.step)
        ]
        return slice(*parts)

    def _call(self, node: ast.Call, bound: _Names) -> Any:
        args = list(self._elements(node.args, bound))
        if any(keyword.arg is None or keyword.arg == "key" for keyword in node.keywords):
            raise UnsupportedError("** and key= are not supported here")
        keywords = {keyword.arg or "": self.visit(keyword.value, bound) for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute):
            target = self.visit(node.func.value, bound)
            if node.func.attr not in _METHODS.get(type(target), ()):
                raise UnsupportedError(f"{type(target).__name__}.{node.func.attr} is not supported here")
            _check_growth(node.func.attr, target, args)
            return _plain(getattr(target, node.func.attr)(*args, **keywords))
        function = self.visit(node.func, bound)
        if not any(function is known for known in _FUNCTIONS.values()):
            raise UnsupportedError(f"{ast.unparse(node.func)} cannot be called here")
        if function is type and len(args) != 1:
            raise UnsupportedError("only type(x) is supported here")
        if (
            function in (bytes, str, list, tuple)
            and args
            and isinstance(args[0], int)
            and args[0] is not True
        ):
            _check_count(args[0])
        return _plain(function(*args, **keywords))

    def _attribute(self, node: ast.Attribute, _: _Names) -> Any:
        raise Undecided(f"attributes such as {ast.unparse(node)} are not known")

    def _joinedstr(self, node: ast.JoinedStr, bound: _Names) -> Any:
        return "".join(str(self.visit(part, bound)) for part in node.values)

    def _formattedvalue(self, node: ast.FormattedValue, bound: _Names) -> Any:
        value = self.visit(node.value, bound)
        conversions: dict[int, Callable[[Any], str]] = {ord("r"): repr, ord("s"): str, ord("a"): ascii}
        convert = conversions.get(node.conversion)
        spec = "" if node.format_spec is None else str(self.visit(node.format_spec, bound))
        if sum(character.isdigit() for character in spec) > 4:
            raise ExpressionError("the result is too large")
        return format(convert(value) if convert else value, spec)

    def _listcomp(self, node: ast.ListComp, bound: _Names) -> Any:
        return [self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)]

    def _setcomp(self, node: ast.SetComp, bound: _Names) -> Any:
        return {self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)}

    def _generatorexp(self, node: ast.GeneratorExp, bound: _Names) -> Any:
        return [self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)]

    def _dictcomp(self, node: ast.DictComp, bound: _Names) -> Any:
        loops = self._loops(node.generators, bound)
        return {self.visit(node.key, inner): self.visit(node.value, inner) for inner in loops}

    def _loops(self, generators: list[ast.comprehension], bound: _Names) -> Iterator[_Names]:
        if not generators:
            yield bound
            return
        first, *rest = generators
        for item in self.visit(first.iter, bound):
            inner = {**bound, **_unpacked(first.target, item)}
            if all(self.visit(test, inner) for test in first.ifs):
                yield from self._loops(rest, inner)


def _unpacked(target: ast.expr, value: Any) -> dict[str, Any]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List) and not any(
        isinstance(item, ast.Starred) for item in target.elts
    ):
        found: dict[str, Any] = {}
        for item, part in zip(target.elts, value, strict=True):
            found |= _unpacked(item, part)
        return found
    raise UnsupportedError(f"the loop target {ast.unparse(target)} is not supported here")


def _plain(value: Any) -> Any:
    """Turn iterators and views into lists, so that every value has a repr that says what it is."""
    if isinstance(value, type):
        return value
    if hasattr(value, "__next__") or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return list(value)
    return value


def _sized(value: Any) -> Any:
    """Return ``value`` unless it is too large."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError("the result is too large")
    if (
        isinstance(value, str | bytes | list | tuple | dict | set | frozenset | range)
        and len(value) > MAX_SIZE
    ):
        raise ExpressionError("the result is too large")
    return value


def _check_count(count: int) -> None:
    if count > MAX_SIZE:
        raise ExpressionError("the result is too large")


def _check_size(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse an operation before it makes something huge."""
    if isinstance(op, ast.Mult):
        for sequence, count in ((left, right), (right, left)):
            if isinstance(count, int) and isinstance(sequence, str | bytes | list | tuple):
                _check_count(len(sequence) * count)
    elif isinstance(op, ast.Pow | ast.LShift) and isinstance(left, int) and isinstance(right, int):
        bits = right if isinstance(op, ast.LShift) else left.bit_length() * right
        if bits > MAX_BITS:
            raise ExpressionError("the result is too large")
    elif isinstance(op, ast.Mod) and isinstance(left, str | bytes):
        raise UnsupportedError("% formatting is not supported here")


def _check_growth(method: str, target: Any, args: list[Any]) -> None:
    if method == "replace" and len(args) > 1 and isinstance(target, str) and isinstance(args[1], str):
        _check_count((len(target) + 1) * (len(args[1]) + 1))
    elif method == "join" and args and isinstance(target, str):
        _check_count(len(target) * len(args[0]) + sum(len(item) for item in args[0] if isinstance(item, str)))
