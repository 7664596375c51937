"""Jobs whose passes are run in one call come to what they come to alone."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.engine import ScoringEngine
from opencwm.model.export import export_onnx
from opencwm.model.export_rows import export_rows
from opencwm.model.graph import Pass
from opencwm.model.onnx_engine import ROWS_NAME, OnnxEngine
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.testing import random_weights, tiny_config
from opencwm.model.together import one_by_one

pytest.importorskip("onnx")

NUM_ROWS = 3
Job = Callable[[], NDArray[np.float32]]


def exported(folder: Path, kind: str) -> OnnxEngine:
    config = tiny_config()
    export_onnx(config, random_weights(config, seed=3), folder / "model.onnx", kind=kind)
    export_rows(folder / "model.onnx", folder / ROWS_NAME, num_rows=NUM_ROWS)
    return OnnxEngine.load(folder / "model.onnx", config)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    return exported(tmp_path_factory.mktemp(request.param), request.param)


def walk(engine: ScoringEngine, seed: int, length: int) -> Job:
    """Return a job that appends, rewinds and forks at random, and returns every row of logits it saw."""

    def work() -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        mine: ScoringEngine = engine.fork()
        rows: list[NDArray[np.float32]] = []
        for _ in range(length):
            ids = [int(token) for token in rng.integers(0, 48, int(rng.integers(1, 12)))]
            if rng.random() < 0.5:
                rows.extend(mine.append_all(ids))
            else:
                rows.append(mine.append(ids))
            if rng.random() < 0.3:
                mine.truncate(int(rng.integers(0, len(mine.ids) + 1)))
            if rng.random() < 0.2:
                mine = mine.fork()
        return np.stack(rows)

    return work


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(1, 5), st.integers(0, 1000))
def test_any_histories_together_give_the_logits_of_each_alone(
    engine: OnnxEngine, lengths: list[int], at_once: int, seed: int
) -> None:
    before = threading.active_count()
    jobs = [walk(engine, seed + number, length) for number, length in enumerate(lengths)]
    alone = dict(one_by_one(jobs))
    together = dict(engine.together.work(jobs, at_once=at_once))
    assert together.keys() == alone.keys()
    for number, rows in alone.items():  # on some processors products of other sizes round otherwise
        np.testing.assert_allclose(together[number], rows, atol=0.02)
    assert threading.active_count() <= before


def test_passes_really_are_run_together(tmp_path: Path) -> None:
    """Three jobs of ten passes each: with three rows it is ten calls."""
    engine = exported(tmp_path, "int8")
    calls = count_calls(engine)

    def ten() -> int:
        mine = engine.fork()
        for token in range(10):
            mine.append([token])
        return len(mine.ids)

    assert dict(engine.together.work([ten] * NUM_ROWS, at_once=NUM_ROWS)) == {0: 10, 1: 10, 2: 10}
    assert calls == [3] * 10


def count_calls(engine: OnnxEngine) -> list[int]:
    """Return a list that gets the number of passes of every joint call."""
    calls: list[int] = []
    list(engine.together.work([walk(engine, 0, 1), walk(engine, 1, 1)], at_once=2))  # opens the graph
    rows = engine.together._rows
    assert rows is not None
    run = rows.run

    def counted(passes: Sequence[Pass]) -> list[NDArray[np.float32]]:
        calls.append(len(passes))
        return run(passes)

    rows.run = counted  # type: ignore[method-assign]
    return calls


def test_jobs_are_taken_as_others_end_and_what_ended_is_told_at_once(engine: OnnxEngine) -> None:
    started: list[int] = []

    def jobs() -> Iterator[Job]:
        for number, length in enumerate((9, 1, 1, 1)):
            started.append(number)
            yield walk(engine, number, length)

    ended = engine.together.work(jobs(), at_once=2)
    assert next(ended)[0] == 1
    assert started == [0, 1]
    assert [number for number, _ in ended] == [2, 3, 0]
    assert started == [0, 1, 2, 3]


def test_a_job_that_fails_ends_the_others(engine: OnnxEngine) -> None:
    before = threading.active_count()  # other tests may leave some that are about to end
    unwound: list[str] = []

    def waits() -> None:
        mine = engine.fork()
        try:
            while True:
                mine.append([1])
        except Exception:
            unwound.append("caught")
            raise
        finally:
            unwound.append("finally")

    def fails() -> None:
        mine = engine.fork()
        mine.append([1, 2, 3])
        mine.append([48])

    with pytest.raises(EngineError, match=r"outside 0\.\.47"):
        list(engine.together.work([waits, fails], at_once=2))
    assert unwound == ["finally"]
    ended = engine.together.work([waits, walk(engine, 0, 1)], at_once=2)
    assert next(ended)[0] == 1
    del ended  # who stops asking for results ends the jobs too
    assert unwound == ["finally", "finally"]
    assert threading.active_count() <= before


def test_an_interrupted_owner_stops_the_job_that_runs_on(engine: OnnxEngine) -> None:
    """As Ctrl-C does while a job computes and asks for nothing."""
    is_over = threading.Event()

    def endless() -> None:
        try:
            while True:
                pass
        finally:
            is_over.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            list(engine.together.work([endless], at_once=2))
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert is_over.is_set()


def test_a_runtime_that_fails_is_an_error_in_every_job(tmp_path: Path) -> None:
    engine = exported(tmp_path, "int8")
    count_calls(engine)
    rows = engine.together._rows
    assert rows is not None

    def broken(passes: Sequence[Pass]) -> list[NDArray[np.float32]]:  # noqa: ARG001 - it fails for all
        raise RuntimeError("no memory\nat all")

    rows.run = broken  # type: ignore[method-assign]

    def recovers() -> tuple[str, list[int]]:
        mine = engine.fork()
        try:
            mine.append([1, 2])
        except EngineError as error:
            return error.what, list(mine.ids)
        return "", []

    found = dict(engine.together.work([recovers, recovers], at_once=2))
    assert found == dict.fromkeys((0, 1), ("onnxruntime failed: no memory", []))


def test_without_the_graph_of_rows_jobs_take_turns(tmp_path: Path) -> None:
    engine = exported(tmp_path, "int8")
    (tmp_path / ROWS_NAME).unlink()
    jobs = [walk(engine, seed, 5) for seed in range(4)]
    for number, rows in engine.together.work(jobs, at_once=4):
        np.testing.assert_array_equal(rows, jobs[number]())


def test_a_graph_of_rows_of_other_weights_is_refused(tmp_path: Path) -> None:
    engine = exported(tmp_path, "fp32")
    other = tmp_path / "other"
    other.mkdir()
    exported(other, "int8")
    shutil.copy(other / ROWS_NAME, tmp_path / ROWS_NAME)
    shutil.copy(other / "model.onnx", tmp_path / "model.onnx")
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(EngineError, match=r"not of the model\.onnx beside it"):
        list(engine.together.work([walk(engine, 0, 2), walk(engine, 1, 2)], at_once=2))


def test_running_ahead_is_the_same_together(engine: OnnxEngine) -> None:
    jobs = [walk(SpeculativeEngine(engine.fork()), seed, 8) for seed in range(4)]
    for number, rows in engine.together.work(jobs, at_once=4):
        np.testing.assert_allclose(rows, jobs[number](), atol=0.02)
