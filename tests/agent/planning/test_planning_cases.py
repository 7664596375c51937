"""Tests as programs: what pytest names them, what becomes of their checks, and what cannot be said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opencwm.agent.planning.cases import cases_of, files_with_tests
from opencwm.agent.planning.plain import CannotSayError
from opencwm.agent.planning.slices import Slice, slice_of
from opencwm.agent.planning.versions import Version

EXAMPLES = Path(__file__).parents[3] / "examples"
CODE = """\
TABLE = {"a": 1}


def look(key, extra=()):
    return TABLE[key] + len(extra)


class Box:
    def __init__(self, size):
        self.size = size
"""


def one(test: str, code: str = CODE) -> Slice:
    """Cut out the last test of a file."""
    version = Version(
        {"code.py": code, "test_code.py": f"import pytest\nimport unittest\nimport code\n{test}"}
    )
    return slice_of(version, cases_of(version, "test_code.py")[-1])


@pytest.mark.parametrize("name", ["warehouse", "phrases", "timetable"])
def test_tests_are_listed_as_pytest_lists_them(name: str) -> None:
    version = Version.of_folder(EXAMPLES / name)
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-n", "0"],
        cwd=EXAMPLES / name,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = [case.name for path in files_with_tests(version) for case in cases_of(version, path)]
    assert sorted(ours) == sorted(line for line in listed.splitlines() if "::" in line)


def test_checks_become_plain_and_know_where_they_are_from() -> None:
    made = one(
        "def test_it():\n    assert code.look('a') == 1\n"
        "    with pytest.raises(KeyError, match='b'):\n        code.look('b')\n"
    )
    lines = made.program.lines
    assert "    if not look('a') == 1:" in lines
    assert "    except KeyError:" in lines
    assert [made.place(line) for line in sorted(made.failing)] == [("test_code.py", 5), ("test_code.py", 6)]
    assert list(made.messages.values()) == ["b"]
    assert made.place(lines.index("    TABLE = {'a': 1}") + 1) == (
        "code.py",
        5,
    )  # a constant, where it is read


def test_what_unittest_arranges_is_written_out() -> None:
    made = one(
        "class ATest(unittest.TestCase):\n    size = 3\n    def setUp(self):\n"
        "        self.box = code.Box(self.size)\n"
        "    def test_it(self):\n        self.assertEqual(self.box.size, 3)\n"
    )
    assert [line.strip() for line in made.program.lines[-4:]] == [
        "own_size = 3",
        "own_box = Box(own_size)",
        "if not own_box.size == 3:",
        "raise AssertionError",
    ]


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("def test_it(tmp_path):\n    pass\n", "the fixture tmp_path"),
        ("@pytest.mark.skipif(True, reason='x')\ndef test_it():\n    pass\n", "pytest.mark.skipif"),
        ("async def test_it():\n    pass\n", "a coroutine"),
        ("import numpy\ndef test_it():\n    assert numpy.array\n", "another package"),
        ("@pytest.mark.parametrize('x', code.TABLE)\ndef test_it(x):\n    pass\n", "do not stand there"),
        (
            "def test_it():\n    with pytest.raises(KeyError) as found:\n        pass\n",
            "looks at an exception",
        ),
        ("def test_it():\n    assert __file__\n", "looks at its module"),
        ("class TestA(code.Box):\n    def test_it(self):\n        assert 1\n", "inherits"),
    ],
)
def test_what_cannot_be_said_has_a_reason(test: str, reason: str) -> None:
    with pytest.raises(CannotSayError, match=reason):
        one(test)


def test_a_constant_that_is_changed_stays_where_it_is() -> None:
    changed = CODE + "\n\ndef put(key):\n    TABLE[key] = 2\n"
    made = one("def test_it():\n    code.put('b')\n    assert code.look('b') == 2\n", changed)
    assert "TABLE = {'a': 1}" in made.program.lines
