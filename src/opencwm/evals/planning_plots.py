"""The pictures of ``eval planning``: tasks resolved by test runs used, and how far probabilities hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.files import atomic_path
from opencwm.evals.planning_report import PlanningReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#9aa0a6", "#c97b63", "#8d6a9f", "#3b6ea5", "#7a9e7e", "#c8ccd1")


def draw(folder: Path, report: PlanningReport) -> dict[str, str]:
    """Draw ``planning.png`` into ``folder``; return what it shows -> its name, nothing without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _curves(left, report)
    _reliability(right, report)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    with atomic_path(folder / "planning.png") as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    return {"Tasks resolved by test runs, and reliability of the forecasts": "planning.png"}


def _curves(axes: Axes, report: PlanningReport) -> None:
    for colour, (name, values) in zip(_COLOURS, report.curve.items(), strict=True):
        heights = [report.num_tasks * value for value in values]
        axes.plot(range(len(heights)), heights, color=colour, label=name, marker=".")
    axes.set(xlabel="test runs allowed for a task", ylabel="tasks resolved", ylim=(0, None))


def _reliability(axes: Axes, report: PlanningReport) -> None:
    axes.plot([0, 1], [0, 1], color="#c8ccd1", linestyle="--")
    shown = {"before any change": report.before, "with a candidate": report.after}
    for colour, (name, found) in zip(_COLOURS[3:], shown.items(), strict=False):
        bins = [item for item in found.calibration.bins if item.count]
        axes.plot(
            [item.confidence for item in bins],
            [item.accuracy for item in bins],
            marker="o",
            color=colour,
            label=name,
        )
    axes.set(
        xlabel="forecast probability of passing", ylabel="part that passes", xlim=(0, 1.02), ylim=(0, 1.02)
    )
