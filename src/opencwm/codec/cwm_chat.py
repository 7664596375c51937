"""Conversations with models of the ``cwm`` kind: turns as ids, reasoning, tool calls and their results.

    <|begin_of_text|><|start_header_id|>ROLE<|end_header_id|>

    CONTENT<|eot_id|>

The one idea: as in traces, what marks a turn is put in by id and what a user, a tool or a model says is
ordinary text, so nothing that is said can end a turn or begin another. What a model wrote is data: reading it
gives a turn, with a problem in words where it does not follow the rules, and never an exception.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from opencwm.codec.cwm_special import BEGIN_OF_TEXT, END_HEADER, END_OF_TURN, START_HEADER
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.core.errors import CodecError

REASONING_PROMPT: Final = """\
You are a helpful AI assistant. You always reason before responding, using the following format:

<think>
your internal reasoning
</think>
your external response"""
"""The system prompt that the models reason best with; descriptions of tools go below it."""

THINK: Final = "<think>"
END_THINK: Final = "</think>"
_OPENING: Final = re.compile(r"<tool:(.*)>\s*")
_CLOSING: Final = "</tool>"
_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_TOOL_ROLE: Final = "tool: "
_ROLES: Final = ("system", "user", "assistant")


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """What one side said.

    Attributes:
        role: ``system``, ``user``, ``assistant``, or ``tool: NAME`` for what a tool answered.
        content: what was said.

    Raises:
        CodecError: another role.
    """

    role: str
    content: str

    def __post_init__(self) -> None:
        name = self.role.removeprefix(_TOOL_ROLE)
        is_tool = name != self.role and _NAME.fullmatch(name)
        if self.role not in _ROLES and not is_tool:
            raise CodecError(f"no role {self.role!r}", hint=f"one of: {', '.join(_ROLES)}, tool: NAME")


@dataclasses.dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool.

    Attributes:
        name: of the tool.
        content: what it is given, as written.
    """

    name: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What a model wrote in one turn.

    Attributes:
        thought: its reasoning; None when there is none.
        text: what it says, without reasoning and call.
        call: the tool it calls; None when it calls none, or not by the rules.
        problem: what is wrong, one clause, to be told to the model; empty when nothing is.
    """

    thought: str | None
    text: str
    call: ToolCall | None
    problem: str = ""


def tool_result(name: str, content: str) -> Message:
    """Return the message that tells a model what a tool answered.

    Raises:
        CodecError: the name is none.
    """
    return Message(f"{_TOOL_ROLE}{name}", content)


def call_text(call: ToolCall) -> str:
    """Return a tool call as a model writes it."""
    return f"<tool: {call.name}>\n{call.content}\n{_CLOSING}"


def encode_chat(
    tokenizer: Tokenizer, messages: Iterable[Message], *, thinks: bool | None = None
) -> list[int]:
    """Return a conversation as ids, the assistant's turn opened at its end.

    Args:
        tokenizer: must have the special tokens of chat.
        messages: in order; the system prompt first, if there is one.
        thinks: True opens the turn with ``<think>``, so that the model reasons; False opens and closes it, so
            that it does not; None leaves it to the model.

    Raises:
        CodecError: the tokenizer has no tokens for turns, or a text cannot be written in UTF-8.
    """
    start, end = tokenizer.special_id(START_HEADER), tokenizer.special_id(END_HEADER)
    ids = [tokenizer.special_id(BEGIN_OF_TEXT)]
    for message in messages:
        ids += [start, *tokenizer.encode(message.role), end]
        ids += [*tokenizer.encode(f"\n\n{message.content}"), tokenizer.special_id(END_OF_TURN)]
    opening = {None: "", True: f"{THINK}\n", False: f"{THINK}\n{END_THINK}\n"}[thinks]
    return [*ids, start, *tokenizer.encode("assistant"), end, *tokenizer.encode(f"\n\n{opening}")]


def written_text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Return what a model wrote as text; an id that is no text becomes U+FFFD. Never raises."""
    try:
        return tokenizer.decode(ids)
    except CodecError:
        runs = itertools.groupby(ids, lambda token: _is_text(tokenizer, token))
        return "".join(tokenizer.decode(list(run)) if is_text else "\ufffd" for is_text, run in runs)


def _is_text(tokenizer: Tokenizer, token: int) -> bool:
    try:
        tokenizer.decode([token])
    except CodecError:
        return False
    return True


def parse_turn(text: str, *, was_thinking: bool = False) -> Turn:
    """Read what a model wrote in one turn; never raises.

    A call is a line ``<tool: NAME>``, lines, and a line ``</tool>``; there is at most one in a turn. What
    stands in the reasoning calls nothing.

    Args:
        text: without the token that ended it.
        was_thinking: whether the turn was opened with ``<think>``.
    """
    thought, said, problem = _without_thought(text, was_thinking=was_thinking)
    if problem:
        return Turn(thought, said, None, problem)
    return parse_said(said, thought=thought)


def _without_thought(text: str, *, was_thinking: bool) -> tuple[str | None, str, str]:
    """Return the reasoning, what is said, and what is wrong with the reasoning."""
    begun = text if was_thinking else text.lstrip()
    if not was_thinking:
        if not begun.startswith(THINK):
            return None, text, ""
        begun = begun.removeprefix(THINK)
    thought, mark, said = begun.partition(END_THINK)
    if not mark:
        return begun.strip(), "", f"the reasoning does not end with {END_THINK}"
    return thought.strip(), said.lstrip("\n"), ""


def parse_said(said: str, *, thought: str | None = None) -> Turn:
    """Read what a model said besides its reasoning; never raises. See :func:`parse_turn`."""
    lines = said.split("\n")
    openings = [number for number, line in enumerate(lines) if _OPENING.fullmatch(line)]
    closings = [number for number, line in enumerate(lines) if line.strip() == _CLOSING]
    problem = _call_problem(lines, openings, closings)
    if problem:
        return Turn(thought, said, None, problem)
    if not openings:
        return Turn(thought, said, None)
    first, last = openings[0], closings[0]
    match = _OPENING.fullmatch(lines[first])
    name = match[1].strip() if match else ""
    call = ToolCall(name, "\n".join(lines[first + 1 : last]))
    return Turn(thought, "\n".join([*lines[:first], *lines[last + 1 :]]).strip("\n"), call)


def _call_problem(lines: list[str], openings: list[int], closings: list[int]) -> str:
    """Return what is wrong with the calls of a turn; empty when there is none, or one by the rules."""
    if not openings:
        if closings:
            return f"{_CLOSING} ends no call"
        if any(line.lstrip().startswith("<tool:") for line in lines):
            return "a call begins with a line of its own: <tool: NAME>"
        return ""
    match = _OPENING.fullmatch(lines[openings[0]])
    name = match[1].strip() if match else ""
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name of a tool" if name else "the call names no tool"
    if not closings:
        return f"the call of {name} does not end with a line {_CLOSING}"
    if len(openings) > 1:
        return f"{len(openings)} calls in one turn, and only one may be made"
    if len(closings) > 1 or closings[0] < openings[0]:
        return f"the call of {name} is not followed by one line {_CLOSING}"
    return ""
