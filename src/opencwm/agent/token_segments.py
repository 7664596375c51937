"""The tokens of an attempt as sequences to train on: ids, which of them were chosen, how likely they were.

As long as each prompt begins with the one before and its reply, all is one sequence. Where it does not (a
server's template leaves out old reasoning, or writes text in other tokens than were sampled) another
begins, so that every id keeps the context it was really sampled in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from opencwm.agent.conversation import Tokens


@dataclasses.dataclass(slots=True)
class Segment:
    """One sequence.

    Attributes:
        ids: token ids.
        loss_mask: 1 where the policy chose the id, 0 where it was told; as many as ``ids``.
        logarithms: natural logarithm of the probability that a chosen id had, 0.0 elsewhere; None when not
            known for all that were chosen.
        allowed: position of each id that was chosen among several that a grammar let through -> those ids.
    """

    ids: list[int]
    loss_mask: list[int]
    logarithms: list[float] | None
    allowed: dict[int, frozenset[int]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {"token_ids": self.ids, "loss_mask": self.loss_mask, "logprobs": self.logarithms}


def segments(replies: Iterable[Tokens | None]) -> list[Segment]:
    """Put the replies of an attempt together, in order; those without tokens are left out."""
    found: list[Segment] = []
    for tokens in replies:
        if tokens is None:
            continue
        held = found[-1].ids if found else []
        if not held or tuple(held) != tokens.prompt_ids[: len(held)]:
            found.append(Segment([], [], []))
            held = []
        segment = found[-1]
        told = tokens.prompt_ids[len(held) :]
        first = len(held) + len(told)
        segment.allowed |= {first + n: ids for n, ids in enumerate(tokens.allowed) if ids is not None}
        segment.ids += [*told, *tokens.ids]
        segment.loss_mask += [0] * len(told) + [1] * len(tokens.ids)
        if segment.logarithms is not None and (tokens.logarithms or not tokens.ids):
            segment.logarithms += [0.0] * len(told) + list(tokens.logarithms)
        else:
            segment.logarithms = None
    return found
