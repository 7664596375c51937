"""Settings of mutation: how many mutants, and how often each operator is drawn."""

from __future__ import annotations

import dataclasses
import difflib

from opencwm.core.errors import ConfigError
from opencwm.corpus.mutants.operators import OPERATORS


@dataclasses.dataclass(frozen=True, kw_only=True)
class MutationConfig:
    """How programs are mutated.

    Attributes:
        max_mutants: most mutants of one function, at least 1; fewer when it gives no more.
        weights: how often an operator is drawn compared with the others, by its name in ``OPERATORS``;
            operators that are not named have their default weight there. 0 leaves one out.
    """

    max_mutants: int = 2
    weights: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_mutants < 1:
            raise ConfigError(
                f"must be at least 1, not {self.max_mutants}", where="MutationConfig.max_mutants"
            )
        for name, weight in self.weights.items():
            where = f"MutationConfig.weights.{name}"
            if name not in OPERATORS:
                close = difflib.get_close_matches(name, OPERATORS, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known operators: {', '.join(OPERATORS)}"
                raise ConfigError("no such operator", where=where, hint=hint)
            if not 0.0 <= weight < float("inf"):
                raise ConfigError(f"must be at least 0, not {weight}", where=where)

    def weight(self, name: str) -> float:
        """Return how often the operator of this name is drawn."""
        return self.weights.get(name, OPERATORS[name].weight)
