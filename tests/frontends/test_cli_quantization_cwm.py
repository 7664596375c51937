"""``opencwm eval quantization`` of a Hugging Face folder by torch, as for facebook/cwm: a tiny random one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from opencwm.codec.bpe import save_tokenizer, train_bpe
from opencwm.tracer import record
from opencwm.traces import Program
from opencwm.traces.jsonl import write_jsonl

from .conftest import Cli

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: its precisions are not tested")
transformers = pytest.importorskip("transformers", reason="TRANSFORMERS IS NOT INSTALLED: likewise")


@pytest.mark.slow
def test_precisions_are_opened_measured_and_compared(cli: Cli, tmp_path: Path) -> None:
    """Speed, memory and whole runs; int8 where torchao is."""
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    source = "def double(x):\n    return x + x\n"
    write_jsonl(tmp_path / "runs.jsonl", [record(Program.from_call(source, "double(2)"))])
    tokenizer = train_bpe([source], 300)
    config = transformers.CwmConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=8,
        max_position_embeddings=256,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    transformers.CwmForCausalLM(config).save_pretrained(tmp_path / "cwm")
    save_tokenizer(tokenizer, tmp_path / "cwm")
    quantized = ["int8"] if importlib.util.find_spec("torchao") else []
    asked = ("--data", tmp_path / "runs.jsonl", "--programs", 1, "--documents", 0, "--json")
    names = ",".join(["fp32", "bf16", *quantized])
    outcome = cli(
        "eval", "quantization", tmp_path / "cwm", "--precisions", names, *asked, "-o", tmp_path / "out"
    )
    assert outcome.status == 0, outcome
    found = json.loads(outcome.out)["precisions"]
    assert list(found) == names.split(",")
    sizes = [one["size_bytes"] for one in found.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert 1.9 < sizes[0] / sizes[1] < 2.1
    assert len(set(sizes)) == len(sizes)
    for one in found.values():
        assert one["cost"]["tokens_per_s"] > 0
        assert one["cost"]["peak_mib"] > 50
        assert one["scores"]["whole run"]["num_total"] == 1
    assert (tmp_path / "out" / "report.md").is_file()
