"""Demonstrations at small tasks as training documents, made while they are read.

The idea: what document number N is depends on N and the seed alone, so a run is resumed by a number. Making
one takes a tenth of what training on it does; programs run in a box. See :mod:`opencwm.agent.small.lessons`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from opencwm.agent.small.lessons import Lesson, Written, demonstrate, read_lessons
from opencwm.agent.small.phrases import tokenizer
from opencwm.agent.small.runner import Runner
from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.train.data import Document


def document(written: Written) -> Document:
    """Return a sequence as a training document."""
    return Document(np.array(written.ids, np.int32), np.array(written.mask, np.bool_))


WHOLE_SHARE = 0.2
"""Of the demonstrations; the others end with the change that was right."""


class Demonstrations:
    """An endless :class:`~opencwm.train.data.TokenSource`; every lesson once an epoch, in a new order.

    Args:
        lessons: at least one.
        runner: entered here, and left by :meth:`close`.
        seed: of orders and demonstrations.
        whole_share: of demonstrations that go on after the change that was right.

    Raises:
        ConfigError: there is no lesson.
        SandboxError: no box can be made.
    """

    def __init__(
        self, lessons: list[Lesson], runner: Runner, *, seed: int = 0, whole_share: float = WHOLE_SHARE
    ) -> None:
        if not lessons:
            raise ConfigError("there is no small task", where="data.options.tasks")
        self._lessons, self._seed, self._whole_share = lessons, seed, whole_share
        self._tokenizer = tokenizer()
        self._position = 0
        self._stack = contextlib.ExitStack()
        self._runner = self._stack.enter_context(runner)

    def __iter__(self) -> Iterator[Document]:
        return self

    def __next__(self) -> Document:
        for _ in range(100 * len(self._lessons)):
            epoch, place = divmod(self._position, len(self._lessons))
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._lessons))
            number, self._position = self._position, self._position + 1
            is_whole = derive_rng(self._seed, number).random() < self._whole_share
            lesson = self._lessons[int(order[place])]
            made = demonstrate(lesson, self._tokenizer, self._runner, self._seed + number, is_whole=is_whole)
            if made is not None:
                return document(made)
        raise ConfigError("no demonstration fits", where="data.options.tasks")

    def state(self) -> dict[str, Any]:
        """Return how many were tried."""
        return {"position": self._position}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._position = int(state["position"])

    def close(self) -> None:
        """Stop the box."""
        self._stack.close()


def demonstrations(
    *, tasks: str, seed: int = 0, operators: Sequence[str] = (), whole_share: float = WHOLE_SHARE
) -> Demonstrations:
    """Return the source a recipe names ``demonstrations``.

    Args:
        tasks: folder of small tasks.
        seed: see :class:`Demonstrations`.
        operators: see :func:`~opencwm.agent.small.lessons.read_lessons`.
        whole_share: see :class:`Demonstrations`.

    Raises:
        ConfigError: the folder holds none.
        TaskError: one is broken.
        SandboxError: no box can be made.
    """
    lessons = read_lessons(Path(tasks), operators)
    return Demonstrations(lessons, Runner(), seed=seed, whole_share=whole_share)


def demonstrations_held_out(*, tasks: str, num_documents: int = 64, seed: int = 0) -> list[Document]:
    """Return whole demonstrations of the first small tasks of a folder, for evaluation.

    Raises:
        ConfigError, TaskError, SandboxError: as :func:`demonstrations`.
    """
    lessons = read_lessons(Path(tasks))[:num_documents]
    words = tokenizer()
    with Runner() as runner:
        made = [demonstrate(lesson, words, runner, seed) for lesson in lessons]
    return [document(one) for one in made if one is not None]
