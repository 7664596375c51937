"""What is said between a model and the loop: utterances one way, replies the other.

Both are data. Ids and log-probabilities that a reply came with are kept as they were sampled; text is never
tokenized again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call as an OpenAI-compatible endpoint gives it: not read yet."""

    name: str
    arguments: str
    call_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """A reply in tokens.

    Attributes:
        prompt_ids: everything the reply was written after.
        ids: the reply, with the id that ended it.
        logarithms: natural logarithm of the probability of each of ``ids``; empty when not known.
        allowed: the ids that a grammar let through at each of ``ids``, None where it was written without
            asking; empty without a grammar.
    """

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    logarithms: tuple[float, ...] = ()
    allowed: tuple[frozenset[int] | None, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a policy said in one turn.

    Attributes:
        text: as written; with its reasoning where that is part of the text.
        thought: reasoning that came apart from the text.
        was_thinking: whether the turn was opened with ``<think>`` for it, so that ``text`` goes on from
        there. calls: function calls; empty where calls are in the text. tokens: None when the policy gives
        none. num_prompt_tokens: of what it was asked with; None when not known. num_tokens: of the reply;
        likewise. is_cut: whether a limit ended it. is_last: whether nothing more will come: the attempt ends.
    """

    text: str
    thought: str | None = None
    was_thinking: bool = False
    calls: tuple[FunctionCall, ...] = ()
    tokens: Tokens | None = None
    num_prompt_tokens: int | None = None
    num_tokens: int | None = None
    is_cut: bool = False
    is_last: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One message of a conversation.

    Attributes:
        role: who speaks.
        text: what is said.
        tool: name of the tool that answers, for role ``tool``.
        call_id: which function call it answers.
        reply: the whole of it, for role ``assistant``.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    tool: str = ""
    call_id: str = ""
    reply: Reply | None = None


Speaker = Callable[[Sequence[Utterance]], Reply]
"""Gives the next reply of one conversation, which only ever grows at its end.

It raises EngineError when there is none to be had, for example because a server is down.
"""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """What a conversation is about, for policies that care.

    Attributes:
        task: name of the task.
        rollout: number of the attempt, from 0.
        seed: differs from attempt to attempt.
        tools: names of those on offer.
    """

    task: str
    rollout: int
    seed: int
    tools: tuple[str, ...]


class Policy(Protocol):
    """Whoever acts. Used by one thread at a time, for one conversation after the other."""

    @property
    def name(self) -> str:
        """What it is called in records."""

    @property
    def calls_functions(self) -> bool:
        """Whether it calls tools as functions, and not in its text."""

    @property
    def prompt(self) -> str | None:
        """The system prompt that it was taught with; None when ours will do."""

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a conversation."""
