"""A request for a chat: messages as OpenAI's API has them, read into the turns of the ``cwm`` format.

Tools that are offered stand below the system prompt, each with the schema of its arguments; a call is a
block ``<tool: NAME>`` whose content is one JSON object. Without offered tools nothing is read into an answer:
an agent that describes tools of its own in words finds its calls in the text.

Source: OpenAI's API reference, "Chat Completions"; facebookresearch/cwm, PROMPTING_GUIDE.md; vLLM's
``chat_template_kwargs`` and ``reasoning_content``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from opencwm.codec.cwm_chat import Message
from opencwm.core.errors import CodecError, ConfigError
from opencwm.frontends.chat_messages import described, read_messages
from opencwm.frontends.serve.order import Drawn
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.scheduler import Request

MAX_TOP: Final = 20
"""Likeliest ids that are told at each written one, as OpenAI has it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Template:
    """The field ``chat_template_kwargs``.

    Attributes:
        enable_thinking: whether the model reasons first, see :func:`opencwm.codec.cwm_chat.encode_chat`.
        preserve_previous_think: whether the reasoning that earlier answers come with is shown to it.
    """

    enable_thinking: bool | None = None
    preserve_previous_think: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatOrder(Drawn):
    """The body of a request for a chat; see OpenAI's API reference."""

    prompt_field: ClassVar[str] = "messages"

    messages: Any
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = None
    tools: Any = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: Any = None
    chat_template_kwargs: Template | None = None

    def unwanted(self) -> Iterator[str]:
        """Yield the fields that ask for what is not done."""
        yield from super().unwanted()
        if self.tool_choice not in (None, "none", "auto"):
            yield "tool_choice"
        if self.response_format not in (None, {"type": "text"}):
            yield "response_format"

    def ranges(self) -> Mapping[str, bool]:
        """Return which fields are in range."""
        most = self.max_completion_tokens
        return {
            **super().ranges(),
            "max_tokens": self.max_tokens is None or self.max_tokens >= 1,
            "max_completion_tokens": most is None or most >= 1,
            "top_logprobs": self.top_logprobs is None
            or (bool(self.logprobs) and 0 <= self.top_logprobs <= MAX_TOP),
        }

    @property
    def num_top(self) -> int | None:
        """How many of the likeliest ids are told at each written one; None for no probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def thinks(self) -> bool | None:
        """Whether the model reasons first; None leaves it to the model."""
        return self.chat_template_kwargs.enable_thinking if self.chat_template_kwargs else None

    @property
    def offers_tools(self) -> bool:
        """Whether calls are looked for in answers."""
        return bool(self.tools) and self.tool_choice != "none"

    def requests(self, served: ServedModel) -> list[Request]:
        """Return what the scheduler is to do; see :meth:`Drawn.requests`."""
        if served.chat is None:
            hint = "models of the cwm format converse; this one goes on from ids, at /v1/completions"
            raise ConfigError("this model knows no conversations", where="model", hint=hint)
        template = self.chat_template_kwargs or Template()
        messages = read_messages(self.messages, keeps_thoughts=template.preserve_previous_think)
        if self.offers_tools:
            messages = _with_tools(messages, described(self.tools))
        try:
            prompt = served.chat.encode(messages, thinks=self.thinks)
        except CodecError as error:
            raise ConfigError(error.what, where="messages", hint=error.hint) from None
        most = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        return dataclasses.replace(self, max_tokens=most).each([prompt], served)


def _with_tools(messages: list[Message], text: str) -> list[Message]:
    if messages[0].role != "system":
        return [Message("system", text), *messages]
    return [Message("system", f"{messages[0].content}\n\n{text}"), *messages[1:]]
