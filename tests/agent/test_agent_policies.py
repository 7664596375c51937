"""Policies at endpoints and over token ids, and what becomes of their tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.agent.chat_policy import ChatConfig, ChatPolicy, read_reply
from opencwm.agent.conversation import FunctionCall, Occasion, Reply, Tokens, Utterance
from opencwm.agent.policies import PolicySpec, make_policy
from opencwm.agent.token_policy import TokenPolicy
from opencwm.agent.token_segments import segments
from opencwm.codec.cwm_special import SPECIAL_IDS
from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.generation import Generation
from opencwm.model.http_client import HttpConfig
from opencwm.model.sampling import SamplingConfig

from .chat_server import chat_server, completion
from .rollout_tasks import ALL_TOOLS, call

OCCASION = Occasion(task="t", rollout=0, seed=5, tools=ALL_TOOLS)
OPENING = (Utterance(role="system", text="rules"), Utterance(role="user", text="task"))
QUICK = HttpConfig(attempts=3, first_wait_s=0.001, timeout_s=5)


def asked(url: str, conversation: Sequence[Utterance] = OPENING, **config: Any) -> Reply:
    return ChatPolicy(url, ChatConfig(**config), QUICK).begin(OCCASION)(conversation)


def test_an_endpoint_is_asked_in_text() -> None:
    said = Reply(text=call("bash", "ls"))
    conversation = [
        *OPENING,
        Utterance(role="assistant", text=said.text, reply=said),
        Utterance(role="tool", text="a.py", tool="bash"),
    ]
    with chat_server(completion("hello", reasoning_content="hm")) as server:
        reply = asked(server.url, conversation, temperature=0.5, max_tokens=11)
    assert (reply.text, reply.thought, reply.num_prompt_tokens, reply.num_tokens) == ("hello", "hm", 7, 3)
    (question,) = server.asked
    assert [message["role"] for message in question["messages"]] == ["system", "user", "assistant", "user"]
    assert (question["model"], question["temperature"], question["max_tokens"]) == ("tiny", 0.5, 11)
    assert "tools" not in question


def test_an_endpoint_is_asked_with_functions() -> None:
    made = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    with chat_server(completion(None, tool_calls=[made])) as server:
        reply = asked(server.url, calls_functions=True, model="m")
        conversation = [
            *OPENING,
            Utterance(role="assistant", text="", reply=reply),
            Utterance(role="tool", text="a.py", tool="bash", call_id="c1"),
        ]
        asked(server.url, conversation, calls_functions=True, model="m")
    assert reply.calls == (FunctionCall("bash", '{"command": "ls"}', "c1"),)
    assert [tool["function"]["name"] for tool in server.asked[0]["tools"]] == list(ALL_TOOLS)
    assert server.asked[1]["messages"][2:] == [
        {"role": "assistant", "content": "", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c1", "content": "a.py"},
    ]


def test_tokens_are_kept_where_a_server_gives_them() -> None:
    answer = completion("hi") | {"prompt_token_ids": [1, 2]}
    answer["choices"][0] |= {
        "token_ids": [3, 4],
        "logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1.0}]},
    }
    with chat_server(answer) as server:
        assert asked(server.url, wants_tokens=True).tokens == Tokens((1, 2), (3, 4), (-0.5, -1.0))
    assert server.asked[0]["return_token_ids"] is True


def test_faults_that_pass_are_waited_out() -> None:
    with chat_server((503, "busy"), "drop", completion("at last")) as server:
        assert asked(server.url).text == "at last"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        "drop",
        (500, "broken"),
        (400, "no"),
        (401, "who?"),
        b"{not json",
        {},
        {"choices": []},
        [1],
        completion("x")["usage"],
    ],
)
def test_faults_that_stay_are_an_error_with_a_reason(answer: Any) -> None:
    with chat_server(answer) as server, pytest.raises(EngineError) as caught:
        asked(server.url)
    assert server.url in str(caught.value)


def test_a_server_that_is_down_is_an_error() -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        asked("http://127.0.0.1:9/v1")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "tool_calls", "function", "usage", "logprobs", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_an_endpoint_answers_is_a_reply_or_an_error(answer: object) -> None:
    for value in (answer, {"choices": [answer]}, {"choices": [{"message": answer}]}):
        try:
            assert isinstance(read_reply(value, where="x").text, str)
        except EngineError as error:
            assert "no chat completion" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "spec", ["", "nonsense", "script:/no/such/file", "opencwm.agent.nothing:x", "ftp://x/y"]
)
def test_specs_that_name_no_policy_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        make_policy(PolicySpec(spec=spec))


def test_policies_are_made_from_their_specs() -> None:
    assert make_policy(PolicySpec(spec="searcher")).name == "searcher"
    made = make_policy(PolicySpec(spec=f"{__name__}:made_here"))
    assert made.name == "http://127.0.0.1:9/v1"


def made_here(_: PolicySpec) -> ChatPolicy:
    return ChatPolicy("http://127.0.0.1:9/v1")


class Characters:
    """A tokenizer of characters."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def special_id(self, name: str) -> int:
        return SPECIAL_IDS[name] + 2_000_000


class Says:
    """A generator that writes what it is told to."""

    vocab_size, max_tokens = 3_000_000, 10_000

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.prompts: list[tuple[int, ...]] = []

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        assert max_tokens > 0
        assert sampling.seed >= 0
        self.prompts.append(tuple(prompt))
        ids = (*Characters().encode(self._texts.pop(0)), max(stops))
        return Generation(ids, (-0.25,) * len(ids), stopped=True)

    def fork(self) -> Says:
        return self


def conversation_of(generator: Says, num_turns: int, thinks: bool | None = None) -> list[Reply]:
    speak = TokenPolicy(lambda: generator, Characters(), thinks=thinks).begin(OCCASION)
    conversation, replies = list(OPENING), list[Reply]()
    for _ in range(num_turns):
        replies.append(speak(conversation))
        conversation += [
            Utterance(role="assistant", text=replies[-1].text, reply=replies[-1]),
            Utterance(role="tool", text="answer", tool="bash"),
        ]
    return replies


def test_ids_of_a_conversation_are_one_sequence() -> None:
    generator = Says("one", "two", "three")
    replies = conversation_of(generator, 3)
    assert [reply.text for reply in replies] == ["one", "two", "three"]
    (segment,) = segments(reply.tokens for reply in replies)
    chosen = [i for i, mask in zip(segment.ids, segment.loss_mask, strict=True) if mask]
    assert Characters().decode([i for i in chosen if i < 2_000_000]) == "onetwothree"
    assert segment.logarithms is not None
    assert [value != 0 for value in segment.logarithms] == [mask == 1 for mask in segment.loss_mask]
    told = "".join(chr(i) if i < 2_000_000 else "|" for i in generator.prompts[1])
    assert told == (
        "||system|\n\nrules||user|\n\ntask||assistant|\n\none||tool: bash|\n\nanswer||assistant|\n\n"
    )


def test_reasoning_is_opened_in_every_turn() -> None:
    generator = Says("hm</think>a", "b</think>c")
    replies = conversation_of(generator, 2, thinks=True)
    assert all(reply.was_thinking for reply in replies)
    assert Characters().decode(generator.prompts[1][-8:]) == "<think>\n"


def test_a_conversation_that_outgrows_the_engine_is_an_error() -> None:
    generator = Says("one")
    generator.max_tokens = 5
    with pytest.raises(EngineError, match="does not fit"):
        conversation_of(generator, 1)


def test_prompts_that_do_not_go_on_begin_another_sequence() -> None:
    made = segments(
        [Tokens((1, 2), (3,), (-1.0,)), None, Tokens((1, 2, 3, 4), (5,)), Tokens((1, 9), (6,), (-2.0,))]
    )
    assert [(s.ids, s.loss_mask, s.logarithms) for s in made] == [
        ([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], None),
        ([1, 9, 6], [0, 0, 1], [0.0, 0.0, -2.0]),
    ]
