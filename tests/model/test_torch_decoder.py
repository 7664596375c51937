from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opencwm.model.config import ModelConfig
from opencwm.model.testing import tiny_config

torch = pytest.importorskip("torch")

from opencwm.model.torch_decoder import Decoder, DocumentLayout  # noqa: E402 - needs torch
from opencwm.train.checkpoint import load_model, save_model  # noqa: E402 - needs torch


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def make(config: ModelConfig, *, dtype: str = "float32") -> Decoder:
    torch.manual_seed(0)
    model = Decoder(config, compute_dtype=getattr(torch, dtype))
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.mul_(4.0)  # far from the flat output of fresh weights
    return model.eval()


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_those_of_transformers(tmp_path: Path, tied: bool) -> None:
    transformers = pytest.importorskip("transformers")
    config = tiny_config(tie_word_embeddings=tied, rope_theta=5000.0)
    model = make(config)
    save_model(tmp_path, model)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(theirs).__name__ == "CwmForCausalLM"
    ids = torch.randint(0, config.vocab_size, (2, 60))
    assert ids.shape[1] > 3 * config.sliding_window
    ours = model(ids, torch.zeros_like(ids))
    torch.testing.assert_close(ours, theirs(ids).logits, atol=1e-4, rtol=0)


def test_documents_of_a_row_do_not_see_each_other() -> None:
    config = tiny_config()
    model = make(config)
    lengths = [5, 17, 17, 40, 1]
    ids = torch.randint(0, config.vocab_size, (1, sum(lengths)))
    doc = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))[None]
    packed = model(ids, doc)
    start = 0
    for length in lengths:
        alone = ids[:, start : start + length]
        expected = model(alone, torch.zeros_like(alone))
        torch.testing.assert_close(packed[:, start : start + length], expected, atol=1e-4, rtol=0)
        start += length


def test_every_way_to_attend_agrees() -> None:
    config = tiny_config()
    lengths = [12, 12, 30, 10, 300]
    doc = torch.repeat_interleave(torch.arange(5), torch.tensor(lengths))[None]
    ids = torch.randint(0, config.vocab_size, doc.shape)
    exact = make(config)
    reference = exact(ids, doc)
    chunks = DocumentLayout.of(doc, config, torch.bfloat16)
    assert chunks.biases
    logits = exact.lm_head(exact.hidden(ids, chunks))
    torch.testing.assert_close(logits, reference, atol=1e-4, rtol=0)
    blocks = DocumentLayout.with_block_masks(doc, config)  # as on a GPU; on a CPU it has no gradient
    assert blocks.masks
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "flex_attention called without torch.compile")
        logits = exact.lm_head(exact.hidden(ids, blocks))
    torch.testing.assert_close(logits, reference, atol=1e-4, rtol=0)
    coarse = make(config, dtype="bfloat16")(ids, doc)
    assert (coarse - reference).abs().max() < 0.1 * reference.abs().max()


def test_logits_only_where_wanted() -> None:
    config = tiny_config()
    model = make(config)
    ids = torch.randint(0, config.vocab_size, (2, 9))
    doc = torch.zeros_like(ids)
    everywhere = model(ids, doc).flatten(0, 1)
    positions = torch.tensor([0, 8, 9, 17])
    torch.testing.assert_close(model(ids, doc, positions), everywhere[positions])


def test_weights_survive_the_file(tmp_path: Path) -> None:
    model = make(tiny_config())
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    for (name, mine), theirs in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=name)


def test_parameter_count_is_the_real_one() -> None:
    for tied in (True, False):
        config = tiny_config(tie_word_embeddings=tied)
        assert config.num_parameters == sum(p.numel() for p in Decoder(config).parameters())
