"""The training loop: batches in, steps, held-out evaluation, checkpoints; the same on a CPU and on many GPUs.

The idea: a run is a folder. Started on a folder that holds a checkpoint it goes on exactly where that left
off, data included, on however many ranks; SIGTERM and SIGINT end a run by writing one. Under ``torchrun``
every rank goes through this loop at once (:mod:`opencwm.train.ranks`). It does not make documents, tokenize,
or export.

Files: ``config.json`` (the resolved recipe), ``metrics.jsonl``, ``loss.png``, ``checkpoint/``, ``model/``
(of an adapter ``adapter/``, and ``model/`` at the end).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.core.stopping import stop_on_signal
from opencwm.core.version import __version__
from opencwm.train import checkpoint as checkpoints
from opencwm.train.building import build_model, export_weights, trained
from opencwm.train.canary import Canary
from opencwm.train.config import TrainConfig
from opencwm.train.data import (
    Batch,
    Packer,
    TokenDocument,
    TokenSource,
    nothing_fits,
    open_held_out,
    open_source,
    pack_all,
)
from opencwm.train.device import resolved_dtype
from opencwm.train.evaluation import EvalReport, evaluate
from opencwm.train.feed import DeviceBatch, Feed, check_ids
from opencwm.train.heap import keep_heap, trim_heap
from opencwm.train.history import history_of
from opencwm.train.metrics import Meter, MetricsLog, plot_loss
from opencwm.train.optimizer import AveragedWeights, Optimizer, rate_factor
from opencwm.train.ranks import Ranks, Word, joined, local_device

Progress = Callable[[float, Mapping[str, Any]], None]
"""Called after every logged step with the used fraction of the run (0 to 1) and the record just written."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a run ended.

    ``status``: ``finished`` (its schedule), ``exhausted`` (its data) or ``interrupted`` (by a signal: resume
    it). ``loss`` is that of the last record.
    """

    status: Literal["finished", "exhausted", "interrupted"]
    step: int
    loss: float
    evaluation: EvalReport


def train(
    config: TrainConfig,
    out: Path,
    *,
    source: TokenSource | None = None,
    held_out: Iterable[TokenDocument] | None = None,
    class_names: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train to the end of the schedule, resuming from ``out`` when it holds a checkpoint.

    Args:
        config: the recipe.
        out: the run's folder, made when missing.
        source: training documents; None means those ``config.data`` names.
        held_out: evaluation documents, read whole; None means those ``config.data`` names, if any.
        class_names: names for the documents' ``class_ids`` in evaluation reports.
        progress: called after every logged step.

    Raises:
        ConfigError: a bad recipe, a source that yields nothing usable, or a checkpoint of another model.
    """
    torch.set_num_threads(config.num_threads)
    owned = source is None
    if source is None:
        source = open_source(config.data)
    held_out = open_held_out(config.data) if held_out is None else held_out
    with contextlib.ExitStack() as stack:
        if owned and hasattr(source, "close"):
            stack.callback(source.close)
        device = local_device(config.device)
        ranks = stack.enter_context(joined(device))
        run = _Run(
            config, out, source, pack_all(held_out, config.batch), class_names or {}, progress, device, ranks
        )
        stack.callback(run.close)
        return run.go(stack.enter_context(stop_on_signal()))


class _Run:
    """The state of one training run between steps, the same on all ranks but for their shares of tensors."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        source: TokenSource,
        held_out: list[Batch],
        class_names: Mapping[int, str],
        progress: Progress | None,
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        config = dataclasses.replace(config, batch=config.batch.dealt_to(ranks.world))
        for batch in held_out:
            check_ids(batch, config.model.vocab_size)
        self.class_names, self.progress, self.device, self.ranks = class_names, progress, device, ranks
        config = dataclasses.replace(config, dtype=resolved_dtype(config.dtype, device))
        self.config, self.out, self.held_out = config, out, held_out
        if device.type == "cpu":
            keep_heap()
        self.model = build_model(config, device, ranks)
        self.optimizer = Optimizer(self.model, config.optimizer, getattr(torch, config.dtype))
        decay = config.optimizer.ema_decay
        self.average = AveragedWeights(self.model, decay) if decay else None
        self.packer = Packer(source, config.batch)
        vocab_size, num_ahead = config.model.vocab_size, config.batch.num_ahead
        self.feed = Feed(self.packer, device, vocab_size, num_ahead=num_ahead, ranks=ranks)
        self.step, self.num_tokens, self.used_s = 0, 0, 0.0
        self.canary = Canary(config.canary, device, ranks)
        self.evaluation: EvalReport = {}
        peak_flops = config.peak_flops * ranks.world
        self._meter = Meter(flops_per_token=_flops_per_token(config), peak_flops=peak_flops)
        self._restore()
        self._log = self._open_log() if ranks.is_first else None
        self._started = time.perf_counter() - self.used_s
        self._saved = time.perf_counter()

    def _open_log(self) -> MetricsLog:
        resolved = {
            "opencwm_version": __version__,
            "ranks": self.ranks.world,
            "recipe": to_dict(self.config),
            "start": history_of(self.config.init.folder) if self.config.init.weights else {},
        }
        write_atomic(self.out / "config.json", json.dumps(resolved, indent=2) + "\n")
        return MetricsLog(self.out, last_step=self.step)

    def close(self) -> None:
        """End the thread that makes batches, and close the record."""
        self.feed.close()
        if self._log:
            self._log.close()

    def go(self, stop: threading.Event) -> TrainResult:
        """Train until the schedule, the data or the user says so."""
        status: Literal["finished", "exhausted", "interrupted"] = "finished"
        while self.fraction() < 1.0:
            micro_batches = self._next_batches()
            if not micro_batches:
                status = "exhausted"
                break
            self._train_step(micro_batches)
            word = self._agree(micro_batches, stop)
            if word.stop:
                status = "interrupted"
                break
            interval = self.config.eval_interval_steps
            if interval and self.step % interval == 0 and self.fraction() < 1.0:
                self._evaluate()
            if word.save:
                self.save()
        if self.step == 0:
            raise nothing_fits()
        if status != "interrupted":
            self._flush_metrics()
            self._evaluate()
        self.save(is_last=status != "interrupted")
        if self.ranks.is_first:
            plot_loss(self.out)
        return TrainResult(
            status=status, step=self.step, loss=self._meter.last_loss, evaluation=self.evaluation
        )

    def fraction(self) -> float:
        """Return the used fraction of the run, 0 to 1."""
        schedule = self.config.schedule
        if schedule.num_steps:
            return self.step / schedule.num_steps
        return min(1.0, self.used_s / schedule.time_budget_s)

    def _agree(self, batches: list[DeviceBatch], stop: threading.Event) -> Word:
        """Settle with the other ranks how to go on after a step."""
        now = time.perf_counter()
        word = self.ranks.agree(
            stop=stop.is_set(),
            save=now - self._saved > self.config.checkpoint_interval_s,
            used_s=now - self._started,
            seen=sum(batch.checksum for batch in batches),
        )
        self.used_s = word.used_s
        return word

    def _next_batches(self) -> list[DeviceBatch]:
        batches: list[DeviceBatch] = []
        with contextlib.suppress(StopIteration):
            while len(batches) < self.config.batch.num_micro_batches:
                batches.append(self.feed.next())
        return batches

    def _train_step(self, batches: list[DeviceBatch]) -> None:
        factor = rate_factor(self.config.schedule, step=self.step, progress=self.fraction())
        num_targets = sum(batch.num_targets for batch in batches)
        losses = [self._backward(batch, num_targets) for batch in batches]
        norm = self.optimizer.step(factor)
        if self.average:
            self.average.update()
        self.step += 1
        num_tokens = sum(batch.num_tokens for batch in batches)
        self.num_tokens += num_tokens
        self.canary.check(self.num_tokens)
        loss = self.ranks.sum(torch.stack(losses).sum())
        self._meter.add(loss, norm, num_tokens=num_tokens, num_targets=num_targets)
        if self.step % self.config.log_interval_steps == 0 or self.step == 1:
            self._flush_metrics()

    def _backward(self, batch: DeviceBatch, num_targets: int) -> Tensor:
        loss_P, right_P = self.model(
            batch.ids_BT,
            batch.doc_BT,
            batch.positions_P,
            batch.borders_A,
            batch.targets_P,
            self.config.parallel.loss_chunk,
        )
        self.canary.count(self.num_tokens, right_P, batch.classes_P)
        loss: Tensor = loss_P.sum() / num_targets
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _flush_metrics(self) -> None:
        if not self._meter.num_steps:
            return
        self._demand_finite()
        record = {
            "kind": "train",
            "step": self.step,
            "tokens": self.num_tokens,
            **self._meter.take(self.feed.waited_s),
        }
        record["lr"] = self.optimizer.rate
        record["dropped"] = self.packer.num_dropped
        record["elapsed_s"] = round(time.perf_counter() - self._started, 3)
        self._write(record)

    def _demand_finite(self) -> None:
        if not self._meter.is_finite():
            raise ConfigError(
                f"the loss is no longer a number at step {self.step}",
                where=str(self.out),
                hint="lower optimizer.learning_rate and start again from the last checkpoint",
            )

    def _evaluate(self) -> None:
        if not self.held_out:
            return
        if self.average:
            self.average.swap()
        self.evaluation = evaluate(self.model, self.held_out, self.class_names, self.ranks)
        if self.average:
            self.average.swap()
        self._write({"kind": "eval", "step": self.step, **self.evaluation})
        self._meter.skip_time()

    def _write(self, record: dict[str, Any]) -> None:
        if self._log:
            self._log.write(record)
            if self.progress:
                self.progress(self.fraction(), record)

    def save(self, *, is_last: bool = False) -> None:
        """Write the checkpoint and the weights for others; all ranks come here after the same step."""
        self._demand_finite()
        state = {
            "average_steps": self.average.steps if self.average else None,
            "data": self._data_state(),
            "step": self.step,
            "num_tokens": self.num_tokens,
            "used_s": time.perf_counter() - self._started,
            "random": torch.get_rng_state(),
            "meter": self._meter.state(),
            "canary": self.canary.state(),
        }
        checkpoints.save_checkpoint(self.out, self.config, self._tensors(), state, self.ranks)
        if self.average:
            self.average.swap()
        export_weights(self.out, self.model, self.ranks, is_last=is_last)
        if self.average:
            self.average.swap()
        trim_heap()
        self._saved = time.perf_counter()
        self._meter.skip_time()

    def _tensors(self) -> dict[str, Tensor]:
        """Return all live tensors of a checkpoint, this rank's shares of them."""
        kinds = {"model": trained(self.model), "optimizer": self.optimizer.tensors()}
        if self.average:
            kinds["average"] = self.average.tensors()
        return {f"{kind}.{name}": tensor for kind, named in kinds.items() for name, tensor in named.items()}

    def _data_state(self) -> dict[str, Any]:
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in self.feed.state().items()
        }

    def _restore(self) -> None:
        state = checkpoints.load_state(self.out, self.config)
        if state is None:
            return
        was_averaged = state["average_steps"] is not None
        saved = {
            name: tensor
            for name, tensor in self._tensors().items()
            if was_averaged or not name.startswith("average.")
        }
        checkpoints.load_tensors(self.out, saved, self.ranks)
        if self.average and was_averaged:
            self.average.steps = state["average_steps"]
        elif self.average:
            self.average = AveragedWeights(self.model, self.config.optimizer.ema_decay)
        self.packer.restore(state["data"])
        self.step, self.num_tokens, self.used_s = state["step"], state["num_tokens"], state["used_s"]
        self._meter.restore(state["meter"])
        self.canary.restore(state["canary"])
        torch.set_rng_state(state["random"])


def _flops_per_token(config: TrainConfig) -> float:
    """Training operations a token, taking documents to fill half of what they may on average."""
    return config.model.flops_per_token(config.batch.document_limit // 4)
