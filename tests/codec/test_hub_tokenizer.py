from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from opencwm.codec.hub_tokenizer import BEGIN, END, PAD, hub_tokenizer, tokenizer_config
from opencwm.codec.vocabulary import BYTE_BASE, Vocabulary, line_token

VOCABULARY = Vocabulary.default()
TOKENIZER = Tokenizer.from_str(hub_tokenizer(VOCABULARY))


def encode(text: str) -> list[int]:
    ids: list[int] = TOKENIZER.encode(text, add_special_tokens=False).ids
    return ids


def decode(ids: list[int]) -> str:
    text: str = TOKENIZER.decode(ids, skip_special_tokens=False)
    return text


def test_every_id_has_its_text() -> None:
    assert TOKENIZER.get_vocab_size() == len(VOCABULARY)
    for token in range(BYTE_BASE):
        assert TOKENIZER.id_to_token(token) == VOCABULARY.token_name(token)
    for token in range(BYTE_BASE, len(VOCABULARY)):
        assert decode([token]) == VOCABULARY.decode_text([token])


@given(st.lists(st.integers(BYTE_BASE, len(VOCABULARY) - 1), max_size=30))
def test_ids_are_read_as_the_codec_reads_them(ids: list[int]) -> None:
    text = VOCABULARY.decode_text(ids)
    if "\ufffd" not in text and text.isprintable():
        assert decode(ids) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_text_comes_back(text: str) -> None:
    if "<|" not in text:
        assert decode(encode(text)) == text


@pytest.mark.parametrize(
    "line",
    [
        "for i in range(10):",
        "elif not done and x[0] != 'a b in c':",
        "return self.items[key] if key in self.items else None",
        'total += len("it\'s \\" quoted") * 3.25',
        "raise ValueError(r'\\d+' + b'bytes'.decode())",
        "iffy = format_ = ranges",
        "lambda: x",
        "d = {'k': [1, 2], 3: (None, True)}  # why not 'é'",
        "café = 1",
        "x = '''one 'two' three'''",
        "if x:",
        "",
    ],
)
def test_code_is_cut_as_the_codec_cuts_it(line: str) -> None:
    assert encode(line) == list(VOCABULARY.encode_text(line))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8)
        | st.binary(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            | st.tuples(inner, inner)
        ),
        max_leaves=6,
    )
)
def test_values_are_cut_as_the_codec_cuts_them(value: object) -> None:
    text = repr(value)
    if "<|" not in text:
        assert encode(text) == list(VOCABULARY.encode_text(text))


def test_control_tokens_have_names() -> None:
    assert encode("<|begin|><|line_3|>x") == [BEGIN, line_token(3), *VOCABULARY.encode_text("x")]
    said = tokenizer_config(VOCABULARY, max_tokens=7)
    assert [encode(str(said[name])) for name in ("bos_token", "eos_token", "pad_token")] == [
        [BEGIN],
        [END],
        [PAD],
    ]
    assert said["model_max_length"] == 7
