"""The picture of a run: what answers earned while it learned, and what it scores on what is held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.core.files import atomic_path

CURVE_NAME: Final = "reward.png"
_SMOOTHING: Final = 0.1


def plot_curve(
    folder: Path,
    records: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Any],
    drawn: Mapping[str, Any],
) -> Path | None:
    """Draw ``reward.png``; None when matplotlib is not installed.

    Args:
        folder: of the run.
        records: of its ``metrics.jsonl``.
        scores: comparisons by set of greedy answers, as the report holds them; may be empty.
        drawn: likewise of answers drawn at temperature 1.

    Bars are two standard errors of the paired difference.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    train = [record for record in records if record["kind"] == "train"]
    steps = [record["step"] for record in train]
    left.plot(steps, [record["asked_reward"] for record in train], alpha=0.3, color="C0")
    left.plot(
        steps,
        _smooth([record["asked_reward"] for record in train]),
        color="C0",
        label="reward of drawn answers",
    )
    left.plot(
        steps, _smooth([record["mixed"] for record in train]), color="C1", label="questions with a gradient"
    )
    held_out = [record for record in records if record["kind"] == "eval"]
    for number, name in enumerate(sorted({key for record in held_out for key in record["held_out"]})):
        points = [
            (record["step"], record["held_out"][name]) for record in held_out if name in record["held_out"]
        ]
        right.plot(
            *zip(*points, strict=True), "o-", color=f"C{number}", markersize=3, label=f"{name}, a part"
        )
    last = max(steps, default=1)
    parts = (("s--", "greedy", scores), ("o:", "drawn", drawn))
    for style, kind, part in parts:
        for number, (name, score) in enumerate(sorted(part.items())):
            right.errorbar(
                [0, last],
                [score["before"], score["after"]],
                yerr=[0, 2 * score["error"]],
                fmt=style,
                capsize=4,
                color=f"C{number}",
                label=f"{name}, {kind} ({score['num_questions']} questions)",
            )
    left.set_ylabel("share")
    right.set_ylabel("right, held out")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.grid(visible=True, alpha=0.3)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize=8)
    with atomic_path(folder / CURVE_NAME) as temporary:
        FigureCanvasAgg(figure)
        figure.savefig(temporary, format="png", dpi=120)
    return folder / CURVE_NAME


def _smooth(values: Sequence[float]) -> list[float]:
    """Return an exponential mean."""
    smooth: list[float] = []
    for value in values:
        smooth.append(value if not smooth else smooth[-1] + _SMOOTHING * (value - smooth[-1]))
    return smooth
