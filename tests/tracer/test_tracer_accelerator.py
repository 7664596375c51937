"""The accelerator makes the same trace as the recorder written in Python, record by record."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hostile_traced_programs import HOSTILE, TRACER_AWARE
from test_tracer_versions import SOURCE_ROOT
from tracer_programs import PROGRAMS

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_program, sample_config
from opencwm.tracer import TraceLimits, accelerator, record
from opencwm.tracer.child import encode_request, main
from opencwm.tracer.recorder import Recorder
from opencwm.traces import Program, Status, Trace
from opencwm.traces.jsonl import trace_from_json
from other_pythons import VERSIONS, interpreter

needs_accelerator = pytest.mark.skipif(
    not accelerator.is_available(), reason="the accelerator is not built for this Python"
)
LIMITS = {
    "default": TraceLimits(),
    "tight": TraceLimits(max_value_chars=40, max_elements=3, max_nesting=2),
    "user repr": TraceLimits(user_repr=True),
    "steps": TraceLimits(max_steps=17),
    "bytes": TraceLimits(max_bytes=300),
}
SOURCE = SOURCE_ROOT / "opencwm/tracer/_accelerator.c"


def both(program: Program, limits: TraceLimits) -> tuple[Trace, Trace]:
    return record(program, limits), record(program, limits, accelerate=True)


@needs_accelerator
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # limits reached in finalizers
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("name", [*PROGRAMS, *HOSTILE])
def test_the_same_trace_as_the_recorder_in_python(name: str, limits: str) -> None:
    source = PROGRAMS.get(name) or HOSTILE[name]
    python, accelerated = both(Program(source, "main"), LIMITS[limits])
    assert accelerated == python


@needs_accelerator
@pytest.mark.parametrize("chunk", range(10))
def test_the_same_trace_of_generated_programs(chunk: int) -> None:
    for index in range(chunk * 20, chunk * 20 + 20):
        rng = derive_rng("accelerator", index)
        python, accelerated = both(generate_program(rng, sample_config(rng)), TraceLimits())
        assert accelerated == python, index


@needs_accelerator
@pytest.mark.parametrize("name", TRACER_AWARE)
def test_programs_that_reach_for_their_recorder_do_not_break_it(name: str) -> None:
    trace = record(Program(TRACER_AWARE[name], "main"), accelerate=True)
    assert trace.status is Status.RETURNED
    assert trace.steps[-1].depth == 0


@needs_accelerator
def test_the_accelerator_is_what_runs_when_it_is_asked_for() -> None:
    source = "import sys\ndef main():\n    return type(sys.gettrace()).__name__\n"
    assert record(Program(source, "main"), accelerate=True).result == "'Tracer'"
    assert record(Program(source, "main")).result == "'function'"


def test_sub_expressions_are_recorded_in_python_also_when_acceleration_is_asked_for() -> None:
    program = Program("def main():\n    x = 1\n    return x + 2\n", "main")
    limits = TraceLimits(expressions=True)
    python, accelerated = both(program, limits)
    assert accelerated == python
    assert any(step.evaluations for step in accelerated.steps)


def test_asking_for_an_accelerator_that_is_not_there_changes_nothing() -> None:
    script = (
        "import sys\nsys.modules['opencwm.tracer._accelerator'] = None\n"
        "from opencwm.tracer import accelerator, record\nfrom opencwm.traces import Program\n"
        "trace = record(Program('def main():\\n    return 1\\n', 'main'), accelerate=True)\n"
        "print(accelerator.is_available(), trace.result, len(trace.steps))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False 1 3\n"


@needs_accelerator
def test_the_child_uses_it_when_asked() -> None:
    source = "import sys\ndef main():\n    return type(sys.gettrace()).__name__\n"
    emitted: list[bytes] = []
    main(encode_request(Program(source, "main"), accelerate=True), emitted.append)
    assert trace_from_json(json.loads(emitted[0])).result == "'Tracer'"


ASYNCHRONOUS = """
import signal
class Late(Exception):
    pass
def handler(*_):
    raise Late
class Slow:
    def __repr__(self):
        {action}
        return 'slow'
def main():
    signal.signal(signal.SIGUSR1, handler)
    x = 1
    try:
        y = [Slow()]
        z = 2
    except BaseException as error:
        e = type(error)
    return x
"""


@needs_accelerator
@pytest.mark.parametrize(
    "action", ["signal.raise_signal(signal.SIGUSR1)", "raise KeyboardInterrupt", "raise MemoryError"]
)
def test_an_exception_that_arrives_while_a_value_is_read_is_not_swallowed(action: str) -> None:
    """What the recorder in Python makes of it is what the accelerator makes of it."""
    program = Program(ASYNCHRONOUS.format(action=action), "main")
    previous = signal.getsignal(signal.SIGUSR1)
    try:
        python, accelerated = both(program, TraceLimits(user_repr=True))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert accelerated == python


@needs_accelerator
def test_a_timer_that_interrupts_the_program_is_never_lost() -> None:
    """The handler raises at any moment, also inside of the accelerator; every alarm must get through."""

    class Alarm(BaseException):
        pass

    def handler(*_: object) -> None:
        raise Alarm

    source = (
        "def main():\n    x = [[1, 2], {'a': 'b'}]\n"
        "    while True:\n        x[0] = x[0] + [3]\n        x[0] = []\n"
    )
    code = compile(source, "<program>", "exec")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    previous = signal.signal(signal.SIGVTALRM, handler)
    limit = sys.getrecursionlimit()
    tracing = sys.gettrace()
    try:
        for turn in range(30):
            recorder = Recorder(code, source, TraceLimits(max_steps=10**6), lambda: None, accelerate=True)
            with pytest.raises(Alarm):
                run_interrupted(recorder, namespace["main"], 0.002 + turn * 0.0001)
            steps = recorder.build_steps()
            assert steps
            assert [step.lineno for step in steps[:3]] == [1, 2, 3]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
        sys.settrace(tracing)
        sys.setrecursionlimit(limit)


def run_interrupted(recorder: Recorder, entry: Any, seconds: float) -> None:
    """Run with an alarm after some processor time: it comes while the program runs, on a busy machine too."""
    recorder.start(100)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        entry()
    finally:
        sys.settrace(None)


@pytest.mark.slow
@needs_accelerator
def test_recording_again_and_again_keeps_no_objects() -> None:
    """Everything a record made is gone when the record is; singletons have as many references as before."""
    programs = [
        Program(source, "main") for name, source in {**PROGRAMS, **HOSTILE}.items() if "deep" not in name
    ]
    watched = [None, True, (), "", 0, 1, int, str, ValueError, Status.RETURNED]

    def round_trip() -> tuple[int, list[int]]:
        for program in programs:
            for limits in (LIMITS["default"], LIMITS["tight"], LIMITS["steps"]):
                record(program, limits, accelerate=True)
        gc.collect()
        return len(gc.get_objects()), [sys.getrefcount(item) for item in watched]

    for _ in range(2):
        round_trip()
    (objects, references), (objects_after, references_after) = round_trip(), round_trip()
    assert objects_after - objects < 50
    grown = [after - before for before, after in zip(references, references_after, strict=True)]
    assert max(grown) < 200, grown


@needs_accelerator
def test_memory_does_not_grow_with_the_number_of_records() -> None:
    script = (
        "import resource\nfrom opencwm.tracer import record\nfrom opencwm.traces import Program\n"
        "source = '''\ndef g(n):\n    yield [n, str(n)]\ndef f(n):\n    d = {n: [n * 1.5, 'x' * n]}\n"
        "    try:\n        d[n].append(10 ** n)\n        raise ValueError(d)\n    except ValueError as e:\n"
        "        return e\ndef main():\n"
        "    for i in range(100):\n        x = list(g(i)), f(i)\n    del x\n'''\n"
        "def peak():\n    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "program = Program(source, 'main')\n"
        "for _ in range(20): record(program, accelerate=True)\n"
        "before = peak()\n"
        "for _ in range(150): record(program, accelerate=True)\n"
        "print(peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(run.stdout) * unit < 8 * 2**20
    assert run.stderr == ""


SCRIPT = """
import json, sys
from opencwm.tracer import TraceLimits, accelerator, record
from opencwm.traces import Program
assert accelerator.is_available()
sys.stderr = sys.__stderr__
unequal = []
for name, source in json.load(sys.stdin).items():
    for limits in (TraceLimits(), TraceLimits(max_value_chars=40, max_elements=3, max_nesting=2)):
        program = Program(source, "main")
        if record(program, limits) != record(program, limits, accelerate=True):
            unequal.append(name)
print(json.dumps(unequal))
"""


def built_for(version: str, folder: Path) -> tuple[str, Path]:
    """Return another interpreter and the accelerator built for it."""
    executable = interpreter(version)
    if executable is None:
        pytest.skip(f"no Python {version} here")
    query = (
        "import json, sysconfig as s\n"
        "print(json.dumps([s.get_path('include'), s.get_config_var('EXT_SUFFIX')]))"
    )
    found = subprocess.run([executable, "-c", query], capture_output=True, text=True, check=True)
    include, suffix = json.loads(found.stdout)
    if not Path(include, "Python.h").exists():
        pytest.skip(f"Python {version} is here without its headers")
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    target = folder / f"_accelerator{suffix}"
    command = [*compiler, "-O1", "-shared", "-fPIC", f"-I{include}", str(SOURCE), "-o", str(target)]
    try:
        built = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no C compiler here")
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return executable, target


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_has_the_same_trace_with_it(version: str, tmp_path: Path) -> None:
    executable, library = built_for(version, tmp_path)
    head = (
        "import importlib.machinery as m, importlib.util as u, sys\n"
        f"spec = u.spec_from_file_location('opencwm.tracer._accelerator', {str(library)!r})\n"
        "module = sys.modules[spec.name] = u.module_from_spec(spec)\nspec.loader.exec_module(module)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    # In 3.12 the recorder in Python loses its trace function in the deep recursion through C of this one.
    programs = {
        name: source
        for name, source in {**HOSTILE, **PROGRAMS}.items()
        if source != HOSTILE["deep recursion"]
    }
    run = subprocess.run(
        [executable, "-X", "dev", "-W", "ignore", "-c", head + SCRIPT],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == []


@needs_accelerator
def test_a_frame_that_was_never_called_under_it_is_left_alone() -> None:
    """The frames below the entry get events after it returned, and belong to nobody."""
    code = compile("def main():\n    x = 1\n    return x\n", "<program>", "exec")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    recorder = Recorder(code, "", TraceLimits(), lambda: None, accelerate=True)
    limit, tracing = sys.getrecursionlimit(), sys.gettrace()
    frame: FrameType = sys._getframe()
    try:
        recorder.start(100)
        namespace["main"]()
        namespace["main"]()
        assert frame.f_trace is None
    finally:
        sys.settrace(tracing)
        sys.setrecursionlimit(limit)
    assert len(recorder.build_steps()) == 8
