"""Messages and tools as OpenAI's API has them, read into the turns of the ``cwm`` format.

Nothing of them is trusted: what is no message is refused in one line. Tools that are offered as functions
are described in words, each with the schema of its arguments.

Source: OpenAI's API reference, "Chat Completions"; facebookresearch/cwm, PROMPTING_GUIDE.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opencwm.codec.cwm_chat import END_THINK, THINK, Message, ToolCall, call_text, tool_result
from opencwm.core.errors import CodecError, ConfigError

_THOUGHTS: Final = ("reasoning_content", "reasoning")
_FIELDS: Final = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", *_THOUGHTS})
_ROLES: Final = {"developer": "system"}
_TOOLS: Final = """\
You may call one of these tools at the end of your answer, with its arguments as one JSON object:

<tool: NAME>
{"ARGUMENT": VALUE}
</tool>"""


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
