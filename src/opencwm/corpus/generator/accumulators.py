"""Accumulators: variables that a loop feeds, and the statements that feed them."""

from __future__ import annotations

from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.types import (
    BOOL,
    COUNTS,
    FLOAT,
    INT,
    INTS,
    STR,
    STRS,
    Type,
    dict_of,
    list_of,
    set_of,
)
from opencwm.corpus.generator.writer import ATOM, LONG, MUL, Expr, Var, Writer

ACCUMULATOR_TYPES: Table[Type] = Table(
    [
        (26, INT),
        (22, STR),
        (13, INTS),
        (11, STRS),
        (9, COUNTS),
        (3, dict_of(STR, list_of(STR))),
        (2, dict_of(INT, list_of(STR))),
        (2, dict_of(INT, INT)),
        (3, set_of(INT)),
        (0.5, set_of(STR)),
        (5, BOOL),
        (3, FLOAT),
    ]
)


def start_accumulator(g: Writer, type_: Type) -> Var:
    """Write the initial value of an accumulator."""
    dice = g.dice
    kind = type_.kind
    if kind == "int":
        text = dice.pick(("0", "0", "0", "0", "1", "-1", "10", "100"))
    elif kind == "str":
        text = g.literals.quoted("" if dice.chance(0.85) else dice.pick((">", "#", "x", "->", "a")))
    elif kind == "float":
        text = dice.pick(("0.0", "0.0", "1.0", "0.5"))
    elif kind == "bool":
        text = dice.pick(("True", "False"))
    elif kind == "set":
        text = "set()"
    elif kind == "dict":
        text = dice.pick(("{}", "{}", "dict()"))
    else:
        text = dice.pick(("[]", "[]", "list()")) if dice.chance(0.9) else g.literal(type_, max_len=2).text
    return g.assign(
        type_,
        Expr(
            text, mag=abs(int(text)) if kind == "int" else 1, nonneg=text in ("0", "1", "10", "100"), elem=1
        ),
    )


def update_accumulator(g: Writer, acc: Var) -> None:
    """Write one statement that feeds an accumulator from what is in scope."""
    acc.fresh = False
    kind = acc.type.kind
    {
        "int": _update_int,
        "str": _update_text,
        "list": _update_list,
        "dict": _update_dict,
        "set": _update_set,
    }.get(kind, _update_scalar)(g, acc)
    acc.fresh = True


def _without(g: Writer, acc: Var, type_: Type, depth: int) -> Expr:
    """Return an expression that does not read ``acc``."""
    position = g.vars.index(acc)
    del g.vars[position]
    expr = g.expr(type_, depth)
    g.vars.insert(position, acc)
    return expr


def _update_int(g: Writer, acc: Var) -> None:
    dice = g.dice
    draw = dice.random()
    if draw < 0.25:
        g.line(f"{acc.name} += 1")
        acc.mag += 10
        return
    expr = _without(g, acc, INT, 2)
    if draw < 0.65:
        operator = dice.pick(("+=", "+=", "+=", "-="))
        g.line(
            f"{acc.name} {operator} {expr.text}"
            if dice.chance(0.85)
            else f"{acc.name} = {acc.name} {operator[0]} {expr.at(MUL)}"
        )
        acc.mag += 10 * expr.mag
        acc.nonneg = acc.nonneg and expr.nonneg and operator == "+="
    elif draw < 0.8:
        function = dice.pick(("max", "min"))
        g.line(f"{acc.name} = {function}({acc.name}, {expr.text})")
        acc.mag = max(acc.mag, expr.mag)
        acc.nonneg = acc.nonneg and expr.nonneg
    elif draw < 0.93:
        modulus = dice.pick((7, 10, 13, 26, 64, 97, 100, 101, 256, 1000))
        multiplier = dice.pick((2, 3, 5, 7, 10, 31))
        g.line(f"{acc.name} = ({acc.name} * {multiplier} + {expr.at(MUL)}) % {modulus}")
        acc.mag = max(acc.mag, modulus)
    else:
        g.line(f"{acc.name} {dice.pick(('^=', '|='))} {expr.text}")
        acc.mag, acc.nonneg = 4 * max(acc.mag, expr.mag), False


def _update_text(g: Writer, acc: Var) -> None:
    expr = _without(g, acc, STR, 2 if g.dice.chance(0.6) else 0)
    if expr.mag > 8:
        expr = Expr(f"{expr.at(ATOM)}[{g.dice.pick((':1', ':2', '-1:'))}]", mag=2)
    if g.dice.chance(0.78):
        g.line(f"{acc.name} += {expr.text}")
    else:
        g.line(f"{acc.name} = {expr.at(MUL)} + {acc.name}")
    acc.mag += 8 * max(expr.mag, 1)
    acc.mag = min(acc.mag, 2 * LONG)


def _update_list(g: Writer, acc: Var) -> None:
    dice = g.dice
    expr = _without(g, acc, acc.type.args[0], 2 if dice.chance(0.6) else 0)
    if expr.mag > 24 and acc.type.args[0] != INT:
        expr = Expr(f"{expr.at(ATOM)}[:3]", mag=3)
    draw = dice.random()
    if draw < 0.78:
        g.line(f"{acc.name}.append({expr.text})")
    elif draw < 0.86:
        g.line(f"{acc.name}.insert(0, {expr.text})")
    elif draw < 0.93:
        g.line(
            acc.name
            + dice.pick(
                (f" += [{expr.text}]", f" = {acc.name} + [{expr.text}]", f" = [{expr.text}] + {acc.name}")
            )
        )
    else:
        g.line(f"{acc.name}.extend([{expr.text}, {_without(g, acc, acc.type.args[0], 0).text}])")
    acc.mag = min(acc.mag + 8, 14)
    acc.elem = max(acc.elem, expr.mag)


def _update_dict(g: Writer, acc: Var) -> None:
    dice, name = g.dice, acc.name
    key_type, value_type = acc.type.args
    key = _without(g, acc, key_type, 1 if dice.chance(0.5) else 0)
    acc.mag, acc.elem = min(acc.mag + 6, 14), max(acc.elem, 20)
    if value_type.kind == "list":
        item = _without(g, acc, value_type.args[0], 0)
        if dice.chance(0.55):
            g.line(f"{name}.setdefault({key.text}, []).append({item.text})")
            return
        g.open(f"if {key.at(MUL)} not in {name}:")
        g.line(f"{name}[{key.text}] = []")
        g.close()
        g.line(f"{name}[{key.text}].append({item.text})")
        return
    amount = Expr("1", mag=1) if dice.chance(0.6) else _without(g, acc, INT, 1)
    draw = dice.random()
    if draw < 0.45:
        g.line(f"{name}[{key.text}] = {name}.get({key.text}, 0) + {amount.at(MUL)}")
    elif draw < 0.75:
        g.open(f"if {key.at(MUL)} in {name}:")
        g.line(f"{name}[{key.text}] += {amount.text}")
        g.close()
        g.open("else:")
        g.line(f"{name}[{key.text}] = {amount.text}")
        g.close()
    else:
        g.line(f"{name}[{key.text}] = {_without(g, acc, INT, 2).text}")


def _update_set(g: Writer, acc: Var) -> None:
    g.line(f"{acc.name}.add({_without(g, acc, acc.type.args[0], 1).text})")
    acc.mag = min(acc.mag + 8, 12)


def _update_scalar(g: Writer, acc: Var) -> None:
    if acc.type == BOOL:
        draw = g.dice.random()
        condition = g.condition(1)
        if draw < 0.3:
            g.line(f"{acc.name} = not {acc.name}")
        elif draw < 0.6:
            g.line(f"{acc.name} = {acc.name} {g.dice.pick(('and', 'or'))} {condition.at(ATOM)}")
        else:
            g.line(f"{acc.name} = {condition.text}")
        return
    expr = _without(g, acc, FLOAT, 1)
    g.line(f"{acc.name} += {expr.text}")
    acc.mag += 10 * expr.mag
