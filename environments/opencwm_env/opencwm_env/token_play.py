"""Play a question in token ids: what a trainer that serves ids needs, exactly in facebook/cwm's turns.

What was sampled is never written anew, so an episode is one sequence of ids with a mask of those that the
policy chose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from opencwm.agent.conversation import Occasion, Reply, Utterance
from opencwm.agent.episode import Limits
from opencwm.agent.rollout import RolloutConfig
from opencwm.agent.token_policy import TokenPolicy
from opencwm.agent.token_segments import Segment, segments
from opencwm.codec.cwm_chat import END_THINK, Message
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.core.errors import EngineError
from opencwm.model.generation import Generation
from opencwm.model.sampling import SamplingConfig
from opencwm.rl.environment import Reward
from opencwm.rl.fix_bug import Bug, FixBug, FixBugConfig
from opencwm.rl.wire import make_environment, question_from_json

Generate = Callable[[Sequence[int], int], tuple[Sequence[int], Sequence[float]]]
"""Goes on from ids with at most so many; returns the ids and the logarithms of their probabilities."""
MARGIN_TOKENS = 8_192
"""Kept free of the context, for the answer of a tool that comes after the last reply."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """How a question is played.

    Attributes:
        max_tokens: of the whole conversation.
        reply_tokens: of one reply.
        thinks: see :func:`~opencwm.codec.cwm_chat.encode_chat`.
        threshold: see :class:`~opencwm.rl.fix_bug.FixBugConfig`.
        turns: of ``fix-bug``.
        box: kind of box.
    """

    max_tokens: int
    reply_tokens: int = 16_384
    thinks: bool | None = True
    threshold: float | None = 0.5
    turns: int = 128
    box: str = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Played:
    """What came of it.

    Attributes:
        segment: the ids, and which of them were chosen.
        reward: what the answer earned.
        num_turns: replies.
    """

    segment: Segment
    reward: Reward
    num_turns: int

    @property
    def num_prompt(self) -> int:
        """How many ids stand before the first that was chosen."""
        return self.segment.loss_mask.index(1)


def play(
    name: str,
    data: Mapping[str, Any],
    generate: Generate,
    tokenizer: Tokenizer,
    config: PlayConfig,
    number: int,
) -> Played:
    """Play a question and grade the answer.

    Args:
        name: of the environment.
        data: the question, as ``opencwm.rl.wire`` writes it.
        generate: asks the policy.
        tokenizer: of the policy.
        config: how.
        number: of the attempt at this question.

    Raises:
        OpenCWMError: the policy cannot be asked, the box or the grader failed: no reward.
    """
    limits = Limits(turns=config.turns, tokens=max(config.max_tokens - MARGIN_TOKENS, 1))
    rollout = RolloutConfig(limits=limits, kind=config.box, reasons=config.thinks is True)
    question = question_from_json(name, data)
    policy = TokenPolicy(
        lambda: _Generator(generate, config.max_tokens),
        tokenizer,
        max_tokens=config.reply_tokens,
        thinks=config.thinks,
    )
    with make_environment(name, FixBugConfig(rollout=rollout, threshold=config.threshold)) as environment:
        if isinstance(environment, FixBug) and isinstance(question, Bug):
            episode = environment.work(question, policy, number)
            replies = [turn.reply for turn in episode.turns]
            reward = Reward(0.0, f"nothing submitted: {episode.stop}")
            if episode.submitted is not None:
                reward = environment.grade(question, episode.submitted)
        else:
            said = [_utterance(turn) for turn in environment.messages(question)]
            occasion = Occasion(task=question.key, rollout=number, seed=number, tools=())
            replies = [policy.begin(occasion)(said)]
            reward = environment.grade(question, replies[0].text.rpartition(END_THINK)[2])
    return Played(segment=_only(replies), reward=reward, num_turns=len(replies))


def _only(replies: Sequence[Reply]) -> Segment:
    found = segments(reply.tokens for reply in replies)
    if len(found) != 1:
        raise EngineError(f"{len(found)} sequences of ids came of one conversation")
    return found[0]


def _utterance(said: Message) -> Utterance:
    role: Any = said.role
    return Utterance(role=role, text=said.content)


class _Generator:
    """Asks with the sampling of whoever serves."""

    vocab_size = 0  # nobody here needs it

    def __init__(self, generate: Generate, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._generate = generate

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        """Write ids after a prompt; the trainer's sampling counts, not that which is asked for here."""
        del sampling
        ids, logarithms = self._generate(prompt, max_tokens)
        if not ids:
            raise EngineError("the server wrote nothing")
        return Generation(tuple(ids), tuple(logarithms), ids[-1] in stops)

    def fork(self) -> _Generator:
        """Return this one, for it holds nothing."""
        return self
