from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.codec.bpe import save_tokenizer, standard_library_texts, train_bpe
from opencwm.codec.cwm_special import SPECIAL_IDS
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.errors import ConfigError

SOURCE = "def f(total):\n    total += 1\n    return total\n\n\nclass Box:\n    pass\n" * 3


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    tokenizer = tiny_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*SPECIAL_IDS, " ", "\t", "\n", "\r", "\x0c", "\xa0", "a", "_", "1", "<|", "é", "\u0301"]
        )
    )
)
def test_white_space_marks_and_names_of_special_tokens_come_back(parts: list[str]) -> None:
    tokenizer = tiny_tokenizer()
    text = "".join(parts)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not set(ids) & {tokenizer.special_id(name) for name in SPECIAL_IDS}


def test_each_single_character_of_the_first_65536_comes_back() -> None:
    tokenizer = tiny_tokenizer()
    for code in itertools.chain(range(0xD800), range(0xE000, 0x10000)):
        assert tokenizer.decode(tokenizer.encode(chr(code))) == chr(code)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1, max_size=4
    )
)
def test_a_line_is_the_same_ids_alone_and_in_a_file(lines: list[str]) -> None:
    tokenizer = tiny_tokenizer()
    alone = [tokenizer.encode(f"{line}\n") for line in lines]
    assert tokenizer.encode("".join(f"{line}\n" for line in lines)) == list(itertools.chain(*alone))


def test_pieces_respect_indentation_digits_and_words() -> None:
    tokenizer = HuggingFaceTokenizer(train_bpe(["        total = 1234\n" * 9, "    total\n" * 9], 400))
    pieces = [tokenizer.decode([id_]) for id_ in tokenizer.encode("        total = 1234\n    total\n")]
    assert pieces == ["        ", "total", " =", " ", "1", "2", "3", "4", "\n", "    ", "total", "\n"]


def test_training_is_deterministic() -> None:
    texts = list(itertools.islice(standard_library_texts(), 12))
    assert len(texts) == 12
    assert train_bpe(texts, 600).to_str() == train_bpe(iter(texts), 600).to_str()


def test_vocabulary_is_special_tokens_then_bytes_then_merges() -> None:
    tokenizer = train_bpe([SOURCE], 290)
    assert tokenizer.get_vocab_size() == 290
    assert [tokenizer.id_to_token(id_) for id_ in range(len(SPECIAL_IDS))] == list(SPECIAL_IDS)
    byte_tokens = [tokenizer.id_to_token(id_) for id_ in range(len(SPECIAL_IDS), len(SPECIAL_IDS) + 256)]
    assert all(token is not None and len(token) == 1 for token in byte_tokens)
    assert HuggingFaceTokenizer(tokenizer).vocab_size == 290


def test_little_text_gives_a_smaller_vocabulary() -> None:
    assert train_bpe(["ab ab"], 1000).get_vocab_size() < 300
    assert train_bpe([], 1000).get_vocab_size() == 256 + len(SPECIAL_IDS)


def test_too_small_a_vocabulary_is_an_error() -> None:
    with pytest.raises(ConfigError, match="a vocabulary of 272 ids is too small"):
        train_bpe([SOURCE], 272)


def test_saved_folder_is_what_was_trained(tmp_path: Path) -> None:
    trained = train_bpe([SOURCE], 300)
    save_tokenizer(trained, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    loaded = HuggingFaceTokenizer.from_pretrained_folder(tmp_path / "model")
    assert loaded.encode(SOURCE) == HuggingFaceTokenizer(trained).encode(SOURCE)
    assert {name: loaded.special_id(name) for name in SPECIAL_IDS} == {
        name: id_ for id_, name in enumerate(SPECIAL_IDS)
    }
    config = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    names = {key: name for key, name in config.items() if key.endswith("_token")}
    assert list(names.items()) == [
        ("bos_token", "<|begin_of_text|>"),
        ("eos_token", "<|end_of_text|>"),
        ("pad_token", "<|pad|>"),
    ]


def test_config_names_only_tokens_there_are(tmp_path: Path) -> None:
    save_tokenizer(train_bpe([SOURCE], 300, ["<|end_of_text|>"]), tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert {key for key in config if key.endswith("_token")} == {"eos_token"}


def test_standard_library_texts_are_modules_without_their_tests() -> None:
    texts = list(itertools.islice(standard_library_texts(), 40))
    assert len(texts) == 40
    assert not any("import unittest\n" in text for text in texts)
    for text in texts[:5]:
        compile(text, "module", "exec", dont_inherit=True)
