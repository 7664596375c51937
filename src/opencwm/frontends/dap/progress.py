"""Progress of what takes long, for clients that show it: each step of a prediction is an inference."""

from __future__ import annotations

import time
from typing import Final

from opencwm.frontends.dap.messages import Body, Outbox

PATIENCE_S: Final = 0.5
"""Before that, nothing is shown."""
_INTERVAL_S: Final = 0.2


class Progress:
    """Tells a client how far something is; begins when it has taken a while, and can be cancelled.

    Args:
        outbox: where events go.
        id: of the progress, never used again.
        title: what takes long.
        request_seq: of the request that began it.
        is_wanted: whether the client shows progress.
        patience_s: how long nothing is shown.
    """

    def __init__(
        self,
        outbox: Outbox,
        id: str,  # noqa: A002 - the protocol's word
        title: str,
        request_seq: int,
        *,
        is_wanted: bool,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._outbox = outbox
        self.id = id
        self._title = title
        self.request_seq = request_seq
        self._is_wanted = is_wanted
        self._next_at = time.monotonic() + patience_s
        self._is_shown = False

    def advance(self, message: str) -> None:
        """Tell how far it is."""
        if not self._is_wanted or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _INTERVAL_S
        self._event("progressUpdate" if self._is_shown else "progressStart", message)
        self._is_shown = True

    def end(self) -> None:
        """Tell that it is over."""
        if self._is_shown:
            self._event("progressEnd", "")

    def _event(self, name: str, message: str) -> None:
        body: Body = {"progressId": self.id, **({"message": message} if message else {})}
        if name == "progressStart":
            body |= {"title": self._title, "requestId": self.request_seq, "cancellable": True}
        self._outbox.event(name, body)
