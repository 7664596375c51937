"""Calls of tools: what each takes, as text between ``<tool: NAME>`` and ``</tool>`` and as a JSON schema.

Both ways to call come to the same :class:`Call`, so tools never see which was used. The text form is the
published one of facebook/cwm; what a whole turn looks like is read by ``opencwm.codec.cwm_chat``.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md; https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from opencwm.agent.edits import (
    DIVIDER,
    LAYOUT,
    REPLACE,
    SEARCH,
    ToolError,
    lines_of,
    parse_block,
    text_of,
)

MAX_CALL_CHARS: Final = 262_144
"""Longest content of a call that is looked at."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that was understood.

    Attributes:
        name: of the tool.
        arguments: by name, as :data:`TOOLS` lists them.
        call_id: what a function call is answered under; empty for calls in text.
    """

    name: str
    arguments: Mapping[str, str]
    call_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool.

    Attributes:
        layout: content of a call in text.
        meaning: what it does, a sentence or two.
        arguments: name to meaning, in order; all are strings and wanted.
    """

    layout: str
    meaning: str
    arguments: Mapping[str, str]


TOOLS: Final[Mapping[str, ToolSpec]] = MappingProxyType(
    {
        "bash": ToolSpec(
            "[command(s)]",
            "Runs [command(s)], one line or several, in a bash session whose folder, variables and functions"
            " last from call to call. Commands cannot ask anything; processes left in the background end"
            " with the call.",
            {"command": "The command(s) to run."},
        ),
        "edit": ToolSpec(
            f"[path]\n{LAYOUT}",
            "Replaces [search_lines] in the file [path] by [replacement_lines]. [search_lines] are whole"
            " lines, exactly as they stand in the file with their indentation, and must stand there once.",
            {
                "path": "The file to change.",
                "search": "Whole lines as they stand in the file, exactly once.",
                "replacement": "The lines to put there; empty to delete them.",
            },
        ),
        "create": ToolSpec(
            "[path]\n[content]",
            "Makes a new file [path] with [content]. The file must not exist yet; its folder must.",
            {"path": "The file to make.", "content": "What is in it."},
        ),
        "submit": ToolSpec(
            "[result]",
            "Submits your solution: [result] is the path of a file with a patch as `git diff` writes it, or"
            " empty to submit all changes of the repository as they are. You may submit again.",
            {"result": "Path of a patch file, or empty for all changes of the repository."},
        ),
        "undo": ToolSpec(
            "",
            "Takes back your last edit or create that stands: all files are again as they were before it.",
            {},
        ),
    }
)
"""Every tool; ``undo`` is offered only when asked for, for the published models do not know it."""


def parse_content(name: str, content: str, tools: Sequence[str]) -> Call:
    """Read what stands between the marks of a call.

    Raises:
        ToolError: no such tool, or not what it takes.
    """
    _check(name, len(content), tools)
    if name == "bash":
        _wanted(content.strip(), "bash", "a command")
        return Call(name, {"command": content})
    if name == "submit":
        return Call(name, {"result": content.strip()})
    if name == "undo":
        return Call(name, {})
    path, _, rest = content.partition("\n")
    _wanted(path.strip(), name, "the path of a file in its first line")
    if name == "create":
        return Call(name, {"path": path.strip(), "content": f"{rest}\n" if rest else ""})
    parsed = parse_block(rest)
    search, replacement = text_of(parsed.search), text_of(parsed.replacement)
    return Call(name, {"path": path.strip(), "search": search, "replacement": replacement})


def parse_arguments(name: str, arguments: str, call_id: str, tools: Sequence[str]) -> Call:
    """Read a function call, whose arguments are JSON.

    Raises:
        ToolError: no such tool, or arguments that are not as its schema says.
    """
    _check(name, len(arguments), tools)
    wanted = TOOLS[name].arguments
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ToolError(f"the arguments of {name} must be one JSON object of strings")
    missing, unknown = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    if missing or unknown:
        listed = ", ".join(wanted) or "none"
        raise ToolError(f"{name} takes these arguments and no others: {listed}")
    if name in ("edit", "create"):
        _wanted(given["path"].strip(), name, "a path")
    if name == "bash":
        _wanted(given["command"].strip(), name, "a command")
    return Call(name, {key: given[key] for key in wanted}, call_id)


def content_of(call: Call) -> str:
    """Write the content of a call in text; :func:`parse_content` reads it back."""
    arguments = call.arguments
    if call.name == "edit":
        search, replacement = (text_of(lines_of(arguments[name])) for name in ("search", "replacement"))
        return f"{arguments['path']}\n{SEARCH}\n{search}{DIVIDER}\n{replacement}{REPLACE}"
    if call.name == "create":
        content = arguments["content"].removesuffix("\n")
        return f"{arguments['path']}\n{content}"
    return next(iter(arguments.values()), "")


def described(tools: Sequence[str]) -> str:
    """Return what the system prompt says of the tools."""
    return "\n\n".join(
        "\n".join(filter(None, (f"<tool: {name}>", TOOLS[name].layout, "</tool>", TOOLS[name].meaning)))
        for name in tools
    )


def functions(tools: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tools as an OpenAI-compatible endpoint takes them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": TOOLS[name].meaning.replace("[", "").replace("]", ""),
                "parameters": {
                    "type": "object",
                    "properties": {
                        argument: {"type": "string", "description": meaning}
                        for argument, meaning in TOOLS[name].arguments.items()
                    },
                    "required": list(TOOLS[name].arguments),
                    "additionalProperties": False,
                },
            },
        }
        for name in tools
    ]


def _check(name: str, length: int, tools: Sequence[str]) -> None:
    if name not in tools:
        raise ToolError(f"there is no tool {name[:60]!r}; there are: {', '.join(tools)}")
    if length > MAX_CALL_CHARS:
        raise ToolError(
            f"the call has {length} characters, and more than {MAX_CALL_CHARS} are not taken; do it in parts"
        )


def _wanted(text: str, name: str, what: str) -> None:
    if not text:
        raise ToolError(f"{name} needs {what}")
