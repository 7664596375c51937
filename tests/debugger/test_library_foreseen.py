"""What is foreseen of the standard library, against recorded runs; and where nothing is."""

from __future__ import annotations

import ast
import heapq
import math
import operator
import os
import string
import sys

import pytest
from followed_library import BOUND, CHANGED, LIBRARY, LIBRARY_PROGRAMS, ODD
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.disguises import Disguises
from opencwm.debugger.foreseeing.imported_names import Imports

SET = [
    (math, "sqrt"),
    (string, "digits"),
    (os.path, "join"),
    (os, "sep"),
    (heapq, "heappush"),
    (operator, "add"),
]


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the programs change in the modules of this process."""
    for module, name in SET:
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setitem(sys.modules, "math", math)


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), [*LIBRARY_PROGRAMS, *((source, "f()") for source in CHANGED)])
def test_what_is_foreseen_of_the_library_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


@pytest.mark.parametrize(
    ("source", "call", "least"),
    [
        (LIBRARY, "f(2)", {"calculated": 75, "pure": 15}),
        (BOUND, "f(1)", {"calculated": 15}),
        (ODD, "f('a')", {"calculated": 4}),
    ],
)
def test_much_of_the_library_is_worked_out(source: str, call: str, least: dict[str, int]) -> None:
    counts = _Witness(_recorded(source, call), calculates=True).run().counts
    assert {name: counts[name] for name, number in least.items() if counts[name] < number} == {}


@pytest.mark.parametrize(
    ("source", "name", "module"),
    [
        ("import os", "os", "os"),
        ("import os.path", "os", "os"),
        ("import os.path as p", "p", "posixpath"),
        ("from os import path", "path", "posixpath"),
        ("import urllib.parse", "urllib", "urllib"),
        ("import urllib.parse as p", "p", "urllib.parse"),
        ("from urllib import parse", "parse", ""),  # perhaps no module
        ("from urllib import parse\nimport urllib.parse", "parse", "urllib.parse"),
        ("def f():\n    import math\n    return math", "math", "math"),
        ("import math\nimport cmath as math", "math", ""),
        ("import math\ndef math(): pass", "math", ""),
        ("from . import math", "math", ""),
        ("from nowhere import *\nimport math", "math", ""),
        ("from math import *\nimport math", "math", "math"),
    ],
)
def test_the_module_that_a_name_stands_for(source: str, name: str, module: str) -> None:
    assert Imports.of(ast.parse(source)).module(name) == module


@pytest.mark.parametrize(
    ("source", "is_trusted"),
    [
        ("import math\nx = math.sqrt(2)", True),
        ("import sys\nsys.stdout = None\nsys.argv[1] = 2", True),
        ("import os\nos.environ['A'] = 'b'", True),
        ("class A:\n    def f(self):\n        self.x = 1", True),
        ("import math\ndef f(a):\n    a.x = 1\n    setattr(a, 'y', 2)", True),
        ("import math\ndef f(a):\n    a.x = 1\nf(math)", False),
        ("import math\nclass A:\n    def f(self):\n        self.m = math\n        self.m.pi = 3", False),
        ("import math\nmath.pi = 3", False),
        ("import math\ndel math.pi", False),
        ("import math\nfor math.pi in [1]: pass", False),
        ("import os\nos.path.join = 3", False),
        ("import os\np = os.path\np.sep = 3", False),
        ("import sys\nsys.modules['math'] = 3", False),
        ("import math\nsetattr(math, 'pi', 3)", False),
        ("from fractions import Fraction\nFraction.__add__ = 3", False),
        ("globals()['math'] = 3", False),
        ("from unittest import mock\nimport math\nwith mock.patch('math.pi', 3): pass", False),
        ("import locale\nlocale.setlocale(0, 'de')", False),
    ],
)
def test_whether_modules_are_as_the_library_has_them(source: str, is_trusted: bool) -> None:
    assert Imports.of(ast.parse(source)).is_trusted is is_trusted


@pytest.mark.parametrize(
    ("source", "kinds", "is_odd"),
    [
        ("class A: pass", set(), False),
        ("class A(dict): pass", {dict}, False),
        ("class A(dict):\n    def __missing__(self, k): pass", {dict}, True),
        ("class A(dict):\n    def get(self, k): pass", {dict}, True),
        ("class M:\n    def get(self, k): pass\nclass A(M, dict): pass", {dict}, True),
        (
            "class A(int):\n    def __repr__(self): return ''\n    def __eq__(self, o): return True",
            set(),
            False,
        ),
        ("from collections import namedtuple\nclass A(namedtuple('A', 'x')): pass", set(), False),
        ("from collections import namedtuple\nB = namedtuple('B', 'x')\nclass A(B): pass", set(), False),
        ("import enum\nclass A(str, enum.Enum): pass", set(), False),
        ("from typing import List\nclass A(List[int]): pass", {list}, False),
        ("from typing import Generic, TypeVar\nT = TypeVar('T')\nclass A(Generic[T]): pass", set(), False),
        ("class A(ValueError): pass", set(), False),
        ("class A(set):\n    def __len__(self): return 3", set(), False),
        ("class A(str): pass\nA.upper = None", {str}, True),
        ("import sys\nx = sys.version_info", {tuple}, False),
        ("from nowhere import B\nclass A(B): pass", None, True),
        ("B = dict\nclass A(B): pass", None, True),
        ("A = type('A', (dict,), {})", None, True),
    ],
)
def test_what_may_be_in_disguise(source: str, kinds: set[type] | None, is_odd: bool) -> None:
    found = Disguises.of(ast.parse(source))
    assert (found.kinds, found.are_odd) == (kinds, is_odd)


@pytest.mark.parametrize(
    ("text", "is_spared"),
    [
        ("isinstance('a', str)", True),
        ("[1, 2]", True),
        ("{1: 2}", False),
        ("f({'a': 1}.x)", False),
        ("(", False),
    ],
)
def test_which_texts_are_spared(text: str, is_spared: bool) -> None:
    assert Disguises(frozenset({dict})).spare(text) is is_spared
    assert Disguises().spare(text) is False
    assert Disguises(frozenset(), frozenset({"Fraction"})).spare("Fraction(1, 2) + 1") is False
