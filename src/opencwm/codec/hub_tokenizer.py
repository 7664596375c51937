"""The vocabulary of the ``native`` codec as a ``tokenizer.json``, for programs that know no other tokenizers.

The idea: ids mean the same text there as here, always, so whatever a model wrote can be read; control tokens,
lines and indentation are special tokens under their names (``<|trace|>``, ``<|line_3|>``). Text is cut as
:mod:`opencwm.codec.lexer` cuts it as far as regular expressions can: code, values, and string literals by
characters. They cannot look into the fields of an f-string, whose code becomes characters too, nor end a
string where the codec knows that a value ends; and in a longer name ``pass``, ``break`` and ``continue`` are
taken for the keywords. A model that is to predict is given ids made by the codec; text made of ids is never
made into ids again.

Source: tokenizers, ``tokenizer.json``; Radford et al., "Language models are unsupervised multitask learners",
2019, for bytes as printable characters.
"""

from __future__ import annotations

import re
from typing import Final

from opencwm.codec.lexer import PUNCTUATION, STATEMENT_WORDS
from opencwm.codec.vocabulary import BYTE_BASE, Control, Vocabulary

BEGIN: Final = int(Control.BEGIN)
END: Final = int(Control.END)
PAD: Final = int(Control.PAD)

_LONGEST_WORD: Final = 1_000_000
_QUOTED: Final = "|".join(
    rf"{quote}(?:\\.|(?!{quote}).)*(?:{quote}|\z)" for quote in ("'''", '"""', "'", '"')
)
_STRING: Final = rf"(?<!\w)(?:[rR][bB]?|[bB][rR]?|[fF][rR]?|[rR][fF]|[uU])?(?:{_QUOTED})"
_NOT_IN_STRING: Final = r"(?![\s\S]*['\"]\z)"  # pieces that end with a quote are string literals


def hub_tokenizer(vocabulary: Vocabulary) -> str:
    """Return the content of a ``tokenizer.json``."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import WordPiece

    alphabet = _byte_characters()
    specials = [vocabulary.token_name(token) for token in range(BYTE_BASE)]
    table = {name: token for token, name in enumerate(specials)}
    for token in range(BYTE_BASE, len(vocabulary)):
        table["".join(alphabet[byte] for byte in vocabulary.token_bytes(token))] = token
    made = Tokenizer(
        WordPiece(
            table,
            unk_token=specials[PAD],  # never used: every byte is a token
            continuing_subword_prefix="",
            max_input_chars_per_word=_LONGEST_WORD,
        )
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_STRING), "isolated"),
            pre_tokenizers.Split(Regex(_pieces()), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return str(made.to_str(pretty=True))


def tokenizer_config(vocabulary: Vocabulary, *, max_tokens: int) -> dict[str, object]:
    """Return the content of the ``tokenizer_config.json`` beside it; ``max_tokens`` is the context."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": vocabulary.token_name(BEGIN),
        "eos_token": vocabulary.token_name(END),
        "pad_token": vocabulary.token_name(PAD),
        "model_max_length": max_tokens,
        "clean_up_tokenization_spaces": False,
    }


def _pieces() -> str:
    """Return what a piece of code is: a keyword with what follows it, a word, punctuation, any character."""
    keywords = "|".join(
        re.escape(word) + (r"(?!\w)" if word[-1].isalpha() else "")
        for word in sorted(STATEMENT_WORDS, key=len, reverse=True)
    )
    marks = "|".join(re.escape(mark) for mark in sorted(set(PUNCTUATION), key=len, reverse=True))
    return rf"{_NOT_IN_STRING}(?:(?<!\w)(?:{keywords})|[A-Za-z_]+|{marks})|[\s\S]"


def _byte_characters() -> list[str]:
    """Return the printable character that stands for each byte, as GPT-2 chose them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    shown = set(printable)
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]
