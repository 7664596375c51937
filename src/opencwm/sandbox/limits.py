"""What one run may use, and how it ended.

The values here cross no process boundary as objects: :class:`RunLimits` goes to the fork-server as JSON, and
a :class:`RunResult` is built by the parent from what it saw. Nothing is executed here.
"""

from __future__ import annotations

import dataclasses
import enum
import math

from opencwm.core.errors import ConfigError

MIB = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunLimits:
    """What one run may use; beyond any of them it is ended or refused, and its status says so.

    Attributes:
        wall_s: deadline in seconds. Then comes SIGALRM, which the target may handle to emit what it has; a
            second later the parent has the whole process tree killed.
        cpu_s: processor seconds of one process, counted in whole seconds (rounded up).
        memory_bytes: address space of one process; also the resident memory of all processes of the run
            together, which is sampled.
        num_processes: processes and threads alive at once, the run's first included.
        num_files: open file descriptors of one process.
        file_bytes: size of one file written.
        output_bytes: bytes the run may emit; a record counts for at least 64.

    Raises:
        ConfigError: a limit is not a positive finite number.
    """

    wall_s: float = 5.0
    cpu_s: float = 5.0
    memory_bytes: int = 512 * MIB
    num_processes: int = 16
    num_files: int = 64
    file_bytes: int = MIB
    output_bytes: int = 64 * MIB

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ConfigError(f"not a positive number: {value!r}", where=f"limits.{field.name}")


class RunStatus(enum.StrEnum):
    """How a run ended, as the parent saw it."""

    RETURNED = "returned"  # the target function returned
    FAILED = "failed"  # the target function raised
    TIMEOUT = "timeout"  # wall clock or processor time
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    EXITED = "exited"  # the process ended by itself before the target returned
    KILLED = "killed"  # by a signal that neither the deadline nor a limit explains
    GARBLED = "garbled"  # something else than the target wrote into the result pipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResult:
    """What came out of one run. ``outputs`` is untrusted: the program could have written it itself.

    Attributes:
        status: how it ended.
        outputs: what the target emitted, in order, whole records only; also when the run did not end well.
        detail: one line on the status; empty when RETURNED.
        exit_code: of the run's first process, when it ended by itself, and with this run.
        signal: number of the signal that ended it, otherwise None.
        wall_s: seconds from sending the request to the end of the last process.
        max_rss_bytes: peak resident memory of the run's first process; 0 when unknown.
    """

    status: RunStatus
    outputs: tuple[bytes, ...]
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    wall_s: float = 0.0
    max_rss_bytes: int = 0
