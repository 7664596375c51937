"""Several sources in one stream, in shares that change while a model is trained.

The idea: the next document comes from the source that is furthest behind its share of tokens, so the mixture
is exact, needs no randomness, and is restored by the sources' positions and the tokens taken from each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.train.data import TokenDocument, TokenSource, resolve


class MixtureSource:
    """Documents of several sources.

    Args:
        sources: by name.
        shares: for each point in time the weights of the sources, by name: ``(progress, weights)`` with
            progress from 0 to 1, ascending; between two points weights are interpolated.
        num_tokens: the tokens over which progress runs; the last weights hold after it.

    Raises:
        ConfigError: weights that name no source, are negative or all zero; times out of order.
    """

    def __init__(
        self,
        sources: Mapping[str, TokenSource],
        shares: Sequence[tuple[float, Mapping[str, float]]],
        *,
        num_tokens: int,
    ) -> None:
        _check(sources, shares)
        self._sources = dict(sources)
        self._shares = list(shares)
        self._num_tokens = num_tokens
        self._taken = 0
        self._owed = dict.fromkeys(sources, 0.0)

    def __iter__(self) -> Iterator[TokenDocument]:
        return self

    def __next__(self) -> TokenDocument:
        weights = self.weights(self._taken / self._num_tokens)
        name = max(weights, key=lambda name: self._owed[name] if weights[name] else float("-inf"))
        document = next(self._sources[name])
        length = len(document.ids)
        total = sum(weights.values())
        for other, weight in weights.items():
            self._owed[other] += length * weight / total
        self._owed[name] -= length
        self._taken += length
        return document

    def weights(self, progress: float) -> dict[str, float]:
        """Return the weight of every source at ``progress``."""
        before, after = self._shares[0], self._shares[-1]
        for point in self._shares:
            if point[0] <= progress:
                before = point
            else:
                after = point
                break
        span = after[0] - before[0]
        place = min(max((progress - before[0]) / span, 0.0), 1.0) if span > 0 else 1.0
        return {
            name: (1 - place) * before[1].get(name, 0.0) + place * after[1].get(name, 0.0)
            for name in self._sources
        }

    def state(self) -> dict[str, Any]:
        """Return the sources' positions and what was taken."""
        return {
            "taken": self._taken,
            "owed": dict(self._owed),
            "sources": {name: dict(source.state()) for name, source in self._sources.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._taken = int(state["taken"])
        self._owed = {name: float(state["owed"][name]) for name in self._sources}
        for name, source in self._sources.items():
            source.restore(state["sources"][name])

    def close(self) -> None:
        """Close the sources that can be closed."""
        for source in self._sources.values():
            if hasattr(source, "close"):
                source.close()


def _check(sources: Mapping[str, TokenSource], shares: Sequence[tuple[float, Mapping[str, float]]]) -> None:
    """Refuse what is no mixture.

    Raises:
        ConfigError: see :class:`MixtureSource`.
    """
    times = [time for time, _ in shares]
    if not shares or times != sorted(times) or times[0] < 0 or times[-1] > 1:
        raise ConfigError("shares need times from 0 to 1 in ascending order", where="data.options.shares")
    for _, weights in shares:
        if unknown := set(weights) - set(sources):
            raise ConfigError(
                f"a share for {min(unknown)!r}, which is no source",
                where="data.options.shares",
                hint=f"one of {', '.join(sources)}",
            )
        if min(weights.values(), default=0.0) < 0 or not sum(weights.values()) > 0:
            raise ConfigError("weights are >= 0 and not all 0", where="data.options.shares")


def mixture(
    *, sources: Mapping[str, Mapping[str, Any]], shares: Sequence[Mapping[str, Any]], num_tokens: int
) -> MixtureSource:
    """Return the source a recipe names ``mixture``.

    Args:
        sources: by name of your choice, each ``{source = NAME, ...options of that source}``.
        shares: tables ``{at = progress, NAME = weight, ...}``.
        num_tokens: see :class:`MixtureSource`.

    Raises:
        ConfigError: an entry without ``source`` or ``at``, or no mixture.
    """
    made = {}
    for name, options in sources.items():
        if not isinstance(options.get("source"), str):
            raise ConfigError("names no source", where=f"data.options.sources.{name}")
        made[name] = resolve(options["source"])(**{k: v for k, v in options.items() if k != "source"})
    points = []
    for entry in shares:
        if "at" not in entry:
            raise ConfigError("a share without 'at'", where="data.options.shares")
        points.append((float(entry["at"]), {k: float(v) for k, v in entry.items() if k != "at"}))
    return MixtureSource(made, points, num_tokens=num_tokens)
