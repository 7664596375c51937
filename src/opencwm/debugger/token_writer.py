"""Writes the ids of steps: decisions of a model under masks, and what is appended without asking it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.vocabulary import Vocabulary, is_text
from opencwm.debugger.sampler import Sampler
from opencwm.debugger.value_grammar import ValueState, value_grammar

MAX_VALUE_TOKENS = 320
"""A value that goes on longer is malformed: the tracer's bounds make recorded ones shorter."""

MAX_EVALUATION_TOKENS = 72
"""Text and value of an evaluation are ended after so many each; those that are learned from are shorter."""


class MalformedError(Exception):
    """The step cannot be completed."""


class TokenWriter:
    """Writes through one sampler.

    Attributes:
        sampler: what decides.
        ids: of the step that is being written.
        ahead: an id already decided and not yet among them, and its probability.
    """

    def __init__(self, sampler: Sampler, vocabulary: Vocabulary) -> None:
        self.sampler = sampler
        self.vocabulary = vocabulary
        self.ids: list[int] = []
        self.ahead: tuple[int, float] | None = None
        self._vocab_size = max(sampler.engine.vocab_size, len(vocabulary))
        self._grammar = value_grammar(vocabulary, self._vocab_size)

    def mask(self, tokens: Collection[int]) -> NDArray[np.bool_]:
        """Return where ``tokens`` are, shape (V,)."""
        mask = np.zeros(self._vocab_size, dtype=np.bool_)
        mask[list(tokens)] = True
        return mask

    def decide(self, allowed: Collection[int]) -> tuple[int, float]:
        """Return one of ``allowed`` and its probability; a single possibility is appended without asking.

        An id ahead is taken, unless it is not allowed; with nothing allowed there has to be one.
        """
        if self.ahead is not None and allowed and self.ahead[0] not in allowed:
            self.retract()
        if self.ahead is not None:
            token, probability = self.ahead
            self.ahead = None
        elif not allowed:
            raise MalformedError("the control-flow graph allows nothing here")
        elif len(allowed) == 1:
            token, probability = next(iter(allowed)), 1.0
            self.sampler.force((token,))
        else:
            token, distribution = self.sampler.choose(self.mask(allowed))
            probability = float(distribution[token])
        self.ids.append(token)
        return token, probability

    def force(self, ids: Sequence[int]) -> None:
        """Append ids without asking."""
        self.sampler.force(ids)
        self.ids.extend(ids)

    def text(self, ends: Collection[int]) -> float:
        """Write text until one of ``ends`` is decided, the id ahead then; return the text's probability.

        Where the model would end the value within a bracket or a string, what is open is closed first.
        """
        logarithm = 0.0
        state = ValueState()
        ending = list(ends)
        for count in range(MAX_VALUE_TOKENS):
            mask = self._grammar.allowed(state)
            with_ends = mask.copy()
            with_ends[ending] = count > 0
            if not state.is_complete and self.sampler.probabilities(with_ends).argmax() in ends:
                mask = self._grammar.closing(state)
            elif state.is_complete:
                mask = with_ends
            token, distribution = self.sampler.choose(mask)
            if is_text(token):
                self.ids.append(token)
                state.feed(self._grammar.text_of(token))
                logarithm += math.log(max(float(distribution[token]), 1e-300))
                continue
            mass = float(distribution[ending].sum())
            self.ahead = (token, float(distribution[token]) / mass)
            return math.exp(logarithm + math.log(max(mass, 1e-300)))
        raise MalformedError(f"a value of more than {MAX_VALUE_TOKENS} tokens")

    def spell(self, names: Sequence[str], ends: Callable[[str], Collection[int]]) -> tuple[str, float]:
        """Choose one of ``names`` and the id after it out of its ``ends``, which becomes the id ahead."""
        options = {name: self.vocabulary.encode_text(name) for name in names}
        probability, position = 1.0, 0
        while True:
            finished = next((name for name, ids in options.items() if len(ids) == position), None)
            following = {ids[position] for ids in options.values() if len(ids) > position}
            leaving = set(ends(finished)) if finished is not None else set()
            token, chance = self.decide(following | leaving)
            probability *= chance
            if finished is not None and token in leaving:
                self.ids.pop()
                self.ahead = (token, 1.0)
                return finished, probability
            options = {
                name: ids for name, ids in options.items() if len(ids) > position and ids[position] == token
            }
            position += 1

    def retract(self) -> None:
        """Forget the id ahead."""
        if self.ahead is not None:
            self.sampler.take_back()
            self.ahead = None

    def note(self, ends: frozenset[int]) -> tuple[str, float]:
        """Write text of an evaluation until one of ``ends`` is decided, the id ahead then.

        Returns the text and its probability.
        """
        ending = list(ends)
        only_ends = self.mask(ends)
        with_text = only_ends | self._grammar.anything
        logarithm, first = 0.0, len(self.ids)
        for count in range(MAX_EVALUATION_TOKENS + 1):
            mask = self._grammar.anything if count == 0 else with_text
            token, distribution = self.sampler.choose(mask if count < MAX_EVALUATION_TOKENS else only_ends)
            if token in ends:
                mass = float(distribution[ending].sum())
                self.ahead = (token, float(distribution[token]) / mass)
                logarithm += math.log(max(mass, 1e-300))
                break
            self.ids.append(token)
            logarithm += math.log(max(float(distribution[token]), 1e-300))
        return self.vocabulary.decode_text(self.ids[first:]), math.exp(logarithm)
