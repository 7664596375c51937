"""Seccomp: system calls that no run needs are refused to a process and all it starts, without a privilege.

Refused is what reaches around the other protections (namespaces, mounts, tracing, input and output that the
kernel does on its own), what outlives processes (keys, System V objects, message queues), and what changes
the machine. Known for x86-64 and 64-bit ARM.

Source: seccomp(2), bpf(4), https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

# Name: (x86-64, 64-bit ARM).
# Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
CLONE, CLONE3, SOCKET = (56, 220), (435, 435), (41, 198)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_...
NAMESPACES = 0x7E020080
"""CLONE_NEW...: mount, cgroup, UTS, IPC, user, PID, network and time."""
AF_UNIX = 1

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
_FIRST_X32 = 0x40000000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(*, is_network_closed: bool) -> bool:
    """Refuse the calls from now on; False where that is not possible.

    The process must not be able to gain privileges.

    Args:
        is_network_closed: also refuse every socket but local ones.
    """
    code = program(is_network_closed=is_network_closed)
    if code is None:
        return False
    filter_ = _Program(len(code) // 8, code)
    prctl = ctypes.CDLL(None).prctl
    return bool(prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) == 0)


def program(*, is_network_closed: bool) -> bytes | None:
    """Return the filter for this machine, for ``bwrap --seccomp``; None where it is not known.

    Args:
        is_network_closed: see :func:`restrict`.
    """
    machine = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    return None if machine is None else _program(*machine, is_network_closed=is_network_closed)


def _program(column: int, architecture: int, *, is_network_closed: bool) -> bytes:
    """Assemble the filter. Each condition jumps over the one instruction after it."""
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, architecture), refuse]
    code += [(_LOAD, 0, 0, _NUMBER), (_IF_AT_LEAST, 0, 1, _FIRST_X32), refuse]
    for numbers in REFUSED.values():
        code += [(_IF_EQUAL, 0, 1, numbers[column]), refuse]
    # The C library falls back to clone, whose flags can be looked at.
    code += [(_IF_EQUAL, 0, 1, CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [(_IF_EQUAL, 0, 4, CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_ANY, 0, 1, NAMESPACES)]
    code += [refuse, (_RETURN, 0, 0, _ALLOW)]
    if is_network_closed:
        code += [(_IF_EQUAL, 0, 3, SOCKET[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
        code += [(_IF_EQUAL, 1, 0, AF_UNIX), refuse]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
