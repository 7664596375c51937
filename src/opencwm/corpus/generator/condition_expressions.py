"""Ways to build floats and booleans."""

from __future__ import annotations

from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.integer_expressions import call_of, element_type
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, INTS, STR, is_ordered, list_of
from opencwm.corpus.generator.writer import (
    ADD,
    AND,
    ATOM,
    BIG_INT,
    BIT_OR,
    CMP,
    COND,
    MUL,
    NOT,
    OR,
    UNARY,
    Expr,
    Production,
    Writer,
)

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


def _compare_sets(g: Writer, depth: int) -> Expr | None:
    var = g.sized({"set"})
    if var is None:
        return None
    left, right = var.expr(), g.expr(var.type, min(depth, 1))
    if left.text == right.text:
        return None
    if g.dice.chance(0.4):
        operator = g.dice.pick(("<=", ">=", "==", "<"))
        return Expr(f"{left.text} {operator} {right.at(BIT_OR)}", CMP, mag=1)
    return Expr(f"{left.text}.{g.dice.pick(('issubset', 'isdisjoint', 'issuperset'))}({right.text})", mag=1)


FLOAT_PRODUCTIONS: Table[Production] = Table(
    [
        (5, _divide),
        (4, _round),
        (4, _float_arithmetic),
        (3, _mean),
        (1, _to_float),
        (2, _float_sum),
        (2, call_of(FLOAT)),
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
        (3, _compare_sets),
        (4, call_of(BOOL)),
    ]
)
