"""The programs that tracers are compared on, and how they are loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config

WRITTEN = {
    "scalar loop": """
def main():
    a, b, total = 0, 1, 0
    for i in range(2000):
        a, b = b, (a + b) % 9973
        if a % 2:
            total += a
        else:
            total -= i
    return total
""",
    "growing list": """
def main():
    items = []
    for i in range(1500):
        items.append(i)
    return len(items)
""",
    "strings": """
def clean(text, drop):
    out = ""
    for position, char in enumerate(text):
        if char in drop:
            continue
        upper = char.upper() if position % 2 else char
        out += upper
    return out

def main():
    words = []
    for i in range(40):
        words.append(clean("the quick brown fox", "aeiou"))
    return " ".join(words[:3])
""",
    "lists": """
def bubble(items):
    n = len(items)
    for i in range(n):
        for j in range(n - i - 1):
            if items[j] > items[j + 1]:
                items[j], items[j + 1] = items[j + 1], items[j]
    return items

def main():
    data = [(i * 37) % 41 for i in range(40)]
    return bubble(data)
""",
    "dicts": """
def count(text):
    counts = {}
    positions = {}
    for i, word in enumerate(text.split()):
        counts[word] = counts.get(word, 0) + 1
        if word not in positions:
            positions[word] = [i]
        else:
            positions[word].append(i)
    best = None
    for word, number in counts.items():
        if best is None or number > counts[best]:
            best = word
    return best, positions

def main():
    text = "to be or not to be that is the question " * 12
    return count(text)[0]
""",
    "recursion": """
def fib(n):
    if n < 2:
        return n
    left = fib(n - 1)
    return left + fib(n - 2)

def main():
    return fib(13)
""",
    "objects": """
class Account:
    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = balance
        self.history = []

    def __repr__(self):
        return f"Account(owner={self.owner!r}, balance={self.balance!r}, history={self.history!r})"

    def pay(self, amount):
        self.balance -= amount
        self.history.append(-amount)
        return self.balance

def main():
    account = Account("ann", 1000)
    other = Account("bob", 10)
    for i in range(200):
        left = account.pay(i % 7)
        if left < 0:
            break
    return account.balance + other.balance
""",
    "matrix": """
def multiply(a, b):
    rows, inner, columns = len(a), len(b), len(b[0])
    result = [[0] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            total = 0
            for k in range(inner):
                total += a[i][k] * b[k][j]
            result[i][j] = total
    return result

def main():
    a = [[i + j for j in range(8)] for i in range(8)]
    return multiply(a, a)
""",
}

SHORT_FUNCTIONS = "short functions"
"""What the generated programs are called."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A program ready to run: where its source lies, its text, its compiled module, its entry's name."""

    path: Path
    text: str
    code: CodeType
    entry_name: str

    def entry(self) -> Callable[[], object]:
        """Execute the module, so that no run sees what another left behind, and return its entry."""
        namespace: dict[str, Any] = {"__name__": "program"}
        exec(self.code, namespace)  # noqa: S102 - the programs above, or of our own generator
        entry: Callable[[], object] = namespace[self.entry_name]
        return entry


def load(text: str, entry: str, path: Path) -> Loaded:
    """Write ``text`` to ``path``, where tracers that show source lines find it, and compile it."""
    path.write_text(text, encoding="utf-8")
    return Loaded(path, text, compile(text, str(path), "exec"), entry)


def load_all(folder: Path, num_generated: int) -> dict[str, list[Loaded]]:
    """Return the programs by name; :data:`SHORT_FUNCTIONS` are ``num_generated`` of our own generator."""
    found: dict[str, list[Loaded]] = {SHORT_FUNCTIONS: []}
    for index in range(num_generated):
        rng = derive_rng("tracer speed", index)
        program = generate_program(rng, sample_config(rng))
        found[SHORT_FUNCTIONS].append(load(program.text, program.entry, folder / f"generated_{index}.py"))
    for name, text in WRITTEN.items():
        found[name] = [load(text, "main", folder / f"{name.replace(' ', '_')}.py")]
    return found
