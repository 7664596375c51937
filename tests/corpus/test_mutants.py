"""What every operator writes, and what holds for every mutant of any program."""

from __future__ import annotations

import ast
import itertools
import random
import re
import textwrap
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.corpus.mutants import OPERATORS, Mutant, MutationConfig, mutate
from opencwm.source.reach import visible_lines
from opencwm.traces import Program

PROGRAMS = Path(__file__).parents[1] / "source" / "programs"


def only(operator: str) -> MutationConfig:
    return MutationConfig(weights=dict.fromkeys(OPERATORS, 0.0) | {operator: 1.0})


def mutants_of(body: str, operator: str) -> list[Mutant]:
    source = "def f(a, b, n, xs, d, s):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
    return list(
        mutate(Program.from_call(source, "f(1, 2, 3, [4], {5: 6}, '7')"), random.Random(0), only(operator))
    )


def bodies(body: str, operator: str) -> set[str]:
    """The bodies of the mutants of a function with this body."""
    return {
        textwrap.dedent(mutant.source.split("\n", 1)[1]).strip("\n") for mutant in mutants_of(body, operator)
    }


EXAMPLES = [
    ("swap-arithmetic", "return a + b", {"return a - b"}),
    ("swap-arithmetic", "return a * b", {"return a + b", "return a // b"}),
    ("swap-arithmetic", "return a ** b", {"return a * b"}),
    ("swap-arithmetic", "return n - a * b", {"return n + a * b", "return n - (a + b)", "return n - a // b"}),
    ("swap-arithmetic", "return (a\n  - b)  # why", {"return (a\n  + b)  # why"}),
    ("swap-arithmetic", "return ( (a) % ((b)) )", {"return ( (a) // ((b)) )"}),
    ("swap-arithmetic", "return '%s' % a", set()),
    ("swap-arithmetic", "n <<= a", {"n >>= a"}),
    ("swap-operands", "return a - b * 2", {"return b * 2 - a"}),
    ("swap-operands", "return a - b - n", {"return b - a - n", "return n - (a - b)"}),
    ("swap-operands", "return 'x' + s", {"return s + 'x'"}),
    ("swap-operands", "return a + b", set()),
    ("boundary", "return a < b >= n", {"return a <= b >= n", "return a < b > n"}),
    ("swap-comparison", "return a < b", {"return a > b", "return a >= b"}),
    ("swap-comparison", "return a not  in xs", {"return a in xs"}),
    ("swap-comparison", "return a is not b", {"return a is b"}),
    ("swap-comparison", "return a == b in xs", {"return a != b in xs", "return a == b not in xs"}),
    ("swap-boolean", "return a and b and n", {"return a or b or n"}),
    ("swap-boolean", "return a or b and n", {"return a and (b and n)", "return a or (b or n)"}),
    ("drop-operand", "return a and b", {"return a", "return b"}),
    ("drop-operand", "a and (b or n)", {"a", "b or n", "a and (b)", "a and (n)"}),
    ("drop-operand", "return a or b or n", {"return b or n", "return a or n", "return a or b"}),
    ("negate-condition", "if a or b: n = 1", {"if not (a or b): n = 1"}),
    ("negate-condition", "while a < b: a = n", {"while not a < b: a = n"}),
    ("negate-condition", "return a if b else n", {"return a if not b else n"}),
    ("negate-condition", "return [x for x in xs if x]", {"return [x for x in xs if not x]"}),
    ("negate-condition", "if not a: n = 1", set()),
    ("drop-negation", "return -a + b", {"return a + b"}),
    ("drop-negation", "if not (a or b): n = 1", {"if (a or b): n = 1"}),
    ("drop-negation", "return not a + b", {"return a + b"}),
    ("swap-branches", "return a if b else n or 1", {"return n or 1 if b else a"}),
    ("drop-filter", "return [x for x in xs if x]", {"return [x for x in xs]"}),
    ("swap-elements", "return a, b", {"return b, a"}),
    ("swap-elements", "a, b = [n, a + 1]", {"a, b = [a + 1, n]"}),
    ("swap-arguments", "return g(a, b + 1)", {"return g(b + 1, a)"}),
    ("swap-arguments", "return g(a, b, n)", {"return g(b, a, n)", "return g(a, n, b)", "return g(n, b, a)"}),
    ("swap-arguments", "return g(*xs, x=a, y=b, **d)", {"return g(*xs, x=b, y=a, **d)"}),
    ("drop-argument", "return d.get(a, b)", {"return d.get(a)"}),
    ("drop-argument", "return sorted(xs, reverse=True)", {"return sorted(xs)"}),
    ("drop-argument", "return g(a, b)", set()),
    ("unwrap-call", "return sorted(xs)[0]", {"return xs[0]"}),
    ("unwrap-call", "return abs(a - b) * n", {"return (a - b) * n"}),
    ("change-number", "return 3", {"return 4", "return 2", "return 0"}),
    ("change-number", "return a - 0", {"return a - 1", "return a - -1"}),
    ("change-number", "return 0x1f", {"return 0x20", "return 0x1e", "return 0x0"}),
    ("change-number", "return 0.5", {"return 1.5", "return 1.0"}),
    ("flip-boolean", "return [True, 1]", {"return [False, 1]"}),
    ("change-text", "return 'ab'", {"return 'b'", "return 'a'", "return 'AB'"}),
    ("change-text", 'return "é!"', {'return "!"', 'return "é"', 'return "É!"'}),
    ("change-text", "return ''", {"return ' '"}),
    ("change-text", "return f'{a}x'", set()),
    ("shift-slice", "xs[1:n]", {"xs[2:n]", "xs[0:n]", "xs[1:n + 1]", "xs[1:n - 1]"}),
    ("shift-slice", "return xs[:]", {"return xs[1:]", "return xs[:-1]"}),
    ("shift-slice", "return xs[::2]", {"return xs[1::2]", "return xs[:-1:2]"}),
    ("shift-index", "return xs[0]", {"return xs[1]", "return xs[-1]"}),
    ("shift-index", "return xs[-1]", {"return xs[0]", "return xs[-2]"}),
    ("shift-index", "n += 1; return xs[n]", {"n += 1; return xs[n + 1]", "n += 1; return xs[n - 1]"}),
    ("shift-index", "for a in range(n): f(s[a])", {f"for a in range(n): f(s[a {by} 1])" for by in "+-"}),
    ("shift-index", "return d[a]", set()),
    ("shift-range", "return range(n)", {"return range(1, n)", "return range(n + 1)", "return range(n - 1)"}),
    ("shift-range", "return range(0, n << 1)", {
        "return range(1, n << 1)", "return range(-1, n << 1)",
        "return range(0, (n << 1) + 1)", "return range(0, (n << 1) - 1)",
    }),
    ("replace-name", "x = 1\nreturn xs", {f"x = 1\nreturn {name}" for name in "abndsx"}),
    ("swap-names", "return xs[a] - d[b]", {
        "return xs[b] - d[a]", "return xs[d] - a[b]", "return a[xs] - d[b]",
        "return b[a] - d[xs]", "return d[a] - xs[b]", "return xs[a] - b[d]",
    }),
    ("swap-method", "return s.find('x')", {"return s.rfind('x')"}),
    ("swap-method", "return s.islower()", {"return s.isupper()"}),
    ("swap-function", "return any(xs)", {"return all(xs)"}),
    ("swap-function", "any = n\nreturn any(xs)", set()),
    ("drop-statement", "a = 1  # one\nb = 2", {"# one\nb = 2", "a = 1  # one"}),
    ("drop-statement", "if a:\n    n = 1\nb = (2,\n     3)", {
        "if a:\n    pass\nb = (2,\n     3)", "b = (2,\n     3)", "if a:\n    n = 1"
    }),
    ("drop-statement", "if a:\n    f(n)\nelif b:\n    pass\nf(s)", {
        "f(s)", "if a:\n    pass\nelif b:\n    pass\nf(s)", "if a:\n    f(n)\n\n\nf(s)",
        "if a:\n    f(n)\nelif b:\n    pass"
    }),
    ("drop-statement", "a = 1; b = 2", {"pass; b = 2", "a = 1; pass"}),
    ("swap-statements", "a = 1  # one\nb = a", {"b = a  # one\na = 1"}),
    ("swap-jump", "for x in xs:\n    break", {"for x in xs:\n    continue"}),
    ("assign-only", "n //= 2", {"n = 2"}),
    ("return-none", "return a", {"return None"}),
    ("return-none", "return", set()),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "body", "expected"), EXAMPLES)
def test_what_an_operator_writes(operator: str, body: str, expected: set[str]) -> None:
    assert bodies(body, operator) == expected


def test_exceptions_of_handlers_are_swapped() -> None:
    found = bodies("try:\n    return d[a]\nexcept KeyError as error:\n    return error", "swap-exception")
    assert "try:\n    return d[a]\nexcept IndexError as error:\n    return error" in found
    assert len(found) == 5


def test_every_operator_has_an_example() -> None:
    assert {operator for operator, _, expected in EXAMPLES if expected} | {"swap-exception"} == set(OPERATORS)


# -- every mutant ----------------------------------------------------------------------------------


def generated(seed: int) -> Program:
    rng = derive_rng("mutants", seed)
    return generate_program(rng, sample_config(rng))


def check(program: Program, mutant: Mutant) -> None:
    tree, mutated = ast.parse(program.source), ast.parse(mutant.source)
    assert ast.dump(tree) != ast.dump(mutated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # since Python 3.14 of a `return` in `finally`
        compile(mutant.source, "<mutant>", "exec", dont_inherit=True)
    before, after = program.source.split("\n"), mutant.source.split("\n")
    differing = [
        number for number, pair in enumerate(zip(before, after, strict=True), 1) if len(set(pair)) > 1
    ]
    assert set(differing) <= changed_lines(tree, mutant)


def changed_lines(tree: ast.Module, mutant: Mutant) -> set[int]:
    """The lines of the statements that hold the line of a mutant, and of those right behind them."""
    found: set[int] = set()
    for node in ast.walk(tree):
        for block in (getattr(node, name, ()) for name in ("body", "orelse", "finalbody", "handlers")):
            if isinstance(block, list):
                for one, other in itertools.zip_longest(block, block[1:]):
                    if one.lineno <= mutant.lineno <= one.end_lineno:
                        found.update(range(one.lineno, (other or one).end_lineno + 1))
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutants_of_generated_programs(seed: int) -> None:
    program = generated(seed)
    mutants = list(itertools.islice(mutate(program, random.Random(seed)), 12))
    assert len({mutant.source for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        check(program, mutant)


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.txt")), ids=lambda path: path.stem)
def test_mutants_of_programs_of_all_kinds(path: Path) -> None:
    program = Program(path.read_text(encoding="utf-8"), "main")
    visible = set(visible_lines(program.text, program.entry).lines)
    for mutant in itertools.islice(mutate(program, random.Random(1)), 25):
        check(program, mutant)
        assert mutant.lineno in visible


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutants_depend_on_the_generator_of_chance_alone(seed: int) -> None:
    program = generated(seed)
    first, second = (list(itertools.islice(mutate(program, random.Random(seed)), 5)) for _ in range(2))
    assert first == second
    others = {mutant.source for mutant in mutate(program, random.Random(seed + 1))}
    assert {mutant.source for mutant in first} <= others  # in another order


ODD = """
import os
LIMIT = 1 + 2  # module level, reached
UNUSED = 1 + 2

def helper(é="ä" + 'ö', *, k=2):
\t"1 + 2"
\tif (é :=
\t    é + "ü"  # a comment - with operators + in it
\t    ) and (k
\t           < LIMIT): return é; k = 1
\treturn f"{k + 1}", [lambda q=1: q - k]

def unreached(a):
    return a + 1

@property
def f(a: "1 + 2" = 3) -> "1 + 2":
    return helper(str(a), k=a)
"""


def test_what_is_not_reached_or_not_run_stays() -> None:
    program = Program.from_call(ODD, "helper('x', k=1)")
    mutants = list(mutate(program, random.Random(0)))
    for mutant in mutants:
        check(program, mutant)
        assert "UNUSED = 1 + 2" in mutant.source
        assert ODD[ODD.index("def unreached") :] in mutant.source
        assert '"1 + 2"' in mutant.source
        assert "# a comment - with operators + in it" in mutant.source or mutant.operator == "drop-statement"
    assert {mutant.lineno for mutant in mutants} == {3, 6, 8, 9, 10, 11, 12}
    some = list(mutate(program, random.Random(0), lines={8}))
    assert {mutant.lineno for mutant in some} == {3, 6, 8, 9, 10}


def test_line_ends_are_those_the_compiler_reads() -> None:
    program = Program.from_call("def f(a):\r\n    # one\r\n    return a + 1\r\n", "f(1)")
    assert {mutant.source for mutant in mutate(program, random.Random(0), only("swap-arithmetic"))} == {
        "def f(a):\n    # one\n    return a - 1\n"
    }


def test_weights_choose_operators() -> None:
    program = generated(3)
    config = MutationConfig(weights=dict.fromkeys(OPERATORS, 0.0) | {"boundary": 1.0, "replace-name": 2.0})
    assert {mutant.operator for mutant in mutate(program, random.Random(0), config)} <= {
        "boundary",
        "replace-name",
    }


@pytest.mark.parametrize(
    "bad", [{"max_mutants": 0}, {"weights": {"no-such": 1.0}}, {"weights": {"boundary": -1.0}}]
)
def test_bad_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="MutationConfig"):
        MutationConfig(**bad)  # type: ignore[arg-type]


def test_a_program_without_a_place_gives_no_mutant() -> None:
    assert list(mutate(Program.from_call("def f():\n    pass\n", "f()"), random.Random(0))) == []


def test_the_documentation_lists_every_operator_with_its_weight() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mutants.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([0-9.]+) \|", text, re.MULTILINE))
    assert {name: float(weight) for name, weight in rows.items()} == {
        name: operator.weight for name, operator in OPERATORS.items()
    }
