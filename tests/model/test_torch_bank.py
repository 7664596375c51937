"""Rows of a Hugging Face model that step together: each is as if it had been computed alone."""

from __future__ import annotations

import numpy as np
import pytest

from tiny_torch import MODELS, V, recomputed, torch  # isort: skip - skips without torch

from opencwm.core.errors import EngineError
from opencwm.model.bank import EngineBank
from opencwm.model.torch_bank import TorchBank
from opencwm.model.torch_engine import TorchEngine


@pytest.mark.parametrize("name", MODELS)
def test_rows_together_are_rows_alone(name: str) -> None:
    bank = TorchBank(TorchEngine(MODELS[name]), 4)
    rng = np.random.default_rng(1)
    held = [[int(id_) for id_ in rng.integers(0, V, length)] for length in (3, 17, 40, 9)]
    for row, ids in enumerate(held):
        bank.extend(row, ids, every=False)
    for turn in range(12):
        rows = sorted(rng.choice(4, size=int(rng.integers(1, 5)), replace=False).tolist())
        ids = [int(id_) for id_ in rng.integers(0, V, len(rows))]
        logits_BV = bank.step(rows, ids)
        for row, id_, logits_V in zip(rows, ids, logits_BV, strict=True):
            held[row].append(id_)
            np.testing.assert_allclose(logits_V, recomputed(MODELS[name], held[row])[-1], atol=1e-4)
        if turn == 5:  # a fork shares storage with what it was copied from
            bank.copy(2, 0, 20)
            held[0] = held[2][:20]
        if turn == 8:
            bank.truncate(1, 5)
            del held[1][5:]
    assert [list(bank.held(row)) for row in range(4)] == held


def test_a_step_is_one_pass_and_one_that_fails_changes_nothing() -> None:
    engine = TorchEngine(MODELS["cwm"], max_tokens=8)
    bank, passes = TorchBank(engine, 3), []
    handle = MODELS["cwm"].register_forward_hook(lambda *_: passes.append(1))
    bank.extend(0, [3, 4], every=False)
    bank.extend(1, [5], every=False)
    del passes[:]
    bank.step([0, 1], [6, 7])
    handle.remove()
    assert len(passes) == 1
    with pytest.raises(EngineError, match="ids between"):
        bank.step([0, 1], [6, V])

    def breaks(*_: object) -> None:
        raise torch.OutOfMemoryError("none left")

    handle = MODELS["cwm"].lm_head.register_forward_hook(breaks)
    with pytest.raises(EngineError, match="no memory is left for 2 sequences"):
        bank.step([0, 1], [6, 7])
    handle.remove()
    assert [list(bank.held(row)) for row in range(2)] == [[3, 4, 6], [5, 7]]
    after = bank.step([0, 1], [1, 2])
    np.testing.assert_allclose(after[0], recomputed(MODELS["cwm"], [3, 4, 6, 1])[-1], atol=1e-4)
    bank.extend(0, [9] * 4, every=False)
    with pytest.raises(EngineError, match="exceed 8 tokens"):
        bank.step([0, 1], [1, 1])


def test_models_of_other_kinds_step_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODELS["llama"].config, "model_type", "other")
    bank = TorchBank(TorchEngine(MODELS["llama"]), 2)
    plain = EngineBank(TorchEngine(MODELS["llama"]), 2)
    for made in (bank, plain):
        for row in range(2):
            made.extend(row, [row + 3], every=False)
    np.testing.assert_array_equal(bank.step([0, 1], [4, 5]), plain.step([0, 1], [4, 5]))
