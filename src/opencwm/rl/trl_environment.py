"""Our environments as TRL's trainers take them for models that speak in words, such as facebook/cwm.

The idea: a row of TRL's data set is a chat and the key of its question. A model without tools is trained with
:func:`reward_function`; with tools, ``environment_factory`` wants an :class:`AnsweredOnce` for each rollout:
the answer is given by a tool, and what the tool says back, the true answer, is an observation. Nothing of TRL
is imported.

Source: TRL 1.16, ``GRPOTrainer``, arguments ``reward_funcs`` and ``environment_factory``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opencwm.codec.cwm_chat import END_THINK
from opencwm.core.errors import ConfigError
from opencwm.rl.environment import Asked, Environment, Reward


def rows(environment: Environment[Asked], questions: Iterable[Asked]) -> list[dict[str, Any]]:
    """Return the rows of a data set: ``prompt``, a chat, and ``key``."""
    return [
        {
            "prompt": [
                {"role": message.role, "content": message.content}
                for message in environment.messages(question)
            ],
            "key": question.key,
        }
        for question in questions
    ]


def reward_function(
    environment: Environment[Asked], questions: Sequence[Asked]
) -> Callable[..., list[float]]:
    """Return a function for ``reward_funcs`` of trainers whose data set is :func:`rows`.

    It raises what the environment raises, so that nothing is learned from an infrastructure that failed.
    """
    by_key = {question.key: question for question in questions}

    def earned(completions: Sequence[Any], key: Sequence[str], **_: Any) -> list[float]:
        return [
            environment.grade(_question(by_key, one), _said(completion)).value
            for one, completion in zip(key, completions, strict=True)
        ]

    return earned


def _said(completion: Any) -> str:
    """Return the text of an answer, a chat's last turn or plain, without its reasoning."""
    text = completion if isinstance(completion, str) else completion[-1].get("content") or ""
    return str(text).rpartition(END_THINK)[2]


def _question(by_key: dict[str, Asked], key: str) -> Asked:
    if key not in by_key:
        raise ConfigError(f"no question {key!r}", where="the data set")
    return by_key[key]


class AnsweredOnce:
    """One rollout of a question, whose answer is submitted by a tool; see :func:`environment_factory`.

    Args:
        environment: grades.
        by_key: the questions.
    """

    def __init__(self, environment: Environment[Any], by_key: dict[str, Any]) -> None:
        self._environment, self._by_key = environment, by_key
        self._question: Any = None
        self._reward: Reward | None = None

    def reset(self, key: str = "", **_: Any) -> None:
        """Begin with the question of a row; the row's prompt already asks it."""
        self._question, self._reward = _question(self._by_key, key), None

    def submit_answer(self, answer: str) -> str:
        """
        Submit the answer to the question. Only the first answer counts.

        Args:
            answer: The whole answer, ending as the question asks for.

        Returns:
            Whether it is right, and the true answer.
        """  # noqa: D212 - TRL makes the tool's schema of this form
        if self._reward is None:
            self._reward = self._environment.grade(self._question, answer)
        verdict = "Right." if self._reward.is_right else f"Wrong: {self._reward.reason}."
        return f"{verdict} The true answer:\n{self._environment.gold(self._question)}"

    def get_reward(self) -> float:
        """Return what the answer earned, 0 when none was submitted."""
        return 0.0 if self._reward is None else self._reward.value


def environment_factory(
    environment: Environment[Asked], questions: Sequence[Asked]
) -> Callable[[], AnsweredOnce]:
    """Return what ``environment_factory`` of TRL's trainers wants; the data set is :func:`rows`."""
    return functools.partial(AnsweredOnce, environment, {question.key: question for question in questions})
