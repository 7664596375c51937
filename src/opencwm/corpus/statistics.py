"""What a corpus holds, in numbers: counted shard by shard, added up for the data card."""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opencwm.corpus.structure import parse_quietly
from opencwm.traces import Program, Status, StepFlags, StepKind, Trace

CONSTRUCTS: Final[dict[type[ast.AST], str]] = {
    ast.For: "for",
    ast.While: "while",
    ast.If: "if",
    ast.IfExp: "conditional expression",
    ast.Try: "try",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.With: "with",
    ast.ClassDef: "class",
    ast.Lambda: "lambda",
    ast.ListComp: "list comprehension",
    ast.SetComp: "set comprehension",
    ast.DictComp: "dict comprehension",
    ast.GeneratorExp: "generator expression",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.AsyncFunctionDef: "async def",
    ast.Await: "await",
    ast.Match: "match",
    ast.JoinedStr: "f-string",
    ast.Slice: "slice",
    ast.Starred: "starred",
    ast.NamedExpr: "assignment expression",
    ast.AugAssign: "augmented assignment",
    ast.BoolOp: "and, or",
    ast.BinOp: "arithmetic",
    ast.Compare: "comparison",
    ast.Subscript: "subscript",
    ast.Dict: "dict display",
    ast.Set: "set display",
    ast.Import: "import",
    ast.ImportFrom: "import from",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Delete: "del",
    ast.Break: "break",
    ast.Continue: "continue",
}
"""Kinds of syntax that are counted, by name; a program counts once for each that its text has."""

NO_LICENCE: Final = "none named"
GENERATED: Final = "generated"
_TYPE_NAME: Final = re.compile(r"([A-Za-z_][\w.]*)\(")
_WORDS: Final = {"None": "None", "True": "bool", "False": "bool", "nan": "float", "inf": "float"}
_NUMBER: Final = re.compile(r"-?(\d+|inf|nan)(\.\d*)?(e[+-]?\d+)?")

Counts = dict[str, dict[str, int]]
"""Counters by name; numbers are keys written in decimal."""


def value_type(text: str) -> str:
    """Return the type of a rendered value, as far as its text tells: ``int``, ``str``, ... or ``object``."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[:1] or "<"
    if first in "'\"":
        return "str"
    if first in "[({":
        return {"[": "list", "(": "tuple" if not text.endswith("j)") else "complex", "{": _braces(text)}[
            first
        ]
    if text[:2] in ("b'", 'b"'):
        return "bytes"
    if _NUMBER.fullmatch(text):
        return "int" if text.lstrip("-").isdigit() else "float"
    if text.endswith("j"):
        return "complex"
    if first == "<":
        return "other"
    name = _TYPE_NAME.match(text)
    if name is not None:
        short = name[1].rpartition(".")[2]
        if short in (
            "set",
            "frozenset",
            "deque",
            "Counter",
            "defaultdict",
            "OrderedDict",
            "range",
            "bytearray",
        ):
            return short
        return "object"
    return "other"


def _braces(text: str) -> str:
    """Return ``dict`` or ``set`` for a text in braces: a dict has a colon outside of what is nested."""
    depth, quote, skip = 0, "", False
    for character in text:
        if skip:
            skip = False
        elif quote:
            skip = character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == ":" and depth == 1:
            return "dict"
    return "dict" if text == "{}" else "set"


def origin_of(program: Program) -> str:
    """Return what a program came from, without version and place: ``pkg:pypi/NAME``, ``generated``, ..."""
    return program.origin.partition("@")[0].partition("#")[0] or "unknown"


class Statistics:
    """Counts what it is shown. Two can be added; none depends on the order of what was counted."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._counters: dict[str, collections.Counter[str]] = {
            name: collections.Counter(counter) for name, counter in (counts or {}).items()
        }

    def count(self, name: str, key: object, number: int = 1) -> None:
        """Add ``number`` to ``key`` of a counter."""
        self._counters.setdefault(name, collections.Counter())[str(key)] += number

    def add_trace(self, trace: Trace) -> None:
        """Count one run."""
        program = trace.program
        self.count("programs", "programs")
        self.count("steps", len(trace.steps))
        self.count("lines", len(program.lines))
        self.count("status", trace.status.value)
        self.count("licences", program.licence or (GENERATED if program.origin == GENERATED else NO_LICENCE))
        self.count("origins", origin_of(program))
        self.count("python", trace.python)
        if trace.status is Status.RAISED:
            self.count("exceptions", trace.detail.partition("(")[0].partition(":")[0] or "unknown")
        if trace.mutation is not None:
            self.count("mutations", trace.mutation.operator)
            kind = "same steps" if trace.mutation.first_divergence is None else "other steps"
            self.count("mutants", "equivalent" if trace.mutation.is_equivalent else kind)
        for name in _constructs(program):
            self.count("constructs", name)
        self._add_steps(trace)

    def _add_steps(self, trace: Trace) -> None:
        kinds: collections.Counter[str] = collections.Counter()
        types: collections.Counter[str] = collections.Counter()
        evaluations = 0
        for step in trace.steps:
            kinds[step.kind.value] += 1
            evaluations += len(step.evaluations)
            for _, value in step.changed:
                types[value_type(value)] += 1
            if step.kind is StepKind.RETURN and step.value is not None and not step.flags & StepFlags.UNWIND:
                types[value_type(step.value)] += 1
        for name, counter in (("step_kinds", kinds), ("value_types", types)):
            self._counters.setdefault(name, collections.Counter()).update(counter)
        if evaluations:
            self.count("evaluations", "evaluations", evaluations)

    def add_documents(self, name: str, num_tokens: Iterable[int]) -> None:
        """Count documents of the format ``name`` by their length in ids."""
        for length in num_tokens:
            self.count(f"tokens/{name}", length)

    def add(self, other: Mapping[str, Mapping[str, int]]) -> None:
        """Add what another counted, as :meth:`counts` returns it."""
        for name, counter in other.items():
            self._counters.setdefault(name, collections.Counter()).update(counter)

    def counts(self) -> Counts:
        """Return all counters, sorted by name and key."""
        return {name: dict(sorted(counter.items())) for name, counter in sorted(self._counters.items())}


def _constructs(program: Program) -> list[str]:
    tree = parse_quietly(program.source)
    if tree is None:
        return []
    found = {type(node) for node in ast.walk(tree)}
    names = [name for kind, name in CONSTRUCTS.items() if kind in found]
    if sum(isinstance(node, ast.FunctionDef) for node in ast.walk(tree)) > 1:
        names.append("several functions")
    return names


def summary(histogram: Mapping[str, int]) -> dict[str, Any]:
    """Return total, mean, median, 90 and 99 % points and maximum of a histogram over whole numbers."""
    values = sorted((int(key), count) for key, count in histogram.items())
    number = sum(count for _, count in values)
    if not number:
        return {"number": 0, "total": 0}
    total = sum(value * count for value, count in values)
    return {
        "number": number,
        "total": total,
        "mean": round(total / number, 1),
        "median": _point(values, number, 0.5),
        "p90": _point(values, number, 0.9),
        "p99": _point(values, number, 0.99),
        "max": values[-1][0],
    }


def _point(values: list[tuple[int, int]], number: int, share: float) -> int:
    seen = 0
    for value, count in values:
        seen += count
        if seen >= share * number:
            return value
    return values[-1][0]
