"""Episodes in token ids, and verl's loop over them, against a server that is played by a script."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.rollout_tasks import SOLVES, write_task
from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_chat import encode_chat, written_text
from opencwm.codec.cwm_special import END_OF_TURN
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.core.errors import EngineError
from opencwm.corpus.trace_files import save_traces
from opencwm.rl.fix_bug import read_bugs
from opencwm.rl.wire import generated_questions, make_environment, question_to_json
from opencwm_env.token_play import PlayConfig, play

BACKEND = train_bpe(["def add(a, b):\n    return a + b\n\nassistant user system"], 330)
TOKENIZER = HuggingFaceTokenizer(BACKEND)
END = TOKENIZER.special_id(END_OF_TURN)
CONFIG = PlayConfig(max_tokens=60_000, reply_tokens=4_000, thinks=True)


class Server:
    """Says one thing after the other, in ids."""

    def __init__(self, *turns: str) -> None:
        self.turns = [[*TOKENIZER.encode(f"hm\n</think>\n{turn}"), END] for turn in turns]
        self.prompts: list[list[int]] = []

    def __call__(self, prompt: Sequence[int], max_tokens: int) -> tuple[list[int], list[float]]:
        assert len(prompt) + max_tokens <= CONFIG.max_tokens
        said = self.turns[len(self.prompts)][:max_tokens]
        self.prompts.append(list(prompt))
        return said, [-0.5] * len(said)


def test_an_episode_is_one_sequence_of_ids_with_what_was_sampled_in_it(tmp_path: Path) -> None:
    (bug,) = read_bugs([write_task(tmp_path)])
    server = Server(*SOLVES)
    played = play("fix-bug", question_to_json(bug), server, TOKENIZER, CONFIG, 3)
    assert (played.reward.value, played.num_turns) == (1.0, 3)
    segment = played.segment
    sampled = [token for token, chosen in zip(segment.ids, segment.loss_mask, strict=True) if chosen]
    assert sampled == [token for turn in server.turns for token in turn]
    assert segment.ids[: played.num_prompt] == server.prompts[0]
    assert segment.logarithms is not None
    assert segment.logarithms == [-0.5 * chosen for chosen in segment.loss_mask]
    text = written_text(TOKENIZER, segment.ids)
    assert "tool: edit" in text
    assert "tool: submit" in text


def test_nothing_submitted_earns_nothing_and_a_silent_server_is_an_error(tmp_path: Path) -> None:
    (bug,) = read_bugs([write_task(tmp_path)])
    played = play("fix-bug", question_to_json(bug), Server(*["No."] * 5), TOKENIZER, CONFIG, 0)
    assert (played.reward.value, played.reward.reason) == (0.0, "nothing submitted: malformed")
    noise = Server(*SOLVES)
    noise.turns.insert(0, [END - 1, 10**6, *TOKENIZER.encode("?"), END])
    played = play("fix-bug", question_to_json(bug), noise, TOKENIZER, CONFIG, 0)
    assert (played.reward.value, played.num_turns) == (1.0, 4), (
        "ids that are no text are no text, and no error"
    )
    with pytest.raises(EngineError, match="wrote nothing"):
        play("fix-bug", question_to_json(bug), lambda *_: ([], []), TOKENIZER, CONFIG, 0)


@pytest.mark.parametrize("name", ["predict-output", "predict-trace"])
def test_a_question_of_one_turn(name: str) -> None:
    (question,) = generated_questions(name, 1, 3)
    with make_environment(name) as environment:
        right, data = Server(environment.gold(question)), question_to_json(question)
        prompt = encode_chat(TOKENIZER, environment.messages(question), thinks=True)
    played = play(name, data, right, TOKENIZER, CONFIG, 0)
    assert (played.reward.value, played.num_turns) == (1.0, 1)
    assert played.segment.ids[: played.num_prompt] == prompt
    assert play(name, data, Server("RESULT: nothing"), TOKENIZER, CONFIG, 0).reward.value == 0.0


@pytest.mark.slow  # imports verl, ray and transformers
@pytest.mark.filterwarnings("ignore")  # theirs, as they are imported
def test_the_loop_of_verl(tmp_path: Path) -> None:
    if importlib.util.find_spec("verl") is None:
        pytest.skip("NOT TESTED: verl is not installed (pip install verl)")
    import pyarrow.parquet as pq
    import transformers

    from opencwm_env.verl_loop import OpenCWMAgentLoop, write_rows

    write_task(tmp_path / "tasks")
    assert write_rows("fix-bug", tmp_path / "tasks", tmp_path / "bugs.parquet") == 1
    save_traces(tmp_path / "runs.jsonl", [q.trace for q in generated_questions("predict-output", 2, 0)])  # type: ignore[attr-defined]
    assert write_rows("predict-output", tmp_path / "runs.jsonl", tmp_path / "runs.parquet") == 2
    (row,) = pq.read_table(tmp_path / "bugs.parquet").to_pylist()
    assert [said["role"] for said in row["prompt"]] == ["system", "user"]
    assert json.loads(row["question"])["name"] == "tests/calc"

    script = Server(*SOLVES)

    async def generate(**asked: Any) -> SimpleNamespace:
        ids, logarithms = script(asked["prompt_ids"], asked["sampling_params"]["max_tokens"])
        assert asked["sampling_params"]["temperature"] == 1.0
        return SimpleNamespace(token_ids=ids, log_probs=logarithms)

    loop = OpenCWMAgentLoop.__new__(OpenCWMAgentLoop)  # what verl's own constructor sets is set here
    loop.rollout_config = SimpleNamespace(prompt_length=10_000, response_length=50_000)
    loop.server_manager = SimpleNamespace(generate=generate)
    loop.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=BACKEND)
    loop._play = CONFIG
    output = asyncio.run(loop.run({"temperature": 1.0}, **row))
    assert output.reward_score == 1.0
    assert output.num_turns == 6
    assert len(output.response_ids) == len(output.response_mask) == len(output.response_logprobs or [])
    assert [*output.prompt_ids, *output.response_ids][: len(script.prompts[-1])] == script.prompts[-1]

    script = Server("")
    script.turns = [[]]
    with pytest.raises(EngineError):
        asyncio.run(loop.run({"temperature": 1.0}, **row))
