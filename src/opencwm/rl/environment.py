"""What a policy learns from: questions, and what an answer to one is worth.

The one idea: an environment is three functions of a question: what is asked, what an answer earns, and an
answer that earns everything. The reward comes from a real run, made or recorded. An answer, whatever it is,
is data: nonsense earns 0 with a reason. What is not the answer's fault (a sandbox that does not start, a full
disk) is an error, never a reward of 0, so that nothing is learned from it.

An :class:`Environment` speaks messages, which any model takes. A :class:`NativeEnvironment` also speaks the
ids of the ``native`` format, which the small models speak: ids in, ids out, no text in between.
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from opencwm.codec.cwm_chat import Message
from opencwm.core.errors import ConfigError

ENVIRONMENTS: Final = {
    "predict-output": "opencwm.rl.predict_output:PredictOutput",
    "predict-input": "opencwm.rl.predict_input:PredictInput",
    "predict-trace": "opencwm.rl.predict_trace:PredictTrace",
    "fix-bug": "opencwm.rl.fix_bug:FixBug",
}
"""Environments by name. A dotted path ``package.module:Class`` names one of one's own."""

MAX_ANSWER_CHARS: Final = 100_000
"""A longer answer earns 0 and is not read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reward:
    """What an answer earned.

    Attributes:
        value: in [0, 1]; 1 for a right answer.
        reason: why it is not 1, one line; empty for a right answer.
        details: what else is known, JSON-able.

    Raises:
        ValueError: a value outside [0, 1], or less than 1 without a reason.
    """

    value: float
    reason: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1 or (self.value < 1 and not self.reason):
            raise ValueError(f"no reward: {self.value} {self.reason!r}")

    @property
    def is_right(self) -> bool:
        """Whether nothing was missing."""
        return self.value == 1


class Question(abc.ABC):
    """One question, plain data."""

    @property
    @abc.abstractmethod
    def key(self) -> str:
        """Unique among the questions of an environment; the same in every process and run."""


Asked = TypeVar("Asked", bound=Question)


class Environment(abc.ABC, Generic[Asked]):
    """What is asked and what answers earn. A context manager: what it started ends with it.

    Methods may be called from one thread at a time.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def messages(self, question: Asked) -> list[Message]:
        """Return the question as the turns of a chat; the next turn is the answer."""

    @abc.abstractmethod
    def grade(self, question: Asked, answer: str) -> Reward:
        """Return what the text of an answer earns; reasoning, if any, has been taken off.

        Raises:
            OpenCWMError: the answer could not be graded, for a reason that is not in it.
        """

    @abc.abstractmethod
    def gold(self, question: Asked) -> str:
        """Return an answer that :meth:`grade` gives 1."""

    def close(self) -> None:
        """End what was started. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()


class NativeEnvironment(Environment[Asked]):
    """An environment that also speaks the ``native`` format."""

    stops: ClassVar[frozenset[int]]
    """Ids that end an answer; the id itself belongs to it."""

    has_one_answer: ClassVar[bool] = False
    """Whether no ids but the gold ones are right, or so few others that a score may leave them out."""

    @abc.abstractmethod
    def prompt_ids(self, question: Asked) -> list[int]:
        """Return the question as ids.

        Raises:
            CodecError: nothing of the program fits.
        """

    @abc.abstractmethod
    def grade_ids(self, question: Asked, ids: Sequence[int]) -> Reward:
        """Return what an answer of ids earns, with or without its stop.

        Raises:
            OpenCWMError: as for :meth:`grade`.
        """

    @abc.abstractmethod
    def gold_ids(self, question: Asked) -> list[int]:
        """Return an answer that :meth:`grade_ids` gives 1, its stop included."""


def environment_class(name: str) -> type[Environment[Any]]:
    """Return an environment by its name or by the dotted path of a class.

    Raises:
        ConfigError: there is none.
    """
    path = ENVIRONMENTS.get(name, name)
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no environment {name!r}: {error}", where="environment") from None
    if not (isinstance(found, type) and issubclass(found, Environment)):
        raise ConfigError(
            f"no environment {name!r}", where="environment", hint=f"one of {', '.join(ENVIRONMENTS)}"
        )
    return found


def validate(environment: Environment[Asked], questions: Iterable[Asked]) -> dict[str, Reward]:
    """Grade the gold answers; return those by key that did not earn 1.

    Raises:
        OpenCWMError: one could not be graded.
    """
    failures = {}
    for question in questions:
        rewards = [environment.grade(question, environment.gold(question))]
        if isinstance(environment, NativeEnvironment):
            rewards.append(environment.grade_ids(question, environment.gold_ids(question)))
        if wrong := [reward for reward in rewards if not reward.is_right]:
            failures[question.key] = wrong[0]
    return failures
