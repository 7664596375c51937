"""Landlock: a process gives up files, TCP and signals for itself and all it starts, without a privilege.

Used where bubblewrap is not, on kernels that have it. It does not limit UDP, memory or numbers of processes.

Source: landlock(7), https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import sys
from collections.abc import Callable, Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture in use
GET_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
FILE_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
NETWORK_RIGHTS = 0b11  # bind and connect of TCP, from ABI 4
SCOPES = 0b11  # abstract sockets and signals, from ABI 6
READ = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """Return the kernel's Landlock ABI, 0 when it has none."""
    if sys.platform != "linux":
        return 0
    return max(int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), GET_VERSION)), 0)


def ruleset(readable: Iterable[str], writable: Iterable[str]) -> int | None:
    """Make rules to be put in force in many processes; return their descriptor, None without Landlock.

    Args:
        readable: files and directories that stay readable with all below them; absent ones are passed over.
        writable: files, and directories in which everything but device nodes may be made.

    Raises:
        OSError: the kernel refuses a rule.
    """
    abi = version()
    if not abi:
        return None
    rights = FILE_RIGHTS_BY_ABI[max(known for known in FILE_RIGHTS_BY_ABI if known <= abi)]
    attributes = _Ruleset(rights, NETWORK_RIGHTS if abi >= 4 else 0, SCOPES if abi >= 6 else 0)
    num_bytes = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = _call(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(num_bytes), 0)
    allowed = [(path, READ) for path in readable]
    allowed += [(path, rights & ~(MAKE_CHAR | MAKE_BLOCK)) for path in writable]
    for path, wanted in allowed:
        with contextlib.suppress(FileNotFoundError):
            _allow(rules, path, wanted & rights)
    return rules


def restriction(rules: int) -> Callable[[], None]:
    """Prepare to put a set of rules in force for a process, which must not be able to gain privileges.

    The function returned does it, to the process that calls it.

    Raises:
        OSError: when called: the kernel refuses.
    """
    call, number, descriptor, flags = _libc().syscall, *map(ctypes.c_long, (RESTRICT_SELF, rules, 0))

    def restrict() -> None:
        if call(number, descriptor, flags) < 0:
            raise OSError(ctypes.get_errno(), "Landlock is refused")

    return restrict


def _allow(rules: int, path: str, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, parent)
        _call(ADD_RULE, ctypes.c_int(rules), RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(parent)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
