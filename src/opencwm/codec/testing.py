"""Public fakes for tests of code that needs a codec: a tokenizer so small that it is trained on the spot."""

from __future__ import annotations

import functools

from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer

_TEXT = """\
def count_letters(text, letter):
    count = 0
    for index, char in enumerate(text):
        if char == letter:
            count += 1
    return count


class Stack:
    def __init__(self, items=None):
        self.items = list(items or [])

    def push(self, item):
        self.items.append(item)
        return self

    def pop(self):
        if not self.items:
            raise IndexError("pop from an empty stack")
        return self.items.pop()


def main():
    try:
        print(count_letters("strawberry", "r"), Stack([1, 2, 3]).push(4).pop())
    except ValueError as error:
        return {"error": str(error), "values": [None, True, False]}
"""


@functools.cache
def tiny_tokenizer(vocab_size: int = 400) -> HuggingFaceTokenizer:
    """Return a byte-level tokenizer with all special tokens of ``cwm``; the same object for the same size.

    Args:
        vocab_size: at least 273, the bytes and the special tokens.
    """
    return HuggingFaceTokenizer(train_bpe([_TEXT], vocab_size))
