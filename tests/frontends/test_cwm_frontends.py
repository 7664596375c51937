"""Every frontend with a model of the cwm format: a tiny one of facebook/cwm's architecture, in a folder.

It has learned one run by heart, so what the frontends are to show is known. All of the real path is used: the
Hugging Face folder, the library, our cache, the codec, the debugger.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from opencwm.codec.bpe import save_tokenizer, train_bpe
from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.debugger.cwm_model import CwmWorldModel
from opencwm.debugger.world_model import WorldModel
from opencwm.model.folder import ModelMeta, export_folder
from opencwm.tracer import record
from opencwm.traces import Program
from opencwm.traces.jsonl import write_jsonl

from .conftest import Cli
from .dap.dap_client import DapClient
from .served_models import serving

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: cwm models are not tested end to end")
transformers = pytest.importorskip(
    "transformers", reason="TRANSFORMERS IS NOT INSTALLED: cwm models are not tested end to end"
)

SOURCE = "def double(x):\n    y = x + x\n    return y\n"
CALL = "double(2)"
NUM_TRAINING_STEPS = 90


def by_heart(ids: list[int], vocab_size: int) -> Any:
    """A model that goes on from any beginning of a sequence with its next id; its window is shorter."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = transformers.CwmConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=16,
        layer_types=["full_attention", "sliding_attention"],
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    model = transformers.CwmForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch = torch.tensor([ids])
    for _ in range(NUM_TRAINING_STEPS):
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.fixture(scope="session")
def cwm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cwm") / "tiny-cwm"
    tokenizer = train_bpe([SOURCE], 300)
    codec = CwmCodec(HuggingFaceTokenizer(tokenizer))
    ids = codec.encode(record(Program.from_call(SOURCE, CALL))).ids
    transformers.utils.logging.disable_progress_bar()
    by_heart(ids, tokenizer.get_vocab_size()).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "double.py"
    path.write_text(SOURCE)
    return path


def lines_of(steps: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(item["kind"], item["line"]) for item in steps]


RUN = [("call", 4), ("line", 5), ("call", 1), ("line", 2), ("line", 3), ("return", 3), ("return", 5)]


def test_a_call_is_debugged(cli: Cli, file: Path, cwm_folder: Path) -> None:
    outcome = cli("debug", file, "--call", CALL, "--model", cwm_folder, "--json")
    assert outcome.status == 0, outcome.err
    assert "no sub-expressions" in outcome.err
    told = json.loads(outcome.out)
    assert lines_of(told["steps"]) == RUN
    assert (told["kind"], told["status"]) == ("execution", "the program returned 4")
    assert told["steps"][2]["changes"]["x"] == {"text": "2", "origin": "supplied", "probability": None}
    assert told["steps"][4]["changes"]["y"]["text"] == "4"
    assert 0.5 < told["steps"][4]["changes"]["y"]["probability"] < 1
    assert all(item["objection"] is None and item["malformed"] is None for item in told["steps"])


def test_the_prompt_knows_all_moves(cli: Cli, file: Path, cwm_folder: Path) -> None:
    commands = "s;s;s;s;p y;rs;set x = 3;p x;tl;timeline 1;r;steer fly;q"
    outcome = cli("debug", file, "--call", CALL, "--model", cwm_folder, "--commands", commands)
    assert outcome.status == 0
    assert "(cwm) p y\n4" in outcome.out
    assert "(cwm) p x\n3" in outcome.out
    assert "x = 3 set at step 3" in outcome.out
    assert "--Return--" in outcome.out
    assert "'fly' is no kind of step: call, line, return, exception" in outcome.out
    steered = cli(
        "debug", file, "--call", CALL, "--model", cwm_folder, "--commands", "s;s;s;s;steer return;tl"
    )
    assert "->4  (predicted" in steered.out
    assert "return asked for after step 4, line 3" in steered.out


def test_it_is_laid_beside_the_real_run(cli: Cli, file: Path, cwm_folder: Path) -> None:
    outcome = cli("debug", file, "--call", CALL, "--model", cwm_folder, "--compare", "--json")
    told = json.loads(outcome.out)
    assert (told["num_agreeing"], told["first_divergence"]) == (7, None)


def test_outcomes_are_predicted(cli: Cli, file: Path, cwm_folder: Path) -> None:
    outcome = cli("predict", file, "--call", CALL, "--model", cwm_folder)
    assert (outcome.status, outcome.out) == (0, "4\n"), outcome.err
    assert "returned after 7 predicted steps" in outcome.err
    drawn = cli("predict", file, "--call", CALL, "--model", f"{cwm_folder},temperature=0.1", "--rollouts", 2)
    assert drawn.out == "4\n"


def test_the_page_is_saved(cli: Cli, file: Path, cwm_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    outcome = cli("web", file, "--call", CALL, "--model", cwm_folder, "--save", page)
    assert outcome.status == 0, outcome.err
    assert "the program returned 4" in page.read_text()


def test_editors_debug_with_it(file: Path, cwm_folder: Path) -> None:
    from opencwm.frontends.dap.adapter import Settings

    client = DapClient(Settings())
    client.launch(program=str(file), call=CALL, model=cwm_folder.as_uri(), stopOnEntry=True)
    assert client.stopped()["reason"] == "entry"
    while client.step("stepIn")["frame"]["line"] != 3:
        pass
    assert client.locals()["y"].startswith("4")
    client("evaluate", expression=".steer return", context="repl")
    assert client.stopped()["frame"]["line"] == 3
    assert "usage: .steer" in client.refused("evaluate", expression=".steer x", context="repl")
    client.close()


def test_agents_use_it(cwm_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    from opencwm.debugger.cancellation import Watch
    from opencwm.frontends.mcp import debugging, predicting
    from opencwm.frontends.mcp.service import McpConfig, ProgramRequest, Service

    service = Service(McpConfig(root=tmp_path, model=str(cwm_folder)))
    request = ProgramRequest(source=SOURCE, call=CALL)
    answer = predicting.predict_output(service, Watch(), request, rollouts=1, max_chars=100)
    assert (answer["kind"], answer["value"]) == ("returned", "4")
    held = service.open_session(request)
    options: dict[str, Any] = {"line": None, "position": None, "level": -1, "max_chars": 100}
    stop = debugging.move(held, Watch(), "into", count=4, **options)
    assert stop["line"] == 3
    stop = debugging.move(held, Watch(), "steer_return", count=1, **options)
    assert (stop["kind"], stop["value"] and stop["value"]["text"]) == ("return", "4")


def test_it_is_tried_out(cwm_folder: Path) -> None:
    from opencwm.frontends.diagnosis import Verdict, check_model

    check = check_model(cwm_folder)
    assert (check.verdict, check.name) == (Verdict.GOOD, "tiny-cwm")
    assert check.detail == "context 512 tokens, codec cwm, answers"
    assert isinstance(WorldModel.load(f"{cwm_folder},context=300"), CwmWorldModel)
    assert WorldModel.load(f"{cwm_folder},context=300").try_out().startswith("context 300 tokens")


def test_what_the_format_cannot_do_is_one_line(cli: Cli, file: Path, cwm_folder: Path) -> None:
    inverse = cli("inputs", file, "--entry", "double", "--returns", "4", "--model", cwm_folder)
    assert (
        "an inverse question needs a model of the native format, and tiny-cwm speaks cwm" in inverse.refused()
    )
    jumps = cli("eval", "jumps", "--programs", 1, "--model", cwm_folder)
    assert "needs a model of the native format" in jumps.refused()
    calls = cli("eval", "inputs", "--programs", 1, "--model", cwm_folder)
    assert "needs a model of the native format" in calls.refused()


def test_whole_runs_are_scored(cli: Cli, cwm_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "runs.jsonl"
    write_jsonl(data, [record(Program.from_call(SOURCE, CALL))])
    outcome = cli("eval", "steps", "--data", data, "--model", cwm_folder, "--json")
    assert outcome.status == 0, outcome.err
    assert "a model of the cwm format" in outcome.err
    told = json.loads(outcome.out)
    assert (told["one_step"]["num_steps"], told["one_step"]["divergences"]) == (7, {})
    assert told["teacher_forced"] is None
    free = told["free_running"]
    assert (free["num_steps"], free["divergences"]) == (7, {})
    assert "whole runs" in cli("eval", "steps", "--data", data, "--model", cwm_folder).out.lower()


def test_arguments_that_nobody_gives_are_what_the_model_says(cli: Cli, file: Path, cwm_folder: Path) -> None:
    outcome = cli("debug", file, "--entry", "double", "--model", cwm_folder, "--json")
    assert "x: what the model says that double is called with" in outcome.err


def test_a_folder_of_our_own_may_speak_it_and_be_served(
    cli: Cli, file: Path, cwm_folder: Path, tmp_path: Path
) -> None:
    """The same weights through our graph and onnxruntime, here and at a server: no torch is needed."""
    pytest.importorskip("prometheus_client")
    from opencwm.frontends.serve.served_model import open_served
    from opencwm.frontends.serve.serving import ServeConfig

    meta = ModelMeta(codec="cwm", codec_files=("tokenizer.json",), scores={}, training={}, weights="fp32")
    sources, own = [cwm_folder / "tokenizer.json"], tmp_path / "own"
    export_folder(cwm_folder, own, meta=meta, card="", codec_sources=sources)
    predict = ["predict", file, "--call", CALL, "--model"]
    outcome = cli(*predict, own)
    assert outcome.out == "4\n", outcome.err
    with serving(lambda: open_served(own, num_rows=2), ServeConfig(token=None, patience_s=1)) as server:
        spec = f"{server.url},tokenizer={cwm_folder}"
        assert cli(*predict, spec).out == "4\n"
        steered = cli("debug", file, "--call", CALL, "--model", spec, "--commands", "s;s;s;s;steer return;tl")
        assert "->4  (predicted" in steered.out
        assert "return asked for after step 4, line 3" in steered.out
        assert "the tokenizer of 'own' is not known" in cli(*predict, server.url).refused()


def test_what_is_no_such_model_is_one_line(
    cli: Cli, file: Path, cwm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(model: object) -> str:
        return cli("debug", file, "--call", CALL, "--model", model, "--commands", "q").refused()

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    assert "no such folder, not in the local cache" in refused("nobody/nothing")
    assert "no option 'quantise'" in refused(f"{cwm_folder},quantise=int8")
    bare = tmp_path / "bare"
    shutil.copytree(cwm_folder, bare)
    (bare / "tokenizer.json").unlink()
    assert "no such tokenizer file" in refused(bare)
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE()).save(str(bare / "tokenizer.json"))
    assert "its tokenizer does not fit: the tokenizer lacks the special tokens" in refused(bare)
    save_tokenizer(train_bpe([SOURCE * 2, "words that are not in it " * 50], 400), bare)
    assert "ids, the model" in refused(bare)
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("opencwm.model.torch_")]:
        monkeypatch.delitem(sys.modules, name)
    assert "pip install 'opencwm[hf]'" in refused(cwm_folder)
