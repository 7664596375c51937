"""The pictures of ``eval all``. matplotlib is imported only here, and may be missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.files import atomic_path
from opencwm.evals.metrics import Calibration, Score
from opencwm.evals.suite_report import SuiteReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#3b6ea5", "#c97b63", "#7a9e7e", "#8d6a9f")


def draw(folder: Path, report: SuiteReport) -> dict[str, str]:
    """Draw pictures into ``folder``; return what each shows -> its file name, nothing without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return {}
    pictures: dict[str, tuple[str, Callable[[Axes], None]]] = {
        "How far confidence in values can be believed": (
            "reliability.png",
            lambda axes: _reliability(axes, report),
        ),
        "Whole runs by number of steps": ("runs.png", lambda axes: _runs(axes, report)),
        "Jumps by number of steps jumped over": ("jumps.png", lambda axes: _jumps(axes, report)),
    }
    for name, paint in pictures.values():
        _save(folder / name, paint)
    return {what: name for what, (name, _) in pictures.items()}


def _save(path: Path, paint: Callable[[Axes], None]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    paint(axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(_COLOURS))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _reliability(axes: Axes, report: SuiteReport) -> None:
    axes.plot([0, 1], [0, 1], color="#c8ccd1", linestyle="--")
    for colour, (name, one) in zip(_COLOURS, report.sets.items(), strict=False):
        found: Calibration | None = one.steps.one_step.value_calibration if one.steps.one_step else None
        bins = [item for item in found.bins if item.count] if found is not None else []
        axes.plot(
            [item.confidence for item in bins],
            [item.accuracy for item in bins],
            marker="o",
            color=colour,
            label=name,
        )
    axes.set(xlabel="confidence in a value", ylabel="part that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(alpha=0.3)


def _runs(axes: Axes, report: SuiteReport) -> None:
    found = {
        name: {bucket: runs.exact for bucket, runs in one.steps.free_running.by_num_steps}
        for name, one in report.sets.items()
        if one.steps.free_running is not None
    }
    _by_bucket(axes, found)
    axes.set(xlabel="steps of the run", ylabel="whole runs right, percent")


def _jumps(axes: Axes, report: SuiteReport) -> None:
    _by_bucket(axes, {name: dict(one.jumps.by_distance) for name, one in report.sets.items()})
    axes.set(xlabel="steps jumped over", ylabel="landings right, percent")


def _by_bucket(axes: Axes, found: dict[str, dict[str, Score]]) -> None:
    """Draw fractions by bucket with their intervals, the sets beside each other."""
    buckets = sorted({bucket for scores in found.values() for bucket in scores}, key=_first)
    width = 0.8 / max(1, len(found))
    for place, (colour, (name, scores)) in enumerate(zip(_COLOURS, found.items(), strict=False)):
        present = [(index, scores[bucket]) for index, bucket in enumerate(buckets) if bucket in scores]
        heights = [100 * (score.fraction or 0.0) for _, score in present]
        below = [height - 100 * score.low for height, (_, score) in zip(heights, present, strict=True)]
        above = [100 * score.high - height for height, (_, score) in zip(heights, present, strict=True)]
        axes.bar(
            [index + (place - (len(found) - 1) / 2) * width for index, _ in present],
            heights,
            width * 0.9,
            yerr=[below, above],
            color=colour,
            ecolor="#555555",
            capsize=2,
            label=name,
        )
    axes.set_xticks(range(len(buckets)), buckets)
    axes.set_ylim(0, 105)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def _first(bucket: str) -> int:
    return int(bucket.partition("-")[0])
