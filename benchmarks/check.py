"""How true the reports of `opencwm check` are: each is confirmed or refuted by a real run.

    python benchmarks/check.py [--inputs N] [--seed N] [--max-seconds S] [--model PATH]

The functions below were written for this benchmark, before it was first run; some are right. A *report* is
one kind of failure at one line. It is confirmed when a real run of its input fails in the same way at that
line. *Missed* are kinds of failure that a real run of any of the inputs shows and no true report names.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from opencwm.debugger.checking.check import (
    CheckConfig,
    CheckedFunction,
    FindingKind,
    Verdict,
    check_function,
    exception_name,
    raising_line,
)
from opencwm.debugger.checking.verify import MAX_STEPS, verify
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.sandbox import RunLimits, Sandbox, record
from opencwm.tracer import TraceLimits
from opencwm.traces import OutcomeKind, Program, Status, observed_outcome

FUNCTIONS = {
    "mean_length": """
def mean_length(words):
    total = 0
    for word in words:
        total += len(word)
    return total / len(words)
""",
    "initials": """
def initials(name):
    letters = []
    for part in name.split(" "):
        letters.append(part[0].upper())
    return "".join(letters)
""",
    "collatz_steps": """
def collatz_steps(n: int) -> int:
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps
""",
    "parse_pairs": """
def parse_pairs(text):
    found = {}
    for piece in text.split(","):
        key, value = piece.split("=")
        found[key] = int(value)
    return found
""",
    "second_largest": """
def second_largest(numbers: list[int]) -> int:
    ordered = sorted(set(numbers))
    return ordered[-2]
""",
    "discount": """
def discount(prices: dict[str, int], name: str, percent: int) -> int:
    price = prices[name]
    return price - price * percent // 100
""",
    "binary_search": """
def binary_search(items: list[int], wanted: int) -> int:
    low = 0
    high = len(items) - 1
    while low < high:
        middle = (low + high) // 2
        if items[middle] <= wanted:
            low = middle
        else:
            high = middle - 1
    return low
""",
    "oldest": """
def oldest(people):
    best = None
    for person in people:
        if best is None or person["age"] > best["age"]:
            best = person
    return best["name"].title()
""",
    "chunked": """
def chunked(items: list[int], size: int) -> list[list[int]]:
    start = 0
    chunks = []
    while start < len(items):
        chunks.append(items[start:start + size])
        start += size
    return chunks
""",
    "power": """
def power(base: int, exponent: int) -> int:
    if exponent == 0:
        return 1
    half = power(base, exponent // 2)
    if exponent % 2 == 0:
        return half * half
    return half * half * base
""",
    "ratio_of_vowels": """
def ratio_of_vowels(text: str) -> float:
    vowels = 0
    for letter in text.lower():
        if letter in "aeiou":
            vowels += 1
    return vowels / len(text.strip())
""",
    "greet": """
def greet(name: str | None = None, times: int = 1) -> str:
    line = "hello " + name.strip()
    return " ".join([line] * times)
""",
    "withdraw": """
def withdraw(balance: int, amount: int) -> int:
    if amount < 0:
        raise ValueError("a negative amount")
    if amount > balance:
        raise ValueError("not enough")
    return balance - amount
""",
    "is_palindrome": """
def is_palindrome(text: str) -> bool:
    letters = [letter.lower() for letter in text if letter.isalpha()]
    return letters == letters[::-1]
""",
    "count_words": """
def count_words(text: str) -> dict[str, int]:
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts
""",
    "clamp": """
def clamp(value: int, low: int, high: int) -> int:
    if value < low:
        return low
    if value > high:
        return high
    return value
""",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What came of one function."""

    name: str
    num_inputs: int
    confirmed: int
    refuted: int
    missed: tuple[str, ...]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-seconds", type=float, default=60.0, help="most time for a function")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--only", nargs="*", choices=FUNCTIONS, default=list(FUNCTIONS))
    options = parser.parse_args()
    world = NativeWorldModel.load(options.model)
    config = CheckConfig(num_inputs=options.inputs, seed=options.seed, max_seconds=options.max_seconds)
    rows = []
    print("| function | inputs | reports | confirmed | refuted | missed | seconds |")
    print("|---|---|---|---|---|---|---|")
    with Sandbox() as sandbox:
        for name in options.only:
            rows.append(row_of(world, name, config, sandbox))
            show(rows[-1])
    total = Row(
        "all",
        sum(row.num_inputs for row in rows),
        sum(row.confirmed for row in rows),
        sum(row.refuted for row in rows),
        tuple(f"{row.name}: {item}" for row in rows for item in row.missed),
        sum(row.seconds for row in rows),
    )
    show(total)


def show(row: Row) -> None:
    missed = f"{len(row.missed)}: {'; '.join(row.missed)}" if row.missed else "0"
    reports = row.confirmed + row.refuted
    print(
        f"| {row.name} | {row.num_inputs} | {reports} | {row.confirmed} | {row.refuted} | {missed}"
        f" | {row.seconds:.1f} |",
        flush=True,
    )


def row_of(world: NativeWorldModel, name: str, config: CheckConfig, sandbox: Sandbox) -> Row:
    source = FUNCTIONS[name].lstrip()
    start = time.perf_counter()
    checked = check_function(world, source, name, config)
    seconds = time.perf_counter() - start
    checked = verify(checked, source, sandbox)
    verdicts = [finding.verdict for finding in checked.findings]
    confirmed = verdicts.count(Verdict.CONFIRMED)
    missed = sorted(real_failures(checked, source, sandbox) - reported(checked))
    return Row(name, len(checked.inputs), confirmed, len(verdicts) - confirmed, tuple(missed), seconds)


def reported(checked: CheckedFunction) -> set[str]:
    return {
        f"{exception_name(finding.what)} at line {finding.lineno}"
        if finding.kind is FindingKind.EXCEPTION
        else "no end"
        for finding in checked.findings
        if finding.verdict is Verdict.CONFIRMED
    }


def real_failures(checked: CheckedFunction, source: str, sandbox: Sandbox) -> set[str]:
    limits = RunLimits(wall_s=2.0, cpu_s=2.0)
    found = set()
    for item in checked.inputs:
        trace = record(
            Program.from_call(source, item.call),
            sandbox=sandbox,
            limits=limits,
            trace_limits=TraceLimits(max_steps=MAX_STEPS),
            accelerate=True,
        )
        outcome = observed_outcome(trace)
        if trace.status in (Status.STEP_LIMIT, Status.TIMEOUT, Status.MEMORY, Status.BYTE_LIMIT):
            found.add("no end")
        elif outcome is not None and outcome.kind is OutcomeKind.RAISED:
            name = exception_name(outcome.value)
            endless = name == "RecursionError"
            found.add("no end" if endless else f"{name} at line {raising_line(trace.steps, source)}")
    return found


if __name__ == "__main__":
    main()
