"""Random small programs that terminate, for tests that record real runs.

Functions call each other and themselves with a shrinking argument; there are loops, branches, handlers,
``finally``, raises and early returns.
"""

from __future__ import annotations

from hypothesis import strategies as st

NUM_FUNCTIONS = 3
LEAVES = [
    "x = x + 1",
    "x = x * 2",
    "y = [x, n]",
    "return x",
    "raise ValueError(n)",
    "raise KeyError(x)",
    "call",
]


@st.composite
def programs(draw: st.DrawFn, *, unique_lines: bool) -> str:
    """A source with functions ``f0`` to ``f2``; each line ends with its number when ``unique_lines``."""
    lines: list[str] = []
    for index in range(NUM_FUNCTIONS):
        lines += [f"def f{index}(n, x):", "    if n <= 0:", "        return x"]
        lines += draw(blocks("    ", 2))
        lines += ["    return x"]
    lines += ["def main():", "    return f0(2, 1)"]
    return "".join(
        f"{line}  # {number}\n" if unique_lines else f"{line}\n" for number, line in enumerate(lines, 1)
    )


@st.composite
def blocks(draw: st.DrawFn, indent: str, levels: int) -> list[str]:
    """Lines of a block."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from(["leaf", "leaf", "if", "for", "try", "finally"] if levels else ["leaf"]))
        if shape == "leaf":
            leaf = draw(st.sampled_from(LEAVES))
            callee = draw(st.integers(0, NUM_FUNCTIONS - 1))
            lines.append(indent + (f"x = f{callee}(n - 1, x)" if leaf == "call" else leaf))
            continue
        first, second = draw(blocks(indent + "    ", levels - 1)), draw(blocks(indent + "    ", levels - 1))
        if shape == "if":
            lines += [f"{indent}if x % 2:", *first, f"{indent}else:", *second]
        elif shape == "for":
            lines += [f"{indent}for i in range(2):", *first]
        elif shape == "try":
            lines += [f"{indent}try:", *first, f"{indent}except ValueError as error:", *second]
        else:
            lines += [f"{indent}try:", *first, f"{indent}finally:", *second]
    return lines
