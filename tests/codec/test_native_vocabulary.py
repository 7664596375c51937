import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.codec.vocabulary import (
    INDENT_BASE,
    LINE_BASE,
    NUM_LINES,
    Control,
    Vocabulary,
    build_vocabulary,
    is_line,
    is_text,
    line_label,
    line_token,
)
from opencwm.core.errors import CodecError

VOCABULARY = Vocabulary.default()
any_text = st.text(st.characters(exclude_categories=()), max_size=60)


@given(any_text)
def test_text_round_trips_even_with_lone_surrogates(text: str) -> None:
    ids = VOCABULARY.encode_text(text)
    assert VOCABULARY.decode_text(ids) == text
    assert all(is_text(token) for token in ids)


@given(st.lists(st.integers(0, len(VOCABULARY) + 50), max_size=40))
def test_any_ids_decode_to_some_text(ids: list[int]) -> None:
    assert isinstance(VOCABULARY.decode_text(ids), str)


@given(st.text("0123456789'\"abcXYZ _", max_size=20))
def test_characters_of_a_string_value_are_single_ids(text: str) -> None:
    assert len(VOCABULARY.encode_text(repr(text))) == len(repr(text))


def test_a_file_round_trips_and_the_default_has_the_size_models_are_made_for() -> None:
    again = Vocabulary.from_json(VOCABULARY.to_json())
    assert (again.words, again.code_pieces) == (VOCABULARY.words, VOCABULARY.code_pieces)
    assert len(VOCABULARY) == 1000


def test_kinds_of_ids_do_not_overlap() -> None:
    assert max(Control) < LINE_BASE
    assert [line_label(line_token(label)) for label in (1, NUM_LINES)] == [1, NUM_LINES]
    assert is_line(line_token(NUM_LINES))
    assert not is_line(INDENT_BASE)
    names = [VOCABULARY.token_name(token) for token in range(len(VOCABULARY))]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        json.dumps({"schema_version": 99, "code_pieces": [], "words": []}),
        json.dumps({"schema_version": 1, "code_pieces": [], "words": ["a", "a"]}),
        json.dumps({"schema_version": 1, "code_pieces": [], "words": [1]}),
        json.dumps({"schema_version": 1, "code_pieces": [], "words": "ab"}),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused_by_name(text: str) -> None:
    with pytest.raises(CodecError, match=r"^words\.json: "):
        Vocabulary.from_json(text, where="words.json")


def test_building_prefers_words_that_many_texts_use_and_fills_the_size() -> None:
    texts = ["shared = shared\n"] * 5 + [f"rare{'x' * n} = len(y)\n" for n in range(3)]
    made = build_vocabulary(texts, size=len(Vocabulary(VOCABULARY.code_pieces, ())) + 2)
    assert made.words == ("len", "shared")
