"""A request for a chat: messages as OpenAI's API has them, read into the turns of the ``cwm`` format.

Tools that are offered stand below the system prompt, each with the schema of its arguments; a call is a
block ``<tool: NAME>`` whose content is one JSON object. Without offered tools nothing is read into an answer:
an agent that describes tools of its own in words finds its calls in the text.

Source: OpenAI's API reference, "Chat Completions"; facebookresearch/cwm, PROMPTING_GUIDE.md; vLLM's
``chat_template_kwargs`` and ``reasoning_content``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from opencwm.codec.cwm_chat import END_THINK, THINK, Message, ToolCall, call_text, tool_result
from opencwm.core.errors import CodecError, ConfigError
from opencwm.frontends.serve.order import Drawn
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.scheduler import Request

MAX_TOP: Final = 20
"""Likeliest ids that are told at each written one, as OpenAI has it."""

_THOUGHTS: Final = ("reasoning_content", "reasoning")
_FIELDS: Final = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", *_THOUGHTS})
_ROLES: Final = {"developer": "system"}
_TOOLS: Final = """\
You may call one of these tools at the end of your answer, with its arguments as one JSON object:

<tool: NAME>
{"ARGUMENT": VALUE}
</tool>"""


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
            "max_completion_tokens": most is None or (most >= 1 and self.max_tokens in (None, most)),
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


def read_messages(given: Any, *, keeps_thoughts: bool = True) -> list[Message]:
    """Read messages.

    Args:
        given: a list of objects with ``role`` and ``content``, as OpenAI's API has them; the role of what a
            tool answered may also be ``tool: NAME``.
        keeps_thoughts: whether the reasoning that earlier answers come with goes before them.

    Raises:
        ConfigError: they are none.
    """
    if not isinstance(given, list) or not given:
        raise _wrong("a list of messages is wanted, at least one")
    called: dict[str, str] = {}  # name of a tool by the number of its call
    return [_message(one, called, keeps_thoughts=keeps_thoughts) for one in given]


def described(tools: Any) -> str:
    """Return what the system prompt says of tools that are offered as functions.

    Raises:
        ConfigError: they are none.
    """
    if not isinstance(tools, list):
        raise ConfigError("a list of functions is wanted", where="tools")
    return "\n\n".join([_TOOLS, *(_tool(tool) for tool in tools)])


def _tool(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str):
        raise ConfigError("a tool is wanted as {'type': 'function', 'function': ...}", where="tools")
    try:
        tool_result(name, "")
    except CodecError:
        raise ConfigError(f"{name[:60]!r} is no name of a tool", where="tools") from None
    meaning = function.get("description") or ""
    schema = json.dumps(function.get("parameters") or {"type": "object", "properties": {}})
    return f"{name}: {meaning if isinstance(meaning, str) else ''}\nJSON schema of its arguments: {schema}"


def _with_tools(messages: list[Message], text: str) -> list[Message]:
    if messages[0].role != "system":
        return [Message("system", text), *messages]
    return [Message("system", f"{messages[0].content}\n\n{text}"), *messages[1:]]


def _message(one: Any, called: dict[str, str], *, keeps_thoughts: bool) -> Message:
    if not isinstance(one, dict):
        raise _wrong("a message is an object with role and content")
    for key, value in one.items():
        if key not in _FIELDS and value is not None and value != []:  # clients send back what they got
            raise _wrong(f"a message has no {key[:60]!r} here")
    role, text = one.get("role"), _text(one.get("content"))
    if not isinstance(role, str):
        raise _wrong("a message needs a role")
    if role == "tool":
        role = f"tool: {_tool_name(one, called)}"
    if role == "assistant":
        text = "".join([_thought(one) if keeps_thoughts else "", text, *_calls(one, text, called)])
    try:
        return Message(_ROLES.get(role, role), text)
    except CodecError as error:
        raise _wrong(error.what[:200], error.hint) from None


def _text(content: Any) -> str:
    """Return the text of a content: a string, nothing, or parts that are text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _wrong("content is text, or a list of parts that are")
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) < len(content) or not all(isinstance(text, str) for text in texts):
        raise _wrong("only text is read")
    return "".join(str(text) for text in texts)


def _thought(one: Mapping[str, Any]) -> str:
    thought = next((one[name] for name in _THOUGHTS if one.get(name) is not None), None)
    if thought is not None and not isinstance(thought, str):
        raise _wrong("reasoning_content is text")
    return f"{THINK}\n{thought}\n{END_THINK}\n" if thought else ""


def _calls(one: Mapping[str, Any], text: str, called: dict[str, str]) -> Iterator[str]:
    """Yield the calls of an answer as a model writes them, each on lines of its own."""
    calls = one.get("tool_calls") or []
    if not isinstance(calls, list):
        raise _wrong("tool_calls is a list")
    separator = "\n" if text and not text.endswith("\n") else ""
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        told = function if isinstance(function, dict) else {}
        name, given = told.get("name"), told.get("arguments")
        if not isinstance(name, str) or not isinstance(given, str):
            raise _wrong("a call is wanted as {'id': ..., 'function': {'name': ..., 'arguments': TEXT}}")
        called[str(call.get("id"))] = name
        yield separator + call_text(ToolCall(name, given))
        separator = "\n"


def _tool_name(one: Mapping[str, Any], called: Mapping[str, str]) -> str:
    name = one.get("name") or called.get(str(one.get("tool_call_id")))
    if not isinstance(name, str):
        raise _wrong("what a tool answered needs its name, or the tool_call_id of a call before it")
    return name


def _wrong(problem: str, hint: str = "") -> ConfigError:
    return ConfigError(problem, where="messages", hint=hint)
