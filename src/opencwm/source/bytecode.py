"""A code object as a graph of instructions: lines, jumps, handlers, and what each instruction may do.

The one idea: the facts that decide which LINE events CPython reports are all in the code object. Only
compiled code is read, nothing is run. It does not know about events: :mod:`opencwm.source.cfg` does.

Source: Objects/exception_handling_notes.txt and Objects/locations.md of CPython 3.11 to 3.14.
"""

from __future__ import annotations

import dataclasses
import dis
import sys
from collections.abc import Iterator
from types import CodeType

_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_RETURNS = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_NO_FALL_THROUGH = _RETURNS | {
    "RERAISE",
    "RAISE_VARARGS",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "JUMP",
    "JUMP_NO_INTERRUPT",
}
# These never begin a line: CPython enters them only from the instruction that skips over them.
_NEVER_A_LINE = frozenset(
    {"RESUME", "END_FOR", "END_SEND", "END_ASYNC_FOR"} if sys.version_info >= (3, 12) else {"RESUME"}
)
_QUIET = frozenset(
    {
        "BUILD_LIST",
        "BUILD_TUPLE",
        "CACHE",
        "CLEANUP_THROW",
        "COPY",
        "COPY_FREE_VARS",
        "END_FOR",
        "END_SEND",
        "EXTENDED_ARG",
        "IS_OP",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "JUMP_FORWARD",
        "KW_NAMES",
        "LIST_APPEND",
        "LIST_TO_TUPLE",
        "LOAD_ASSERTION_ERROR",
        "LOAD_CLOSURE",
        "LOAD_CONST",
        "LOAD_FAST_AND_CLEAR",
        "LOAD_SMALL_INT",
        "LOAD_COMMON_CONSTANT",
        "MAKE_CELL",
        "MAKE_FUNCTION",
        "NOP",
        "NOT_TAKEN",
        "POP_EXCEPT",
        "POP_ITER",
        "POP_JUMP_BACKWARD_IF_NONE",
        "POP_JUMP_BACKWARD_IF_NOT_NONE",
        "POP_JUMP_FORWARD_IF_NONE",
        "POP_JUMP_FORWARD_IF_NOT_NONE",
        "POP_JUMP_IF_NONE",
        "POP_JUMP_IF_NOT_NONE",
        "POP_TOP",
        "PRECALL",
        "PUSH_EXC_INFO",
        "PUSH_NULL",
        "RETURN_CONST",
        "RETURN_GENERATOR",
        "RETURN_VALUE",
        "SET_FUNCTION_ATTRIBUTE",
        "STORE_DEREF",
        "STORE_FAST",
        "STORE_FAST_LOAD_FAST",
        "STORE_FAST_STORE_FAST",
        "SWAP",
        "UNARY_NOT",
        "ASYNC_GEN_WRAP",
    }
)
_CALLS = frozenset(
    {
        "CALL",
        "CALL_FUNCTION_EX",
        "CALL_KW",
        "LOAD_BUILD_CLASS",
        "RAISE_VARARGS",
        "BEFORE_WITH",
        "BEFORE_ASYNC_WITH",
        "WITH_EXCEPT_START",
        "LOAD_SPECIAL",
        "SEND",
        "GET_AWAITABLE",
        "GET_ANEXT",
        "GET_AITER",
    }
)
_STORES = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_FAST_MAYBE_NULL"})
_DELETES = frozenset({"DELETE_FAST", "DELETE_DEREF", "DELETE_NAME"})
# Besides raising, these can end by an exception that is part of normal flow: a StopIteration that ends a
# loop.
_STOPS = frozenset({"FOR_ITER", "SEND", "END_ASYNC_FOR"})


@dataclasses.dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; a place in :attr:`Instructions.items` names it.

    Attributes:
        opname: its name in this Python version.
        offset: in bytes.
        line: 1-based line, None when it has none.
        next: places control may go to without an exception.
        backward: those of ``next`` that are reached by a jump back which counts as a new line even on the
            same line.
        handler: place of the exception handler that covers it, or None.
        can_raise: whether an EXCEPTION event may happen in it.
        can_stop: whether an EXCEPTION event in it may be a StopIteration that is part of normal flow.
        calls: "yes" for a call, "hidden" when only special methods or lazy iterators could call, "no"
            otherwise.
        starts_line: whether a LINE event may happen before it.
        reraises: whether it passes on an exception without a new EXCEPTION event.
        stores: local variables it binds.
        deletes: local variables it unbinds.
    """

    opname: str
    offset: int
    line: int | None
    next: tuple[int, ...]
    backward: frozenset[int]
    handler: int | None
    can_raise: bool
    can_stop: bool
    calls: str
    starts_line: bool
    reraises: bool
    stores: tuple[str, ...]
    deletes: tuple[str, ...]

    @property
    def returns(self) -> bool:
        """Whether it ends the activation with a value."""
        return self.opname in _RETURNS

    @property
    def yields(self) -> bool:
        """Whether it suspends the activation."""
        return self.opname == "YIELD_VALUE"


def instructions(code: CodeType) -> list[Instruction]:
    """Return the instructions of ``code`` in order, caches left out."""
    raw = list(dis.get_instructions(code))
    place = {item.offset: index for index, item in enumerate(raw)}
    lines = _line_of_offset(code)
    handlers = list(exception_table(code))
    found = []
    for index, item in enumerate(raw):
        # What runs first after a CALL always begins a line, as if nothing stood before it.
        line = None if _is_start(item) else lines.get(item.offset)
        successors, backward = _successors(raw, place, index)
        covered = [target for start, end, target in handlers if start <= item.offset < end]
        if covered and raw[place[covered[-1]]].opname == "END_ASYNC_FOR":
            successors += (
                place[covered[-1]],
            )  # a trace has no step for the StopAsyncIteration that ends a loop
        found.append(
            Instruction(
                opname=item.opname,
                offset=item.offset,
                line=line,
                next=successors,
                backward=backward,
                handler=place[covered[-1]] if covered else None,
                can_raise=item.opname not in _QUIET and item.opname != "RERAISE" and not _is_start(item),
                can_stop=item.opname in _STOPS,
                calls=_call_kind(item.opname),
                starts_line=line is not None and item.opname not in _NEVER_A_LINE,
                reraises=item.opname == "RERAISE" or (item.opname == "RAISE_VARARGS" and not item.arg),
                stores=_stored(item),
                deletes=(str(item.argval),) if item.opname in _DELETES else (),
            )
        )
    return found


def _stored(item: dis.Instruction) -> tuple[str, ...]:
    if item.opname in _STORES:
        return (str(item.argval),)
    if item.opname == "STORE_FAST_STORE_FAST":
        return tuple(map(str, item.argval))
    return (str(item.argval[0]),) if item.opname == "STORE_FAST_LOAD_FAST" else ()


def entry_place(items: list[Instruction]) -> int:
    """Return the place of the RESUME at which the CALL event happens."""
    return next((index for index, item in enumerate(items) if item.opname == "RESUME"), 0)


def _is_start(item: dis.Instruction) -> bool:
    return item.opname == "RESUME" and not item.arg


def _call_kind(opname: str) -> str:
    if opname in _CALLS:
        return "yes"
    return (
        "no"
        if opname in _QUIET or opname.startswith(("LOAD_FAST", "LOAD_GLOBAL", "LOAD_NAME", "RESUME"))
        else "hidden"
    )


def _successors(
    raw: list[dis.Instruction], place: dict[int, int], index: int
) -> tuple[tuple[int, ...], frozenset[int]]:
    item = raw[index]
    found: list[int] = []
    backward: set[int] = set()
    if item.opname not in _NO_FALL_THROUGH and index + 1 < len(raw):
        found.append(index + 1)
    if item.opcode in _JUMPS and isinstance(item.argval, int) and item.argval in place:
        target = place[item.argval]
        if item.opname == "FOR_ITER":
            target = _past_loop_end(raw, target)
        found.append(target)
        if target <= index and raw[target].opname != "SEND":
            backward.add(target)
    return tuple(found), frozenset(backward)


def _past_loop_end(raw: list[dis.Instruction], target: int) -> int:
    """Step over what an exhausted FOR_ITER skips: END_FOR since 3.12, in 3.13 also the POP_TOP after it."""
    if raw[target].opname == "END_FOR" and target + 1 < len(raw):
        target += 1
        if sys.version_info[:2] == (3, 13) and raw[target].opname == "POP_TOP" and target + 1 < len(raw):
            target += 1
    return target


def _line_of_offset(code: CodeType) -> dict[int, int | None]:
    return {offset: line for start, end, line in code.co_lines() for offset in range(start, end, 2)}


def exception_table(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, handler) byte offsets of ``co_exceptiontable``, end excluded, outer ones first."""
    data = iter(code.co_exceptiontable)

    def number() -> int:
        byte = next(data)
        value = byte & 63
        while byte & 64:
            byte = next(data)
            value = value << 6 | byte & 63
        return value

    while True:
        try:
            start = number() * 2
        except StopIteration:
            return
        length, target, _ = number() * 2, number() * 2, number()
        yield start, start + length, target
