"""Long moves: told how far they are, and stopped from another thread.

Each step of a prediction takes a model some time, and a move may take thousands. A move looks at both hooks
once a step, so what is cancelled ends within one step.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable


class Cancellation:
    """A request to stop one move, safe to make from any thread. Use a fresh one for each move."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the move to stop; a move that begins after this stops at once."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._event.is_set()


class CancelledError(Exception):
    """A question to the model was cancelled before there was an answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """Who looks at a move while it runs.

    Attributes:
        cancellation: what can stop it; None when nothing can.
        progress: called with the number of steps read so far, after each; on the thread of the move.
    """

    cancellation: Cancellation | None = None
    progress: Callable[[int], None] | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the move is to stop."""
        return self.cancellation is not None and self.cancellation.is_cancelled

    def advance(self, num_steps: int) -> None:
        """Tell how many steps were read so far."""
        if self.progress is not None:
            self.progress(num_steps)
