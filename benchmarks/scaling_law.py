"""How held-out loss falls with parameters and tokens: small runs on one core, and the curve through them.

Run ``python benchmarks/scaling_law.py -o DIR --real CORPUS --real-held-out FILE`` (without the last two: on
generated programs only). Every run has its own schedule to its end. The curve is
``E + A / N**a + B / D**b`` nats a step, for N parameters and D tokens (Hoffmann et al., arXiv 2203.15556,
equation 2), fitted by least squares; ``--plot FILE`` draws it. It is fitted far below the size of the shipped
model: what it says of larger runs is a guess.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from representation import Variant, encoder
from small_runs import Encode, Shape, make_traces, run

from opencwm.codec.vocabulary import Vocabulary
from opencwm.traces import Trace

SIZES: Final = ((64, 2), (64, 4), (128, 2), (128, 4))
"""Width and number of layers."""
TOKENS: Final = (125_000, 250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
EXPONENTS: Final = np.arange(0.05, 1.51, 0.05)
"""Of both terms, tried in pairs."""


def fit(points: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """Fit (parameters, tokens, nats) by least squares on nats, coefficients not below 0.

    Returns:
        E, A, a, B, b and the root of the mean squared error in nats.
    """
    sizes, tokens, nats = (np.asarray(column, float) for column in zip(*points, strict=True))
    best: dict[str, float] = {"rmse": float("inf")}
    for a, b in itertools.product(EXPONENTS, EXPONENTS):
        design = np.stack([np.ones_like(nats), (sizes / 1e6) ** -a, (tokens / 1e6) ** -b], 1)
        found, *_ = np.linalg.lstsq(design, nats, rcond=None)
        if (found < 0).any():
            continue
        rmse = float(np.sqrt(((design @ found - nats) ** 2).mean()))
        if rmse < best["rmse"]:
            best = {"E": found[0], "A": found[1], "a": a, "B": found[2], "b": b, "rmse": rmse}
    return {name: round(float(value), 4) for name, value in best.items()}


def curve(law: Mapping[str, float], size: float, tokens: Any) -> Any:
    """Return nats a step of a fitted law."""
    return (
        law["E"] + law["A"] * (size / 1e6) ** -law["a"] + law["B"] * (np.asarray(tokens) / 1e6) ** -law["b"]
    )


def spread(traces: Sequence[Trace], num_tokens: int, encode: Encode) -> list[Trace]:
    """Return traces that make about ``num_tokens``, of all parts: a short run, too, ends on hard ones."""
    sample = [encoded for trace in traces[:: max(1, len(traces) // 200)] if (encoded := encode(trace))]
    wanted = num_tokens / np.mean([len(encoded.ids) for encoded in sample])
    return list(traces[:: max(1, int(len(traces) / wanted))])


def table(runs: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> str:
    """Return the runs as a Markdown table."""
    lines = ["| parameters | tokens | " + " | ".join(f"{k}: nats, step" for k in kinds) + " |"]
    lines.append("|" + "---|" * (2 + len(kinds)))
    for found in runs:
        cells = " | ".join(f"{found[kind]['nats']:.2f}, {found[kind]['effects']:.1f} %" for kind in kinds)
        lines.append(f"| {found['parameters']:,} | {found['tokens']:,} | {cells} |")
    return "\n".join(lines)


def plot(runs: Sequence[Mapping[str, Any]], laws: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw nats against tokens, a line per size, a panel per kind of program."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(laws), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(1, len(laws), sharey=True))
    grid = np.geomspace(min(TOKENS), max(TOKENS), 50)
    for axes, (kind, law) in zip(panels, laws.items(), strict=True):
        for size, colour in zip(
            sorted({found["parameters"] for found in runs}),
            ("#8d6a9f", "#3b6ea5", "#7a9e7e", "#c97b63"),
            strict=True,
        ):
            own = [found for found in runs if found["parameters"] == size]
            axes.plot(
                [found["tokens"] for found in own],
                [found[kind]["nats"] for found in own],
                "o",
                color=colour,
                label=f"{size / 1e6:.2f}M",
            )
            axes.plot(grid, curve(law, size, grid), color=colour, linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(TOKENS, [f"{tokens / 1e6:.3g}M" for tokens in TOKENS])
        axes.minorticks_off()
        axes.set_title(f"held-out {kind} programs")
        axes.set_xlabel("training tokens")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("nats a step")
    panels[-1].legend(title="parameters", frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train what is missing, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--real", type=Path, help="a corpus folder of recorded real functions")
    parser.add_argument("--real-held-out", type=Path, help="a file of others, held out")
    parser.add_argument("--traces", type=int, default=16_000)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    traces = make_traces(
        options.output,
        num_train=options.traces,
        num_held_out=120,
        real=options.real,
        real_held_out=options.real_held_out,
    )
    vocabulary = Vocabulary.default()
    encode = encoder(Variant(), vocabulary)
    runs = []
    for num_tokens, (width, layers) in itertools.product(TOKENS, SIZES):
        shape = Shape(hidden_size=width, num_layers=layers, num_tokens=num_tokens)
        folder = options.output / f"{width}x{layers}-{num_tokens}"
        own = dataclasses.replace(traces, train=spread(traces.train, num_tokens, encode))
        runs.append(run(folder, shape, len(vocabulary), own, encode))
        print(json.dumps(runs[-1]), flush=True)
    kinds = list(traces.held_out)
    laws = {
        kind: fit([(found["parameters"], found["tokens"], found[kind]["nats"]) for found in runs])
        for kind in kinds
    }
    print(table(runs, kinds))
    print(json.dumps(laws))
    if options.plot:
        plot(runs, laws, options.plot)


if __name__ == "__main__":
    main()
