"""Random values and their source text.

Strings come in many textures (words, random letters, digits, punctuation, escapes, unicode, characters
that never repeat), because what a model cannot copy it cannot compute with.
"""

from __future__ import annotations

import string
from collections.abc import Callable

from opencwm.corpus.generator.dice import Dice, Table
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, NONE, STR, Type
from opencwm.corpus.generator.vocabulary import KEYWORD_LIKE, PREFIXES, PUNCTUATION, UNICODE, WORDS

_ALNUM = string.ascii_letters + string.digits
_DISTINCT = string.ascii_letters + string.digits + "!?.,;:-_/+*=#@%&()[]<>|~^$ "


def _characters(dice: Dice, alphabet: str, length: int) -> str:
    random = dice.random
    size = len(alphabet)
    return "".join([alphabet[int(random() * size)] for _ in range(length)])


def _lower(dice: Dice, length: int) -> str:
    return _characters(dice, string.ascii_lowercase, length)


def _few_letters(dice: Dice, length: int) -> str:
    start = dice.integer(0, 20)
    return _characters(dice, string.ascii_lowercase[start : start + dice.integer(2, 5)], length)


def _mixed(dice: Dice, length: int) -> str:
    return _characters(dice, _ALNUM, length)


def _letters(dice: Dice, length: int) -> str:
    return _characters(dice, string.ascii_letters, length)


def _digits(dice: Dice, length: int) -> str:
    return _characters(dice, string.digits, length)


def _spaced(dice: Dice, length: int) -> str:
    return _characters(dice, string.ascii_letters + "     ", length)


def _punctuated(dice: Dice, length: int) -> str:
    return _characters(dice, string.ascii_letters + string.digits + PUNCTUATION + "  ", length)


def _distinct(dice: Dice, length: int) -> str:
    return "".join(dice.sample(_DISTINCT, length))


def _word(dice: Dice, length: int) -> str:  # noqa: ARG001 - a word has its own length
    return dice.pick(WORDS)


def _cased_word(dice: Dice, length: int) -> str:  # noqa: ARG001 - a word has its own length
    word = dice.pick(WORDS)
    return dice.pick((word.upper(), word.title(), word.swapcase(), word.capitalize(), word))


def _phrase(dice: Dice, length: int) -> str:
    separator = dice.pick((" ", " ", " ", ", ", "-", "_", ",", "  ", "/", ":", ";", "|"))
    words = [dice.pick(WORDS)]
    while len(words) * 5 < length:
        words.append(dice.pick(WORDS))
    text = separator.join(words)
    style = dice.integer(0, 7)
    if style == 0:
        text = text.title()
    elif style == 1:
        text = text.capitalize() + dice.pick((".", "!", "?", ""))
    elif style == 2:
        text = "  " + text + " "
    elif style == 3:
        text = text.upper()
    return text[: max(length + 6, 1)]


def _numbers(dice: Dice, length: int) -> str:
    separator = dice.pick((",", " ", ";", "-", ", ", ":"))
    return separator.join(str(dice.integer(0, 120)) for _ in range(max(1, length // 4)))


def _keyed(dice: Dice, length: int) -> str:  # noqa: ARG001 - two words, whatever the length
    return dice.pick(PREFIXES) + dice.pick(KEYWORD_LIKE)


def _escaped(dice: Dice, length: int) -> str:
    text = list(_mixed(dice, max(length - 1, 1)))
    text.insert(dice.integer(0, len(text)), dice.pick(("\n", "\t", "'", '"', "\\", "'", '"')))
    return "".join(text)


def _unicode(dice: Dice, length: int) -> str:
    return _characters(dice, string.ascii_lowercase + UNICODE + UNICODE, length)


def _brackets(dice: Dice, length: int) -> str:
    return _characters(dice, dice.pick(("()", "()[]", "()[]{}", "<>()")), length)


_Texture = Callable[[Dice, int], str]

TEXTURES: Table[_Texture] = Table(
    [
        (14, _lower),
        (6, _few_letters),
        (9, _mixed),
        (6, _letters),
        (6, _digits),
        (5, _spaced),
        (6, _punctuated),
        (8, _distinct),
        (16, _word),
        (6, _cased_word),
        (14, _phrase),
        (4, _numbers),
        (4, _keyed),
        (1.5, _escaped),
        (0.8, _unicode),
        (1.5, _brackets),
    ]
)

COPY_TEXTURES: Table[_Texture] = Table(
    [
        (40, _distinct),
        (20, _mixed),
        (12, _punctuated),
        (8, _lower),
        (6, _digits),
        (4, _escaped),
        (2, _unicode),
        (8, _phrase),
    ]
)
"""Textures for echo programs: little to guess, everything to copy."""


class SetItems(tuple[object, ...]):
    """The elements of a set in the order drawn, so that its source does not depend on hashes."""

    __slots__ = ()


class Literals:
    """Draws values as Python objects and writes them as source.

    Args:
        dice: source of randomness.
        double_quotes: write strings in double quotes where that needs no escapes.
    """

    __slots__ = ("dice", "double_quotes")

    def __init__(self, dice: Dice, *, double_quotes: bool) -> None:
        self.dice = dice
        self.double_quotes = double_quotes

    def text(self, *, min_len: int = 0, max_len: int = 14, textures: Table[_Texture] = TEXTURES) -> str:
        """Return a string of about ``min_len`` to ``max_len`` characters."""
        dice = self.dice
        if min_len == 0 and dice.chance(0.03):
            return ""
        length = dice.integer(max(min_len, 1), max(max_len, min_len, 1))
        result = dice.weighted(textures)(dice, length)
        return result if len(result) >= min_len else result + _lower(dice, min_len - len(result))

    def integer(self) -> int:
        """Return an integer: mostly small, some negative, a few of many digits."""
        dice = self.dice
        draw = dice.random()
        if draw < 0.55:
            return dice.integer(0, 10)
        if draw < 0.78:
            return dice.integer(0, 99)
        if draw < 0.90:
            return -dice.integer(1, 20)
        if draw < 0.97:
            return dice.integer(100, 9999)
        return dice.integer(-(10**9), 10**9)

    def real(self) -> float:
        """Return a float of few digits."""
        dice = self.dice
        return dice.integer(-20, 200) / dice.pick((2, 4, 10, 10, 100))

    def value(self, type_: Type, *, min_len: int = 0, max_len: int = 6) -> object:
        """Return a random value of the type; ``min_len`` and ``max_len`` bound its outermost length."""
        dice = self.dice
        kind = type_.kind
        if type_ == STR:
            return self.text(min_len=min_len, max_len=max(8, 2 * max_len))
        if type_ == INT:
            return self.integer()
        if type_ == FLOAT:
            return self.real()
        if type_ == BOOL:
            return dice.chance(0.5)
        if type_ == NONE:
            return None
        if kind == "tuple":
            return tuple(self._element(argument) for argument in type_.args)
        count = dice.integer(min_len, max(max_len, min_len))
        if count == 0 and dice.chance(0.7):
            count = max_len
        if kind == "dict":
            return self._mapping(type_, count, min_len)
        elements = [self._element(type_.args[0]) for _ in range(count)]
        if kind == "list":
            if count > 1 and dice.chance(0.25):
                elements[dice.integer(1, count - 1)] = elements[0]
            return elements
        if kind == "vtuple":
            return tuple(elements)
        return SetItems(dict.fromkeys(elements))

    def _mapping(self, type_: Type, count: int, min_len: int) -> dict[object, object]:
        key_type, value_type = type_.args
        result: dict[object, object] = {}
        while len(result) < count:
            key = self.key() if key_type == STR else self._element(key_type)
            result[key] = self._element(value_type)
            if self.dice.chance(0.1) and len(result) >= min_len:
                break
        return result

    def key(self) -> str:
        """Return a string that is plausible as a dictionary key."""
        dice = self.dice
        return (
            dice.pick(KEYWORD_LIKE)
            if dice.chance(0.3)
            else dice.pick(WORDS)
            if dice.chance(0.7)
            else _lower(dice, dice.integer(1, 4))
        )

    def _element(self, type_: Type) -> object:
        if type_ == STR:
            if self.dice.chance(0.6):
                return self.dice.pick(WORDS)
            return self.text(max_len=7)
        return self.value(type_, max_len=3)

    def source(self, value: object) -> str:
        """Return the source text of a value drawn here."""
        if isinstance(value, str):
            return self.quoted(value)
        if isinstance(value, list):
            return "[" + ", ".join([self.source(item) for item in value]) + "]"
        if isinstance(value, SetItems):
            return "{" + ", ".join([self.source(item) for item in value]) + "}" if value else "set()"
        if isinstance(value, tuple):
            return "(" + ", ".join([self.source(item) for item in value]) + (",)" if len(value) == 1 else ")")
        if isinstance(value, dict):
            return (
                "{"
                + ", ".join([f"{self.source(key)}: {self.source(item)}" for key, item in value.items()])
                + "}"
            )
        return repr(value)

    def quoted(self, text: str) -> str:
        """Return a string literal in the program's quoting style."""
        single = repr(text)
        if self.double_quotes and single[0] == "'" and '"' not in text and "\\" not in single:
            return f'"{text}"'
        return single
