"""Statements that change one thing: assignments, mutations, branches, guards, handlers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.container_expressions import sort_key
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.scalar_expressions import element_type, safe_index
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, SCALARS, STR, STRS, Type, is_ordered, list_of
from opencwm.corpus.generator.writer import BIG_INT, CMP, COND, LONG, MUL, UNARY, Expr, Var, Writer

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


def forget_indices(g: Writer, var: Var) -> None:
    """Note that the length of ``var`` changed: no index is known to be valid any more."""
    for other in g.vars:
        if other.index_of == var.name:
            other.index_of = ""


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


# -- mutations -------------------------------------------------------------------------------------


def mutate(g: Writer) -> bool:
    """Call a method that changes a container, or store into it."""
    var = g.choose([v for v in g.vars if not v.frozen and v.type.kind in ("list", "dict", "set")])
    if var is None:
        return False
    written = {"list": _mutate_list, "dict": _mutate_dict, "set": _mutate_set}[var.type.kind](g, var)
    if written:
        var.fresh = True
    return written


def grow(g: Writer, var: Var, by: int = 1) -> None:
    """Note that ``var`` became longer by at most ``by`` (per round of a loop)."""
    var.mag += by * (6 if g.loop_depth else 1)
    if not g.loop_depth and g.indent == 1:
        var.min_len += 1


def shrink(g: Writer, var: Var) -> None:
    """Note that ``var`` may have become shorter."""
    var.min_len = 0 if g.loop_depth else max(0, var.min_len - 1)
    forget_indices(g, var)


def _mutate_list(g: Writer, var: Var) -> bool:
    draw = g.dice.random()
    if draw < 0.42 and var.mag < 16:
        return _lengthen_list(g, var)
    if draw < 0.6:
        return _take_from_list(g, var)
    if draw < 0.7 and is_ordered(var.type.args[0]):
        g.line(f"{var.name}.sort({sort_key(g, var.type.args[0])[2:]})")
        return True
    if draw < 0.78:
        g.line(f"{var.name}.reverse()")
        return True
    if draw < 0.92:
        return _store_in_list(g, var)
    if draw < 0.97 and var.type.args[0].kind in ("int", "str"):
        item = g.atom(var.type.args[0])
        g.open(f"if {item.at(CMP + 1)} in {var.name}:")
        g.line(f"{var.name}.remove({item.text})")
        g.close()
    elif g.loop_depth:
        return False
    else:
        g.line(f"{var.name}.clear()")
        var.min_len = 0
    shrink(g, var)
    return True


def _lengthen_list(g: Writer, var: Var) -> bool:
    dice, name = g.dice, var.name
    item = g.expr(var.type.args[0], 1)
    if item.text == name or (item.mag > 30 and var.type.args[0] != INT):
        return False
    draw = dice.random()
    if draw < 0.7:
        g.line(f"{name}.append({item.text})")
    elif draw < 0.88:
        g.line(f"{name}.insert({dice.pick(('0', '0', '1', '-1', f'len({name}) // 2'))}, {item.text})")
    else:
        other = g.expr(var.type, 0)
        if other.text == name or other.mag > 6:
            return False
        g.line(f"{name}.extend({other.text})")
        grow(g, var, other.mag)
        return True
    var.elem = max(var.elem, item.mag)
    grow(g, var)
    return True


def _take_from_list(g: Writer, var: Var) -> bool:
    if var.min_len < 1 or g.loop_depth:
        return _guarded_pop(g, var)
    position = g.dice.pick(("", "", "0", "-1"))
    if g.dice.chance(0.75):
        target = g.name(var.type.args[0])
        g.line(f"{target} = {var.name}.pop({position})")
        g.declare(target, var.type.args[0], Expr(target, mag=var.elem))
    else:
        g.line(f"del {var.name}[{position or '0'}]")
    shrink(g, var)
    return True


def _store_in_list(g: Writer, var: Var) -> bool:
    index = safe_index(g, var.name, var.min_len)
    if index is None:
        return False
    element = var.type.args[0]
    if element == INT and g.dice.chance(0.4):
        g.line(f"{var.name}[{index}] {g.dice.pick(('+=', '-='))} {g.small_int(1, 9).text}")
    else:
        g.line(f"{var.name}[{index}] = {g.expr(element, 1).text}")
    return True


def _guarded_pop(g: Writer, var: Var) -> bool:
    g.open(f"if {var.name}:")
    g.line(f"{var.name}.pop({g.dice.pick(('', '0', ''))})")
    g.close()
    shrink(g, var)
    return True


def _key_for(g: Writer, var: Var) -> Expr:
    if var.keys and g.dice.chance(0.5):
        return Expr(g.dice.pick(var.keys))
    type_ = var.type.args[0]
    if type_ == STR and g.dice.chance(0.4):
        return Expr(g.literals.quoted(g.literals.key()))
    return g.expr(type_, 1 if g.dice.chance(0.3) else 0)


def _mutate_dict(g: Writer, var: Var) -> bool:
    dice, name = g.dice, var.name
    value_type = var.type.args[1]
    key = _key_for(g, var)
    if var.mag > 14:
        return False
    draw = dice.random()
    grow(g, var)
    if value_type == INT and draw < 0.3:
        g.line(
            f"{name}[{key.text}] = {name}.get({key.text}, {dice.pick((0, 0, 0, 1, 10))}) + "
            + g.atom(INT).at(MUL)
        )
        return True
    if value_type.kind == "list" and draw < 0.5:
        g.line(f"{name}.setdefault({key.text}, []).append({g.expr(value_type.args[0], 1).text})")
        return True
    if draw < 0.55:
        g.line(f"{name}[{key.text}] = {g.expr(value_type, 1).text}")
        if not g.loop_depth and g.indent == 1 and key.text[0] in "'\"":
            var.keys = (*var.keys, key.text)
        return True
    if draw < 0.68:
        target = g.name(value_type)
        default = g.atom(value_type)
        g.line(f"{target} = {name}.pop({key.text}, {default.text})")
        g.declare(target, value_type, Expr(target, mag=max(var.elem, default.mag)))
        var.keys, var.min_len = (), 0
        return True
    if draw < 0.78:
        g.line(f"{name}.setdefault({key.text}, {g.expr(value_type, 0).text})")
        return True
    if draw < 0.9:
        other = g.expr(var.type, 0)
        if other.text == name:
            return False
        g.line(f"{name}.update({other.text})")
        return True
    g.open(f"if {key.at(CMP + 1)} in {name}:")
    g.line(f"del {name}[{key.text}]")
    g.close()
    var.keys, var.min_len = (), 0
    return True


def _mutate_set(g: Writer, var: Var) -> bool:
    item = g.expr(var.type.args[0], 1)
    draw = g.dice.random()
    if draw < 0.55:
        g.line(f"{var.name}.add({item.text})")
    elif draw < 0.75:
        g.line(f"{var.name}.discard({item.text})")
        var.min_len = 0
    else:
        other = g.expr(var.type, 1)
        if other.text == var.name or other.mag > 10:
            return False
        method = g.dice.pick(("|=", "-=", "&=", "update"))
        g.line(
            f"{var.name}.update({other.text})" if method == "update" else f"{var.name} {method} {other.text}"
        )
        var.min_len = 0
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
    key = _key_for(g, var)
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


def handle(g: Writer) -> bool:
    """Try something that may fail, and handle it."""
    dice = g.dice
    attempt = dice.pick((_attempt_int, _attempt_key, _attempt_index, _attempt_division))(g)
    if attempt is None:
        return False
    type_, text, exception, mag = attempt
    name = g.name(type_)
    fallback = g.atom(type_) if dice.chance(0.5) else g.literal(type_)
    g.open("try:")
    g.line(f"{name} = {text}")
    g.close()
    if dice.chance(0.18):
        others = [
            other for other in ("ValueError", "KeyError", "TypeError", "IndexError") if other != exception
        ]
        exception = f"({exception}, {dice.pick(others)})"
    elif exception in ("KeyError", "IndexError") and dice.chance(0.12):
        exception = "LookupError"
    elif dice.chance(0.08):
        exception = "Exception"
    bound = g.dice.pick(("e", "err", "exc", "error")) if dice.chance(0.2) else ""
    g.open(f"except {exception}{f' as {bound}' if bound and g.is_free(bound) else ''}:")
    if bound and g.is_free(bound) and type_ == STR:
        g.line(f"{name} = {dice.pick((f'type({bound}).__name__', f'str({bound})'))}")
    else:
        g.line(f"{name} = {fallback.text}")
    g.close()
    g.declare(name, type_, Expr(name, mag=max(mag, fallback.mag, 24 if type_ == STR else 0)))
    if dice.chance(0.15):
        g.open("else:")
        write_simple(g, 1)
        g.close()
    if dice.chance(0.18):
        g.open("finally:")
        write_simple(g, 1)
        g.close()
    return True


_Attempt = tuple[Type, str, str, int]


def _attempt_int(g: Writer) -> _Attempt | None:
    var = g.choose([v for v in g.vars if v.type == STR and v.mag <= 9])
    if var is not None:
        return INT, f"int({var.expr().text})", "ValueError", 10 ** min(var.mag, 7)
    items = g.var(STRS, min_len=1)
    return (
        None
        if items is None
        else (INT, f"int({items.expr().text}[{g.dice.pick((0, -1))}])", "ValueError", 1000)
    )


def _attempt_key(g: Writer) -> _Attempt | None:
    var = g.choose([v for v in g.vars if v.type.kind == "dict"])
    if var is None:
        return None
    key = _key_for(g, var).text
    return var.type.args[1], f"{var.expr().text}[{key}]", "KeyError", max(var.elem, 10)


def _attempt_index(g: Writer) -> _Attempt | None:
    var = g.sized({"list", "str", "vtuple"})
    if var is None:
        return None
    index = g.atom(INT)
    return (
        element_type(var.type),
        f"{var.expr().text}[{index.text}]",
        "IndexError",
        1 if var.type == STR else var.elem,
    )


def _attempt_division(g: Writer) -> _Attempt | None:
    left, right = g.atom(INT), g.expr(INT, 1)
    return (
        INT,
        f"{left.at(MUL)} {g.dice.pick(('//', '%'))} {right.at(UNARY)}",
        "ZeroDivisionError",
        left.mag + right.mag,
    )


def fail(g: Writer) -> bool:
    """Write something that will probably raise when it is reached."""
    dice = g.dice
    draw = dice.random()
    if draw < 0.3:
        exception = dice.pick(
            ("ValueError", "ValueError", "TypeError", "KeyError", "RuntimeError", "IndexError")
        )
        message = g.literals.quoted(
            dice.pick(("bad value", "empty input", "not found", "invalid", "too small", "limit reached"))
        )
        scalar = g.choose([v for v in g.vars if v.type in (INT, STR)])
        if scalar is not None and dice.chance(0.4):
            message = f"f{message[0]}{message[1:-1]}: {{{scalar.expr().text}}}{message[-1]}"
        condition = g.condition()
        if dice.chance(0.5):
            condition = Expr(f"not ({condition.text})")
        g.open(f"if {condition.text}:")
        g.line(f"raise {exception}({message})")
        g.close()
        return True
    text, type_ = _failing_expression(g)
    if text is None:
        return False
    g.line(f"{g.name(type_)} = {text}" if dice.chance(0.8) else text)
    return True


def _failing_expression(g: Writer) -> tuple[str | None, Type]:
    dice = g.dice
    kind = dice.integer(0, 6)
    if kind == 0:
        var = g.sized({"list", "str", "vtuple"})
        return (
            None
            if var is None
            else f"{var.expr().text}[{dice.pick((f'len({var.name})', str(var.mag + dice.integer(0, 9))))}]"
        ), INT
    if kind == 1:
        var = g.choose([v for v in g.vars if v.type.kind == "dict"])
        return (None if var is None else f"{var.expr().text}[{_key_for(g, var).text}]"), INT
    if kind == 2:
        var = g.var(STR)
        return (None if var is None else f"int({var.expr().text})"), INT
    if kind == 3:
        text, number = g.var(STR), g.var(INT)
        if text is None:
            return None, STR
        other = number.expr().text if number is not None else str(dice.integer(0, 9))
        return dice.pick(
            (
                f"{text.expr().text} + {other}",
                f"{other} + {text.expr().text}",
                f"{text.name} < {other}",
                f"len({other})",
            )
        ), STR
    if kind == 4:
        number = g.var(INT)
        if number is None:
            return None, INT
        return (
            f"{g.atom(INT).at(MUL)} {dice.pick(('//', '%', '/'))} ({number.expr().text} - {number.name})",
            INT,
        )
    if kind == 5:
        var = g.sized({"list", "str", "dict", "vtuple"})
        if var is None:
            return None, STR
        wrong = {"list": ("upper()", "add(1)", "keys()"), "dict": ("append(1)", "add('a')", "index(0)")}
        return (
            f"{var.expr().text}.{dice.pick(wrong.get(var.type.kind, ('append(1)', 'push(2)', 'add(3)')))}",
            STR,
        )
    var = g.sized({"list", "str"})
    if var is None:
        return None, INT
    element = element_type(var.type)
    missing_item = g.literal(element) if element != STR else g.constant_text()
    method = dice.pick(("index", "remove")) if var.type.kind == "list" else "index"
    return f"{var.expr().text}.{method}({missing_item.text})", INT


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
