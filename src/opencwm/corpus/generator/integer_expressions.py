"""Ways to build integers."""

from __future__ import annotations

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, INTS, STR, STRS, Type
from opencwm.corpus.generator.writer import (
    ADD,
    ATOM,
    BIG_INT,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COND,
    MUL,
    OR,
    POW,
    SHIFT,
    UNARY,
    Expr,
    Production,
    Writer,
)

ITERABLE_KINDS = frozenset({"list", "vtuple", "str"})
SEQUENCE_KINDS = frozenset({"list", "vtuple", "str"})


def element_type(type_: Type) -> Type:
    """Return the type of what iterating over a sized value yields."""
    return STR if type_.kind == "str" else type_.args[0]


def safe_index(g: Writer, name: str, min_len: int) -> str | None:
    """Return the source of an index that is valid for the sequence, or None when it may be empty."""
    dice = g.dice
    for var in g.vars:
        if var.index_of == name and dice.chance(0.8):
            var.fresh = False
            return var.name
    if dice.chance(0.25):
        var_int = g.var(INT)
        if var_int is not None and min_len > 0:
            return f"{var_int.expr().text} % len({name})"
    if min_len <= 0:
        return None
    draw = dice.random()
    if draw < 0.35:
        return "0"
    if draw < 0.6:
        return "-1"
    if draw < 0.7:
        return f"len({name}) // 2"
    return str(dice.integer(-min_len, min_len - 1))


# -- int -------------------------------------------------------------------------------------------


def _sum(g: Writer, depth: int) -> Expr:
    left, right = g.expr(INT, depth), g.atom(INT) if g.dice.chance(0.6) else g.expr(INT, depth)
    nonneg = left.nonneg and right.nonneg
    return Expr(f"{left.at(ADD)} + {right.at(MUL)}", ADD, mag=left.mag + right.mag, nonneg=nonneg)


def _difference(g: Writer, depth: int) -> Expr | None:
    left, right = g.expr(INT, depth), g.atom(INT)
    if left.text == right.text or (left.text.isdigit() and right.text.isdigit()):
        return None
    return Expr(f"{left.at(ADD)} - {right.at(MUL)}", ADD, mag=left.mag + right.mag)


def _product(g: Writer, depth: int) -> Expr | None:
    left = g.expr(INT, depth)
    right = g.small_int(2, 9) if g.dice.chance(0.55) else g.atom(INT)
    if left.mag * right.mag > BIG_INT:
        return None
    if left.prec == ATOM and left.text.isdigit():
        left, right = right, left
    return Expr(
        f"{left.at(MUL)} * {right.at(UNARY)}",
        MUL,
        mag=left.mag * right.mag,
        nonneg=left.nonneg and right.nonneg,
    )


def _modulo(g: Writer, depth: int) -> Expr:
    left, divisor = (
        g.expr(INT, depth),
        g.dice.pick((2, 2, 3, 3, 4, 5, 5, 7, 8, 9, 10, 10, 11, 13, 26, 97, 100)),
    )
    return Expr(f"{left.at(MUL)} % {divisor}", MUL, mag=divisor, nonneg=True)


def _floor_divide(g: Writer, depth: int) -> Expr:
    left, divisor = g.expr(INT, depth), g.dice.pick((2, 2, 2, 3, 3, 4, 5, 10, 10, 7))
    return Expr(f"{left.at(MUL)} // {divisor}", MUL, mag=left.mag // divisor + 1, nonneg=left.nonneg)


def _power(g: Writer, depth: int) -> Expr | None:
    base = g.atom(INT) if g.dice.chance(0.8) else g.expr(INT, depth)
    exponent = g.dice.pick((2, 2, 2, 3))
    if base.mag > 1000:
        return None
    return Expr(
        f"{base.at(ATOM)} ** {exponent}", POW, mag=base.mag**exponent, nonneg=base.nonneg or exponent == 2
    )


def _negate(g: Writer, depth: int) -> Expr | None:
    inner = g.expr(INT, depth)
    if inner.text[0] == "-" or inner.text.isdigit():
        return None
    return Expr(f"-{inner.at(UNARY)}", UNARY, mag=inner.mag)


def _absolute(g: Writer, depth: int) -> Expr | None:
    inner = g.expr(INT, depth)
    return None if inner.nonneg else Expr(f"abs({inner.text})", mag=inner.mag, nonneg=True)


def _extreme(g: Writer, depth: int) -> Expr:
    function = g.dice.pick(("min", "max"))
    parts = [g.expr(INT, depth), g.atom(INT)]
    if g.dice.chance(0.15):
        parts.append(g.atom(INT))
    nonneg = all(part.nonneg for part in parts)
    return Expr(
        f"{function}({', '.join(part.text for part in parts)})",
        mag=max(part.mag for part in parts),
        nonneg=nonneg,
    )


def _length(g: Writer, depth: int) -> Expr | None:
    if depth > 0 and g.dice.chance(0.25):
        inner = g.expr(g.dice.pick((STR, INTS, STRS)), depth)
        return Expr(f"len({inner.text})", mag=inner.mag, nonneg=True)
    var = g.sized()
    if var is None:
        return None
    value = var.expr()
    if g.dice.chance(0.12) and var.type.kind in ITERABLE_KINDS and element_type(var.type) in (INT, STR):
        return Expr(f"len(set({value.text}))", mag=value.mag, nonneg=True)
    return Expr(f"len({value.text})", mag=value.mag, nonneg=True)


def _text_count(g: Writer, depth: int) -> Expr | None:
    var = g.var(STR)
    if var is None:
        return None
    value = var.expr()
    needle = g.constant_text(2) if g.dice.chance(0.75) else g.atom(STR)
    if needle.text in ("''", '""', value.text):
        return None
    method = g.dice.pick(("count", "count", "find", "find", "rfind"))
    receiver = f"{value.text}.lower()" if depth > 0 and g.dice.chance(0.1) else value.text
    return Expr(f"{receiver}.{method}({needle.text})", mag=max(value.mag, 1), nonneg=method == "count")


def _list_count(g: Writer, depth: int) -> Expr | None:
    var = g.sized({"list", "vtuple"})
    if var is None or var.type.args[0].kind not in ("int", "str"):
        return None
    element = var.type.args[0]
    item = g.atom(element)
    value = var.expr()
    if depth > 0 and g.dice.chance(0.3):
        return Expr(
            f"{value.text}.index({item.text}) if {item.at(BIT_OR)} in {value.text} else -1",
            COND,
            mag=value.mag,
        )
    return Expr(f"{value.text}.count({item.text})", mag=value.mag, nonneg=True)


def _aggregate(g: Writer, depth: int) -> Expr | None:
    var = g.var(INTS) or g.var(Type("vtuple", (INT,))) or g.var(Type("set", (INT,)))
    if var is None:
        return None
    function = g.dice.pick(("sum", "sum", "max", "min"))
    value = var.expr()
    if function == "sum":
        tail = (
            g.dice.pick(("", "", "", "[1:]", "[:-1]", "[::2]"))
            if var.type.kind != "set" and depth > 0
            else ""
        )
        return Expr(f"sum({value.text}{tail})", mag=value.elem * max(value.mag, 1))
    if var.min_len < 1:
        if g.dice.chance(0.5):
            return Expr(f"{function}({value.text}, default={g.small_int().text})", mag=value.elem)
        return Expr(
            f"{function}({value.text}) if {value.text} else {g.small_int().text}", COND, mag=value.elem
        )
    return Expr(f"{function}({value.text})", mag=value.elem)


def _sum_generator(g: Writer, depth: int) -> Expr | None:
    var = g.sized({"list", "vtuple", "str"})
    if var is None or element_type(var.type).kind not in ("int", "str", "tuple"):
        return None
    value = var.expr()
    name = g.name(element_type(var.type), loop=True)
    item = g.declare(
        name, element_type(var.type), Expr(name, mag=value.elem if var.type.kind != "str" else 1)
    )
    if g.dice.chance(0.4):
        text = f"sum(1 for {name} in {value.text} if {g.condition(max(depth, 1)).text})"
        mag = value.mag
    else:
        body = g.expr(INT, max(depth, 1))
        tail = f" if {g.condition(1).text}" if g.dice.chance(0.35) else ""
        text = f"sum({body.text} for {name} in {value.text}{tail})"
        mag = body.mag * max(value.mag, 1)
    g.taken.discard(item.name)
    return Expr(text, mag=mag)


def _first_match(g: Writer, depth: int) -> Expr | None:
    var = g.sized({"list", "vtuple"})
    if var is None or var.type.args[0] != INT:
        return None
    value, default = var.expr(), g.small_int()
    name = g.name(INT, loop=True)
    g.declare(name, INT, Expr(name, mag=value.elem))
    test = g.condition(max(depth, 1))
    g.taken.discard(name)
    return Expr(f"next(({name} for {name} in {value.text} if {test.text}), {default.text})", mag=value.elem)


def _element_int(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    found = [var for var in g.vars if var.type in (INTS, Type("vtuple", (INT,)))]
    var = g.choose(found)
    if var is None:
        return None
    index = safe_index(g, var.name, var.min_len)
    if index is None:
        return None
    value = var.expr()
    return Expr(f"{value.text}[{index}]", mag=value.elem)


def _tuple_int(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    found = [var for var in g.vars if var.type.kind == "tuple" and INT in var.type.args]
    var = g.choose(found)
    if var is None:
        return None
    positions = [index for index, argument in enumerate(var.type.args) if argument == INT]
    return Expr(f"{var.expr().text}[{g.dice.pick(positions)}]", mag=var.elem)


def _dict_int(g: Writer, depth: int) -> Expr | None:
    found = [var for var in g.vars if var.type.kind == "dict" and var.type.args[1] == INT]
    var = g.choose(found)
    if var is None:
        return None
    value = var.expr()
    draw = g.dice.random()
    if var.keys and draw < 0.35:
        return Expr(f"{value.text}[{g.dice.pick(var.keys)}]", mag=var.elem)
    if draw < 0.6:
        return Expr(f"sum({value.text}.values())", mag=var.elem * max(value.mag, 1))
    key = (
        g.dice.pick(var.keys)
        if var.keys and g.dice.chance(0.4)
        else g.expr(var.type.args[0], min(depth, 1)).text
    )
    return Expr(f"{value.text}.get({key}, {g.small_int(0, 5).text})", mag=var.elem)


def _ordinal(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    chars = [var for var in g.vars if var.type == STR and var.min_len == 1 and var.mag == 1]
    base = g.dice.pick(("", "", " - ord('a')", " - 97", " - 48"))
    if chars:
        return Expr(
            f"ord({g.dice.pick(chars).expr().text}){base}", ADD if base else ATOM, mag=130, nonneg=not base
        )
    var = g.var(STR, min_len=1)
    if var is None:
        return None
    index = safe_index(g, var.name, var.min_len)
    return (
        None
        if index is None
        else Expr(f"ord({var.expr().text}[{index}]){base}", ADD if base else ATOM, mag=130)
    )


def _int_choice(g: Writer, depth: int) -> Expr:
    yes, test, no = g.expr(INT, depth), g.condition(min(depth, 1)), g.atom(INT)
    return Expr(
        f"{yes.at(OR)} if {test.at(OR)} else {no.at(COND)}",
        COND,
        mag=max(yes.mag, no.mag),
        nonneg=yes.nonneg and no.nonneg,
    )


def _bitwise(g: Writer, depth: int) -> Expr | None:
    left, right = g.expr(INT, depth), g.atom(INT)
    if left.mag > BIG_INT or right.mag > BIG_INT:
        return None
    operator, prec = g.dice.pick(
        (("&", BIT_AND), ("|", BIT_OR), ("^", BIT_XOR), ("<<", SHIFT), (">>", SHIFT))
    )
    if prec == SHIFT:
        right = Expr(str(g.dice.integer(1, 3)), mag=3, nonneg=True)
    mag = 2 * max(left.mag, right.mag) if prec != SHIFT else left.mag * 8
    return Expr(
        f"{left.at(prec + 1)} {operator} {right.at(prec + 1)}",
        prec,
        mag=mag,
        nonneg=left.nonneg and right.nonneg,
    )


def _to_int(g: Writer, depth: int) -> Expr | None:
    draw = g.dice.random()
    if draw < 0.3:
        return Expr(f"int({g.expr(BOOL, depth).text})", mag=1, nonneg=True)
    if draw < 0.55:
        real = g.var(FLOAT)
        return (
            None
            if real is None
            else Expr(f"{g.dice.pick(('int', 'round'))}({real.expr().text})", mag=real.mag)
        )
    var = g.var(STR)
    if var is None or var.mag > 9:
        return None
    name = var.expr().text
    return Expr(
        f"int({name}) if {name}.isdecimal() else {g.small_int().text}",
        COND,
        mag=10 ** max(var.mag, 1),
        nonneg=True,
    )


def call_of(result: Type) -> Production:
    """Return the production of calls of functions that return this type."""

    def call(g: Writer, depth: int) -> Expr | None:
        found = [function for function in g.functions if function.result == result]
        return build_call(g, g.dice.pick(found), depth) if found else None

    return call


INT_PRODUCTIONS: Table[Production] = Table(
    [
        (14, _sum),
        (8, _difference),
        (9, _product),
        (7, _modulo),
        (5, _floor_divide),
        (2, _power),
        (1.5, _negate),
        (2, _absolute),
        (3, _extreme),
        (11, _length),
        (7, _text_count),
        (3, _list_count),
        (7, _aggregate),
        (3, _sum_generator),
        (9, _element_int),
        (2, _first_match),
        (4, _tuple_int),
        (6, _dict_int),
        (3, _ordinal),
        (3, _int_choice),
        (1.5, _bitwise),
        (2, _to_int),
        (6, call_of(INT)),
    ]
)
