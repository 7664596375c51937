"""Shapes of unknown values, in words or as a type, and a small value of each shape.

::

    shape  := ["a" | "an"] kind
    kind   := "int" | "float" | "str" | "bool" | "bytes" | "None"          also in the plural, and synonyms
            | ("list" | "tuple" | "set") ["of" [COUNT] shape]
            | "dict" ["with" "keys" key ("," key)* | "of" [COUNT] shape "to" shape]
    key    := STRING [":" shape]

or an annotation: ``list[int]``, ``dict[str, float]``, ``tuple[int, str]``, ``int | None``. What a value holds
is made up, from a fixed sequence: a shape always gives the same value.
"""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from opencwm.core.errors import ConfigError

MAX_COUNT: Final = 100
"""Most elements that a shape may ask for."""

DEFAULT_COUNT: Final = 2
_MAX_NESTING: Final = 8
_MAX_VALUE_CHARS: Final = 10_000
_WORDS: Final = ("red", "blue", "green", "gold", "pink", "grey", "white", "brown")
_ATOMS: Final = ("int", "float", "str", "bool", "bytes", "None")
_MAX_VALUES: Final = 2_000
_COLLECTIONS: Final[dict[str, Callable[[list[Any]], Any]]] = {"list": list, "tuple": tuple, "set": set}
_SYNONYMS: Final = {
    "integer": "int",
    "number": "int",
    "real": "float",
    "string": "str",
    "text": "str",
    "word": "str",
    "boolean": "bool",
    "dictionary": "dict",
    "dictionarie": "dict",  # of the plural
    "mapping": "dict",
    "none": "None",
}
_EXAMPLE: Final = "list of 3 dicts with keys 'a', 'b'"


def made_up(shape: str) -> str:
    """Return the text of a literal of ``shape``.

    Raises:
        ConfigError: it is no shape, or one of a huge value.
    """
    maker = _Maker()
    try:
        value = _annotated(shape, maker)
        if value is _NO_ANNOTATION:
            value = _Reader(shape, maker).read()
    except RecursionError:
        raise ConfigError("the shape is nested too deeply") from None
    text = repr(value)
    if len(text) > _MAX_VALUE_CHARS:
        raise ConfigError(f"a value of this shape has more than {_MAX_VALUE_CHARS} characters")
    return text


class _Maker:
    """Makes up atoms, each another one."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._num_words = itertools.count()
        self._truths = itertools.cycle((True, False))

    def atom(self, kind: str) -> Any:
        """Return a value of a type that holds no others; ``_NO_ATOM`` for any other kind."""
        if kind == "int":
            return next(self._numbers)
        if kind == "float":
            return next(self._numbers) + 0.5
        if kind in ("str", "bytes"):
            lap, place = divmod(next(self._num_words), len(_WORDS))
            word = _WORDS[place] + (str(lap) if lap else "")
            return word if kind == "str" else word.encode()
        if kind == "bool":
            return next(self._truths)
        return None if kind == "None" else _NO_ATOM


_NO_ATOM: Final = object()
_NO_ANNOTATION: Final = object()


def _kind(word: str) -> str:
    """Return the kind that a word names, singular or plural; the word itself when it names none."""
    known = {*_ATOMS, "dict", *_COLLECTIONS, *_SYNONYMS}
    for form in (word, word.lower(), word.lower().removesuffix("s")):
        if form in known:
            return _SYNONYMS.get(form, form)
    return word


class _Reader:
    """Reads a shape in words, from left to right, and makes its value."""

    def __init__(self, text: str, maker: _Maker) -> None:
        self._text = text.strip()
        self._tokens = _tokens(self._text)
        self._place = 0
        self._num_values = 0
        self._maker = maker

    def read(self) -> Any:
        read_one = self._shape(0)
        if self._next is not None:
            raise self._wrong(f"{self._next!r} does not belong there")
        return read_one()

    @property
    def _next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _wrong(self, problem: str) -> ConfigError:
        return ConfigError(f"{self._text!r} is no shape: {problem}", hint=f"write it like {_EXAMPLE}")

    def _take(self, *words: str) -> bool:
        """Go past one of ``words``, if it comes next."""
        if self._next is None or self._next.lower() not in words:
            return False
        self._place += 1
        return True

    def _shape(self, nesting: int) -> Callable[[], Any]:
        """Read a shape; return what makes a value of it, another one each time."""
        if nesting > _MAX_NESTING:
            raise self._wrong("it is nested too deeply")
        self._take("a", "an")
        word = self._next
        if word is None:
            raise self._wrong("something is missing at its end")
        self._place += 1
        kind = _kind(word)
        if kind == "dict":
            return self._dict(nesting)
        if kind in _COLLECTIONS:
            count, element = self._elements(nesting) if self._take("of") else (DEFAULT_COUNT, self._int)
            return lambda: _COLLECTIONS[kind](_hashable(kind, self._several(count, element)))
        if kind not in _ATOMS:
            raise self._wrong(f"{word!r} is no kind of value known here")
        return lambda: self._maker.atom(kind)

    def _several(self, count: int, make: Callable[[], Any]) -> list[Any]:
        self._num_values += count
        if self._num_values > _MAX_VALUES:
            raise self._wrong(f"more than {_MAX_VALUES} values")
        return [make() for _ in range(count)]

    def _int(self) -> Any:
        return self._maker.atom("int")

    def _elements(self, nesting: int) -> tuple[int, Callable[[], Any]]:
        count = self._count()
        return count, self._shape(nesting + 1)

    def _count(self) -> int:
        text = self._next or ""
        if not text.isdecimal():
            return DEFAULT_COUNT
        self._place += 1
        if len(text) > 6 or int(text) > MAX_COUNT:
            raise self._wrong(f"at most {MAX_COUNT} elements")
        return int(text)

    def _dict(self, nesting: int) -> Callable[[], Any]:
        if self._take("of"):
            count, key = self._elements(nesting)
            if not self._take("to"):
                raise self._wrong("after 'dict of KEYS' comes 'to VALUES'")
            value = self._shape(nesting + 1)
            return lambda: dict(_hashable("dict", self._several(count, lambda: (key(), value()))))
        if not self._take("with"):
            return lambda: {self._maker.atom("str"): self._int() for _ in range(DEFAULT_COUNT)}
        if not self._take("keys", "key"):
            raise self._wrong("after 'dict with' comes 'keys'")
        pairs = [self._key(nesting)]
        while self._take(",", "and"):
            pairs.append(self._key(nesting))
        return lambda: {name: value() for name, value in pairs}

    def _key(self, nesting: int) -> tuple[Any, Callable[[], Any]]:
        try:
            key = ast.literal_eval(self._next or "")
        except (ValueError, SyntaxError):
            raise self._wrong("a key is a literal such as 'a'") from None
        self._place += 1
        return key, self._shape(nesting + 1) if self._take(":") else self._int


def _hashable(kind: str, values: list[Any]) -> list[Any]:
    """Return ``values``, which a set or a dictionary is to hold.

    Raises:
        ConfigError: it cannot.
    """
    if kind in ("set", "dict"):
        try:
            hash(tuple(value[0] if kind == "dict" else value for value in values))
        except TypeError:
            raise ConfigError(
                f"a {kind} cannot hold such values", hint="use tuples in place of lists"
            ) from None
    return values


def _tokens(text: str) -> list[str]:
    try:
        found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        raise ConfigError(f"{text!r} is no shape", hint=f"write it like {_EXAMPLE}") from None
    layout = (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
    return [token.string for token in found if token.type not in layout]


def _annotated(text: str, maker: _Maker) -> Any:
    """Return a value of an annotation; ``_NO_ANNOTATION`` when the text is none that is known."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return _NO_ANNOTATION
    return value_of_annotation(node, maker.atom)


def value_of_annotation(node: ast.expr, atom: Callable[[str], Any], nesting: int = 0) -> Any:
    """Return a value of an annotation's type; :data:`UNKNOWN` when the type is none that is known."""
    if nesting > _MAX_NESTING:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return None if node.value is None else UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left = value_of_annotation(node.left, atom, nesting + 1)
        return value_of_annotation(node.right, atom, nesting + 1) if left is None else left
    name = _type_name(node)
    if isinstance(node, ast.Name | ast.Attribute):
        if name in _COLLECTIONS:
            return _COLLECTIONS[name]([atom("int") for _ in range(DEFAULT_COUNT)])
        if name == "dict":
            return {atom("str"): atom("int") for _ in range(DEFAULT_COUNT)}
        found = atom(name)
        return UNKNOWN if found is _NO_ATOM else found
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _of_parts(_type_name(node.value), parts, atom, nesting)
    return UNKNOWN


UNKNOWN: Final = _NO_ANNOTATION
"""No value: the annotation names no type that is known here."""


def _type_name(node: ast.AST) -> str:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    same = {
        "List": "list", "Sequence": "list", "Iterable": "list", "Collection": "list",
        "MutableSequence": "list", "Tuple": "tuple", "Set": "set", "Dict": "dict", "Mapping": "dict",
        "MutableMapping": "dict",
    }  # fmt: skip
    return same.get(name, name)


def _of_parts(name: str, parts: Sequence[ast.expr], atom: Callable[[str], Any], nesting: int) -> Any:
    def make(node: ast.expr) -> Any:
        return value_of_annotation(node, atom, nesting + 1)

    if name == "Optional" and len(parts) == 1:
        return make(parts[0])
    if name == "dict" and len(parts) == 2:
        pairs = [(make(parts[0]), make(parts[1])) for _ in range(DEFAULT_COUNT)]
        flat: Iterator[Any] = itertools.chain.from_iterable(pairs)
        return UNKNOWN if any(item is UNKNOWN for item in flat) else dict(_hashable("dict", pairs))
    is_fixed = name == "tuple" and not (len(parts) == 2 and _is_ellipsis(parts[1]))
    if name not in _COLLECTIONS:
        return UNKNOWN
    values = [make(part) for part in parts] if is_fixed else [make(parts[0]) for _ in range(DEFAULT_COUNT)]
    return UNKNOWN if any(item is UNKNOWN for item in values) else _COLLECTIONS[name](_hashable(name, values))


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
