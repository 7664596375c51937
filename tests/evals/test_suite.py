"""Everything at once: the parts are asked about the same programs, and the report says what they say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from evals_programs import loop, mixed, raising

from opencwm.codec.native import NativeCodec
from opencwm.core.errors import ConfigError
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import Table, markdown_table
from opencwm.evals.suite import SuiteConfig, evaluate_suite
from opencwm.evals.suite_plots import draw
from opencwm.evals.suite_report import SuiteReport
from opencwm.evals.testing import oracle, trace_documents
from opencwm.tracer import record
from opencwm.traces import Program, Trace

CODEC = NativeCodec()
NOTHING = NativePredictor("oracle", CODEC, oracle(CODEC, []))


def evaluated(folder: Path, **sets: list[Trace]) -> SuiteReport:
    documents = [
        ids
        for traces in sets.values()
        for trace in traces
        for ids in trace_documents(CODEC, trace, NOTHING.view(trace.program))
    ]
    predictor = NativePredictor("an <oracle>", CODEC, oracle(CODEC, documents))
    return evaluate_suite(
        sets,
        predictor,
        record,
        SuiteConfig(num_draws=2, per_program=2, expressions=False),
        data={name: f"{name} programs" for name in sets},
        folder=folder,
        command="opencwm eval all -o DIR",
    )


VOID = ("img", "meta", "br")


class Page(HTMLParser):
    """Collects what a page holds, and that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.open: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs).get("src") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def test_the_report_says_what_its_parts_say(tmp_path: Path) -> None:
    report = evaluated(tmp_path, generated=[mixed(), loop(5)], real=[raising()])
    data = json.loads(json.dumps(report.to_json()))
    assert set(data["sets"]) == {"generated", "real"}
    assert data["sets"]["generated"]["steps"]["num_programs"] == 2
    assert data["sets"]["generated"]["jumps"]["num_jumps"] == 4
    assert data["sets"]["real"]["inputs"]["num_questions"] == 1
    rows = {row[0]: row[1:] for row in report.headline().rows}
    assert rows["whole runs"][0].startswith("100.00 (")
    assert rows["whole step, one step ahead"][1].startswith("100.00 (")
    assert rows["ends as recorded: raised"][0] == "-"
    assert rows["ends as recorded: raised"][1].endswith("of 1")
    assert "input, one of 2 calls" in rows
    assert all(len(row) == 3 for row in report.headline().rows)


def test_pages_hold_everything_and_their_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = evaluated(tmp_path, generated=[mixed(), loop(5)], real=[raising()])
    pictures = draw(tmp_path, report)
    assert len(pictures) == 3
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures.values())
    markdown = report.markdown(pictures)
    for part in report.sets.values():
        for table in part.tables():
            assert f"### {table.title}" in markdown
    page = Page()
    page.feed(report.html(pictures, tmp_path))
    assert page.open == []
    assert len(page.images) == 3
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert page.headings[0] == "Evaluation of an <oracle>"
    assert page.headings[-2:] == ["generated", "real"]


def test_a_suite_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = evaluated(tmp_path, generated=[mixed(), loop(5)])
    assert {path.parent.name for path in tmp_path.rglob("results.jsonl")} == {"steps", "jumps", "inputs"}
    (tmp_path / "generated" / "jumps" / "results.jsonl").unlink()
    again = evaluated(tmp_path, generated=[mixed(), loop(5)])
    assert again.headline() == whole.headline()


def test_programs_without_a_call_have_no_inputs_to_ask_for(tmp_path: Path) -> None:
    entered = record(Program("def main():\n    x = 1\n    return x\n", "main"))
    report = evaluated(tmp_path, generated=[entered])
    assert report.sets["generated"].inputs is None
    assert not any("input" in row[0] for row in report.headline().rows)


def test_a_set_without_a_run_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no trace"):
        evaluated(tmp_path, generated=[])


def test_a_table_in_markdown_keeps_its_cells() -> None:
    lines = markdown_table(Table("t", ("a", "b"), (("x|y", "1"),)))
    assert lines == ["| a | b |", "| --- | --- |", r"| x\|y | 1 |", ""]
    assert len(re.split(r"(?<!\\)\|", lines[2])) == 4
