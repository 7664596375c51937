from __future__ import annotations

import pytest
from cwm_replies import CODEC, Playback, ids_of

from opencwm.codec.cwm_chat import Message, ToolCall
from opencwm.codec.cwm_questions import output_question, result_of
from opencwm.core.errors import ConfigError, EngineError
from opencwm.debugger.cwm_model import CwmWorldModel
from opencwm.debugger.native_model import native
from opencwm.traces import Program

PROGRAM = Program.from_call("def f(x):\n    return x\n", "f(1)")


def world(text: str) -> tuple[CwmWorldModel, Playback]:
    playback = Playback(lambda _: ids_of(text))
    return CwmWorldModel("tiny", CODEC, playback), playback


@pytest.mark.parametrize("mark", ["</think>", "<|reasoning_thinking_end|>"])
def test_a_question_in_words_is_reasoned_about(mark: str) -> None:
    model, playback = world(f"it is 1\n{mark}\nSo it is.\nRESULT: 1<|eot_id|>")
    turn = model.reply(output_question(PROGRAM, reasons=True), thinks=True)
    assert (turn.thought, turn.problem) == ("it is 1", "")
    assert result_of(turn.text) == "1"
    assert CODEC.to_text(playback.prompts[0]).endswith("<|end_header_id|>\n\n<think>\n")


def test_or_answered_at_once() -> None:
    model, playback = world("RESULT: 1<|eom_id|>")
    turn = model.reply(output_question(PROGRAM, reasons=False), thinks=False)
    assert (turn.thought, result_of(turn.text)) == (None, "1")
    assert CODEC.to_text(playback.prompts[0]).endswith("<think>\n</think>\n")


def test_tools_are_called_and_a_turn_without_end_is_told() -> None:
    model, _ = world("<tool: bash>\nls\n</tool><|eom_id|>")
    assert model.reply([Message("user", "look")], thinks=None).call == ToolCall("bash", "ls")
    model, _ = world("<tool: bash>\nls\n</tool>")
    turn = model.reply([Message("user", "look")], thinks=None)
    assert turn.call is None
    assert turn.problem.startswith("the turn has no end within")
    model, _ = world("a<|frame_sep|>b<|eot_id|>")
    assert model.reply([Message("user", "look")], thinks=None).text == "a<|frame_sep|>b"


def test_what_needs_the_native_format_says_so() -> None:
    model, _ = world("")
    with pytest.raises(ConfigError, match="a jump needs a model of the native format, and tiny speaks cwm"):
        native(model, "a jump")
    assert (model.name, model.revision, model.format) == ("tiny", "", "cwm")
    assert model.try_out() == "context 100000 tokens, codec cwm, answers"


def test_a_tokenizer_of_another_model_is_refused() -> None:
    playback = Playback(lambda _: [])
    playback.vocab_size = 10
    with pytest.raises(EngineError, match="the model 10"):
        CwmWorldModel("tiny", CODEC, playback)
