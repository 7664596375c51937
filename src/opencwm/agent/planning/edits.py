"""Candidate repairs: one place of a file changed, in an order that what pytest said suggests.

The places are those that the operators of :mod:`opencwm.corpus.mutants` and the searcher's
:func:`~opencwm.agent.searcher.repairs` change. Nothing here knows what was broken, nor runs anything.
"""

from __future__ import annotations

import ast
import dataclasses
import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from opencwm.agent.mutation.candidates import all_changes, is_test_file
from opencwm.agent.planning.ranking import Candidate, changed_lines
from opencwm.agent.planning.versions import Version
from opencwm.agent.searcher import repairs
from opencwm.core.seeds import derive_rng

NEAR: Final = 20
"""Lines further from what is pointed at are far."""
FAR: Final = 1_000
"""Distance of a place that nothing points to."""
_IN_NAMED: Final = 2


@dataclasses.dataclass(frozen=True)
class Edit:
    """A candidate and where it is.

    Attributes:
        candidate: the change.
        lineno: 1-based line that it changes first.
        distance: from what the failure points at, in lines; 0 is the very line, :data:`FAR` nowhere near.
    """

    candidate: Candidate
    lineno: int
    distance: int


def candidate_edits(version: Version, failures: Mapping[str, str], seed: int, limit: int) -> list[Edit]:
    """Return the nearest edits, equally near ones in random order.

    Args:
        version: what is to be repaired.
        failures: what pytest says of each failing test.
        seed: of the order.
        limit: most edits.
    """
    told = "\n".join(failures.values())
    paths = [path for path in version.texts if not is_test_file(path) and version.tree(path) is not None]
    rng = derive_rng(seed, "edits")
    distances = {path: _distances(version.texts[path], path, told) for path in paths}
    found: list[tuple[int, float, Edit]] = []
    for is_near in (True, False):
        for path in paths:
            text = version.texts[path]
            lines = {n for n in range(1, text.count("\n") + 2) if (n in distances[path]) is is_near}
            for lineno, changed in _changes(path, text, lines):
                edit = Edit(Candidate(path, changed), lineno, distances[path].get(lineno, FAR))
                found.append((edit.distance, rng.random(), edit))
        if len(found) >= limit:
            break  # those far away come after all of these
    return [edit for _, _, edit in sorted(found, key=lambda item: item[:2])[:limit]]


def _changes(path: str, text: str, wanted: Collection[int]) -> list[tuple[int, str]]:
    """Return line and new text of every change on some lines, each once."""
    lines = text.split("\n")
    found: dict[str, int] = {}
    for repair in repairs(text) if wanted else ():
        if repair.lineno in wanted:
            changed = "\n".join([*lines[: repair.lineno - 1], repair.line, *lines[repair.lineno :]])
            found.setdefault(changed, repair.lineno)
    for change in all_changes(path, text, wanted) if wanted else ():
        where = changed_lines(text, change.text)
        if where and where[0] in wanted:
            found.setdefault(change.text, where[0])
    return [(lineno, changed) for changed, lineno in found.items() if changed != text]


def _distances(text: str, path: str, told: str) -> dict[int, int]:
    """Return how far lines are from what the failures point at: a line of the file, or a function by name."""
    count = text.count("\n") + 1
    found: dict[int, int] = {}
    pointed = {int(number) for number in re.findall(rf"(?m)^{re.escape(path)}:(\d+)", told)}
    for at in pointed:
        for line in range(1, count + 1):
            if abs(line - at) <= NEAR:
                found[line] = min(found.get(line, FAR), abs(line - at))
    for line in _named_lines(text, told):
        found[line] = min(found.get(line, FAR), _IN_NAMED)
    return found


def _named_lines(text: str, told: str) -> set[int]:
    """Return the lines of functions whose names stand where the failure is shown."""
    shown = "\n".join(line for line in told.splitlines() if line[:1] in (">", "E"))
    words: set[str] = set(re.findall(r"[A-Za-z_]\w*", shown)) - set(keyword.kwlist)
    found: set[int] = set()
    for node in _functions(text):
        if node.name in words:
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _functions(text: str) -> Sequence[ast.FunctionDef | ast.AsyncFunctionDef]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
