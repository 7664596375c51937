"""Input prediction: a proposed call is right when running it gives the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_input import called_name, input_prompt
from opencwm.codec.vocabulary import Control
from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.inputs import (
    InputsConfig,
    Question,
    comes_to,
    evaluate_inputs,
    questions_of_items,
    questions_of_traces,
)
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.report import format_table
from opencwm.evals.testing import oracle
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Outcome, OutcomeKind, Program

CODEC = NativeCodec()
NOTHING = NativePredictor("oracle", CODEC, oracle(CODEC, []))
SOURCE = "def half(n):\n    if n % 2:\n        raise ValueError(n)\n    return n // 2\n"


def question(call: str, key: str = "") -> Question:
    program = Program.from_call(SOURCE, call)
    (asked,) = questions_of_traces([record(program)])
    return dataclasses.replace(asked, key=key or asked.key)


def knowing(answers: Iterable[tuple[Question, str]]) -> NativePredictor:
    """A predictor that gives each question its answer, the rest of a call."""
    documents = []
    for asked, answer in answers:
        prompt = input_prompt(CODEC, NOTHING.view(asked.program), called_name(asked.program), asked.wanted)
        documents.append([*prompt, *CODEC.vocabulary.encode_text(answer), Control.END])
    return NativePredictor("oracle", CODEC, oracle(CODEC, documents))


def test_any_call_that_gives_the_result_is_right() -> None:
    four, odd = question("half(8)"), question("half(3)")
    predictor = knowing([(four, "(n=4 + 4)"), (odd, "(5)")])
    report = evaluate_inputs([four, odd], predictor, record)
    assert (report.num_questions, report.num_unanswered) == (2, 0)
    assert report.by_kind["returned"].num_right == 1
    assert report.by_kind["raised"].num_right == 0  # ValueError(5) is not ValueError(3)
    assert report.pass_at_1.fraction == report.pass_at_k.fraction == 0.5


def test_a_wrong_call_is_wrong_however_it_fails() -> None:
    four = question("half(8)")
    for answer in ("(10)", "(3)", "('x')", "()", "(exit())"):
        report = evaluate_inputs([four], knowing([(four, answer)]), record)
        assert report.pass_at_1.num_right == 0, answer


def test_one_of_several_calls_is_enough_for_pass_at_k() -> None:
    four = question("half(8)")
    prompt = input_prompt(CODEC, NOTHING.view(four.program), "half", four.wanted)
    wrong = [*prompt, *CODEC.vocabulary.encode_text("(6)"), Control.END]
    unsure = NativePredictor("oracle", CODEC, oracle(CODEC, [wrong], probability=0.3))
    report = evaluate_inputs([four], unsure, record, InputsConfig(num_draws=12))
    assert report.pass_at_1.num_right == 0
    assert report.num_draws == 12
    assert report.tokens_per_call
    assert "one of 12 calls" in "\n".join(format_table(table) for table in report.tables())


def test_what_is_asked_of_recorded_runs() -> None:
    whole = record(Program.from_call(SOURCE, "half(8)"))
    entered = record(Program("def main():\n    return 1\n", "main"))
    endless = record(
        Program.from_call("def f():\n    while True:\n        x = 1\n", "f()"), TraceLimits(max_steps=9)
    )
    cut = record(
        Program.from_call("def f(n):\n    return 'x' * n\n", "f(99)"), TraceLimits(max_value_chars=20)
    )
    (asked,) = questions_of_traces([whole, entered, endless, cut])
    assert asked.wanted == Outcome(OutcomeKind.RETURNED, "4")


def test_items_with_an_output_are_questions() -> None:
    program = Program.from_call(SOURCE, "half(8)")
    items = [Item("a", program, "4"), Item("b", program, None), Item("c", program, "ValueError(3)")]
    asked = list(questions_of_items(items))
    assert [one.key for one in asked] == ["a", "c"]
    assert asked[1].wanted == Outcome(OutcomeKind.RAISED, "ValueError(3)")


@pytest.mark.parametrize(
    ("call", "wanted", "expected"),
    [
        ("half(8)", Outcome(OutcomeKind.RETURNED, "4"), True),
        ("half(8)", Outcome(OutcomeKind.RETURNED, "5"), False),
        ("half(8)", Outcome(OutcomeKind.RAISED, "4"), False),
        ("half(3)", Outcome(OutcomeKind.RAISED, "ValueError(3)"), True),
        ("half(3)", Outcome(OutcomeKind.RAISED, "ValueError"), True),
        ("half(3)", Outcome(OutcomeKind.RETURNED, "ValueError(3)"), False),
    ],
)
def test_how_a_run_has_to_end(call: str, wanted: Outcome, expected: bool) -> None:
    assert comes_to(record(Program.from_call(SOURCE, call)), wanted) is expected


def test_a_result_that_was_cut_is_never_right() -> None:
    program = Program.from_call("def f(n):\n    return 'x' * n\n", "f(99)")
    trace = record(program, TraceLimits(max_value_chars=20))
    assert trace.result is not None
    assert not comes_to(trace, Outcome(OutcomeKind.RETURNED, trace.result))


def test_the_draw_of_questions_depends_on_the_seed_alone() -> None:
    asked = [question(f"half({2 * n})", key=str(n)) for n in range(9)]
    predictor = knowing([])

    def drawn(seed: int, given: list[Question]) -> str:
        report = evaluate_inputs(given, predictor, record, InputsConfig(num_questions=3, seed=seed))
        return str(report.provenance.settings["questions_sha256"])

    assert drawn(1, asked) == drawn(1, [*asked, *asked])
    assert drawn(1, asked) != drawn(2, asked)


def test_an_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    four, two = question("half(8)"), question("half(4)")
    predictor = knowing([(four, "(8)"), (two, "(4)")])
    whole = evaluate_inputs([four, two], predictor, record, folder=tmp_path)
    path = tmp_path / "results.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    seen: list[tuple[int, int]] = []
    again = evaluate_inputs(
        [four, two], predictor, record, folder=tmp_path, progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(1, 2), (2, 2)]
    assert again.pass_at_1 == whole.pass_at_1
    assert json.dumps(again.to_json())


def test_what_cannot_be_evaluated_is_one_error() -> None:
    with pytest.raises(ConfigError, match="no call"):
        evaluate_inputs([], NOTHING, record)
    for bad in ({"num_draws": 0}, {"num_questions": 0}):
        with pytest.raises(ConfigError, match="must be positive"):
            InputsConfig(**bad)
