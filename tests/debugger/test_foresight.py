"""Foresight against recorded runs: what is foreseen of a line is what was recorded of it."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import random
from collections.abc import Sequence

import pytest
from followed_classes import ASKED, CLASS_PROGRAMS, CLASSES, FIELDS, GENERATORS, ITERATORS, MODULE
from followed_objects import OBJECT_PROGRAMS
from followed_programs import PROGRAMS
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.native_writer import MAX_EVALUATION_CHARS, MAX_EVALUATIONS, written_evaluations
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.debugger.foreseeing.expectations import (
    EnteringError,
    Expected,
    Outcome,
    ResumingError,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.foresight import Foresight
from opencwm.debugger.foreseeing.with_blocks import RETURNS, UNWINDS
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.debugger.legality import Legal
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Activation, Program, Step, StepFlags, StepKind, Trace, apply_step


class _NothingMoreError(Exception):
    """The step proper begins."""


class _Witness:
    """Follows a recorded run and checks all that is foreseen of it; ``counts`` says how much that was."""

    def __init__(self, trace: Trace, *, calculates: bool = False) -> None:
        self.trace = trace
        self.foresight = Foresight(Workings.of(trace.program.text), calculates=calculates)
        self.counts: collections.Counter[str] = collections.Counter()
        self.expected: list[str | None] = []
        self.settled: list[str] = []
        self._stack: list[Activation] = []

    def run(self) -> _Witness:
        for step in self.trace.steps:
            self._step(step)
        return self

    def _step(self, step: Step) -> None:
        written = [(item.text, item.value) for item in written_evaluations(step)]
        self._to_come = list(written)
        self._num_written = len(written)
        self._kind = step.kind
        outcome = Outcome()
        try:
            outcome = self.foresight.follow(self._ask)
        except EnteringError as entering:
            self._check_entered(entering.first, step)
        except ResumingError as resuming:
            self._check_resumed(resuming, step)
        except (_NothingMoreError, UnforeseenError):
            pass
        else:
            assert not (outcome.is_told and self._to_come)
        branch = self.foresight.branch
        if step.kind is StepKind.CALL and not step.flags & StepFlags.RESUME:
            self._check_arguments(step, written)
        apply_step(self._stack, step, self.trace.codes)
        if step.kind in (StepKind.LINE, StepKind.RETURN) and not step.flags & StepFlags.UNWIND:
            self._check(outcome, branch, step)
        if outcome.is_told:
            assert step.kind is not StepKind.EXCEPTION
        if outcome.leads_to is not None and step.kind is not StepKind.EXCEPTION:
            assert followed_by(step) in outcome.leads_to
        if step.kind is StepKind.CALL:
            is_resumed = bool(step.flags & StepFlags.RESUME)
            assert not (outcome.resumes_nothing if is_resumed else outcome.enters_nothing)
        if step.kind is StepKind.RETURN:
            self._stack.pop()
        self.foresight.push(step, self._stack, self.trace.codes)

    def _ask(self, expected: Expected) -> tuple[str, str]:
        self.expected.append(expected.text)
        if self._num_written == MAX_EVALUATIONS and not self._to_come:
            raise UnforeseenError
        if not self._to_come:
            assert not expected.is_certain or self._kind in (StepKind.EXCEPTION, StepKind.CALL), expected
            raise _NothingMoreError
        text, value = self._to_come.pop(0)
        is_it = expected.matches(text)
        assert is_it or not expected.is_certain, (expected, text)
        self.counts["foreseen" if is_it and expected.text is not None else "written"] += 1
        if is_it and expected.value is not None:
            assert expected.value == value
            self.settled.append(text)
        calculated = self.foresight.workings.known.calculated(expected)
        if is_it and calculated is not None:
            assert calculated == value
            self.counts["calculated"] += 1
        return text, value

    def _check(self, outcome: Outcome, branch: int, step: Step) -> None:
        for name, value in outcome.values.items():
            assert self._stack[-1].locals[name] == value
            self.counts["values"] += 1
        if outcome.is_told and outcome.is_pure:
            assert {name for name, _ in step.changed} <= outcome.values.keys()
            self.counts["pure"] += 1
        assert outcome.untouched.isdisjoint(name for name, _ in step.changed)
        self.counts["untouched"] += len(outcome.untouched)
        if self.foresight.returns_none and step.kind is StepKind.RETURN and not step.flags & StepFlags.YIELD:
            assert step.value == "None"
            self.counts["returned none"] += 1
        if outcome.returned is not None and step.kind is StepKind.RETURN:
            assert outcome.returned == step.value
            self.counts["returned"] += 1
        if outcome.is_yield:
            assert step.kind is StepKind.RETURN
            assert step.flags & StepFlags.YIELD
        if outcome.truth is not None and branch:
            assert (step.kind is StepKind.LINE and step.lineno == branch) is outcome.truth
            self.counts["branches"] += 1

    def _check_entered(self, first: int, step: Step) -> None:
        assert step.kind is StepKind.CALL, (first, step)
        assert self.trace.codes[step.code].firstlineno == first
        assert not self._to_come
        self.counts["entered"] += 1

    def _check_resumed(self, resuming: ResumingError, step: Step) -> None:
        assert step.kind is StepKind.CALL, (resuming.suspended, step)
        assert step.flags & StepFlags.RESUME
        assert step.lineno == resuming.suspended.lineno
        assert not self._to_come
        kept = resuming.kept(self.foresight.workings.known.shared)
        assert kept.items() <= dict(step.changed).items()
        assert not resuming.is_at_once or len(kept) == len(step.changed)
        self.counts["resumed"] += 1

    def _check_arguments(self, step: Step, written: Sequence[tuple[str, str]]) -> None:
        known = self.foresight.arguments(step.lineno, written)
        for name, value in step.changed:
            if name in known:
                assert known[name] == value
                self.counts["arguments"] += 1
        first_lines = {info.firstlineno for info in self.trace.codes}
        assert step.lineno in self.foresight.next_callees(first_lines, written)


def followed_by(step: Step) -> int:
    """The line a step goes on with, or what stands for leaving the function."""
    is_left = step.kind is StepKind.RETURN
    return (UNWINDS if step.flags & StepFlags.UNWIND else RETURNS) if is_left else step.lineno


def _recorded(source: str, call: str) -> Trace:
    return record(Program.from_call(source, call), TraceLimits(expressions=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_what_is_foreseen_of_generated_programs_comes_true(seed: int, calculates: bool) -> None:
    rng = random.Random(seed)
    trace = generate_traced(rng, sample_config(rng))
    assert trace is not None
    _Witness(record(trace.program, TraceLimits(expressions=True)), calculates=calculates).run()


def test_most_of_what_generated_programs_evaluate_is_foreseen() -> None:
    total: collections.Counter[str] = collections.Counter()
    for seed in range(60):
        rng = random.Random(seed)
        trace = generate_traced(rng, sample_config(rng))
        assert trace is not None
        witness = _Witness(record(trace.program, TraceLimits(expressions=True))).run()
        total += witness.counts
        total["all"] += sum(len(written_evaluations(step)) for step in witness.trace.steps)
    assert total["foreseen"] > 0.8 * total["all"] > 500
    assert total["calculated"] > 0.5 * total["all"]
    assert min(total[name] for name in ("values", "returned", "branches", "arguments", "pure")) > 50


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), [*PROGRAMS, *OBJECT_PROGRAMS, *CLASS_PROGRAMS])
def test_what_is_foreseen_of_every_construct_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()


@pytest.mark.parametrize(
    ("source", "call", "least"),
    [
        (GENERATORS, "f(3)", {"resumed": 20, "branches": 50, "pure": 90}),
        (CLASSES, "f(3)", {"entered": 15, "calculated": 25, "returned": 15}),
        (ASKED, "f(3)", {"calculated": 25}),
        (MODULE, "f('ab e cab')", {"calculated": 35, "branches": 20}),
        (FIELDS, "f(4)", {"calculated": 25}),
        (ITERATORS, "f([3, 0, 2, 1])", {"calculated": 15}),
    ],
)
def test_much_of_classes_generators_and_modules_is_foreseen(
    source: str, call: str, least: dict[str, int]
) -> None:
    counts = _Witness(_recorded(source, call), calculates=True).run().counts
    assert {name: counts[name] for name, number in least.items() if counts[name] < number} == {}


def test_containers_that_change_are_calculated() -> None:
    source = """def f(xs, d):
    xs.append(4)
    xs[0] = xs.pop()
    d['a'] = len(xs)
    d['a'] += 2
    d.update({'b': 1})
    return xs, d
"""
    counts = _Witness(_recorded(source, "f([1, 2], {})"), calculates=True).run().counts
    assert counts["values"] == 5
    counts = _Witness(_recorded(source, "f([1, 2], {})")).run().counts
    assert counts["values"] == 5  # moving items takes no calculating


def test_containers_inside_of_others_are_foreseen_where_they_cannot_be_mixed_up() -> None:
    source = """class Bag:
    def __init__(self):
        self.items = [[0, 1], [2]]
        self.count = {}

def f(n):
    rows, d = [[1, 2], [3]], {'a': []}
    rows[0][1] = n
    rows[1].append(n)
    rows[0][0] += n
    d['a'].extend(rows[0])
    bag = Bag()
    bag.items[0][1] = n
    bag.items[1].append(n)
    bag.count['x'] = n
    bag.count['x'] += n
    twins = [[n]] * 2
    twins[0].append(1)
    twins[1][0] = 2
    return rows, d, bag, twins
"""
    counts = _Witness(_recorded(source, "f(7)")).run().counts
    assert counts["values"] == 14  # of 16: not what becomes of the twins


def test_what_a_comprehension_makes_is_put_together() -> None:
    source = """def f(xs):
    a = [x + 1 for x in xs if x]
    b = {x: str(x) for x in xs}
    c = {x % 2: x for x in xs}
    d = [x for x, y in zip(xs, xs)]
    e = any(x > 2 for x in xs), all(x > 2 for x in xs)
    g = list(x * 2 for x in xs)
    h = sum(x for x in xs if x > 1) + len(','.join(str(x) for x in xs))
    return [a, b, c, d, e, g, h]
"""
    witness = _Witness(_recorded(source, "f([1, 2, 3])")).run()
    assert {"[x + 1 for x in [1, 2, 3] if x]", "list(x * 2 for x in xs)"} <= set(witness.settled)
    assert "any(x > 2 for x in xs)" in witness.settled
    assert "all(x > 2 for x in xs)" in witness.settled
    assert "{x % 2: x for x in [1, 2, 3]}" not in witness.settled  # a key comes twice
    assert witness.counts["values"] == 6  # items of zip are not known


def test_what_is_too_long_to_be_written_is_read_off() -> None:
    source = """class Wide:
    def __init__(self):
        self.first = 'a name that is rather long'
        self.second = ['and', 'another', 'attribute']

    @property
    def third(self):
        return 3

def f(xs):
    wide = Wide()
    a, b = wide.second, xs[20]
    c = wide.third
    for x in xs:
        b = x
    import os, os.path as path
    (d, (e, g)), h = (1, (2, 3)), 4
    return a, b, c
"""
    assert _Witness(_recorded(source, "f(list(range(22)))")).run().counts["values"] == 56


def test_what_becomes_of_an_object_that_was_handed_on_and_then_changed_is_not_made_up() -> None:
    source = """class Form:
    def __init__(self, n):
        self.n = n
        self.made = self.make(n)
        self.rest = [self.make(n), self.make(-0)]

    def make(self, n):
        return (part for part in (n, -0))

def f():
    return Form(2)
"""
    _Witness(_recorded(source, "f()")).run()


def test_what_a_comprehension_does_to_objects_stays_and_its_variables_are_none_of_the_locals() -> None:
    source = """def f(xs, rows, x):
    taken = [xs.pop() for _ in range(2)] + [len(xs)]
    made, left = [xs.append(i) for i in (7, 8)], xs[:]
    done = [x.append(1) for x in rows]
    return taken, made, left, done, x, rows
"""
    for calculates in (False, True):
        _Witness(_recorded(source, "f([1, 2, 3], [[4], [5]], [6])"), calculates=calculates).run()


def test_what_only_looks_plain_is_not_made_up() -> None:
    source = """class Meta(type):
    def made(cls, n):
        return n

class Own(metaclass=Meta):
    pass

class Odd(dict):
    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return not self == other

    def __setitem__(self, key, value):
        pass

def swap(a, b):
    return b, a

def f(xs):
    seen = []
    lazy = (seen.append(x) for x in xs)
    for _ in lazy:
        pass
    total = sum(1 for _ in (seen.append(x) for x in xs))
    more = list(seen.append(x) for x in xs)
    a, b = seen, [total]
    a, b = swap(a, b)
    odd = Odd(a='a long key that is not written as an evaluation at all')
    odd['b'] = 1
    return Own.made(3), dict.__repr__(odd), odd == odd, odd != odd, a, b, more
"""
    for calculates in (False, True):
        _Witness(_recorded(source, "f([1, 2])"), calculates=calculates).run()


def test_what_is_known_to_change_nothing_else_is_not_asked() -> None:
    legal = Legal(frozenset({1}), settable=("a", "b", "c"))
    outcome = Outcome(values={"a": "1", "b": "2"}, is_told=True, is_pure=True)
    assert legal.narrowed(outcome, None, {"a": "1", "b": "1", "c": "[]"}).settable == ("b",)
    outcome = dataclasses.replace(outcome, is_pure=False)
    assert legal.narrowed(outcome, None, {"a": "1", "b": "1", "c": "[]"}).settable == ("b", "c")


def test_the_order_of_a_set_is_not_made_up() -> None:
    for letters in ("xyz", "abcdef", "kqvw"):
        source = f"def f(s):\n    a, b = s, {{{letters!r}, *{letters!r}}}\n    return a, b\n"
        _Witness(_recorded(source, f"f({set(letters)!r})")).run()


def test_attributes_that_are_set_are_foreseen() -> None:
    source = """class Point:
    def __init__(self, x):
        self.x = x
        self.seen = [x]

    def move(self, by):
        self.x += by
        return self.x

def f():
    point = Point(1)
    point.move(2)
    point.name = 'p'
    return point.x
"""
    counts = _Witness(_recorded(source, "f()")).run().counts
    assert counts["values"] == 6  # at two lines of __init__, in move, after both, and in f


def test_what_a_function_did_to_its_arguments_is_known_to_its_caller() -> None:
    source = """def fill(into, n, *, also=None):
    into.append(n)
    if also is not None:
        also[n] = into
    return n

def swap(xs):
    xs = [*xs]
    xs.reverse()

def both(xs, n):
    fill(xs, n)
    return fill(xs, n + 1) + len(xs)

def f():
    xs, seen = [], {}
    fill(xs, 1)
    both(xs, 2)
    swap(xs)
    fill(xs, 9, also=seen)
    ys = [fill(xs, y) for y in (1, 2)]
    fill(xs, 4) + fill(ys, 5)
    return xs, ys, seen
"""
    counts = _Witness(_recorded(source, "f()")).run().counts
    assert counts["values"] >= 10


def test_calls_that_are_sure_to_be_made_and_what_they_leave_alone_are_foreseen() -> None:
    total: collections.Counter[str] = collections.Counter()
    for source, call in OBJECT_PROGRAMS:
        total += _Witness(_recorded(source, call), calculates=True).run().counts
    assert total["entered"] >= 40
    assert total["untouched"] >= 200
    assert total["calculated"] > 2 * total["written"]


@pytest.mark.parametrize(
    "change",
    [
        "A.go = lambda self: 1",
        "a.go = lambda: 1",
        "setattr(a, 'go', len)",
        "g = len",
        "globals()['g'] = len",
        "a.__class__ = B",
    ],
)
def test_a_call_of_what_may_be_something_else_is_not_sure(change: str) -> None:
    source = f"""class A:
    def go(self):
        return 2

class B(A):
    def go(self):
        return 3

def g():
    return 4

def f(a):
    try:
        {change}
    except (TypeError, NameError):
        pass
    return a.go() if a else g()
"""
    for call in ("f(A())", "f(B())", "f([])"):
        if not (call == "f([])" and change.startswith("a.")):
            _Witness(_recorded(source, call), calculates=True).run()


def test_a_line_is_taken_up_again_after_each_call() -> None:
    source = "def g(x):\n    return x * 2\n\ndef f(n):\n    return g(n) + g(n + 1)\n"
    witness = _Witness(_recorded(source, "f(4)")).run()
    assert witness.counts["arguments"] == 3
    assert [text for text in witness.expected if text] == [
        "4 * 2", "g(4)", "4 + 1", "5 * 2", "g(5)", "8 + 10", "f(4)",
    ]  # fmt: skip


def test_a_program_that_does_not_parse_foresees_nothing() -> None:
    assert not Workings.of("def f(:").lines
    with pytest.raises(UnforeseenError):
        Foresight(Workings.of("def f(:")).follow(lambda _: None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3 + 4", "7"),
        ("'ab'.upper()", "'AB'"),
        ("[1, 2][5]", None),
        ("{'a': 1}.keys()", "dict_keys(['a'])"),
        ("{'a': 1}.items()", "dict_items([('a', 1)])"),
        ("len([P(x=3), <object object>])", "2"),
        ("[P(x=3), <function f>][1:]", "[<function f>]"),
        ("list(enumerate([P(x='<b>'), 2]))[0]", "(0, P(x='<b>'))"),
        ("P(x=3) is None", "False"),
        ("P(x=3) == P(x=3)", None),  # its own business
        ("not P(x=3)", None),
        ("str([P(x=3)])", None),
        ("'%r' % [P(x=3)]", None),
        ("[P(x=3)].index(2)", None),
        ("sorted([P(x=3), P(x=2)])", None),
        ("[P(x=...)][0]", None),
        ("type('a')", "<class 'str'>"),
        ("'%s|%5.2f' % ('a', 1.5)", "'a| 1.50'"),
        ("'{}-{:>3}'.format(1, 2)", "'1-  2'"),
        ("'{.real}'.format(1)", None),
        ("'{:9999999}'.format(1)", None),
        ("'a'.encode('ascii')", "b'a'"),
        ("'a'.encode('rot13')", None),
        ("b'\\xff'.hex()", "'ff'"),
        ("bytes.fromhex('ff00')", "b'\\xff\\x00'"),
        ("'a'.center(5, '*')", "'**a**'"),
        ("'a'.zfill(10 ** 9)", None),
        ("pow(2, 10)", "1024"),
        ("pow(9, 9 ** 9)", None),
        ("{1, 2} | {3}", "{1, 2, 3}"),
        ("list({1, 2})", None),  # in an order that the text does not tell
        ("sorted({2, 1})", "[1, 2]"),
        ("len('abc')", "3"),
        ("open('x')", None),
        ("P(x=3).x", None),
        ("[1, ...][0]", None),
        ("not a thing(", None),
    ],
)
def test_what_is_calculated(text: str, value: str | None) -> None:
    known = Workings.of("def f():\n    return 1\n").known
    assert known.calculated(Expected(text)) == value
    assert len(text) < MAX_EVALUATION_CHARS


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("1 / 0", "ZeroDivisionError('division by zero')"),
        ("{'a': 1}['b']", "KeyError('b')"),
        ("[1, 2][5]", "IndexError('list index out of range')"),
        ("int('x')", "ValueError(\"invalid literal for int() with base 10: 'x'\")"),
        ("None.upper()", "AttributeError(\"'NoneType' object has no attribute 'upper'\")"),
        ("1 / 2", None),
        ("open('x')", None),
        ("'a'.encode('nothing')", None),  # not worked out here
        ("[a for a, b in [(1, 2, 3)]]", None),  # worded otherwise
        ("[1, ...][5]", None),
        ("2 ** 10 ** 10", None),  # too large to be worked out
    ],
)
def test_what_an_operation_raises_is_worked_out(text: str, raised: str | None) -> None:
    known = Workings.of("def f():\n    return 1\n").known
    assert known.raised(Expected(text)) == raised


def test_a_loop_that_is_over_raises_nothing() -> None:
    known = Workings.of("def f():\n    return 1\n").known
    assert known.raised(Expected("[1, 2][5]", at_end="StopIteration")) is None


def test_a_name_of_the_program_hides_a_built_in_function() -> None:
    known = Workings.of("def len(x):\n    return 7\n").known
    assert known.calculated(Expected("len('abc')")) is None


HOSTILE = [
    *("", "range(1, 2, 0)", "range(10**30)", "range('a')", "'\\d'", "[1, ...]", "{1: ", "dict_items("),
    *("b'\\xff", "(" * 300, "1" * 5000, "[" * 200 + "]" * 200, "-", "<x object>", "StopIteration", "True"),
    *("'\ud800'", "1e999", "\0"),
]
"""What a model may say that a value is."""


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("source", "call"), [*PROGRAMS, *OBJECT_PROGRAMS[1:3]])
def test_whatever_values_are_said_to_be_nothing_breaks(source: str, call: str, value: str) -> None:
    trace = _recorded(source, call)
    foresight = Foresight(Workings.of(trace.program.text), calculates=True)
    known = foresight.workings.known

    def ask(expected: Expected) -> tuple[str, str]:
        known.calculated(expected)
        return expected.text or "?", value

    stack: list[Activation] = []
    for step in trace.steps:
        with contextlib.suppress(UnforeseenError):
            outcome = foresight.follow(ask)
            assert outcome.returned != ""
        foresight.next_callees([1, 2, 5], [])
        said = dataclasses.replace(
            step, changed=tuple((name, value) for name, _ in step.changed), evaluations=()
        )
        foresight.arguments(step.lineno, [])
        apply_step(stack, said, trace.codes)
        if step.kind is StepKind.RETURN:
            stack.pop()
        foresight.push(said, stack, trace.codes)
