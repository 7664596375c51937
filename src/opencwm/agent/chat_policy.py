"""A policy at an OpenAI-compatible chat endpoint, asked in text or with functions.

Retries, back-off and limits are those of ``opencwm.model.http_client``. An answer that is none raises
EngineError: the attempt ends as an error with that reason, which is no reward.

Source: https://platform.openai.com/docs/api-reference/chat; vLLM's ``return_token_ids``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.agent.calls import functions
from opencwm.agent.conversation import FunctionCall, Occasion, Reply, Speaker, Tokens, Utterance
from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.http_client import HttpConfig, HttpConnection


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatConfig:
    """How a chat endpoint is asked.

    Attributes:
        model: as the server lists it; None takes the first it lists.
        temperature: None leaves it to the server.
        top_p: likewise.
        max_tokens: of one reply.
        calls_functions: offer the tools as functions instead of in the system prompt.
        wants_tokens: ask for ids and log-probabilities of tokens, as vLLM gives them.

    Raises:
        ConfigError: a value out of range.
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int = 4_096
    calls_functions: bool = False
    wants_tokens: bool = False

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or (self.temperature or 0) < 0 or not 0 < (self.top_p or 1) <= 1:
            raise ConfigError("must be positive, and top_p at most 1", where="sampling")


class ChatPolicy:
    """See the module.

    Args:
        url: of the API, for example ``http://127.0.0.1:8000/v1``.
        config: how it is asked.
        http: how it is reached.

    Raises:
        ConfigError: not the address of a server, or the extra ``http`` is missing.
    """

    def __init__(self, url: str, config: ChatConfig | None = None, http: HttpConfig | None = None) -> None:
        self._config = config or ChatConfig()
        self._connection = HttpConnection(url, http)
        self._model = self._config.model

    @property
    def name(self) -> str:
        """The model's name where it is known, otherwise the address."""
        return self._model or self._connection.url

    prompt = None

    @property
    def calls_functions(self) -> bool:
        """Whether tools are offered as functions."""
        return self._config.calls_functions

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a conversation."""

        def speak(conversation: Sequence[Utterance]) -> Reply:
            answer = self._connection.post("chat/completions", self._question(conversation, occasion))
            return read_reply(answer, where=self._connection.url)

        return speak

    def _question(self, conversation: Sequence[Utterance], occasion: Occasion) -> dict[str, Any]:
        config = self._config
        if self._model is None:
            self._model = _first_model(self._connection.get("models"), self._connection.url)
        question: dict[str, Any] = {
            "model": self._model,
            "messages": [self._message(utterance) for utterance in conversation],
            "max_tokens": config.max_tokens,
            "seed": (occasion.seed + len(conversation)) % 2**31,
        }
        for key in ("temperature", "top_p"):
            if getattr(config, key) is not None:
                question[key] = getattr(config, key)
        if config.calls_functions:
            question["tools"] = functions(occasion.tools)
        if config.wants_tokens:
            question |= {"logprobs": True, "return_token_ids": True}
        return question

    def _message(self, utterance: Utterance) -> dict[str, Any]:
        if utterance.role == "tool":
            # without functions, servers take no role but these
            if not utterance.call_id:
                return {"role": "user", "content": utterance.text}
            return {"role": "tool", "tool_call_id": utterance.call_id, "content": utterance.text}
        message: dict[str, Any] = {"role": utterance.role, "content": utterance.text}
        if utterance.reply is not None and utterance.reply.calls:
            message["tool_calls"] = [
                {
                    "id": call.call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in utterance.reply.calls
            ]
        return message


def read_reply(answer: object, *, where: str) -> Reply:
    """Read a chat completion.

    Raises:
        EngineError: it is none.
    """
    choice = _first(_field(answer, "choices"))
    message = _field(choice, "message")
    if not isinstance(message, Mapping):
        raise EngineError("the server's answer is no chat completion", where=where)
    text, calls = message.get("content"), message.get("tool_calls")
    thought = message.get("reasoning_content") or message.get("reasoning")
    usage = _field(answer, "usage")
    return Reply(
        text=text if isinstance(text, str) else "",
        thought=thought if isinstance(thought, str) else None,
        calls=tuple(_call(call, number) for number, call in enumerate(calls))
        if isinstance(calls, list)
        else (),
        tokens=_tokens(answer, choice),
        num_prompt_tokens=_count(_field(usage, "prompt_tokens")),
        num_tokens=_count(_field(usage, "completion_tokens")),
        is_cut=_field(choice, "finish_reason") == "length",
    )


def _call(call: object, number: int) -> FunctionCall:
    function = _field(call, "function")
    name, arguments, call_id = _field(function, "name"), _field(function, "arguments"), _field(call, "id")
    return FunctionCall(
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
        call_id if isinstance(call_id, str) and call_id else f"call-{number}",
    )


def _tokens(answer: object, choice: object) -> Tokens | None:
    """Return the ids where the server gives both those of the prompt and of the reply."""
    prompt = _field(answer, "prompt_token_ids") or _field(choice, "prompt_token_ids")
    prompt_ids, ids = _ids(prompt), _ids(_field(choice, "token_ids"))
    if prompt_ids is None or ids is None:
        return None
    content = _field(_field(choice, "logprobs"), "content")
    logarithms = [_field(item, "logprob") for item in content] if isinstance(content, list) else []
    known = tuple(float(item) for item in logarithms if isinstance(item, int | float))
    return Tokens(prompt_ids, ids, known if len(known) == len(ids) else ())


def _ids(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or not value or not all(type(item) is int for item in value):
        return None
    return tuple(value)


def _first_model(answer: object, where: str) -> str:
    name = _field(_first(_field(answer, "data")), "id")
    if not isinstance(name, str):
        raise EngineError("the server lists no models", where=where, hint="name one with --served-model")
    return name


def _field(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
