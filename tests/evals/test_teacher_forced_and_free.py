"""Three measurements, one truth: a greedy run without constraints is exact if each of its steps is right."""

import bisect

import numpy as np
import pytest
from evals_programs import generator, mixed, raising

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import BYTE_BASE, LINE_BASE, Control
from opencwm.core.seeds import derive_rng
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.steps import StepsConfig, evaluate_steps
from opencwm.evals.testing import PositionalEngine, oracle
from opencwm.traces import Trace

CODEC = NativeCodec()
SIZE = len(CODEC.vocabulary)
KINDS = (Control.SET, Control.DELETE, Control.CALL, Control.RETURN, Control.UNWIND, Control.RAISE, Control.AT)
TEMPTATIONS = (*KINDS, Control.CUT, Control.END, Control.BODY, LINE_BASE, LINE_BASE + 1, BYTE_BASE + ord("q"))


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("trace", [mixed(), raising(), generator()], ids=["mixed", "raising", "generator"])
def test_a_run_is_exact_when_every_step_is_right(trace: Trace, constrained: bool) -> None:
    view = NativePredictor("", CODEC, oracle(CODEC, [])).view(trace.program)
    document = CODEC.encode(trace, view)
    table = np.zeros((4096, SIZE), np.float32)
    table[np.arange(len(document.ids) - 1), document.ids[1:]] = 8
    rng = derive_rng("temptations", trace.program.id)
    outcomes = set()
    for _ in range(30):
        position = rng.randrange(document.num_prompt, len(document.ids))
        row, token = position - 1, rng.choice(TEMPTATIONS)
        kept = table[row].copy()
        table[row, token] = 9
        predictor = NativePredictor("", CODEC, PositionalEngine(table), constrained=constrained)
        report = evaluate_steps([trace], predictor, StepsConfig(max_document_tokens=4096)).to_json()
        table[row] = kept
        steps, runs = report["teacher_forced"]["step"], report["free_running"]["exact"]
        is_right, is_exact = steps["num_right"] == steps["num_total"], runs["num_right"] == 1
        outcomes.add(is_exact)
        if constrained:
            assert is_exact or not is_right  # constraints only ever help
            continue
        assert is_exact == is_right, (position, token)
        ahead = report["one_step"]["step"]
        assert ahead == steps, (position, token)  # without constraints a third way to the same number
        if not is_exact:  # a temptation to go on with a value spoils the step before
            tempted = bisect.bisect_right(document.step_ends, position)
            assert report["free_running"]["right_steps"]["num_right"] in (tempted - 1, tempted)
    assert constrained or len(outcomes) == 2  # both happen, so that something was compared
