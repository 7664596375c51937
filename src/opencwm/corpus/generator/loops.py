"""Loops: what they run over, what they accumulate, how they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from opencwm.corpus.generator.accumulators import ACCUMULATOR_TYPES, start_accumulator, update_accumulator
from opencwm.corpus.generator.container_expressions import sort_key
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.failures import handle
from opencwm.corpus.generator.integer_expressions import element_type
from opencwm.corpus.generator.statements import write_simple
from opencwm.corpus.generator.types import (
    BOOL,
    INT,
    INTS,
    STR,
    STRS,
    Type,
    is_hashable,
)
from opencwm.corpus.generator.writer import Expr, Var, Writer


@contextlib.contextmanager
def body(g: Writer, header: str, frozen: tuple[Var, ...] = ()) -> Iterator[None]:
    """Write a loop's header, and its body in a scope of its own that leaves ``frozen`` variables alone."""
    mark = len(g.vars)
    roots = {var.alias or var.name for var in frozen if var.type.kind in ("list", "dict", "set")}
    shared = [var for var in g.vars if (var.alias or var.name) in roots and var not in frozen]
    thawed = [var for var in (*frozen, *shared) if not var.frozen]
    for var in thawed:
        var.frozen = True
    g.open(header)
    g.loop_depth += 1
    yield
    g.loop_depth -= 1
    g.close()
    for var in thawed:
        var.frozen = False
    del g.vars[mark:]


def loop_header(g: Writer) -> tuple[str, list[tuple[str, Type, Expr, str]], tuple[Var, ...]]:
    """Return a ``for`` header, what it binds (name, type, knowledge, index of), and what it runs over."""
    dice = g.dice
    draw = dice.random()
    limit = 14 if g.loop_depth == 0 else 7
    var = g.choose(
        [v for v in g.vars if v.type.kind in ("list", "str", "dict", "vtuple", "set") and 2 <= v.mag <= limit]
    )
    if var is None or draw < 0.16:
        return _range_header(g)
    name = var.expr().text
    if var.type.kind == "dict":
        return _dict_header(g, var)
    if var.type.kind == "set":
        item = g.name(var.type.args[0], loop=True)
        source = f"sorted({name})" if var.type.args[0] == STR or dice.chance(0.6) else name
        return f"for {item} in {source}:", [(item, var.type.args[0], Expr(item, mag=var.elem), "")], (var,)
    element = element_type(var.type)
    is_text = var.type == STR
    known = Expr("", mag=1 if is_text else var.elem, min_len=int(is_text))
    if element.kind == "tuple" and dice.chance(0.75):
        names = [g.name(argument, loop=True) for argument in element.args]
        bound = [
            (item, argument, Expr(item, mag=var.elem), "")
            for item, argument in zip(names, element.args, strict=True)
        ]
        return f"for {', '.join(names)} in {name}:", bound, (var,)
    item = g.name(element, loop=True)
    if draw < 0.38:
        index = g.index_name()
        start = f", {dice.pick(('1', 'start=1'))}" if dice.chance(0.15) else ""
        header = f"for {index}, {item} in enumerate({name}{start}):"
        position = Expr(index, mag=max(var.mag, 1), nonneg=True)
        return header, [(index, INT, position, "" if start else var.name), (item, element, known, "")], (var,)
    if draw < 0.53:
        index = g.index_name()
        header = dice.pick(
            (
                f"range(len({name}))",
                f"range(len({name}))",
                f"range(len({name}) - 1, -1, -1)",
                f"range(0, len({name}), 2)",
            )
        )
        return (
            f"for {index} in {header}:",
            [(index, INT, Expr(index, mag=max(var.mag, 1), nonneg=True), var.name)],
            (var,),
        )
    if draw < 0.62:
        other = g.choose(
            [
                v
                for v in g.vars
                if v is not var and v.type.kind in ("list", "str", "vtuple") and 2 <= v.mag <= limit
            ]
        )
        if other is not None:
            second = g.name(element_type(other.type), loop=True)
            far = Expr(second, mag=1 if other.type == STR else other.elem, min_len=int(other.type == STR))
            bound = [(item, element, known, ""), (second, element_type(other.type), far, "")]
            return f"for {item}, {second} in zip({name}, {other.expr().text}):", bound, (var, other)
        source = f"{name}[::-1]" if is_text else f"reversed({name})"
        return f"for {item} in {source}:", [(item, element, known, "")], (var,)
    source = name
    if draw < 0.76:
        options = [f"{name}[1:]", f"{name}[:-1]", f"reversed({name})", f"{name}[::2]"]
        if element.kind in ("int", "str"):
            options += [f"sorted({name})", f"sorted({name}{sort_key(g, element)})"]
        if is_text:
            options += [
                f"{name}.split()",
                f"{name}.lower()",
                f"{name}.upper()",
                f"{name}.split({g.literals.quoted(',')})",
            ]
        source = dice.pick(options)
        if ".split" in source:
            known = Expr("", mag=10)
    return f"for {item} in {source}:", [(item, element, known, "")], (var,)


def _range_header(g: Writer) -> tuple[str, list[tuple[str, Type, Expr, str]], tuple[Var, ...]]:
    dice = g.dice
    index = g.index_name()
    count = dice.integer(2, 6 if g.loop_depth == 0 else 4)
    small = g.choose([v for v in g.candidates(INT) if v.mag <= 8])
    draw = dice.random()
    frozen: tuple[Var, ...] = ()
    if small is not None and draw < 0.5:
        frozen = (small,)
        name = small.expr().text
        header = dice.pick(
            (
                f"range({name})",
                f"range({name})",
                f"range(1, {name} + 1)",
                f"range({name}, 0, -1)",
                f"range(2, {name} + 1)",
            )
        )
        mag = small.mag + 1
    elif draw < 0.75:
        header, mag = f"range({count})", count
    elif draw < 0.9:
        start, step = dice.integer(0, 5), dice.pick((1, 1, 2, 3))
        stop = start + count * step
        header, mag = f"range({start}, {stop}{f', {step}' if step > 1 else ''})", stop
    else:
        header, mag = f"range({count}, 0, -1)", count
    return f"for {index} in {header}:", [(index, INT, Expr(index, mag=mag, nonneg=True), "")], frozen


def _dict_header(g: Writer, var: Var) -> tuple[str, list[tuple[str, Type, Expr, str]], tuple[Var, ...]]:
    dice, name = g.dice, var.name
    key_type, value_type = var.type.args
    key = g.name(key_type, candidates=("k", "key", "name", "word", "item", "w", "label"))
    known = Expr(key, mag=8 if key_type == STR else 100, min_len=0)
    draw = dice.random()
    if draw < 0.6:
        value = g.name(value_type, candidates=("v", "value", "val", "count", "n", "c", "amount"))
        source = (
            f"{name}.items()" if draw < 0.45 or not is_hashable(value_type) else f"sorted({name}.items())"
        )
        bound = [(key, key_type, known, ""), (value, value_type, Expr(value, mag=var.elem), "")]
        return f"for {key}, {value} in {source}:", bound, (var,)
    if draw < 0.75:
        g.taken.discard(key)
        value = g.name(value_type, loop=True)
        return (
            f"for {value} in {name}.values():",
            [(value, value_type, Expr(value, mag=var.elem), "")],
            (var,),
        )
    source = dice.pick((name, f"sorted({name})", f"{name}.keys()", f"list({name})"))
    return f"for {key} in {source}:", [(key, key_type, known, "")], (var,)


# -- loops -----------------------------------------------------------------------------------------


def for_loop(g: Writer) -> bool:
    """Write a ``for`` loop that feeds one or two accumulators."""
    dice = g.dice
    mutable = [
        v
        for v in g.vars
        if not v.frozen
        and v.type.kind in ("int", "str", "list", "dict", "set")
        and v.type in ACCUMULATOR_TYPES.items
    ]
    if (g.loop_depth > 0 and mutable and dice.chance(0.75)) or (mutable and dice.chance(0.12)):
        accs = [dice.pick(mutable)]
    else:
        accs = [start_accumulator(g, dice.weighted(ACCUMULATOR_TYPES))]
        if dice.chance(0.2):
            accs.append(start_accumulator(g, dice.weighted(ACCUMULATOR_TYPES)))
    header, bound, frozen = loop_header(g)
    accs = [acc for acc in accs if acc not in frozen] or [start_accumulator(g, INT)]
    ends_early = False
    with body(g, header, frozen):
        for name, type_, known, index_of in bound:
            g.declare(name, type_, known, frozen=True).index_of = index_of
        ends_early = _loop_body(g, accs)
    if ends_early and dice.chance(0.15):
        g.open("else:")
        update_accumulator(g, accs[0])
        g.close()
    return True


def _loop_body(g: Writer, accs: list[Var]) -> bool:
    """Write the body of a loop; return whether it can be left by ``break``."""
    dice = g.dice
    ends_early = False
    draw = dice.random()
    if draw < 0.12:
        write_simple_in_loop(g, 1)
    elif draw < 0.24:
        g.open(f"if {g.condition(2).text}:")
        g.line("continue")
        g.close()
    elif draw < 0.33:
        g.open(f"if {g.condition(2).text}:")
        if dice.chance(0.3):
            g.line(f"return {g.expr(g.require_result_type(), 1).text}")
        else:
            g.line("break")
            ends_early = True
        g.close()
    elif draw < 0.38:
        handle(g)
    nested = g.loop_depth < (2 if g.config.size > 0.45 else 1) and dice.chance(0.22)
    if nested:
        for_loop(g)
    else:
        _updates(g, accs)
    if not nested and dice.chance(0.15):
        write_simple_in_loop(g, 1)
    return ends_early


def _updates(g: Writer, accs: list[Var]) -> None:
    dice = g.dice
    draw = dice.random()
    if draw < 0.36:
        for acc in accs:
            update_accumulator(g, acc)
        return
    g.open(f"if {g.condition(2).text}:")
    update_accumulator(g, accs[0])
    if len(accs) > 1 and dice.chance(0.4):
        update_accumulator(g, accs[1])
    g.close()
    if draw > 0.86:
        g.open(f"elif {g.condition(1).text}:")
        update_accumulator(g, accs[-1])
        g.close()
    if draw > 0.62 or len(accs) > 1:
        g.open("else:")
        update_accumulator(g, accs[-1])
        g.close()


def write_simple_in_loop(g: Writer, count: int) -> None:
    """Write simple statements whose names end with the loop's body."""
    write_simple(g, count)


def while_loop(g: Writer) -> bool:
    """Write a ``while`` loop that certainly ends."""
    return g.dice.weighted(_WHILES)(g)


def _while_counter(g: Writer) -> bool:
    dice = g.dice
    sequence = g.choose([v for v in g.vars if v.type.kind in ("list", "str", "vtuple") and 2 <= v.mag <= 14])
    step = dice.pick((1, 1, 1, 2))
    down = dice.chance(0.2)
    acc = start_accumulator(g, dice.weighted(ACCUMULATOR_TYPES)) if dice.chance(0.85) else None
    index = g.index_name()
    if sequence is not None and dice.chance(0.7):
        name = sequence.expr().text
        stop, index_of, mag = f"len({name})", name, max(sequence.mag, 1)
        frozen: tuple[Var, ...] = (sequence,)
    else:
        stop, index_of, mag, frozen = str(dice.integer(2, 8) * step), "", 16, ()
    g.line(f"{index} = {f'{stop} - 1' if down else '0'}")
    counter = g.declare(index, INT, Expr(index, mag=mag, nonneg=True), frozen=True)
    counter.index_of = index_of
    with body(g, f"while {index} {'>= 0' if down else f'< {stop}'}:", frozen):
        if acc is None:
            write_simple_in_loop(g, 1)
        elif dice.chance(0.55):
            update_accumulator(g, acc)
        else:
            g.open(f"if {g.condition(2).text}:")
            update_accumulator(g, acc)
            if dice.chance(0.15):
                g.line("break")
            g.close()
        g.line(f"{index} {'-=' if down else '+='} {step}")
    counter.index_of, counter.frozen = "", False
    counter.nonneg = not down
    counter.mag += step
    return True


def _while_digits(g: Writer) -> bool:
    dice = g.dice
    source = g.choose([v for v in g.vars if v.type == INT and v.nonneg])
    if source is None:
        return False
    number = (
        g.assign(INT, Expr(source.expr().text, mag=source.mag, nonneg=True))
        if source.frozen or dice.chance(0.6)
        else source
    )
    base = dice.pick((10, 10, 10, 2, 2, 3, 8))
    acc = start_accumulator(g, dice.pick((INT, INT, STR, INTS)))
    was_frozen, number.frozen = number.frozen, True
    digit = g.name(INT, candidates=("d", "digit", "r", "last", "bit", "rem"))
    with body(g, f"while {number.name}{dice.pick((' > 0', ' > 0', '', ' != 0'))}:"):
        if dice.chance(0.25):
            g.line(f"{number.name}, {digit} = divmod({number.name}, {base})")
            g.declare(digit, INT, Expr(digit, mag=base, nonneg=True))
            update_accumulator(g, acc)
        else:
            g.line(f"{digit} = {number.name} % {base}")
            g.declare(digit, INT, Expr(digit, mag=base, nonneg=True))
            update_accumulator(g, acc)
            g.line(f"{number.name} //= {base}")
    number.frozen = was_frozen
    return True


def _while_consume(g: Writer) -> bool:
    """Take items off a list or characters off a string until none are left."""
    dice = g.dice
    source = g.choose([v for v in g.vars if v.type in (INTS, STRS, STR) and 2 <= v.mag <= 10])
    if source is None:
        return False
    element = element_type(source.type)
    if source.type == STR:
        rest = g.assign(STR, source.expr()) if source.frozen or dice.chance(0.5) else source
    else:
        copy = Expr(
            f"{dice.pick(('list({})', '{}[:]', '{}.copy()')).format(source.expr().text)}",
            mag=source.mag,
            elem=source.elem,
        )
        rest = g.assign(source.type, copy)
    acc = start_accumulator(g, dice.weighted(ACCUMULATOR_TYPES))
    item = g.name(element, loop=True)
    was_frozen, rest.frozen = rest.frozen, True
    with body(g, f"while {dice.pick((rest.name, rest.name, f'len({rest.name}) > 0'))}:"):
        if rest.type == STR:
            take = dice.integer(1, 3)
            g.line(
                f"{item} = {rest.name}[{dice.pick(('0', '0', f':{take}'))}]"
                if take == 1
                else f"{item} = {rest.name}[:{take}]"
            )
            g.line(f"{rest.name} = {rest.name}[{take}:]")
            g.declare(item, STR, Expr(item, mag=take, min_len=1))
        else:
            g.line(f"{item} = {rest.name}.pop({dice.pick(('', '0', ''))})")
            g.declare(item, element, Expr(item, mag=rest.elem))
        update_accumulator(g, acc)
        if dice.chance(0.2):
            g.open(f"if {g.condition(1).text}:")
            g.line("break")
            g.close()
    rest.frozen = was_frozen
    rest.min_len = 0
    return True


def _while_pointers(g: Writer) -> bool:
    dice = g.dice
    sequence = g.choose([v for v in g.vars if v.type in (STR, INTS, STRS) and 2 <= v.mag <= 16])
    if sequence is None:
        return False
    name = sequence.expr().text
    low, high = dice.pick((("left", "right"), ("i", "j"), ("lo", "hi"), ("start", "end"), ("a", "b")))
    if not (g.is_free(low) and g.is_free(high)):
        return False
    acc = start_accumulator(
        g, dice.pick((INT, STR, STRS, BOOL) if sequence.type != INTS else (INT, INTS, BOOL))
    )
    g.line(f"{low}, {high} = 0, len({name}) - 1" if dice.chance(0.6) else f"{low} = 0")
    if g.lines[-1].endswith("= 0"):
        g.line(f"{high} = len({name}) - 1")
    for pointer in (low, high):
        g.declare(pointer, INT, Expr(pointer, mag=sequence.mag), frozen=True).index_of = name
    with body(g, f"while {low} < {high}:", (sequence,)):
        if dice.chance(0.6):
            g.open(f"if {name}[{low}] {dice.pick(('==', '!=', '<', '>'))} {name}[{high}]:")
            update_accumulator(g, acc)
            if dice.chance(0.25):
                g.line("break")
            g.close()
        else:
            update_accumulator(g, acc)
        g.line(f"{low} += 1")
        g.line(f"{high} -= 1")
    for var in g.vars:
        if var.name in (low, high):
            var.index_of = ""
    return True


def _while_search(g: Writer) -> bool:
    """Repeat until a number passes a limit."""
    dice = g.dice
    value = g.assign(INT, g.small_int(1, 5))
    limit = dice.integer(10, 80)
    count = start_accumulator(g, INT) if dice.chance(0.6) else None
    value.frozen = True
    endless = dice.chance(0.3)
    with body(g, "while True:" if endless else f"while {value.name} < {limit}:"):
        if endless:
            g.open(f"if {value.name} >= {limit}:")
            g.line("break")
            g.close()
        if count is not None:
            g.line(f"{count.name} += {dice.pick(('1', '1', '2', value.name))}")
        g.line(
            value.name
            + dice.pick((" *= 2", " *= 3", f" += {dice.integer(5, 15)}", f" = {value.name} * 2 + 1"))
        )
    value.frozen, value.mag = False, 3 * limit
    if count is not None:
        count.mag = 1000
    return True


_WHILES = Table(
    [(8, _while_counter), (4, _while_digits), (5, _while_consume), (3, _while_pointers), (3, _while_search)]
)
