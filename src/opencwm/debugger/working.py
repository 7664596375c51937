"""The ways to work out the sub-expressions of a predicted line."""

from __future__ import annotations

import enum


class Working(enum.StrEnum):
    """Who works out the sub-expressions of a line, where there is expression detail."""

    FREE = "free"  # the model writes them
    FOLLOWED = "followed"  # lines are followed, the model is asked for values
    CALCULATED = "calculated"  # and not for those of pure operations on literals, which are calculated
