"""Assumptions about what cannot be known, as a user writes them.

::

    assumption := target ":" shape              see :mod:`opencwm.debugger.shapes`: its value is made up
                | name "=" value
                | call "->" value
                | call "->" "file" STRING       a file, open for reading, that holds this text
                | call "raises" exception
    target     := name | call
    name       := NAME ("." NAME)*              an argument, a variable, or an attribute of what is imported
    call       := a call as it stands in the program. "..." among its arguments stands for any arguments,
                  "_" for any expression: requests.get(...), _.json(), open('a.txt', ...).read()
    value      := an expression of literals and pure operations, which is worked out
    exception  := NAME ["(" value, ... ")"]

Nothing here knows a program: what an assumption means in one is for :mod:`opencwm.debugger.assumed` to say.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import io
import tokenize
import warnings
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate
from opencwm.debugger.shapes import made_up

MAX_CHARS: Final = 20_000
"""Longest assumption."""


class AssumptionKind(enum.StrEnum):
    """What is assumed."""

    VALUE = "value"  # it has, or gives, this value
    FILE = "file"  # it gives a file that holds this text
    RAISES = "raises"  # it raises this exception


@dataclasses.dataclass(frozen=True, slots=True)
class Assumption:
    """One assumption.

    Attributes:
        text: as it was written.
        target: what it is about, as an expression: a name, an attribute or a call.
        kind: what is assumed.
        value: expression text of the value, the text of the file, or the exception.
        is_made_up: only the shape of the value was given.
    """

    text: str
    target: str
    kind: AssumptionKind
    value: str
    is_made_up: bool = False

    @property
    def name(self) -> str | None:
        """The plain name that it is about; None for an attribute or a call."""
        return self.target if self.target.isidentifier() else None

    @property
    def pattern(self) -> ast.expr:
        """The syntax tree of the target."""
        return _expression(self.target)

    def describe(self) -> str:
        """Say in words what is assumed."""
        if self.kind is AssumptionKind.RAISES:
            return f"{self.target} raises {self.value}"
        if self.kind is AssumptionKind.FILE:
            return f"{self.target} is a file that holds {self.value}"
        verb = "is" if not self.target.endswith(")") else "gives"
        return f"{self.target} {verb} {self.value}" + (" (made up)" if self.is_made_up else "")


_EXAMPLES: Final = (
    "write it like x = [1, 2], df: list of 3 dicts with keys 'a', 'b', requests.get(...) -> 'text'"
    " or open(...) raises OSError('gone')"
)


def parse_assumption(text: str) -> Assumption:
    """Read one assumption.

    Raises:
        ConfigError: it is none; the hint shows how to write one.
    """
    text = text.strip()
    if len(text) > MAX_CHARS:
        raise _wrong(text[:40] + "...", f"an assumption has at most {MAX_CHARS} characters")
    if "\n" in text or "\r" in text:
        raise _wrong(text, "an assumption stands on one line")
    split = _split(text)
    if split is None:
        raise _wrong(text, "there is no '=', ':', '->' or 'raises' in it")
    left, sign, right = split
    target = _target(text, left)
    is_call = isinstance(target, ast.Call)
    if not right:
        raise _wrong(text, f"nothing follows {sign!r}")
    if sign == "raises":
        _require_call(text, is_call, "raises")
        return Assumption(text, ast.unparse(target), AssumptionKind.RAISES, _exception(text, right))
    if sign == ":":
        try:
            return Assumption(
                text, ast.unparse(target), AssumptionKind.VALUE, made_up(right), is_made_up=True
            )
        except ConfigError as error:
            raise ConfigError(error.what, where=_where(text), hint=error.hint) from None
    if sign == "=" and is_call:
        raise _wrong(text, "what a call gives stands after '->'")
    if sign == "->":
        _require_call(text, is_call, "->")
        content = _file_content(text, right)
        if content is not None:
            return Assumption(text, ast.unparse(target), AssumptionKind.FILE, content)
    return Assumption(text, ast.unparse(target), AssumptionKind.VALUE, _value(text, right))


def _where(text: str) -> str:
    return f"assumption {text!r}"


def _wrong(text: str, problem: str) -> ConfigError:
    return ConfigError(problem, where=_where(text), hint=_EXAMPLES)


def _require_call(text: str, is_call: bool, sign: str) -> None:
    if not is_call:
        raise _wrong(text, f"before {sign!r} stands a call, such as f(...)")


def _split(text: str) -> tuple[str, str, str] | None:
    """Cut an assumption at its sign: the first that stands outside of brackets and strings.

    Raises:
        ConfigError: it cannot be cut into tokens.
    """
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
            sign = token.string
            if depth == 0 and (
                (token.type == tokenize.OP and sign in ("=", ":", "->"))
                or (token.type == tokenize.NAME and sign == "raises" and token.start[1] > 0)
            ):
                return text[: token.start[1]].strip(), sign, text[token.end[1] :].strip()
    except (tokenize.TokenError, SyntaxError) as error:
        raise _wrong(text, f"not valid Python: {error.args[0]}") from None
    return None


def _expression(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _parsed(text: str, part: str, what: str) -> ast.expr:
    try:
        return _expression(part)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _wrong(text, f"{what} is no expression: {getattr(error, 'msg', None) or error}") from None


def _target(text: str, left: str) -> ast.expr:
    if not left:
        raise _wrong(text, "it does not say what it is about")
    node = _parsed(text, left, repr(left))
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute | ast.Call):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    is_name = isinstance(node, ast.Name | ast.Attribute) and not any(
        isinstance(item, ast.Call) for item in ast.walk(node)
    )
    if not isinstance(inner, ast.Name) or not (is_name or isinstance(node, ast.Call)):
        raise _wrong(text, f"{left!r} is neither a name nor a call")
    if isinstance(node, ast.Name) and node.id == "_":
        raise _wrong(text, "'_' stands for any expression, and so for none")
    return node


def _value(text: str, right: str) -> str:
    """Return the text of the value that an expression has."""
    try:
        found = evaluate(right, {})
    except (ExpressionError, Undecided) as error:
        raise _wrong(text, f"{right!r} has no value that can be worked out: {error}") from None
    if isinstance(found.value, type) or len(found.text) > MAX_CHARS or not _is_plain(found.text):
        raise _wrong(text, f"{right!r} cannot be written as a literal")
    return found.text


def _is_plain(text: str) -> bool:
    """Whether a text is an expression of literals that gives the value it stands for."""
    try:
        return all(
            not isinstance(node, ast.Name | ast.Attribute) and getattr(node, "value", None) is not Ellipsis
            for node in ast.walk(_expression(text))
        ) or text in ("set()", "frozenset()")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _file_content(text: str, right: str) -> str | None:
    """Return the literal of a file's text; None when no file is meant."""
    word, _, rest = right.partition(" ")
    if word != "file":
        return None
    node = _parsed(text, rest.strip() or "None", "what follows 'file'")
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise _wrong(text, "after 'file' stands its text as a string")
    return repr(node.value)


def _exception(text: str, right: str) -> str:
    node = _parsed(text, right, repr(right))
    name = node.func if isinstance(node, ast.Call) else node
    dotted: ast.expr = name
    while isinstance(dotted, ast.Attribute):
        dotted = dotted.value
    if not isinstance(dotted, ast.Name) or (isinstance(node, ast.Call) and node.keywords):
        raise _wrong(text, "after 'raises' stands an exception, such as OSError('gone')")
    if not isinstance(node, ast.Call):
        return ast.unparse(node)
    values = [_value(text, ast.unparse(item)) for item in node.args]
    return f"{ast.unparse(name)}({', '.join(values)})"
