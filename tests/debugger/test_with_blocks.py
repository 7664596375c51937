"""What is foreseen of ``with`` statements: what their managers are asked, and where they lead."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

from opencwm.debugger.foreseeing.with_blocks import RETURNS, with_blocks

_MANAGERS = """\
class Bare:
    def __enter__(self):
        return self
    def __exit__(self, kind, error, trace):
        return False

class Box:
    def __init__(self, n, items=None):
        self.n = n
        self.items = items
    def __enter__(self):
        self.log = ['in']
        return self
    def __exit__(self, kind, error, trace):
        self.log.append('out' if kind is None else kind.__name__)
        if self.items is not None:
            self.items.append(len(self.log))
        return self.n % 2 == 1

class Given(Box):
    def __enter__(self):
        self.log = []
        return self.n if self.items is None else self.items

class Own(Exception):
    pass

"""
_HEADS = [
    *("Bare()", "Bare() as b", "Box(n) as b", "Box(n + 1)", "box", "box as b", "Box(1, xs) as b"),
    *(
        "Given(n)",
        "Given(n, xs) as b",
        "Given(n) as b",
        "Box(n) as b, Box(1)",
        "Given(2), box as b",
        "boxes[0]",
    ),
]
_LEAVES = [
    *("xs.append(n)", "n = n + 1", "box = Box(n)", "return n", "return xs", "return box", "b = 1", "del b"),
    *(
        "raise Own(n)",
        "raise ValueError('x')",
        "n = 1 // n",
        "break",
        "continue",
        "pass",
        "xs.append(1 // 0)",
    ),
]


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


@st.composite
def _blocks(draw: st.DrawFn, depth: int = 3, *, is_loop: bool = False) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["with", "with", "with", "leaf", "leaf", "if", "for", "try", "finally"]))
        if depth == 0 or kind == "leaf":
            leaf = draw(st.sampled_from(_LEAVES))
            lines.append(leaf if is_loop or leaf not in ("break", "continue") else "pass")
            continue
        inner = _indented(draw(_blocks(depth - 1, is_loop=is_loop or kind == "for")))
        if kind == "with":
            lines += [f"with {draw(st.sampled_from(_HEADS))}:", *inner]
        elif kind == "if":
            lines += ["if n > 1:", *inner]
        elif kind == "for":
            lines += ["for n in [n, 2]:", *inner]
        elif kind == "try":
            lines += [
                "try:",
                *inner,
                f"except {draw(st.sampled_from(['Own', 'ValueError as e']))}:",
                "    pass",
            ]
        else:
            lines += ["try:", *inner, "finally:", *_indented(draw(_blocks(depth - 1)))]
    return lines


@settings(max_examples=40, deadline=None)
@given(_blocks(), st.integers(0, 2))
def test_what_is_foreseen_of_blocks_comes_true(lines: list[str], n: int) -> None:
    body = "\n".join(_indented(lines))
    begins = "def f(n):\n    xs, box = [], Box(n)\n    boxes = [box, Bare()]"
    source = f"{_MANAGERS}{begins}\n{body}\n    return xs, n\n"
    _Witness(_recorded(source, f"f({n})"), calculates=True).run()


@pytest.mark.parametrize(("n", "returned"), [(1, 4), (0, 2)])
def test_what_a_block_does_needs_no_model(n: int, returned: int) -> None:
    source = (
        _MANAGERS
        + """
def f(n):
    with Box(n) as b:
        b.log.append(1 // n)
        return b
    return b.log
"""
    )
    counts = _Witness(_recorded(source, f"f({n})"), calculates=True).run().counts
    assert counts["entered"] == 4
    assert counts["returned"] == returned
    assert counts["arguments"] == 9
    assert "written" not in counts


def test_what_runs_after_a_block_is_read_off_the_syntax() -> None:
    source = """\
def f(x):
    with a:
        with b:
            x()
    for y in x:
        with c:
            x()
    try:
        with d:
            return x()
    finally:
        with e:
            pass
"""
    found = with_blocks(ast.parse(source))
    assert {line: block.after for line, block in found.items()} == {2: 5, 3: 2, 6: 5, 9: None, 12: None}
    assert {line: block.around for line, block in found.items()} == {2: 0, 3: 2, 6: 0, 9: None, 12: None}
    assert [line for line, block in found.items() if block.is_final] == [12]
    assert RETURNS == 0
