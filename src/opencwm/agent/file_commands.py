"""Reading and writing files of a box through commands in it, the same for every kind of box.

Nothing is opened from outside: a link that a program left in a box leads nowhere but into the box.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from typing import Final

from opencwm.agent.box import RunResult, RunStatus

FILE_S: Final = 30.0
"""Seconds that one file may take."""
READ: Final = (
    'if [ -d "$1" ]; then exit 21; elif [ ! -e "$1" ]; then exit 2; elif [ ! -f "$1" ]; then exit 22; fi; '
    'exec cat -- "$1"'
)
"""Script of bash that prints the file that its first argument names."""
WRITE: Final = 'if [ -d "$1" ]; then exit 21; fi; mkdir -p -- "$(dirname -- "$1")" && exec cat > "$1"'
"""Script of bash that writes its input to the file that its first argument names."""
_MEANINGS: Final = {2: FileNotFoundError, 21: IsADirectoryError, 22: OSError}


def raise_for(result: RunResult, path: str) -> None:
    """Raise what the end of :data:`READ` or :data:`WRITE` means, if anything.

    Raises:
        OSError: of the fitting kind.
    """
    if result.is_success:
        return
    if result.status is RunStatus.DISK_FULL:
        raise OSError(errno.ENOSPC, "the box is full", path)
    code = result.exit_code or 0
    if code in _MEANINGS:
        raise _MEANINGS[code](code, os.strerror(code), path)
    said = result.output.strip().rpartition("\n")[2][:200]
    if "denied" in said:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    raise OSError(errno.EIO, said or f"took over {FILE_S:g} s", path)


@contextlib.contextmanager
def memory_input(data: bytes) -> Iterator[int]:
    """Yield a descriptor to read ``data`` from, for :class:`subprocess.Popen`."""
    if not data:
        yield subprocess.DEVNULL
        return
    with open(os.memfd_create("opencwm-box"), "w+b") as file:  # noqa: PTH123 - a descriptor
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()
