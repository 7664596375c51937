"""Learning from attempts at small tasks: real outcomes, policy gradient, in rounds.

The idea: a round is some attempts at each of some tasks by the model as it is, and one pass over their own
tokens. An attempt's advantage is its outcome (the examples pass: 1, else 0) minus the mean of its group; a
group that all solved or none teaches nothing and is left out. No KL term, no division by standard deviations
or lengths, ratios clipped at 1 - 0.2 and 1 + 0.25, tokens as they were sampled. The policy is the model under
the grammar of its replies, at the temperature of sampling: a probability is one among the ids that were let
through.

Each round leaves ``round-NNN/``, a model folder that acts; ``practice.jsonl`` has a line a round, and a run
goes on after its last round (the optimizer begins anew).

Source: CWM (arXiv 2510.02387), section 5.2, for the form of the loss.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor

from opencwm.agent.small.actor import export_actor
from opencwm.agent.small.attempts import Attempt, make_attempts
from opencwm.agent.small.lessons import read_lessons
from opencwm.agent.small.runner import Runner
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.model.folder import META_NAME
from opencwm.model.torch_decoder import Decoder, document_borders
from opencwm.train.checkpoint import load_model, save_model
from opencwm.train.config import OptimizerConfig
from opencwm.train.data import Document, pack
from opencwm.train.device import resolved_dtype
from opencwm.train.optimizer import Optimizer

LOG_NAME: Final = "practice.jsonl"
PLOT_NAME: Final = "practice.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PracticeConfig:
    """How a model practises.

    Attributes:
        start: ``model/`` of the run that taught it, or a folder ``round-NNN``.
        tasks: folder of small tasks.
        operators: practise only at tasks made by these changes; at all when empty.
        num_rounds: how many.
        tasks_per_round: how many, drawn anew each round.
        attempts: at each task of a round.
        temperature: of sampling.
        learning_rate: of AdamW.
        warmup_steps: steps over which the rate rises to it, when a run begins or goes on.
        negative_weight: of attempts below the mean of their group; 0 learns from successes alone.
        clip_low, clip_high: how far a token's probability may fall and rise in a round.
        row_tokens: of a packed row.
        rows_per_step: rows of one step of the optimizer.
        num_threads: of torch.
        dtype: what is learned in, as in recipes of training. Attempts are sampled in fp32; what ratios are
            taken to is computed anew in this type before a round is learned from, so that they begin at 1.
        seed: of everything.
    """

    start: str
    tasks: str
    operators: tuple[str, ...] = ()
    num_rounds: int = 8
    tasks_per_round: int = 24
    attempts: int = 8
    temperature: float = 1.0
    learning_rate: float = 2e-5
    warmup_steps: int = 10
    negative_weight: float = 1.0
    clip_low: float = 0.2
    clip_high: float = 0.25
    row_tokens: int = 4096
    rows_per_step: int = 4
    num_threads: int = 1
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.num_rounds, self.tasks_per_round, self.attempts - 1, self.rows_per_step)
        if min(*counts, self.num_threads) < 1:
            raise ConfigError("counts are >= 1, and attempts >= 2", where="practice")
        if self.temperature <= 0 or self.learning_rate <= 0:
            raise ConfigError("temperature and learning_rate are above 0", where="practice")


@dataclasses.dataclass(frozen=True, slots=True)
class Graded:
    """An attempt to learn from: its tokens, those that it chose among others, and its advantage."""

    document: Document
    allowed: tuple[frozenset[int], ...]
    advantage: float


Progress = Callable[[int, str], object]


def practise(
    config: PracticeConfig, out: Path, progress: Progress = lambda _, __: None
) -> list[dict[str, Any]]:
    """Practise to the last round, and return the lines of ``practice.jsonl``.

    Args:
        config: how.
        out: the folder.
        progress: told the number of a round and what came of it.

    Raises:
        ConfigError: there is no such model, or no task.
        SandboxError: no box can be made.
    """
    torch.set_num_threads(config.num_threads)
    lessons = read_lessons(Path(config.tasks), config.operators)
    if not lessons:
        raise ConfigError("there is no such small task", where=config.tasks)
    records = _records(out)[: config.num_rounds]
    start = out / _round(len(records)) if records else Path(config.start)
    model = load_model(start)
    model.compute_dtype = getattr(torch, resolved_dtype(config.dtype, torch.device("cpu")))
    optimizer = Optimizer(model, OptimizerConfig(learning_rate=config.learning_rate, weight_decay=0.0))
    folder, num_steps = _exported(model, out, len(records), config), 0
    with Runner() as runner:
        for number in range(len(records) + 1, config.num_rounds + 1):
            began = time.monotonic()
            rng = random.Random(f"{config.seed} {number}")  # noqa: S311 - reproducible, nothing secret
            drawn = rng.sample(lessons, min(config.tasks_per_round, len(lessons)))
            groups = make_attempts(
                folder,
                drawn,
                runner,
                num_each=config.attempts,
                seed=config.seed + number,
                temperature=config.temperature,
            )
            sampled = time.monotonic()
            attempts = list(graded(groups, config.negative_weight))
            learned = learn(model, optimizer, attempts, config, num_steps)
            num_steps += int(learned["num_steps"])
            folder = _exported(model, out, number, config)
            timed = {"sampling_s": sampled - began, "learning_s": time.monotonic() - sampled}
            records.append({"round": number, **summary(groups), **learned, **timed})
            write_atomic(out / LOG_NAME, "".join(json.dumps(record) + "\n" for record in records))
            plot(records, out / PLOT_NAME)
            progress(number, _line(records[-1]))
    return records


def graded(groups: Sequence[Sequence[Attempt]], negative_weight: float = 1.0) -> Iterator[Graded]:
    """Yield the attempts that differ from the mean of their group, with their advantage.

    Advantages below 0 are multiplied by ``negative_weight``.
    """
    for group in groups:
        mean = sum(attempt.is_solved for attempt in group) / len(group)
        for attempt in group:
            advantage = (attempt.is_solved - mean) * (1.0 if attempt.is_solved else negative_weight)
            places = sorted(attempt.segment.allowed)
            if advantage and places:
                ids = np.array(attempt.segment.ids, np.int64)
                mask = np.zeros(len(ids), np.bool_)
                mask[places] = True
                allowed = tuple(attempt.segment.allowed[place] for place in places)
                yield Graded(Document(ids, mask), allowed, advantage)


def learn(
    model: Decoder,
    optimizer: Optimizer,
    attempts: Sequence[Graded],
    config: PracticeConfig,
    num_before: int = 0,
) -> dict[str, float]:
    """Pass over attempts once, ``num_before`` steps after the first; return the measures of the pass."""
    rows = list(_rows(attempts, config.row_tokens))
    num_tokens = sum(len(one.allowed) for one in attempts)
    with torch.no_grad():
        before = [_logarithms(model, row, config) for row in rows]
    norms: list[float] = []
    clipped = 0
    for start in range(0, len(rows), config.rows_per_step):
        step = rows[start : start + config.rows_per_step]
        scale = sum(len(one.allowed) for row in step for one in row)
        for row, old_P in zip(step, before[start : start + config.rows_per_step], strict=True):
            loss, num_clipped = _loss(_logarithms(model, row, config), old_P, row, config)
            (loss / scale).backward()  # type: ignore[no-untyped-call]
            clipped += num_clipped
        rate = min(1.0, (num_before + len(norms) + 1) / max(config.warmup_steps, 1))
        norms.append(float(optimizer.step(rate)))
    return {
        "num_learned": len(attempts),
        "num_steps": len(norms),
        "grad_norm": float(np.mean(norms)) if norms else 0.0,
        "clipped": clipped / max(num_tokens, 1),
    }


def _rows(attempts: Sequence[Graded], row_tokens: int) -> Iterator[list[Graded]]:
    """Fill rows in order of arrival; within a row by length, as they are packed."""
    row: list[Graded] = []
    for one in attempts:
        if row and sum(len(other.document.ids) for other in [*row, one]) > row_tokens:
            yield sorted(row, key=lambda other: len(other.document.ids))
            row = []
        row.append(one)
    if row:
        yield sorted(row, key=lambda other: len(other.document.ids))


def _logarithms(model: Decoder, row: Sequence[Graded], config: PracticeConfig) -> Tensor:
    """Return the logarithm of the probability of each choice of a row, among what was allowed, shape (P,)."""
    batch = pack([[one.document for one in row]], max(config.row_tokens, _length(row)), 1)
    doc_BT = torch.from_numpy(batch.doc_BT)
    logits_PV = model(
        torch.from_numpy(batch.ids_BT), doc_BT, torch.from_numpy(batch.positions_P), document_borders(doc_BT)
    )
    is_allowed_PV = torch.zeros_like(logits_PV, dtype=torch.bool)
    for place, ids in enumerate(itertools.chain(*(one.allowed for one in row))):
        is_allowed_PV[place, list(ids)] = True
    allowed_PV = (logits_PV / config.temperature).masked_fill(~is_allowed_PV, -torch.inf)
    logarithms_PV = allowed_PV.log_softmax(-1)
    chosen_P: Tensor = logarithms_PV.gather(1, torch.from_numpy(batch.targets_P)[:, None])[:, 0]
    return chosen_P


def _loss(
    now_P: Tensor, before_P: Tensor, row: Sequence[Graded], config: PracticeConfig
) -> tuple[Tensor, int]:
    """Return the summed loss of a row's choices, and how many of them are clipped."""
    each = np.repeat([one.advantage for one in row], [len(one.allowed) for one in row]).astype(np.float32)
    advantage_P = torch.from_numpy(each)
    ratio_P = torch.exp(now_P - before_P)
    kept_P = ratio_P.clamp(1.0 - config.clip_low, 1.0 + config.clip_high)
    gain_P = torch.minimum(ratio_P * advantage_P, kept_P * advantage_P)
    return -gain_P.sum(), int((gain_P.detach() < (ratio_P * advantage_P).detach()).sum())


def _length(row: Sequence[Graded]) -> int:
    return sum(len(one.document.ids) for one in row)


def summary(groups: Sequence[Sequence[Attempt]]) -> dict[str, float]:
    """Return what is to be told of attempts."""
    attempts = list(itertools.chain(*groups))
    solved = [attempt for attempt in attempts if attempt.is_solved]
    return {
        "num_attempts": len(attempts),
        "solved": len(solved) / len(attempts),
        "solved_by_any": sum(any(one.is_solved for one in group) for group in groups) / len(groups),
        "submitted": sum(attempt.stop == "finished" for attempt in attempts) / len(attempts),
        "turns": sum(attempt.num_turns for attempt in attempts) / len(attempts),
        "backtracks": sum(attempt.num_backtracks for attempt in attempts) / len(attempts),
    }


def _exported(model: Decoder, out: Path, number: int, config: PracticeConfig) -> Path:
    """Write the model as it is after a round; return its folder."""
    folder = out / _round(number)
    if not (folder / META_NAME).is_file():
        scratch = out / ".weights"
        save_model(scratch, model)
        training = {"practice": dataclasses.asdict(config), "round": number}
        export_actor(scratch, folder, training=training, precision="fp32")
    return folder


def _round(number: int) -> str:
    return f"round-{number:03}"


def _records(out: Path) -> list[dict[str, Any]]:
    path = out / LOG_NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _line(record: dict[str, Any]) -> str:
    return (
        f"solved {record['solved']:.1%} of {record['num_attempts']} attempts,"
        f" {record['solved_by_any']:.1%} of tasks by some attempt,"
        f" turns {record['turns']:.1f}, backtracks {record['backtracks']:.2f}"
    )


def plot(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the share of solved attempts, turns and backtracks by round."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    rounds = [record["round"] for record in records]
    for name, label in (("solved_by_any", "some attempt of a group"), ("solved", "an attempt")):
        left.plot(rounds, [record[name] for record in records], marker="o", label=label)
    left.set(xlabel="round", ylabel="share solved, training tasks", ylim=(0.0, 1.0))
    for name in ("turns", "backtracks"):
        right.plot(rounds, [record[name] for record in records], marker="o", label=name)
    right.set(xlabel="round", ylabel="mean of an attempt")
    for axes in (left, right):
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
