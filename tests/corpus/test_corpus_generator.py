"""The generator: what it covers, what it guarantees, and in which proportions."""

from __future__ import annotations

import ast
import collections
import dataclasses
import functools
import hashlib
import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import (
    CurriculumConfig,
    GeneratorConfig,
    generate_program,
    generate_traced,
    in_process_recorder,
    rejection,
    sample_config,
)
from opencwm.traces import Program, Status, Step, StepKind, Trace

NUM_PROGRAMS = 2_000


def words(text: str) -> list[str]:
    return text.split()


def rng_of(seed: int) -> random.Random:
    return derive_rng("test", seed)


@functools.cache
def corpus() -> tuple[Program, ...]:
    programs = []
    for seed in range(NUM_PROGRAMS):
        rng = rng_of(seed)
        programs.append(generate_program(rng, sample_config(rng)))
    return tuple(programs)


@functools.cache
def traces() -> tuple[Trace, ...]:
    found = []
    for seed in range(700):
        rng = rng_of(seed)
        trace = generate_traced(rng, sample_config(rng))
        if trace is not None:
            found.append(trace)
    return tuple(found)


CONSTRUCTS = words("""
    FunctionDef ClassDef Return Delete Assign AugAssign AnnAssign For While If Raise Try Assert Global
    Nonlocal Expr Pass Break Continue BoolOp BinOp UnaryOp Lambda IfExp Dict Set ListComp SetComp
    DictComp GeneratorExp Yield Compare Call FormattedValue JoinedStr Constant Attribute Subscript
    Starred Name List Tuple Slice And Or Add Sub Mult Div Mod Pow LShift RShift BitOr BitXor BitAnd
    FloorDiv Not USub Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn comprehension ExceptHandler arguments
    keyword Match
""")
FEATURES = words("""
    def-with-default call-with-keyword recursion nested-function several-functions for-else try-finally
    try-else except-tuple except-as chained-comparison starred-assignment swap multiple-targets
    tuple-target-in-for slice-with-step negative-index f-string-spec nested-loop comprehension-with-if
    nested-comprehension var-positional var-keyword super-call property nested-subscript while-true
    early-return
""")
BUILTINS = words("""
    len sum min max sorted any all enumerate zip reversed range map filter abs round divmod ord chr str
    int float list set dict tuple bool isinstance print repr next iter type
""")
METHODS = words("""
    append extend insert pop remove reverse sort index count copy clear get items keys values setdefault
    update add discard union intersection difference symmetric_difference issubset isdisjoint split
    rsplit splitlines join strip lstrip rstrip replace find rfind startswith endswith upper lower title
    capitalize swapcase casefold isdigit isalpha isupper islower isspace isalnum zfill center ljust
    rjust partition rpartition removeprefix removesuffix format translate fromkeys
""")


def features_of(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    if len(functions) > 1:
        found.add("several-functions")
    for function in functions:
        if function.args.defaults:
            found.add("def-with-default")
        if function.args.vararg:
            found.add("var-positional")
        if function.args.kwarg:
            found.add("var-keyword")
        if any(isinstance(item, ast.Name) and item.id == "property" for item in function.decorator_list):
            found.add("property")
        inside = [node for child in function.body for node in ast.walk(child)]
        if any(isinstance(node, ast.FunctionDef) for node in inside):
            found.add("nested-function")
        if any(is_call_of(node, function.name) for node in inside):
            found.add("recursion")
        if any(is_call_of(node, "super") for node in inside):
            found.add("super-call")
        if any(
            isinstance(child, ast.If) and isinstance(child.body[-1], ast.Return) for child in function.body
        ):
            found.add("early-return")
    for node in ast.walk(tree):
        found.update(feature for feature, holds in _features_of_node(node).items() if holds)
    return found


def is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _features_of_node(node: ast.AST) -> dict[str, bool]:
    match node:
        case ast.Call():
            return {"call-with-keyword": any(word.arg for word in node.keywords)}
        case ast.For():
            inner = [child for statement in node.body for child in ast.walk(statement)]
            return {
                "for-else": bool(node.orelse),
                "tuple-target-in-for": isinstance(node.target, ast.Tuple),
                "nested-loop": any(isinstance(child, ast.For | ast.While) for child in inner),
            }
        case ast.While(test=ast.Constant(value=True)):
            return {"while-true": True}
        case ast.Try():
            handlers = node.handlers
            return {
                "try-finally": bool(node.finalbody),
                "try-else": bool(node.orelse),
                "except-tuple": any(isinstance(handler.type, ast.Tuple) for handler in handlers),
                "except-as": any(handler.name for handler in handlers),
            }
        case ast.Compare():
            return {"chained-comparison": len(node.ops) > 1}
        case ast.Assign(targets=[ast.Tuple() as target], value=ast.Tuple() as value):
            names = [ast.dump(item).replace("Store", "Load") for item in target.elts]
            values = [ast.dump(item) for item in value.elts]
            return {"swap": names == values[::-1] and len(names) == 2, "multiple-targets": True}
        case ast.Assign(targets=[ast.Tuple() as target]):
            return {"starred-assignment": any(isinstance(item, ast.Starred) for item in target.elts)}
        case ast.Slice():
            return {"slice-with-step": node.step is not None}
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub())):
            return {"negative-index": True}
        case ast.Subscript():
            return {"nested-subscript": isinstance(node.value, ast.Subscript)}
        case ast.FormattedValue():
            return {"f-string-spec": node.format_spec is not None}
        case ast.comprehension():
            return {"comprehension-with-if": bool(node.ifs)}
        case ast.ListComp():
            return {"nested-comprehension": any(isinstance(c, ast.ListComp) for c in ast.walk(node.elt))}
    return {}


def test_covers_the_language() -> None:
    nodes: collections.Counter[str] = collections.Counter()
    features: collections.Counter[str] = collections.Counter()
    methods: collections.Counter[str] = collections.Counter()
    called: collections.Counter[str] = collections.Counter()
    for program in corpus():
        tree = ast.parse(program.text)
        nodes.update({type(node).__name__ for node in ast.walk(tree)})
        features.update(features_of(tree))
        methods.update({node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)})
        called.update({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    assert [name for name in CONSTRUCTS if not nodes[name]] == []
    assert [name for name in FEATURES if not features[name]] == []
    assert [name for name in METHODS if not methods[name]] == []
    assert [name for name in BUILTINS if not called[name]] == []


def test_is_deterministic_and_diverse() -> None:
    again = [generate_program(rng := rng_of(seed), sample_config(rng)) for seed in range(200)]
    assert [program.text for program in again] == [program.text for program in corpus()[:200]]
    assert len({program.id for program in corpus()}) > 0.995 * NUM_PROGRAMS


def test_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import hashlib\n"
        "from opencwm.core.seeds import derive_rng\n"
        "from opencwm.corpus.generator import generate_traced, sample_config\n"
        "digest = hashlib.sha256()\n"
        "for seed in range(150):\n"
        "    rng = derive_rng(seed)\n"
        "    digest.update(repr(generate_traced(rng, sample_config(rng))).encode('utf-8', 'replace'))\n"
        "print(digest.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "271")
    }
    assert len(digests) == 1


def test_programs_end_as_intended() -> None:
    statuses = collections.Counter(trace.status for trace in traces())
    assert set(statuses) <= {Status.RETURNED, Status.RAISED}
    assert 0.04 < statuses[Status.RAISED] / len(traces()) < 0.12
    assert len(traces()) > 695
    kinds = {trace.detail.partition("(")[0] for trace in traces() if trace.status is Status.RAISED}
    assert len(kinds & {"IndexError", "KeyError", "ValueError", "TypeError", "ZeroDivisionError"}) >= 4


def test_caught_exceptions_occur_too() -> None:
    returned = [trace for trace in traces() if trace.status is Status.RETURNED]
    caught = [t for t in returned if any(step.kind is StepKind.EXCEPTION for step in t.steps)]
    assert len(caught) > 0.01 * len(returned)


@pytest.mark.parametrize("size", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_values_and_runs_stay_small(size: float) -> None:
    config = GeneratorConfig(size=size)
    for seed in range(60):
        trace = generate_traced(rng_of(seed), config)
        assert trace is not None
        assert len(trace.steps) <= config.max_steps
        for step in trace.steps:
            assert all(len(value) <= config.max_value_chars for _, value in step.changed)


def test_size_is_a_dial() -> None:
    def mean_lines(size: float) -> float:
        config = GeneratorConfig(size=size)
        programs = [generate_program(rng_of(seed), config) for seed in range(150)]
        return sum(len(program.lines) for program in programs) / len(programs)

    means = [mean_lines(size) for size in (0.0, 0.2, 0.5, 1.0)]
    assert means == sorted(means)
    assert means[0] < 7
    assert means[-1] > 2 * means[0]


def test_echo_programs_only_move_values() -> None:
    repeats = 0
    for seed in range(200):
        program = generate_program(rng_of(seed), GeneratorConfig(size=0.0))
        tree = ast.parse(program.source)
        banned = (ast.For, ast.While, ast.If, ast.ListComp, ast.Subscript, ast.Attribute, ast.Compare)
        assert not any(isinstance(node, banned) for node in ast.walk(tree)), program.text
        assert program.call is not None
        texts = [node.value for node in ast.walk(ast.parse(program.call)) if isinstance(node, ast.Constant)]
        repeats += any(
            isinstance(text, str) and len(text) > 15 and len(set(text)) == len(text) for text in texts
        )
    assert repeats > 20  # long strings in which no character occurs twice


def test_curriculum_moves_from_echo_to_everything() -> None:
    def sizes(progress: float) -> list[float]:
        rng = rng_of(5)
        return [sample_config(rng, progress).size for _ in range(3000)]

    early, late = sizes(0.0), sizes(1.0)
    assert 0.65 < early.count(0.0) / len(early) < 0.75
    assert max(early) <= 0.15
    assert 0.08 < late.count(0.0) / len(late) < 0.12
    assert max(late) > 0.98
    assert 0.35 < sum(size > 0.5 for size in late) / len(late) < 0.55


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**63), st.floats(0.0, 1.0))
def test_every_program_parses_and_has_one_call(seed: int, size: float) -> None:
    program = generate_program(rng_of(seed), GeneratorConfig(size=size))
    assert program.call is not None
    assert isinstance(ast.parse(program.call, mode="eval").body, ast.Call)
    compile(program.text, program.filename, "exec")
    assert Program.from_call(program.source, program.call).entry == program.entry


def test_rejects_what_is_not_worth_keeping() -> None:
    rng = rng_of(1)
    config = GeneratorConfig(size=0.6)
    trace = generate_traced(rng, config)
    assert trace is not None
    assert rejection(trace, config) == ""
    assert rejection(dataclasses.replace(trace, status=Status.TIMEOUT), config) == "status timeout"
    assert rejection(trace, dataclasses.replace(config, max_steps=8)) == "too many steps"
    long = Step(StepKind.LINE, 0, 1, 0, (("s", "x" * 500),))
    assert rejection(dataclasses.replace(trace, steps=(*trace.steps, long)), config) == "long value"
    assert rejection(dataclasses.replace(trace, steps=trace.steps[:1]), config) == "too few steps"


def test_a_recorder_that_never_succeeds_gives_none() -> None:
    def never(program: Program) -> Trace:
        return Trace(program, (), (), Status.TIMEOUT)

    assert generate_traced(rng_of(0), GeneratorConfig(), never) is None


@pytest.mark.parametrize("settings_", [{"size": 1.5}, {"raise_fraction": -0.1}, {"max_steps": 1}])
def test_bad_settings_are_refused(settings_: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        GeneratorConfig(**settings_)  # type: ignore[arg-type]


def test_bad_curriculum_is_refused() -> None:
    with pytest.raises(ConfigError):
        CurriculumConfig(echo_fraction=0.9, initial_echo_fraction=0.5)


def test_programs_of_one_seed_stay_the_same() -> None:
    """Raise GENERATOR_VERSION in units.py when this changes: corpora built before are then not continued."""
    text = "".join(program.text for program in corpus()[:50])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "528c851bf5c704ab"


def test_a_program_that_runs_for_too_long_is_a_timeout() -> None:
    run = in_process_recorder(GeneratorConfig(), cpu_s=0.2)
    slow = Program.from_call("def f(n):\n    return sum(1 for _ in range(n))\n", "f(10 ** 12)")
    trace = run(slow)
    assert (trace.status, trace.detail) == (Status.TIMEOUT, "more than 0.2 s of CPU time")
    assert run(Program.from_call(slow.source, "f(10)")).status is Status.RETURNED
