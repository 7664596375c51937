"""Every grader gives its gold answer 1, nonsense 0 with a reason, and broken machinery an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.vocabulary import Control
from opencwm.core.config import load_config
from opencwm.core.errors import CodecError, ConfigError, SandboxError
from opencwm.corpus.trace_files import held_out_traces
from opencwm.rl.environment import ENVIRONMENTS, NativeEnvironment, Reward, environment_class, validate
from opencwm.rl.predict_input import PredictInput, objection
from opencwm.rl.predict_output import PredictOutput
from opencwm.rl.predict_trace import TRACE_MARK, PredictTrace
from opencwm.rl.recipe import RlConfig
from opencwm.rl.trace_question import TraceQuestion, is_askable
from opencwm.rl.trl_environment import environment_factory, reward_function, rows
from opencwm.tracer import record
from opencwm.traces import Program, Status, Trace

SOURCE = "def f(a, b=2):\n    c = a * b\n    return c\n"
PREDICT = [name for name in ENVIRONMENTS if name != "fix-bug"]


def question(call: str = "f(3)", source: str = SOURCE) -> TraceQuestion:
    return TraceQuestion(record(Program.from_call(source, call)))


def held_out(number: int) -> list[TraceQuestion]:
    return [TraceQuestion(trace) for trace in held_out_traces(number, 3) if is_askable(trace)]


@pytest.mark.parametrize("name", PREDICT)
def test_gold_answers_earn_1_in_words_and_in_ids(name: str) -> None:
    questions = [*held_out(12), question(), question("f('ab')"), question("f([])"), question("f(None)")]
    with environment_class(name)() as environment:
        assert validate(environment, questions) == {}


def test_what_cannot_be_asked_is_not() -> None:
    trace = question().trace
    assert is_askable(trace)
    assert not is_askable(Trace(trace.program, trace.codes, trace.steps[:2], Status.TIMEOUT))
    assert not is_askable(record(Program("def main():\n    return 1\n", "main")))  # it has no call


def test_an_outcome_is_right_or_wrong_for_a_reason() -> None:
    environment, asked = PredictOutput(), question()
    encode = environment.codec.vocabulary.encode_text
    assert environment.grade(asked, "It doubles.\nRESULT: `6`").is_right
    assert environment.grade(asked, "RESULT: 6.0") == Reward(0, "another outcome")  # types count
    assert environment.grade(asked, "6").reason == "no line that begins with RESULT:"
    right = [int(Control.RETURN), *encode("6"), int(Control.END)]
    assert environment.grade_ids(asked, right).is_right
    assert environment.grade_ids(asked, right[:-1]).reason == "the answer has no end"
    assert environment.grade_ids(asked, [int(Control.RAISE), *right[1:]]).reason == "another ending"
    assert environment.grade_ids(asked, right[1:]).reason == "malformed: not an outcome"
    assert environment.grade_ids(asked, [right[0], right[-1]]).reason == "malformed: not an outcome"
    raised = question("f(None)")
    assert environment.grade(raised, "RESULT: TypeError").value == 0  # the message is asked for
    assert environment.grade(raised, f"RESULT: {raised.outcome.value}").is_right


@pytest.mark.parametrize("name", PREDICT)
def test_nonsense_earns_nothing_and_breaks_nothing(name: str) -> None:
    asked = question()
    with environment_class(name)() as environment:
        assert isinstance(environment, NativeEnvironment)

        @settings(max_examples=25, deadline=None)
        @given(
            st.one_of(
                st.text(),
                st.text().map(lambda text: f"RESULT: {text}"),
                st.text().map(lambda text: f"{TRACE_MARK}\n{text}"),
                st.sampled_from(
                    [
                        "RESULT: " + "(" * 5000,
                        "RESULT: " + "9" * 50_000,
                        "RESULT: " + "-" * 90_000 + "1",
                        "RESULT: " + "-" * 90 + "1",
                    ]
                ),
            )
        )
        def text(answer: str) -> None:
            reward = environment.grade(asked, answer)
            assert reward.is_right or reward.reason

        @settings(max_examples=25, deadline=None)
        @given(st.lists(st.integers(0, 999), max_size=40))
        def ids(answer: list[int]) -> None:
            reward = environment.grade_ids(asked, answer)
            assert reward.is_right or reward.reason

        text()
        ids()
        assert environment.grade(asked, "x" * 200_000).value == 0


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("g(3)", "not a call of f"),
        ("f", "malformed: not a call"),
        ("f(3) + 0", "malformed: not a call"),
        ("f(globals().update(f=f))", "the unknown name globals"),
        ("f(f.__globals__)", "the private name __globals__"),
        ("f((f := int) and 6)", "more than a call of plain arguments"),
        ("f(open)", "the unknown name open"),
        ("f(" + "1," * 4000 + ")", "a call of more than 4096 characters"),
        ("f((lambda: x)())", "the unknown name x"),
    ],
)
def test_a_call_that_is_no_answer_is_not_run(call: str, reason: str) -> None:
    assert objection(question().trace.program, call) == reason
    ran = PredictInput(run=lambda _: pytest.fail("it was run"))
    assert ran.grade(question(), f"RESULT: {call}") == Reward(0, reason)


def test_any_call_that_comes_to_it_is_right() -> None:
    environment, asked = PredictInput(run=record), question()
    for call in ("f(6, 1)", "f(b=3, a=2)", "f(*[1, 6])", "f((lambda x: x)(3))", "f(sorted({2, 3})[0], 3)"):
        assert environment.grade(asked, f"RESULT: {call}").is_right
    assert environment.grade(asked, "RESULT: f(4)") == Reward(
        0, "it comes to something else", {"call": "f(4)", "found": "8"}
    )


def test_a_run_that_hangs_earns_0_and_a_sandbox_that_fails_is_an_error() -> None:
    asked = question()

    def hangs(program: Program) -> Trace:
        return Trace(program, (), (), Status.TIMEOUT)

    def fails(program: Program) -> Trace:
        raise SandboxError("no space left", where=program.filename)

    assert PredictInput(run=hangs).grade(asked, "RESULT: f(3)").reason == "the run ended with timeout"
    with pytest.raises(SandboxError):
        PredictInput(run=fails).grade(asked, "RESULT: f(3)")


def test_a_trace_earns_the_share_of_its_leading_steps() -> None:
    environment, asked = PredictTrace(), question()
    gold = environment.gold(asked).split("\n")
    number = len(gold) - 1
    assert environment.grade(asked, "\n".join(gold[:-1])).reason == "it breaks off"
    assert environment.grade(asked, "\n".join([*gold, gold[-1]])).reason == "it goes on after the end"
    wrong = [*gold[:3], json.dumps({"event": "line", "line": 99}), *gold[4:]]
    reward = environment.grade(asked, "\n".join(wrong))
    assert (reward.value, reward.reason) == (2 / number, "step 3 is another")
    ids = environment.gold_ids(asked)
    assert 0 < environment.grade_ids(asked, ids[:-1]).value < 1  # it does not say that it is over
    assert environment.grade_ids(asked, [int(Control.AT)]).reason == "step 1 is malformed"


def test_programs_that_do_not_fit_cannot_be_asked_in_ids() -> None:
    long = "def f(a):\n" + "    a = a + 1\n" * 400 + "    return a\n"
    with pytest.raises(CodecError):
        PredictOutput(max_tokens=256).prompt_ids(question("f(1)", long))


def test_rewards_are_between_0_and_1_and_say_why() -> None:
    for value, reason in ((1.5, ""), (-1, "x"), (0.5, "")):
        with pytest.raises(ValueError, match="no reward"):
            Reward(value, reason)


def test_an_environment_that_is_none_is_one_clear_line() -> None:
    for name in ("predict-outptu", "os:path", "nowhere.at.all:Thing", "a:b:c", ":x", ""):
        with pytest.raises(ConfigError, match="no environment"):
            environment_class(name)


def test_trl_is_given_rows_a_reward_and_rollouts() -> None:
    environment, asked = PredictOutput(), [question(), question("f(4)")]
    [first, _] = rows(environment, asked)
    assert first["key"] == asked[0].key
    assert first["prompt"][-1]["role"] == "user"
    earned = reward_function(environment, asked)
    chats = [[{"role": "assistant", "content": "<think>RESULT: 1</think>RESULT: 6"}], "RESULT: 6"]
    assert earned(completions=chats, key=[one.key for one in asked], prompts=[]) == [1.0, 0.0]
    rollout = environment_factory(environment, asked)()
    rollout.reset(**first)
    assert rollout.get_reward() == 0
    assert rollout.submit_answer("RESULT: 7") == "Wrong: another outcome. The true answer:\nRESULT: 6"
    assert rollout.submit_answer("RESULT: 6").startswith("Wrong")  # the first counts
    rollout.reset(**first)
    assert rollout.submit_answer("RESULT: 6").startswith("Right.")
    assert rollout.get_reward() == 1
    with pytest.raises(ConfigError, match="no question"):
        rollout.reset(key="another")


def test_every_recipe_parses() -> None:
    recipes = sorted((Path(__file__).parents[2] / "recipes").glob("rl-*.toml"))
    assert recipes
    for path in recipes:
        assert load_config(RlConfig, path).environment in ENVIRONMENTS
