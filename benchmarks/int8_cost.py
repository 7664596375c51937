"""What int8 weights cost: predicted steps and documents that are right, against fp32 weights of the same run.

    python benchmarks/int8_cost.py RUN -o DIR [--programs N] [--seed S] [--data FILE] [--max-steps M]
                                              [--documents N] [--working followed|calculated|free]

``RUN`` is a training run. Both precisions are exported, and each predicts every step of the same held-out
programs one ahead, with expression detail, as ``opencwm eval steps`` does; ``--documents`` adds so many
programs that are only scored token by token, which is much faster (``teacher-forced``). Differences are
paired by program, int8 less fp32, in percentage points with their 95 % interval. Results are kept in DIR; the
same command goes on where it was stopped, and with ``--report`` it tells what is there so far.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.working import Working
from opencwm.evals.journal import FILE_NAME, Journal, Record
from opencwm.evals.metrics import paired_difference
from opencwm.evals.one_step import score_one_step
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.steps import choose_traces, digest_of
from opencwm.evals.teacher_forced import score_trace
from opencwm.frontends.exporting import export_run
from opencwm.frontends.trace_files import held_out_traces, load_traces
from opencwm.model.export import Weights
from opencwm.traces import Trace

PRECISIONS: tuple[Weights, ...] = ("fp32", "int8")
PARTS = ("one step", "teacher-forced")


class Comparison:
    """Both precisions of one run, ready to predict."""

    def __init__(
        self, run: Path, folder: Path, *, working: Working, max_steps: int, num_stepped: int
    ) -> None:
        self.predictors: dict[str, NativePredictor] = {}
        self.max_steps, self.num_stepped, self.num_done = max_steps, num_stepped, 0
        for precision in PRECISIONS:
            path = folder / precision
            if not (path / "opencwm.json").is_file():
                export_run(run, path, precision=precision)
            model = NativeWorldModel.load(path)
            self.predictors[precision] = NativePredictor(
                precision,
                model.codec,
                model.engine,
                expressions=True,
                working=working,
                revision=model.revision,
            )

    @property
    def settings(self) -> Mapping[str, Any]:
        """What results depend on."""
        return {name: dict(predictor.settings) for name, predictor in self.predictors.items()}

    def evaluate(self, index: int, trace: Trace) -> Record:
        """Return what was right of one program: part to precision to metric to right and total."""
        record: Record = {part: {} for part in PARTS}
        names = PRECISIONS if index % 2 else PRECISIONS[::-1]
        for name in names:
            predictor = self.predictors[name]
            try:
                forced = score_trace(
                    trace,
                    predictor.view(trace.program),
                    predictor.scoring_engine(),
                    predictor.codec,
                    max_document_tokens=1024,
                    expressions=True,
                )
            except (CodecError, ConfigError):  # it cannot be shown, whatever the precision
                continue
            record["teacher-forced"][name] = forced.counts
            if index < self.num_stepped:
                steps = predictor.step_predictor(trace.program)
                record["one step"][name] = score_one_step(trace, steps, max_steps=self.max_steps).counts
        return record


def print_report(records: Sequence[Record]) -> None:
    """Print every metric of every part: both fractions and their paired difference."""
    for part in PARTS:
        pairs = [record[part] for record in records if len(record[part]) == len(PRECISIONS)]
        print(f"{part}: {len(pairs)} programs")
        metrics = dict.fromkeys(metric for pair in pairs for metric in pair["fp32"])
        for metric in metrics:
            counts = [
                (pair["fp32"][metric][0], pair["int8"][metric][0], pair["fp32"][metric][1])
                for pair in pairs
                if metric in pair["fp32"]
            ]
            found = paired_difference(counts)
            fp32, int8 = (100 * sum(count[i] for count in counts) / found.num_total for i in range(2))
            print(
                f"  {metric:22}{found.num_total:8,}  fp32 {fp32:6.2f}  int8 {int8:6.2f}"
                f"  int8 - fp32 {100 * found.value:+6.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
                f"  {sum(a != b for a, b, _ in counts)} programs differ"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of int8 weights.")
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--documents", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--max-steps", type=int, default=256)
    parser.add_argument("--working", type=Working, default=Working.FOLLOWED)
    parser.add_argument("--report", action="store_true")
    chosen = parser.parse_args()
    if chosen.report:
        lines = (chosen.folder / FILE_NAME).read_text(encoding="utf-8").splitlines()[1:]
        print_report([json.loads(line)["record"] for line in lines])
        return
    wanted = chosen.programs + chosen.documents
    traces = (
        load_traces(chosen.data)
        if chosen.data is not None
        else held_out_traces(wanted, chosen.seed, expressions=True)
    )
    programs = choose_traces(traces, wanted, chosen.seed)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(
        chosen.run,
        chosen.folder,
        working=chosen.working,
        max_steps=chosen.max_steps,
        num_stepped=chosen.programs,
    )
    settings = {
        "benchmark": "int8 cost",
        "models": comparison.settings,
        "programs": chosen.programs,
        "max_steps": chosen.max_steps,
        "programs_sha256": digest_of(programs),
    }
    order = {key: (index, trace) for index, (key, trace) in enumerate(programs.items())}
    with Journal(chosen.folder, settings) as journal:
        records = journal.complete(
            order,
            lambda case: comparison.evaluate(*case),
            lambda done, total: print(f"{done} of {total}", file=sys.stderr),
        )
    print_report(records)


if __name__ == "__main__":
    main()
