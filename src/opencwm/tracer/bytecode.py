"""What the tracer must know about a program's code objects, found once per program and without running it.

Its one purpose is that every supported Python gives the same trace. The differences it evens out:

- Python 3.11 runs a list, set or dict comprehension as a function of its own, later ones run it inside the
  surrounding function (PEP 709). The canonical trace is that of neither: nothing that happens inside a
  comprehension is a step, its iteration variables are no locals, and a comprehension is at most one line
  event, on its first line, when its outermost iterable has been evaluated on another line.
- A local that only comprehensions capture is a cell in 3.11 and a plain local later. Canonical is the order
  of 3.12.
- Closing a generator that is suspended outside of any ``try`` runs nothing since 3.13. So such a close is no
  step at all.

Not covered: code the program compiles itself (``exec``, ``eval``) is not the program's and not recorded.
"""

from __future__ import annotations

import dataclasses
import dis
from collections.abc import Iterator
from types import CodeType

from opencwm.tracer.scopes import Comprehension, Range, SourceScopes
from opencwm.traces.trace import CodeInfo

COMPREHENSION_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
FOLDED_NAMES = COMPREHENSION_NAMES | {"<genexpr>"}
"""Code objects whose activations are folded into their caller's."""

NO_LINE = -1
"""Line rule of an instruction that is never a line step."""

OPTIMIZED, GENERATOR, COROUTINE, ASYNC_GENERATOR = 1, 0x20, 0x80, 0x200  # co_flags
RETURN_OPS = frozenset(op for name, op in dis.opmap.items() if name in ("RETURN_VALUE", "RETURN_CONST"))
YIELD_VALUE, RESUME = dis.opmap["YIELD_VALUE"], dis.opmap["RESUME"]
YIELD_OPS = frozenset({YIELD_VALUE, RESUME})
EXHAUST_OPS = frozenset(dis.opmap[name] for name in ("FOR_ITER", "SEND", "END_SEND") if name in dis.opmap)
"""Instructions that swallow the StopIteration of what they iterate over."""

_LOOP_OPS = frozenset(
    op for name, op in dis.opmap.items() if name in ("FOR_ITER", "END_FOR", "POP_ITER", "GET_ITER")
)
_LOAD_AND_CLEAR = dis.opmap.get("LOAD_FAST_AND_CLEAR")
_LOAD_CONST = dis.opmap["LOAD_CONST"]
_END_ASYNC_FOR = dis.opmap["END_ASYNC_FOR"]
_CLEANUP_THROW = dis.opmap.get("CLEANUP_THROW")
_COPY, _TO_BOOL = dis.opmap["COPY"], dis.opmap.get("TO_BOOL")
_CONDITIONAL_JUMPS = frozenset(
    op for name, op in dis.opmap.items() if name.startswith(("POP_JUMP_", "JUMP_IF_")) and "NONE" not in name
)
_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]
_STORE_NAME = dis.opmap["STORE_NAME"]
_COMPILER_HANDLERS = frozenset(
    op for name, op in dis.opmap.items() if name in ("CALL_INTRINSIC_1", "CLEANUP_THROW")
)
_CACHE = dis.opmap.get("CACHE", 0)
_IMPLICIT_CLASS_NAMES = frozenset(
    {
        "__module__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__classcell__",
        "__classdictcell__",
        "__type_params__",
        "__annotate__",
        "__annotate_func__",
        "__conditional_annotations__",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class CodeFacts:
    """A code object of the program and what was found out about it.

    Attributes:
        code: the code object; holding it keeps its ``id`` from being reused.
        info: how a trace describes it.
        names: the locals, numbered.
        ops: opcode by instruction offset // 2.
        line_rules: by instruction offset, the line to report instead, and only if it is a new one, or
            :data:`NO_LINE`; empty for most code objects.
        late_lines: by instruction offset, line of an instruction that has no line event but should; empty for
            most.
        shadowed: locals that an inlined comprehension uses for its iteration while it runs.
        is_class_body: its locals are a class namespace.
    """

    code: CodeType
    info: CodeInfo
    names: tuple[tuple[int, str], ...]
    ops: bytes
    line_rules: dict[int, int]
    late_lines: dict[int, int]
    shadowed: frozenset[str]
    is_class_body: bool


def program_facts(module: CodeType, text: str) -> dict[int, CodeFacts]:
    """Return the facts of every function, lambda and class body of the module, by ``id`` of the code."""
    codes = [code for code in nested_codes(module) if is_recorded(code)]
    scopes = SourceScopes(text, needed=any(map(_has_comprehensions, codes)) or "with" in text)
    return {id(code): _facts(code, scopes) for code in codes}


def is_recorded(code: CodeType) -> bool:
    """Tell whether activations of ``code`` are steps: no comprehensions, no scopes of annotations."""
    name = code.co_name
    return not (name in FOLDED_NAMES or name.startswith("<generic parameters") or name == "__annotate__")


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield every code object inside ``code``, not itself."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested_codes(constant)


def _facts(code: CodeType, scopes: SourceScopes) -> CodeFacts:
    is_class_body = not code.co_flags & OPTIMIZED
    ops = code.co_code[::2]
    rules: dict[int, int] = {}
    hidden: frozenset[str] = frozenset()
    shadowed: frozenset[str] = frozenset()
    comprehensions: list[Comprehension] = []
    ranges = [_as_range(position) for position in code.co_positions()]
    if _has_comprehensions(code):
        if _LOAD_AND_CLEAR is None:
            rules, comprehensions = _rules_called(code, ranges, scopes)
        else:
            rules, comprehensions, iterating = _rules_inlined(code, ranges, scopes)
            real = frozenset().union(*(item.scope.bound for item in comprehensions), code.co_freevars)
            shadowed = frozenset(iterating & real)
            hidden = frozenset(iterating - real)
    for start, end in scopes.with_headers:
        if code.co_firstlineno < start[0]:
            inside = (i for i, place in enumerate(ranges) if start <= place[:2] and place[2:] <= end)
            rules.update((index * 2, start[0]) for index in inside)
    silent, late = _silent_offsets(code, ops, ranges)
    rules.update(dict.fromkeys(silent, NO_LINE))
    names = _class_names(code) if is_class_body else _local_names(code, comprehensions)
    info = CodeInfo(
        canonical_qualname(code.co_qualname),
        code.co_firstlineno,
        tuple(name for name in names if name not in hidden),
    )
    return CodeFacts(
        code, info, tuple(enumerate(info.local_names)), ops, rules, late, shadowed, is_class_body
    )


def _silent_offsets(code: CodeType, ops: bytes, ranges: list[Range]) -> tuple[set[int], dict[int, int]]:
    """Return the instructions that get a line of their own in some Pythons only, and the lines lost by that.

    These are the tests and jumps of a condition over several lines, the return of a lambda over several
    lines, and what cleans up after an exception was thrown into a ``yield from``. What follows such a jump on
    the same line has no line event of its own.
    """
    is_lambda = code.co_name == "<lambda>"
    silent: set[int] = set()
    late: dict[int, int] = {}
    line = jump_line = 0
    for index, op in enumerate(ops):
        if op in (_CACHE, _EXTENDED_ARG):
            continue
        number = ranges[index][0]
        if op in _CONDITIONAL_JUMPS or (op in (_COPY, _TO_BOOL) and _tests_next(ops, index + 1)):
            if number != line:
                silent.add(index * 2)
                jump_line = number
            continue
        if jump_line and number == jump_line:
            late[index * 2] = number
        jump_line = 0
        line = number
        if op == _CLEANUP_THROW or (is_lambda and op in RETURN_OPS):
            silent.add(index * 2)
    return silent, late


def _tests_next(ops: bytes, index: int) -> bool:
    """Tell whether a conditional jump follows, perhaps after a conversion to bool."""
    while index < len(ops) and ops[index] in (_CACHE, _EXTENDED_ARG, _TO_BOOL):
        index += 1
    return index < len(ops) and ops[index] in _CONDITIONAL_JUMPS


def canonical_qualname(name: str) -> str:
    """Return a qualified name as since Python 3.12, where comprehensions are no functions."""
    if "comp>" not in name:
        return name
    for comprehension in COMPREHENSION_NAMES:
        name = name.replace(f"{comprehension}.<locals>.", "").replace(f"{comprehension}.", "")
    return name


def _has_comprehensions(code: CodeType) -> bool:
    if _LOAD_AND_CLEAR is not None:
        return _LOAD_AND_CLEAR in code.co_code[::2]
    return any(
        isinstance(constant, CodeType) and constant.co_name in COMPREHENSION_NAMES
        for constant in code.co_consts
    )


def _rules_inlined(
    code: CodeType, ranges: list[Range], scopes: SourceScopes
) -> tuple[dict[int, int], list[Comprehension], set[str]]:
    """Return line rules, comprehensions and iteration variables where comprehensions are inlined (3.12+)."""
    ops = code.co_code[::2]
    iterating = set()
    found: dict[Range, Comprehension] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opcode == _LOAD_AND_CLEAR:
            iterating.add(str(instruction.argval))
            comprehension = scopes.comprehensions.get(ranges[instruction.offset // 2])
            if comprehension is not None:
                found[comprehension.range] = comprehension
    rules: dict[int, int] = {}
    outermost_first = sorted(
        found.values(), key=lambda item: (item.range[:2], (-item.range[2], -item.range[3]))
    )
    for index, position in enumerate(ranges):
        for comprehension in outermost_first:
            if _contains(comprehension.range, position) and (
                not _contains(comprehension.iterable, position)
                or (position == comprehension.iterable and ops[index] in _LOOP_OPS)
            ):
                rules[index * 2] = comprehension.range[0]
                break
    return rules, list(found.values()), iterating


def _rules_called(
    code: CodeType, ranges: list[Range], scopes: SourceScopes
) -> tuple[dict[int, int], list[Comprehension]]:
    """Return line rules and comprehensions where a comprehension is a function made and called (3.11).

    Making it stands before the outermost iterable, on the line of the bracket; later Pythons have nothing
    there.
    """
    ops = code.co_code[::2]
    args = code.co_code[1::2]
    found: dict[Range, Comprehension] = {}
    makes = set()
    extended = 0
    for index, op in enumerate(ops):
        if op == _EXTENDED_ARG:
            extended = (extended | args[index]) << 8
            continue
        if op == _LOAD_CONST:
            constant = code.co_consts[extended | args[index]]
            comprehension = scopes.comprehensions.get(ranges[index])
            if (
                isinstance(constant, CodeType)
                and constant.co_name in COMPREHENSION_NAMES
                and comprehension is not None
            ):
                found[comprehension.range] = comprehension
                makes.add(index)
        extended = 0
    rules = {index * 2: position[0] for index, position in enumerate(ranges) if position in found}
    line_after: dict[int, int] = {}
    for make in sorted(makes, reverse=True):
        first = last = make
        while first > 0 and ranges[first - 1] == ranges[make]:  # the captured variables
            first -= 1
        while last + 1 < len(ranges) and ranges[last + 1] == ranges[make]:
            last += 1
        line = line_after.get(last + 1, ranges[min(last + 1, len(ranges) - 1)][0])
        line_after[first] = line
        for index in range(first, last + 1):
            if ranges[index][0] == line:
                del rules[index * 2]
            else:
                rules[index * 2] = NO_LINE
    return rules, list(found.values())


def _local_names(code: CodeType, comprehensions: list[Comprehension]) -> list[str]:
    """Return the locals of a function in the order of Python 3.12: varnames, cellvars, freevars.

    Where there are comprehensions, the code object alone does not tell which cells are the function's own.
    """
    names, cells = list(code.co_varnames), list(code.co_cellvars)
    if comprehensions:
        scope = comprehensions[0].scope
        num_parameters = (
            code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        )
        captured = {name for name in cells if name in scope.captured or name == "__class__"}
        order = {name: index for index, name in enumerate(scope.order)}
        plain = dict.fromkeys(name for name in (*names[num_parameters:], *cells) if name not in captured)
        names[num_parameters:] = sorted(plain, key=lambda name: order.get(name, len(order)))
        cells = sorted(captured)
    return list(dict.fromkeys((*names, *cells, *code.co_freevars)))


def _class_names(code: CodeType) -> list[str]:
    """Return the names a class body binds, in order of first binding."""
    stored = [
        str(instruction.argval)
        for instruction in dis.get_instructions(code)
        if instruction.opcode == _STORE_NAME
    ]
    free = [name for name in code.co_freevars if not name.startswith("__class")]
    return [name for name in dict.fromkeys((*stored, *free)) if name not in _IMPLICIT_CLASS_NAMES]


def op_at(ops: bytes, offset: int) -> int:
    """Return the opcode at ``offset``; some events of Python 3.12 report the inside of the instruction."""
    index = offset >> 1
    while ops[index] == _CACHE and index:
        index -= 1
    return ops[index]


def closes_silently(code: CodeType, offset: int) -> bool:
    """Tell whether closing a generator suspended at ``offset`` runs no handler of the program."""
    ops = code.co_code[::2]
    for start, end, target in _exception_table(code.co_exceptiontable):
        if start <= offset < end and ops[target >> 1] not in _COMPILER_HANDLERS:
            return False
    return True


def ends_loop(code: CodeType, offset: int) -> bool:
    """Tell whether StopAsyncIteration raised at ``offset`` ends an ``async for``."""
    ops = code.co_code[::2]
    table = _exception_table(code.co_exceptiontable)
    return any(start <= offset < end and ops[target >> 1] == _END_ASYNC_FOR for start, end, target in table)


def _exception_table(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, target) byte offsets. Source: CPython, Objects/exception_handling_notes.txt."""
    data = iter(table)

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


def _as_range(position: tuple[int | None, int | None, int | None, int | None]) -> Range:
    line, end_line, column, end_column = (-1 if item is None else item for item in position)
    return line, column, end_line, end_column


def _contains(outer: Range, inner: Range) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:] and inner[0] >= 0
