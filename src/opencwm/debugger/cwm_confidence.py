"""How sure a model was of each part of a step in the ``cwm`` format, from the logarithms of its ids.

The one idea: every id belongs to the part in which its first character lies, so the parts' probabilities
multiply to that of the step. A local that is written as carried over counts as part of what the step is.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_special import ACTION_SEP, ARG_SEP
from opencwm.codec.cwm_step import CwmStep
from opencwm.codec.cwm_text import CARRIED
from opencwm.codec.cwm_tokenizer import Tokenizer

_LEAST: Final = 1e-300
_BETWEEN: Final = " \t\n\r,:{"
_DECODER: Final = json.JSONDecoder()


@dataclasses.dataclass(frozen=True, slots=True)
class Confidence:
    """Probabilities of a step's parts, each in (0, 1], given everything before.

    Attributes:
        control: of kind, line, and which locals are carried over.
        names: of each local that was written out, its name and its value.
        value: of the returned or raised value; None when there is none.
    """

    control: float
    names: Mapping[str, float]
    value: float | None


def confidence(codec: CwmCodec, step: CwmStep, logarithms: Sequence[float]) -> Confidence:
    """Return how sure a model was of a well-formed step.

    Args:
        codec: of the step's ids.
        step: what was read from them.
        logarithms: of the probability of each id; 0 for one that was given, not picked.
    """
    tokenizer = codec.tokenizer
    action = step.ids.index(tokenizer.special_id(ACTION_SEP))
    if step.value is not None:
        arg = step.ids.index(tokenizer.special_id(ARG_SEP))
        end = len(step.ids) - 1
        rest = math.fsum([*logarithms[:arg], *logarithms[end:]])
        return Confidence(_probability(rest), {}, _probability(math.fsum(logarithms[arg:end])))
    control = [logarithms[0], *logarithms[action:]]
    parts: dict[str, list[float]] = {name: [] for name, text in step.bindings if text != CARRIED}
    written = step.ids[1:action]
    text = tokenizer.decode(written)
    names = list(_names_by_place(text))
    for place, logarithm in zip(_places(tokenizer, written, text), logarithms[1:action], strict=True):
        name = next((name for start, end, name in names if start <= place < end), "")
        parts.get(name, control).append(logarithm)
    return Confidence(
        _probability(math.fsum(control)),
        {name: _probability(math.fsum(items)) for name, items in parts.items()},
        None,
    )


def _probability(logarithm: float) -> float:
    return min(1.0, max(_LEAST, math.exp(logarithm)))


def _names_by_place(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield, for each item of a flat JSON object of strings, where it starts and ends, and its name."""
    found: list[tuple[int, str]] = []
    position = _next_item(text, 0)
    while position < len(text) and text[position] == '"':
        start = position
        name, position = _DECODER.raw_decode(text, position)
        _, position = _DECODER.raw_decode(text, _next_item(text, position))
        found.append((start, name))
        end = position
        position = _next_item(text, position)
    for (start, name), (after, _) in itertools.pairwise([*found, (end if found else 0, "")]):
        yield start, after, name


def _next_item(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BETWEEN:
        position += 1
    return position


def _places(tokenizer: Tokenizer, ids: Sequence[int], text: str) -> list[int]:
    """Return where in ``text`` each of its ids starts."""
    pieces = [tokenizer.decode([id_]) for id_ in ids]
    if "".join(pieces) == text:
        return [0, *itertools.accumulate(map(len, pieces))][: len(ids)]
    return [len(tokenizer.decode(ids[:number])) for number in range(len(ids))]  # a character of several ids
