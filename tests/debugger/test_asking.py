"""Questions to a model: what an expression would be, with the variables of a step."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from debugged import COUNT, real, traced
from engines import CODEC, VOCABULARY_SIZE, oracle, random_engine
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.asking import Answer, question
from opencwm.debugger.execution import Origin, Value
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.selection import source_view
from opencwm.debugger.session import Session
from opencwm.debugger.testing import ScriptedExecution, predicted_from
from opencwm.model.testing import ScriptedEngine
from opencwm.tracer import record
from opencwm.traces import Program, StepKind, Trace

LOCALS = """\
def f(n):
    def double(x):
        return x * 2
    return double(n)
"""


def answering(trace: Trace, asked: Program, call: str) -> PredictedExecution:
    """A prediction of ``trace`` whose model knows how ``asked`` goes on when its entry is called so."""
    run = record(Program.from_call(asked.source, call))
    steps = [
        dataclasses.replace(step, code=step.code - 1, depth=step.depth - 1)
        for step in run.steps
        if step.depth
    ]
    inner = dataclasses.replace(run, program=asked, codes=run.codes[1:], steps=tuple(steps))
    documents = []
    for one in (trace, inner):
        view = source_view(one.program, CODEC, max_tokens=16_000)
        firsts = [0, *(i + 1 for i, step in enumerate(one.steps) if step.kind is StepKind.LINE)]
        documents += [CODEC.encode(one, view, first_step=first).ids for first in firsts]
    engine = ScriptedEngine.saying(VOCABULARY_SIZE, documents, max_tokens=16_000, probability=0.99)
    return PredictedExecution(trace.program, CODEC, engine)


def asked_in_count(expression: str, call: str) -> tuple[Session, Answer]:
    trace = traced("count")
    shown = {name: Value("", Origin.CARRIED) for name in ("word", "letter", "n", "c")}
    program, _ = question(trace.program, expression, shown)
    session = Session(answering(trace, program, call))
    session.run_to(4)
    return session, session.ask(expression)


def test_a_call_of_the_programs_function_is_predicted_and_says_so() -> None:
    session, answer = asked_in_count("count(word * 2, letter) + 1", "ask('brr', 'r')")
    assert (answer.text, answer.is_predicted, answer.has_raised) == ("5", True, False)
    assert answer.probability is not None
    assert 0 < answer.probability < 1
    assert answer.names == {"word", "letter"}
    assert session.position == 8
    assert answer.execution is not None
    called = Session(answer.execution)
    assert {name: value.origin for name, value in called.locals.items()} == {
        "word": Origin.SUPPLIED,
        "letter": Origin.SUPPLIED,
    }
    assert called.continue_().reason == "the program returned 5"


def test_what_the_call_raises_is_an_answer() -> None:
    _, answer = asked_in_count("count(n, letter)", "ask('r', 0)")
    assert (answer.text, answer.has_raised) == ("TypeError(\"'int' object is not iterable\")", True)


def test_what_is_known_is_not_asked() -> None:
    session = Session(predicted_from(traced("count"), probability=0.8))
    session.run_to(4)
    assert session.ask("c") == Answer("'b'", False, 0.8, frozenset({"c"}))
    assert session.ask("word + c") == Answer("'brrb'", False, 0.8, frozenset({"word", "c"}))
    assert session.ask("1 + 1") == Answer("2", False, None, frozenset())
    assert session.ask("word", -2).names == {"word"}
    with pytest.raises(ExpressionError, match="ZeroDivisionError"):
        session.ask("1 / n")


def test_no_steps_are_no_answer() -> None:
    execution = predicted_from(traced("count"))
    execution.answers = lambda program, _: ScriptedExecution(program, (), (), "nothing was predicted")
    with pytest.raises(Undecided, match="nothing was predicted"):
        Session(execution).ask("count('a', 'a')")


def test_a_recorded_run_cannot_be_asked_and_says_why() -> None:
    session = Session(real("count"))
    session.run_to(4)
    assert session.ask("n + 1").text == "1"
    with pytest.raises(Undecided, match="nothing is executed to find out more"):
        session.ask("count(word, c)")
    with pytest.raises(Undecided, match="nothing is executed"):
        session.ask("sorted(word, key=lambda x: x)")


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        ("nope(word)", Undecided, "nope is no variable here and not in the program"),
        ("(yield)", ExpressionError, "suspends"),
        ("[count(x, x) async for x in word]", ExpressionError, "suspends"),
        ("count(word", ExpressionError, "SyntaxError"),
    ],
)
def test_what_cannot_be_asked(expression: str, error: type[Exception], message: str) -> None:
    trace = traced("count")
    session = Session(PredictedExecution(trace.program, CODEC, oracle(trace)))
    session.run_to(4)
    with pytest.raises(error, match=message):
        session.ask(expression)


def test_a_function_made_on_the_way_cannot_be_asked_about() -> None:
    trace = record(Program.from_call(LOCALS, "f(2)"))
    session = Session(PredictedExecution(trace.program, CODEC, oracle(trace)))
    session.run_to(4)
    assert "<locals>" in session.locals["double"].text
    with pytest.raises(Undecided, match="double was made while the program ran"):
        session.ask("double(n)")


def test_the_question_is_the_source_and_one_function_more() -> None:
    shown = {"word": Value("'a'", Origin.SUPPLIED), "n": Value("1", Origin.CARRIED)}
    source = "def ask(x):\n    return x"
    program, names = question(Program.from_call(source, "ask(1)"), "ask(n) + len([x for x in word])", shown)
    assert names == ["word", "n"]
    assert program.entry == "ask_"
    assert program.source == f"{source}\ndef ask_(word, n):\n    return ask(n) + len([x for x in word])\n"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["f(word)", "count(word, 'r')", "[count(x, x) for x in word]"]))
def test_whatever_the_model_believes_an_answer_is_labelled_or_there_is_none(
    noise: int, expression: str
) -> None:
    program = Program.from_call(COUNT, "count('brr', 'r')")
    session = Session(PredictedExecution(program, CODEC, random_engine(noise)), max_steps=8)
    session.goto(2)
    if "word" not in session.locals:
        return
    with contextlib.suppress(Undecided):
        answer = session.ask(expression)
        assert answer.is_predicted
        assert answer.probability is not None
        assert 0 <= answer.probability <= 1


def test_a_question_longer_than_the_context_has_no_answer() -> None:
    program = Program.from_call(COUNT, "count('brr', 'r')")
    session = Session(PredictedExecution(program, CODEC, random_engine(3, max_tokens=600)))
    with pytest.raises(Undecided, match="tokens"):
        session.ask(" + ".join(["count('a', 'b')"] * 100))


def test_an_execution_begins_with_any_state() -> None:
    program = Program(COUNT, "count")
    execution = PredictedExecution(program, CODEC, random_engine(1), state={"letter": "'r'", "word": "'brr'"})
    session = Session(execution)
    assert [(name, value.text, value.origin) for name, value in session.locals.items()] == [
        ("word", "'brr'", Origin.SUPPLIED),
        ("letter", "'r'", Origin.SUPPLIED),
    ]
    session.step_into()
    assert session.step.lineno == 2
    session.set_variable("word", "'x'")
    assert session.locals["word"].text == "'x'"
    with pytest.raises(ConfigError, match="'nope' is no local variable of count"):
        PredictedExecution(program, CODEC, random_engine(1), state={"nope": "1"})
    with pytest.raises(ConfigError, match="no function"):
        execution.beginning(Program(COUNT, "nope"), {})
