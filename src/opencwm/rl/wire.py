"""Questions read from files, and as JSON for those who ask and grade in other processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.corpus.trace_files import held_out_traces, load_traces
from opencwm.rl.environment import ENVIRONMENTS, Environment, Question
from opencwm.rl.fix_bug import Bug, FixBug, FixBugConfig, read_bugs
from opencwm.rl.trace_question import TraceQuestion, is_askable
from opencwm.traces import Trace
from opencwm.traces.jsonl import trace_from_json, trace_to_json


def make_environment(name: str, config: FixBugConfig | None = None) -> Environment[Any]:
    """Return an environment of ours; ``config`` is for ``fix-bug``.

    Raises:
        ConfigError: there is none of this name.
    """
    from opencwm.rl.environment import environment_class

    _checked(name)
    return FixBug(config) if name == FixBug.name else environment_class(name)()


def read_questions(name: str, path: Path, *, splits: Sequence[str] = ("train",)) -> Iterator[Question]:
    """Yield the questions of an environment.

    Args:
        name: of the environment.
        path: for ``fix-bug`` a task or a folder of tasks, otherwise a file of traces or a corpus.
        splits: of a corpus.

    Raises:
        ConfigError: there is no such environment or file.
        TaskError: for ``fix-bug``, a task does not make sense or there is none.
        TraceFormatError: a file is damaged.
    """
    if _checked(name) == FixBug.name:
        yield from read_bugs([path])
    else:
        yield from _askable(load_traces(path, splits))


def generated_questions(name: str, num_programs: int, seed: int) -> Iterator[Question]:
    """Yield questions on generated programs; the same arguments give the same.

    Raises:
        ConfigError: no such environment, or ``fix-bug``, whose tasks ``opencwm tasks mutate`` makes.
    """
    if _checked(name) == FixBug.name:
        raise ConfigError("tasks are not generated on the fly", hint="opencwm tasks mutate REPO -o DIR")
    yield from _askable(held_out_traces(num_programs, seed))


def question_to_json(question: Question) -> dict[str, Any]:
    """Return one of our questions as JSON-able values."""
    if isinstance(question, Bug):
        return dataclasses.asdict(question)
    if isinstance(question, TraceQuestion):
        return trace_to_json(question.trace)
    raise TypeError(f"no question of ours: {type(question).__name__}")


def question_from_json(name: str, data: Mapping[str, Any]) -> Question:
    """Return what :func:`question_to_json` described.

    Raises:
        ConfigError: there is no such environment, or it asks no such question.
        TraceFormatError: the trace is none.
    """
    if _checked(name) != FixBug.name:
        return TraceQuestion(trace_from_json(data, where="question"))
    if set(data) != {"name", "directory"} or not all(isinstance(value, str) for value in data.values()):
        raise ConfigError("not a task's name and directory", where="question")
    return Bug(**data)


def _askable(traces: Iterator[Trace]) -> Iterator[Question]:
    return (TraceQuestion(trace) for trace in traces if is_askable(trace))


def _checked(name: str) -> str:
    if name not in ENVIRONMENTS:
        raise ConfigError(
            f"no environment {name!r}", where="environment", hint=f"one of {', '.join(ENVIRONMENTS)}"
        )
    return name
