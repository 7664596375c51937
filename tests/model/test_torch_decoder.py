from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from opencwm.model.config import ModelConfig
from opencwm.model.testing import tiny_config

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - needs torch
from torch.nn import functional  # noqa: E402 - needs torch

from opencwm.model import torch_decoder  # noqa: E402 - needs torch
from opencwm.model.torch_decoder import (  # noqa: E402 - needs torch
    Attention,
    Decoder,
    DocumentLayout,
    document_borders,
)
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


def test_a_row_begins_a_document_and_borders_come_in_steps() -> None:
    doc = torch.tensor([[0, 0, 1, 1, 1, 2], [2, 2, 2, 2, 2, 2], [0, 1, 2, 3, 3, 3]])
    borders = document_borders(doc)
    assert borders.dtype == torch.int32
    assert borders.tolist() == [0, 2, 5, 6, 12, 13, 14, 15] + [18] * 249
    for count, entries in ((255, 257), (256, 257), (257, 513)):
        borders = document_borders(torch.arange(count)[None])
        assert borders.tolist() == [*range(count), *[count] * (entries - count)]


def attend_over_borders(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int],
    enable_gqa: bool = False,
) -> Tensor:
    """What ``varlen_attn`` computes on a GPU, as its documentation says it."""
    assert query.is_contiguous() or query.stride(-1) == 1
    assert enable_gqa or query.shape[1] == key.shape[1] or "enable_gqa" not in torch_decoder._GROUPED
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
    assert max(cu_seq_q.diff().max(), cu_seq_k.diff().max()) <= min(max_q, max_k)
    before, after = window_size
    pieces = []
    for start, end in zip(cu_seq_q[:-1].tolist(), cu_seq_q[1:].tolist(), strict=True):
        position = torch.arange(end - start)
        distance = position[:, None] - position[None, :]
        visible = (distance >= -after) & ((distance <= before) | (before < 0))
        q, k, v = (t[start:end].transpose(0, 1) for t in (query, key, value))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible, enable_gqa=True)
        pieces.append(mixed.transpose(0, 1))
    everything: Tensor = torch.cat(pieces)
    return everything


def test_varlen_attention_is_asked_for_what_the_others_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_decoder, "varlen_attn", attend_over_borders)
    config = tiny_config()
    doc = torch.repeat_interleave(torch.arange(6) % 3, torch.tensor([12, 60, 1, 1, 32, 40])).view(2, 73)
    ids = torch.randint(0, config.vocab_size, doc.shape)
    model = make(config)
    layout = DocumentLayout(borders_A=document_borders(doc))
    logits = model.lm_head(model.hidden(ids, layout))
    torch.testing.assert_close(logits, model(ids, doc), atol=1e-4, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="flash attention needs a GPU")
@pytest.mark.filterwarnings("default")  # what compilation has to say
@pytest.mark.parametrize("layer", [0, 1])
def test_varlen_attention_is_that_of_block_masks(layer: int) -> None:
    config = tiny_config(head_dim=64, num_attention_heads=4, num_key_value_heads=2)
    assert len({config.window(0), config.window(1)}) == 2
    lengths = [3, 40, 213, 1, 100, 155]
    doc = torch.repeat_interleave(torch.arange(6) % 3, torch.tensor(lengths)).view(2, 256).cuda()
    attention = Attention(config, layer)
    torch.manual_seed(0)
    shapes = [(2, 256, heads, 64) for heads in (4, 2, 2)]
    qkv = [torch.randn(shape, device="cuda", dtype=torch.bfloat16, requires_grad=True) for shape in shapes]
    weight = torch.randn(2, 256, 4 * 64, device="cuda", dtype=torch.bfloat16)
    both = []
    with torch.enable_grad():
        for layout in (
            DocumentLayout.of(doc, config, torch.bfloat16),
            DocumentLayout.with_block_masks(doc, config),
        ):
            mixed = torch.compile(attention.attend)(*qkv, layout.for_window(attention.window))
            both.append([mixed.detach(), *torch.autograd.grad(mixed, qkv, weight)])
    for varlen, blocks in zip(*both, strict=True):
        assert (varlen.float() - blocks.float()).abs().max() < 0.02 * blocks.float().abs().max()


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
