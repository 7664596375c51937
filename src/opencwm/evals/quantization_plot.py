"""The picture of ``eval quantization``. matplotlib is imported only here, and may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opencwm.core.files import atomic_path
from opencwm.evals.quantization_report import QuantizationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: Final = ("#3b6ea5", "#c97b63", "#7a9e7e", "#8d6a9f", "#b59b3b", "#5a5a5a")
_STEPS: Final = ("next line", "state", "whole step, by token")
_RUNS: Final = ("whole run", "outcome")
"""Apart from steps: a program counts once, so that intervals are ten times as long."""

_NAME: Final = "quantization.png"


def draw(folder: Path, report: QuantizationReport) -> dict[str, str]:
    """Draw the picture into ``folder``; return what it shows -> its file name, nothing without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    steps, runs, costs = figure.subplots(1, 3, width_ratios=(3, 2, 3))
    _differences(steps, report, _STEPS)
    _differences(runs, report, _RUNS)
    _costs(costs, report)
    steps.set_ylabel(f"points exact, less {report.reference}\n(ring: no program differs)")
    names = len(report.differences)
    steps.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=names, fontsize="small")
    for axes in (steps, runs, costs):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.set_axisbelow(True)
    with atomic_path(folder / _NAME) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    return {f"What each way to store weights changes and takes, beside {report.reference}": _NAME}


def _differences(axes: Axes, report: QuantizationReport, compared: Sequence[str]) -> None:
    """Draw the points lost or gained, a group for each score; where no program differs, a ring alone.

    The interval of no difference says how many programs there are, and would hide the others.
    """
    names = list(report.differences)
    for place, name in enumerate(names):
        found = report.differences[name]
        colour = _COLOURS[place % len(_COLOURS)]
        shift = (place - (len(names) - 1) / 2) * 0.8 / len(names)
        axes.plot([], [], "o", color=colour, markersize=4, label=name)
        for index, what in enumerate(compared):
            if what not in found:
                continue
            low, value, high = (100 * end for end in (found[what].low, found[what].value, found[what].high))
            if report.num_differing[name][what]:
                bar = [[value - low], [high - value]]
                axes.errorbar(index + shift, value, bar, fmt="o", color=colour, markersize=4, capsize=2)
            else:
                axes.plot(
                    index + shift, 0, "o", markersize=4, markeredgecolor=colour, markerfacecolor="white"
                )
    axes.axhline(0, color="#888888", linewidth=1, zorder=0)
    axes.set_xticks(range(len(compared)), [what.replace(", ", ",\n") for what in compared])
    axes.margins(y=0.15)
    axes.grid(axis="y", alpha=0.3)


def _costs(axes: Axes, report: QuantizationReport) -> None:
    """Draw size, CPU time of a token and peak memory as fractions of the reference's."""
    measured: dict[str, Mapping[str, float]] = {"size": report.size_bytes}
    for label, key in (("CPU time\na token", "cpu_ms_per_token"), ("peak\nmemory", "peak_mib")):
        measured[label] = {name: cost[key] for name, cost in report.costs.items() if cost is not None}
    names = list(report.differences)
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        heights = [
            100 * found[name] / found[report.reference] if name in found else 0.0
            for found in measured.values()
        ]
        axes.bar(
            [index + (place - (len(names) - 1) / 2) * width for index in range(len(measured))],
            heights,
            width * 0.9,
            color=_COLOURS[place % len(_COLOURS)],
        )
    axes.axhline(100, color="#888888", linewidth=1)
    axes.set_xticks(range(len(measured)), list(measured))
    axes.set_ylabel(f"percent of {report.reference}")
    axes.grid(axis="y", alpha=0.3)
