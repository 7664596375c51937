"""Statements that change one thing: assignments, mutations, branches, guards, handlers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.mutations import forget_indices, key_for, mutate
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, SCALARS, STR, list_of
from opencwm.corpus.generator.writer import BIG_INT, COND, LONG, MUL, Expr, Var, Writer

Statement = Callable[[Writer], bool]
"""Writes a statement, or nothing and returns False when it does not fit here."""


def assign_new(g: Writer) -> bool:
    """Bind a new variable."""
    reads = sum([var.reads for var in g.vars])
    for _ in range(4):
        type_ = g.random_type()
        expr = g.expr(type_)
        if sum([var.reads for var in g.vars]) > reads or g.dice.chance(0.1):
            break
    annotated = type_ in SCALARS and g.dice.chance(0.04)
    if annotated:
        name = g.name(type_)
        g.line(f"{name}: {type_.kind} = {expr.text}")
        g.declare(name, type_, expr)
    else:
        g.assign(type_, expr)
    return True


def reassign(g: Writer) -> bool:
    """Bind a variable again to an expression of the same type."""
    found = [v for v in g.vars if not v.frozen and v.type.kind in ("int", "str", "list", "bool", "float")]
    var = g.choose(found)
    if var is None:
        return False
    expr = g.expr(var.type)
    if expr.text == var.name:
        return False
    limit = var.mag + LONG if var.type != INT else BIG_INT
    if g.loop_depth and var.name in expr.text:
        if var.type != INT:
            return False
        expr = Expr(
            f"{expr.at(MUL)} % {g.dice.pick((10, 17, 50, 97, 100, 1000))}", MUL, mag=1000, nonneg=True
        )
    if expr.mag > limit:
        return False
    g.line(f"{var.name} = {expr.text}")
    renew(g, var, expr)
    return True


def renew(g: Writer, var: Var, expr: Expr) -> None:
    """Note that ``var`` now may hold ``expr``; inside a loop or branch it may as well not."""
    conditional = g.loop_depth > 0 or g.indent > 1
    var.mag = max(var.mag, expr.mag) if conditional else expr.mag
    var.elem = max(var.elem, expr.elem) if conditional else expr.elem
    var.min_len = min(var.min_len, expr.min_len) if conditional else expr.min_len
    var.nonneg = (var.nonneg and expr.nonneg) if conditional else expr.nonneg
    var.keys = ()
    var.fresh = True
    if not conditional:
        var.alias = ""
    source = next((v for v in g.vars if v.name == expr.text), None)
    if source is not None:
        var.alias = source.alias or source.name
    forget_indices(g, var)


def augment(g: Writer) -> bool:
    """Write an augmented assignment."""
    var = g.choose([v for v in g.vars if not v.frozen and v.type.kind in ("int", "str", "list", "float")])
    if var is None:
        return False
    rounds = 8 if g.loop_depth else 1
    kind = var.type.kind
    if kind == "int":
        return _augment_int(g, var, rounds)
    if kind == "float":
        g.line(
            f"{var.name} {g.dice.pick(('+=', '-=', '+='))} "
            + g.atom(FLOAT if g.dice.chance(0.6) else INT).text
        )
    elif kind == "str":
        expr = (
            g.expr(STR, 1) if not g.loop_depth else g.atom(STR) if g.dice.chance(0.5) else g.constant_text()
        )
        if var.mag + rounds * expr.mag > LONG + 30 or (var.name in expr.text and g.loop_depth):
            return False
        g.line(f"{var.name} += {expr.text}")
        var.mag += rounds * expr.mag
    else:
        item = g.expr(var.type.args[0], 1)
        if var.mag + rounds > 16:
            return False
        g.line(f"{var.name} += [{item.text}]")
        var.mag += rounds
        var.elem = max(var.elem, item.mag)
    var.fresh = True
    return True


def _augment_int(g: Writer, var: Var, rounds: int) -> bool:
    operator = g.dice.pick(("+=", "+=", "+=", "-=", "-=", "*=", "//=", "%=", "^=", "|=", "**="))
    expr = g.atom(INT) if g.dice.chance(0.6) else g.expr(INT, 1)
    if operator in ("*=", "**="):
        if g.loop_depth or var.mag > 1000:
            return False
        expr = g.small_int(2, 3)
        var.mag = var.mag * expr.mag if operator == "*=" else (var.mag + 1) ** min(expr.mag, 4)
        expr.text = str(min(expr.mag, 4))
    elif operator in ("//=", "%="):
        expr = g.small_int(2, 9)
        expr.text = str(max(2, expr.mag))
    elif operator in ("^=", "|="):
        var.mag = 2 * max(var.mag, expr.mag)
        var.nonneg = var.nonneg and expr.nonneg
    else:
        if g.loop_depth and var.name in expr.text:
            return False
        var.mag += rounds * expr.mag
        var.nonneg = var.nonneg and expr.nonneg and operator == "+="
    g.line(f"{var.name} {operator} {expr.text}")
    var.fresh = True
    return True


def use_helper(g: Writer) -> bool:
    """Bind the result of a function of the module that was not called yet."""
    waiting = [function for function in g.functions if function.name not in g.called]
    if not waiting:
        return False
    function = g.dice.pick(waiting)
    call = build_call(g, function, 1)
    if call is None:
        return False
    if function.result.kind == "opaque":
        g.line(f"{g.name(g.random_type())} = {call.text}")
    else:
        g.assign(function.result, call)
    return True


def unpack(g: Writer) -> bool:
    """Bind several names at once, or swap two."""
    dice = g.dice
    draw = dice.random()
    if draw < 0.3:
        pairs = [v for v in g.vars if not v.frozen and v.type in (INT, STR, FLOAT)]
        for left in dice.shuffled(pairs):
            for right in pairs:
                if right is not left and right.type == left.type:
                    g.line(f"{left.name}, {right.name} = {right.name}, {left.name}")
                    left.mag = right.mag = max(left.mag, right.mag)
                    left.min_len = right.min_len = min(left.min_len, right.min_len)
                    left.nonneg = right.nonneg = left.nonneg and right.nonneg
                    left.fresh = right.fresh = True
                    return True
        return False
    if draw < 0.5:
        return _unpack_variable(g)
    if draw < 0.62:
        number = g.expr(INT, 1)
        first, second = g.name(INT), g.name(INT)
        divisor = dice.integer(2, 12)
        g.line(f"{first}, {second} = divmod({number.text}, {divisor})")
        g.declare(first, INT, Expr(first, mag=number.mag))
        g.declare(second, INT, Expr(second, mag=divisor, nonneg=True))
        return True
    if draw < 0.74:
        text = g.atom(STR)
        names = [g.name(STR) for _ in range(3)]
        g.line(f"{', '.join(names)} = {text.text}.partition({g.literals.quoted(dice.pick(' -:,=/'))})")
        for name in names:
            g.declare(name, STR, Expr(name, mag=text.mag))
        return True
    types = [g.random_type(scalar=True) for _ in range(2)]
    exprs = [g.expr(type_, 1) for type_ in types]
    if dice.chance(0.15):
        exprs[1], types[1] = exprs[0], types[0]
        names = [g.name(type_) for type_ in types]
        g.line(f"{names[0]} = {names[1]} = {exprs[0].text}")
    else:
        names = [g.name(type_) for type_ in types]
        g.line(f"{', '.join(names)} = {', '.join(expr.text for expr in exprs)}")
    for name, type_, expr in zip(names, types, exprs, strict=True):
        g.declare(name, type_, expr)
    return True


def _unpack_variable(g: Writer) -> bool:
    var = g.choose(
        [
            v
            for v in g.vars
            if v.type.kind == "tuple" or (v.type.kind in ("list", "vtuple") and v.min_len >= 2)
        ]
    )
    if var is None:
        return False
    value = var.expr()
    if var.type.kind == "tuple":
        names = [g.name(argument) for argument in var.type.args]
        g.line(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {value.text}")
        for name, argument in zip(names, var.type.args, strict=True):
            g.declare(name, argument, Expr(name, mag=value.elem))
        return True
    element = var.type.args[0]
    first, rest = g.name(element), g.name(list_of(element))
    starred_last = g.dice.chance(0.7)
    g.line(f"{first}, *{rest} = {value.text}" if starred_last else f"*{rest}, {first} = {value.text}")
    g.declare(first, element, Expr(first, mag=value.elem))
    g.declare(rest, list_of(element), Expr(rest, mag=value.mag, min_len=var.min_len - 1, elem=value.elem))
    return True


# -- branches --------------------------------------------------------------------------------------


def branch(g: Writer) -> bool:
    """Write if / elif / else over a variable that exists, or that every branch binds."""
    dice = g.dice
    binds = None
    if dice.chance(0.35):
        type_ = g.random_type(scalar=True)
        binds = (g.name(type_), type_)
        if not any(v.type == type_ for v in g.vars):
            type_ = STR
            binds = (binds[0], STR)
    num_arms = dice.weighted(_ARMS)
    condition = g.condition(g.config.expression_depth)
    exprs: list[Expr] = []
    for arm in range(num_arms):
        if arm == 0:
            g.open(f"if {condition.text}:")
        elif arm == num_arms - 1 and (binds is not None or dice.chance(0.65)):
            g.open("else:")
        else:
            g.open(f"elif {g.condition().text}:")
        if binds is not None:
            exprs.append(g.expr(binds[1]))
            g.line(f"{binds[0]} = {exprs[-1].text}")
        else:
            write_simple(g, dice.weighted(_BRANCH_LENGTH))
        g.close()
    if binds is not None:
        if num_arms == 1:
            g.open("else:")
            exprs.append(g.expr(binds[1], 1))
            g.line(f"{binds[0]} = {exprs[-1].text}")
            g.close()
        g.declare(binds[0], binds[1], join(exprs))
    return True


def join(exprs: list[Expr]) -> Expr:
    """Return what is known of a value that is one of these."""
    return Expr(
        "",
        mag=max(e.mag for e in exprs),
        min_len=min(e.min_len for e in exprs),
        nonneg=all(e.nonneg for e in exprs),
        elem=max(e.elem for e in exprs),
    )


def write_simple(g: Writer, count: int) -> None:
    """Write ``count`` simple statements in a scope of their own: what they bind is forgotten at its end."""
    mark, taken = len(g.vars), set(g.taken)
    known = [dataclasses.replace(v) for v in g.vars]
    written = 0
    for _ in range(count * 4):
        if written == count:
            break
        written += g.dice.weighted(SIMPLE)(g)
    if not written:
        g.line("pass")
    del g.vars[mark:]
    g.taken = taken
    for var, before in zip(g.vars, known, strict=True):
        var.min_len, var.mag = min(var.min_len, before.min_len), max(var.mag, before.mag)
        if var.keys != before.keys:
            var.keys = tuple(key for key in before.keys if key in var.keys)


def guard(g: Writer) -> bool:
    """Return early on some condition."""
    condition = g.condition()
    g.open(f"if {condition.text}:")
    g.line(f"return {g.expr(g.require_result_type(), 1 if g.dice.chance(0.5) else 0).text}")
    g.close()
    return True


def check(g: Writer) -> bool:
    """Assert something that certainly holds."""
    var = g.sized()
    if var is None:
        return False
    if var.min_len > 0 and g.dice.chance(0.6):
        message = (
            f", {g.literals.quoted(g.dice.pick(('empty', 'no items', 'need data')))}"
            if g.dice.chance(0.4)
            else ""
        )
        g.line(f"assert {var.name}{message}")
    else:
        g.line(f"assert len({var.name}) {g.dice.pick(('>= 0', '< 100', '>= 0'))}")
    return True


def missing(g: Writer) -> bool:
    """Look something up that may be absent, and test for None."""
    var = g.choose([v for v in g.vars if v.type.kind == "dict" and v.type.args[1].kind in ("int", "str")])
    if var is None:
        return False
    value_type = var.type.args[1]
    name = g.name(value_type)
    key = key_for(g, var)
    g.line(f"{name} = {var.name}.get({key.text})")
    default = g.atom(value_type)
    if g.dice.chance(0.25):
        g.line(f"{name} = {default.text} if {name} is None else {name}")
    else:
        g.open(f"if {name} is {g.dice.pick(('None', 'None', 'not None'))}:")
        if "not" in g.lines[-1]:
            g.line(f"{name} += {g.small_int().text if value_type == INT else g.constant_text().text}")
            g.close()
            g.open("else:")
        g.line(f"{name} = {default.text}")
        g.close()
    g.declare(name, value_type, Expr(name, mag=max(var.elem, default.mag) + 10))
    return True


_ARMS: Table[int] = Table([(35, 1), (45, 2), (16, 3), (4, 4)])
_BRANCH_LENGTH: Table[int] = Table([(75, 1), (20, 2), (5, 3)])


def announce(g: Writer) -> bool:
    """Print something."""
    g.line(f"print({g.expr(g.random_type(scalar=True), 1).text})")
    return True


def flip(g: Writer) -> bool:
    """Turn a flag over, or set it from a condition."""
    var = g.choose([v for v in g.vars if v.type == BOOL and not v.frozen])
    if var is None:
        return False
    if g.dice.chance(0.4):
        g.line(f"{var.name} = not {var.name}")
    else:
        g.line(f"{var.name} = {g.condition(1).at(COND)}")
    var.fresh = True
    return True


SIMPLE: Table[Statement] = Table(
    [
        (26, assign_new),
        (20, augment),
        (16, mutate),
        (14, reassign),
        (5, unpack),
        (2, flip),
        (0.6, announce),
        (0.7, check),
    ]
)
"""Statements without a body."""

STRAIGHT: Table[Statement] = Table(
    [
        (40, assign_new),
        (12, augment),
        (14, mutate),
        (14, reassign),
        (12, unpack),
        (1, flip),
        (0.5, announce),
        (1, check),
    ]
)
"""What straight-line code is made of."""
