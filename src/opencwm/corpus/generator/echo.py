"""Echo programs: they move their arguments and compute next to nothing.

Everything a model writes in such a trace is a copy of what stands in its context, often a long string
whose characters never repeat. A model that fails on them cannot do anything else, so every curriculum
starts with them and keeps some.
"""

from __future__ import annotations

from collections.abc import Callable

from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.literals import COPY_TEXTURES
from opencwm.corpus.generator.types import INT, STR, Type, dict_of, list_of, tuple_of
from opencwm.corpus.generator.writer import Writer

_TYPES: Table[Type] = Table(
    [
        (50, STR),
        (16, INT),
        (9, list_of(STR)),
        (9, list_of(INT)),
        (5, tuple_of(STR, INT)),
        (3, tuple_of(INT, STR, STR)),
        (5, dict_of(STR, STR)),
        (4, dict_of(STR, INT)),
        (2, list_of(list_of(INT))),
        (2, Type("float")),
        (1, Type("bool")),
        (1, Type("none")),
    ]
)


def echo_value(g: Writer, type_: Type, *, room: int = 40) -> object:
    """Return a value to be copied: long strings, integers of many digits, containers of those."""
    dice = g.dice
    if type_ == STR:
        return g.literals.text(min_len=1, max_len=room, textures=COPY_TEXTURES)
    if type_ == INT:
        magnitude = 10 ** dice.integer(1, 12)
        return dice.integer(-magnitude if dice.chance(0.2) else 0, magnitude)
    if type_.kind == "list":
        inner_room = 10 if type_.args[0] == STR else room
        return [echo_value(g, type_.args[0], room=inner_room) for _ in range(dice.integer(1, 4))]
    if type_.kind == "tuple":
        return tuple(echo_value(g, argument, room=12) for argument in type_.args)
    if type_.kind == "dict":
        return {
            g.literals.text(min_len=1, max_len=6, textures=COPY_TEXTURES): echo_value(
                g, type_.args[1], room=10
            )
            for _ in range(dice.integer(1, 3))
        }
    return g.literals.value(type_)


def write_echo(g: Writer) -> str:
    """Write an echo module; return the call that starts it."""
    dice = g.dice
    count = dice.weighted(_COUNTS)
    types = [dice.weighted(_TYPES) for _ in range(count)]
    room = 44 if count == 1 else 24 if count == 2 else 14
    values = [g.literals.source(echo_value(g, type_, room=room)) for type_ in types]
    function = g.function_name()
    names = [g.name(type_) for type_ in types]
    inner = dice.chance(0.12)
    g.open(f"def {function}({', '.join(names)}):")
    result = dice.weighted(_BODIES)(g, names, types)
    g.line(f"return {result}")
    g.close()
    if not inner:
        return f"{function}({', '.join(values)})"
    outer = g.function_name()
    g.lines.append("")
    g.taken = set()
    names = [g.name(type_) for type_ in types]
    g.open(f"def {outer}({', '.join(names)}):")
    g.line(f"return {function}({', '.join(names)})")
    g.close()
    return f"{outer}({', '.join(values)})"


def _plain(g: Writer, names: list[str], types: list[Type]) -> str:  # noqa: ARG001 - one signature for all bodies
    return names[0] if len(names) == 1 else ", ".join(names)


def _assigned(g: Writer, names: list[str], types: list[Type]) -> str:
    current = list(names)
    for _ in range(g.dice.integer(1, 3)):
        position = g.dice.integer(0, len(current) - 1)
        name = g.name(types[position])
        g.line(f"{name} = {current[position]}")
        current[position] = name
    return g.dice.pick(current) if g.dice.chance(0.5) else ", ".join(g.dice.shuffled(current))


def _collected(g: Writer, names: list[str], types: list[Type]) -> str:  # noqa: ARG001 - one signature for all bodies
    items = [g.dice.pick(names) for _ in range(g.dice.integer(1, 3))]
    draw = g.dice.random()
    if draw < 0.35:
        display = f"[{', '.join(items)}]"
    elif draw < 0.7:
        display = f"({', '.join(items)},)" if len(items) == 1 else f"({', '.join(items)})"
    else:
        display = "{" + ", ".join(f"{g.literals.quoted(g.literals.key())}: {item}" for item in items) + "}"
    if g.dice.chance(0.5):
        name = g.name(list_of(STR))
        g.line(f"{name} = {display}")
        return name
    return display


def _swapped(g: Writer, names: list[str], types: list[Type]) -> str:
    if len(names) < 2:
        return _assigned(g, names, types)
    g.line(f"{names[0]}, {names[1]} = {names[1]}, {names[0]}")
    return g.dice.pick((f"{names[0]}, {names[1]}", names[0], f"[{names[0]}, {names[1]}]"))


def _constant(g: Writer, names: list[str], types: list[Type]) -> str:  # noqa: ARG001 - one signature for all bodies
    type_ = g.dice.weighted(_TYPES)
    name = g.name(type_)
    g.line(f"{name} = {g.literals.source(echo_value(g, type_, room=24))}")
    return g.dice.pick((name, f"{name}, {names[0]}", f"{names[0]}, {name}"))


def _joined(g: Writer, names: list[str], types: list[Type]) -> str:
    texts = [name for name, type_ in zip(names, types, strict=True) if type_ == STR]
    if not texts:
        return _assigned(g, names, types)
    other = g.literals.quoted(g.literals.text(min_len=1, max_len=8, textures=COPY_TEXTURES))
    right = g.dice.pick(texts) if g.dice.chance(0.4) else other
    expr = g.dice.pick((f"{texts[0]} + {right}", f"{right} + {texts[0]}"))
    if g.dice.chance(0.5):
        name = g.name(STR)
        g.line(f"{name} = {expr}")
        return name
    return expr


_Body = Callable[[Writer, list[str], list[Type]], str]
_COUNTS: Table[int] = Table([(62, 1), (28, 2), (10, 3)])
_BODIES: Table[_Body] = Table(
    [(26, _plain), (30, _assigned), (14, _collected), (10, _swapped), (12, _constant), (8, _joined)]
)
