from __future__ import annotations

from typing import Any

import pytest

from opencwm.core.errors import ConfigError
from opencwm.model.testing import tiny_config
from opencwm.train.config import BatchConfig, OptimizerConfig, ScheduleConfig, TrainConfig

torch = pytest.importorskip("torch")

from opencwm.model.torch_decoder import Decoder  # noqa: E402 - needs torch
from opencwm.train.muon import Muon  # noqa: E402 - needs torch
from opencwm.train.optimizer import AveragedWeights, Optimizer, rate_factor  # noqa: E402 - needs torch


def test_wsd_rises_holds_and_falls() -> None:
    config = ScheduleConfig(num_steps=100, warmup_steps=4, decay_fraction=0.25, final_ratio=0.2)
    factors = [rate_factor(config, step=step, progress=step / 100) for step in range(101)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(factors[3:76]) == {1.0}
    assert factors[100] == pytest.approx(0.2)
    assert factors[75:] == sorted(factors[75:], reverse=True)
    assert rate_factor(config, step=100, progress=1.7) == pytest.approx(0.2)


def test_cosine_falls_all_the_way_and_time_counts_like_steps() -> None:
    config = ScheduleConfig(name="cosine", time_budget_s=60.0, warmup_steps=0)
    assert rate_factor(config, step=0, progress=0.0) == 1.0
    assert rate_factor(config, step=5, progress=0.5) == pytest.approx(0.5)
    assert rate_factor(config, step=9, progress=1.0) == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_weight_decay_spares_gains_and_every_weight_moves(name: str) -> None:
    torch.manual_seed(0)
    model = Decoder(tiny_config(tie_word_embeddings=False))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    config = OptimizerConfig(name="muon" if name == "muon" else "adamw", learning_rate=0.1, weight_decay=0.5)
    optimizer = Optimizer(model, config)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(1.0)
    for key, tensor in model.state_dict().items():
        expected = before[key] if "norm" in key else before[key] * (1 - 0.1 * 0.5)
        torch.testing.assert_close(tensor, expected, msg=key)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    moved_from = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    optimizer.step(1.0)
    assert all(not torch.equal(tensor, moved_from[key]) for key, tensor in model.state_dict().items())


def test_muon_is_torchs_muon_with_equal_shapes_at_once() -> None:
    torch.manual_seed(0)
    shapes = [(8, 24), (24, 8), (8, 24), (16, 16)]
    mine = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in mine]
    settings: dict[str, Any] = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.1}
    reference = torch.optim.Muon(theirs, **settings, adjust_lr_fn="match_rms_adamw")
    batched = Muon(mine, **settings)
    for _ in range(4):
        for parameter, other in zip(mine, theirs, strict=True):
            parameter.grad = torch.randn(parameter.shape)
            other.grad = parameter.grad.clone()
        reference.step()
        batched.step()
    for parameter, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(parameter, other, atol=2e-3, rtol=0)  # bfloat16 products, other order
    assert set(batched.state_dict()["state"][0]) == {"momentum_buffer"}


def test_clipping_reports_the_norm_before_it() -> None:
    model = Decoder(tiny_config())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    norm = Optimizer(model, OptimizerConfig(max_grad_norm=0.5)).step(1.0)
    assert float(norm) == pytest.approx(model.config.num_parameters**0.5, rel=1e-4)


def test_the_average_lags_and_swaps_back() -> None:
    model = Decoder(tiny_config())
    average = AveragedWeights(model, 0.5)
    weight = model.model.norm.weight
    with torch.no_grad():
        weight.fill_(3.0)
    average.update()  # decay 1/11: young averages forget faster
    average.swap()
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 1 + 2 * 10 / 11))
    average.swap()
    torch.testing.assert_close(weight.detach(), torch.full_like(weight, 3.0))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="one of schedule"):
        ScheduleConfig()
    with pytest.raises(ConfigError, match="one of schedule"):
        ScheduleConfig(num_steps=1, time_budget_s=1.0)
    with pytest.raises(ConfigError, match="learning_rate"):
        OptimizerConfig(learning_rate=0.0)
    with pytest.raises(ConfigError, match="max_document_tokens"):
        BatchConfig(row_tokens=8, max_document_tokens=9)
    with pytest.raises(ConfigError, match="max_position_embeddings"):
        TrainConfig(model=tiny_config(), schedule=ScheduleConfig(num_steps=1))
