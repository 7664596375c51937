import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from evals_programs import generator, loop, mixed, raising

from opencwm.codec.native import EncodedDocument, NativeCodec, TokenClass
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE, Control, is_line, is_text
from opencwm.debugger.legality import Legality
from opencwm.debugger.selection import source_view
from opencwm.evals.teacher_forced import METRICS, TeacherForced, documents, score_trace
from opencwm.evals.testing import PositionalEngine, oracle
from opencwm.source.cfg import ControlFlow
from opencwm.traces import StepKind, Trace

CODEC = NativeCodec()
PARTS = {"next_line", "state", "return_value", "yield_value", "exception"}
LETTER = BYTE_BASE + ord("q")


def view_of(trace: Trace) -> SourceView:
    return source_view(trace.program, CODEC, max_tokens=4096)


def document_of(trace: Trace) -> EncodedDocument:
    return CODEC.encode(trace, view_of(trace))


def score(trace: Trace, slips: dict[int, int] | None = None, *, constrained: bool = False) -> TeacherForced:
    """Score a model that is right, but at a position in ``slips`` prefers that id; the truth comes second."""
    view, ids = view_of(trace), document_of(trace).ids
    table = np.zeros((len(ids), len(CODEC.vocabulary)), np.float32)
    table[np.arange(len(ids) - 1), ids[1:]] = 8
    for position, token in (slips or {}).items():
        table[position - 1, token] = 9
    engine = PositionalEngine(table)
    legality = Legality(view, ControlFlow(trace.program.text)) if constrained else None
    return score_trace(trace, view, engine, CODEC, max_document_tokens=4096, legality=legality)


def wrong(result: TeacherForced) -> dict[str, int]:
    return {name: total - right for name, (right, total) in result.counts.items() if right < total}


@pytest.mark.parametrize("make", [mixed, raising, generator, lambda: loop(30)])
def test_a_model_that_knows_the_run_is_right_about_everything(make: Callable[[], Trace]) -> None:
    trace = make()
    result = score(trace, constrained=True)
    assert wrong(result) == {}
    assert result.num_steps == len(trace.steps)
    assert result.num_left_out == 0
    assert result.num_illegal == 0
    assert result.counts["step"] == [len(trace.steps)] * 2
    assert result.counts["end"] == [1, 1]
    document = document_of(trace)
    sampled = [kind for kind in document.classes if kind not in (TokenClass.PROMPT, TokenClass.ECHO)]
    assert result.num_sampled == len(sampled)
    assert result.num_tokens == len(document.ids) - document.num_prompt


def test_what_is_counted_is_what_was_recorded() -> None:
    trace = mixed()
    totals = {name: total for name, (_, total) in score(trace).counts.items()}
    kinds = [step.kind for step in trace.steps]
    assert (
        totals["arguments"]
        == sum(step.kind is StepKind.CALL and bool(step.changed) for step in trace.steps)
        == 5
    )
    assert totals["exception"] == kinds.count(StepKind.EXCEPTION) > 0
    assert totals["return_value"] == kinds.count(StepKind.RETURN) - 1  # one is unwound
    changed = [name for step in trace.steps if step.kind is not StepKind.CALL for name, _ in step.changed]
    assert sum(total for name, total in totals.items() if name.startswith("value_")) == len(changed)
    assert totals["value_number"] == changed.count("i") + changed.count("ratio")
    assert totals["value_container"] == changed.count("out")
    assert totals["value_other"] == changed.count("error") + changed.count("flag")
    assert set(totals) <= set(METRICS)


def test_yielded_values_are_no_returned_values() -> None:
    counts = score(generator()).counts
    assert counts["yield_value"] == [3, 3]
    assert counts["arguments"] == [
        2,
        2,
    ]  # f and squares once each; a resumed generator is no call with arguments


@pytest.mark.parametrize("make", [mixed, raising, generator])
def test_one_slip_makes_exactly_its_own_step_wrong(make: Callable[[], Trace]) -> None:
    trace = make()
    document = document_of(trace)
    starts = [document.num_prompt, *document.step_ends[:-1]]
    for index, (start, end) in enumerate(zip(starts, document.step_ends, strict=True)):
        for position in range(start, end, 2):
            result = score(trace, {position: Control.PAD})
            is_given = document.classes[position] is TokenClass.ECHO
            assert wrong(result).get("step", 0) == (0 if is_given else 1), (index, position)
            assert bool(PARTS & wrong(result).keys()) is not is_given, (index, position)


def test_slips_are_attributed_to_what_they_are_in() -> None:
    trace = mixed()
    document = document_of(trace)
    position = {kind: document.classes.index(kind) for kind in set(document.classes)}
    assert wrong(score(trace, {position[TokenClass.ARGUMENT]: LETTER})) == {
        "step": 1,
        "state": 1,
        "arguments": 1,
    }
    value = position[TokenClass.VALUE]  # out = [] is the first
    assert wrong(score(trace, {value: LETTER})) == {"step": 1, "state": 1, "value_container": 1}
    name = (
        position[TokenClass.NAME] if position[TokenClass.NAME] > position[TokenClass.ARGUMENT] else value - 2
    )
    assert wrong(score(trace, {name: LETTER})) == {"step": 1, "state": 1}
    line = next(i for i in range(value, len(document.ids)) if document.classes[i] is TokenClass.LINE)
    assert wrong(score(trace, {line: document.ids[line] + 1})) == {"step": 1, "next_line": 1}
    raise_ = document.ids.index(Control.RAISE)
    assert wrong(score(trace, {raise_: Control.RETURN})) == {"step": 1, "next_line": 1, "exception": 1}
    delete = document.ids.index(Control.DELETE)
    assert {"step": 1, "state": 1}.items() <= wrong(score(trace, {delete: Control.SET})).items()
    assert wrong(score(trace, {len(document.ids) - 1: Control.SET})) == {"end": 1}


def test_a_change_that_did_not_happen_is_a_wrong_state() -> None:
    trace = loop(3)
    document = document_of(trace)
    starts = [document.num_prompt, *document.step_ends[:-1]]
    still = next(i for i, s in enumerate(trace.steps) if s.kind is StepKind.LINE and not s.changed and i > 2)
    assert is_line(document.ids[starts[still]])
    assert wrong(score(trace, {starts[still]: Control.SET})) == {"step": 1, "next_line": 1, "state": 1}


def test_a_value_that_is_not_stopped_is_wrong() -> None:
    trace = mixed()
    document = document_of(trace)
    first = document.classes.index(TokenClass.VALUE)
    after = next(i for i in range(first, len(document.ids)) if not is_text(document.ids[i]))
    assert wrong(score(trace, {after: LETTER})) == {
        "step": 1,
        "next_line": 1,
        "state": 1,
        "value_container": 1,
    }
    returned = next(i for i, step in enumerate(trace.steps) if step.kind is StepKind.RETURN)
    following = document.step_ends[returned]
    found = wrong(score(trace, {following: LETTER}))
    assert found["return_value"] == 1
    assert found["step"] == 2  # the value that went on, and the step that was not begun
    assert wrong(score(trace, {len(document.ids) - 1: LETTER})) == {"step": 1, "return_value": 1, "end": 1}


def test_an_illegal_line_is_no_danger_when_constrained() -> None:
    trace = loop(3)
    document = document_of(trace)
    lines = [
        i for i in range(document.num_prompt, len(document.ids)) if document.classes[i] is TokenClass.LINE
    ]
    *_, body, again, leaving = lines  # word += ..., for i in ..., return word
    result = score(trace, {body: document.ids[lines[0]]}, constrained=True)  # the line of the entry's def
    assert wrong(result) == {"step": 1, "next_line": 1}
    assert result.counts["next_line_constrained"] == [len(trace.steps)] * 2
    result = score(
        trace, {body: document.ids[leaving]}, constrained=True
    )  # leaving the loop is legal, but early
    assert wrong(result) == {"step": 1, "next_line": 1, "next_line_constrained": 1}
    assert document.ids[again] != document.ids[body]


def test_what_constraints_forbid_is_counted() -> None:
    trace = loop(3)
    last = max(i for i, step in enumerate(trace.steps) if step.kind is StepKind.LINE and step.depth == 1)
    steps = list(trace.steps)
    steps[last] = dataclasses.replace(steps[last], lineno=1)  # a run that no control flow allows
    result = score(dataclasses.replace(trace, steps=tuple(steps)), constrained=True)
    assert result.num_illegal >= 1
    assert wrong(result)["next_line_constrained"] == result.num_illegal
    assert "next_line" not in wrong(result)


def test_confidence_in_the_next_line_is_that_of_the_likeliest_token() -> None:
    trace = loop(2)
    view = view_of(trace)
    result = score_trace(
        trace,
        view,
        oracle(CODEC, [document_of(trace).ids], probability=0.75),
        CODEC,
        max_document_tokens=4096,
    )
    assert len(result.line_confidences) == len(trace.steps)
    assert all(is_right for _, is_right in result.line_confidences)
    assert [p for p, _ in result.line_confidences] == pytest.approx([0.75] * len(trace.steps), abs=1e-3)


def test_a_long_run_is_scored_in_documents_from_states_each_step_once() -> None:
    trace = loop(60)
    view = view_of(trace)
    found = list(documents(trace, view, CODEC, max_document_tokens=300))
    assert len(found) > 5
    assert all(len(document.ids) <= 300 for document in found)
    assert all(Control.STATE in document.ids for document in found[1:])
    result = score_trace(
        trace,
        view,
        oracle(CODEC, [d.ids for d in found]),
        CODEC,
        max_document_tokens=300,
        legality=Legality(view, ControlFlow(trace.program.text)),
    )
    assert result.counts["step"] == [len(trace.steps)] * 2
    assert wrong(result) == {}
    assert result.num_left_out == 0
    assert result.counts["end"] == [1, 1]


def test_what_fits_no_document_is_left_out_and_said() -> None:
    trace = loop(60)
    view = view_of(trace)
    prompt = len(CODEC.encode_prompt(view))
    engine = oracle(CODEC, [])
    nothing = score_trace(trace, view, engine, CODEC, max_document_tokens=prompt)
    assert (nothing.num_steps, nothing.num_left_out) == (0, len(trace.steps))
    assert nothing.counts == {}
    some = score_trace(trace, view, engine, CODEC, max_document_tokens=prompt + 90)
    assert 0 < some.num_steps < len(trace.steps)
    assert some.num_steps + some.num_left_out == len(trace.steps)
