"""Demonstrations: a search that is told the answer, really carried out, as sequences to train on.

The demonstrator looks, runs the examples, tries zero to three changes of one token that a searcher might try,
takes each back when the examples still fail, makes the right change, and submits. What it does is run like
any attempt (:func:`~opencwm.agent.loop.run_agent`). The changes that were taken back carry no loss: a model
is to learn that one goes back after them, and not to make them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.conversation import Occasion, Reply, Speaker, Tokens, Utterance
from opencwm.agent.episode import Episode, Limits
from opencwm.agent.loop import run_agent
from opencwm.agent.prompts import task_prompt
from opencwm.agent.scripted import Play, ScriptedPolicy
from opencwm.agent.searcher import Repair, edit_call, repairs
from opencwm.agent.small.desk import TOOLS, Desk
from opencwm.agent.small.examples_file import RUN, SHOW, SOLUTION, TESTS, passes
from opencwm.agent.small.phrases import BECOMES, DONE, SYSTEM_PROMPT
from opencwm.agent.small.runner import Runner
from opencwm.agent.task import Task, find_tasks, read_task
from opencwm.agent.token_policy import message_of
from opencwm.agent.token_segments import segments
from opencwm.codec.cwm_chat import encode_chat
from opencwm.codec.cwm_special import END_OF_TURN
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.codec.lexer import pieces
from opencwm.core.errors import TaskError
from opencwm.core.seeds import derive_rng

LIMITS: Final = Limits(
    turns=24,
    tokens=1_200,
    wall_s=120.0,
    malformed=3,
    repeats=3,
    timeout_s=2.0,
    output_chars=800,
    context_lines=1,
)
"""What an attempt at a small task may use."""
_NUM_DETOURS: Final = (0, 0, 0, 0, 0, 0, 0, 1, 1, 2)


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """A small task with its answer.

    Attributes:
        task: as read.
        files: what the agent finds, by name.
        lineno: the line that is wrong, from 1.
        line: what stands there instead.
        operator: name of the change that made it wrong.
    """

    task: Task
    files: dict[str, str]
    lineno: int
    line: str
    operator: str

    @property
    def opening(self) -> tuple[Utterance, ...]:
        """What an attempt begins with."""
        return (
            Utterance(role="system", text=SYSTEM_PROMPT),
            Utterance(role="user", text=task_prompt(self.task.instruction, self.task.workdir)),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A sequence to train on.

    Attributes:
        ids: token ids.
        mask: 1 where the id is to be learned.
    """

    ids: list[int]
    mask: list[int]


def read_lessons(folder: Path, operators: Collection[str] = ()) -> list[Lesson]:
    """Read the small tasks of a folder, in order of their names.

    Args:
        folder: holds them.
        operators: read only tasks made by these changes; by any when empty.

    Raises:
        TaskError: a task is broken, or no small one.
    """
    lessons = [lesson_of(read_task(path)) for path in find_tasks(folder)]
    return [lesson for lesson in lessons if not operators or lesson.operator in operators]


def lesson_of(task: Task) -> Lesson:
    """Return what a small task's folder says.

    Raises:
        TaskError: it is no small task.
    """
    ours: dict[str, Any] = task.config.get("metadata", {}).get("opencwm", {})
    if ours.get("origin") != "small":
        raise TaskError("is no small task", where=str(task.directory))
    root = task.directory / ours["files"]
    files = {name: (root / name).read_text(encoding="utf-8") for name in (SOLUTION, TESTS)}
    return Lesson(task, files, ours["lineno"], ours["line"], ours["operator"])


def demonstrate(
    lesson: Lesson, tokenizer: Tokenizer, runner: Runner, seed: int, *, is_whole: bool = True
) -> Written | None:
    """Return a demonstration; None when it did not fit the limits.

    Args:
        lesson: what it is about.
        tokenizer: of the model that is to learn from it.
        runner: entered.
        seed: fixes what is tried.
        is_whole: False ends it with the change that was right: what comes after it is soon learned, and a
            short sequence costs less.

    Raises:
        SandboxError: the runner failed.
    """
    policy = ScriptedPolicy(lambda _, occasion: _play(lesson, occasion), name="demonstrator")
    occasion = Occasion(task=lesson.task.name, rollout=0, seed=seed, tools=TOOLS)
    desk = Desk(lesson.files, runner, LIMITS)
    speaker = in_tokens(policy.begin(occasion), tokenizer)
    episode = run_agent(speaker, desk, lesson.opening, LIMITS)
    if episode.submitted is None or not desk.is_solved():
        return None
    return written(episode) if is_whole else _cut(written(episode))


def _cut(whole: Written) -> Written:
    """Return a demonstration up to the right change: the fourth reply from its end."""
    starts = [n for n in range(1, len(whole.mask)) if whole.mask[n] > whole.mask[n - 1]]
    end = whole.mask.index(0, starts[-4])
    return Written(whole.ids[:end], whole.mask[:end])


def _play(lesson: Lesson, occasion: Occasion) -> Play:
    rng = derive_rng(occasion.seed, lesson.task.name)
    source = lesson.files[SOLUTION]
    yield f"<tool: bash>\n{SHOW}\n</tool>"
    yield f"<tool: bash>\n{RUN}\n</tool>"
    others = [one for one in repairs(source) if one.line != lesson.line]
    detours = rng.sample(others, min(rng.choice(_NUM_DETOURS), len(others)))
    for repair in (*detours, Repair(lesson.lineno, lesson.line, is_operator=True)):
        yield f"{plan(source, repair)}\n{edit_call(SOLUTION, source, repair)}"
        said = yield f"<tool: bash>\n{RUN}\n</tool>"
        if passes(said.partition("\n</output>")[0]):
            yield "<tool: submit>\n\n</tool>"
            yield DONE
            return
        yield "<tool: undo>\n\n</tool>"


def plan(source: str, repair: Repair) -> str:
    """Return what a repair does in a line: the number of the line, the pieces that go, those that come.

    It is said before the call, whose lines are then mostly copied: which piece is wrong would otherwise have
    to be decided in the middle of copying.
    """
    old = [piece.text for piece in pieces(source.split("\n")[repair.lineno - 1].strip())]
    new = [piece.text for piece in pieces(repair.line.strip())]
    first = _num_common(old, new)
    last = _num_common(old[first:][::-1], new[first:][::-1])
    if min(len(old), len(new)) - last <= first:  # something is only added, or only taken away
        first, last = (first - 1, last) if first else (first, max(last - 1, 0))
    wrong, right = ("".join(line[first : len(line) - last]) for line in (old, new))
    return f"{repair.lineno:6}\t{wrong}{BECOMES}{right}"


def _num_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items two sequences share at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def in_tokens(speaker: Speaker, tokenizer: Tokenizer) -> Speaker:
    """Return a speaker whose replies have their ids, as a :class:`TokenPolicy` would have sampled them."""
    ids: list[int] = []
    num_said = 0

    def speak(conversation: Sequence[Utterance]) -> Reply:
        nonlocal num_said
        new = [message_of(one) for one in conversation[num_said:] if one.role != "assistant"]
        opened = encode_chat(tokenizer, new)
        ids.extend(opened if not ids else opened[1:])
        num_said = len(conversation)
        reply = speaker(conversation)
        prompt = tuple(ids)
        said = (*tokenizer.encode(reply.text), tokenizer.special_id(END_OF_TURN))
        ids.extend(said)
        return dataclasses.replace(
            reply, tokens=Tokens(prompt, said), num_prompt_tokens=len(prompt), num_tokens=len(said)
        )

    return speak


def written(episode: Episode) -> Written:
    """Return an attempt as one sequence, without loss on edits that were taken back."""
    (segment,) = segments(turn.reply.tokens for turn in episode.turns)
    mask = list(segment.loss_mask)
    standing: list[tuple[int, int]] = []
    for turn in episode.turns:
        tokens = turn.reply.tokens
        if turn.call is None or tokens is None:
            continue
        if turn.call.name == "edit" and not turn.problem:
            start = len(tokens.prompt_ids)
            standing.append((start, start + len(tokens.ids)))
        elif turn.call.name == "undo" and turn.restored and standing:
            start, end = standing.pop()
            mask[start:end] = [0] * (end - start)
    return Written(segment.ids, mask)
