"""The two files of a small task, and what running the examples prints.

``test_solution.py`` is a test for pytest, which grades, and a program that an agent runs: it starts in
milliseconds, prints nothing that differs from run to run, and shows the first failures in a line each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SOLUTION: Final = "solution.py"
TESTS: Final = "test_solution.py"
SHOW: Final = f"cat -n {SOLUTION}"
RUN: Final = f"python {TESTS}"
Example = tuple[str, str]
"""A call, and what it gives as ``repr`` writes it."""

_BEFORE: Final = '''\
"""What solution.py must do, by example. Run this file to see which examples fail; pytest runs it too."""

import os
import sys
import traceback

EXAMPLES = (
'''
_AFTER: Final = ''')


def outcome(call):
    """Return what a call gives, or what it raises in which line."""
    try:
        import solution

        return repr(eval(call, dict(vars(solution))))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if os.path.basename(frame.filename) == "solution.py"]
        lines += [error.lineno] if isinstance(error, SyntaxError) else []
        return f"{type(error).__name__} in line {lines[-1] if lines else 0}"


def pytest_generate_tests(metafunc):
    metafunc.parametrize(("call", "expected"), EXAMPLES, ids=[str(n) for n in range(len(EXAMPLES))])


def test_example(call, expected):
    assert outcome(call) == expected


if __name__ == "__main__":
    found = [(call, expected, outcome(call)) for call, expected in EXAMPLES]
    wrong = [item for item in found if item[1] != item[2]]
    for call, expected, given in wrong[:3]:
        print(f"{call} gives {given[:80]} and not {expected}")
    print(f"{len(found) - len(wrong)} of {len(found)} examples pass")
    sys.exit(bool(wrong))
'''


def examples_text(examples: Sequence[Example]) -> str:
    """Return ``test_solution.py`` for some examples."""
    return _BEFORE + "".join(f"    ({call!r}, {value!r}),\n" for call, value in examples) + _AFTER


def node_ids(number: int) -> list[str]:
    """Return the names that pytest gives so many examples."""
    return [f"{TESTS}::test_example[{index}]" for index in range(number)]


def passes(output: str) -> bool:
    """Whether what :data:`RUN` printed says that all examples pass."""
    words = output.split("\n")[-1].split()
    return len(words) == 5 and words[1] == "of" and words[0] == words[2] and words[3:] == ["examples", "pass"]
