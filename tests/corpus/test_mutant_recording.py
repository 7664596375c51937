"""Traces of mutants: linked to their originals, parting at the recorded step, in one split."""

from __future__ import annotations

import dataclasses
import random
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import GeneratorConfig, generate_traced, in_process_recorder, sample_config
from opencwm.corpus.mutants import OPERATORS, MutationConfig, first_divergence, mutant_traces, reproduced
from opencwm.corpus.structure import split_of
from opencwm.sandbox import RunLimits, Sandbox
from opencwm.sandbox import record as record_confined
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Evaluation, Program, Status, Trace

LIMITS = TraceLimits(max_steps=100)
COUNT = """
def count(text, letter):
    found = 0
    for one in text:
        if one == letter:
            found += 1
    return found
"""


def run(program: Program) -> Trace:
    return record(program, LIMITS)


def originals(source: str, *calls: str, group: str = "") -> list[Trace]:
    return [run(Program.from_call(textwrap.dedent(source), call, group=group)) for call in calls]


def only(operator: str, max_mutants: int = 100) -> MutationConfig:
    return MutationConfig(max_mutants=max_mutants, weights=dict.fromkeys(OPERATORS, 0.0) | {operator: 1.0})


def test_a_mutant_is_linked_to_its_original_and_parts_from_it() -> None:
    first, second = originals(COUNT, "count('abb', 'b')", "count('', 'b')")
    found = list(mutant_traces([first, second], random.Random(0), only("swap-comparison"), run))
    assert [trace.program.call for trace in found] == [first.program.call, second.program.call]
    assert "if one != letter:" in found[0].program.source
    parted, equal = (trace.mutation for trace in found)
    assert parted is not None
    assert equal is not None
    assert (parted.original, parted.operator) == (first.program.id, "swap-comparison")
    assert (equal.original, equal.operator) == (second.program.id, "swap-comparison")
    assert parted.first_divergence == 6  # main, return, count, found, for, if, then `found += 1` runs
    assert first.steps[6].lineno != found[0].steps[6].lineno
    assert equal.first_divergence is None
    assert not parted.is_equivalent
    assert not equal.is_equivalent, "one input tells the mutant from its original"


def test_a_mutant_that_no_input_tells_apart_is_marked() -> None:
    traces_ = originals(COUNT, "count('', 'b')", "count('', 'a')")
    found = list(mutant_traces(traces_, random.Random(0), only("replace-name"), run))
    assert found, "`for one in letter` would differ, `return found` has no other variable"
    by_source: dict[str, list[Trace]] = {}
    for trace in found:
        by_source.setdefault(trace.program.source, []).append(trace)
    for group in by_source.values():
        assert len(group) == 2
        is_equal = [trace.mutation is not None and trace.mutation.first_divergence is None for trace in group]
        assert {trace.mutation.is_equivalent for trace in group if trace.mutation} == {all(is_equal)}


def test_what_is_printed_tells_runs_apart() -> None:
    source = "def f():\n    print('a')\n    return 1\n"
    found = list(mutant_traces(originals(source, "f()"), random.Random(0), only("change-text"), run))
    assert {trace.stdout for trace in found} == {"\n", "A\n"}
    assert [trace.mutation and trace.mutation.first_divergence for trace in found] == [None, None]
    assert not any(trace.mutation and trace.mutation.is_equivalent for trace in found)


def test_lines_that_no_input_runs_are_left_alone() -> None:
    source = "def f(a):\n    if a:\n        return a + 1\n    return a - 1\n"
    found = list(mutant_traces(originals(source, "f(2)"), random.Random(0), only("swap-arithmetic"), run))
    assert [trace.program.source for trace in found] == [source.replace("+", "-")]


def test_an_endless_mutant_is_cut_at_the_step_limit() -> None:
    source = "def f(n):\n    while n > 0:\n        n -= 1\n    return n\n"
    found = list(mutant_traces(originals(source, "f(3)"), random.Random(0), only("drop-statement"), run))
    endless = [trace for trace in found if trace.status is Status.STEP_LIMIT]
    assert [len(trace.steps) for trace in endless] == [LIMITS.max_steps]
    assert endless[0].mutation is not None
    assert endless[0].mutation.first_divergence == 5  # the test again, where n is not less
    assert not endless[0].mutation.is_equivalent


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.MEMORY, Status.KILLED, Status.REFUSED])
def test_a_mutant_with_a_run_that_cannot_be_compared_is_left_out(status: Status) -> None:
    traces_ = originals(COUNT, "count('abb', 'b')", "count('a', 'b')")
    refused = 0

    def recorder(program: Program) -> Trace:
        nonlocal refused
        trace = run(program)
        if program.call == "count('a', 'b')" and not refused:
            refused += 1
            return dataclasses.replace(trace, status=status)
        return trace

    found = list(mutant_traces(traces_, random.Random(0), MutationConfig(max_mutants=2), recorder))
    assert refused == 1
    assert len({trace.program.source for trace in found}) == 2, "another one takes its place"
    assert len(found) == 4


def test_attempts_end() -> None:
    (original,) = originals(COUNT, "count('abb', 'b')")
    runs = []

    def recorder(program: Program) -> Trace:
        runs.append(program)
        return Trace(program, (), (), Status.TIMEOUT)

    assert list(mutant_traces([original], random.Random(0), MutationConfig(max_mutants=2), recorder)) == []
    assert len(runs) == 6


def test_originals_that_did_not_end_do_not_count() -> None:
    (original,) = originals(COUNT, "count('abb', 'b')")
    cut = dataclasses.replace(original, status=Status.TIMEOUT)
    assert list(mutant_traces([cut], random.Random(0), None, run)) == []


def test_originals_of_two_sources_are_refused() -> None:
    traces_ = originals(COUNT, "count('', '')") + originals("def g():\n    return 1\n", "g()")
    with pytest.raises(ConfigError, match="more than one source"):
        list(mutant_traces(traces_, random.Random(0), None, run))


@pytest.mark.parametrize("group", ["", "some-function"])
def test_a_mutant_lies_in_the_split_of_its_original(group: str) -> None:
    (original,) = originals(COUNT, "count('abb', 'b')", group=group)
    found = list(mutant_traces([original], random.Random(0), MutationConfig(max_mutants=9), run))
    splits = {split_of(trace.program, valid_fraction=0.3, test_fraction=0.3) for trace in (original, *found)}
    assert len(found) == 9
    assert len(splits) == 1
    assert len({trace.program.group for trace in found}) == 1


def test_runs_that_are_not_given_again_are_found() -> None:
    source = "import time\ndef f(a):\n    return a and time.perf_counter_ns()\n"
    same, different = originals(source, "f(0)", "f(1)")
    assert reproduced([different, same], run) == [same]
    longer = run(Program.from_call("def f():\n    return 'x' * 50\n", "f()"))
    assert reproduced([longer], lambda program: record(program, TraceLimits(max_value_chars=20))) == []


def test_real_code_is_mutated_in_the_sandbox() -> None:
    with Sandbox() as sandbox:
        limits = RunLimits(wall_s=5.0, cpu_s=5.0)

        def confined(program: Program) -> Trace:
            return record_confined(program, sandbox=sandbox, limits=limits, trace_limits=LIMITS)

        traces_ = originals(COUNT, "count('abb', 'b')", "count('b', 'b')")
        assert reproduced(traces_, confined) == traces_
        one = list(mutant_traces(traces_, random.Random(3), MutationConfig(max_mutants=3), confined))
    assert one == list(mutant_traces(traces_, random.Random(3), MutationConfig(max_mutants=3), run))
    assert len(one) == 6


# -- the first step that differs -------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_divergence_of_generated_programs(seed: int) -> None:
    rng = derive_rng("divergence", seed)
    original = generate_traced(rng, sample_config(rng))
    if original is None:
        return
    recorder = in_process_recorder(GeneratorConfig())
    for trace in mutant_traces([original], rng, MutationConfig(max_mutants=4), recorder):
        assert trace.mutation is not None
        at = trace.mutation.first_divergence
        shortest = min(len(original.steps), len(trace.steps))
        assert original.steps[:at] == trace.steps[:at]
        if at is None:
            assert len(original.steps) == len(trace.steps)
        elif at < shortest:
            assert original.steps[at] != trace.steps[at]
        else:
            assert at == shortest


@pytest.mark.parametrize("at", range(18))
def test_the_step_that_was_changed_is_found(at: int) -> None:
    steps = originals(COUNT, "count('abba', 'b')")[0].steps
    assert len(steps) == 18
    assert first_divergence(steps, steps) is None
    assert first_divergence(steps, steps[:at]) == first_divergence(steps[:at], steps) == at
    changes: dict[str, object] = {
        "lineno": steps[at].lineno + 1,
        "depth": steps[at].depth + 1,
        "changed": (*steps[at].changed, ("new", "1")),
        "deleted": (*steps[at].deleted, "gone"),
        "value": f"{steps[at].value}!",
        "flags": steps[at].flags ^ 8,
    }
    for name, value in changes.items():
        other = [*steps[:at], dataclasses.replace(steps[at], **{name: value}), *steps[at + 1 :]]  # type: ignore[arg-type]
        assert first_divergence(steps, other) == at, name
        assert first_divergence(other, steps) == at, name
    evaluated = dataclasses.replace(steps[at], evaluations=(Evaluation("0 + 1", "1", 6, 12, 6, 22),))
    assert first_divergence(steps, [*steps[:at], evaluated, *steps[at + 1 :]]) is None
