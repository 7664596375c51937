"""Calls of functions of the module, with arguments that fit what each parameter asks."""

from __future__ import annotations

from opencwm.corpus.generator.samplers import SAMPLERS
from opencwm.corpus.generator.types import INT
from opencwm.corpus.generator.writer import Expr, Function, Param, Writer

MAX_COST = 90
"""Most steps a body may be expected to take before it stops calling other functions."""


def build_call(g: Writer, function: Function, depth: int) -> Expr | None:
    """Return a call of ``function``; None when the run would be too long or an argument cannot be had."""
    iterations = 6**g.loop_depth
    if g.cost + function.cost * iterations > MAX_COST:
        return None
    arguments = []
    for param in function.params:
        if param.default is not None and g.dice.chance(0.5):
            break
        argument = argument_for(g, param, depth)
        if argument is None:
            return None
        by_keyword = param.default is not None and g.dice.chance(0.5)
        arguments.append(f"{param.name}={argument.text}" if by_keyword else argument.text)
        if by_keyword:
            break
    g.cost += function.cost * iterations
    g.called.add(function.name)
    return Expr(f"{function.name}({', '.join(arguments)})", mag=function.mag, elem=function.elem)


def argument_for(g: Writer, param: Param, depth: int) -> Expr | None:
    """Return an argument that fits a parameter, or None."""
    if param.sampler and (param.type.kind == "opaque" or g.dice.chance(0.5)):
        return Expr(g.literals.source(SAMPLERS[param.sampler](g)))
    if param.type.kind == "opaque":
        return None
    if param.type == INT and (param.nonneg or param.max_mag):
        for var in g.dice.shuffled(g.candidates(INT)):
            if (var.nonneg or not param.nonneg) and (not param.max_mag or var.mag <= param.max_mag):
                return var.expr()
        return g.small_int(0 if param.nonneg else -5, min(param.max_mag or 12, 12))
    for _ in range(3):
        found = g.expr(param.type, min(depth, 1) if g.dice.chance(0.35) else 0, min_len=param.min_len)
        if not param.max_mag or found.mag <= param.max_mag:
            return found
    return None
