"""A byte-level byte-pair tokenizer for Python source, trained in seconds, with the special tokens of ``cwm``.

The one idea is the split pattern: pieces never cross a line's end or its indentation, so that a line is the
same ids in the context, where other lines surround it, and as a step's SOURCE, where it stands alone; copying
it is copying. Digits stand singly, as in values arithmetic is done on them, and a word takes one leading
space. All 256 bytes are in the vocabulary, so any text has an exact encoding.

The result is an ordinary Hugging Face ``tokenizer.json``;
:class:`opencwm.codec.cwm_tokenizer.HuggingFaceTokenizer` reads it.

Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", arXiv 1508.07909.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opencwm.codec.cwm_special import BEGIN_OF_TEXT, END_OF_TEXT, PAD, SPECIAL_IDS
from opencwm.codec.cwm_tokenizer import TOKENIZER_FILE
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic

if TYPE_CHECKING:
    import tokenizers

NUM_BYTES: Final = 256

_SPLIT_PIECES: Final = (
    r"\n",  # one line end: SOURCE holds one, blank lines are several
    r"^[ \t]+",  # a line's whole indentation (in this syntax ^ is the start of any line)
    r" ?[\p{L}\p{M}_]+",  # a word, with the space before it
    r"\p{N}",  # digits singly
    r" ?[^\s\p{L}\p{M}\p{N}_]+",  # operators, brackets, quotes
    r"[^\S\n]+(?=[^\S\n])",  # a run of spaces but for the last, which goes with the word
    r"[^\S\n]",
)
SPLIT_PATTERN: Final = "|".join(_SPLIT_PIECES)
"""How text is cut before pairs are merged; every character falls in exactly one piece."""


def train_bpe(
    texts: Iterable[str], vocab_size: int, specials: Sequence[str] = tuple(SPECIAL_IDS)
) -> tokenizers.Tokenizer:
    """Train on ``texts``; the same texts in the same order give the same tokenizer.

    Args:
        texts: Python source, for example :func:`standard_library_texts`.
        vocab_size: ids in all: special tokens first (id 0 on, in the order given), then bytes, then merges.
            Fewer when the texts hold no more pairs to merge.
        specials: texts of the special tokens.

    Raises:
        ConfigError: ``vocab_size`` has no room for the bytes and the special tokens.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    least = NUM_BYTES + len(specials)
    if vocab_size < least:
        raise ConfigError(
            f"a vocabulary of {vocab_size} ids is too small", where="vocab_size", hint=f"at least {least}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(name, normalized=False, special=True) for name in specials],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return tokenizer


def save_tokenizer(tokenizer: tokenizers.Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` as transformers reads them."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
    }
    config = {
        key: value
        for key, value in config.items()
        if not key.endswith("_token") or _has(tokenizer, str(value))
    }
    write_atomic(folder / "tokenizer_config.json", json.dumps(config, indent=2) + "\n")
    write_atomic(folder / TOKENIZER_FILE, tokenizer.to_str(pretty=True) + "\n")


def standard_library_texts() -> Iterator[str]:
    """Yield the source of the running interpreter's standard library, ordered by path.

    Its test suites and files that are not UTF-8 are left out.
    """
    root = Path(sysconfig.get_path("stdlib"))
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3"}
    for path in sorted(root.rglob("*.py")):
        if left_out.isdisjoint(path.relative_to(root).parts):
            try:
                yield path.read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue


def _has(tokenizer: tokenizers.Tokenizer, name: str) -> bool:
    return tokenizer.token_to_id(name) is not None
