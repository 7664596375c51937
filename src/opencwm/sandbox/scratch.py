"""The directory a run may write to: made empty again, whatever the program built there.

Directories may nest deeper than any path is long, or deny access to their owner. So nothing is removed by
path and nothing recursively: what is found one level down is moved to the top, level by level. Symbolic links
are never followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def is_new(directory: str | Path, mode: int) -> bool:
    """Whether nothing is in ``directory``, which must be one and no link to one, and its mode is ``mode``.

    Raises:
        OSError: it cannot be looked at.
    """
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return os.fstat(top).st_mode == mode and not os.listdir(top)  # noqa: PTH208 - by descriptor
    finally:
        os.close(top)


def empty(directory: str | Path, max_entries: int | None = None) -> bool:
    """Remove all that is in ``directory``; False when that is more than ``max_entries`` files and such.

    Raises:
        OSError: something cannot be removed.
    """
    try:
        top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except PermissionError:
        Path(directory).chmod(stat.S_IRWXU, follow_symlinks=False)
        top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    _permit(top)
    mark, num_entries = os.urandom(8).hex(), 0
    try:
        while names := os.listdir(top):  # noqa: PTH208 - by descriptor
            for name in names:
                num_entries += 1
                if max_entries is not None and num_entries > max_entries:
                    return False
                if stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                    _lift(name, top, f"{mark}-{num_entries}")
                    os.rmdir(name, dir_fd=top)
                else:
                    os.unlink(name, dir_fd=top)
    finally:
        os.close(top)
    return True


def _lift(name: str, top: int, prefix: str) -> None:
    """Move what is in the directory ``name`` of the directory ``top`` into ``top``."""
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=top)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        _permit(inner)
        for index, name_within in enumerate(os.listdir(inner)):  # noqa: PTH208 - by descriptor
            os.rename(name_within, f"{prefix}-{index}", src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)


def _permit(directory: int) -> None:
    """Allow the owner everything, unless that is so: to change it can be more than this process may."""
    mode = stat.S_IMODE(os.fstat(directory).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(directory, mode | stat.S_IRWXU)
