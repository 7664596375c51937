"""Questions about runs, and their evaluation, on programs written for these tests."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from evals_programs import CODEC, generator, knowing, loop, mixed, raising, recorded
from hypothesis import given
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.probes import Probe, Probes, evaluate_probes, validate
from opencwm.evals.probes_report import ProbesReport
from opencwm.evals.questions import Coverage, Lines, NextLine, Question, Returned, Text, Value, comparable
from opencwm.evals.report import format_table
from opencwm.evals.rollout import RolloutBounds
from opencwm.evals.runs import Run, UnreadableError, is_cut, values_of
from opencwm.evals.testing import oracle
from opencwm.tracer import record
from opencwm.traces import Program, Status, Trace

TALLY = """\
def tally(words, floor):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    best = [word for word in counts if counts[word] >= floor]
    if not best:
        best.append('none')
    return best
"""
POINT = """\
class Point:
    def __init__(self, x):
        self.x = x

    def moved(self, by):
        self.x += by
        return self.x


def f(x):
    point = Point(x)
    far = point.moved(2)
    pair = (far, x)
    return pair
"""
VARS = ["best", "counts['a']", "word", "floor", "(word, floor)"]
EVERY: tuple[Question, ...] = (Coverage(7), Value(7, "best"), NextLine(7), Returned())


def run(source: str, call: str) -> Run:
    return Run.of(recorded(source, call))


def cut_short(whole: Run, steps: int) -> Run:
    return Run(whole.program, whole.codes, whole.steps[:steps], None)


def test_lines_and_states_of_a_run() -> None:
    found = run(TALLY, "tally(['a'], 2)")
    assert found.lines == [2, 3, 4, 3, 5, 6, 7, 8]
    assert [state.lineno for state in found.states] == found.lines
    assert found.states[-1].locals["best"] == "['none']"
    assert found.is_whole


def test_lines_in_a_row_are_one_state() -> None:
    found = run("def f(n):\n    while n > 0: n -= 1\n    return n\n", "f(2)")
    assert found.lines[:2] == [2, 2]
    assert [state.lineno for state in found.states] == [2, 3]
    assert found.states[0].locals["n"] != "2"


def test_coverage() -> None:
    found = run(TALLY, "tally(['a'], 1)")
    assert [Coverage(line).gold(found) for line in (4, 7)] == [True, False]
    assert Coverage(8).answer(cut_short(found, 4)) is False
    assert Coverage(8).gold(cut_short(found, 4)) is None


def test_the_line_that_follows() -> None:
    found = run(TALLY, "tally(['a'], 1)")
    assert NextLine(3).gold(found) == [4, 5]
    assert (NextLine(3).answer(found), NextLine(7).answer(found), NextLine(8).answer(found)) == (4, -1, -1)
    assert NextLine(7).gold(found) == [-1]
    assert NextLine(8).answer(cut_short(found, 4)) is None
    right = NextLine(3).is_right
    assert right(5, [4, 5], found.program)
    assert not right(-1, [4, 5], found.program)
    assert not right(999, [4, 5], found.program)


def test_a_line_that_reads_like_the_next_one_will_do() -> None:
    program = Program.from_call("def f(x):\n    if x:\n        return 1\n    return 1\n", "f(0)")
    assert NextLine(2).is_right(3, [4], program)
    assert not NextLine(2).is_right(1, [4], program)


def test_values_after_a_line() -> None:
    found = run(TALLY, "tally(['a', 'a'], 2)")
    assert Value(4, "counts[word]").gold(found) == ["1", "2"]
    assert Value(4, "counts[word]").answer(found) == ["1"]
    assert Value(7, "best").gold(found) == []
    assert Value(4, "nothing").gold(found) == []
    assert Value(2, "(counts, floor)").gold(found) == ["({}, 2)"]
    assert Value(8, "best").answer(cut_short(found, 4)) is None


def test_attributes_are_read_from_what_is_rendered() -> None:
    found = run(POINT, "f(1)")
    assert Value(3, "self.x").gold(found) == []  # the next state is that of the caller, as in REval
    assert Value(6, "self.x").gold(found) == ["3"]
    assert Value(11, "point").gold(found) == []  # the next state is inside the call
    assert values_of("point.x", [{"point": "Point(x=3)"}]) == ["3"]
    for text in ("Point()", "<module>", "[1, ...]", "3"):
        with pytest.raises(UnreadableError):
            values_of("point.x", [{"point": text}])
    with pytest.raises(UnreadableError):
        values_of("f(x)", [{"x": "3"}])


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        (["1"], ["2", "1"], True),
        (["1"], ["1.0"], False),
        (["True"], ["1"], False),
        (["0.3"], ["0.30000000000000004"], True),
        (["inf"], ["inf"], True),
        (["Point(x=1)"], ["Point(x = 1)"], True),
        ([], [], True),
        ([], ["1"], False),
        (["1"], [], False),
    ],
)
def test_states_have_value_and_type(answer: list[str], gold: list[str], right: bool) -> None:
    assert Value(1, "x").is_right(answer, gold, Program("x = 1\n", "f")) is right


def test_assertions_pass_for_equal_values() -> None:
    program = Program("x = 1\n", "f")
    right = Returned().is_right
    assert right("1", "True", program)
    assert right("{'a': 1}", "{'a':1}", program)
    assert not right("'1'", "1", program)
    assert Returned().gold(Run.of(raising())) is None


def test_traces_are_lists_and_have_a_similarity() -> None:
    program = Program("x = 1\n", "f")
    assert Lines().is_right([1, 2], [1, 2], program)
    assert not Lines().is_right([2], [1, 2], program)
    assert Lines().details([1, 2], [1, 2]) == {"similarity": 1.0}
    assert 0 < Lines().details([1, 3], [1, 2])["similarity"] < 1


def test_texts_after_the_first_run_of_a_line() -> None:
    found = run(POINT, "f(1)")
    assert Text("block", 11, "point").gold(found) == "Point(x=1)"
    assert Text("block", 12, "far").gold(found) == "3"
    assert Text("block", 14).gold(found) == "(3, 1)"
    assert Text("block", 14).answer(cut_short(found, 5)) is None
    assert Text("output").gold(found) == "(3, 1)"
    assert Text("block", 2, "far").gold(found) is None
    assert Text("branch", is_branch=True).gold(run("def f(x):\n    return x > 1\n", "f(2)")) == "Yes"


def test_the_text_compared_has_no_case_quotes_and_double_spaces() -> None:
    assert comparable(" 'It  Is';") == comparable("it is")
    assert comparable("1.0") != comparable("1")


def test_cut_values_are_known() -> None:
    assert [is_cut(text) for text in ("'a'...", "[1, ...]", "'...'", "[1]")] == [True, True, False, False]


@pytest.mark.parametrize("trace", [mixed(), raising(), generator(), loop(3)])
def test_any_run_answers_its_own_questions(trace: Trace) -> None:
    found = Run.of(trace)
    for lineno in range(1, len(trace.program.lines) + 1):
        for question in (Coverage(lineno), NextLine(lineno), Value(lineno, "out"), Value(lineno, "n")):
            gold = question.gold(found)
            answer = question.answer(found)
            assert gold is None or question.is_right(answer, gold, trace.program)
            assert json.loads(json.dumps([answer, gold])) == [answer, gold]


@given(st.integers(0, 40), st.integers(1, 9), st.sampled_from(VARS))
def test_any_part_of_a_run_gives_answers(steps: int, lineno: int, var: str) -> None:
    part = cut_short(run(TALLY, "tally(['a', 'b'], 2)"), steps)
    at = (Coverage(lineno), NextLine(lineno), Value(lineno, var), Text("block", lineno, var))
    for question in (*at, Lines()):
        json.dumps(question.answer(part))
        assert question.gold(part) is None


def probe(source: str, call: str, *questions: Question, name: str = "own") -> Probe:
    return Probe(name, name, Program.from_call(source, call), questions).recorded(record)


@pytest.fixture
def items() -> list[Probe]:
    return [
        probe(TALLY, "tally(['a'], 2)", *EVERY, name="none"),
        probe(TALLY, "tally(['a'], 1)", *EVERY, name="one"),
    ]


def evaluate(items: list[Probe], predictor: NativePredictor, **others: Any) -> ProbesReport:
    return evaluate_probes(Probes(items), predictor, suite="reval", **others)


def test_a_predictor_that_knows_every_run_is_right_in_everything(items: list[Probe]) -> None:
    report = evaluate(items, knowing(*(item.program for item in items)), data="ours").to_json()
    assert (report["kind"], report["num_programs"]) == ("reval", 2)
    assert {kind: found["accuracy"] for kind, found in report["by_question"].items()} == dict.fromkeys(
        ("coverage", "state", "path", "output"), 1.0
    )
    assert report["items"]["num_right"] == 2
    assert report["measures"] == {
        "coverage precision": 1.0,
        "coverage recall": 1.0,
        "coverage F1": 1.0,
        "incremental consistency": 100.0,
    }
    assert [figure["percent"] for figure in report["published"]] == [44.4, 10.3]
    assert json.loads(json.dumps(report)) == report


def test_a_wrong_end_is_wrong_in_what_hangs_on_it(items: list[Probe]) -> None:
    report = evaluate(items[:1], knowing(items[0].program, wrong="['some']")).to_json()
    scores = {kind: found["accuracy"] for kind, found in report["by_question"].items()}
    assert scores == {"coverage": 1.0, "state": 1.0, "path": 1.0, "output": 0.0}
    assert report["measures"]["incremental consistency"] == 50.0


def test_a_run_that_breaks_off_answers_what_it_reached(items: list[Probe]) -> None:
    found = evaluate(items[:1], knowing(items[0].program), bounds=RolloutBounds(max_steps=5))
    assert found.items.num_timeouts == 1
    assert {kind: one.score.num_right for kind, one in found.by_question.items()} == dict.fromkeys(
        ("coverage", "state", "path", "output"), 0
    )


def test_an_item_the_model_cannot_be_shown_is_wrong(items: list[Probe]) -> None:
    small = NativePredictor("small", CODEC, oracle(CODEC, [], max_tokens=2))
    report = evaluate(items, small).to_json()
    assert report["items"]["ends"] == {"skipped": 2}
    assert report["items"]["num_right"] == 0


def test_results_are_kept(tmp_path: Path, items: list[Probe]) -> None:
    first = evaluate(items, knowing(*(item.program for item in items)), folder=tmp_path)
    again = evaluate(items, knowing(), folder=tmp_path)
    assert again.to_json() == first.to_json()
    changed = [dataclasses.replace(items[0], golds=(False, [], [1], "x")), items[1]]
    with pytest.raises(ConfigError, match="items_sha256"):
        evaluate(changed, knowing(), folder=tmp_path)


def test_nothing_to_ask_is_one_error() -> None:
    probes = Probes()
    probes.left_out["a reason"] += 2
    with pytest.raises(ConfigError, match="2 of a reason"):
        evaluate_probes(probes, knowing(), suite="reval")
    with pytest.raises(ConfigError, match="max_steps must be positive"):
        RolloutBounds(max_steps=0)


def test_real_runs_are_accepted(items: list[Probe]) -> None:
    found = validate(items, record)
    assert (found.num_right, found.wrong, found.unknown, found.score) == (8, (), (), 1.0)
    spoilt = dataclasses.replace(items[0], golds=(False, *items[0].golds[1:]))
    assert validate([spoilt], record).wrong == ("none/coverage0",)
    unended = validate(items, lambda program: dataclasses.replace(record(program), status=Status.TIMEOUT))
    assert (unended.num_right, len(unended.unknown)) == (0, 8)
    report = evaluate(items, knowing(*(item.program for item in items)), validation=found)
    text = "\n".join(format_table(table) for table in report.tables())
    assert "Real runs graded" in text
    assert "incremental consistency  100.000" in text
