from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.cwm import CwmCodec, CwmReader
from opencwm.codec.cwm_special import (
    ACTION_SEP,
    ARG_SEP,
    CALL_SEP,
    END_OF_TEXT,
    EXCEPTION_SEP,
    FRAME_SEP,
    LINE_SEP,
    RETURN_SEP,
    SPECIAL_IDS,
    TRACE_TOKENS,
)
from opencwm.codec.cwm_step import CwmStep, LocatedStep, MalformedStep
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.errors import CodecError
from opencwm.traces import Program, StepKind

CODEC = CwmCodec(tiny_tokenizer())
PROGRAM = Program("def f(a):\n    b = a\n    return b\n", "f")


def ids_of(text: str) -> list[int]:
    """Ids of text in which the names of special tokens stand for the tokens."""
    ids: list[int] = []
    while text:
        cuts = [(text.find(name), name) for name in SPECIAL_IDS if name in text]
        position, name = min(cuts, default=(len(text), ""))
        ids += CODEC.tokenizer.encode(text[:position])
        ids += [CODEC.tokenizer.special_id(name)] if name else []
        text = text[position + len(name) :]
    return ids


CALL_F = f'{CALL_SEP}{{"a": "1"}}{ACTION_SEP}def f(a):\n{FRAME_SEP}'
LINE_2 = f'{LINE_SEP}{{"a": ".."}}{ACTION_SEP}    b = a\n{FRAME_SEP}'
LINE_3 = f'{LINE_SEP}{{"a": "..", "b": "1"}}{ACTION_SEP}    return b\n{FRAME_SEP}'
RETURN_3 = f'{RETURN_SEP}{ACTION_SEP}    return b\n{ARG_SEP}"1"{FRAME_SEP}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CALL_F, (StepKind.CALL, "def f(a):\n", (("a", "1"),), None)),
        (LINE_2, (StepKind.LINE, "    b = a\n", (("a", ".."),), None)),
        (RETURN_3, (StepKind.RETURN, "    return b\n", (), "1")),
        (
            f'{EXCEPTION_SEP}{ACTION_SEP}  x\n{ARG_SEP}"E(\\"\\u00e9\\")"{FRAME_SEP}',
            (StepKind.EXCEPTION, "  x\n", (), 'E("é")'),
        ),
        (f"{LINE_SEP}{{}}{ACTION_SEP}  x{FRAME_SEP}", (StepKind.LINE, "  x", (), None)),
        (
            f'{LINE_SEP} {{"é":"\\ud800"}}{ACTION_SEP}\n{FRAME_SEP}',
            (StepKind.LINE, "\n", (("é", "\ud800"),), None),
        ),
    ],
)
def test_well_formed_steps(text: str, expected: tuple[object, ...]) -> None:
    ids = ids_of(text)
    step = CODEC.decode_step(ids)
    assert isinstance(step, CwmStep)
    assert (step.kind, step.source, step.bindings, step.value) == expected
    assert step.ids == tuple(ids)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends before <|frame_sep|>"),
        (LINE_2.removesuffix(FRAME_SEP), "ends before <|frame_sep|>"),
        (FRAME_SEP, "does not start with a kind of step"),
        (f"x{FRAME_SEP}", "does not start with a kind of step"),
        (f'{{"a": ".."}}{ACTION_SEP}  x\n{FRAME_SEP}', "does not start with a kind of step"),
        (f'{LINE_SEP}{{"a": "1"}}{FRAME_SEP}', "has <|action_sep|> between its parts, here: none"),
        (f"{LINE_SEP}{{}}{ACTION_SEP}x{ACTION_SEP}x{FRAME_SEP}", "here: <|action_sep|> <|action_sep|>"),
        (f'{LINE_SEP}{{}}{ACTION_SEP}x\n{ARG_SEP}"1"{FRAME_SEP}', "parts, here: <|action_sep|> <|arg_sep|>"),
        (f"{RETURN_SEP}{ACTION_SEP}x\n{FRAME_SEP}", "<|arg_sep|> between its parts"),
        (f'{RETURN_SEP}{ARG_SEP}"1"{ACTION_SEP}x\n{FRAME_SEP}', "<|arg_sep|> between its parts"),
        (f"{LINE_SEP}{LINE_SEP}{{}}{ACTION_SEP}x\n{FRAME_SEP}", "between its parts"),
        (f'{RETURN_SEP}{{}}{ACTION_SEP}x\n{ARG_SEP}"1"{FRAME_SEP}', "a return step has no locals"),
        (f'{RETURN_SEP}{ACTION_SEP}x\n{ARG_SEP}1{FRAME_SEP}', "value is not a JSON string"),
        (f"{RETURN_SEP}{ACTION_SEP}x\n{ARG_SEP}'1'{FRAME_SEP}", "value is not JSON"),
        (f"{RETURN_SEP}{ACTION_SEP}x\n{ARG_SEP}{FRAME_SEP}", "value is not JSON"),
        (f"{EXCEPTION_SEP}{ACTION_SEP}x\n{ARG_SEP}{'9' * 5000}{FRAME_SEP}", "value is not JSON"),
        (f"{LINE_SEP}{ACTION_SEP}x\n{FRAME_SEP}", "locals are not JSON"),
        (f'{LINE_SEP}{{"a": "1"{ACTION_SEP}x\n{FRAME_SEP}', "locals are not JSON"),
        (f"{LINE_SEP}{'[' * 100_000}{ACTION_SEP}x\n{FRAME_SEP}", "locals are not JSON"),
        (f"{LINE_SEP}[]{ACTION_SEP}x\n{FRAME_SEP}", "locals are not a JSON object"),
        (f'{LINE_SEP}{{"a": 1}}{ACTION_SEP}x\n{FRAME_SEP}', "the value of local 'a' is not a JSON string"),
        (f'{LINE_SEP}{{"a": {{}}}}{ACTION_SEP}x\n{FRAME_SEP}', "the value of local 'a' is not a JSON string"),
        (f'{LINE_SEP}{{"a": "1", "a": "2"}}{ACTION_SEP}x\n{FRAME_SEP}', "a local is written twice"),
        (f"{LINE_SEP}{{}}{ACTION_SEP}x\ny\n{FRAME_SEP}", "source is more than one line"),
        (f"{LINE_SEP}{{}}{ACTION_SEP}x\n\n{FRAME_SEP}", "source is more than one line"),
    ],
)  # fmt: skip
def test_malformed_steps(text: str, reason: str) -> None:
    ids = ids_of(text)
    step = CODEC.decode_step(ids)
    assert isinstance(step, MalformedStep)
    assert reason in step.reason
    assert step.ids == tuple(ids)


def test_ids_that_are_not_in_the_vocabulary() -> None:
    ids = ids_of(LINE_2)
    step = CODEC.decode_step([*ids[:-2], 10**9, ids[-1]])
    assert isinstance(step, MalformedStep)
    assert step.reason == "id 1000000000 is not in the vocabulary"


VOCABULARY = st.integers(-2, tiny_tokenizer().vocab_size + 2)
TRACE_IDS = st.sampled_from([CODEC.tokenizer.special_id(name) for name in TRACE_TOKENS])
PARTS = st.sampled_from(
    [ids_of(part) for part in (CALL_F, LINE_2, LINE_3, RETURN_3, '{"a": "1"}', '"1"', "    b = a\n")]
)
ANY_IDS = st.lists(
    st.one_of(PARTS, TRACE_IDS.map(lambda id_: [id_]), st.lists(VOCABULARY, max_size=3)), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(ANY_IDS)
def test_any_ids_give_steps_or_malformed_steps(parts: list[list[int]]) -> None:
    ids = [id_ for part in parts for id_ in part]
    assert isinstance(CODEC.decode_step(ids), CwmStep | MalformedStep)
    result = CODEC.decode(ids, PROGRAM)
    reader = CwmReader(CODEC, PROGRAM)
    reader.extend(ids)
    read = [
        id_
        for step in reader.result().steps
        for id_ in (step.ids if isinstance(step, MalformedStep) else step.step.ids)
    ]
    stops = [position for position, id_ in enumerate(ids) if id_ in CODEC.stop_ids]
    assert read == ids[: stops[0] if stops else None]  # nothing is lost and nothing is re-tokenized
    assert result.is_finished is (
        bool(stops)
        and (ids[0] not in ids_of("<|begin_of_text|><|trace_context_start|>") or result.is_finished)
    )


def test_a_malformed_step_is_reported_and_not_kept() -> None:
    reader = CwmReader(CODEC, PROGRAM)
    bad = f'{LINE_SEP}{{"a": ".."{ACTION_SEP}    b = a\n{FRAME_SEP}'
    stray = f"{LINE_SEP}{{}}{ACTION_SEP}    c = a\n{FRAME_SEP}"
    outcomes = reader.extend(ids_of(CALL_F + bad + stray + LINE_2 + LINE_3 + RETURN_3 + END_OF_TEXT))
    assert [type(outcome) for outcome in outcomes] == [
        LocatedStep,
        MalformedStep,
        MalformedStep,
        *[LocatedStep] * 3,
    ]
    assert isinstance(outcomes[2], MalformedStep)
    assert outcomes[2].reason == "the source line is not in the program"
    assert reader.kept_ids == ids_of(CALL_F + LINE_2 + LINE_3 + RETURN_3)
    assert [step.lineno for step in reader.steps] == [1, 2, 3, 3]
    assert reader.steps[2].locals == (("a", "1"), ("b", "1"))
    result = reader.result()
    assert [step for step in result.steps if isinstance(step, MalformedStep)] == outcomes[1:3]
    assert result.is_finished


def test_a_step_cut_off_is_malformed() -> None:
    result = CODEC.decode(ids_of(CALL_F + LINE_2.removesuffix(FRAME_SEP)), PROGRAM)
    assert not result.is_finished
    assert result.steps[1] == MalformedStep(tuple(ids_of(LINE_2)[:-1]), "the step ends before <|frame_sep|>")
    ended = CODEC.decode(ids_of(CALL_F + "x" + END_OF_TEXT + LINE_2), PROGRAM)
    assert ended.is_finished
    assert ended.steps[1:] == (MalformedStep(tuple(ids_of("x")), "the step ends before <|frame_sep|>"),)


def test_ids_after_the_end_are_ignored() -> None:
    reader = CwmReader(CODEC, PROGRAM)
    assert len(reader.extend(ids_of(CALL_F + "<|eot_id|>" + LINE_2))) == 1
    assert reader.is_finished
    assert reader.pending_ids == ()


def test_a_prompt_is_skipped_and_one_without_end_gives_nothing() -> None:
    prompt = CODEC.encode_prompt(PROGRAM)
    assert [step.ids for step in steps_of(prompt + ids_of(CALL_F))] == [tuple(ids_of(CALL_F))]
    assert steps_of(prompt) == steps_of(prompt[:-1]) == steps_of([]) == []


def steps_of(ids: list[int]) -> list[CwmStep]:
    return [step.step for step in CODEC.decode(ids, PROGRAM).steps if isinstance(step, LocatedStep)]


def test_values_written_as_carried_without_a_previous_one_are_told() -> None:
    line = f'{LINE_SEP}{{"a": "..", "b": ".."}}{ACTION_SEP}    b = a\n{FRAME_SEP}'
    step = CODEC.decode(ids_of(CALL_F + line), PROGRAM).steps[1]
    assert isinstance(step, LocatedStep)
    assert step.locals == (("a", "1"), ("b", ".."))
    assert step.unresolved == ("b",)


def test_the_mark_predicted_on_the_entry_line_is_forgiven_and_nowhere_else() -> None:
    marked = CALL_F.replace("):\n", "):  # << START_OF_TRACE\n")
    line = LINE_2.replace(" a\n", " a  # << START_OF_TRACE\n")
    steps = CODEC.decode(ids_of(marked + line), PROGRAM).steps
    assert isinstance(steps[0], LocatedStep)
    assert steps[0].lineno == 1
    assert isinstance(steps[1], MalformedStep)


def test_steering() -> None:
    tokenizer = CODEC.tokenizer
    assert CODEC.kind_ids(StepKind.LINE) == [tokenizer.special_id(LINE_SEP)]
    assert CODEC.kind_ids(StepKind.EXCEPTION) == [tokenizer.special_id(EXCEPTION_SEP)]
    assert CODEC.step_over_ids() == [tokenizer.special_id(RETURN_SEP)]
    reader = CwmReader(CODEC, PROGRAM)
    reader.extend(ids_of(CALL_F) + CODEC.step_over_ids())
    (step,) = reader.extend(ids_of(RETURN_3)[1:])
    assert isinstance(step, LocatedStep)
    assert (step.kind, step.lineno, step.depth, step.value) == (StepKind.RETURN, 3, 0, "1")


def test_user_text_that_looks_like_special_tokens_stays_text() -> None:
    source = 'def f(a):\n    b = "<|frame_sep|><|end_of_text|>"\n    return b\n'
    program = Program(source, "f")
    line = LINE_SEP + "{}" + ACTION_SEP
    ids = CODEC.encode_prompt(program)
    assert CODEC.tokenizer.decode(ids[2:-1]) == source.replace("):", "):  # << START_OF_TRACE")
    step_ids = [
        *ids_of(line),
        *CODEC.tokenizer.encode(source.splitlines(keepends=True)[1]),
        CODEC.frame_sep_id,
    ]
    step = CODEC.decode(step_ids, program).steps[0]
    assert isinstance(step, LocatedStep)
    assert step.lineno == 2


def test_a_tokenizer_without_the_trace_tokens_is_an_error() -> None:
    class Bare:
        def encode(self, text: str) -> list[int]:
            return list(text.encode())

        def decode(self, ids: list[int]) -> str:
            return bytes(ids).decode()

        def special_id(self, name: str) -> int:
            raise CodecError(f"no token {name}")

    with pytest.raises(CodecError, match="no token"):
        CwmCodec(Bare())  # type: ignore[arg-type]
