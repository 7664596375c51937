"""What ``opencwm export --format`` and ``opencwm quantize`` write, opened by the libraries it is for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from opencwm.codec.hub_tokenizer import BEGIN, END, PAD
from opencwm.codec.vocabulary import Vocabulary
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.frontends.exporting import export_hub_folder, export_run
from opencwm.model.config import ModelConfig
from opencwm.model.folder import default_model_path, load_folder
from opencwm.model.testing import random_weights

from .conftest import Cli

TRANSFORMERS = "HUGGING FACE FOLDERS ARE NOT TESTED: pip install transformers torch"


def some_ids(count: int, vocab_size: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(0).integers(0, vocab_size, count)]


def assert_same_logits(run: Path, exported: Path, *, num_tokens: int, atol: float) -> None:
    """Show that transformers computes on ``exported`` what our decoder computes on the run's weights."""
    transformers = pytest.importorskip("transformers", reason=TRANSFORMERS)
    torch = pytest.importorskip("torch", reason=TRANSFORMERS)
    from opencwm.train.checkpoint import load_model

    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32)
    assert type(theirs).__name__ == "CwmForCausalLM"
    ours = load_model(run / "model").eval()
    ids = torch.tensor([some_ids(num_tokens, theirs.config.vocab_size)])
    assert num_tokens > theirs.config.sliding_window
    with torch.no_grad():
        found, expected = theirs(ids).logits, ours(ids, torch.zeros_like(ids))
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)
    assert (found.argmax(-1) == expected.argmax(-1)).all()


def test_transformers_opens_a_hugging_face_folder(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    outcome = cli("export", run_folder, "-o", tmp_path / "hf", "--format", "hf")
    assert outcome.status == 0, outcome
    assert "MiB written to" in outcome.err
    assert {path.name for path in (tmp_path / "hf").iterdir()} == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "native_vocabulary.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert_same_logits(run_folder, tmp_path / "hf", num_tokens=60, atol=1e-4)


def test_auto_tokenizer_and_generate(run_folder: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason=TRANSFORMERS)
    torch = pytest.importorskip("torch", reason=TRANSFORMERS)
    export_hub_folder(run_folder, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (BEGIN, END, PAD)
    assert tokenizer("x = [1, 'ab']").input_ids == list(Vocabulary.default().encode_text("x = [1, 'ab']"))
    assert tokenizer.decode(tokenizer("<|begin|>x = 'a b'").input_ids) == "<|begin|>x = 'a b'"
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.generation_config.eos_token_id == END
    prompt = some_ids(20, len(Vocabulary.default()))
    written = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), max_new_tokens=12
    )[0, len(prompt) :].tolist()
    engine = load_folder(export_run(run_folder, tmp_path / "onnx", precision="fp32").path).engine()
    expected = [int(engine.append(prompt).argmax())]
    while len(expected) < len(written):
        expected.append(int(engine.append(expected[-1:]).argmax()))
    assert written == expected


def test_bf16_is_half_the_size_and_says_so(run_folder: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    for precision in ("fp32", "bf16"):
        export_hub_folder(run_folder, tmp_path / precision, precision=precision)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("fp32", "bf16")]
    assert 1.9 < sizes[0] / sizes[1] < 2.1
    config = json.loads((tmp_path / "bf16" / "config.json").read_text())
    assert config["torch_dtype"] == "bfloat16"
    with safe_open(tmp_path / "bf16" / "model.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118 - it is no mapping
        assert file.get_slice("model.norm.weight").get_dtype() == "BF16"


def test_vllm_is_told_what_it_asks_for(run_folder: Path, tmp_path: Path) -> None:
    """What its Llama, which serves ``CwmForCausalLM``, reads from ``config.json``; vLLM itself is not run."""
    export_hub_folder(run_folder, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["CwmForCausalLM"]
    assert len(config["layer_types"]) == config["num_hidden_layers"]
    assert config["num_attention_heads"] % config["num_key_value_heads"] == 0
    assert config["hidden_act"] == "silu"
    assert config["tie_word_embeddings"] is True
    assert {"head_dim", "sliding_window", "max_position_embeddings", "rms_norm_eps"} <= config.keys()
    assert ModelConfig.load(tmp_path / "config.json").rope_theta == config["rope_parameters"]["rope_theta"]


@pytest.mark.slow
def test_the_shipped_shape_gives_the_same_logits(run_folder: Path, tmp_path: Path) -> None:
    """At the size of the model in the package, past its window. Weights are random: it ships int8 only."""
    from safetensors.numpy import save_file

    config = ModelConfig.load(default_model_path() / "config.json")
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    weights = random_weights(config, seed=1, std=0.05)
    del weights["lm_head.weight"]
    config.save(run / "model" / "config.json")
    save_file(weights, run / "model" / "model.safetensors")
    export_hub_folder(run, tmp_path / "hf")
    assert_same_logits(run, tmp_path / "hf", num_tokens=900, atol=2e-3)


def test_an_onnx_file_needs_only_onnxruntime(run_folder: Path, tmp_path: Path) -> None:
    """The example of docs/engine.md: names and shapes are part of what is promised."""
    import onnxruntime

    folder = export_run(run_folder, tmp_path, precision="fp32")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    caches = [item for item in session.get_inputs() if item.name.startswith("past_key_values.")]
    _, groups, _, size = caches[0].shape
    feed = {item.name: np.zeros((1, groups, 256, size), np.float32) for item in caches}
    ids = [1, 3, 281, 417, 210]
    feed |= {
        "input_ids": np.array([ids], np.int64),
        "seqlens_k": np.array([len(ids) - 1], np.int32),
        "total_sequence_length": np.array(len(ids), np.int32),
        "logit_positions": np.array([len(ids) - 1], np.int64),
    }
    logits, *present = session.run(None, feed)
    assert len(present) == len(caches)
    np.testing.assert_allclose(logits[0], folder.engine().append(ids), atol=1e-5)


def test_gguf_is_written_with_its_vocabulary(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="GGUF IS NOT TESTED: pip install gguf")
    assert cli("export", run_folder, "-o", tmp_path / "out", "--format", "gguf").status == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "model.gguf", "native_vocabulary.json"}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "library_name: llama.cpp" in card
    assert "opencwm.json" not in card


def test_quantize_starts_from_a_run_or_from_fp32_weights(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    whole = export_run(run_folder, tmp_path / "whole", with_safetensors=True).path
    for source, name in ((run_folder, "from_run"), (whole, "from_folder")):
        arguments = ("--precision", "int4", "--block-size", "16")
        assert cli("quantize", source, "-o", tmp_path / name, *arguments).status == 0
    made = [load_folder(tmp_path / name) for name in ("from_run", "from_folder")]
    assert [folder.meta.weights for folder in made] == ["int4:16", "int4:16"]
    assert made[0].meta.training == made[1].meta.training
    onnx = [(folder.path / "model.onnx").read_bytes() for folder in made]
    assert onnx[0] == onnx[1]
    assert NativeWorldModel.load(made[1].path).engine.fork().append([1]).shape == (len(Vocabulary.default()),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quantize", "INT8", "-o", "OUT"), "holds int8 weights only"),
        (("export", "INT8", "-o", "OUT", "--format", "hf"), "holds int8 weights only"),
        (("quantize", "RUN", "-o", "OUT", "--block-size", "33"), "no such block size"),
        (("quantize", "RUN", "-o", "RUN"), "written over what it is made of"),
        (("export", "RUN", "-o", "OUT", "--format", "hf", "--precision", "int4"), "no int4 weights"),
        (("quantize", "OUT", "-o", "OTHER"), "is no training run"),
    ],
)
def test_what_cannot_be_done_is_refused(
    cli: Cli, run_folder: Path, model_folder: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    places = {"RUN": run_folder, "INT8": model_folder, "OUT": tmp_path / "out", "OTHER": tmp_path / "other"}
    assert said in cli(*(places.get(word, word) for word in arguments)).refused()
    assert not (tmp_path / "out").exists()
