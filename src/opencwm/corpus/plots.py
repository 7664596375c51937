"""The pictures of a data card. matplotlib is imported only here, and may be missing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from opencwm.core.files import atomic_path
from opencwm.corpus.shards import Manifest
from opencwm.corpus.statistics import Counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE: Final = "#3b6ea5"
_GREY: Final = (
    "#c8ccd1",
    "#e0b060",
    "#c97b63",
    "#8d6a9f",
    "#7a9e7e",
    "#5f7f8c",
    "#b5a27a",
    "#d9a5b3",
    "#999999",
)
_MOST_BARS: Final = 24
_WIDTH: Final = 8.0
_CURVE, _BARS, _STACKS = (0.8, 0.5, 0.15), (1.7, 0.1, 0.35), (1.1, 0.5, 0.55)
"""Margins at the left, below and above, in inches as all lengths here."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Picture:
    height: float
    margins: tuple[float, float, float]
    paint: Callable[[Axes], None]


def draw(folder: Path, manifest: Manifest, counts: Counts) -> dict[str, str]:
    """Draw all pictures into ``folder``; return their file names, none when matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return {}
    tokens = {name: found for name, found in counts.items() if name.startswith("tokens/")}
    programs, values = counts["programs"]["programs"], counts.get("value_types", {})
    constructs = counts.get("constructs", {})
    pictures = {
        "steps": _Picture(
            3.2, _CURVE, lambda axes: _histogram(axes, {"": counts["steps"]}, "steps of a run", "programs")
        ),
        "constructs": _Picture(6, _BARS, lambda axes: _shares(axes, constructs, programs, "of the programs")),
        "values": _Picture(
            4, _BARS, lambda axes: _shares(axes, values, sum(values.values()), "of all recorded values")
        ),
        "sources": _Picture(
            1.4 + 0.4 * len(manifest.dropped), _STACKS, lambda axes: _sources(axes, manifest, counts)
        ),
    }
    if tokens:
        named = {name.removeprefix("tokens/"): found for name, found in tokens.items()}
        pictures["tokens"] = _Picture(
            3.2, _CURVE, lambda axes: _histogram(axes, named, "tokens of a document", "documents")
        )
    for name, picture in pictures.items():
        _save(folder / f"{name}.png", picture)
    return {name: f"{name}.png" for name in pictures}


def _save(path: Path, picture: _Picture) -> None:
    """Draw one picture, whole or not at all; the same numbers give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, picture.height))
    left, below, above = picture.margins
    place = (left / _WIDTH, below / picture.height)
    size = (1 - (left + 0.25) / _WIDTH, 1 - (below + above) / picture.height)
    axes = figure.add_axes((*place, *size))
    picture.paint(axes)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _histogram(axes: Axes, histograms: Mapping[str, Mapping[str, int]], what: str, of: str) -> None:
    """Draw how many runs (or documents) have how many steps (or tokens), in bins that grow by a quarter."""
    largest = max((int(key) for histogram in histograms.values() for key in histogram), default=1)
    smallest = min((int(key) for histogram in histograms.values() for key in histogram), default=1)
    edges = _edges(max(1, smallest), largest)
    for name, histogram in histograms.items():
        values = np.array([int(key) for key in histogram], float)
        weights = np.array(list(histogram.values()), float)
        style: dict[str, Any] = {"color": _BLUE} if len(histograms) == 1 else {"alpha": 0.6}
        axes.hist(values, bins=edges, weights=weights, label=name or None, edgecolor="white", **style)
    axes.set_xscale("log")
    axes.set_xticks(_ticks(edges[0], edges[-1]), [f"{tick:,}" for tick in _ticks(edges[0], edges[-1])])
    axes.minorticks_off()
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(what)
    axes.set_ylabel(of)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    if any(histograms):
        axes.legend(frameon=False)


def _edges(smallest: int, largest: int) -> list[float]:
    edges = [smallest - 0.5]
    while edges[-1] <= largest:
        edges.append(max(edges[-1] + 1, math.floor(edges[-1] * 1.25) + 0.5))
    return edges


def _ticks(first: float, last: float) -> list[int]:
    ticks = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    return [tick for tick in ticks if first <= tick <= last]


def _shares(axes: Axes, counter: Mapping[str, int], whole: int, title: str) -> None:
    """Draw a counter as bars, the largest on top, with its percentage written out."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:_MOST_BARS]
    shares = [100 * number / max(1, whole) for _, number in ordered]
    bars = axes.barh([name for name, _ in ordered], shares, color=_BLUE)
    axes.bar_label(
        bars, [f"{share:.1f} %" if share >= 0.1 else "< 0.1 %" for share in shares], padding=3, fontsize=8
    )
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.12, y=0.01)
    axes.set_title(title, loc="left", fontsize=9)


def _sources(axes: Axes, manifest: Manifest, counts: Counts) -> None:
    """Draw for each source what was kept and what was left out, and why."""
    strata = list(manifest.dropped)
    kept = [counts["strata"].get(name, 0) for name in strata]
    left = np.zeros(len(strata))
    reasons = list(dict.fromkeys(reason for dropped in manifest.dropped.values() for reason in dropped))
    series = [("kept", kept, _BLUE)]
    for number, reason in enumerate(reasons):
        fallen = [manifest.dropped[name].get(reason, 0) for name in strata]
        series.append((reason, fallen, _GREY[number % len(_GREY)]))
    for name, values, colour in series:
        axes.barh(strata, values, left=left, color=colour, label=name, height=0.7)
        left += values
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("programs")
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(-0.12, 1))
