"""Ways to build integers, floats and booleans."""

from __future__ import annotations

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, INTS, STR, STRS, Type, is_ordered, list_of
from opencwm.corpus.generator.writer import (
    ADD,
    AND,
    ATOM,
    BIG_INT,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    CMP,
    COND,
    MUL,
    NOT,
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


def _call_of(result: Type) -> Production:
    def call(g: Writer, depth: int) -> Expr | None:
        found = [function for function in g.functions if function.result == result]
        return build_call(g, g.dice.pick(found), depth) if found else None

    return call


# -- float -----------------------------------------------------------------------------------------


def _divide(g: Writer, depth: int) -> Expr:
    left = g.expr(INT, depth) if g.dice.chance(0.7) else g.expr(FLOAT, depth)
    return Expr(f"{left.at(MUL)} / {g.dice.pick((2, 4, 5, 10, 2, 100, 3))}", MUL, mag=left.mag)


def _round(g: Writer, depth: int) -> Expr:
    inner = g.expr(FLOAT, depth)
    return Expr(f"round({inner.text}, {g.dice.pick((1, 2, 2, 3))})", mag=inner.mag)


def _float_arithmetic(g: Writer, depth: int) -> Expr | None:
    left = g.expr(FLOAT, depth)
    right = g.literal(FLOAT) if g.dice.chance(0.4) else g.atom(FLOAT) if g.dice.chance(0.5) else g.atom(INT)
    operator = g.dice.pick("++-*")
    if operator == "*":
        if left.mag * right.mag > BIG_INT:
            return None
        return Expr(f"{left.at(MUL)} * {right.at(UNARY)}", MUL, mag=left.mag * right.mag)
    return Expr(f"{left.at(ADD)} {operator} {right.at(MUL)}", ADD, mag=left.mag + right.mag)


def _mean(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(INTS) or g.var(list_of(FLOAT))
    if var is None:
        return None
    name = var.expr().text
    if var.min_len > 0:
        return Expr(f"sum({name}) / len({name})", MUL, mag=var.elem)
    return Expr(f"sum({name}) / len({name}) if {name} else 0.0", COND, mag=var.elem)


def _to_float(g: Writer, depth: int) -> Expr:
    return Expr(f"float({g.expr(INT, depth).text})", mag=1000)


def _float_sum(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(list_of(FLOAT))
    return None if var is None else Expr(f"sum({var.expr().text})", mag=var.elem * max(var.mag, 1))


# -- bool ------------------------------------------------------------------------------------------


def _compare_ints(g: Writer, depth: int) -> Expr | None:
    left = g.expr(INT, depth)
    right = g.small_int(0, max(3, min(20, left.mag))) if g.dice.chance(0.6) else g.atom(INT)
    if left.text == right.text or left.text.isdigit():
        return None
    return Expr(
        f"{left.at(BIT_OR)} {g.dice.pick(('<', '>', '<=', '>=', '==', '!='))} {right.at(BIT_OR)}", CMP, mag=1
    )


def _divisible(g: Writer, depth: int) -> Expr:  # noqa: ARG001 - a leaf
    value = g.atom(INT)
    divisor = g.dice.pick((2, 2, 2, 3, 3, 4, 5, 7, 10))
    test = g.dice.pick(("== 0", "== 0", "!= 0", "== 1", "== 0"))
    return Expr(f"{value.at(MUL)} % {divisor} {test}", CMP, mag=1)


def _chained(g: Writer, depth: int) -> Expr | None:
    low = g.dice.integer(-2, 8)
    high = low + g.dice.integer(1, 20)
    middle = g.expr(INT, depth)
    if middle.text.isdigit():
        return None
    return Expr(
        f"{low} {g.dice.pick(('<', '<='))} {middle.at(BIT_OR)} {g.dice.pick(('<', '<='))} {high}", CMP, mag=1
    )


def _compare_texts(g: Writer, depth: int) -> Expr | None:
    var = g.var(STR)
    if var is None:
        return None
    left = var.expr() if g.dice.chance(0.7) else g.expr(STR, depth)
    right = g.constant_text() if g.dice.chance(0.7) else g.atom(STR)
    if left.text == right.text:
        return None
    return Expr(
        f"{left.at(BIT_OR)} {g.dice.pick(('==', '==', '!=', '<', '>', '<='))} {right.at(BIT_OR)}", CMP, mag=1
    )


def _membership(g: Writer, depth: int) -> Expr | None:
    operator = "not in" if g.dice.chance(0.3) else "in"
    var = g.choose([v for v in g.vars if v.type.kind in ("list", "dict", "set", "str", "vtuple")])
    if var is None:
        return None
    if var.type.kind == "str":
        if g.dice.chance(0.4):
            pool = g.dice.pick(
                ("aeiou", "aeiou", "aeiouAEIOU", "0123456789", "xyz", ".,!?", "abcdef", "+-*/", "([{", " \t")
            )
            return Expr(f"{var.expr().text} {operator} {g.literals.quoted(pool)}", CMP, mag=1)
        needle = g.constant_text(2) if g.dice.chance(0.6) else g.atom(STR)
        if needle.text == var.name:
            return None
    else:
        if not var.type.args or var.type.args[0].kind not in ("int", "str"):
            return None
        needle = g.expr(var.type.args[0], min(depth, 1))
    return Expr(f"{needle.at(BIT_OR)} {operator} {var.expr().text}", CMP, mag=1)


def _literal_membership(g: Writer, depth: int) -> Expr:  # noqa: ARG001 - a leaf
    type_ = g.dice.pick((INT, STR))
    options = [g.small_int() if type_ == INT else g.constant_text() for _ in range(g.dice.integer(2, 4))]
    left, right = g.dice.pick((("(", ")"), ("[", "]"), ("{", "}")))
    operator = "not in" if g.dice.chance(0.25) else "in"
    body = ", ".join(dict.fromkeys(option.text for option in options))
    if left == "(" and "," not in body:
        body += ","
    return Expr(f"{g.atom(type_).at(BIT_OR)} {operator} {left}{body}{right}", CMP, mag=1)


def _text_test(g: Writer, depth: int) -> Expr | None:
    var = g.var(STR)
    if var is None:
        return None
    value = var.expr().text if g.dice.chance(0.85) else g.expr(STR, depth).at(ATOM)
    draw = g.dice.random()
    if draw < 0.65:
        method = g.dice.pick(
            (
                "isdigit",
                "isdigit",
                "isalpha",
                "isalpha",
                "isupper",
                "islower",
                "isspace",
                "isalnum",
                "istitle",
                "isdecimal",
            )
        )
        return Expr(f"{value}.{method}()", mag=1)
    argument = g.constant_text().text
    return Expr(f"{value}.{g.dice.pick(('startswith', 'endswith'))}({argument})", mag=1)


def _negation(g: Writer, depth: int) -> Expr | None:
    inner = g.expr(BOOL, depth)
    if inner.text.startswith("not ") or " in " in inner.text:
        return None
    if inner.prec == CMP and g.dice.chance(0.7):
        return None
    return Expr(f"not {inner.at(NOT)}", NOT, mag=1)


def _emptiness(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.sized()
    if var is None or var.min_len > 0 or var.type.kind == "tuple":
        return None
    value = var.expr().text
    return Expr(f"not {value}", NOT, mag=1) if g.dice.chance(0.6) else Expr(f"bool({value})", mag=1)


def _conjunction(g: Writer, depth: int) -> Expr | None:
    left, right = g.condition(depth), g.condition(depth)
    if left.text == right.text:
        return None
    if g.dice.chance(0.55):
        return Expr(f"{left.at(AND)} and {right.at(NOT)}", AND, mag=1)
    return Expr(f"{left.at(OR)} or {right.at(AND)}", OR, mag=1)


def _quantifier(g: Writer, depth: int) -> Expr | None:
    var = g.sized({"list", "str", "vtuple"})
    if var is None or element_type(var.type).kind not in ("int", "str"):
        return None
    value = var.expr()
    name = g.name(element_type(var.type), loop=True)
    is_text = var.type.kind == "str"
    g.declare(
        name, element_type(var.type), Expr(name, mag=1 if is_text else value.elem, min_len=int(is_text))
    )
    text = f"{g.dice.pick(('any', 'all'))}({g.condition(max(depth, 1)).text} for {name} in {value.text})"
    g.taken.discard(name)
    return Expr(text, mag=1)


def _compare_lengths(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.sized()
    if var is None or var.type.kind == "tuple":
        return None
    operator = g.dice.pick(("<", ">", "<=", ">=", "==", "!="))
    return Expr(
        f"len({var.expr().text}) {operator} {g.dice.integer(0, max(3, min(var.mag, 12)))}", CMP, mag=1
    )


def _same_text(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.sized({"str", "list"})
    if var is None:
        return None
    value = var.expr().text
    if var.type.kind == "list" and is_ordered(var.type) and g.dice.chance(0.5):
        return Expr(f"{value} == sorted({value})", CMP, mag=1)
    return Expr(f"{value} {g.dice.pick(('==', '==', '!='))} {value}[::-1]", CMP, mag=1)


def _is_instance(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    if not g.vars:
        return None
    var = g.dice.pick(g.vars)
    name = g.dice.pick((var.type.kind.replace("vtuple", "tuple"), "int", "str", "list"))
    return None if name == "none" else Expr(f"isinstance({var.expr().text}, {name})", mag=1)


def _compare_sets(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    found = [var for var in g.vars if var.type.kind == "set"]
    if len(found) < 2:
        return None
    left, right = g.dice.sample(found, 2)
    if left.type != right.type:
        return None
    return g.dice.pick(
        (
            Expr(f"{left.expr().text} <= {right.expr().text}", CMP, mag=1),
            Expr(f"{left.expr().text}.issubset({right.expr().text})", mag=1),
            Expr(f"{left.expr().text}.isdisjoint({right.expr().text})", mag=1),
        )
    )


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
        (4, _tuple_int),
        (6, _dict_int),
        (3, _ordinal),
        (3, _int_choice),
        (1.5, _bitwise),
        (2, _to_int),
        (6, _call_of(INT)),
    ]
)

FLOAT_PRODUCTIONS: Table[Production] = Table(
    [
        (5, _divide),
        (4, _round),
        (4, _float_arithmetic),
        (3, _mean),
        (1, _to_float),
        (2, _float_sum),
        (2, _call_of(FLOAT)),
    ]
)

BOOL_PRODUCTIONS: Table[Production] = Table(
    [
        (16, _compare_ints),
        (8, _divisible),
        (3, _chained),
        (9, _compare_texts),
        (9, _membership),
        (3, _literal_membership),
        (9, _text_test),
        (3, _negation),
        (3, _emptiness),
        (5, _conjunction),
        (4, _quantifier),
        (6, _compare_lengths),
        (2, _same_text),
        (1, _is_instance),
        (1, _compare_sets),
        (4, _call_of(BOOL)),
    ]
)
