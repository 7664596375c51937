"""Conversations in the native ids: exact, and the same ids as traces for the same lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.codec.cwm_special import BEGIN_OF_TEXT, END_OF_TURN, FRAME_SEP, START_HEADER
from opencwm.codec.native_chat import NativeChatTokenizer
from opencwm.codec.vocabulary import INDENT_BASE, Vocabulary, line_token
from opencwm.core.errors import CodecError

PHRASES = ("\n\n", "<tool: bash>\n", "<tool: bash", " gives ", "\n</tool>")
WORDS = NativeChatTokenizer(Vocabulary.default(), PHRASES)
PIECES = st.sampled_from(
    [
        *PHRASES,
        "\n",
        "    ",
        "  ",
        "     7\t",
        "   128\t",
        "   129\t",
        "x = f'{y}'",
        "é",
        "\t",
        "7",
        "<|begin|>",
    ]
)


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.lists(PIECES).map("".join)))
def test_any_text_comes_back(text: str) -> None:
    ids = WORDS.encode(text)
    assert WORDS.decode(ids) == text
    assert all(0 <= token < len(WORDS) for token in ids)


@given(st.lists(st.integers(0, len(WORDS) - 1)))
def test_any_ids_are_some_text(ids: list[int]) -> None:
    assert isinstance(WORDS.decode(ids), str)


def test_a_numbered_line_is_written_as_in_a_trace() -> None:
    vocabulary = Vocabulary.default()
    wanted = [line_token(12), INDENT_BASE + 1, *vocabulary.encode_text("return x + 1")]
    assert WORDS.encode("    12\t    return x + 1") == wanted
    assert WORDS.encode("    return x + 1") == wanted[1:]
    assert line_token(12) not in WORDS.encode("12\tx")


def test_the_longest_phrase_is_one_id() -> None:
    whole, shorter = WORDS.encode("<tool: bash>\n"), WORDS.encode("<tool: bash")
    assert len(whole) == len(shorter) == 1
    assert whole != shorter


def test_marks_are_ids_that_no_text_has() -> None:
    marks = {WORDS.special_id(name) for name in (BEGIN_OF_TEXT, START_HEADER, END_OF_TURN)}
    assert len(marks) == 3
    assert marks.isdisjoint(WORDS.encode(START_HEADER + END_OF_TURN))
    with pytest.raises(CodecError, match="no special token"):
        WORDS.special_id(FRAME_SEP)


def test_files_of_a_model_bring_it_back() -> None:
    again = NativeChatTokenizer.from_json(Vocabulary.default().to_json(), WORDS.phrases_json())
    assert again.phrases == WORDS.phrases
    assert again.encode(" gives ") == WORDS.encode(" gives ")


@pytest.mark.parametrize("phrases", ["{}", "[1]", "no"])
def test_a_broken_list_of_phrases_is_refused(phrases: str) -> None:
    with pytest.raises(CodecError, match="not a list of phrases"):
        NativeChatTokenizer.from_json(Vocabulary.default().to_json(), phrases)


def test_phrases_are_distinct_texts_that_utf8_can_hold() -> None:
    for phrases in (["a", "a"], [""]):
        with pytest.raises(CodecError, match="distinct"):
            NativeChatTokenizer(Vocabulary.default(), phrases)
    with pytest.raises(CodecError, match="UTF-8"):
        WORDS.encode("\ud800")
