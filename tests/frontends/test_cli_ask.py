"""``opencwm ask``, against a model that converses as it is told to, at a server."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencwm.codec.bpe import save_tokenizer
from opencwm.codec.cwm_chat import REASONING_PROMPT, Message, encode_chat
from opencwm.frontends.serve.serving import ServeConfig

from .chatty import BACKEND, END, TOKENIZER, chatty
from .conftest import Cli
from .served_models import serving

OPEN = ServeConfig(token=None, patience_s=1)
THINKS = "<think>\n"
CLOSED = "<think>\n</think>\n"


@contextlib.contextmanager
def model(tmp_path: Path, *replies: str, opening: str = THINKS) -> Iterator[str]:
    save_tokenizer(BACKEND, tmp_path / "tokenizer")
    with serving(lambda: chatty(replies, opening=opening), OPEN) as server:
        yield f"{server.url},tokenizer={tmp_path / 'tokenizer'}"


def test_text_goes_to_stdout_and_thoughts_to_stderr(cli: Cli, tmp_path: Path) -> None:
    with model(tmp_path, "let me\nthink 🐍\n</think>\nIt is 4,\nas I was told to say.") as spec:
        outcome = cli("ask", "What is 2 + 2?", "--model", spec)
        assert (outcome.status, outcome.out) == (0, "It is 4,\nas I was told to say.\n")
        assert outcome.err == "let me\nthink 🐍\n\n"
        hidden = cli("ask", "What is 2 + 2?", "--model", spec, "--no-thoughts")
        assert (hidden.out, hidden.err) == (outcome.out, "")
        told = json.loads(cli("ask", "What is 2 + 2?", "--model", spec, "--json").out)
        assert told == {
            "thought": "let me\nthink 🐍",
            "text": "It is 4,\nas I was told to say.",
            "call": None,
            "problem": "",
        }
        cut = cli("ask", "What is 2 + 2?", "--model", spec, "--max-tokens", 5)
        assert (cut.status, cut.out) == (0, "\n")
        assert "the reasoning does not end with </think>" in cut.err


def test_without_reasoning_and_from_stdin(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with model(tmp_path, "yes", opening=CLOSED) as spec:
        monkeypatch.setattr("sys.stdin", io.StringIO("Is it so?\n"))
        assert cli("ask", "--model", spec, "--no-think").out == "yes\n"
        monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
        assert "nothing is asked" in cli("ask", "--model", spec).refused()


def test_the_prompts_are_the_published_ones(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opencwm.debugger.cwm_model import CwmWorldModel

    asked: list[list[Message]] = []
    reply = CwmWorldModel.reply

    def noted(self: CwmWorldModel, messages: list[Message], **how: object) -> object:
        asked.append(messages)
        return reply(self, messages, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(CwmWorldModel, "reply", noted)
    program, told = tmp_path / "double.py", tmp_path / "told.json"
    program.write_text("def double(x):\n    return x + x\n")
    turns = [
        {"role": "system", "content": "You have a tool."},
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": "<tool: bash>\nls\n</tool>"},
        {"role": "tool: bash", "content": "a.py"},
    ]
    told.write_text(json.dumps(turns))
    with model(tmp_path, "hm</think>ok", "hm</think>\n<tool: bash>\ncat a.py\n</tool>") as spec:
        cli("ask", "hi", "--model", spec, "--system", "Be brief.")
        cli("ask", "--file", program, "--call", "double(2)", "--model", spec)
        outcome = cli("ask", "--messages", told, "--model", spec, "--json")
    assert json.loads(outcome.out)["call"] == {"name": "bash", "content": "cat a.py"}
    assert asked[0] == [Message("system", f"{REASONING_PROMPT}\n\nBe brief."), Message("user", "hi")]
    assert asked[1][0] == Message("system", REASONING_PROMPT)
    assert "What does `double(2)` return?" in asked[1][1].content
    assert asked[2][0] == Message("system", f"{REASONING_PROMPT}\n\nYou have a tool.")
    assert [message.role for message in asked[2][1:]] == ["user", "assistant", "tool: bash"]
    assert encode_chat(TOKENIZER, asked[2]).count(END) == 4


def test_what_makes_no_sense_is_one_line(cli: Cli, tmp_path: Path, model_folder: Path) -> None:
    assert "knows no conversations" in cli("ask", "hi", "--model", model_folder).refused()
    assert "give TEXT, or --messages, or --file with --call" in cli("ask", "hi", "--call", "f()").refused()
    broken = tmp_path / "told.json"
    broken.write_text("[")
    assert "is not JSON" in cli("ask", "--messages", broken).refused()
    broken.write_text('[{"role": "robot"}]')
    assert "no role 'robot'" in cli("ask", "--messages", broken).refused()
    assert "No such file" in cli("ask", "--messages", tmp_path / "none").refused()
