from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from evals_programs import generator, knowing, loop, mixed, raising

from opencwm.core.errors import ConfigError
from opencwm.evals.decode_cost import Cost, decode
from opencwm.evals.journal import FILE_NAME
from opencwm.evals.predictor import NativePredictor, SteppingPredictor
from opencwm.evals.quantization import Candidate, QuantizationConfig, evaluate_quantization
from opencwm.evals.quantization_plot import draw
from opencwm.evals.quantization_report import QuantizationReport
from opencwm.model.generation import EngineGenerator
from opencwm.model.testing import ScriptedEngine
from opencwm.traces import Program

TRACES = [mixed(), raising(), generator(), loop(3)]
CONFIG = QuantizationConfig(num_programs=4, expressions=False, num_costs=2)


class Meter:
    """Costs that become less from one measurement to the next."""

    def __init__(self) -> None:
        self.num_measured = 0

    def __call__(self) -> Cost:
        self.num_measured += 1
        return Cost(10.0 * self.num_measured, 8.0 / self.num_measured, 100.0, 50.0 + self.num_measured)


def candidates(*, wrong: str | None = "'no'", meter: Meter | None = None) -> list[Candidate]:
    """A candidate that knows all runs by heart, and one that is wrong about what each entry returns."""
    programs = [trace.program for trace in TRACES]
    exact, worse = knowing(*programs), knowing(*programs, wrong=wrong)
    return [
        Candidate("fp32", exact, 4_000_000, meter or Meter()),
        Candidate("int4", worse, 1_000_000, meter or Meter()),
    ]


def evaluate(items: Sequence[Candidate], folder: Path | None = None) -> QuantizationReport:
    return evaluate_quantization(
        TRACES, items, CONFIG, model="oracle", data="four runs", folder=folder, command="opencwm eval x"
    )


def test_differences_are_those_of_the_candidates() -> None:
    report = evaluate(candidates())
    told = report.to_json()
    assert (told["kind"], told["reference"]) == ("quantization", "fp32")
    best, worse = told["precisions"]["fp32"], told["precisions"]["int4"]
    assert best["scores"]["whole run"]["fraction"] == 1.0
    assert best["difference"] == {}
    # all but the run that ends with an exception return what the second does not believe
    assert worse["scores"]["outcome"]["num_right"] == 1
    assert worse["difference"]["outcome"]["value"] == -0.75
    assert worse["difference"]["outcome"]["num_programs_differing"] == 3
    assert worse["difference"]["next line"]["value"] == 0.0
    num_steps = sum(len(trace.steps) for trace in TRACES)
    assert worse["difference"]["whole step"]["value"] == pytest.approx(-3 / num_steps)
    assert worse["difference"]["whole step, by token"]["num_total"] == num_steps
    assert worse["ece"]["values"] != best["ece"]["values"]


def test_costs_are_the_least_disturbed_and_the_most_memory() -> None:
    report = evaluate(candidates())
    assert report.costs["fp32"] == {
        "tokens_per_s": 20.0,
        "cpu_ms_per_token": 4.0,
        "prompt_tokens_per_s": 100.0,
        "peak_mib": 52.0,
    }
    columns = report.headline().columns
    cells = [dict(zip(columns, row, strict=True)) for row in report.headline().rows]
    assert [row["MiB"] for row in cells] == ["3.8", "1.0"]
    assert [row["peak MiB"] for row in cells] == ["52", "52"]


def test_an_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = evaluate(candidates(), tmp_path)
    path = tmp_path / FILE_NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    meter = Meter()
    again = evaluate(candidates(meter=meter), tmp_path)
    assert meter.num_measured == 0
    assert again.to_json()["precisions"]["int4"]["scores"] == whole.to_json()["precisions"]["int4"]["scores"]


def test_results_of_other_weights_are_not_mixed_in(tmp_path: Path) -> None:
    evaluate(candidates(), tmp_path)
    first, second = candidates()
    assert isinstance(second.predictor, NativePredictor)
    other = NativePredictor("oracle", second.predictor.codec, second.predictor.scoring_engine(), revision="2")
    with pytest.raises(ConfigError, match="candidates"):
        evaluate([first, Candidate("int4", other, 1_000_000, Meter())], tmp_path)


def test_some_programs_are_only_scored_by_token_and_long_ones_left_out() -> None:
    config = QuantizationConfig(
        num_programs=1, num_documents=9, max_steps=len(mixed().steps) - 1, expressions=False, num_costs=1
    )
    report = evaluate_quantization(TRACES, candidates(), config, model="oracle")
    scores = report.scores("fp32")
    assert scores["whole run"].num_total == 1
    kept = [len(trace.steps) for trace in TRACES if len(trace.steps) <= config.max_steps]
    assert 1 < len(kept) < len(TRACES)
    assert scores["whole step, by token"].num_total == sum(kept)
    assert scores["whole step"].num_total < sum(kept)


def test_nothing_to_compare_is_refused() -> None:
    one = candidates()[:1]
    for items in (one, [*one, *one]):
        with pytest.raises(ConfigError, match="two different precisions"):
            evaluate(items)
    with pytest.raises(ConfigError, match="1 to 2 steps"):
        evaluate_quantization(
            TRACES, candidates(), QuantizationConfig(max_steps=2, expressions=False), model="oracle"
        )


def test_the_report_is_one_page_with_its_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = evaluate(candidates())
    pictures = draw(tmp_path, report)
    assert list(pictures.values()) == ["quantization.png"]
    assert (tmp_path / "quantization.png").read_bytes().startswith(b"\x89PNG")
    page = report.html(pictures, tmp_path)
    assert "data:image/png;base64," in page
    assert page.count("<table>") == 3
    text = report.markdown(pictures)
    assert "| int4 | outcome | -75.00 |" in text
    json.dumps(report.to_json())


class RunsOnly:
    """A model whose single steps cannot be asked for."""

    name = "cwm"

    def __init__(self, known: Any) -> None:
        self.settings: Mapping[str, Any] = {}
        self.execution = known.execution

    def step_predictor(self, program: Program) -> SteppingPredictor:
        raise ConfigError("only whole runs of this model can be evaluated", where=program.filename)


def test_a_model_that_can_only_run_is_scored_on_whole_runs() -> None:
    known = knowing(*(trace.program for trace in TRACES))
    items = [Candidate(name, RunsOnly(known), 1, Meter()) for name in ("bf16", "int8")]
    report = evaluate(items)
    assert set(report.scores("int8")) == {"whole run", "outcome", "steps to the first wrong"}
    assert report.scores("int8")["whole run"].num_right == len(TRACES)
    assert report.headline().rows[1][:2] == ("int8", "-")
    assert "0 steps of 0 programs one ahead, 4 whole runs" in report.markdown({})


def test_decoding_is_measured_on_any_generator() -> None:
    generator = EngineGenerator(ScriptedEngine.saying(48, [], max_tokens=100))
    cost = decode(generator, memory=lambda: 7.0)
    assert cost.peak_mib == 7.0
    assert min(cost.tokens_per_s, cost.prompt_tokens_per_s) > 0
    assert 10 < decode(generator).peak_mib < 100_000
