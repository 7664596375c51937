"""What two programs have in common when only their names differ, and the split that follows from it.

The idea: the split of a program is a hash of its source with every name replaced by its rank of appearance
and the call left out. Renamed copies, and the same functions called with other arguments, so always lie in
the same split, and which split that is depends on nothing but the source.
"""

from __future__ import annotations

import builtins
import hashlib
import keyword
import re
from typing import Final

from opencwm.traces import Program

SPLITS: Final = ("train", "valid", "test")
"""Names of the splits, in the order in which they are written."""

_QUOTED: Final = (
    r"""(?:'{3}(?:[^\\]|\\.)*?'{3}|"{3}(?:[^\\]|\\.)*?"{3}|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
)
_TOKENS: Final = re.compile(
    rf"""
    (?P<comment>\#[^\n]*)
    | (?P<text>[rbuRBU]{{0,2}}{_QUOTED})
    | (?P<f>[fF][rR]?|[rR][fF])(?P<ftext>{_QUOTED})
    | (?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_KNOWN: Final = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self", "cls", "match", "case"}


def structure_of(source: str) -> str:
    """Return ``source`` without comments, its names replaced by ``v0``, ``v1``, ... in order of appearance.

    Keywords, builtins and attribute names stay. The text is for comparing, not for running.
    """
    ranks: dict[str, str] = {}

    def rename(name: str) -> str:
        return name if name in _KNOWN else ranks.setdefault(name, f"v{len(ranks)}")

    def replace(match: re.Match[str]) -> str:
        if match["comment"] is not None:
            return ""
        if match["text"] is not None:
            return match[0]
        if match["ftext"] is not None:
            field = _FIELD.sub(lambda inner: "{" + _TOKENS.sub(replace, inner[1]) + "}", match["ftext"])
            return match["f"] + field
        name = match["name"]
        if match.start() and match.string[match.start() - 1] == ".":
            return name
        return rename(name)

    return _TOKENS.sub(replace, source)


def group_of(program: Program) -> str:
    """Return the group of a program; without one, a digest of its structure.

    What is made from a program, such as its mutants, has this group, and so lies in the program's split.
    """
    if program.group:
        return program.group
    return hashlib.sha256(structure_of(program.source).encode("utf-8", "surrogatepass")).hexdigest()


def split_of(program: Program, *, valid_fraction: float, test_fraction: float) -> str:
    """Return the split of a program's group, see :func:`group_of`; fractions are of all groups, 0 to 1."""
    text = group_of(program).encode("utf-8", "surrogatepass")
    draw = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64
    if draw < test_fraction:
        return "test"
    return "valid" if draw < test_fraction + valid_fraction else "train"
