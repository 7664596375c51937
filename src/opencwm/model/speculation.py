"""Fewer forward passes for the same logits: what will probably be appended next is run along with what is.

The idea: much of a predicted run repeats what stands in the context (names, values, operands). Behind the ids
that are appended go those that followed the latest earlier occurrence of the same n-gram, in the one forward
pass. While the caller then appends what was foreseen, the logits are there already; the first other id cuts
the foreseen ones off again. Nothing depends on how good a draft is but the time.

It does not decide anything: a caller that samples gets the very logits the wrapped engine would give, up to
the rounding of a pass over several tokens: 1e-4 in float32, about 1e-2 with int8 weights, whose activations
are rounded to 8 bits too.

Source: prompt lookup decoding, a form of speculative decoding (Leviathan et al. 2023, arXiv:2211.17192)
without a draft model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.engine import Logits, ScoringEngine

_LONGEST_APPEND = 64  # behind a prompt nothing is drafted: every row of logits would be computed


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeculationConfig:
    """How ids are foreseen; measured by ``benchmarks/speculation.py``.

    Attributes:
        shortest: n of the n-grams that are looked up last, at least 1.
        longest: n of those that are looked up first.
        first_draft: ids of a draft at the start.
        longest_draft: most ids of a draft; 2 more are drawn after one that came true, half after one that
            did not.
    """

    shortest: int = 2
    longest: int = 4
    first_draft: int = 4
    longest_draft: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ConfigError(f"n-grams of {self.shortest} to {self.longest} ids", where="shortest, longest")
        if not 1 <= self.first_draft <= self.longest_draft:
            drafts = f"drafts of {self.first_draft} to {self.longest_draft} ids"
            raise ConfigError(drafts, where="first_draft, longest_draft")


class NgramIndex:
    """A sequence of ids that knows where the n-gram at its end stood before.

    Adding an id costs a few dictionary look-ups; removing it undoes exactly those.
    """

    def __init__(self, shortest: int, longest: int) -> None:
        self.ids: list[int] = []
        self._sizes = range(longest, shortest - 1, -1)
        self._latest: dict[tuple[int, ...], int] = {}  # n-gram to the index behind it
        self._earlier: list[list[int | None]] = []  # per id and size, what `_latest` said before

    def push(self, ids: Sequence[int]) -> None:
        """Add ``ids`` at the end."""
        for token in ids:
            self.ids.append(token)
            end = len(self.ids)
            grams = [tuple(self.ids[-size:]) for size in self._sizes if size <= end]
            self._earlier.append([self._latest.get(gram) for gram in grams])
            self._latest.update(dict.fromkeys(grams, end))

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids."""
        while len(self.ids) > length:
            grams = [tuple(self.ids[-size:]) for size in self._sizes if size <= len(self.ids)]
            for gram, before in zip(grams, self._earlier.pop(), strict=True):
                if before is None:
                    del self._latest[gram]
                else:
                    self._latest[gram] = before
            self.ids.pop()

    def continuation(self, length: int) -> list[int]:
        """Return ``length`` ids that followed the longest n-gram the ids end with, or none.

        Past the end of the sequence they go on with themselves, as a repetition does.
        """
        start = next((at for at in self._earlier[-1] if at is not None), None) if self._earlier else None
        if start is None:
            return []
        found: list[int] = []
        for at in range(start, start + length):
            found.append(self.ids[at] if at < len(self.ids) else found[at - len(self.ids)])
        return found

    def copy(self) -> NgramIndex:
        """Return an independent copy."""
        other = NgramIndex(self._sizes[-1], self._sizes[0])
        other.ids = list(self.ids)
        other._latest = dict(self._latest)
        other._earlier = list(self._earlier)
        return other


class SpeculativeEngine:
    """A :class:`opencwm.model.engine.ScoringEngine` that runs ahead of its caller.

    Args:
        engine: owned by this one from now on. It holds the ids foreseen behind those of :attr:`ids`.
        config: how ids are foreseen.
    """

    def __init__(self, engine: ScoringEngine, config: SpeculationConfig | None = None) -> None:
        self.config = config or SpeculationConfig()
        self._engine = engine
        self._index = NgramIndex(self.config.shortest, self.config.longest)
        self._index.push(engine.ids)
        self._length = self.config.first_draft
        self._draft: list[int] = []  # what the engine holds behind the ids
        self._after: NDArray[np.float32] = np.empty((0, engine.vocab_size), np.float32)  # logits after each

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._engine.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        return self._engine.max_tokens

    @property
    def ids(self) -> Sequence[int]:
        """The ids appended; not to be changed. What was foreseen is not among them."""
        return self._index.ids

    @property
    def num_passes(self) -> int:
        """Forward passes made, those of the drafts among them."""
        return self._engine.num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids``, in one forward pass unless they were foreseen; return the logits after the last, (V,).

        Raises:
            EngineError: no id, one out of range, or a sequence over :attr:`max_tokens`.
        """
        num_right = self._count_foreseen(ids)
        if ids and num_right == len(ids):
            logits: Logits = self._after[num_right - 1]
            self._index.push(ids)
            self._draft, self._after = self._draft[num_right:], self._after[num_right:]
            if not self._draft:
                self._length = min(self._length + 2, self.config.longest_draft)
            return logits
        if num_right < len(self._draft):
            self._length = max(1, self._length // 2)
        return self._run(ids, num_right)

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids`` in one forward pass and foresee nothing; return the logits after each, (T, V).

        Raises:
            EngineError: as :meth:`append`.
        """
        self._forget()
        logits = self._engine.append_all(ids)
        self._index.push(ids)
        return logits

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids.

        Raises:
            EngineError: more than there are.
        """
        if not 0 <= length <= len(self.ids):
            raise EngineError(f"cannot keep {length} of {len(self.ids)} ids")
        self._forget()
        self._engine.truncate(length)
        self._index.truncate(length)

    def fork(self) -> SpeculativeEngine:
        """Return an independent engine with the same ids, nothing foreseen."""
        other = SpeculativeEngine.__new__(SpeculativeEngine)
        other.config, other._length = self.config, self._length
        other._engine = self._engine.fork()
        other._index = self._index.copy()
        other._draft, other._after = self._draft, self._after
        other._forget()
        return other

    def _count_foreseen(self, ids: Sequence[int]) -> int:
        count = 0
        for token, foreseen in zip(ids, self._draft, strict=False):
            if token != foreseen:
                break
            count += 1
        return count

    def _forget(self, num_kept: int = 0) -> None:
        """Cut off all but the first ``num_kept`` ids that were foreseen; those are the caller's to append."""
        if self._draft:
            self._engine.truncate(len(self.ids) + num_kept)
            self._draft, self._after = [], self._after[:0]

    def _run(self, ids: Sequence[int], num_right: int) -> Logits:
        """Append ``ids``, of which the engine has the first ``num_right``, and a new draft behind them."""
        before = len(self.ids)
        self._forget(num_right)
        self._index.push(ids)
        room = self.max_tokens - before - len(ids)
        is_short = 0 < len(ids) <= _LONGEST_APPEND
        draft = self._index.continuation(min(self._length, room)) if is_short and room > 0 else []
        new = ids[num_right:]
        try:
            if not draft:
                return self._engine.append(new)
            logits = self._engine.append_all([*new, *draft])
        except EngineError:
            self._index.truncate(before)
            self._engine.truncate(before)
            raise
        self._draft, self._after = draft, logits[len(new) :]
        latest: Logits = logits[len(new) - 1]
        return latest
