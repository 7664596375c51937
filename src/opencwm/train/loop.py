"""The training loop: batches in, steps, held-out evaluation, checkpoints; the same on a CPU and on one GPU.

The idea: a run is a folder. Started on a folder that holds a checkpoint it goes on exactly where that left
off, data included; SIGTERM and SIGINT end a run by writing one. It does not make documents, tokenize, or
export.

Files: ``config.json`` (the resolved recipe), ``metrics.jsonl``, ``loss.png``, ``checkpoint.pt``, ``model/``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from opencwm.core.config import to_dict
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic
from opencwm.core.version import __version__
from opencwm.model.torch_decoder import Decoder
from opencwm.train import checkpoint as checkpoints
from opencwm.train.canary import Canary
from opencwm.train.config import TrainConfig
from opencwm.train.data import Batch, Packer, TokenDocument, TokenSource, pack_all, resolve
from opencwm.train.evaluation import EvalReport, evaluate
from opencwm.train.feed import DeviceBatch, Feed, check_ids
from opencwm.train.heap import keep_heap, trim_heap
from opencwm.train.metrics import Meter, MetricsLog, plot_loss
from opencwm.train.optimizer import AveragedWeights, Optimizer, rate_factor

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
        source = resolve(config.data.source)(**config.data.options)
    if held_out is None:
        held_out = (
            resolve(config.data.held_out)(**config.data.held_out_options) if config.data.held_out else ()
        )
    with contextlib.ExitStack() as stack:
        if owned and hasattr(source, "close"):
            stack.callback(source.close)
        run = _Run(config, out, source, pack_all(held_out, config.batch), class_names or {}, progress)
        stack.callback(run.log.close)
        stack.callback(run.feed.close)
        return run.go(stack.enter_context(_stop_on_signal()))


class _Run:
    """The state of one training run between steps."""

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        source: TokenSource,
        held_out: list[Batch],
        class_names: Mapping[int, str],
        progress: Progress | None,
    ) -> None:
        for batch in held_out:
            check_ids(batch, config.model.vocab_size)
        self.class_names, self.progress = class_names, progress
        self.device = _choose_device(config.device)
        config = dataclasses.replace(config, dtype=_choose_dtype(config.dtype, self.device))
        self.config, self.out, self.held_out = config, out, held_out
        if self.device.type == "cpu":
            keep_heap()
        torch.manual_seed(config.seed)
        self.model = Decoder(config.model, compute_dtype=getattr(torch, config.dtype)).to(self.device)
        if config.compile:
            if self.device.type == "cpu":
                raise ConfigError(
                    "compile is for GPUs: on a CPU every batch would compile anew", where="recipe"
                )
            for layer in self.model.model.layers:
                layer.compile()
        self.optimizer = Optimizer(self.model, config.optimizer)
        decay = config.optimizer.ema_decay
        self.average = AveragedWeights(self.model, decay) if decay else None
        self.packer = Packer(source, config.batch)
        self.feed = Feed(self.packer, self.device, config.model.vocab_size, num_ahead=config.batch.num_ahead)
        self.step, self.num_tokens, self.used_s = 0, 0, 0.0
        self.canary = Canary(config.canary, self.device)
        self.evaluation: EvalReport = {}
        self._meter = Meter(flops_per_token=_flops_per_token(config), peak_flops=config.peak_flops)
        self._restore()
        out.mkdir(parents=True, exist_ok=True)
        resolved = {"opencwm_version": __version__, "recipe": to_dict(config)}
        write_atomic(out / "config.json", json.dumps(resolved, indent=2) + "\n")
        self.log = MetricsLog(out, last_step=self.step)
        self._started = time.perf_counter() - self.used_s
        self._saved = time.perf_counter()

    def go(self, stop: threading.Event) -> TrainResult:
        """Train until the schedule, the data or the user says so."""
        status: Literal["finished", "exhausted", "interrupted"] = "finished"
        while self.fraction() < 1.0:
            micro_batches = self._next_batches()
            if not micro_batches:
                status = "exhausted"
                break
            self._train_step(micro_batches)
            if stop.is_set():
                status = "interrupted"
                break
            interval = self.config.eval_interval_steps
            if interval and self.step % interval == 0 and self.fraction() < 1.0:
                self._evaluate()
            if time.perf_counter() - self._saved > self.config.checkpoint_interval_s:
                self.save()
        if self.step == 0:
            raise ConfigError("the source yields no document that fits", where="data.source")
        if status != "interrupted":
            self._flush_metrics()
            self._evaluate()
        self.save()
        plot_loss(self.out)
        return TrainResult(
            status=status, step=self.step, loss=self._meter.last_loss, evaluation=self.evaluation
        )

    def fraction(self) -> float:
        """Return the used fraction of the run, 0 to 1."""
        schedule = self.config.schedule
        if schedule.num_steps:
            return self.step / schedule.num_steps
        self.used_s = time.perf_counter() - self._started
        return min(1.0, self.used_s / schedule.time_budget_s)

    def _next_batches(self) -> list[DeviceBatch]:
        batches: list[DeviceBatch] = []
        with contextlib.suppress(StopIteration):
            while len(batches) < self.config.batch.num_micro_batches:
                batches.append(self.feed.next())
        return batches

    def _train_step(self, batches: list[DeviceBatch]) -> None:
        factor = rate_factor(self.config.schedule, step=self.step, progress=self.fraction())
        num_targets = sum(len(batch.targets_P) for batch in batches)
        losses = [self._backward(batch, num_targets) for batch in batches]
        norm = self.optimizer.step(factor)
        if self.average:
            self.average.update()
        self.step += 1
        num_tokens = sum(batch.num_tokens for batch in batches)
        self.num_tokens += num_tokens
        self.canary.check(self.num_tokens)
        self._meter.add(torch.stack(losses).sum(), norm, num_tokens=num_tokens, num_targets=num_targets)
        if self.step % self.config.log_interval_steps == 0 or self.step == 1:
            self._flush_metrics()

    def _backward(self, batch: DeviceBatch, num_targets: int) -> Tensor:
        logits = self.model(batch.ids_BT, batch.doc_BT, batch.positions_P, batch.borders_A)
        self.canary.count(self.num_tokens, logits, batch.targets_P, batch.classes_P)
        loss = functional.cross_entropy(logits, batch.targets_P, reduction="sum") / num_targets
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
        self.evaluation = evaluate(self.model, self.held_out, self.class_names)
        if self.average:
            self.average.swap()
        self._write({"kind": "eval", "step": self.step, **self.evaluation})
        self._meter.skip_time()

    def _write(self, record: dict[str, Any]) -> None:
        self.log.write(record)
        if self.progress:
            self.progress(self.fraction(), record)

    def save(self) -> None:
        """Write the checkpoint and ``model/``."""
        self._demand_finite()
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(),
            "average": self.average.state() if self.average else None,
            "data": self._data_state(),
            "step": self.step,
            "num_tokens": self.num_tokens,
            "used_s": time.perf_counter() - self._started,
            "random": torch.get_rng_state(),
            "shape": self.config.model.to_hugging_face(),
            "meter": self._meter.state(),
            "canary": self.canary.state(),
        }
        checkpoints.save_checkpoint(self.out, state)
        if self.average:
            self.average.swap()
        checkpoints.save_model(self.out / checkpoints.MODEL_FOLDER, self.model)
        if self.average:
            self.average.swap()
        trim_heap()
        self._saved = time.perf_counter()
        self._meter.skip_time()

    def _data_state(self) -> dict[str, Any]:
        return {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for name, value in self.feed.state().items()
        }

    def _restore(self) -> None:
        state = checkpoints.load_checkpoint(self.out)
        if state is None:
            return
        if state["shape"] != self.config.model.to_hugging_face():
            raise ConfigError(
                "the checkpoint there has another model shape", where=str(self.out), hint="use a new folder"
            )
        self.model.load_state_dict(state["model"])
        try:
            self.optimizer.restore(state["optimizer"])
        except ValueError:
            raise ConfigError(
                "the checkpoint there has another optimizer", where=str(self.out), hint="use a new folder"
            ) from None
        if self.average and state["average"] is not None:
            self.average.restore(state["average"])
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


def _choose_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda' but torch sees no GPU", where="recipe")
    return torch.device(name)


def _choose_dtype(
    name: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Literal["float32", "bfloat16"]:
    if name != "auto":
        return name
    is_fast = device.type == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return "bfloat16" if is_fast else "float32"


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; a second SIGINT is an ordinary KeyboardInterrupt."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def request_stop(number: int, frame: object) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in previous:
        signal.signal(number, request_stop)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
