from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_special import FRAME_SEP, SPECIAL_IDS, TRACE_TOKENS
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.errors import CodecError

TEXT = "def f(x):\n    return x + 1\n"


def test_text_never_gives_special_ids() -> None:
    tokenizer = tiny_tokenizer()
    text = "".join(SPECIAL_IDS)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not set(ids) & {tokenizer.special_id(name) for name in SPECIAL_IDS}


def test_added_tokens_that_are_not_special_are_disabled_too() -> None:
    backend = train_bpe([TEXT], 300)
    backend.add_tokens([AddedToken("x + 1", normalized=False), AddedToken("return", normalized=False)])
    tokenizer = HuggingFaceTokenizer(backend)
    assert backend.token_to_id("x + 1") not in tokenizer.encode("x + 1")
    assert tokenizer.decode(tokenizer.encode("x + 1")) == "x + 1"
    # A piece that merges make anyway stays text, although it is declared as an added token.
    assert tokenizer.encode("return") == [backend.token_to_id("return")]
    assert tokenizer.decode(tokenizer.encode("return")) == "return"


def test_a_required_special_token_that_is_ordinary_text_is_refused() -> None:
    backend = train_bpe([TEXT], 300)
    backend.add_special_tokens(["return"])
    with pytest.raises(CodecError, match="lacks the special tokens return"):
        HuggingFaceTokenizer(backend, required=["return"])


def test_templates_truncation_and_padding_of_the_file_are_ignored() -> None:
    backend = train_bpe([TEXT], 300)
    backend.enable_truncation(4)
    backend.enable_padding(length=64)
    begin = backend.token_to_id("<|begin_of_text|>")
    backend.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]
    )
    tokenizer = HuggingFaceTokenizer(backend)
    assert tokenizer.encode(TEXT) == HuggingFaceTokenizer(train_bpe([TEXT], 300)).encode(TEXT)
    assert backend.truncation is not None  # the one given is not changed


def test_special_tokens_placed_after_the_vocabulary_as_in_llama(tmp_path: Path) -> None:
    backend = train_bpe([TEXT], 300, [])
    backend.add_special_tokens(list(SPECIAL_IDS))
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = HuggingFaceTokenizer.from_pretrained_folder(tmp_path / "tokenizer.json")
    size = backend.get_vocab_size(with_added_tokens=False)
    assert [tokenizer.special_id(name) for name in SPECIAL_IDS] == list(range(size, size + len(SPECIAL_IDS)))
    assert tokenizer.vocab_size == size + len(SPECIAL_IDS)
    assert max(tokenizer.encode("".join(SPECIAL_IDS))) < size


def test_missing_special_tokens_are_named() -> None:
    names = [name for name in TRACE_TOKENS if name not in ("<|arg_sep|>", "<|line_sep|>")]
    with pytest.raises(CodecError) as caught:
        HuggingFaceTokenizer(train_bpe([TEXT], 300, names))
    assert caught.value.what == "the tokenizer lacks the special tokens <|line_sep|> <|arg_sep|>"
    assert HuggingFaceTokenizer(train_bpe([TEXT], 300, names), required=names).special_id(FRAME_SEP) >= 0


def test_a_tokenizer_that_changes_text_is_refused() -> None:
    backend = train_bpe([TEXT], 300)
    backend.normalizer = normalizers.Lowercase()
    with pytest.raises(CodecError, match="does not give back text exactly"):
        HuggingFaceTokenizer(backend)
    words = Tokenizer(models.WordLevel({"def": 0, "?": 1}, "?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(list(TRACE_TOKENS))
    with pytest.raises(CodecError, match="does not give back text exactly"):
        HuggingFaceTokenizer(words)


def test_unknown_ids_and_special_ids_are_no_text() -> None:
    tokenizer = tiny_tokenizer()
    for id_ in (-1, tokenizer.vocab_size, 10**30):
        with pytest.raises(CodecError, match="is not in the vocabulary"):
            tokenizer.decode([id_])
    with pytest.raises(CodecError, match="stands inside text"):
        tokenizer.decode([tokenizer.special_id(FRAME_SEP)])
    with pytest.raises(CodecError, match="no special token <nothing>"):
        tokenizer.special_id("<nothing>")


def test_lone_surrogates_are_an_error() -> None:
    with pytest.raises(CodecError, match="lone surrogate"):
        tiny_tokenizer().encode("a\ud800b")


def test_files_that_are_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no such tokenizer file"):
        HuggingFaceTokenizer.from_pretrained_folder(tmp_path)
    with pytest.raises(CodecError, match="no such tokenizer file"):
        HuggingFaceTokenizer.from_pretrained_folder(tmp_path / "nothing.json")
    for content in ("", "{}", "[1]", json.dumps({"model": 1})):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(CodecError, match="not a tokenizer file"):
            HuggingFaceTokenizer.from_pretrained_folder(tmp_path)


def test_tiny_tokenizer_is_made_once() -> None:
    assert tiny_tokenizer() is tiny_tokenizer()
    assert tiny_tokenizer(300).vocab_size == 300


def test_the_library_is_loaded_only_when_a_tokenizer_is_made() -> None:
    code = "import sys, opencwm.codec.cwm, opencwm.codec.testing; print('tokenizers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
