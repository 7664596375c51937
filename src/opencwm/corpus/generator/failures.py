"""Statements that fail: handlers around what may raise, and what certainly does."""

from __future__ import annotations

from opencwm.corpus.generator.integer_expressions import element_type
from opencwm.corpus.generator.mutations import key_for
from opencwm.corpus.generator.statements import write_simple
from opencwm.corpus.generator.types import INT, STR, STRS, Type
from opencwm.corpus.generator.writer import MUL, UNARY, Expr, Writer


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
    key = key_for(g, var).text
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
        return (None if var is None else f"{var.expr().text}[{key_for(g, var).text}]"), INT
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
