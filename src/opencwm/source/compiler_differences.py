"""What some Pythons compile otherwise, so that they report other LINE events for the same run.

Four things are new in Python 3.14:

- ``any``, ``all`` and ``tuple`` over a generator expression are a loop in the function itself, whose jumps
  back report the line once an item. They are no steps.
- The test of a ``while`` is compiled once; before, it was again behind the body. When the body begins on a
  line of the test, a jump back to the test reports that line before it is known whether the body runs
  again, where earlier Pythons report it when it does. Canonical is the latter.
- A dictionary display of constant keys loads every key before its value. Before, all keys were one constant.
- What follows an exhausted ``for`` has no event of its line when the instructions before it, which control
  does not come from, end on the same line: behind a ``break``, where a short ``return`` stands twice. It is a
  step.

Found by opcodes and positions, not by version: in other Pythons there is nothing like it.
"""

from __future__ import annotations

import dis
import enum
from types import CodeType

from opencwm.source.comprehensions import Place, Range, While

_POP_ITER = dis.opmap.get("POP_ITER")
_LOOP_ENDS = frozenset(op for name, op in dis.opmap.items() if name in ("END_FOR", "POP_ITER", "CACHE"))
_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]
_JUMP_BACK = dis.opmap["JUMP_BACKWARD"]
_CONSTANTS = frozenset(op for name, op in dis.opmap.items() if name in ("LOAD_CONST", "LOAD_SMALL_INT"))
_COMMON_CONSTANT, _IS_OP = dis.opmap.get("LOAD_COMMON_CONSTANT"), dis.opmap["IS_OP"]

TELLTALES = ("while", "{") if _COMMON_CONSTANT is not None else ()
"""A text with one of them is parsed to find what is here; none where the compiler is an earlier one."""


class LoopPlace(enum.IntFlag):
    """What an instruction is in a ``while`` whose body begins on a line of its test.

    A plain integer holds the number of the loop in its function as well, :data:`LOOP_BITS` higher.

    Attributes:
        BACK: it jumps back to the test.
        TEST: it is part of the test.
        BODY: the body begins with it; a step when control comes from ``BACK`` by way of ``TEST`` alone.
    """

    BACK = 1
    TEST = 2
    BODY = 4


LOOP_BITS = 3


def inlined_call_jumps(ops: bytes, ranges: list[Range]) -> set[int]:
    """Return the offsets of jumps back that stand for a call of a built-in function."""
    if _COMMON_CONSTANT is None or _COMMON_CONSTANT not in ops:
        return set()
    names = {
        ranges[index]
        for index, op in enumerate(ops[:-1])
        if op == _COMMON_CONSTANT and ops[index + 1] == _IS_OP
    }
    return {
        part * 2
        for index, op in enumerate(ops)
        if op == _JUMP_BACK and ranges[index] in names
        for part in _parts(ops, index)
    }


def key_loads(ops: bytes, ranges: list[Range], keys: set[Range]) -> set[int]:
    """Return the offsets of instructions that load a key whose value begins on another line.

    Args:
        ops: opcode by place.
        ranges: where every instruction stands.
        keys: constant keys that were loaded together before Python 3.14.
    """
    found: set[int] = set()
    for index, place in enumerate(ranges):
        if place in keys and ops[index] in _CONSTANTS and ranges[index + 1][0] != place[0]:
            found.update(part * 2 for part in _parts(ops, index))
    return found


def missed_lines(ops: bytes, ranges: list[Range]) -> dict[int, int]:
    """Return the instructions behind a loop that get no event though they begin a line, and that line."""
    if _POP_ITER is None or _POP_ITER not in ops:
        return {}
    found = {}
    line = 0
    for index, op in enumerate(ops):
        number = ranges[index][0]
        if index and ops[index - 1] == _POP_ITER and number == line:
            found[index * 2] = number
        if op not in _LOOP_ENDS:
            line = number
    return found


def loop_places(code: CodeType, ranges: list[Range], loops: list[While]) -> dict[int, int]:
    """Return by offset what instructions are in the loops of the text that are in ``code``."""
    ops = code.co_code[::2]
    found: dict[int, int] = {}
    if not loops or _JUMP_BACK not in ops:
        return found
    for jump in dis.get_instructions(code):
        if jump.opcode != _JUMP_BACK:
            continue
        here, target = jump.offset // 2, jump.argval // 2
        for loop in loops:
            if _is_within(ranges[target], loop.test) and _is_within(ranges[here], loop.body):
                inside = (at for at in range(target, here + 1) if _is_within(ranges[at], loop.body))
                body = next(inside)
                number = target + 1 << LOOP_BITS
                _mark(found, _parts(ops, here), number | LoopPlace.BACK)
                _mark(found, range(target, body), number | LoopPlace.TEST)
                _mark(found, [body, *_parts(ops, body)], number | LoopPlace.BODY)
    return found


def _mark(found: dict[int, int], places: range | list[int], mark: int) -> None:
    for index in places:
        found[index * 2] = found.get(index * 2, 0) | mark


def _parts(ops: bytes, index: int) -> list[int]:
    """Return the places of an instruction and of what extends its argument, before and after it."""
    first = last = index
    while first and ops[first - 1] == _EXTENDED_ARG:
        first -= 1
    while ops[last] == _EXTENDED_ARG:
        last += 1
    return list(range(first, last + 1))


def _is_within(inner: Range, outer: tuple[Place, Place]) -> bool:
    return outer[0] <= inner[:2] and inner[2:] <= outer[1] and inner[0] >= 0
