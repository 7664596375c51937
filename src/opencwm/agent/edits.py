"""One SEARCH/REPLACE block, applied to the text of a file: whole lines, which must stand there exactly once.

    <<<<<<< SEARCH
    lines to find
    =======
    lines to put there
    >>>>>>> REPLACE

What is wrong is said so that the next attempt can be right: the lines that come closest, or where the several
matches stand. Nothing here touches a file.

Source: the ``edit`` tool that facebook/cwm was trained with (facebookresearch/cwm, the prompts of its
agents).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Final

SEARCH: Final = "<<<<<<< SEARCH"
DIVIDER: Final = "======="
REPLACE: Final = ">>>>>>> REPLACE"
LAYOUT: Final = f"{SEARCH}\n[search_lines]\n{DIVIDER}\n[replacement_lines]\n{REPLACE}"
CONTEXT_LINES: Final = 8
"""Lines shown above and below a change, when nothing else is asked for."""
_MOST_COMPARED: Final = 5_000
"""Lines of a file that are looked through for what comes close."""


class ToolError(Exception):
    """A call that cannot be done; the text tells the model what to do instead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """What to find and what to put there.

    Attributes:
        search: lines without their ends; at least one.
        replacement: likewise; none deletes the lines.
    """

    search: tuple[str, ...]
    replacement: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Edited:
    """A file after a change.

    Attributes:
        text: all of it.
        lineno: first line of the change, from 1.
        num_lines: lines that were put there.
    """

    text: str
    lineno: int
    num_lines: int


def parse_block(text: str) -> Block:
    """Read one block; blank lines around it are passed over.

    Raises:
        ToolError: there is none, there are several, or it has nothing to search for.
    """
    lines = text.strip("\n").split("\n")
    starts = [number for number, line in enumerate(lines) if line.rstrip() == SEARCH]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == REPLACE]
    if len(starts) > 1:
        raise ToolError(f"{len(starts)} SEARCH/REPLACE blocks in one call; make one call for each")
    if starts != [0] or ends != [len(lines) - 1]:
        raise ToolError(f"the change must be one block of this form and nothing else:\n{LAYOUT}")
    inside = [line.rstrip() == DIVIDER for line in lines]
    if True not in inside:
        raise ToolError(f"a line {DIVIDER} must stand between what is searched and what replaces it")
    middle = inside.index(True)
    return block(lines[1:middle], lines[middle + 1 : -1])


def block(search: Sequence[str], replacement: Sequence[str]) -> Block:
    """Return a block of these lines.

    Raises:
        ToolError: there is nothing to search for.
    """
    if not any(line.strip() for line in search):
        raise ToolError("the lines to search for are empty; copy at least one line of the file")
    return Block(tuple(search), tuple(replacement))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text without their ends; whether the last one has an end does not matter."""
    return text.removesuffix("\n").split("\n") if text else []


def text_of(lines: Sequence[str]) -> str:
    """Return lines as a text in which each has an end."""
    return "".join(f"{line}\n" for line in lines)


def apply_block(text: str, block: Block, path: str) -> Edited:
    """Return a file's text with the block applied. A file whose every line ends in CR LF keeps that.

    Raises:
        ToolError: the lines do not stand there, or more than once.
    """
    end = "\r\n" if "\r\n" in text and text.count("\n") == text.count("\r\n") else "\n"
    lines = text.split(end)
    wanted = list(block.search)
    found = [
        start for start in range(len(lines) - len(wanted) + 1) if lines[start : start + len(wanted)] == wanted
    ]
    if not found:
        raise ToolError(_no_match(lines, wanted, path))
    if len(found) > 1:
        numbers = ", ".join(str(start + 1) for start in found[:20])
        more = " and more" if len(found) > 20 else ""
        raise ToolError(
            f"nothing was replaced: the lines to search for stand {len(found)} times in {path}, at lines"
            f" {numbers}{more}. Add lines before or after them until they stand there only once."
        )
    start = found[0]
    lines[start : start + len(wanted)] = block.replacement
    return Edited(end.join(lines), start + 1, len(block.replacement))


def numbered(lines: Sequence[str], first: int, last: int) -> str:
    """Return lines ``first`` to ``last`` (from 1, both included, cut to what there is) with their numbers."""
    first = max(first, 1)
    shown = lines[first - 1 : last]
    return "\n".join(f"{number:6}\t{line}" for number, line in enumerate(shown, first))


def surroundings(edited: Edited, num_lines: int = CONTEXT_LINES) -> str:
    """Return the numbered lines around a change, ``num_lines`` above and below it."""
    lines = edited.text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    last = edited.lineno + edited.num_lines - 1 + num_lines
    return numbered(lines, edited.lineno - num_lines, last)


def _no_match(lines: Sequence[str], wanted: Sequence[str], path: str) -> str:
    said = f"nothing was replaced: the lines to search for do not stand in {path}."
    start, is_close_but_for_space = _closest(lines, wanted)
    if start is None:
        return f"{said} No line comes close; look at the file again before you edit it."
    shown = numbered(lines, start + 1, start + len(wanted))
    why = (
        "They differ only in white space: copy indentation exactly."
        if is_close_but_for_space
        else "Copy whole lines exactly as they stand in the file."
    )
    return f"{said} The closest lines are:\n{shown}\n{why}"


def _closest(lines: Sequence[str], wanted: Sequence[str]) -> tuple[int | None, bool]:
    """Return where lines start that come closest to those wanted, and whether only white space differs."""
    stripped = [line.strip() for line in lines[:_MOST_COMPARED]]
    target = [line.strip() for line in wanted]
    for start in range(len(stripped) - len(target) + 1):
        if stripped[start : start + len(target)] == target:
            return start, True
    key = max(range(len(target)), key=lambda number: len(target[number]))
    close = difflib.get_close_matches(target[key], dict.fromkeys(stripped), n=1, cutoff=0.5)
    if not close:
        return None, False
    places = [number for number, line in enumerate(stripped) if line == close[0]][:50]
    best = max(places, key=lambda place: _overlap(stripped, target, place - key))
    return max(best - key, 0), False


def _overlap(lines: Sequence[str], wanted: Sequence[str], start: int) -> float:
    """Return how alike the lines from ``start`` on are to those wanted."""
    return sum(
        difflib.SequenceMatcher(None, lines[start + number], line).ratio()
        for number, line in enumerate(wanted[:100])
        if 0 <= start + number < len(lines)
    )
