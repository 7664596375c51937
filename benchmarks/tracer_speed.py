"""How fast a run is recorded, against a tracer that takes the repr of every local at every line.

Both make the same steps of the same programs, which is asserted, in one process and in turns; the table holds
the best of several turns, because the machine may be shared. The second part grows a list to 20,000 elements,
recorded, and prints the cost per step as it grows.

    python benchmarks/tracer_speed.py [--turns 5]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from opencwm.tracer import TraceLimits
from opencwm.tracer.recorder import Recorder
from opencwm.traces import Step, StepKind

PROGRAMS = {
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

GROWTH = """
def main():
    items = []
    for i in range(20000):
        items.append(i)
    return len(items)
"""


def load(source: str) -> tuple[Callable[[], object], Any]:
    """Return the entry of ``source`` and its module's code object."""
    code = compile(source, "<program>", "exec")
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(code, namespace)  # noqa: S102 - the programs above
    return namespace["main"], code


def record_reprs(entry: Callable[[], object]) -> list[Step]:
    """Record the same steps, taking the repr of every local at every event."""
    steps: list[Step] = []
    indices: dict[CodeType, int] = {}
    depth = 0

    def enter(code: CodeType) -> Callable[[FrameType, str, Any], Any]:
        nonlocal depth
        index = indices.setdefault(code, len(indices))
        names = dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
        seen: dict[str, str] = {}
        my_depth = depth
        depth += 1

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal depth, seen
            values = frame.f_locals
            now = {name: safe_repr(values[name]) for name in names if name in values}
            changed = tuple((name, text) for name, text in now.items() if seen.get(name) != text)
            deleted = tuple(name for name in seen if name not in now)
            seen = now
            value = None
            if event == "return":
                depth = my_depth
                value = safe_repr(arg)
            elif event == "exception":
                value = safe_repr(arg[1])
            steps.append(Step(StepKind(event), index, frame.f_lineno, my_depth, changed, deleted, value))
            return local

        return local

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code.co_filename != "<program>" or code.co_name in ("<listcomp>", "__repr__"):
            return None
        return enter(code)(frame, event, arg)

    sys.settrace(trace)
    try:
        entry()
    finally:
        sys.settrace(None)
    return steps


def shape(step: Step, name: str) -> object:
    """Return what must be equal: all of it, but for objects, which only the baseline shows by their repr."""
    return (step.kind, step.lineno, step.depth) if name == "objects" else step


def safe_repr(value: object) -> str:
    """Return the repr, whatever happens in it, of bounded length."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr raised {type(error).__name__}>"
    return text if len(text) <= 2000 else text[:2000] + "..."


def record_changes(entry: Callable[[], object], code: Any, source: str) -> Recorder:
    """Record with OpenCWM."""
    recorder = Recorder(code, source, TraceLimits(max_steps=10**7), lambda: None)
    limit = sys.getrecursionlimit()
    recorder.start(10)
    try:
        entry()
    finally:
        sys.settrace(None)
        sys.setrecursionlimit(limit)
    return recorder


def compare(turns: int) -> float:
    """Print the table; return the smallest ratio."""
    print(f"{'program':<14}{'steps':>8}{'repr all':>12}{'opencwm':>12}{'ratio':>8}   (steps/s of CPU time)")
    worst = float("inf")
    sums = [0.0, 0.0]
    for name, source in PROGRAMS.items():
        entry, code = load(source)
        best = [float("inf"), float("inf")]
        num_steps = 0
        for _ in range(turns):
            start = time.thread_time()
            theirs = record_reprs(entry)
            middle = time.thread_time()
            recorder = record_changes(entry, code, source)
            ours = recorder.build_steps()
            end = time.thread_time()
            num_steps = len(ours)
            if sys.version_info < (3, 12):  # later ones report comprehensions
                assert [shape(step, name) for step in theirs] == [shape(step, name) for step in ours], name
            best = [min(best[0], middle - start), min(best[1], end - middle)]
        ratio = best[0] / best[1]
        worst = min(worst, ratio)
        sums = [sums[0] + best[0], sums[1] + best[1]]
        print(
            f"{name:<14}{num_steps:>8}{num_steps / best[0]:>12,.0f}{num_steps / best[1]:>12,.0f}{ratio:>8.2f}"
        )
    print(f"{'all':<14}{'':>8}{'':>12}{'':>12}{sums[0] / sums[1]:>8.2f}")
    return worst


def grow() -> None:
    """Print the cost per step while a list grows to 20,000 elements."""
    entry, code = load(GROWTH)
    recorder = Recorder(code, GROWTH, TraceLimits(max_steps=10**7), lambda: None)
    times: list[float] = []
    inner = recorder.trace
    marks = range(0, 20001, 4000)

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        local = inner(frame, event, arg)
        if local is None:
            return None

        def timed(frame: FrameType, event: str, arg: Any) -> Any:
            if frame.f_lineno == 5 and event == "line":
                times.append(time.thread_time())
            local(frame, event, arg)
            return timed

        return timed

    limit = sys.getrecursionlimit()
    recorder.start(10)
    sys.settrace(trace)
    entry()
    sys.settrace(None)
    sys.setrecursionlimit(limit)
    print("\nlist of 20,000 elements growing by append: microseconds per iteration (2 steps)")
    for low, high in itertools.pairwise(marks):
        spent = times[min(high, len(times) - 1)] - times[low]
        print(f"  {low:>6} to {high:>6} elements: {spent / (high - low) * 1e6:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5)
    compare(parser.parse_args().turns)
    grow()


if __name__ == "__main__":
    main()
