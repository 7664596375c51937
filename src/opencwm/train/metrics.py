"""The record of a run: one JSON object a line, and a picture of the loss.

The idea: ``metrics.jsonl`` is append-only while a run lasts; a resumed run first drops the lines written
after the checkpoint it continues from, so the file reads as one uninterrupted run.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsFloat

from opencwm.core.files import atomic_path, write_atomic

METRICS_NAME = "metrics.jsonl"
PLOT_NAME = "loss.png"


class MetricsLog:
    """Appends records to ``metrics.jsonl``, keeping those up to ``last_step`` of what was there before."""

    def __init__(self, folder: Path, *, last_step: int) -> None:
        self._path = folder / METRICS_NAME
        kept = [record for record in read_metrics(self._path) if record["step"] <= last_step]
        write_atomic(self._path, "".join(json.dumps(record) + "\n" for record in kept))
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; the file is flushed."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Meter:
    """Gathers what happens between two records of kind ``train``.

    Losses and norms may be tensors on a GPU: they are read only when a record is made.
    """

    def __init__(self, *, flops_per_token: float, peak_flops: float) -> None:
        self._flops_per_token, self._peak_flops = flops_per_token, peak_flops
        self._losses: list[SupportsFloat] = []
        self._norm: SupportsFloat = 0.0
        self._targets = 0
        self._clock = time.perf_counter()
        self._busy_s = 0.0
        self._waited_s = 0.0
        self._timed_tokens = 0
        self.last_loss = math.nan

    @property
    def num_steps(self) -> int:
        """Steps since the last record."""
        return len(self._losses)

    def add(self, loss: SupportsFloat, norm: SupportsFloat, *, num_tokens: int, num_targets: int) -> None:
        """Take in one step; time since the previous call counts as its own."""
        self._losses.append(loss)
        self._norm = norm
        self._targets += num_targets
        now = time.perf_counter()
        self._busy_s += now - self._clock
        self._timed_tokens += num_tokens
        self._clock = now

    def is_finite(self) -> bool:
        """Tell whether the latest loss is a number."""
        return not self._losses or math.isfinite(float(self._losses[-1]))

    def skip_time(self) -> None:
        """Leave the time since the last step out of the throughput (evaluation, saving)."""
        self._clock = time.perf_counter()

    def take(self, waited_s: float) -> dict[str, float]:
        """Return what happened since the last record, and start anew.

        Mean loss in nats per target, last gradient norm, targets, tokens/s, the share of the time spent
        waiting for data, and MFU. ``waited_s`` is the time waited since the run began, in seconds.
        """
        losses = [float(loss) for loss in self._losses]
        self.skip_time()
        self.last_loss = sum(losses) / len(losses)
        rate = self._timed_tokens / self._busy_s if self._busy_s else 0.0
        record = {
            "loss": self.last_loss,
            "grad_norm": float(self._norm),
            "targets": self._targets,
            "tokens_per_s": round(rate, 1),
            "waiting": round((waited_s - self._waited_s) / self._busy_s, 4) if self._busy_s else 0.0,
        }
        self._waited_s = waited_s
        if self._peak_flops:
            record["mfu"] = round(rate * self._flops_per_token / self._peak_flops, 4)
        self._losses, self._targets = [], 0
        self._busy_s, self._timed_tokens = 0.0, 0
        return record

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs, plain numbers."""
        return {
            "losses": [float(loss) for loss in self._losses],
            "norm": float(self._norm),
            "targets": self._targets,
            "last_loss": self.last_loss,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``; throughput starts anew."""
        self._losses = list(state["losses"])
        self._norm, self._targets, self.last_loss = state["norm"], state["targets"], state["last_loss"]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ``metrics.jsonl``, [] when there is none, without a half-written last line."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def plot_loss(folder: Path) -> Path | None:
    """Draw training and held-out loss by step into ``loss.png``; None when matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    records = read_metrics(folder / METRICS_NAME)
    train = [(r["step"], r["loss"]) for r in records if r["kind"] == "train"]
    held_out = [(r["step"], r["loss"]) for r in records if r["kind"] == "eval"]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for points, label, style in ((train, "training", "-"), (held_out, "held out", "o-")):
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label, markersize=3, linewidth=1)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats per target token")
    if train or held_out:
        axes.set_yscale("log")
        axes.legend()
    axes.grid(visible=True, alpha=0.3)
    with atomic_path(folder / PLOT_NAME) as temporary:
        FigureCanvasAgg(figure)
        figure.savefig(temporary, format="png", dpi=120)
    return folder / PLOT_NAME
