"""The agent's loop: ask, read, do, answer, until it is finished or a limit is reached."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from opencwm.agent.calls import Call, parse_arguments, parse_content
from opencwm.agent.conversation import Reply, Speaker, Utterance
from opencwm.agent.edits import ToolError
from opencwm.agent.episode import Episode, Limits, Stop, Turn
from opencwm.agent.prompts import correction, tool_answer
from opencwm.agent.tools import Outcome
from opencwm.codec.cwm_chat import parse_turn

CHARS_PER_TOKEN = 3
Watcher = Callable[[Turn], object]


class Tools(Protocol):
    """What calls are done with; see :class:`opencwm.agent.tools.Toolbox`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tools on offer."""

    def use(self, call: Call) -> Outcome:
        """Do what a call asks for."""

    def patch(self) -> str | None:
        """Return all changes of the repository so far."""


def run_agent(
    speaker: Speaker,
    toolbox: Tools,
    opening: Sequence[Utterance],
    limits: Limits,
    watcher: Watcher | None = None,
) -> Episode:
    """Let a policy work in a box until it is finished or a limit is reached.

    Args:
        speaker: gives the replies.
        toolbox: does what they ask for.
        opening: system prompt and task.
        limits: see :class:`~opencwm.agent.episode.Limits`.
        watcher: is told each turn when it is over.

    Raises:
        EngineError: the policy cannot be asked.
        SandboxError: the box failed.
    """
    conversation, turns, submitted = list(opening), list[Turn](), None
    progress = _Progress(toolbox.patch() or "")
    ends_at = time.monotonic() + limits.wall_s
    while (stop := _limit(conversation, turns, limits, ends_at)) is None:
        asked_at, started_at = time.monotonic(), datetime.datetime.now(datetime.UTC).isoformat()
        reply = speaker(conversation)
        acts_at = time.monotonic()
        thought, text, call, problem = understand(reply, toolbox.names)
        is_final = reply.is_last or (call is None and not problem and submitted is not None)
        if call is None and not problem and not is_final:
            problem = "it makes no call"
        outcome = toolbox.use(call) if call is not None else None
        if outcome is not None and outcome.submitted is not None:
            submitted = outcome.submitted
        conversation.append(Utterance(role="assistant", text=reply.text, reply=reply))
        told = correction(problem, has_submitted=submitted is not None)
        if outcome is not None:
            left = limits.tokens - num_tokens(conversation) - len(outcome.text) // CHARS_PER_TOKEN
            told = tool_answer(outcome.text, turns_left=limits.turns - len(turns) - 1, tokens_left=left)
        answers = () if is_final else _answers(reply, call, told)
        conversation += answers
        turn = Turn(
            number=len(turns) + 1,
            started_at=started_at,
            reply=reply,
            thought=thought,
            text=text,
            call=call,
            problem=problem or (outcome.text if outcome is not None and outcome.is_problem else ""),
            answers=answers,
            exit_code=outcome.exit_code if outcome else None,
            submitted=outcome.submitted if outcome else None,
            restored=outcome is not None and outcome.restored,
            forecast=outcome.forecast if outcome else None,
            seconds_asking=acts_at - asked_at,
            seconds_acting=time.monotonic() - acts_at,
        )
        turns.append(progress.after(turn, toolbox))
        if watcher is not None:
            watcher(turns[-1])
        if is_final:
            stop = Stop.FINISHED if submitted is not None else Stop.GAVE_UP
            break
    return Episode(opening=tuple(opening), turns=tuple(turns), stop=stop, submitted=submitted)


def understand(reply: Reply, tools: Sequence[str]) -> tuple[str | None, str, Call | None, str]:
    """Return the reasoning of a reply, what it says, the call it makes, and what is wrong with it."""
    turn = parse_turn(reply.text, was_thinking=reply.was_thinking)
    thought = reply.thought if reply.thought is not None else turn.thought
    if turn.problem or (reply.is_cut and turn.call is None and not reply.calls):
        return thought, turn.text, None, turn.problem or "it reached the limit on its length before its end"
    if len(reply.calls) + (turn.call is not None) > 1:
        return (
            thought,
            turn.text,
            None,
            "there is more than one call, and only one may be made",
        )
    try:
        if reply.calls:
            made = reply.calls[0]
            return thought, turn.text, parse_arguments(made.name, made.arguments, made.call_id, tools), ""
        if turn.call is not None:
            return thought, turn.text, parse_content(turn.call.name, turn.call.content, tools), ""
    except ToolError as problem:
        return thought, turn.text, None, str(problem)
    return thought, turn.text, None, ""


def num_tokens(conversation: Sequence[Utterance]) -> int:
    """Return how many tokens a conversation has: as counted last by the policy, the rest estimated."""
    num_chars = 0
    for utterance in reversed(conversation):
        reply = utterance.reply
        if reply is not None and reply.num_prompt_tokens is not None and reply.num_tokens is not None:
            return reply.num_prompt_tokens + reply.num_tokens + num_chars // CHARS_PER_TOKEN
        calls = reply.calls if reply is not None else ()
        num_chars += len(utterance.text) + sum(len(call.arguments) for call in calls)
    return num_chars // CHARS_PER_TOKEN


def _limit(
    conversation: Sequence[Utterance], turns: Sequence[Turn], limits: Limits, ends_at: float
) -> Stop | None:
    """Return why no further turn may be taken; None when it may."""
    last = turns[-limits.malformed :]
    if len(last) == limits.malformed and all(turn.problem and turn.call is None for turn in last):
        return Stop.MALFORMED
    same = list(itertools.takewhile(lambda turn: _is_same(turn, turns[-1]), reversed(turns)))
    if len(same) >= limits.repeats:
        return Stop.LOOP
    if len(turns) >= limits.turns:
        return Stop.TURNS
    if num_tokens(conversation) >= limits.tokens:
        return Stop.CONTEXT
    return Stop.TIME if time.monotonic() >= ends_at else None


def _is_same(one: Turn, other: Turn) -> bool:
    return (
        one.call is not None
        and other.call is not None
        and (
            dataclasses.replace(one.call, call_id="") == dataclasses.replace(other.call, call_id="")
            and one.exit_code == other.exit_code
            and one.patch is None
        )
    )


def _answers(reply: Reply, call: Call | None, text: str) -> tuple[Utterance, ...]:
    """Return what the model is told; function calls are answered one by one, for servers insist on that."""
    if reply.calls:
        return tuple(
            Utterance(role="tool", text=text, tool=made.name, call_id=made.call_id) for made in reply.calls
        )
    if call is None:
        return (Utterance(role="user", text=text),)
    return (Utterance(role="tool", text=text, tool=call.name),)


class _Progress:
    """Follows the repository from turn to turn.

    Args:
        patch: how it was found.
    """

    def __init__(self, patch: str) -> None:
        self._patch = patch
        self._turns = {patch: 0}

    def after(self, turn: Turn, toolbox: Tools) -> Turn:
        """Return a turn with what it changed, and the earlier turn that it went back to."""
        if turn.call is None or turn.call.name == "submit":
            return turn
        patch = toolbox.patch()
        if patch is None or patch == self._patch:
            return turn
        back = self._turns.get(patch)
        self._turns[patch] = turn.number
        self._patch = patch
        return dataclasses.replace(turn, patch=patch, backtracked_to=back)
