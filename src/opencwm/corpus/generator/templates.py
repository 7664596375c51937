"""A small language for algorithms that people write over and over, and its expansion into a function.

An idiom is text with holes, so that one gives thousands of different functions:

``$name``
    a local name; the idiom says what kind of thing it is, the program picks a fitting identifier.
``<<a||b||c>>``
    one of the alternatives; they nest and may span lines; an empty one drops its line.
``~lo:hi~`` / ``~k=lo:hi~`` / ``~k~``
    a random integer; bound to ``k``; the bound one again.
``%k=word%`` / ``%k=char%`` / ``%k%``
    a random string literal; bound; the bound one again.
``?type name:type name:type?``
    a generated expression of the type over these variables, as deep as the program's size allows.

A parameter is written ``name:kind``, then ``+`` when it must not be empty, ``<=N`` to bound it, ``=text``
for a default, ``~sampler`` to draw the arguments of the program's own call from one of :data:`SAMPLERS`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Final

from opencwm.corpus.generator.samplers import SAMPLERS
from opencwm.corpus.generator.types import (
    BOOL,
    COUNTS,
    FLOAT,
    INT,
    INTS,
    NONE,
    STR,
    STRS,
    Type,
    dict_of,
    list_of,
    set_of,
    tuple_of,
)
from opencwm.corpus.generator.vocabulary import CLASS_NAMES, EXCEPTION_NAMES, INDEX_NAMES, METHODS, WORDS
from opencwm.corpus.generator.writer import Expr, Function, Param, Writer

KINDS: Final[dict[str, Type]] = {
    "int": INT,
    "nat": INT,
    "float": FLOAT,
    "bool": BOOL,
    "str": STR,
    "char": STR,
    "ints": INTS,
    "strs": STRS,
    "floats": list_of(FLOAT),
    "counts": COUNTS,
    "labels": dict_of(STR, STR),
    "groups": dict_of(STR, STRS),
    "lengths": dict_of(INT, STRS),
    "grid": list_of(INTS),
    "lists": list_of(STRS),
    "pairs": list_of(tuple_of(STR, INT)),
    "points": list_of(tuple_of(INT, INT)),
    "pair": tuple_of(INT, INT),
    "intset": set_of(INT),
    "strset": set_of(STR),
    "none": NONE,
    "any": Type("opaque"),
}
"""Kinds that idioms may name."""


@dataclasses.dataclass(frozen=True)
class Idiom:
    """An algorithm with holes.

    Attributes:
        params: the entry function's parameters, separated by spaces.
        result: kind of what it returns, ``any`` when no other function can use it.
        names: the other local names, ``name:kind``; ``index`` for an index, ``class``, ``method``,
            ``error`` for those.
        text: one or more functions or classes; the last function is ``$F`` and takes ``params``.
        cost: steps a typical call takes.
        size: least size at which it is used.
    """

    params: str
    result: str
    names: str
    text: str
    cost: int = 25
    size: float = 0.3


_PARAMETER: Final = re.compile(r"(\w+):(\w+)(\+)?(?:<=(\d+))?(?:=([^~\s]+))?(?:~(\w+))?")
_CHOICE: Final = re.compile(r"<<((?:(?!<<|>>).)*)>>", re.DOTALL)
_NUMBER: Final = re.compile(r"~(?:(\w+)=)?(-?\d+):(-?\d+)~")
_TEXT: Final = re.compile(r"%(?:(\w+)=)?(word|char|key|text)%")
_HOLE: Final = re.compile(r"\?(\w+) ([^?\n]*)\?")
_NAME: Final = re.compile(r"\?\w+ [^?\n]*\?|\$(\w+)")  # holes for expressions name their variables themselves
_DEFAULT_LIMITS: Final = {"int": 40, "str": 14, "list": 8, "dict": 6, "set": 8}


def write_idiom(g: Writer, idiom: Idiom) -> tuple[Function, Callable[[], list[str]]]:
    """Write an idiom's functions; return its entry and what draws the arguments of a call from outside."""
    parameters = dict(_parameter(g, match) for match in _PARAMETER.finditer(idiom.params))
    names = {hole: param.name for hole, param in parameters.items()}
    text = idiom.text.strip("\n")
    while _CHOICE.search(text):
        text = _CHOICE.sub(lambda match: g.dice.pick(match.group(1).split("||")), text)
    for spec in idiom.names.split():
        hole, kind = spec.split(":")
        if f"${hole}" in text:
            names[hole] = _local_name(g, kind)
    names.setdefault("F", g.function_name())
    for hole in ("G", "H"):
        if f"${hole}" in text:
            names[hole] = g.function_name()
    bound: dict[str, str] = {}
    text = _NAME.sub(lambda match: names[match.group(1)] if match.group(1) else match.group(), text)
    text = _fill(g, text, bound)  # after the names: a drawn string may hold a dollar sign
    text = _HOLE.sub(lambda match: _expression(g, match, names, parameters), text)
    for line in text.split("\n"):
        if line.strip() or not line:
            g.line(line.rstrip())
    function = Function(
        names["F"], tuple(parameters.values()), KINDS[idiom.result], mag=1000, elem=60, cost=idiom.cost
    )

    def arguments() -> list[str]:
        return [
            _sample(g, param) for param in parameters.values() if param.default is None or g.dice.chance(0.5)
        ]

    return function, arguments


def _parameter(g: Writer, match: re.Match[str]) -> tuple[str, Param]:
    hole, kind, some, limit, default, sampler = match.groups()
    type_ = KINDS[kind]
    name = g.name(type_ if type_.kind != "opaque" else STRS)
    max_mag = int(limit) if limit else _DEFAULT_LIMITS.get(type_.kind, 0)
    nonneg = kind == "nat"
    return hole, Param(name, type_, int(bool(some)), nonneg, max_mag, default, sampler or "")


def _local_name(g: Writer, kind: str) -> str:
    dice = g.dice
    if kind == "index":
        return g.name(INT, candidates=INDEX_NAMES)
    if kind == "class":
        return _module_name(g, CLASS_NAMES)
    if kind == "error":
        return _module_name(g, EXCEPTION_NAMES)
    if kind == "method":
        return g.name(STR, candidates=METHODS)
    if kind == "loopchar":
        return g.name(STR, candidates=("c", "ch", "char", "letter", "x", "symbol", "sym"))
    if kind.startswith("loop"):
        return g.name(KINDS[kind[4:]], loop=True)
    if "|" in kind:
        return g.name(STR, candidates=kind.split("|"))
    type_ = KINDS[kind]
    return g.name(type_ if type_.kind != "opaque" else dice.pick((STR, INT)))


def _module_name(g: Writer, pool: tuple[str, ...]) -> str:
    name = g.name(STR, candidates=pool)
    g.module_names.add(name)
    return name


def _fill(g: Writer, text: str, bound: dict[str, str]) -> str:
    """Replace the holes for numbers and strings."""
    dice = g.dice

    def number(match: re.Match[str]) -> str:
        value = str(dice.integer(int(match.group(2)), int(match.group(3))))
        if match.group(1):
            bound[match.group(1)] = value
        return value

    def string(match: re.Match[str]) -> str:
        kind = match.group(2)
        if kind == "word":
            value = dice.pick(WORDS)
        elif kind == "char":
            value = dice.pick("abcdefghijklmnopqrstuvwxyz-_.,:;*#/+ 0123")
        elif kind == "key":
            value = g.literals.key()
        else:
            value = g.literals.text(min_len=1, max_len=10)
        quoted = g.literals.quoted(value)
        if match.group(1):
            bound[match.group(1)] = quoted
        return quoted

    text = _TEXT.sub(string, _NUMBER.sub(number, text))
    for key, value in bound.items():
        text = text.replace(f"~{key}~", value).replace(f"%{key}%", value)
    if g.literals.double_quotes:
        text = text.replace("''", '""') if "'''" not in text else text
    return text


def _expression(g: Writer, match: re.Match[str], names: dict[str, str], types: dict[str, Param]) -> str:
    """Return a generated expression over the variables a hole lists."""
    outside = g.vars
    g.vars = []
    for spec in match.group(2).split():
        hole, _, kind = spec.partition(":")
        name, known = names[hole.lstrip("$")], Expr("", mag=30, elem=12)
        param = types.get(hole.lstrip("$"))
        type_ = KINDS[kind] if kind else param.type if param is not None else INT
        if kind == "char":
            known = Expr("", mag=1, min_len=1)
        elif param is not None:
            known = Expr("", mag=param.max_mag or 30, min_len=param.min_len, nonneg=param.nonneg, elem=12)
        elif kind == "nat":
            known = Expr("", mag=12, nonneg=True)
        elif kind == "str":
            known = Expr("", mag=8)
        var = g.declare(name, type_, known, frozen=True)
        var.fresh = True
    wanted = KINDS[match.group(1)]
    expr = g.condition(2) if wanted == BOOL else g.expr(wanted, max(1, g.config.expression_depth - 1))
    g.vars = outside
    return expr.text if expr.prec >= 9 or wanted == BOOL else f"({expr.text})"


# -- arguments -------------------------------------------------------------------------------------


def _sample(g: Writer, param: Param) -> str:
    if param.sampler:
        return g.literals.source(SAMPLERS[param.sampler](g))
    if param.type == INT:
        high = min(param.max_mag or 60, 60)
        low = 0 if param.nonneg else -high // 3
        return str(g.dice.integer(low, high))
    if param.type == NONE or param.type.kind == "opaque":
        return g.literals.source(g.literals.value(g.random_type()))
    value = g.literals.value(
        param.type, min_len=max(param.min_len, int(g.dice.chance(0.9))), max_len=min(param.max_mag or 7, 9)
    )
    if param.type == STR and param.max_mag and isinstance(value, str) and len(value) > param.max_mag:
        value = value[: param.max_mag]
    return g.literals.source(value)
