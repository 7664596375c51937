"""Statements that change a container in place."""

from __future__ import annotations

from opencwm.corpus.generator.container_expressions import sort_key
from opencwm.corpus.generator.integer_expressions import safe_index
from opencwm.corpus.generator.types import INT, STR, is_ordered
from opencwm.corpus.generator.writer import CMP, MUL, Expr, Var, Writer


def forget_indices(g: Writer, var: Var) -> None:
    """Note that the length of ``var`` changed: no index is known to be valid any more."""
    for other in g.vars:
        if other.index_of == var.name:
            other.index_of = ""


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


def key_for(g: Writer, var: Var) -> Expr:
    """Return a key to look up or store under, often one the dictionary has."""
    if var.keys and g.dice.chance(0.5):
        return Expr(g.dice.pick(var.keys))
    type_ = var.type.args[0]
    if type_ == STR and g.dice.chance(0.4):
        return Expr(g.literals.quoted(g.literals.key()))
    return g.expr(type_, 1 if g.dice.chance(0.3) else 0)


def _mutate_dict(g: Writer, var: Var) -> bool:
    dice, name = g.dice, var.name
    value_type = var.type.args[1]
    key = key_for(g, var)
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
