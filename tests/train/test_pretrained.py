"""Fine-tuning tiny random models of transformers: packing, adapters, folders that load again, two ranks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opencwm.codec.bpe import save_tokenizer, train_bpe
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.codec.nd_special import ND_TOKENS
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.frontends.cli import main
from opencwm.model.config import FULL_ATTENTION
from opencwm.train.config import (
    BatchConfig,
    DataConfig,
    InitConfig,
    LoraConfig,
    OptimizerConfig,
    ParallelConfig,
    ScheduleConfig,
    TrainConfig,
)
from opencwm.train.data import Batch, Document, MemorySource, pack
from opencwm.train.metrics import METRICS_NAME, read_metrics

torch = pytest.importorskip("torch")
for package in ("transformers", "peft"):
    pytest.importorskip(
        package, reason=f"fine-tuning is not tested: {package} is missing (the extra finetune)"
    )

from torch.distributed.checkpoint.filesystem import FileSystemReader  # noqa: E402

from opencwm.train.building import build_model  # noqa: E402 - needs torch
from opencwm.train.loop import train  # noqa: E402
from opencwm.train.pretrained import PretrainedDecoder, restarting_positions  # noqa: E402
from opencwm.train.pretrained_folder import FILE_BYTES, plan_files  # noqa: E402
from opencwm.train.ranks import ALONE  # noqa: E402
from opencwm.train.testing import copy_documents, run_ranks, tiny_recipe  # noqa: E402

CPU = torch.device("cpu")
LORA = LoraConfig(rank=4, alpha=8.0, targets=("q_proj", "v_proj", "down_proj"), base_dtype="float32")
SHAPE = dataclasses.replace(tiny_recipe().model, tie_word_embeddings=False)
SCALED = {  # as facebook/cwm has it, which our own decoder does not know
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CwmForCausalLM in several files, with a tokenizer beside it."""
    from transformers import CwmConfig, CwmForCausalLM

    folder = tmp_path_factory.mktemp("base")
    settings = {**SHAPE.to_hugging_face(), "rope_parameters": SCALED, "eos_token_id": 2, "pad_token_id": None}
    torch.manual_seed(1)
    CwmForCausalLM(CwmConfig(**settings)).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    (folder / "tokenizer.json").write_text("{}")
    return folder


def recipe(folder: Path, lora: LoraConfig | None = None, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "model": SHAPE,
        "init": InitConfig(from_=str(folder), lora=lora),
        "optimizer": OptimizerConfig(learning_rate=1e-2),
        "schedule": ScheduleConfig(num_steps=12, warmup_steps=2),
        "log_interval_steps": 1,
    }
    return tiny_recipe(**{**settings, **changes})


def go(config: TrainConfig, out: Path) -> dict[str, float]:
    result = train(config, out, source=MemorySource(copy_documents(60)), held_out=copy_documents(10, seed=1))
    return result.evaluation


def losses(folder: Path) -> list[float]:
    return [r["loss"] for r in read_metrics(folder / METRICS_NAME) if r["kind"] == "train"]


def packed(row_tokens: int = 192) -> Batch:
    return pack([copy_documents(6), copy_documents(5, seed=3)], row_tokens, 8)


def logits_of(model: Any, batch: Batch) -> Any:
    with torch.no_grad():
        return model(*(torch.from_numpy(a) for a in (batch.ids_BT, batch.doc_BT, batch.positions_P)))


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("attention", ["auto", "eager"])
def test_documents_of_a_row_do_not_see_each_other(base: Path, attention: str) -> None:
    config = recipe(base, init=InitConfig(from_=str(base), attention=attention))
    model = build_model(config, CPU, ALONE)
    alone = load(base)
    batch = packed()
    expected = []
    for documents in (copy_documents(6), copy_documents(5, seed=3)):
        for document in sorted(documents, key=lambda one: len(one.ids)):
            with torch.no_grad():
                logits = alone(torch.from_numpy(document.ids.astype(np.int64))[None]).logits[0]
            expected.append(logits[np.flatnonzero(document.loss_mask[1:])])
    torch.testing.assert_close(logits_of(model, batch), torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_positions_begin_anew_with_every_document() -> None:
    documents = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 2, 2, 2, 2]])
    assert restarting_positions(documents).tolist() == [[0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 2, 3]]


def test_all_weights_are_trained_and_the_folder_loads_again(base: Path, tmp_path: Path) -> None:
    evaluation = go(
        recipe(base, parallel=ParallelConfig(checkpoint_activations=True, loss_chunk=50)), tmp_path / "run"
    )
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] - 0.3
    written = tmp_path / "run" / "model"
    assert {path.name for path in written.iterdir()} >= {"config.json", "tokenizer.json", "model.safetensors"}
    first, again = load(base).state_dict(), load(written)
    assert all(not torch.equal(weight, first[name]) for name, weight in again.state_dict().items())
    trained = build_model(recipe(written), CPU, ALONE)
    document = copy_documents(1)[0]
    ids = torch.from_numpy(document.ids.astype(np.int64))[None]
    with torch.no_grad():
        torch.testing.assert_close(
            again(ids).logits[0, :-1],
            logits_of(trained, pack([[everything(document)]], 48, 8)),
            rtol=1e-5,
            atol=1e-5,
        )
    unchanged = recipe(
        written, optimizer=OptimizerConfig(learning_rate=1e-12), schedule=ScheduleConfig(num_steps=1)
    )
    assert go(unchanged, tmp_path / "same")["loss"] == pytest.approx(evaluation["loss"], rel=1e-5)


def everything(document: Document) -> Document:
    return Document(document.ids, np.ones(len(document.ids), np.bool_))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # between transformers and peft
def test_an_adapter_learns_and_leaves_the_weights_alone(base: Path, tmp_path: Path) -> None:
    import peft
    from safetensors.torch import load_file

    run = tmp_path / "run"
    schedule = ScheduleConfig(num_steps=30, warmup_steps=2)
    go(recipe(base, LORA, optimizer=OptimizerConfig(learning_rate=3e-2), schedule=schedule), run)
    assert np.mean(losses(run)[-5:]) < np.mean(losses(run)[:5]) - 0.1
    merged, before = load(run / "model").state_dict(), load(base).state_dict()
    for name, weight in before.items():
        is_target = any(target in name for target in LORA.targets)
        assert torch.equal(merged[name], weight) is not is_target, name
    told = json.loads((run / "adapter" / "adapter_config.json").read_text())
    assert (told["r"], told["base_model_name_or_path"]) == (4, str(base))
    adapted = peft.PeftModel.from_pretrained(load(base), run / "adapter").eval()
    ids = torch.arange(1, 20)[None]
    with torch.no_grad():
        torch.testing.assert_close(adapted(ids).logits, load(run / "model")(ids).logits, rtol=1e-4, atol=1e-5)
        with adapted.disable_adapter():
            torch.testing.assert_close(adapted(ids).logits, load(base)(ids).logits)
    numbers = sum(
        tensor.numel() for tensor in load_file(run / "adapter" / "adapter_model.safetensors").values()
    )
    saved = FileSystemReader(run / "checkpoint" / "00000001").read_metadata().state_dict_metadata
    weights: list[Any] = [held for name, held in saved.items() if name.startswith("model.")]
    assert sum(held.size.numel() for held in weights) == numbers  # and no frozen ones


def test_stopping_and_resuming_an_adapter_gives_the_same_curve(base: Path, tmp_path: Path) -> None:
    for out, stops in (("whole", (8,)), ("cut", (4, 8))):
        for num_steps in stops:
            schedule = ScheduleConfig(num_steps=num_steps, warmup_steps=2, decay_fraction=0.0)
            go(recipe(base, LORA, schedule=schedule), tmp_path / out)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    with pytest.raises(ConfigError, match="another model shape"):
        go(recipe(base, dataclasses.replace(LORA, rank=2)), tmp_path / "cut")


def as_rank(config: TrainConfig, out: Path) -> None:
    go(config, out)


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
def test_two_ranks_fine_tune_as_one_does(base: Path, tmp_path: Path, lora: LoraConfig | None) -> None:
    config = recipe(base, lora, batch=dataclasses.replace(tiny_recipe().batch, rows=2))
    go(config, tmp_path / "one")
    run_ranks(2, as_rank, config, tmp_path / "two")
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5)
    models = [load(tmp_path / world / "model").state_dict() for world in ("one", "two")]
    for weight, other in zip(*(model.values() for model in models), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-3, atol=1e-4)


def test_frozen_weights_in_bfloat16(base: Path, tmp_path: Path) -> None:
    lora = dataclasses.replace(LORA, base_dtype="bfloat16")
    config = recipe(base, lora, dtype="bfloat16", schedule=ScheduleConfig(num_steps=3, warmup_steps=1))
    model = build_model(config, CPU, ALONE)
    assert isinstance(model, PretrainedDecoder)
    types = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert types == {True: torch.float32, False: torch.bfloat16}
    go(config, tmp_path)
    assert losses(tmp_path)[0] == pytest.approx(np.log(24), rel=0.05)


@pytest.mark.slow
def test_a_llama_with_tied_weights_is_fine_tuned_by_two_ranks(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = dataclasses.replace(
        SHAPE, layer_types=(FULL_ATTENTION,) * SHAPE.num_hidden_layers, tie_word_embeddings=True
    )
    settings = {k: v for k, v in shape.to_hugging_face().items() if k not in {"model_type", "layer_types"}}
    LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(tmp_path / "llama")
    config = recipe(tmp_path / "llama", model=shape, batch=dataclasses.replace(tiny_recipe().batch, rows=2))
    run_ranks(2, as_rank, config, tmp_path / "run")
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] - 0.3
    written = load(tmp_path / "run" / "model")
    assert written.config.model_type == "llama"
    assert written.lm_head.weight is written.model.embed_tokens.weight


def test_what_cannot_be_fine_tuned_is_told(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model is another: hidden_size 64, there 32"):
        go(recipe(base, model=dataclasses.replace(SHAPE, hidden_size=64)), tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds no \*\.safetensors"):
        go(recipe(tmp_path / "empty"), tmp_path / "a")
    with pytest.raises(OpenCWMError, match="no such folder"):
        go(recipe(tmp_path / "nowhere"), tmp_path / "a")
    with pytest.raises(ConfigError, match=r"init\.lora\.targets: .*k_prjo"):
        go(recipe(base, dataclasses.replace(LORA, targets=("k_prjo",))), tmp_path / "a")
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in sorted(base.iterdir())[:-4]:
        (broken / path.name).write_bytes(path.read_bytes())
    for path in sorted(broken.glob("*.safetensors"))[1:]:
        path.unlink()
    with pytest.raises(ConfigError, match="its weights cannot be read"):
        go(recipe(broken), tmp_path / "a")
    with pytest.raises(ConfigError, match=r"init\.lora needs init\.from"):
        InitConfig(lora=LORA)


def test_large_models_are_written_in_several_files() -> None:
    sizes = {"a": FILE_BYTES // 2, "b": FILE_BYTES // 2, "c": 1, "d": 2 * FILE_BYTES, "e": 3}
    assert plan_files(sizes) == [["a", "b"], ["c"], ["d"], ["e"]]


CORPUS = """
seed = 1
[sources.generated]
kind = "generated"
programs = 30
[split]
valid = 0.2
test = 0.0
[encode]
formats = ["cwm", "nd"]
tokenizer = "{tokenizer}"
"""


@pytest.mark.slow
def test_from_a_corpus_to_a_fine_tuned_folder(tmp_path: Path) -> None:
    """`opencwm corpus build` with the model's tokenizer, then `opencwm train` on both published formats."""
    from transformers import CwmConfig, CwmForCausalLM

    save_tokenizer(train_bpe(["def main():\n    return f(1)\n"], 300, tuple(ND_TOKENS)), tmp_path / "base")
    vocab_size = HuggingFaceTokenizer.from_pretrained_folder(tmp_path / "base").vocab_size
    shape = dataclasses.replace(SHAPE, vocab_size=vocab_size, max_position_embeddings=4096)
    settings = {**shape.to_hugging_face(), "pad_token_id": None, "eos_token_id": 2}
    CwmForCausalLM(CwmConfig(**settings)).save_pretrained(tmp_path / "base")
    (tmp_path / "corpus.toml").write_text(CORPUS.format(tokenizer=tmp_path / "base"))
    assert main(["corpus", "build", str(tmp_path / "corpus.toml"), "-o", str(tmp_path / "corpus")]) == 0
    for kind in ("cwm", "nd"):
        tokens = tmp_path / "corpus" / "tokens" / kind
        config = recipe(
            tmp_path / "base",
            LORA,
            model=shape,
            batch=BatchConfig(row_tokens=2048, lookahead=8),
            data=DataConfig(
                source="streamed",
                options={"path": str(tokens / "train"), "format": kind},
                held_out="stored_held_out",
                held_out_options={"path": str(tokens / "valid"), "format": kind, "num_documents": 4},
            ),
            schedule=ScheduleConfig(num_steps=2, warmup_steps=1),
        )
        result = train(config, tmp_path / kind)
        assert result.status == "finished"
        assert result.evaluation["loss"] < np.log(vocab_size) + 0.1
        assert (tmp_path / kind / "model" / "tokenizer.json").exists()
