"""Runs predicted together are the runs predicted one after the other."""

from __future__ import annotations

import functools

import pytest

from opencwm.codec.native import NativeCodec
from opencwm.debugger.predicted import PredictedExecution
from opencwm.evals.agreement import Agreement, agree
from opencwm.evals.rollout import RolloutBounds
from opencwm.model.export import export_onnx
from opencwm.model.export_rows import export_rows
from opencwm.model.onnx_engine import ROWS_NAME, OnnxEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.testing import random_weights, tiny_config
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Program

pytest.importorskip("onnx")

CODEC = NativeCodec()
PROGRAM = Program.from_call(
    "def f(a, n):\n    for i in range(n):\n        a = a * 2 + i\n    return a\n", "f(1, 3)"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    """Random weights under the rules of the program: any legal run is as likely as another."""
    folder = tmp_path_factory.mktemp("tiny")
    config = tiny_config(vocab_size=len(CODEC.vocabulary), max_position_embeddings=1024)
    export_onnx(config, random_weights(config, seed=5), folder / "model.onnx", kind="fp32")
    export_rows(folder / "model.onnx", folder / ROWS_NAME, num_rows=3)
    return OnnxEngine.load(folder / "model.onnx", config)


def agreed(engine: OnnxEngine, worker: Worker, *, expressions: bool) -> Agreement:
    first = PredictedExecution(
        PROGRAM,
        CODEC,
        SpeculativeEngine(engine.fork()),
        expressions=expressions,
    )
    first.read()
    return agree(first.afresh, RolloutBounds(max_steps=5), num_rollouts=3, seed=3, worker=worker)


@pytest.mark.parametrize("expressions", [False, True])
def test_rollouts_together_are_those_one_by_one(engine: OnnxEngine, expressions: bool) -> None:
    """The greedy run and the drawn ones, step by step, with their probabilities."""

    together = functools.partial(engine.together.work, at_once=3)
    alone = agreed(engine, one_by_one, expressions=expressions)
    joint = agreed(engine, together, expressions=expressions)
    assert len(alone.rollouts) > 1
    assert len({tuple(view.step for view in one.steps) for one in alone.rollouts}) > 1
    assert (joint.outcome, joint.num_votes) == (alone.outcome, alone.num_votes)
    for mine, other in zip(joint.rollouts, alone.rollouts, strict=True):
        assert [view.step for view in mine.steps] == [view.step for view in other.steps]
        assert (mine.end, mine.reason) == (other.end, other.reason)
        for one, same in zip(mine.steps, other.steps, strict=True):
            assert one.control_probability == pytest.approx(same.control_probability, rel=1e-3)


def test_a_run_afresh_is_the_run_of_a_new_execution(engine: OnnxEngine) -> None:
    sampling = SamplingConfig(temperature=0.5, seed=9)
    new = PredictedExecution(PROGRAM, CODEC, engine.fork(), sampling=sampling)
    first = PredictedExecution(PROGRAM, CODEC, engine.fork())
    first.read()
    first.get(2)
    again = first.afresh(sampling)
    assert new.get(3) is not None
    for index in range(6):
        mine, other = new.get(index), again.get(index)
        assert (mine and mine.step) == (other and other.step)
