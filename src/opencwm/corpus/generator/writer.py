"""The state of a program being written: its lines, the variables in scope, and what is known about each.

A light static analysis rides along with every expression (a bound on its size, a least length, its sign),
so that most programs run, nothing explodes, and nothing has to be executed while writing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from opencwm.corpus.generator.config import GeneratorConfig
from opencwm.corpus.generator.dice import Dice, Table
from opencwm.corpus.generator.literals import Literals
from opencwm.corpus.generator.types import BOOL, FLOAT, INT, SIZED_KINDS, STR, Type
from opencwm.corpus.generator.vocabulary import (
    FUNCTION_NOUNS,
    FUNCTION_VERBS,
    INDEX_NAMES,
    LOOP_NAMES,
    MODIFIERS,
    NOUNS,
    RESERVED,
    SHORT_FUNCTIONS,
    names_for,
)

# Binding strength of an expression's outermost operator, weakest first.
COND, OR, AND, NOT, CMP, BIT_OR, BIT_XOR, BIT_AND, SHIFT, ADD, MUL, UNARY, POW, ATOM = range(14)

BIG_INT = 10**7
"""Integers whose bound is above this are not multiplied further."""
LONG = 40
"""Strings and containers whose bound is above this are not grown further."""


class Expr:
    """An expression's source and what is known of its value.

    Attributes:
        text: source.
        prec: binding strength of the outermost operator.
        mag: bound on the absolute value of a number, or on the length of a sized value; approximate.
        min_len: least length of a sized value.
        nonneg: whether a number is known to be at least 0.
        elem: ``mag`` of the elements of a container.
    """

    __slots__ = ("elem", "mag", "min_len", "nonneg", "prec", "text")

    def __init__(
        self,
        text: str,
        prec: int = ATOM,
        *,
        mag: int = 100,
        min_len: int = 0,
        nonneg: bool = False,
        elem: int = 100,
    ) -> None:
        self.text = text
        self.prec = prec
        self.mag = mag
        self.min_len = min_len
        self.nonneg = nonneg
        self.elem = elem

    def at(self, prec: int) -> str:
        """Return the source, in parentheses when its operator binds weaker than ``prec``."""
        return self.text if self.prec >= prec else f"({self.text})"


@dataclasses.dataclass(slots=True)
class Var:
    """A variable in scope; ``mag``, ``min_len``, ``nonneg``, ``elem`` as in :class:`Expr`.

    Attributes:
        name: identifier.
        type: its type, which never changes.
        frozen: must be neither assigned nor mutated now (a loop runs over it, or it is a loop's variable).
        fresh: not read since it was assigned.
        index_of: name of a sequence this integer is a valid index of.
        keys: source texts of keys a dictionary certainly has.
        reads: how often it was read so far.
        alias: name of another variable that may be bound to the same mutable object.
    """

    name: str
    type: Type
    mag: int = 100
    min_len: int = 0
    nonneg: bool = False
    elem: int = 100
    frozen: bool = False
    fresh: bool = True
    index_of: str = ""
    keys: tuple[str, ...] = ()
    reads: int = 0
    alias: str = ""

    def expr(self) -> Expr:
        """Return the expression that reads the variable, which then is no longer fresh."""
        self.fresh = False
        self.reads += 1
        return Expr(self.name, mag=self.mag, min_len=self.min_len, nonneg=self.nonneg, elem=self.elem)


@dataclasses.dataclass(frozen=True, slots=True)
class Param:
    """What a function asks of an argument; bounds as in :class:`Expr`, ``sampler`` draws fitting literals."""

    name: str
    type: Type
    min_len: int = 0
    nonneg: bool = False
    max_mag: int = 0
    default: str | None = None
    sampler: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """A finished function that later ones can call."""

    name: str
    params: tuple[Param, ...]
    result: Type
    mag: int = 1000
    elem: int = 100
    cost: int = 10


Production = Callable[["Writer", int], "Expr | None"]
"""Builds an expression of one type with at most this much nesting, or gives up with None."""


class Writer:
    """Writes one module: lines, indentation, scopes, and typed expressions drawn from tables of productions.

    Args:
        dice: source of randomness.
        config: what kind of program.
        productions: for each kind of type, the weighted ways to build an expression of it.
    """

    def __init__(
        self,
        dice: Dice,
        config: GeneratorConfig,
        productions: Mapping[str, Table[Callable[..., Expr | None]]],
    ) -> None:
        self.dice = dice
        self.config = config
        self.productions = productions
        self.literals = Literals(dice, double_quotes=dice.chance(0.35))
        self.lines: list[str] = []
        self.indent = 0
        self.vars: list[Var] = []
        self.taken: set[str] = set()  # names used in the current function
        self.module_names: set[str] = set()
        self.functions: list[Function] = []
        self.loop_depth = 0
        self.result_type: Type | None = None
        self.cost = 0
        self.called: set[str] = set()

    # -- lines -------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Write one line at the current indentation."""
        self.lines.append("    " * self.indent + text)

    def open(self, header: str) -> None:
        """Write a compound statement's header and indent."""
        self.line(header)
        self.indent += 1

    def close(self) -> None:
        """End a block; an empty one gets ``pass``."""
        if (
            self.lines[-1].endswith(":")
            and len(self.lines[-1]) - len(self.lines[-1].lstrip()) < 4 * self.indent
        ):
            self.line("pass")
        self.indent -= 1

    # -- names -------------------------------------------------------------------------------------

    def name(self, type_: Type, *, loop: bool = False, candidates: Sequence[str] = ()) -> str:
        """Return a name that is free in this function, and take it."""
        dice = self.dice
        pool = candidates or (LOOP_NAMES[type_.kind] if loop else names_for(type_))
        for _ in range(6):
            if not candidates and not loop and dice.chance(0.14):
                name = f"{dice.pick(MODIFIERS)}_{dice.pick(NOUNS)}"
            else:
                name = dice.pick(pool)
            if self.is_free(name):
                self.taken.add(name)
                return name
        for suffix in range(2, 99):
            name = f"{dice.pick(pool)}{suffix}"
            if self.is_free(name):
                break
        self.taken.add(name)
        return name

    def is_free(self, name: str) -> bool:
        """Whether a name can be bound here without hiding anything."""
        return name not in self.taken and name not in self.module_names and name not in RESERVED

    def index_name(self) -> str:
        """Return a free name for a loop's index."""
        return self.name(INT, candidates=INDEX_NAMES)

    def function_name(self) -> str:
        """Return a free name for a function, and take it for the module."""
        dice = self.dice
        for _ in range(20):
            draw = dice.random()
            if draw < 0.22:
                name = dice.pick(SHORT_FUNCTIONS)
            elif draw < 0.92:
                name = f"{dice.pick(FUNCTION_VERBS)}_{dice.pick(FUNCTION_NOUNS)}"
            else:
                name = f"{dice.pick(MODIFIERS)}_{dice.pick(NOUNS)}"
            if name not in self.module_names and name not in RESERVED:
                break
        else:
            name = f"f{len(self.module_names)}"
        self.module_names.add(name)
        return name

    # -- variables ---------------------------------------------------------------------------------

    def declare(self, name: str, type_: Type, expr: Expr | None = None, *, frozen: bool = False) -> Var:
        """Put a variable in scope with what is known of the value bound to it."""
        expr = expr or Expr(name)
        var = Var(
            name, type_, mag=expr.mag, min_len=expr.min_len, nonneg=expr.nonneg, elem=expr.elem, frozen=frozen
        )
        if type_.kind in ("list", "dict", "set"):
            source = next((other for other in self.vars if other.name == expr.text), None)
            if source is not None:
                var.alias = source.alias or source.name
        self.vars.append(var)
        self.taken.add(name)
        return var

    def require_result_type(self) -> Type:
        """Return the type this function returns, settling it now when nothing was returned yet."""
        if self.result_type is None:
            typed = [var.type for var in self.vars if var.type.kind in ("int", "str", "list", "bool")]
            self.result_type = (
                self.dice.pick(typed) if typed and self.dice.chance(0.6) else self.random_type()
            )
        return self.result_type

    def assign(self, type_: Type, expr: Expr, *, name: str = "") -> Var:
        """Write ``name = expr`` for a new variable and put it in scope."""
        name = name or self.name(type_)
        self.line(f"{name} = {expr.text}")
        return self.declare(name, type_, expr)

    def candidates(self, type_: Type, *, min_len: int = 0, mutable: bool = False) -> list[Var]:
        """Return the variables of a type in scope; ``mutable`` leaves frozen ones out."""
        return [
            var
            for var in self.vars
            if var.type == type_ and var.min_len >= min_len and not (mutable and var.frozen)
        ]

    def choose(self, found: Sequence[Var]) -> Var | None:
        """Return one of the variables, fresh and recent ones more often; None when there are none."""
        if not found:
            return None
        fresh = [var for var in found if var.fresh]
        if fresh and self.dice.chance(0.75):
            return fresh[-1] if self.dice.chance(0.5) else self.dice.pick(fresh)
        return self.dice.pick(found)

    def var(self, type_: Type, *, min_len: int = 0) -> Var | None:
        """Return a variable of the type, or None."""
        return self.choose(self.candidates(type_, min_len=min_len))

    def sized(self, kinds: frozenset[str] | set[str] = SIZED_KINDS, *, min_len: int = 0) -> Var | None:
        """Return a variable whose type is one of these kinds, or None."""
        return self.choose([var for var in self.vars if var.type.kind in kinds and var.min_len >= min_len])

    # -- expressions -------------------------------------------------------------------------------

    def literal(self, type_: Type, *, min_len: int = 0, max_len: int = 5) -> Expr:
        """Return a literal of the type."""
        if type_ == INT:
            return self.small_int()
        value = self.literals.value(type_, min_len=min_len, max_len=max_len)
        text = self.literals.source(value)
        if type_ == FLOAT:
            return Expr(text, UNARY if text[0] == "-" else ATOM, mag=200)
        length = len(value) if hasattr(value, "__len__") else 0
        return Expr(text, mag=length or 1, min_len=length, elem=100 if INT in type_.args else 8)

    def small_int(self, low: int = 0, high: int = 10) -> Expr:
        """Return an integer literal, nearly always in [low, high]."""
        dice = self.dice
        number = dice.integer(low, high)
        if low >= 0 and dice.chance(0.08):
            number = dice.integer(low, 10 * high)
        text = str(number)
        return Expr(text, UNARY if number < 0 else ATOM, mag=abs(number), nonneg=number >= 0)

    def atom(self, type_: Type, *, min_len: int = 0) -> Expr:
        """Return, mostly, a variable of the type; else something short made of others; else a literal."""
        if self.dice.chance(0.88):
            var = self.var(type_, min_len=min_len)
            if var is not None:
                return var.expr()
            converted = self.converted(type_) if min_len == 0 else None
            if converted is not None:
                return converted
        return self.literal(type_, min_len=min_len)

    def converted(self, type_: Type) -> Expr | None:
        """Return a short expression of the type made of one variable of another type, or None."""
        dice = self.dice
        if type_ == INT:
            sized = self.sized()
            if sized is not None and dice.chance(0.6):
                value = sized.expr()
                return Expr(f"len({value.text})", mag=value.mag, nonneg=True)
        elif type_ == STR:
            number = self.var(INT)
            if number is not None and dice.chance(0.6):
                return Expr(f"str({number.expr().text})", mag=len(str(number.mag)) + 1, min_len=1)
        elif type_ == BOOL:
            number = self.var(INT)
            if number is not None and dice.chance(0.8):
                text = (
                    f"{number.expr().text} {dice.pick(('<', '>', '==', '>=', '!='))} {self.small_int().text}"
                )
                return Expr(text, CMP, mag=1)
            sized = self.sized()
            if sized is not None:
                return Expr(
                    f"len({sized.expr().text}) {dice.pick(('>', '<', '=='))} {dice.integer(1, 6)}", CMP, mag=1
                )
        elif type_ == FLOAT:
            number = self.var(INT)
            if number is not None:
                return Expr(f"{number.expr().text} / {dice.pick((2, 4, 5, 10))}", MUL, mag=number.mag)
        return None

    def expr(self, type_: Type, depth: int | None = None, *, min_len: int = 0) -> Expr:
        """Return an expression of the type, nested at most ``depth`` deep (None: as configured)."""
        if depth is None:
            depth = self.config.expression_depth
        if depth <= 0 or self.dice.chance(0.12):
            return self.atom(type_, min_len=min_len)
        table = self.productions.get(type_.kind)
        if table is None:
            return self.atom(type_, min_len=min_len)
        mark = len(self.vars)
        for _ in range(6):
            production = self.dice.weighted(table)
            reads = sum([var.reads for var in self.vars])
            found = production(self, depth - 1, type_) if type_.args else production(self, depth - 1)
            del self.vars[mark:]
            if found is None or found.min_len < min_len or found.mag >= 10 * BIG_INT:
                continue
            if mark == 0 or sum([var.reads for var in self.vars]) > reads or self.dice.chance(0.08):
                return found
        return self.atom(type_, min_len=min_len)

    def condition(self, depth: int = 1) -> Expr:
        """Return a boolean expression that reads at least one variable, where there is any."""
        for _ in range(4):
            reads = sum([var.reads for var in self.vars])
            found = self.expr(BOOL, depth)
            if sum([var.reads for var in self.vars]) > reads:
                return found
        return self.converted(BOOL) or found

    def constant_text(self, max_len: int = 3) -> Expr:
        """Return a short string literal, often a single letter."""
        dice = self.dice
        if dice.chance(0.55):
            return Expr(
                self.literals.quoted(dice.pick("aeioustrnlbcdmpx aeiou-_,.0123ABXY")), mag=1, min_len=1
            )
        text = self.literals.text(min_len=1, max_len=max_len)[: max_len + 2]
        return Expr(self.literals.quoted(text), mag=len(text), min_len=len(text))

    def random_type(self, *, scalar: bool = False) -> Type:
        """Return a type that code commonly handles."""
        return self.dice.weighted(_SCALAR_TYPES if scalar else _COMMON_TYPES)


_SCALAR_TYPES: Table[Type] = Table([(40, INT), (40, STR), (10, BOOL), (10, FLOAT)])
_COMMON_TYPES: Table[Type] = Table(
    [
        (30, STR),
        (24, INT),
        (15, Type("list", (INT,))),
        (10, Type("list", (STR,))),
        (3, BOOL),
        (4, FLOAT),
        (6, Type("dict", (STR, INT))),
        (2, Type("dict", (STR, STR))),
        (1, Type("dict", (INT, STR))),
        (1, Type("dict", (STR, Type("list", (INT,))))),
        (5, Type("set", (INT,))),
        (2, Type("set", (STR,))),
        (2, Type("list", (Type("list", (INT,)),))),
        (2, Type("list", (Type("tuple", (STR, INT)),))),
        (1, Type("list", (FLOAT,))),
        (1.5, Type("vtuple", (INT,))),
        (1, Type("vtuple", (STR,))),
        (1, Type("tuple", (INT, INT))),
        (1, Type("tuple", (STR, INT))),
    ]
)
