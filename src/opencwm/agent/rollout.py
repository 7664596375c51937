"""One rollout: an attempt at a task in a box, its grading in a fresh one, and the record of both.

A record always comes of it. Its reward is None when the machinery failed (a box, a policy's server): that
says nothing about the policy, and the attempt is made again when the run is resumed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from opencwm.agent import atif
from opencwm.agent.box import open_box
from opencwm.agent.conversation import Occasion, Policy, Utterance
from opencwm.agent.episode import Episode, Limits, Stop, Turn
from opencwm.agent.loop import Tools, Watcher, run_agent
from opencwm.agent.planning.planner_config import PlannerConfig, runs_tests
from opencwm.agent.prompts import system_prompt, task_prompt
from opencwm.agent.task import Task, Verdict, grade
from opencwm.agent.token_segments import segments
from opencwm.agent.tools import PUBLISHED, Toolbox
from opencwm.core.errors import OpenCWMError
from opencwm.core.seeds import derive_seed

SCHEMA_VERSION: Final = 1
GRADED: Final = "graded"
ERROR: Final = "error"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RolloutConfig:
    """How attempts are made.

    Attributes:
        limits: see :class:`~opencwm.agent.episode.Limits`.
        tools: names of those on offer.
        kind: of box; see :class:`~opencwm.agent.box.BoxSpec`.
        seed: of the run.
        prompt: a system prompt instead of ours; None for ours.
        reasons: begin ours with the published prompt for reasoning.
        at_desk: attempt small tasks at a :class:`~opencwm.agent.small.desk.Desk`, which is faster than a box
            of their own and answers alike; what is submitted is graded in a fresh box all the same.
    """

    limits: Limits = dataclasses.field(default_factory=Limits)
    tools: tuple[str, ...] = PUBLISHED
    kind: str = "auto"
    seed: int = 0
    prompt: str | None = None
    reasons: bool = False
    at_desk: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rollout:
    """What came of an attempt.

    Attributes:
        record: one line of the sidecar.
        trajectory: see :mod:`opencwm.agent.atif`.
    """

    record: dict[str, Any]
    trajectory: dict[str, Any]


def run_rollout(
    task: Task,
    policy: Policy,
    number: int,
    config: RolloutConfig,
    *,
    grader: Callable[[Task, str], Verdict] | None = None,
    planner: PlannerConfig | None = None,
) -> Rollout:
    """Make one attempt and grade it; errors of box and policy become records.

    Args:
        task: what to solve.
        policy: who acts.
        number: of the attempt at this task, from 0; another number has another seed.
        config: how.
        grader: gives the verdict; None grades in a fresh box.
        planner: forecasts commands that run tests before they are run; None for no planner.
    """
    started = time.monotonic()
    seed = seed_of(config.seed, task.name, number)
    said = opening(task, config, calls_functions=policy.calls_functions, prompt=policy.prompt)
    turns: list[Turn] = []
    error, verdict = "", None
    episode = Episode(opening=said, turns=(), stop=Stop.TURNS, submitted=None)
    try:
        episode = run_episode(task, policy, number, config, turns.append, planner=planner)
        if episode.submitted is not None:
            verdict = (grader or _grader(config.kind))(task, episode.submitted)
            error = f"grading: {verdict.reason}" if verdict.score is None else ""
    except OpenCWMError as failure:
        error = f"{type(failure).__name__}: {failure}"
        episode = dataclasses.replace(episode, turns=tuple(turns))
    record = {
        **identity(task.name, number, seed, policy.name),
        **_outcome(episode, verdict, error),
        "seconds": round(time.monotonic() - started, 3),
        **_measured(episode),
    }
    return Rollout(record=record, trajectory=_trajectory(episode, record, config.tools))


def run_episode(
    task: Task,
    policy: Policy,
    number: int,
    config: RolloutConfig,
    watcher: Watcher | None = None,
    *,
    planner: PlannerConfig | None = None,
) -> Episode:
    """Let a policy work on a task in a box of its own; what it submits is not graded.

    Raises:
        EngineError: the policy cannot be asked.
        SandboxError: the box failed.
        TaskError: the task has nothing to make a box of.
    """
    seed = seed_of(config.seed, task.name, number)
    occasion = Occasion(task=task.name, rollout=number, seed=seed, tools=config.tools)
    limits = _limits(task, config.limits)
    said = opening(task, config, calls_functions=policy.calls_functions, prompt=policy.prompt)
    with _workplace(task, config, limits) as workplace:
        tools = workplace if planner is None else _planned(workplace, task, planner)
        return run_agent(policy.begin(occasion), tools, said, limits, watcher)


def opening(
    task: Task, config: RolloutConfig, *, calls_functions: bool = False, prompt: str | None = None
) -> tuple[Utterance, ...]:
    """Return what a policy is told first: the system prompt (``prompt`` if the run has none) and the task."""
    prompt = (
        config.prompt
        or prompt
        or system_prompt(
            config.tools,
            turns=config.limits.turns,
            tokens=config.limits.tokens,
            timeout_s=config.limits.timeout_s,
            calls_functions=calls_functions,
            reasons=config.reasons,
        )
    )
    return (
        Utterance(role="system", text=prompt),
        Utterance(role="user", text=task_prompt(task.instruction, task.workdir)),
    )


@contextlib.contextmanager
def _workplace(task: Task, config: RolloutConfig, limits: Limits) -> Iterator[Tools]:
    """Yield the tools of an attempt, over a box that is stopped afterwards."""
    if config.at_desk:
        from opencwm.agent.small.desk import Desk
        from opencwm.agent.small.lessons import lesson_of
        from opencwm.agent.small.runner import Runner

        with Runner(config.kind, timeout_s=limits.timeout_s) as runner:
            yield Desk(lesson_of(task).files, runner, limits)
        return
    with open_box(task.box_spec(config.kind)) as box:
        yield Toolbox(
            box,
            config.tools,
            timeout_s=limits.timeout_s,
            output_chars=limits.output_chars,
            context_lines=limits.context_lines,
        )


def _planned(toolbox: Tools, task: Task, planner: PlannerConfig) -> Tools:
    from opencwm.agent.planning.planner import PlannedTools, forecaster_of

    return PlannedTools(toolbox, task, forecaster_of(planner), planner)


def seed_of(run: int, task: str, number: int) -> int:
    """Return the seed of an attempt; every JSON reader can hold it exactly."""
    return derive_seed(run, task, number) % 2**53


def identity(task: str, number: int, seed: int, policy: str) -> dict[str, Any]:
    """Return the fields of a record that say which attempt it is."""
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task,
        "rollout": number,
        "seed": seed,
        "policy": policy,
    }


def failed(task: str, number: int, seed: int, policy: str, reason: str) -> dict[str, Any]:
    """Return the record of an attempt that could not be made at all."""
    nothing = Episode(opening=(), turns=(), stop=Stop.TURNS, submitted=None)
    return {
        **identity(task, number, seed, policy),
        **_outcome(nothing, None, reason),
        "seconds": 0.0,
        **_measured(nothing),
    }


def _limits(task: Task, limits: Limits) -> Limits:
    """Return the limits with the shorter of the two times, ours and the task's."""
    wanted = task.agent_timeout_s
    return limits if wanted is None else dataclasses.replace(limits, wall_s=min(wanted, limits.wall_s))


def _grader(kind: str) -> Callable[[Task, str], Verdict]:
    return lambda task, patch: grade(task, patch, kind=kind)


def _outcome(episode: Episode, verdict: Verdict | None, error: str) -> dict[str, Any]:
    """Return status, reward and reason; a reward is there only when nothing but the policy decided it."""
    if error:
        reward, reason = None, " ".join(error.split())[:1_000]
    elif verdict is None:
        reward, reason = 0.0, f"nothing submitted: {episode.stop}"
    else:
        reward = verdict.score
        reason = verdict.reason or ("" if verdict.is_resolved else str(verdict.status))
    return {
        "status": ERROR if error else GRADED,
        "reward": reward,
        "reason": reason,
        "stop": None if error and verdict is None else str(episode.stop),
        "verdict": None if verdict is None else str(verdict.status),
        "tests": {} if verdict is None else dict(verdict.tests),
        "patch": episode.submitted,
    }


def _measured(episode: Episode) -> dict[str, Any]:
    """Return the counts of an attempt, and its tokens."""
    turns = episode.turns
    counts = [(turn.reply.num_prompt_tokens, turn.reply.num_tokens) for turn in turns]
    is_counted = bool(turns) and all(None not in pair for pair in counts)
    return {
        "num_turns": len(turns),
        "num_commands": sum(turn.call is not None and turn.call.name == "bash" for turn in turns),
        "num_test_runs": sum(map(_ran_tests, turns)),
        "num_problems": sum(bool(turn.problem) for turn in turns),
        "num_backtracks": sum(turn.backtracked_to is not None for turn in turns),
        "prompt_tokens": sum(prompt or 0 for prompt, _ in counts) if is_counted else None,
        "completion_tokens": sum(reply or 0 for _, reply in counts) if is_counted else None,
        "replies": [turn.reply.text for turn in turns],
        "segments": [segment.to_json() for segment in segments(turn.reply.tokens for turn in turns)],
    }


def _ran_tests(turn: Turn) -> bool:
    """Whether a turn really ran tests."""
    if turn.call is None or turn.call.name != "bash" or (turn.forecast or {}).get("is_skipped"):
        return False
    return runs_tests(turn.call.arguments["command"])


def _trajectory(episode: Episode, record: Mapping[str, Any], tools: tuple[str, ...]) -> dict[str, Any]:
    told = ("task", "rollout", "seed", "status", "reward", "reason", "stop", "verdict", "tests")
    return atif.trajectory(
        episode,
        identity=f"{record['task']}.{record['rollout']}",
        model=record["policy"],
        tools=tools,
        extra={**{name: record[name] for name in told}, "submitted": episode.submitted},
    )
