"""Programs whose control flow is checked against real runs: every statement, and a random generator.

Each defines ``main`` without parameters. Standard library only: other interpreters run this file too.
"""

from __future__ import annotations

import random
from pathlib import Path

STATEMENTS: dict[str, str] = {
    path.stem: path.read_bytes().decode()
    for path in sorted((Path(__file__).parent / "programs").glob("*.txt"))
}
"""Program by name: the files of the folder, exactly as they are, ends of lines included."""


class _Writer:
    """Writes random nested statements that terminate: every loop is bounded and a budget limits the size."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.budget = 25

    def function(self, name: str, callees: list[str]) -> None:
        self.callees = callees
        self.lines.append(f"def {name}(n):")
        self.lines.append("    x = n")
        self.block(1, in_loop=False)
        self.lines.append("    return x")

    def add(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, depth: int, *, in_loop: bool) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth, in_loop=in_loop)

    def expression(self) -> str:
        choices = [
            "x + 1",
            "x - n",
            "x // (n - 1)",
            "[1, 2, 3][x % 4]",
            "sum(i for i in range(n))",
            "len([i for i in 'ab'])",
        ]
        choices += [f"{name}(n - 1)" for name in self.callees]
        choices += ["(x +\n n)", "max(\n x,\n n)", "[\n i\n for i in range(x, n)\n][0]"]
        return self.random.choice(choices)

    def statement(self, depth: int, *, in_loop: bool) -> None:
        self.budget -= 1
        kinds = ["assign", "assign", "raise", "return"]
        if in_loop:
            kinds += ["break", "continue"]
        if self.budget > 0 and depth < 6:
            kinds += ["if", "if", "for", "while", "try", "try", "with", "match"]
        getattr(self, self.random.choice(kinds) + "_")(depth, in_loop)

    def assign_(self, depth: int, _: bool) -> None:
        self.add(depth, f"x = {self.expression()}")

    def raise_(self, depth: int, _: bool) -> None:
        error = self.random.choice(["ValueError", "KeyError('k')", "IndexError"])
        self.add(depth, f"if x % 3 == {self.random.randint(0, 3)}: raise {error}")

    def return_(self, depth: int, _: bool) -> None:
        self.add(depth, f"if x == {self.random.randint(0, 3)}: return {self.expression()}")

    def break_(self, depth: int, _: bool) -> None:
        self.add(depth, "if x % 2: break")

    def continue_(self, depth: int, _: bool) -> None:
        self.add(depth, "if x % 2:")
        self.add(depth + 1, "continue")

    def if_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, f"if x % {self.random.randint(1, 3)} == 0 and n < 3 or x > 7:")
        self.block(depth + 1, in_loop=in_loop)
        if self.random.random() < 0.3:
            self.add(depth, f"elif {self.random.choice(['n', 'not x', 'x < n'])}:")
            self.block(depth + 1, in_loop=in_loop)
        if self.random.random() < 0.5:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=in_loop)

    def for_(self, depth: int, _: bool) -> None:
        self.add(depth, f"for i{depth} in range({self.random.randint(0, 3)}):")
        self.block(depth + 1, in_loop=True)
        if self.random.random() < 0.3:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=False)

    def while_(self, depth: int, _: bool) -> None:
        self.add(depth, f"w{depth} = {self.random.randint(0, 3)}")
        self.add(depth, f"while w{depth} > 0:")
        self.add(depth + 1, f"w{depth} -= 1")
        self.block(depth + 1, in_loop=True)

    def try_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, "try:")
        self.block(depth + 1, in_loop=in_loop)
        handlers = self.random.choice(
            [[], ["ValueError"], ["KeyError", "Exception as e"], ["(IndexError, KeyError)"]]
        )
        for handler in handlers:
            self.add(depth, f"except {handler}:")
            if self.random.random() < 0.2:
                self.add(depth + 1, "raise")
            else:
                self.block(depth + 1, in_loop=in_loop)
        if handlers and self.random.random() < 0.3:
            self.add(depth, "else:")
            self.block(depth + 1, in_loop=in_loop)
        if not handlers or self.random.random() < 0.4:
            self.add(depth, "finally:")
            self.block(depth + 1, in_loop=in_loop)

    def with_(self, depth: int, in_loop: bool) -> None:
        kind = self.random.choice(["ValueError", "IndexError", "ZeroDivisionError"])
        self.add(depth, f"with contextlib.suppress({kind}):")
        self.block(depth + 1, in_loop=in_loop)

    def match_(self, depth: int, in_loop: bool) -> None:
        self.add(depth, "match x, n:")
        for case in ("(0, _)", "(a, b) if a > b", "(1, b)"):
            if self.random.random() < 0.7:
                self.add(depth + 1, f"case {case}:")
                self.block(depth + 2, in_loop=in_loop)
        self.add(depth + 1, "case _:")
        self.add(depth + 2, "pass")


def random_program(seed: int) -> str:
    """Return a program of random nested control flow; equal seeds give equal programs."""
    writer = _Writer(seed)
    writer.lines.append("import contextlib")
    writer.function("g", [])
    writer.budget = 20
    writer.function("f", ["g"])
    calls = "\n".join(
        f"    try:\n        out.append(f({n}))\n    except Exception as e:\n        out.append(type(e))"
        for n in range(5)
    )
    return "\n".join(writer.lines) + f"\ndef main():\n    out = []\n{calls}\n    return out\n"
