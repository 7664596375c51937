import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from evals_programs import generator, loop, mixed, raising, recorded

from opencwm.codec.native import NativeCodec, written_evaluations
from opencwm.core.errors import ConfigError
from opencwm.debugger.predicted import PredictedExecution
from opencwm.evals.journal import FILE_NAME
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import format_table
from opencwm.evals.steps import StepsConfig, evaluate_steps
from opencwm.evals.testing import oracle, trace_documents
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, StepKind, Trace

CODEC = NativeCodec()


def knowing(*traces: Trace, revision: str = "1") -> NativePredictor:
    """A predictor that knows these runs by heart and nothing else."""
    nothing = NativePredictor("oracle", CODEC, oracle(CODEC, []))
    documents = [
        ids for trace in traces for ids in trace_documents(CODEC, trace, nothing.view(trace.program))
    ]
    return NativePredictor("oracle", CODEC, oracle(CODEC, documents, probability=0.999), revision=revision)


class Counting(NativePredictor):
    """Counts the executions asked for and breaks off when told to."""

    def __init__(self, *traces: Trace, break_at: int | None = None) -> None:
        known = knowing(*traces)
        super().__init__(known.name, CODEC, known.scoring_engine(), revision="1")
        self.num_executions = 0
        self.break_at = break_at

    def execution(self, program: Program) -> PredictedExecution:
        if self.num_executions == self.break_at:
            raise KeyboardInterrupt
        self.num_executions += 1
        return super().execution(program)


def scores(part: Mapping[str, Any], name: str) -> tuple[int, int]:
    return part[name]["num_right"], part[name]["num_total"]


def test_a_predictor_that_knows_every_run_is_right_about_all_of_it() -> None:
    traces = [mixed(), raising(), generator(), loop(3), loop(20)]
    report = evaluate_steps(
        traces, knowing(*traces), data="five runs", command="opencwm eval steps"
    ).to_json()
    num_steps = sum(len(trace.steps) for trace in traces)
    assert (report["num_programs"], report["num_steps"]) == (5, num_steps)
    ahead, teacher, free = (report[name] for name in ("one_step", "teacher_forced", "free_running"))
    for name in ("step", "next_line", "state"):
        assert scores(ahead, name) == (num_steps, num_steps)
    assert (ahead["num_programs"], ahead["num_steps"], ahead["num_left_out"]) == (5, num_steps, 0)
    assert 0 < ahead["sampled_tokens_per_step"] < ahead["tokens_per_step"]
    assert ahead["ms_per_step"] > 0
    assert 0.5 < ahead["passes_per_step"] <= ahead["sampled_tokens_per_step"] + 1
    assert 0.5 < free["passes_per_step"] <= free["sampled_tokens_per_step"] + 1
    for name in ("step", "next_line", "next_line_constrained", "state"):
        assert scores(teacher, name) == (num_steps, num_steps)
    for name in ("exact", "outcome", "terminated"):
        assert scores(free, name) == (5, 5)
    assert scores(free, "right_steps") == (num_steps, num_steps)
    assert free["divergences"] == {}
    assert free["ends"] == {"ended": 5}
    assert [bucket["num_steps"] for bucket in free["by_num_steps"]] == ["9-16", "17-32", "33-64"]
    assert 0 < free["sampled_tokens_per_step"] < free["tokens_per_step"]
    assert 0 < teacher["sampled_tokens_per_step"] < teacher["tokens_per_step"]
    assert free["ms_per_step"] > 0
    assert free["value_calibration"]["ece"] < 0.05
    assert (report["kind"], report["schema_version"], report["model"]) == ("steps", 1, "oracle")
    assert (report["data"], report["command"]) == ("five runs", "opencwm eval steps")
    assert {figure["percent"] for figure in report["published"]} == {96.9, 96.5, 99.6}
    assert json.loads(json.dumps(report)) == report


def test_with_expression_detail_a_knowing_predictor_is_right_about_all_of_it() -> None:
    limits = TraceLimits(expressions=True)
    traces = [record(trace.program, limits) for trace in (mixed(), raising(), generator(), loop(3))]
    view = NativePredictor("nothing", CODEC, oracle(CODEC, [])).view
    documents = [ids for t in traces for ids in trace_documents(CODEC, t, view(t.program), expressions=True)]
    engine = oracle(CODEC, documents, probability=0.999)
    predictor = NativePredictor("oracle", CODEC, engine, expressions=True)
    report = evaluate_steps(traces, predictor, StepsConfig(expressions=True)).to_json()
    num_steps = sum(len(trace.steps) for trace in traces)
    num_evaluations = sum(len(written_evaluations(step)) for trace in traces for step in trace.steps)
    assert num_evaluations > 20
    assert scores(report["one_step"], "step") == (num_steps, num_steps)
    assert scores(report["teacher_forced"], "step") == (num_steps, num_steps)
    assert scores(report["teacher_forced"], "next_line_constrained") == (num_steps, num_steps)
    assert scores(report["teacher_forced"], "evaluation") == (num_evaluations, num_evaluations)
    assert scores(report["free_running"], "exact") == (4, 4)
    assert report["settings"]["predictor"]["detail"] == "expr"


def test_a_predictor_that_knows_half_is_right_about_half() -> None:
    known, unknown = loop(3), mixed()
    report = evaluate_steps([known, unknown], knowing(known)).to_json()
    teacher, free = report["teacher_forced"], report["free_running"]
    assert len(known.steps) <= scores(teacher, "step")[0] < len(known.steps) + 0.2 * len(unknown.steps)
    assert scores(free, "exact") == (1, 2)
    assert scores(free, "outcome") == (1, 2)
    assert sum(free["divergences"].values()) == 1
    assert free["exact"]["interval_95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    by_steps = {bucket["num_steps"]: scores(bucket, "exact") for bucket in free["by_num_steps"]}
    assert by_steps == {"9-16": (1, 1), "33-64": (0, 1)}


def test_a_rollout_that_goes_on_too_long_is_cut() -> None:
    short, long = loop(2), loop(40)
    known = CODEC.encode(long, knowing().view(long.program)).ids
    prompt = len(CODEC.encode_prompt(knowing().view(short.program)))
    other = CODEC.encode_prompt(knowing().view(short.program)) + known[prompt:]
    predictor = NativePredictor("long", CODEC, oracle(CODEC, [other]))
    free = evaluate_steps([short], predictor).to_json()["free_running"]
    assert free["ends"] == {"step_limit": 1}
    assert free["num_steps"] == 2 * len(short.steps) + 16
    assert scores(free, "terminated") == (0, 1)


def test_a_run_longer_than_the_context_is_exact_from_states() -> None:
    trace = loop(60)
    view = knowing().view(trace.program)
    starts = [0, *(i + 1 for i, step in enumerate(trace.steps[:-1]) if step.kind is StepKind.LINE)]
    documents = [CODEC.encode(trace, view, first_step=start).ids for start in starts]
    predictor = NativePredictor("long", CODEC, oracle(CODEC, documents, max_tokens=400))
    report = evaluate_steps([trace], predictor).to_json()
    assert len(documents[0]) > 4 * 400
    assert scores(report["free_running"], "exact") == (1, 1)
    assert scores(report["teacher_forced"], "step") == (len(trace.steps), len(trace.steps))


def test_results_are_kept_and_not_made_twice(tmp_path: Path) -> None:
    traces = [loop(n) for n in range(2, 8)]
    first = Counting(*traces, break_at=3)
    calls: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        evaluate_steps(
            traces, first, folder=tmp_path, progress=lambda done, total: calls.append((done, total))
        )
    assert calls == [(0, 6), (1, 6), (2, 6), (3, 6)]
    second, calls = Counting(*traces), []
    resumed = evaluate_steps(
        traces, second, folder=tmp_path, progress=lambda done, total: calls.append((done, total))
    )
    assert second.num_executions == 3
    assert calls == [(3, 6), (4, 6), (5, 6), (6, 6)]
    third = Counting(*traces)
    again = evaluate_steps(traces, third, folder=tmp_path)
    assert third.num_executions == 0
    assert again.to_json() == resumed.to_json()
    assert resumed.free_running is not None
    assert resumed.free_running.runs.exact.fraction == 1.0


@pytest.mark.parametrize("what", ["config", "model", "data"])
def test_other_settings_in_the_same_folder_are_an_error(tmp_path: Path, what: str) -> None:
    traces = [loop(2), loop(3)]
    evaluate_steps(traces, knowing(*traces), folder=tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    config = StepsConfig(max_steps=77) if what == "config" else None
    predictor = knowing(*traces, revision="2" if what == "model" else "1")
    with pytest.raises(ConfigError, match="made with"):
        evaluate_steps(traces[: 1 if what == "data" else 2], predictor, config, folder=tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_programs_are_drawn_by_the_seed_and_not_by_their_order() -> None:
    traces = [loop(n) for n in range(1, 13)]
    predictor = knowing()

    def drawn(seed: int, order: list[Trace]) -> int:
        config = StepsConfig(num_programs=4, seed=seed, free_running=False, one_step=False)
        return evaluate_steps(order, predictor, config).num_steps

    assert drawn(0, traces) == drawn(0, traces[::-1])
    assert len({drawn(seed, traces) for seed in range(6)}) > 1
    everything = StepsConfig(num_programs=99, free_running=False, one_step=False)
    assert evaluate_steps(traces, predictor, everything).num_programs == 12


def test_equal_programs_count_once_and_empty_traces_not_at_all() -> None:
    trace = loop(3)
    empty = dataclasses.replace(loop(4), steps=(), status=Status.REFUSED)
    assert evaluate_steps([trace, empty, trace], knowing(trace)).num_programs == 1
    with pytest.raises(ConfigError, match="no trace") as caught:
        evaluate_steps([empty], knowing(), data="some.jsonl")
    assert caught.value.where == "some.jsonl"


def test_a_program_that_cannot_be_shown_whole_is_predicted_step_by_step_only() -> None:
    lines = "".join(f"    x = {i}\n" for i in range(300))
    long = recorded(f"def f():\n    x = 0\n{lines}    return x\n", "f()")
    report = evaluate_steps([loop(3), long], knowing(loop(3))).to_json()
    reason = "f is too long for the model: N lines, N tokens"
    assert report["skipped"] == {f"{part}: {reason}": 1 for part in ("teacher_forced", "direct")}
    assert report["one_step"]["num_programs"] == 2
    assert scores(report["free_running"], "exact") == (1, 2)
    assert scores(report["free_running"], "outcome") == (1, 2)
    assert scores(report["direct"], "outcome") == (1, 2)
    assert report["teacher_forced"]["num_steps"] == len(loop(3).steps)


def test_a_program_that_does_not_compile_here_is_skipped_and_wrong() -> None:
    newer = dataclasses.replace(loop(3), program=Program("def f():\n    new syntax\n", "f"))
    report = evaluate_steps([loop(3), newer], knowing(loop(3)))
    assert sum(report.skipped.values()) == 4
    assert report.free_running is not None
    assert scores(report.to_json()["free_running"], "exact") == (1, 2)
    assert report.free_running.ends == {"ended": 1, "skipped": 1}


@pytest.mark.parametrize("left", ["one_step", "teacher_forced", "free_running", "direct"])
def test_each_part_can_be_measured_alone(left: str) -> None:
    trace = loop(3)
    parts = {part: part == left for part in ("one_step", "teacher_forced", "free_running", "direct")}
    report = evaluate_steps([trace], knowing(trace), StepsConfig(**parts)).to_json()
    assert {part: report[part] is not None for part in parts} == parts


def test_how_runs_end_is_told_apart() -> None:
    endless = record(Program("def f():\n    while True:\n        x = 1\n", "f"), TraceLimits(max_steps=40))
    traces = [loop(3), raising(), endless]
    report = evaluate_steps(traces, knowing(*traces), StepsConfig(max_steps=40)).to_json()
    assert set(report["free_running"]["endings"]) == {"returned", "raised", "never"}
    assert scores(report["free_running"]["endings"], "never") == (1, 1)
    assert scores(report["free_running"]["endings"], "raised") == (1, 1)
    assert scores(report["direct"], "outcome") == (2, 2)  # of what never ends it is not asked
    assert scores(report["direct"]["by_ending"], "raised") == (1, 1)
    wrong = evaluate_steps([raising()], knowing(loop(3))).to_json()
    assert scores(wrong["direct"], "ending")[1] == 1
    assert scores(wrong["free_running"]["endings"], "raised") == (0, 1)


def test_settings_that_measure_nothing_are_an_error() -> None:
    with pytest.raises(ConfigError, match="none of the four parts"):
        StepsConfig(one_step=False, free_running=False, teacher_forced=False, direct=False)
    with pytest.raises(ConfigError, match="max_steps must be positive"):
        StepsConfig(max_steps=0)


def test_tables_say_what_the_report_says() -> None:
    traces = [mixed(), loop(3)]
    report = evaluate_steps(traces, knowing(loop(3)))
    text = "\n".join(format_table(table) for table in report.tables())
    assert report.free_running is not None
    for expected in (
        "whole step",
        "next line, constrained",
        "values: strings",
        "whole run",
        "33-64",
        "50.00",
        "96.9",
    ):
        assert expected in text
    assert next(iter(report.free_running.divergences)) in text
    titles = [table.title for table in report.tables()]
    assert titles[0] == "One step ahead, as the debugger predicts it"
    assert titles.index("Free running") > titles.index(
        "Teacher-forced: the most likely tokens, given the true ones before"
    )
    for table in report.tables():
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
