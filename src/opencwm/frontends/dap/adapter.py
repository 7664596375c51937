"""One client's conversation: which request may come when, and what each does.

The one idea: one thread does everything. While a move runs it looks at what has arrived after every step, so
a client can set breakpoints, pause, cancel or leave at any time, and nothing needs a lock. What the answers
hold is made elsewhere.

Source: https://microsoft.github.io/debug-adapter-protocol/overview, its section on the order of requests.
"""

from __future__ import annotations

import dataclasses
import enum
import hmac
import itertools
import queue
from collections.abc import Callable
from typing import Any, Final

from opencwm.core.errors import OpenCWMError
from opencwm.core.version import __version__
from opencwm.debugger.expressions import ExpressionError, Undecided
from opencwm.frontends.dap import arguments
from opencwm.frontends.dap.breakpoint_table import EXCEPTION_FILTERS, BreakpointTable
from opencwm.frontends.dap.debuggee import Debuggee
from opencwm.frontends.dap.framing import BadFrame
from opencwm.frontends.dap.launching import Models, launch, refusal
from opencwm.frontends.dap.messages import (
    CANCELLED,
    NOT_STOPPED,
    Body,
    MessageError,
    Outbox,
    Request,
    RequestError,
    parse_request,
)
from opencwm.frontends.dap.places import Dialect

Arrival = bytes | BadFrame | None
"""A payload, bytes that are none, or the end of the connection."""
THREAD_ID: Final = 1


class Phase(enum.Enum):
    """How far a conversation is."""

    NEW = "not initialized"
    READY = "not launched"
    LAUNCHED = "launched, not configured"
    STOPPED = "stopped"
    RUNNING = "running"
    TERMINATED = "terminated"
    CLOSED = "closed"


_CONFIGURABLE: Final = frozenset(Phase) - {Phase.NEW, Phase.CLOSED}
_LAUNCHED: Final = frozenset({Phase.LAUNCHED, Phase.STOPPED, Phase.RUNNING, Phase.TERMINATED})
_STOPPED: Final = frozenset({Phase.STOPPED})


@dataclasses.dataclass(frozen=True)
class Rule:
    """A request that is understood.

    Attributes:
        reads: the class of its arguments.
        phases: when it may come.
        waits: whether it is kept until a running move has ended, which it ends.
    """

    reads: type[Any]
    phases: frozenset[Phase]
    waits: bool = False
