"""What the recorder has to know of a code object while it runs: names by number, opcodes by place.

How code objects appear in a trace is decided in :mod:`opencwm.source.code_facts`, for the recorder and the
control-flow graph alike; here is what can only be asked about a place that control has reached.
"""

from __future__ import annotations

import dataclasses
import dis
from types import CodeType

from opencwm.source.bytecode import exception_table
from opencwm.source.code_facts import CodeFacts, facts_of, recorded_codes, source_scopes
from opencwm.traces.trace import CodeInfo

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # co_flags
YIELD_VALUE, RESUME = dis.opmap["YIELD_VALUE"], dis.opmap["RESUME"]
YIELD_OPS = frozenset({YIELD_VALUE, RESUME})
EXHAUST_OPS = frozenset(dis.opmap[name] for name in ("FOR_ITER", "SEND", "END_SEND") if name in dis.opmap)
"""Instructions that swallow the StopIteration of what they iterate over."""

_END_ASYNC_FOR = dis.opmap["END_ASYNC_FOR"]
_COMPILER_HANDLERS = frozenset(
    op for name, op in dis.opmap.items() if name in ("CALL_INTRINSIC_1", "CLEANUP_THROW")
)
CACHE = dis.opmap.get("CACHE", 0)


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedCode:
    """A code object of the program, ready to be recorded.

    Attributes:
        facts: how it appears in a trace.
        info: how a trace describes it.
        names: the locals, numbered.
        ops: opcode by instruction offset // 2.
    """

    facts: CodeFacts
    info: CodeInfo
    names: tuple[tuple[int, str], ...]
    ops: bytes


def program_codes(module: CodeType, text: str) -> dict[int, RecordedCode]:
    """Return every function, lambda and class body of the module, by ``id`` of the code object."""
    codes = recorded_codes(module)
    scopes = source_scopes(codes, text)
    return {id(code): _recorded(facts_of(code, scopes)) for code in codes}


def _recorded(facts: CodeFacts) -> RecordedCode:
    info = CodeInfo(facts.qualname, facts.code.co_firstlineno, facts.local_names)
    return RecordedCode(facts, info, tuple(enumerate(facts.local_names)), facts.code.co_code[::2])


def op_at(ops: bytes, offset: int) -> int:
    """Return the opcode at ``offset``; some events of Python 3.12 report the inside of the instruction."""
    index = offset >> 1
    while ops[index] == CACHE and index:
        index -= 1
    return ops[index]


def closes_silently(code: CodeType, offset: int) -> bool:
    """Tell whether closing a generator suspended at ``offset`` runs no handler of the program."""
    ops = code.co_code[::2]
    for start, end, target in exception_table(code):
        if start <= offset < end and ops[target >> 1] not in _COMPILER_HANDLERS:
            return False
    return True


def ends_loop(code: CodeType, offset: int) -> bool:
    """Tell whether StopAsyncIteration raised at ``offset`` ends an ``async for``."""
    ops = code.co_code[::2]
    table = exception_table(code)
    return any(start <= offset < end and ops[target >> 1] == _END_ASYNC_FOR for start, end, target in table)
