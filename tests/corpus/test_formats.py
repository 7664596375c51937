"""Token shards: what each format writes of a run."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opencwm.codec.bpe import save_tokenizer, train_bpe
from opencwm.codec.cwm_text import trace_text
from opencwm.codec.native import NativeCodec, TokenClass
from opencwm.codec.nd_special import ND_TOKENS
from opencwm.codec.nd_text import trajectory_text
from opencwm.codec.nd_walk import trajectory
from opencwm.core.errors import CodecError, ConfigError
from opencwm.corpus.documents import DocumentConfig, documents
from opencwm.corpus.formats import VOCABULARY_KEY, num_native_tokens, open_formats, write_documents
from opencwm.corpus.recipe import EncodeConfig
from opencwm.tracer import record
from opencwm.traces import Program, Trace

SOURCE = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
PLAIN = DocumentConfig(shifted_labels=0.0, from_state=0.0, outcome=0.0)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return record(Program.from_call(SOURCE, "f(4)"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the tokens of both published formats."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_bpe([SOURCE], 400, tuple(ND_TOKENS)), folder)
    return folder


def test_native_documents_are_those_of_training(trace: Trace) -> None:
    codec = open_formats(EncodeConfig(formats=("native",)))["native"]
    made = list(codec.documents(trace, random.Random(3)))
    wanted = list(documents(trace, NativeCodec(), random.Random(3), DocumentConfig()))
    assert [(list(one.ids), list(one.classes)) for one in made] == [(one.ids, one.classes) for one in wanted]
    assert made[0].classes[0] == int(TokenClass.PROMPT)
    plain = open_formats(EncodeConfig(formats=("native",), native=PLAIN))["native"]
    (whole,) = plain.documents(trace, random.Random(0))
    assert num_native_tokens(trace) == len(whole.ids)


def test_without_a_tokenizer_the_published_formats_are_text(trace: Trace) -> None:
    formats = open_formats(EncodeConfig(formats=("cwm", "nd")))
    (cwm,) = formats["cwm"].documents(trace, random.Random(0))
    assert cwm.text == trace_text(trace)
    forward, backward = formats["nd"].documents(trace, random.Random(0))
    assert forward.text == trajectory_text(trajectory(trace, random.Random(0)))
    assert backward.text
    assert backward.text != forward.text
    assert not cwm.ids


@pytest.mark.parametrize("name", ["cwm", "nd"])
def test_with_a_tokenizer_they_are_ids_that_read_the_same(trace: Trace, tokenizer: Path, name: str) -> None:
    from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer

    codec = open_formats(EncodeConfig(formats=(name,), tokenizer=tokenizer))[name]
    texts = open_formats(EncodeConfig(formats=(name,)))[name]
    read = HuggingFaceTokenizer.from_pretrained_folder(tokenizer, required=ND_TOKENS)
    specials = {read.special_id(token): token for token in ND_TOKENS}
    pairs = zip(
        codec.documents(trace, random.Random(1)), texts.documents(trace, random.Random(1)), strict=True
    )
    for encoded, written in pairs:
        text = "".join(specials.get(id_) or read.decode([id_]) for id_ in encoded.ids)
        assert text == written.text
        assert encoded.text is None
        assert len(encoded.classes) == len(encoded.ids)
        assert set(encoded.classes) == {0, 1}
        assert encoded.classes[0] == 0


def test_what_does_not_fit_a_format_gives_nothing() -> None:
    lone = record(Program.from_call("def f():\n    return chr(0xd800)\n", "f()"))
    for name, codec in open_formats(EncodeConfig(formats=("native", "cwm", "nd"))).items():
        assert len(list(codec.documents(lone, random.Random(0)))) >= 0, name
    body = "".join(f"    x{i} = {i}\n" for i in range(1200))
    long = record(Program.from_call(f"def f():\n{body}    return 1\n", "f()"))
    assert (
        list(open_formats(EncodeConfig(formats=("native",)))["native"].documents(long, random.Random(0)))
        == []
    )
    with pytest.raises(CodecError, match="more lines"):
        num_native_tokens(long)


def test_a_shard_holds_what_was_written(trace: Trace, tmp_path: Path) -> None:
    for name, kind in (("native", "uint16"), ("cwm", "uint32")):
        codec = open_formats(EncodeConfig(formats=(name,)))[name]
        made = list(codec.documents(trace, random.Random(0))) * 300
        rows = write_documents(tmp_path / name, codec, ((f"p{n}", one) for n, one in enumerate(made)))
        table = pq.read_table(tmp_path / name)
        assert rows == len(table) == len(made)
        assert table["ids"].type.value_type == kind
        assert table["ids"].to_pylist() == [list(one.ids) for one in made]
        assert table["classes"].to_pylist() == [list(one.classes) for one in made]
        assert table["text"].to_pylist() == [one.text for one in made]
        assert table["program"].to_pylist()[-1] == f"p{len(made) - 1}"
        assert table.schema.metadata[VOCABULARY_KEY.encode()].decode() == codec.vocabulary


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match="no format 'neon'"):
        open_formats(EncodeConfig(formats=("neon",)))
