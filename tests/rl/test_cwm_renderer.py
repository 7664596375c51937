"""The renderer that prime-rl writes conversations with: the ids of our codec, and sampled ids left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_chat import Message, encode_chat
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.core.errors import CodecError

renderers = pytest.importorskip(
    "renderers", reason="NOT TESTED: renderers is not installed (pip install 'opencwm[verifiers]')"
)
transformers = pytest.importorskip("transformers")

from opencwm_env.renderer import CwmRenderer, CwmRendererConfig  # noqa: E402 - needs renderers

BACKEND = train_bpe(["def add(a, b):\n    return a + b\n\nassistant user system"], 330)
TOKENIZER = HuggingFaceTokenizer(BACKEND)
MODELS = transformers.PreTrainedTokenizerFast(tokenizer_object=BACKEND)
SAID = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=5)


def rendered(**settings: bool) -> CwmRenderer:
    return CwmRenderer(MODELS, CwmRendererConfig(**settings))


@given(SAID, st.sampled_from([None, True, False]))
@settings(max_examples=50, deadline=None)
def test_conversations_have_the_ids_of_the_codec(said: list[tuple[str, str]], thinks: bool | None) -> None:
    renderer = CwmRenderer(MODELS, CwmRendererConfig(thinks=thinks))
    messages = [{"role": role, "content": text} for role, text in said]
    made = renderer.render(messages, add_generation_prompt=True)
    assert made.token_ids == encode_chat(TOKENIZER, [Message(*one) for one in said], thinks=thinks)
    assert len(made.token_ids) == len(made.message_indices) == len(made.sampled_mask) == len(made.is_content)
    for number, (role, text) in enumerate(said):
        mine = [at for at, owner in enumerate(made.message_indices) if owner == number]
        inside = [made.token_ids[at] for at in mine if made.is_content[at]]
        assert any(made.sampled_mask[at] for at in mine) == (role == "assistant")
        body = inside[:-1] if role == "assistant" else inside
        assert TOKENIZER.decode(body).removeprefix("\n\n") == text.removeprefix("\n\n")


def test_what_was_sampled_stays_and_the_conversation_goes_on() -> None:
    renderer = rendered(thinks=True)
    prompt = renderer.render_ids([{"role": "user", "content": "add"}], add_generation_prompt=True)
    end = renderer.get_stop_token_ids()[-1]
    odd = [*TOKENIZER.encode("re"), *TOKENIZER.encode("turn a"), end]  # not as it would be encoded
    answer = renderer.parse_response(odd)
    assert answer.content == "<think>\nreturn a"
    more = renderer.bridge_to_next_turn(prompt, odd, [{"role": "user", "content": "and b?"}])
    assert more is not None
    assert more.token_ids[: len(prompt) + len(odd)] == [*prompt, *odd]
    tail = renderer.render_ids([{"role": "user", "content": "and b?"}], add_generation_prompt=True)[1:]
    assert more.token_ids[len(prompt) + len(odd) :] == tail
    assert not any(more.sampled_mask)
    content = [at for at, inside in zip(more.token_ids, more.is_content, strict=True) if inside]
    assert TOKENIZER.decode(content) == "and b?"


def test_a_turn_that_was_cut_is_closed_and_what_cannot_be_is_refused() -> None:
    renderer = rendered()
    cut = renderer.bridge_to_next_turn([1, 2], [3], [{"role": "user", "content": "go on"}])
    assert cut is not None
    assert cut.token_ids[:4] == [1, 2, 3, renderer.get_stop_token_ids()[-1]]
    assert renderer.bridge_to_next_turn([1], [2], [{"role": "assistant", "content": "x"}]) is None
    assert renderer.bridge_to_next_turn([], [2], [{"role": "user", "content": "x"}]) is None
    assert renderer.is_prefix_stable
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert renderer.render_ids(parts) == renderer.render_ids([{"role": "user", "content": "ab"}])
    with pytest.raises(ValueError, match="calls tools in its text"):
        renderer.render([], tools=[{}])
    with pytest.raises(CodecError, match="no role"):
        renderer.render([{"role": "tool", "content": "x"}])


def test_it_is_found_by_the_name_in_the_configuration() -> None:
    config = renderers.CustomRendererConfig(import_path="opencwm_env.renderer.CwmRenderer", thinks=True)
    made = renderers.create_renderer(MODELS, config)
    assert isinstance(made, CwmRenderer)
    assert made.config.thinks is True
