"""Ways to build lists, tuples, dictionaries and sets."""

from __future__ import annotations

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.dice import Dice, Table
from opencwm.corpus.generator.integer_expressions import element_type
from opencwm.corpus.generator.text_expressions import slice_text
from opencwm.corpus.generator.types import INT, INTS, STR, STRS, Type, is_hashable, is_ordered, list_of
from opencwm.corpus.generator.vocabulary import SEPARATORS
from opencwm.corpus.generator.writer import (
    ADD,
    ATOM,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    COND,
    MUL,
    OR,
    Expr,
    Var,
    Writer,
)

MAX_LENGTH = 14
"""Containers whose bound is above this are not grown further."""


def _sort_keys(dice: Dice, element: Type, name: str) -> tuple[str, ...]:
    if element == STR:
        plain = ("len", "str.lower", f"lambda {name}: {name}[-1:]", f"lambda {name}: {name}[::-1]")
        return (*plain, f"lambda {name}: (len({name}), {name})", f"lambda {name}: -len({name})")
    if element == INT:
        number = dice.integer(2, 7)
        plain = ("abs", "str", f"lambda {name}: -{name}", f"lambda {name}: {name} % {number}")
        return (*plain, f"lambda {name}: ({name} % 2, {name})", f"lambda {name}: abs({name} - {number})")
    if element.kind == "tuple":
        by_both = (f"lambda {name}: (-{name}[1], {name}[0])",) if element.args[1] == INT else ()
        return (f"lambda {name}: {name}[1]", f"lambda {name}: {name}[0]", *by_both)
    if element.kind in ("list", "vtuple"):
        return ("len", "sum") if element.args[0] == INT else ("len",)
    return ()


def sort_key(g: Writer, element: Type) -> str:
    """Return keyword arguments for ``sorted``, starting with a comma, or an empty string."""
    dice = g.dice
    parts = []
    if dice.chance(0.55):
        name = dice.pick(("x", "p", "t", "item", "v", "w", "pair", "e", "kv"))
        choices = _sort_keys(dice, element, name)
        if choices:
            parts.append(f"key={dice.pick(choices)}")
    if dice.chance(0.35):
        parts.append("reverse=True")
    return "".join(f", {part}" for part in parts)


def _bind(g: Writer, var: Var, element: Type) -> str:
    """Declare a comprehension's variable that runs over ``var`` and return its name."""
    name = g.name(element, loop=True)
    is_text = var.type.kind == "str"
    g.declare(name, element, Expr(name, mag=1 if is_text else var.elem, min_len=int(is_text)))
    return name


def iterable(g: Writer) -> Var | None:
    """Return a variable that can be iterated over in a fixed order, or None."""
    return g.choose([var for var in g.vars if var.type.kind in ("list", "str", "vtuple")])


def comprehension_parts(
    g: Writer, depth: int, body_types: tuple[Type, ...]
) -> tuple[list[Expr], str, int] | None:
    """Return the bodies, the ``for ... in ... if ...`` part and a bound on the length of a comprehension."""
    dice = g.dice
    bound: list[str] = []
    draw = dice.random()
    var = iterable(g)
    if var is None or draw < 0.16:
        name = g.name(INT, loop=True)
        g.declare(name, INT, Expr(name, mag=8, nonneg=True))
        bound.append(name)
        count = dice.integer(2, 7)
        small = g.choose([v for v in g.candidates(INT) if v.nonneg and v.mag <= 9])
        stop = (
            small.expr().text if small is not None and small.name != name and dice.chance(0.6) else str(count)
        )
        head = dice.pick(
            (f"range({stop})", f"range(1, {stop} + 1)" if not stop.isdigit() else f"range(1, {stop})")
        )
        clause, mag = f"for {name} in {head}", 9
    else:
        value = var.expr()
        element = element_type(var.type)
        if element.kind == "tuple" and dice.chance(0.8):
            names = []
            for argument in element.args:
                names.append(g.name(argument, loop=True))
                g.declare(names[-1], argument, Expr(names[-1], mag=var.elem))
            bound.extend(names)
            clause = f"for {', '.join(names)} in {value.text}"
        elif draw < 0.34:
            index = g.index_name()
            g.declare(index, INT, Expr(index, mag=12, nonneg=True)).index_of = var.name
            name = _bind(g, var, element)
            bound.extend((index, name))
            clause = f"for {index}, {name} in enumerate({value.text})"
        else:
            source = value.text
            if depth > 0 and dice.chance(0.2):
                source += slice_text(g, value.mag)[0]
            name = _bind(g, var, element)
            bound.append(name)
            clause = f"for {name} in {source}"
        mag = value.mag
    bodies = [g.expr(type_, depth) for type_ in body_types]
    if dice.chance(0.45):
        clause += f" if {g.condition(1).at(OR)}"
    for name in bound:
        g.taken.discard(name)
    return (bodies, clause, mag) if mag <= 30 else None


# -- list ------------------------------------------------------------------------------------------


def _comprehension(g: Writer, depth: int, type_: Type) -> Expr | None:
    parts = comprehension_parts(g, depth, (type_.args[0],))
    if parts is None:
        return None
    (body,), clause, mag = parts
    if type_.args[0].kind in ("list", "str") and body.mag * mag > 120:
        return None
    return Expr(f"[{body.at(COND)} {clause}]", mag=mag, elem=body.mag)


def _display(g: Writer, depth: int, type_: Type) -> Expr:
    items = [g.expr(type_.args[0], min(depth, 1)) for _ in range(g.dice.integer(1, 4))]
    elem = max(item.mag for item in items)
    if g.dice.chance(0.1):
        var = g.var(type_)
        if var is not None and var.mag <= MAX_LENGTH:
            items.insert(g.dice.integer(0, len(items)), Expr(f"*{var.expr().text}"))
            return Expr(f"[{', '.join(item.text for item in items)}]", mag=len(items) + var.mag, elem=elem)
    return Expr(f"[{', '.join(item.text for item in items)}]", mag=len(items), min_len=len(items), elem=elem)


def _sorted(g: Writer, depth: int, type_: Type) -> Expr | None:
    element = type_.args[0]
    if not is_ordered(element):
        return None
    if element == STR and g.dice.chance(0.3):
        inner = g.expr(STR, depth)
        return (
            None
            if inner.mag > 20
            else Expr(f"sorted({inner.text})", mag=inner.mag, elem=1, min_len=inner.min_len)
        )
    found = [v for v in g.vars if v.type.kind in ("list", "set", "vtuple") and v.type.args[0] == element]
    var = g.choose(found)
    if var is None:
        return None
    value = var.expr()
    source = value.text
    min_len = value.min_len
    if element.kind in ("int", "str") and var.type.kind != "set" and g.dice.chance(0.15):
        source, min_len = f"set({source})", min(min_len, 1)
        return Expr(f"sorted({source})", mag=value.mag, elem=value.elem, min_len=min_len)
    key = sort_key(g, element) if var.type.kind != "set" else g.dice.pick(("", ", reverse=True"))
    return Expr(f"sorted({source}{key})", mag=value.mag, elem=value.elem, min_len=min_len)


def _list_slice(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(type_)
    if var is None:
        return None
    value = var.expr()
    text, mag = slice_text(g, value.mag)
    return Expr(
        f"{value.text}{text}",
        mag=mag,
        elem=value.elem,
        min_len=value.min_len if text in ("[::-1]", "[:]") else 0,
    )


def _list_concatenate(g: Writer, depth: int, type_: Type) -> Expr | None:
    left = g.atom(type_)
    right = g.atom(type_) if g.dice.chance(0.4) else _display(g, 0, type_)
    if left.mag + right.mag > MAX_LENGTH:
        return None
    if g.dice.chance(0.15) and depth > 0:
        return Expr(f"{right.text} * {g.dice.integer(2, 3)}", MUL, mag=right.mag * 3, elem=right.elem)
    mag = left.mag + right.mag
    return Expr(
        f"{left.at(ADD)} + {right.at(MUL)}",
        ADD,
        mag=mag,
        min_len=left.min_len + right.min_len,
        elem=max(left.elem, right.elem),
    )


def _from_text(g: Writer, depth: int, type_: Type) -> Expr | None:
    if type_ != STRS:
        return None
    inner = g.expr(STR, min(depth, 1)) if g.dice.chance(0.25) else g.atom(STR)
    if inner.mag > 24:
        return None
    draw = g.dice.random()
    if draw < 0.3:
        return Expr(f"list({inner.text})", mag=inner.mag, elem=1, min_len=inner.min_len)
    if draw < 0.55:
        return Expr(f"{inner.at(ATOM)}.split()", mag=inner.mag // 2 + 1, elem=8)
    if draw < 0.88:
        separator = g.literals.quoted(g.dice.pick([mark for mark in SEPARATORS if mark]))
        limit = f", {g.dice.integer(1, 2)}" if g.dice.chance(0.15) else ""
        method = "rsplit" if g.dice.chance(0.1) else "split"
        return Expr(
            f"{inner.at(ATOM)}.{method}({separator}{limit})", mag=inner.mag // 2 + 1, elem=8, min_len=1
        )
    return Expr(f"{inner.at(ATOM)}.splitlines()", mag=3, elem=12)


def _range_list(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    if type_ != INTS:
        return None
    low = g.dice.integer(0, 4)
    count = g.dice.integer(2, 6)
    step = g.dice.pick((1, 1, 1, 2, 3))
    draw = g.dice.random()
    if draw < 0.4:
        text = f"range({count})"
    elif draw < 0.7:
        text = f"range({low}, {low + count * step}{f', {step}' if step > 1 else ''})"
    elif draw < 0.85:
        text = f"range({low + count * step}, {low}, -{step})"
    else:
        var = g.choose([v for v in g.candidates(INT) if v.nonneg and v.mag <= 10])
        if var is None:
            return None
        return Expr(f"list(range({var.expr().text}))", mag=10, elem=10)
    return Expr(f"list({text})", mag=count, min_len=1 if draw < 0.4 else 0, elem=30)


def _from_dict(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    element = type_.args[0]
    options = []
    for var in g.vars:
        if var.type.kind != "dict":
            continue
        key, value = var.type.args
        if key == element:
            options.append((var, f"list({var.name})"))
            options.append((var, f"list({var.name}.keys())"))
            options.append((var, f"sorted({var.name})"))
        if value == element:
            options.append((var, f"list({var.name}.values())"))
            if is_ordered(value):
                options.append((var, f"sorted({var.name}.values())"))
        if element.kind == "tuple" and element.args == (key, value):
            options.append((var, f"list({var.name}.items())"))
            options.append((var, f"sorted({var.name}.items(){sort_key(g, element)})"))
    if not options:
        return None
    var, text = g.dice.pick(options)
    var.fresh = False
    return Expr(text, mag=var.mag, min_len=var.min_len, elem=10)


def _pairs(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    element = type_.args[0]
    if element.kind != "tuple" or len(element.args) != 2:
        return None
    first, second = element.args
    seconds = [
        v for v in g.vars if v.type.kind in ("list", "str", "vtuple") and element_type(v.type) == second
    ]
    if first == INT and seconds and g.dice.chance(0.5):
        var = g.dice.pick(seconds)
        return Expr(f"list(enumerate({var.expr().text}))", mag=var.mag, min_len=var.min_len)
    firsts = [v for v in g.vars if v.type.kind in ("list", "str", "vtuple") and element_type(v.type) == first]
    if not firsts or not seconds:
        return None
    left, right = g.dice.pick(firsts), g.dice.pick(seconds)
    return Expr(f"list(zip({left.expr().text}, {right.expr().text}))", mag=min(left.mag, right.mag))


def _mapped(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    element = type_.args[0]
    source = g.choose([v for v in g.vars if v.type.kind in ("list", "vtuple", "str")])
    if source is None or source.mag > 16:
        return None
    inner = element_type(source.type)
    name = g.dice.pick(("x", "v", "n", "w", "t"))
    if element == INT and inner == STR:
        function = g.dice.pick(
            ("len", "len", f"lambda {name}: len({name}) + 1") + (("ord",) if source.type == STR else ())
        )
    elif element == STR and inner == STR:
        function = g.dice.pick(
            (
                "str.upper",
                "str.strip",
                "str.title",
                f"lambda {name}: {name}[::-1]",
                f"lambda {name}: {name} * 2",
            )
        )
    elif element == STR and inner == INT:
        function = "str"
    elif element == INT and inner == INT:
        function = g.dice.pick(
            ("abs", f"lambda {name}: {name} * {name}", f"lambda {name}: {name} + {g.dice.integer(1, 9)}")
        )
    else:
        return None
    if element == inner and g.dice.chance(0.3):
        test = f"{name} % 2 == 0" if element == INT else f"len({name}) > 2"
        return Expr(
            f"list(filter(lambda {name}: {test}, {source.expr().text}))", mag=source.mag, elem=source.elem
        )
    return Expr(
        f"list(map({function}, {source.expr().text}))",
        mag=source.mag,
        min_len=source.min_len,
        elem=source.elem,
    )


def _reversed(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(type_)
    if var is None:
        return None
    function = g.dice.pick(("list(reversed({}))", "list({})", "{}.copy()"))
    value = var.expr()
    return Expr(function.format(value.text), mag=value.mag, min_len=value.min_len, elem=value.elem)


def _inner_list(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(list_of(type_), min_len=1)
    if var is not None:
        return Expr(f"{var.expr().text}[{g.dice.pick((0, -1))}]", mag=3, elem=var.elem)
    found = g.choose([v for v in g.vars if v.type.kind == "dict" and v.type.args[1] == type_])
    if found is None:
        return None
    key = g.dice.pick(found.keys) if found.keys else g.atom(found.type.args[0]).text
    return Expr(f"{found.expr().text}.get({key}, [])", mag=4)


def _container_call(g: Writer, depth: int, type_: Type) -> Expr | None:
    found = [function for function in g.functions if function.result == type_]
    return build_call(g, g.dice.pick(found), depth) if found else None


# -- tuple -----------------------------------------------------------------------------------------


def _tuple_display(g: Writer, depth: int, type_: Type) -> Expr:
    items = [g.expr(argument, min(depth, 1)) for argument in type_.args]
    tail = "," if len(items) == 1 else ""
    return Expr(
        f"({', '.join(item.text for item in items)}{tail})",
        mag=len(items),
        min_len=len(items),
        elem=max(i.mag for i in items),
    )


def _tuple_element(g: Writer, depth: int, type_: Type) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(list_of(type_), min_len=1)
    if var is not None:
        draw = g.dice.random()
        if draw < 0.5 and is_ordered(type_):
            return Expr(
                f"{g.dice.pick(('min', 'max'))}({var.expr().text})", mag=len(type_.args), elem=var.elem
            )
        return Expr(f"{var.expr().text}[{g.dice.pick((0, -1))}]", mag=len(type_.args), elem=var.elem)
    if type_.args == (INT, INT):
        return Expr(f"divmod({g.atom(INT).text}, {g.dice.integer(2, 9)})", mag=2, elem=100)
    return None


def _vtuple(g: Writer, depth: int, type_: Type) -> Expr | None:
    element = type_.args[0]
    if g.dice.chance(0.6):
        inner = g.expr(list_of(element), depth)
        return Expr(f"tuple({inner.text})", mag=inner.mag, min_len=inner.min_len, elem=inner.elem)
    var = g.var(type_)
    if var is None:
        return None
    value = var.expr()
    if g.dice.chance(0.5):
        return Expr(
            f"{value.text} + ({g.expr(element, 0).text},)",
            ADD,
            mag=value.mag + 1,
            min_len=value.min_len + 1,
            elem=value.elem,
        )
    return Expr(f"{value.text}[{g.dice.pick(('1:', ':-1', '::-1', ':2'))}]", mag=value.mag, elem=value.elem)


# -- dict ------------------------------------------------------------------------------------------


def _dict_comprehension(g: Writer, depth: int, type_: Type) -> Expr | None:
    if not is_hashable(type_.args[0]):
        return None
    if g.dice.chance(0.3):
        var = g.choose([v for v in g.vars if v.type.kind == "dict" and v.type.args[0] == type_.args[0]])
        if var is not None:
            key, value = (
                g.name(var.type.args[0], candidates=("k", "key", "name")),
                g.name(var.type.args[1], loop=True),
            )
            g.declare(key, var.type.args[0], Expr(key, mag=8))
            g.declare(value, var.type.args[1], Expr(value, mag=var.elem))
            body = g.expr(type_.args[1], depth)
            tail = f" if {g.condition(1).at(OR)}" if g.dice.chance(0.5) else ""
            g.taken.discard(key)
            g.taken.discard(value)
            return Expr(
                f"{{{key}: {body.text} for {key}, {value} in {var.expr().text}.items(){tail}}}",
                mag=var.mag,
                elem=body.mag,
            )
    parts = comprehension_parts(g, min(depth, 1), type_.args)
    if parts is None:
        return None
    (key_expr, value_expr), clause, mag = parts
    return Expr(f"{{{key_expr.text}: {value_expr.text} {clause}}}", mag=mag, elem=value_expr.mag)


def _dict_zip(g: Writer, depth: int, type_: Type) -> Expr | None:
    keys = g.choose(
        [v for v in g.vars if v.type.kind in ("list", "str") and element_type(v.type) == type_.args[0]]
    )
    if keys is None:
        return None
    if type_.args[1] == INT and g.dice.chance(0.3):
        return Expr(f"dict.fromkeys({keys.expr().text}, {g.dice.integer(0, 1)})", mag=keys.mag, elem=1)
    values = g.expr(list_of(type_.args[1]), min(depth, 1))
    return Expr(f"dict(zip({keys.expr().text}, {values.text}))", mag=keys.mag, elem=values.elem)


def _dict_copy(g: Writer, depth: int, type_: Type) -> Expr | None:
    var = g.var(type_)
    if var is None:
        return None
    value = var.expr()
    draw = g.dice.random()
    if draw < 0.4:
        form = g.dice.pick(("dict({})", "{}.copy()"))
        return Expr(form.format(value.text), mag=value.mag, min_len=value.min_len, elem=value.elem)
    key, item = g.expr(type_.args[0], 0), g.expr(type_.args[1], min(depth, 1))
    return Expr(
        f"{{**{value.text}, {key.text}: {item.text}}}",
        mag=value.mag + 1,
        min_len=1,
        elem=max(value.elem, item.mag),
    )


def _dict_display(g: Writer, depth: int, type_: Type) -> Expr:
    key_type, value_type = type_.args
    pairs = {}
    for _ in range(g.dice.integer(1, 3)):
        key = g.literals.quoted(g.literals.key()) if key_type == STR else g.expr(key_type, 0).text
        pairs[key] = g.expr(value_type, min(depth, 1))
    body = ", ".join(f"{key}: {value.text}" for key, value in pairs.items())
    return Expr(f"{{{body}}}", mag=len(pairs), min_len=1, elem=max(value.mag for value in pairs.values()))


# -- set -------------------------------------------------------------------------------------------


def _set_of(g: Writer, depth: int, type_: Type) -> Expr | None:
    element = type_.args[0]
    source = g.choose(
        [v for v in g.vars if v.type.kind in ("list", "vtuple", "str") and element_type(v.type) == element]
    )
    if source is not None and g.dice.chance(0.7):
        return Expr(f"set({source.expr().text})", mag=source.mag, elem=source.elem)
    parts = comprehension_parts(g, min(depth, 1), (element,))
    return (
        None
        if parts is None
        else Expr(f"{{{parts[0][0].text} {parts[1]}}}", mag=parts[2], elem=parts[0][0].mag)
    )


def _set_operation(g: Writer, depth: int, type_: Type) -> Expr | None:
    found = g.candidates(type_)
    if not found:
        return None
    left = g.dice.pick(found).expr()
    right = (
        g.dice.pick(found).expr() if len(found) > 1 and g.dice.chance(0.7) else g.expr(type_, min(depth, 1))
    )
    mag = left.mag + right.mag
    if g.dice.chance(0.4):
        operator, prec = g.dice.pick((("|", BIT_OR), ("&", BIT_AND), ("-", ADD), ("^", BIT_XOR)))
        return Expr(f"{left.at(prec)} {operator} {right.at(prec + 1)}", prec, mag=mag, elem=left.elem)
    method = g.dice.pick(("union", "intersection", "difference", "symmetric_difference"))
    return Expr(f"{left.at(ATOM)}.{method}({right.text})", mag=mag, elem=left.elem)


LIST_PRODUCTIONS = Table(
    [
        (16, _comprehension),
        (6, _display),
        (9, _sorted),
        (9, _list_slice),
        (6, _list_concatenate),
        (9, _from_text),
        (4, _range_list),
        (6, _from_dict),
        (8, _pairs),
        (4, _mapped),
        (4, _reversed),
        (4, _inner_list),
        (6, _container_call),
    ]
)
TUPLE_PRODUCTIONS = Table([(8, _tuple_display), (4, _tuple_element), (2, _container_call)])
VTUPLE_PRODUCTIONS = Table([(8, _vtuple)])
DICT_PRODUCTIONS = Table(
    [(9, _dict_comprehension), (5, _dict_zip), (4, _dict_copy), (4, _dict_display), (3, _container_call)]
)
SET_PRODUCTIONS = Table([(6, _set_of), (14, _set_operation), (2, _container_call)])
