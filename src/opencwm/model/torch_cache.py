"""Keys and values of a sequence that can be cut back and shared: the cache of the ``torch`` engine.

The one idea: every layer keeps everything. The library's own cache of a sliding layer holds the window alone,
so nothing before it can be gone back to; here the window is the attention mask's business, which the models
build from the whole length that a layer reports. What is held lies in a buffer with room to grow; a fork
refers to the same buffer, and whoever is the first to write where another still reads makes its own copy.

Several sequences that each take one step in one pass are laid side by side for that pass alone: each writes
into its own layers, and what is read is filled up to the longest of them.

B sequences, H key-value heads, T tokens, D their size.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

LEAST_ROOM = 256
"""Tokens that a new buffer has room for, at least."""


class _Buffer:
    """Room for the keys and values of one layer.

    Attributes:
        num_filled: tokens that some layer has written.
        users: the layers that refer to it.
    """

    def __init__(self, like_BHTD: torch.Tensor, values_BHTD: torch.Tensor, room: int) -> None:
        self.keys_BHTD = like_BHTD.new_empty((*like_BHTD.shape[:2], room, like_BHTD.shape[3]))
        self.values_BHTD = values_BHTD.new_empty((*values_BHTD.shape[:2], room, values_BHTD.shape[3]))
        self.num_filled = 0
        self.users: weakref.WeakSet[RewindableLayer] = weakref.WeakSet()

    @property
    def room(self) -> int:
        """Tokens it can hold."""
        return self.keys_BHTD.shape[2]


class RewindableLayer(CacheLayerMixin):  # type: ignore[misc]  # the library is not typed
    """The keys and values of one layer, all of them, whatever window the layer looks through."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        self._buffer: _Buffer | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the first buffer; the library's name for it."""
        self._writable(key_states, value_states)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values (B, H, T, D); return all there are, without copying them."""
        buffer = self._writable(key_states, value_states)
        end = self.length + key_states.shape[2]
        buffer.keys_BHTD[:, :, self.length : end] = key_states
        buffer.values_BHTD[:, :, self.length : end] = value_states
        self.length = end
        buffer.num_filled = max(end, buffer.num_filled) if len(buffer.users) > 1 else end
        return buffer.keys_BHTD[:, :, :end], buffer.values_BHTD[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many keys there are with ``query_length`` more, and the position of the first."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many tokens are held."""
        return self.length

    def get_max_length(self) -> int:
        """Return -1: it grows as need be."""
        return -1

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` tokens; a later fork shares what is left."""
        self.length = min(length, self.length)

    def fork(self) -> RewindableLayer:
        """Return an independent layer that holds the same, on the same storage."""
        twin = RewindableLayer()
        twin.length = self.length
        if self._buffer is not None:
            twin._move(self._buffer)
        return twin

    def _writable(self, key_states: torch.Tensor, value_states: torch.Tensor) -> _Buffer:
        """Return a buffer with room in which nobody else reads what comes next."""
        needed = self.length + key_states.shape[2]
        buffer = self._buffer
        if buffer is None:
            buffer = _Buffer(key_states, value_states, max(LEAST_ROOM, needed))
            self._move(buffer)
        is_own = len(buffer.users) == 1 or buffer.num_filled == self.length
        if is_own and needed <= buffer.room:
            return buffer
        grown = _Buffer(key_states, value_states, max(LEAST_ROOM, needed + needed // 2))
        grown.keys_BHTD[:, :, : self.length] = buffer.keys_BHTD[:, :, : self.length]
        grown.values_BHTD[:, :, : self.length] = buffer.values_BHTD[:, :, : self.length]
        grown.num_filled = self.length
        self._move(grown)
        return grown

    def _move(self, buffer: _Buffer) -> None:
        if self._buffer is not None:
            self._buffer.users.discard(self)
        self._buffer = buffer
        buffer.users.add(self)
        self.is_initialized = True


class RewindableCache(Cache):  # type: ignore[misc]  # the library is not typed
    """The layers of one sequence.

    Args:
        layers: one for each layer of the model.
    """

    def __init__(self, layers: list[RewindableLayer]) -> None:
        super().__init__(layers=layers)

    @classmethod
    def empty(cls, num_layers: int) -> RewindableCache:
        """Return one that holds nothing."""
        return cls([RewindableLayer() for _ in range(num_layers)])

    def truncate(self, length: int) -> None:
        """Forget all but the first ``length`` tokens in every layer."""
        for layer in self.layers:
            layer.truncate(length)

    def fork(self) -> RewindableCache:
        """Return an independent cache of the same sequence; storage is shared until one of both writes."""
        return RewindableCache([layer.fork() for layer in self.layers])


class RowsLayer(CacheLayerMixin):  # type: ignore[misc]  # the library is not typed
    """One layer of several sequences, for one pass in which each of them gets one token.

    Args:
        layers: of the sequences; each is written.
    """

    is_sliding = False

    def __init__(self, layers: Sequence[RewindableLayer]) -> None:
        super().__init__()
        self._layers = layers

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Do nothing: storage is that of the sequences; the library's name for it."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values (B, H, 1, D); return (B, H, T, D), shorter sequences filled up with zeros."""
        held = [
            layer.update(key_states[row : row + 1], value_states[row : row + 1])
            for row, layer in enumerate(self._layers)
        ]
        most = max(layer.length for layer in self._layers)
        keys_BHTD = key_states.new_zeros((*key_states.shape[:2], most, key_states.shape[3]))
        values_BHTD = value_states.new_zeros((*value_states.shape[:2], most, value_states.shape[3]))
        for row, (keys_1HTD, values_1HTD) in enumerate(held):
            keys_BHTD[row, :, : keys_1HTD.shape[2]] = keys_1HTD[0]
            values_BHTD[row, :, : values_1HTD.shape[2]] = values_1HTD[0]
        return keys_BHTD, values_BHTD

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many keys there are with ``query_length`` more, and the position of the first."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many tokens the longest sequence holds."""
        return max(layer.length for layer in self._layers)

    def get_max_length(self) -> int:
        """Return -1: it grows as need be."""
        return -1


def side_by_side(caches: Sequence[RewindableCache]) -> Cache:
    """Return the caches of several sequences as one, for one pass in which each gets one token."""
    return Cache(
        layers=[RowsLayer(layers) for layers in zip(*(cache.layers for cache in caches), strict=True)]
    )
