import pytest

import opencwm
from opencwm.evals.harnesses import BENCHMARKS
from opencwm.evals.metrics import Score, calibration
from opencwm.evals.published import COCONUT, CRUXEVAL, FIGURES, INPUTS, REVAL, STEPS, published
from opencwm.evals.report import (
    Provenance,
    Table,
    calibration_json,
    calibration_table,
    format_table,
    score_cells,
    score_json,
)


def test_provenance_says_what_reproduces_a_report() -> None:
    found = Provenance(model="m", data="d", command="c", settings={"seed": 1}).to_json("steps")
    assert found["opencwm_version"] == opencwm.__version__
    assert found["schema_version"] == 1
    assert (found["kind"], found["model"], found["data"], found["command"]) == ("steps", "m", "d", "c")
    assert found["settings"] == {"seed": 1}
    assert found["python"].count(".") >= 2


def test_scores_as_json_and_as_cells() -> None:
    score = Score.of(9, 10)
    assert score_json(score)["fraction"] == 0.9
    assert score_json(score)["interval_95"] == pytest.approx([0.5958, 0.9821], abs=1e-4)
    assert score_cells(score) == ("90.00", "59.58 - 98.21", "9", "10")
    assert score_json(Score.of(0, 0)) == {
        "fraction": None,
        "num_right": 0,
        "num_total": 0,
        "interval_95": [0.0, 1.0],
    }
    assert score_cells(Score.of(0, 0)) == ("-", "-", "0", "0")


def test_percentages_are_not_rounded_to_certainty() -> None:
    assert score_cells(Score.of(99_999, 100_000))[0] == "99.99"
    assert score_cells(Score.of(1, 100_000))[0] == "0.01"
    assert score_cells(Score.of(100_000, 100_000))[0] == "100.00"
    assert score_cells(Score.of(0, 100_000))[0] == "0.00"


def test_tables_as_text() -> None:
    table = Table("Title", ("what", "count"), (("a", "5"), ("longer", "1000")))
    assert format_table(table) == "Title\n  what    count\n  a           5\n  longer   1000"
    assert format_table(Table("Empty", ("what", "count"), ())) == "Empty\n  what  count"


def test_calibration_as_json_and_as_table() -> None:
    found = calibration([(0.95, True), (0.85, False)])
    data = calibration_json(found)
    assert data["num_predictions"] == 2
    assert data["ece"] == pytest.approx(0.45)
    assert len(data["reliability"]) == 10
    table = calibration_table("Confidence", found)
    assert table.title == "Confidence (ECE 0.4500; of the surest 90 % right: 50.00 %)"
    assert [row[0] for row in table.rows] == ["0.8 - 0.9", "0.9 - 1.0"]
    assert calibration_table("Confidence", calibration([])).title == "Confidence (no predictions)"


def test_published_figures_name_their_source() -> None:
    told = {STEPS, CRUXEVAL, INPUTS, REVAL, COCONUT, *BENCHMARKS}
    assert {figure.benchmark for figure in FIGURES} <= told
    assert {STEPS, CRUXEVAL, INPUTS, REVAL, COCONUT, "math500"} <= {figure.benchmark for figure in FIGURES}
    assert sum(len(published(benchmark)) for benchmark in told) == len(FIGURES)
    for figure in FIGURES:
        assert "arXiv" in figure.source or "facebookresearch/cwm" in figure.source
        assert 0 < figure.percent < 100
