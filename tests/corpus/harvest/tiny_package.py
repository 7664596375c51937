"""A package on disk that the harvest's tests harvest: three modules, their tests, nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NAME: Final = "tinypack"
VERSION: Final = "1.0"

MODULES: Final = {
    "__init__.py": "from .words import shout\nfrom . import boxes\n",
    "words.py": '''\
"""Words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

from .numbers import double as twice

try:
    import not_there_at_all as speed
except ImportError:
    speed = None

VOWELS = frozenset("aeiou")
COUNTS: dict[str, int] = {}
for vowel in VOWELS:
    COUNTS[vowel] = 0


def shout(text: str, times: int = 1) -> str:
    """Say it loudly.

    >>> shout("ab")
    'AB!'
    """
    # a comment
    result: str = text.upper()
    return result + "!" * times


def vowels(text: str) -> int:
    counts = dict(COUNTS)
    for letter in re.findall("[a-z]", text):
        if letter in VOWELS:
            counts[letter] += twice(1) // 2
    return sum(counts.values())


def pairs(items: Iterable[int]):
    for item in items:
        yield item, twice(item)


def guess(text):
    import random

    return text + str(random.random())


def checked(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


@checked
def third(number):
    if number < 0:
        raise ValueError("negative")
    return number // 3


def where():
    return __file__
''',
    "numbers.py": """\
def double(value):
    return 2 * value


def unused(value):
    return double(value)


def apply(function, value):
    result = function(value)
    return result
""",
    "boxes.py": '''\
from dataclasses import dataclass

from . import numbers


class Box:
    """A box."""

    size = 3

    def __init__(self, items=()):
        self.items = list(items)

    def add(self, item):
        if len(self.items) < self.size:
            self.items.append(item)
        return self

    def total(self):
        return numbers.double(sum(self.items))

    def __len__(self):
        return len(self.items)

    def far(self):
        return numbers.unused(self.size)


class BigBox(Box):
    size = 5


def fill(box, items):
    for item in items:
        box.add(item)
    return len(box)


@dataclass
class Point:
    x: int
    y: "int" = 0

    def moved(self, by):
        return Point(self.x + by, self.y + by)
''',
}
TESTS: Final = """\
import pytest

from tinypack import boxes, numbers, shout, words


def test_words():
    assert shout("x", times=2) == "X!!"
    assert words.vowels("banana") == 3
    assert list(words.pairs([1, 2])) == [(1, 2), (2, 4)]
    assert words.guess("a")
    assert words.third(9) == 3
    with pytest.raises(ValueError):
        words.third(-1)
    assert words.where()


def test_numbers():
    assert numbers.apply(lambda x: x + 1, 3) == 4
    assert numbers.apply(open, "/dev/null")


def test_boxes():
    assert boxes.BigBox([1]).add(2).total() == 6
    assert boxes.fill(boxes.Box([1, 2]), [3, 4]) == 3
    assert boxes.Point(1).moved(2) == boxes.Point(3, 2)
"""


def lay_out(packages: Path, *, name: str = NAME, tests: str = TESTS, inside: bool = False) -> Path:
    """Write the package as it would lie below ``packages`` after it was fetched; return its folder.

    With ``inside`` its tests are a part of it, in the source distribution only.
    """
    place = packages / f"{name}-{VERSION}"
    site, sources = place / "site", place / "sdist" / f"{name}-{VERSION}"
    folder = sources / "tinypack" / "tests" if inside else sources / "tests"
    folder.mkdir(parents=True)
    for root in (site, sources) if inside else (site,):
        (root / "tinypack").mkdir(parents=True, exist_ok=True)
        for module, text in MODULES.items():
            (root / "tinypack" / module).write_text(text, encoding="utf-8")
    if inside:
        (folder / "__init__.py").write_text("", encoding="utf-8")
        tests = f"from tinypack.tests import __name__ as _\n{tests}"
    (folder / "test_tiny.py").write_text(tests, encoding="utf-8")
    return place
