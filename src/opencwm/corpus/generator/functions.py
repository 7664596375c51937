"""Whole functions of statements, and modules made of them, with the call that starts the run."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from opencwm.corpus.generator.condition_expressions import BOOL_PRODUCTIONS, FLOAT_PRODUCTIONS
from opencwm.corpus.generator.config import GeneratorConfig
from opencwm.corpus.generator.container_expressions import (
    DICT_PRODUCTIONS,
    LIST_PRODUCTIONS,
    SET_PRODUCTIONS,
    TUPLE_PRODUCTIONS,
    VTUPLE_PRODUCTIONS,
)
from opencwm.corpus.generator.dice import Dice, Table
from opencwm.corpus.generator.echo import write_echo
from opencwm.corpus.generator.failures import fail, handle
from opencwm.corpus.generator.idioms import IDIOMS
from opencwm.corpus.generator.integer_expressions import INT_PRODUCTIONS
from opencwm.corpus.generator.loops import for_loop, while_loop
from opencwm.corpus.generator.statements import SIMPLE, STRAIGHT, branch, guard, missing, use_helper
from opencwm.corpus.generator.templates import write_idiom
from opencwm.corpus.generator.text_expressions import STR_PRODUCTIONS
from opencwm.corpus.generator.types import BOOL, INT, STR, Type
from opencwm.corpus.generator.writer import Expr, Function, Param, Writer
from opencwm.traces import Program

ORIGIN = "generated"
LICENCE = "Apache-2.0"

PRODUCTIONS: Mapping[str, Table[Callable[..., Expr | None]]] = {
    "int": INT_PRODUCTIONS,
    "float": FLOAT_PRODUCTIONS,
    "bool": BOOL_PRODUCTIONS,
    "str": STR_PRODUCTIONS,
    "list": LIST_PRODUCTIONS,
    "tuple": TUPLE_PRODUCTIONS,
    "vtuple": VTUPLE_PRODUCTIONS,
    "dict": DICT_PRODUCTIONS,
    "set": SET_PRODUCTIONS,
}


def generate_program(rng: random.Random, config: GeneratorConfig) -> Program:
    """Generate one program; the same state of ``rng`` gives the same program.

    Most programs run to the end. About ``config.raise_fraction`` of those with statements are meant to
    raise; whether one does is known only after a run, see :func:`opencwm.corpus.generator.generate_traced`.
    """
    return generate_candidate(rng, config, may_raise=rng.random() < config.raise_fraction)


def generate_candidate(rng: random.Random, config: GeneratorConfig, *, may_raise: bool) -> Program:
    """Generate one program, with a statement that probably raises when ``may_raise``."""
    g = Writer(Dice(rng), config, PRODUCTIONS)
    call = write_echo(g) if config.size == 0.0 else write_module(g, may_raise=may_raise)
    source = "\n".join(g.lines) + "\n"
    return Program(source, "main", call, origin=ORIGIN, licence=LICENCE)


def write_module(g: Writer, *, may_raise: bool) -> str:
    """Write a module of one or more functions; return the call that starts it."""
    dice = g.dice
    helpers = dice.integer(0, g.config.max_functions - 1)
    if dice.chance(0.4):
        helpers = min(helpers, 1)
    idioms = [idiom for idiom in IDIOMS if idiom.size <= g.config.size]
    alone = idioms and not may_raise and dice.chance(0.28)
    for _ in range(0 if alone else helpers):
        if idioms and dice.chance(0.3):
            start_function(g)
            g.functions.append(write_idiom(g, dice.pick(idioms))[0])
        else:
            write_helper(g)
        g.lines.extend([""] * dice.pick((1, 2, 2)))
    if alone:
        start_function(g)
        function, arguments = write_idiom(g, dice.pick(idioms))
        return f"{function.name}({', '.join(arguments())})"
    return write_main(g, may_raise=may_raise)


_PARAM_COUNTS: Table[int] = Table([(46, 1), (36, 2), (18, 3)])


def write_helper(g: Writer) -> None:
    """Write a function that later ones may call."""
    dice = g.dice
    start_function(g)
    name = g.function_name()
    params = []
    for _ in range(min(dice.weighted(_PARAM_COUNTS), 2)):
        type_ = g.random_type()
        min_len = int(type_.kind in ("list", "str") and dice.chance(0.4))
        params.append(
            Param(
                g.name(type_), type_, min_len=min_len, nonneg=dice.chance(0.7), max_mag=_helper_limit(type_)
            )
        )
    if len(params) > 1 and params[-1].type in (INT, STR, BOOL) and dice.chance(0.3):
        last = params[-1]
        default = g.literal(last.type, max_len=2)
        params[-1] = Param(
            last.name, last.type, nonneg=last.nonneg, max_mag=last.max_mag, default=default.text
        )
    heads = [param.name if param.default is None else f"{param.name}={param.default}" for param in params]
    g.open(f"def {name}({', '.join(heads)}):")
    for param in params:
        known = Expr(
            param.name, mag=param.max_mag or 100, min_len=param.min_len, nonneg=param.nonneg, elem=12
        )
        g.declare(param.name, param.type, known)
    result, known = write_body(g, max(1, g.config.max_statements // 3))
    g.close()
    steps = 4 + sum(12 if line.lstrip().startswith(("for ", "while ")) else 1 for line in g.lines[-12:])
    g.functions.append(Function(name, tuple(params), result, mag=known.mag, elem=known.elem, cost=steps))


def _helper_limit(type_: Type) -> int:
    return {"int": 30, "str": 14, "list": 8, "dict": 8, "vtuple": 8, "set": 8}.get(type_.kind, 0)


def start_function(g: Writer) -> None:
    """Forget the previous function's variables."""
    g.vars, g.taken, g.result_type, g.loop_depth, g.cost = [], set(), None, 0, 0


def write_main(g: Writer, *, may_raise: bool) -> str:
    """Write the function the call enters; return the call."""
    dice = g.dice
    start_function(g)
    name = g.function_name()
    count = dice.weighted(_PARAM_COUNTS)
    arguments, heads = [], []
    for _ in range(count):
        type_ = g.random_type()
        value = g.literals.value(type_, min_len=int(dice.chance(0.93)), max_len=7)
        source = g.literals.source(value)
        param = g.name(type_)
        var = g.declare(param, type_, knowledge(param, value))
        if isinstance(value, dict):
            var.keys = tuple(g.literals.source(key) for key in value)
        arguments.append(source)
        heads.append(
            f"{param}: {type_.kind}" if type_.kind in ("int", "str") and dice.chance(0.03) else param
        )
    keyword = count > 1 and dice.chance(0.06)
    if keyword:
        arguments[-1] = f"{heads[-1].split(':')[0]}={arguments[-1]}"
    elif dice.chance(0.08):
        type_ = dice.pick((INT, STR, BOOL))
        default = g.literal(type_)
        param = g.name(type_)
        heads.append(f"{param}={default.text}")
        g.declare(param, type_, default)
    g.open(f"def {name}({', '.join(heads)}):")
    if dice.chance(0.02):
        g.line('"""Work on the arguments."""')
    write_body(g, g.config.max_statements, may_raise=may_raise)
    g.close()
    return f"{name}({', '.join(arguments)})"


def knowledge(name: str, value: object) -> Expr:
    """Return what is known of a variable that holds ``value``."""
    if isinstance(value, bool) or value is None:
        return Expr(name, mag=1)
    if isinstance(value, int | float):
        return Expr(name, mag=int(abs(value)) + 1, nonneg=value >= 0)
    length = len(value) if hasattr(value, "__len__") else 0
    return Expr(name, mag=length, min_len=length, elem=_element_bound(value))


def _element_bound(value: object) -> int:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return 1
    bound = 1
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, bool) or item is None:
            continue
        bound = max(bound, int(abs(item)) + 1 if isinstance(item, int | float) else len(item))
    return bound


_LOOPING = Table([(34, for_loop), (9, while_loop), (19, branch), (5, handle), (5, guard), (2, missing)])


def write_body(g: Writer, budget: int, *, may_raise: bool = False) -> tuple[Type, Expr]:
    """Write statements and the return; return the result's type and what is known of it."""
    dice = g.dice
    count = dice.integer(1, budget)
    failing = dice.integer(0, count - 1) if may_raise else -1
    compound = 0
    position = 0
    for _ in range(count * 5):
        if position >= count:
            break
        if position == failing:
            position += fail(g)
            continue
        if g.functions and dice.chance(0.45) and use_helper(g):
            position += 1
            continue
        share = 0.4 + 0.35 * g.config.size
        if g.config.loops and compound < 1 + round(2 * g.config.size) and dice.chance(share):
            done = dice.weighted(_LOOPING)(g)
            compound += done
        else:
            done = dice.weighted(STRAIGHT if g.loop_depth == 0 else SIMPLE)(g)
        position += done
    return write_return(g)


def write_return(g: Writer) -> tuple[Type, Expr]:
    """Write the final return, preferably of something that was computed and not yet used."""
    dice = g.dice
    if any(function.name not in g.called for function in g.functions):
        use_helper(g)
    fresh = [var for var in g.vars if var.fresh]
    if g.result_type is not None:
        same = [var for var in fresh if var.type == g.result_type]
        expr = same[-1].expr() if same and dice.chance(0.8) else g.expr(g.result_type)
        g.line(f"return {expr.text}")
        return g.result_type, expr
    if not fresh or dice.chance(0.12):
        fresh = g.vars[-2:]
    if len(fresh) >= 2 and dice.chance(0.4):
        chosen = fresh[-2:] if dice.chance(0.7) else dice.sample(fresh, min(len(fresh), 3))
        left, right = dice.pick((("", ""), ("(", ")"), ("[", "]"), ("", "")))
        g.line(f"return {left}{', '.join(var.name for var in chosen)}{right}")
        if left != "[":
            return Type("tuple", tuple(var.type for var in chosen)), Expr(
                "", mag=len(chosen), elem=max(v.mag for v in chosen)
            )
        alike = all(var.type == chosen[0].type for var in chosen)
        listed = Type("list", (chosen[0].type,)) if alike else Type("opaque")
        return listed, Expr("", mag=len(chosen), elem=40)
    var = fresh[-1]
    if dice.chance(0.62):
        expr = var.expr()
        g.line(f"return {expr.text}")
        return var.type, expr
    type_ = dice.pick((var.type, STR, INT, BOOL, var.type))
    expr = g.expr(type_)
    g.line(f"return {expr.text}")
    return type_, expr
