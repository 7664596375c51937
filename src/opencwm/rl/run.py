"""One run of a recipe: evaluate, learn from rewards, evaluate again, and keep the weights if they are better.

In the run's folder: ``config.json`` (the resolved recipe), ``before.json`` and ``after.json`` (held-out
rewards, greedy and expected), ``metrics.jsonl``, ``checkpoint-N`` (TRL's, with our position among the
questions), ``reward.png``, ``report.json``, and the weights, which ``opencwm export`` takes: in ``model/``
when no held-out set got worse and one got better, else in ``rejected/model/``.

The same call goes on from the last whole checkpoint; a checkpoint is whole when it holds our position, which
is written last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import torch
from transformers import PrinterCallback, TrainerCallback
from transformers.utils import logging as library_logging

from opencwm.codec.native import NativeCodec
from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.core.stopping import stop_on_signal
from opencwm.core.version import __version__
from opencwm.model.start import start_weights
from opencwm.rl.batches import Batches
from opencwm.rl.curve import plot_curve
from opencwm.rl.environment import NativeEnvironment, environment_class
from opencwm.rl.grpo import make_trainer
from opencwm.rl.held_out import Comparison, Score, answer_all, compare, is_better
from opencwm.rl.policy import make_policy, save_policy
from opencwm.rl.questions import held_out_questions, training_questions
from opencwm.rl.recipe import RlConfig
from opencwm.rl.trace_question import TraceQuestion
from opencwm.train.device import resolved_dtype
from opencwm.train.history import history_of
from opencwm.train.metrics import METRICS_NAME, MetricsLog, read_metrics

POSITION_NAME: Final = "questions.json"
REPORT_NAME: Final = "report.json"
BEFORE_NAME: Final = "before.json"
AFTER_NAME: Final = "after.json"
CONFIG_NAME: Final = "config.json"
REJECTED: Final = "rejected"

Progress = Callable[[float, Mapping[str, Any]], None]
"""Called with the fraction done and the latest record."""

_LOGGED: Final = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "lr",
    "entropy": "entropy",
    "clip_ratio/region_mean": "clipped",
    "observation_loss": "observation_loss",
    "completions/mean_length": "answer_tokens",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RlResult:
    """How a run ended.

    Attributes:
        status: ``finished``, or ``interrupted`` by a signal: the same command goes on.
        step: updates made.
        held_out: the start and the trained policy on each held-out set, by their greedy answers; empty when
            interrupted.
        is_kept: whether the weights are better, by :func:`~opencwm.rl.held_out.is_better`.
        folder: where the weights are; None when interrupted.
    """

    status: Literal["finished", "interrupted"]
    step: int
    held_out: Mapping[str, Comparison]
    is_kept: bool
    folder: Path | None


def run_recipe(config: RlConfig, folder: Path, *, progress: Progress | None = None) -> RlResult:
    """Run a recipe in a folder, going on where it stopped.

    Raises:
        ConfigError: a source that is none, no question left to ask, or a folder with a run of another recipe.
        OpenCWMError: an answer could not be graded, or a start that is broken.
    """
    torch.set_num_threads(config.num_threads)
    library_logging.disable_progress_bar()
    _check_folder(config, folder)
    shape, weights = start_weights(config.start)
    kind = environment_class(config.environment)
    if not issubclass(kind, NativeEnvironment):
        raise ConfigError(
            "an environment without ids trains elsewhere", where=f"environment {config.environment!r}"
        )
    with contextlib.ExitStack() as stack:
        codec = NativeCodec()
        environment = stack.enter_context(kind(codec, max_tokens=shape.max_position_embeddings))  # type: ignore[call-arg]
        sets = {
            name: held_out_questions(source, environment) for name, source in config.held_out.sets.items()
        }
        without = {question.key for questions in sets.values() for question in questions}
        questions = training_questions(config, environment, without)
        if not questions or not all(sets.values()):
            empty = next((name for name, found in sets.items() if not found), "sources")
            raise ConfigError(
                "no question that can be asked", where=empty, hint="raise max_prompt_tokens or programs"
            )
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "opencwm_version": __version__,
            "recipe": {**to_dict(config), "model": to_dict(shape)},
            "start": history_of(config.start),
        }
        write_atomic(folder / CONFIG_NAME, json.dumps(described, indent=2) + "\n")
        model = make_policy(shape, weights)
        run = _Run(config, folder, model, environment, sets, questions, progress)
        stack.callback(run.close)
        before = run.before(_digest(weights, sets))
        stop = stack.enter_context(stop_on_signal())
        if not run.learn(stop):
            return RlResult(status="interrupted", step=run.step, held_out={}, is_kept=False, folder=None)
        after = {name: run.answered(name, found) for name, found in sets.items()}
        write_atomic(folder / AFTER_NAME, json.dumps({"rewards": after}) + "\n")
        compared = {
            name: compare(found, *_part(before[name], after[name], 0)) for name, found in sets.items()
        }
        expected = {
            name: compare(found, *_part(before[name], after[name], 1))
            for name, found in sets.items()
            if environment.has_one_answer
        }
        is_kept = is_better([*compared.values(), *expected.values()])
        out = folder if is_kept else folder / REJECTED
        save_policy(model, shape, out / "model")
        if not is_kept:
            for name in (CONFIG_NAME, METRICS_NAME):
                write_atomic(out / name, (folder / name).read_bytes())
        run.report(compared, expected, is_kept=is_kept)
        return RlResult(status="finished", step=run.step, held_out=compared, is_kept=is_kept, folder=out)


class _Run:
    """What a run holds while it lasts."""

    def __init__(
        self,
        config: RlConfig,
        folder: Path,
        model: Any,
        environment: NativeEnvironment[TraceQuestion],
        sets: Mapping[str, Sequence[TraceQuestion]],
        questions: Sequence[TraceQuestion],
        progress: Progress | None,
    ) -> None:
        self.config, self.folder, self.model, self.environment = config, folder, model, environment
        self.sets, self._progress = sets, progress
        self.batches = Batches(environment, questions, config.seed)
        self.step, self.used_s, self.num_tokens = 0, 0.0, 0
        self._log: MetricsLog | None = None

    def close(self) -> None:
        """Close the record."""
        if self._log is not None:
            self._log.close()

    def before(self, digest: str) -> dict[str, dict[str, Score]]:
        """Return the start's rewards by set and key; those on file if of this start and these sets."""
        path = self.folder / BEFORE_NAME
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if held.get("digest") != digest:
            held = {
                "digest": digest,
                "rewards": {name: self.answered(name, found) for name, found in self.sets.items()},
            }
            write_atomic(path, json.dumps(held) + "\n")
        rewards: dict[str, dict[str, Score]] = held["rewards"]
        return rewards

    def answered(self, name: str, questions: Sequence[TraceQuestion]) -> dict[str, Score]:
        """Return the policy's rewards on held-out questions, by key."""

        def show(done: int, total: int) -> None:
            self._tell({"kind": "answering", "set": name, "done": done, "total": total, "step": self.step})

        return answer_all(self.model, self.environment, questions, progress=show)

    def learn(self, stop: threading.Event) -> bool:
        """Make the steps of the recipe; False when it was interrupted."""
        checkpoint = _last_checkpoint(self.folder)
        if checkpoint is not None:
            held = json.loads((checkpoint / POSITION_NAME).read_text(encoding="utf-8"))
            self.step, self.batches.position = held["step"], held["position"]
            self.used_s, self.num_tokens = held["elapsed_s"], held["tokens"]
        self._log = MetricsLog(self.folder, last_step=self.step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the libraries deprecate of each other
            trainer = make_trainer(
                self.config, self.model, self.batches, self.folder, callbacks=[_Watcher(self, stop)]
            )
            trainer.remove_callback(PrinterCallback)
            self.model.compute_dtype = getattr(torch, resolved_dtype(self.config.dtype, torch.device("cpu")))
            if self.step < self.config.update.num_steps:
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            elif checkpoint is not None:  # it was stopped while it evaluated
                trainer._load_from_checkpoint(str(checkpoint))
        self.model.eval()
        self.model.compute_dtype = torch.float32
        return self.step >= self.config.update.num_steps

    def record(self, record: dict[str, Any]) -> None:
        """Write a record and tell of it."""
        if self._log is not None:
            self._log.write(record)
        self._tell(record)

    def _tell(self, record: Mapping[str, Any]) -> None:
        if self._progress is not None:
            self._progress(self.step / self.config.update.num_steps, record)

    def report(
        self, compared: Mapping[str, Comparison], expected: Mapping[str, Comparison], *, is_kept: bool
    ) -> None:
        """Write ``report.json`` and draw the curve."""
        scores, drawn = (
            {name: {**dataclasses.asdict(one), "difference": one.difference} for name, one in part.items()}
            for part in (compared, expected)
        )
        records = read_metrics(self.folder / METRICS_NAME)
        report = {
            "kind": "rl",
            "opencwm_version": __version__,
            "environment": self.config.environment,
            "seed": self.config.seed,
            "num_steps": self.step,
            "num_questions": self.batches.position,
            "num_tokens": self.num_tokens,
            "seconds": self.used_s,
            "held_out": scores,
            "held_out_drawn": drawn,
            "is_kept": is_kept,
        }
        write_atomic(self.folder / REPORT_NAME, json.dumps(report, indent=2) + "\n")
        plot_curve(self.folder, records, scores, drawn)


class _Watcher(TrainerCallback):  # type: ignore[misc]  # the library is not typed
    """Writes records, evaluates in between, stops when asked to, and completes checkpoints."""

    def __init__(self, run: _Run, stop: threading.Event) -> None:
        self._run, self._stop = run, stop
        self._clock = time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Start the clock."""
        self._clock = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop with a checkpoint when asked to."""
        self._run.step = state.global_step
        is_last = state.global_step >= args.max_steps
        if self._stop.is_set() or is_last:
            control.should_save = True
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Write the record of a step, and evaluate when it is time."""
        run = self._run
        if not logs or "loss" not in logs:
            return
        now = time.perf_counter()
        run.used_s += now - self._clock
        asked = run.batches.asked
        run.num_tokens += sum(len(one.prompt) + sum(len(a.ids) for a in one.answers) for one in asked)
        record = {"kind": "train", "step": state.global_step}
        record |= {ours: logs[theirs] for theirs, ours in _LOGGED.items() if theirs in logs}
        record |= {
            "asked": len(asked),
            "asked_reward": sum(one.mean for one in asked) / len(asked),
            "mixed": sum(one.is_mixed for one in asked) / len(asked),
            "position": run.batches.position,
            "tokens": run.num_tokens,
            "elapsed_s": round(run.used_s, 1),
        }
        run.step = state.global_step
        run.record(record)
        interval = run.config.held_out.interval_steps
        if interval and state.global_step % interval == 0:
            self._evaluate(state.global_step)
        self._clock = time.perf_counter()

    def _evaluate(self, step: int) -> None:
        run = self._run
        scores = {}
        for name, questions in run.sets.items():
            chosen = questions[: run.config.held_out.interval_questions]
            rewards = run.answered(name, chosen)
            scores[name] = sum(score[0] for score in rewards.values()) / len(rewards)
        run.record({"kind": "eval", "step": step, "held_out": scores})

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Make a checkpoint whole."""
        run = self._run
        held = {
            "step": state.global_step,
            "position": run.batches.position,
            "tokens": run.num_tokens,
            "elapsed_s": run.used_s,
        }
        write_atomic(run.folder / f"checkpoint-{state.global_step}" / POSITION_NAME, json.dumps(held) + "\n")


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{POSITION_NAME}")]
    return max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def _check_folder(config: RlConfig, folder: Path) -> None:
    """Refuse a folder that holds a run of another recipe; the number of steps may differ."""
    path = folder / CONFIG_NAME
    if not path.exists():
        return
    try:
        held = json.loads(path.read_text(encoding="utf-8"))["recipe"]
        held["update"]["num_steps"] = config.update.num_steps
        held.pop("model", None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            "is no run of this command", where=str(folder), hint="name another folder"
        ) from None
    if held != to_dict(config):
        raise ConfigError("holds a run of another recipe", where=str(folder), hint="name another folder")


def _part(
    before: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]], index: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return one of the two numbers of the scores of both; they may have been read from JSON."""
    one, other = ({key: score[index] for key, score in scores.items()} for scores in (before, after))
    return one, other


def _digest(weights: Mapping[str, Any], sets: Mapping[str, Sequence[TraceQuestion]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(weights[name].tobytes())
    for name, questions in sets.items():
        digest.update(json.dumps([name, *(question.key for question in questions)]).encode())
    return digest.hexdigest()
