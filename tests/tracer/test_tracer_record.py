from __future__ import annotations

import sys
import textwrap
from typing import NoReturn

import pytest

from opencwm.core.errors import ConfigError
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, StepFlags, StepKind, Trace, replay


def run(
    source: str, call: str | None = None, limits: TraceLimits | None = None, entry: str = "main"
) -> Trace:
    source = textwrap.dedent(source)
    program = Program(source, entry) if call is None else Program.from_call(source, call)
    return record(program, limits or TraceLimits())


def test_a_call_is_recorded_from_its_wrapper() -> None:
    trace = run("def f(s, n):\n    t = s * n\n    return t\n", "f('ab', 2)")
    assert [(step.kind, step.lineno, step.depth, step.changed, step.value) for step in trace.steps] == [
        (StepKind.CALL, 4, 0, (), None),
        (StepKind.LINE, 5, 0, (), None),
        (StepKind.CALL, 1, 1, (("s", "'ab'"), ("n", "2")), None),
        (StepKind.LINE, 2, 1, (), None),
        (StepKind.LINE, 3, 1, (("t", "'abab'"),), None),
        (StepKind.RETURN, 3, 1, (), "'abab'"),
        (StepKind.RETURN, 5, 0, (), "'abab'"),
    ]
    assert trace.status is Status.RETURNED
    assert trace.result == "'abab'"
    assert trace.python == f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize("between", ["5", "'a' * 300", "(2, [3])", "None"])
def test_a_local_that_was_something_else_in_between_has_changed_back(between: str) -> None:
    lines = f"        x = [1]\n        x = {between}\n        x = [1]\n        y = n\n"
    trace = run(f"def f():\n    for n in range(4):\n{lines}", "f()")
    changed = [dict(step.changed).get("x") for step in trace.steps if step.lineno == 6]
    assert changed == ["[1]"] * 4


def test_a_static_method_can_be_the_entry() -> None:
    trace = run("class A:\n    @staticmethod\n    def go():\n        return 7\n", entry="A.go")
    assert (trace.status, trace.result, trace.codes[0].qualname) == (Status.RETURNED, "7", "A.go")


@pytest.mark.parametrize(
    ("source", "status", "detail"),
    [
        ("def main():\n    raise KeyError('k')\n", Status.RAISED, "KeyError('k')"),
        ("def main():\n    raise KeyboardInterrupt\n", Status.RAISED, "KeyboardInterrupt()"),
        ("def main():\n    raise SystemExit(4)\n", Status.EXITED, "SystemExit(4)"),
        ("def main():\n    raise MemoryError\n", Status.MEMORY, "MemoryError()"),
        ("1 / 0\n", Status.MODULE_FAILED, "ZeroDivisionError('division by zero')"),
        ("raise SystemExit\n", Status.MODULE_FAILED, "SystemExit()"),
        ("def other():\n    pass\n", Status.NO_ENTRY, "the program has no function 'main'"),
        ("main = 3\n", Status.NO_ENTRY, "'main' is not a function"),
        (
            "def main(x):\n    pass\n",
            Status.NO_ENTRY,
            "'main' needs arguments: give a call such as main(...)",
        ),
        (
            "def main(*, x):\n    pass\n",
            Status.NO_ENTRY,
            "'main' needs arguments: give a call such as main(...)",
        ),
        (
            "def main():\n    yield 1\n",
            Status.NO_ENTRY,
            "'main' is a generator function: give a call that consumes it",
        ),
        ("def main(:\n", Status.REFUSED, "does not compile: SyntaxError"),
        ("x = '\0'\n", Status.REFUSED, "does not compile: "),
        ("x = '\ud800'\n", Status.REFUSED, "does not compile: UnicodeEncodeError"),
        (
            "import sys\ndef main():\n    sys.settrace(None)\n    return 1\n",
            Status.UNTRACED,
            "the program removed",
        ),
        (
            "import sys\ndef main():\n    sys.settrace(lambda *a: None)\n    return 1\n",
            Status.UNTRACED,
            "the program rem",
        ),
    ],
)
def test_the_status_tells_how_a_run_ended(source: str, status: Status, detail: str) -> None:
    trace = run(source)
    assert trace.status is status
    assert trace.detail.startswith(detail)
    assert trace.result is None


def test_arguments_with_defaults_are_no_obstacle() -> None:
    assert run("def main(a=1, *, b=2, **c):\n    return a + b\n").result == "3"


def test_the_exception_that_leaves_the_entry_unwinds_every_activation() -> None:
    trace = run("def f():\n    raise ValueError('x')\n", "f()")
    ends = [(step.kind, step.depth, step.value, step.flags) for step in trace.steps[-4:]]
    assert ends == [
        (StepKind.EXCEPTION, 1, "ValueError('x')", StepFlags.NONE),
        (StepKind.RETURN, 1, None, StepFlags.UNWIND),
        (StepKind.EXCEPTION, 0, "ValueError('x')", StepFlags.NONE),
        (StepKind.RETURN, 0, None, StepFlags.UNWIND),
    ]


def test_only_the_programs_own_code_is_recorded() -> None:
    trace = run(
        "import json\ndef main():\n    exec('def g():\\n    return 1\\ng()')\n    return json.dumps([1])\n"
    )
    assert {trace.codes[step.code].qualname for step in trace.steps} == {"main"}


def test_functions_called_from_folded_activations_have_the_right_depth() -> None:
    source = (
        "def g(x):\n    return x\ndef main():\n"
        "    return [g(1) for _ in 'a'], sum(g(x) for x in [2]), {g(3): 1}\n"
    )
    depths = [step.depth for step in run(source).steps if step.kind is StepKind.CALL]
    assert depths == [0, 1, 1, 1]


def test_output_is_captured_and_bounded_and_input_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    trace = run(
        "def main():\n    print('é' * 30)\n    print(input.__name__)\n",
        limits=TraceLimits(max_stdout_chars=8),
    )
    assert trace.stdout == "é" * 8
    assert (
        run("import sys\ndef main():\n    print('x', file=sys.stderr)\n    return sys.stdin.read()\n").result
        == "''"
    )
    assert run("def main():\n    return input()\n").detail == "EOFError('EOF when reading a line')"
    assert run("import sys\ndef main():\n    sys.stdout.buffer.write(b'raw')\n").stdout == "raw"
    assert run("import sys\ndef main():\n    print(1)\n    sys.stdout.close()\n").status is Status.RETURNED
    assert capsys.readouterr() == ("", "")


def test_a_main_block_is_not_run_and_dataclasses_find_their_module() -> None:
    source = """
    from __future__ import annotations
    from dataclasses import dataclass
    @dataclass
    class P:
        x: int
    def main():
        return P(1), __name__
    if __name__ == "__main__":
        raise SystemExit
    """
    assert run(source).result == "(P(x=1), 'program')"
    assert "program" not in sys.modules


def test_the_surroundings_are_put_back() -> None:
    def ours(*_: object) -> None:
        return None

    before = sys.getrecursionlimit(), sys.stdout, sys.stdin, sys.argv
    source = (
        "import sys\ndef main():\n    sys.argv = sys.stdout = None\n"
        "    sys.setrecursionlimit(5000)\n    return 1\n"
    )
    previous = sys.gettrace()
    sys.settrace(ours)
    try:
        trace = run(source)
        assert sys.gettrace() is ours
    finally:
        sys.settrace(previous)
    assert trace.result == "1"
    assert (sys.getrecursionlimit(), sys.stdout, sys.stdin, sys.argv) == before


def test_more_steps_than_allowed_end_the_program() -> None:
    source = "def main():\n    while True:\n        x = 1\n"
    trace = run(source, limits=TraceLimits(max_steps=50))
    assert (trace.status, trace.detail, len(trace.steps)) == (Status.STEP_LIMIT, "more than 50 steps", 50)


def test_exactly_the_allowed_steps_are_no_limit() -> None:
    source = "def main():\n    x = 1\n    return x\n"
    assert run(source, limits=TraceLimits(max_steps=4)).status is Status.RETURNED
    assert run(source, limits=TraceLimits(max_steps=3)).status is Status.STEP_LIMIT


def test_more_text_than_allowed_ends_the_program() -> None:
    source = "def main():\n    s = ''\n    while True:\n        s += 'x'\n"
    trace = run(source, limits=TraceLimits(max_bytes=2000))
    assert trace.status is Status.BYTE_LIMIT
    assert sum(len(text) for step in trace.steps for _, text in step.changed) < 2200


def test_a_program_that_swallows_the_unwinding_still_ends_with_the_limit() -> None:
    source = (
        "def main():\n    for i in range(100):\n        try:\n            x = i\n"
        "        except BaseException:\n            pass\n"
    )
    trace = run(source, limits=TraceLimits(max_steps=20))
    assert (trace.status, len(trace.steps)) == (Status.STEP_LIMIT, 20)


def test_on_limit_is_called_inside_the_program_with_the_finished_trace() -> None:
    class Left(BaseException):
        pass

    seen: list[Trace] = []

    def leave(trace: Trace) -> NoReturn:
        seen.append(trace)
        raise Left

    with_deep_stack = "def f(n):\n    return f(n + 1)\ndef main():\n    return f(0)\n"
    trace = record(Program(with_deep_stack, "main"), TraceLimits(max_steps=1500), on_limit=leave)
    assert [(one.status, len(one.steps)) for one in seen] == [(Status.STEP_LIMIT, 1500)]
    assert trace == seen[0]


def test_recursion_of_the_program_and_its_limit() -> None:
    source = (
        "import sys\nsys.setrecursionlimit(200)\ndef f(n):\n    try:\n"
        "        return f(n + 1)\n    except RecursionError:\n        return n\n"
    )
    at_200 = run(
        source.replace("sys.setrecursionlimit(200)\n", "")
        + "def main():\n    sys.setrecursionlimit(200)\n    return f(0)\n"
    )
    assert (at_200.status, at_200.result) == (Status.RETURNED, "198")
    assert run(source + "def main():\n    return f(0)\n").result == "198"
    assert run(source.replace("200", "3000") + "def main():\n    return f(0)\n").result == "2998"


@pytest.mark.parametrize(
    "source",
    [
        "import functools\n@functools.cache\ndef f(n):\n    return f(n + 1)\ndef main():\n    f(0)\n",
        "def f(n):\n    return [f(n + 1) for _ in 'a']\ndef main():\n    f(0)\n",
        "def f(n):\n    return sum(f(n + 1) for _ in 'a')\ndef main():\n    f(0)\n",
        (
            "import copy\nclass A:\n    def __deepcopy__(self, m):\n"
            "        return copy.deepcopy(self)\ndef main():\n    copy.deepcopy(A())\n"
        ),
        (
            "class A:\n    def __getattr__(self, name):\n"
            "        return getattr(self, name + 'x')\ndef main():\n    A().y\n"
        ),
        "import re\ndef f(m):\n    return re.sub('a', f, 'a')\ndef main():\n    f(None)\n",
        "class A:\n    def __repr__(self):\n        return repr(self)\ndef main():\n    repr(A())\n",
    ],
)
def test_recursion_through_anything_is_a_recorded_exception(source: str) -> None:
    trace = run(source)
    assert (trace.status, trace.detail.split("(")[0]) == (Status.RAISED, "RecursionError")
    assert trace.steps[-1].flags is StepFlags.UNWIND
    assert trace.steps[-1].depth == 0
    kinds = [step.kind for step in trace.steps]
    assert kinds.count(StepKind.CALL) == kinds.count(StepKind.RETURN)


def test_replay_ends_with_the_locals_of_the_entry() -> None:
    trace = run("def main():\n    a = [1]\n    b = 2\n    del a\n    a = b\n    a += 1\n    return a\n")
    *_, (_, stack) = replay(trace)
    assert list(stack[0].locals.items()) == [("a", "3"), ("b", "2")]


def test_a_generator_that_dies_after_the_entry_returned_leaves_no_step() -> None:
    source = (
        "def g():\n    try:\n        yield 1\n    finally:\n        x = 2\ndef main():\n"
        "    it = g()\n    next(it)\n    return 5\n"
    )
    trace = run(source)
    assert trace.result == "5"
    assert trace.steps[-1].depth == 0


def test_objects_are_not_kept_alive() -> None:
    source = """
    import weakref
    class A:
        pass
    def main():
        a = A()
        r = weakref.ref(a)
        a = [a]
        a = 1
        x = 0
        return r() is None
    """
    assert run(source).result == "True"


def test_patched_builtins_do_not_reach_the_recorder() -> None:
    source = """
    import builtins, marshal, sys
    def main():
        saved = builtins.repr, builtins.len, builtins.type, marshal.dumps, sys.getrecursionlimit
        builtins.repr = builtins.len = builtins.type = marshal.dumps = sys.getrecursionlimit = None
        x = [1, {'a': 'b'}]
        x.append('s')
        builtins.repr, builtins.len, builtins.type, marshal.dumps, sys.getrecursionlimit = saved
        return x
    """
    assert run(source).result == "[1, {'a': 'b'}, 's']"


def test_a_coroutine_entry_is_run() -> None:
    source = "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 4\n"
    assert run(source).result == "4"


@pytest.mark.parametrize(
    "wrong", [{"max_steps": 0}, {"max_value_chars": 3}, {"max_nesting": 51}, {"max_stdout_chars": -1}]
)
def test_limits_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TraceLimits(**wrong)  # type: ignore[arg-type]
