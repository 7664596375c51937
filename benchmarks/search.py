"""What each way of searching at inference buys: right steps, right outcomes, and milliseconds.

Run ``python benchmarks/search.py --data FILE --programs 40 -o DIR`` with recorded runs, or without ``--data``
on generated ones. All ways go over the same programs; results are kept in DIR, so it goes on where it was
stopped. Milliseconds are CPU time of one thread, which a busy machine changes little.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.corpus.trace_files import held_out_traces, load_traces
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.working import Working
from opencwm.evals.agreement import agree
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.rollout import RolloutBounds
from opencwm.evals.steps import StepsConfig, choose_traces, evaluate_steps
from opencwm.evals.values import is_same_value
from opencwm.traces import Trace, observed_outcome

WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "line detail, unconstrained": {"constrained": False, "expressions": False},
    "line detail": {"expressions": False},
    "expression detail, free": {"expressions": True, "working": Working.FREE},
    "followed": {"expressions": True, "working": Working.FOLLOWED},
    "followed, 4 attempts": {"expressions": True, "search": SearchConfig(samples=4)},
    "calculated": {"expressions": True, "working": Working.CALCULATED},
    "calculated, 4 attempts": {
        "expressions": True,
        "working": Working.CALCULATED,
        "search": SearchConfig(samples=4),
    },
}
"""Settings of :class:`NativePredictor`."""
ROLLOUTS: Final = 5


def score(
    way: str, traces: Sequence[Trace], model: NativeWorldModel, config: StepsConfig, folder: Path
) -> str:
    """Evaluate one way; return its row."""
    predictor = NativePredictor(
        model.name, model.codec, model.engine, revision=model.revision, **{"constrained": True, **WAYS[way]}
    )
    own = folder / way.replace(" ", "-").replace(",", "")
    own.mkdir(exist_ok=True)
    with _counted_cpu(own / "cpu_s.json") as cpu_s:
        report = evaluate_steps(traces, predictor, config, folder=own)
    found = report.to_json()
    ahead, free = found["one_step"], found["free_running"]
    ms = 1000 * sum(cpu_s) / (ahead["num_steps"] + free["num_steps"])
    return f"| {way} | {_share(ahead['step'])} | {_share(free['outcome'])} | {ms:.0f} |"


@contextlib.contextmanager
def _counted_cpu(path: Path) -> Iterator[list[float]]:
    """Yield CPU seconds, a number for each time this was left, those of earlier processes included."""
    found: list[float] = json.loads(path.read_text()) if path.exists() else []
    start = time.process_time()
    try:
        yield found
    finally:
        found.append(time.process_time() - start)
        path.write_text(json.dumps(found))


def _share(counts: Mapping[str, Any]) -> str:
    return f"{100 * counts['fraction']:.1f} % of {counts['num_total']:,}"


def votes(traces: Sequence[Trace], model: NativeWorldModel, config: StepsConfig, path: Path) -> str:
    """Let several runs vote on outcomes; return the row."""
    done = json.loads(path.read_text()) if path.exists() else {}
    bounds = RolloutBounds(max_steps=config.max_steps)
    for trace in traces:
        expected = observed_outcome(trace)
        if expected is None or trace.program.id in done:
            continue
        start = time.process_time()
        found = agree(
            lambda sampling, program=trace.program: model.execution(  # type: ignore[misc]
                program, sampling=sampling, expressions=True, working=Working.CALCULATED
            ),
            bounds,
            num_rollouts=ROLLOUTS,
        )
        is_right = (
            found.outcome is not None
            and found.outcome.kind is expected.kind
            and is_same_value(found.outcome.value, expected.value)
        )
        steps = len(found.rollouts[0].steps)
        done[trace.program.id] = [is_right, 1000 * (time.process_time() - start), steps]
        path.write_text(json.dumps(done))
    right, total = sum(is_right for is_right, _, _ in done.values()), len(done)
    ms = sum(ms for _, ms, _ in done.values()) / max(sum(steps for _, _, steps in done.values()), 1)
    return (
        f"| calculated, {ROLLOUTS} runs vote | | {100 * right / max(total, 1):.1f} % of {total} | {ms:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What search at inference buys.")
    parser.add_argument("--data", type=Path, help="recorded runs; by default generated programs")
    parser.add_argument("--programs", type=int, default=40)
    parser.add_argument("--model", type=Path, help="a model folder; by default the one in the package")
    parser.add_argument("--max-steps", type=int, default=128)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    found = (
        load_traces(options.data) if options.data else held_out_traces(options.programs, 0, expressions=True)
    )
    traces = list(found)
    config = StepsConfig(
        num_programs=options.programs,
        max_steps=options.max_steps,
        teacher_forced=False,
        direct=False,
        expressions=True,
    )
    model = NativeWorldModel.load(options.model)
    options.output.mkdir(parents=True, exist_ok=True)
    print("| way | whole step | outcome | CPU ms a step |\n|---|---|---|---|")
    for way in WAYS:
        print(score(way, traces, model, config, options.output), flush=True)
    chosen = choose_traces(traces, options.programs, config.seed)
    print(votes(list(chosen.values()), model, config, options.output / "votes.json"))


if __name__ == "__main__":
    main()
