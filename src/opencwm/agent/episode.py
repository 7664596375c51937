"""What happened in one attempt at a task: its turns, how it stopped, what was submitted."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from opencwm.agent.calls import Call
from opencwm.agent.conversation import Reply, Utterance
from opencwm.core.errors import ConfigError


class Stop(enum.StrEnum):
    """Why an attempt ended."""

    FINISHED = "finished"  # it submitted and said so
    GAVE_UP = "gave_up"  # it said so, and had not submitted
    TURNS = "turn_limit"
    CONTEXT = "context_limit"
    TIME = "time_limit"
    MALFORMED = "malformed"  # too many turns in a row that were not understood
    LOOP = "loop"  # the same call with the same answer, again and again


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What an attempt may use.

    Attributes:
        turns: replies.
        tokens: of the context. Where a policy does not count, three characters count as one.
        wall_s: seconds from the first reply on.
        malformed: turns in a row that are not understood; the attempt ends with the last of them.
        repeats: times in a row that the same call may have the same answer; likewise.
        timeout_s: seconds of one command.
        output_chars: characters of one answer of a tool.
        context_lines: lines shown above and below an edit.

    Raises:
        ConfigError: a limit below its least value.
    """

    turns: int = 128
    tokens: int = 131_072
    wall_s: float = 2_400.0
    malformed: int = 5
    repeats: int = 8
    timeout_s: float = 120.0
    output_chars: int = 16_000
    context_lines: int = 8

    def __post_init__(self) -> None:
        least = {"repeats": 2, "output_chars": 200}
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) >= least.get(field.name, 0) or not getattr(self, field.name):
                raise ConfigError("must be larger", where=f"limits.{field.name}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn: a reply and its answer.

    Attributes:
        number: from 1.
        started_at: ISO 8601, UTC.
        reply: as it came.
        thought: its reasoning.
        text: what it says besides reasoning and call.
        call: None when none was made, or understood.
        problem: why it was not understood, or why the call could not be done.
        answers: what the model was told.
        exit_code: of a command.
        submitted: the patch that it handed in.
        patch: all changes of the repository after this turn; None when they are as after the turn before.
        backtracked_to: number of the earlier turn after which the repository was like this (0: at the start),
            when this turn went back to that.
        restored: whether that was done by restoring the box.
        forecast: what a planner said of the call before it was done, and what happened.
        seconds_asking: waiting for the reply.
        seconds_acting: using the tool.
    """

    number: int
    started_at: str
    reply: Reply
    thought: str | None
    text: str
    call: Call | None
    problem: str = ""
    answers: tuple[Utterance, ...] = ()
    exit_code: int | None = None
    submitted: str | None = None
    patch: str | None = None
    backtracked_to: int | None = None
    restored: bool = False
    forecast: Mapping[str, Any] | None = None
    seconds_asking: float = 0.0
    seconds_acting: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Episode:
    """An attempt.

    Attributes:
        opening: the system prompt and the task.
        turns: in order.
        stop: why it ended.
        submitted: the last patch that was handed in; None when there is none.
    """

    opening: tuple[Utterance, ...]
    turns: tuple[Turn, ...]
    stop: Stop
    submitted: str | None
