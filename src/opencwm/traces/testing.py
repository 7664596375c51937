"""Hypothesis strategies for programs and traces, for this project's tests and for those of its users.

The traces are well formed but not of their programs: depths follow calls and returns, names are those of the
code, lines lie in the text, but nothing was run. Needs Hypothesis.
"""

from __future__ import annotations

from hypothesis import strategies as st

from opencwm.traces.program import Program
from opencwm.traces.trace import (
    Binding,
    CodeInfo,
    Evaluation,
    Mutation,
    Status,
    Step,
    StepFlags,
    StepKind,
    Trace,
)

_CALLS = ("f(1, 'a')", "f([1.5, None], k={'a': (1, 2)})", "g()", "f('é\\n\\U0001f600')")
_SOURCE_LINES = (
    "def f(x, k=0):",
    "    return x",
    "    y = {'a': [x, k]}",
    "    for i in range(3): y['a'].append(i)",
    "",
    "    # 'quoted' \"text\" é 日本 \U0001f600",
    "\tif x:",
    "        raise ValueError(f'{x!r}')",
)


def texts(max_size: int = 20) -> st.SearchStrategy[str]:
    """Any text that can be encoded, control characters and all."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def names() -> st.SearchStrategy[str]:
    """Names of variables."""
    return st.sampled_from(("x", "k", "y", "i", "self", "__class__", "größe", "a_b", "_", "x1"))


def rendered_values() -> st.SearchStrategy[str]:
    """Reprs as the tracer writes them: atoms, containers of them, objects, cut values."""
    atoms = st.one_of(
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
        texts(),
        st.binary(max_size=5),
        st.complex_numbers(),
    )
    nested = st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.tuples(inner, inner),
            st.dictionaries(st.one_of(st.integers(), texts(5)), inner, max_size=3),
        ),
        max_leaves=8,
    )
    special = st.sampled_from(
        ("[1, 2, ...]", "'abc'...", "Node(value=1, next=None)", "<function f>", "set()", "")
    )
    return st.one_of(nested.map(repr), special)


def programs() -> st.SearchStrategy[Program]:
    """Programs whose source need not compile."""
    source = st.lists(st.one_of(st.sampled_from(_SOURCE_LINES), texts(30)), max_size=8).map("\n".join)
    return st.builds(
        Program,
        source=source,
        entry=st.sampled_from(("main", "f", "C.method")),
        call=st.one_of(st.none(), st.sampled_from(_CALLS)),
        filename=st.sampled_from(("<program>", "snippet.py")),
        origin=texts(8),
        licence=st.sampled_from(("", "MIT", "Apache-2.0")),
        group=texts(8),
    )


def evaluations(max_size: int = 3) -> st.SearchStrategy[tuple[Evaluation, ...]]:
    """Sub-expressions with operand values filled in."""
    number = st.integers(0, 60)
    one = st.builds(
        Evaluation,
        text=st.sampled_from(("1 + 2", "'abc'.count('a')", "[1, 2][0]", "not ''", "")),
        value=rendered_values(),
        lineno=number,
        col=number,
        end_lineno=number,
        end_col=number,
    )
    return st.lists(one, max_size=max_size).map(tuple)


def mutations() -> st.SearchStrategy[Mutation]:
    """Any link from a mutant to its original."""
    return st.builds(
        Mutation,
        original=st.text("0123456789abcdef", min_size=16, max_size=16),
        operator=st.sampled_from(("swap-comparison", "drop-statement")),
        first_divergence=st.none() | st.integers(0, 20),
        is_equivalent=st.booleans(),
    )


def code_infos() -> st.SearchStrategy[CodeInfo]:
    """Code objects with up to five locals."""
    return st.builds(
        CodeInfo,
        qualname=st.sampled_from(("main", "f", "C.method", "f.<locals>.<lambda>")),
        firstlineno=st.integers(1, 50),
        local_names=st.lists(names(), max_size=5, unique=True).map(tuple),
    )


@st.composite
def traces(draw: st.DrawFn, max_steps: int = 12) -> Trace:
    """Well-formed traces: every step belongs to the activation its depth says, only bound names vanish."""
    program = draw(programs())
    codes = tuple(draw(st.lists(code_infos(), min_size=1, max_size=3)))
    steps: list[Step] = []
    stack: list[tuple[int, set[str]]] = []
    num_lines = max(len(program.lines), 1)
    for _ in range(draw(st.integers(0, max_steps))):
        lineno = draw(st.integers(1, num_lines))
        kind = draw(st.sampled_from(tuple(StepKind))) if stack else StepKind.CALL
        if kind is StepKind.CALL:
            code = draw(st.integers(0, len(codes) - 1))
            changed = draw(_bindings(codes[code].local_names))
            flags = draw(st.sampled_from((StepFlags.NONE, StepFlags.RESUME, StepFlags.TRUNCATED)))
            found = draw(evaluations())
            steps.append(Step(kind, code, lineno, len(stack), changed, flags=flags, evaluations=found))
            stack.append((code, {name for name, _ in changed}))
            continue
        steps.append(_step_of(draw, kind, stack, codes, lineno))
        if kind is StepKind.RETURN:
            stack.pop()
    return Trace(
        program,
        codes,
        tuple(steps),
        status=draw(st.sampled_from(tuple(Status))),
        detail=draw(texts()),
        python=draw(st.sampled_from(("3.11", "3.12", "3.13"))),
        stdout=draw(texts(40)),
        mutation=draw(st.none() | mutations()),
    )


def _step_of(
    draw: st.DrawFn,
    kind: StepKind,
    stack: list[tuple[int, set[str]]],
    codes: tuple[CodeInfo, ...],
    lineno: int,
) -> Step:
    """Draw a step of the running activation and follow what it binds."""
    code, bound = stack[-1]
    local_names = codes[code].local_names
    deleted = tuple(name for name in local_names if name in bound and draw(st.integers(0, 9)) == 0)
    changed = draw(_bindings(tuple(name for name in local_names if name not in deleted)))
    bound -= set(deleted)
    bound |= {name for name, _ in changed}
    value = None
    flags = draw(st.sampled_from((StepFlags.NONE, StepFlags.TRUNCATED)))
    if kind is StepKind.RETURN:
        flags = draw(
            st.sampled_from((StepFlags.NONE, StepFlags.YIELD, StepFlags.UNWIND, StepFlags.TRUNCATED))
        )
    if kind is not StepKind.LINE and flags is not StepFlags.UNWIND:
        value = draw(rendered_values())
    return Step(kind, code, lineno, len(stack) - 1, changed, deleted, value, flags, draw(evaluations()))


@st.composite
def _bindings(draw: st.DrawFn, local_names: tuple[str, ...]) -> tuple[Binding, ...]:
    return tuple((name, draw(rendered_values())) for name in local_names if draw(st.booleans()))
