"""Ways to build strings."""

from __future__ import annotations

from opencwm.corpus.generator.calls import build_call
from opencwm.corpus.generator.dice import Table
from opencwm.corpus.generator.integer_expressions import element_type, safe_index
from opencwm.corpus.generator.types import FLOAT, INT, STR, STRS, Type
from opencwm.corpus.generator.vocabulary import SEPARATORS
from opencwm.corpus.generator.writer import ADD, ATOM, COND, LONG, MUL, OR, Expr, Production, Writer


def slice_text(g: Writer, mag: int) -> tuple[str, int]:
    """Return the source of a slice, brackets included, and a bound on the length of what it takes."""
    dice = g.dice
    number = dice.integer(1, max(2, min(mag - 1, 5)))
    draw = dice.random()
    if draw < 0.22:
        return f"[:{number}]", number
    if draw < 0.42:
        return f"[{number}:]", mag
    if draw < 0.55:
        return f"[:-{number}]", mag
    if draw < 0.63:
        return f"[-{number}:]", number
    if draw < 0.76:
        return "[::-1]", mag
    if draw < 0.84:
        return dice.pick(("[::2]", "[1::2]", "[::3]")), mag // 2 + 1
    if draw < 0.93:
        end = number + dice.integer(1, 5)
        return f"[{number}:{end}]", end - number
    var = g.var(INT)
    return (f"[:{var.expr().text}]", mag) if var is not None else ("[:]", mag)


def _receiver(g: Writer, depth: int) -> Expr:
    return g.expr(STR, depth) if depth > 0 and g.dice.chance(0.3) else g.atom(STR)


def _concatenate(g: Writer, depth: int) -> Expr | None:
    parts = [g.expr(STR, depth)]
    num_more = 1 if g.dice.chance(0.75) else 2
    parts += [g.constant_text() if g.dice.chance(0.4) else g.atom(STR) for _ in range(num_more)]
    mag = sum(part.mag for part in parts)
    if mag > LONG + 20:
        return None
    parts = g.dice.shuffled(parts) if g.dice.chance(0.4) else parts
    return Expr(
        " + ".join(part.at(MUL) for part in parts), ADD, mag=mag, min_len=sum(part.min_len for part in parts)
    )


def _repeat(g: Writer, depth: int) -> Expr | None:
    base = g.constant_text(2) if g.dice.chance(0.5) else g.expr(STR, depth)
    count = g.dice.integer(2, 4)
    if base.mag * count > LONG + 20:
        return None
    var = g.var(INT) if g.dice.chance(0.3) else None
    if var is not None and var.mag <= 6:
        return Expr(f"{base.at(MUL)} * {var.expr().text}", MUL, mag=base.mag * var.mag)
    return Expr(f"{base.at(MUL)} * {count}", MUL, mag=base.mag * count, min_len=base.min_len * count)


def _case(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, depth)
    method = g.dice.pick(("upper", "upper", "lower", "lower", "title", "capitalize", "swapcase", "casefold"))
    return Expr(f"{receiver.at(ATOM)}.{method}()", mag=receiver.mag, min_len=receiver.min_len)


def _strip(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, depth)
    method = g.dice.pick(("strip", "strip", "lstrip", "rstrip"))
    argument = "" if g.dice.chance(0.5) else g.constant_text(2).text
    return Expr(f"{receiver.at(ATOM)}.{method}({argument})", mag=receiver.mag)


def _replace(g: Writer, depth: int) -> Expr | None:
    receiver = _receiver(g, depth)
    old = g.constant_text(2)
    new = g.constant_text(3) if g.dice.chance(0.75) else Expr(g.literals.quoted(""), mag=0)
    if receiver.mag * max(new.mag, 1) > 2 * LONG:
        return None
    limit = f", {g.dice.integer(1, 2)}" if g.dice.chance(0.12) else ""
    return Expr(
        f"{receiver.at(ATOM)}.replace({old.text}, {new.text}{limit})",
        mag=receiver.mag * max(new.mag - old.mag + 1, 1),
    )


def _pad(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, min(depth, 1))
    width = g.dice.integer(3, 14)
    method = g.dice.pick(("zfill", "center", "ljust", "rjust"))
    fill = (
        "" if method == "zfill" or g.dice.chance(0.4) else f", {g.literals.quoted(g.dice.pick('*-_. 0#=x'))}"
    )
    return Expr(f"{receiver.at(ATOM)}.{method}({width}{fill})", mag=max(receiver.mag, width), min_len=width)


def _slice(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, depth)
    text, mag = slice_text(g, receiver.mag)
    return Expr(f"{receiver.at(ATOM)}{text}", mag=mag, min_len=receiver.min_len if text == "[::-1]" else 0)


def _character(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.var(STR)
    if var is None:
        return None
    index = safe_index(g, var.name, var.min_len)
    if index is None:
        return None
    return Expr(f"{var.expr().text}[{index}]", mag=1, min_len=1)


def _element_text(g: Writer, depth: int) -> Expr | None:
    found = [var for var in g.vars if var.type in (STRS, Type("vtuple", (STR,)))]
    var = g.choose(found)
    if var is None:
        return None
    index = safe_index(g, var.name, var.min_len)
    if index is not None:
        return Expr(f"{var.expr().text}[{index}]", mag=var.elem)
    if depth > 0 and var.min_len > 0:
        return Expr(f"{g.dice.pick(('max', 'min'))}({var.expr().text}, key=len)", mag=var.elem)
    return None


def _tuple_text(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - a leaf
    var = g.choose([var for var in g.vars if var.type.kind == "tuple" and STR in var.type.args])
    if var is None:
        return None
    return Expr(f"{var.expr().text}[{var.type.args.index(STR)}]", mag=var.elem)


def _dict_text(g: Writer, depth: int) -> Expr | None:
    var = g.choose([var for var in g.vars if var.type.kind == "dict" and var.type.args[1] == STR])
    if var is None:
        return None
    if var.keys and g.dice.chance(0.4):
        return Expr(f"{var.expr().text}[{g.dice.pick(var.keys)}]", mag=var.elem)
    key = (
        g.dice.pick(var.keys)
        if var.keys and g.dice.chance(0.4)
        else g.expr(var.type.args[0], min(depth, 1)).text
    )
    return Expr(f"{var.expr().text}.get({key}, {g.constant_text().text})", mag=var.elem)


def _join(g: Writer, depth: int) -> Expr | None:
    separator = g.literals.quoted(g.dice.pick(SEPARATORS) if g.dice.chance(0.7) else "")
    draw = g.dice.random()
    if draw < 0.4:
        parts = g.expr(STRS, depth)
        return None if parts.mag > 14 else Expr(f"{separator}.join({parts.text})", mag=parts.mag * 7)
    var = g.sized({"str", "list", "vtuple"})
    if var is None or element_type(var.type).kind not in ("str", "int"):
        return None
    value, element = var.expr(), element_type(var.type)
    if draw < 0.55 and element == STR:
        function = g.dice.pick(("sorted", "reversed"))
        return Expr(f"{separator}.join({function}({value.text}))", mag=value.mag * 4)
    if draw < 0.65 and element == INT:
        return Expr(f"{separator}.join(map(str, {value.text}))", mag=value.mag * 4)
    name = g.name(element, loop=True)
    is_text = var.type.kind == "str"
    g.declare(name, element, Expr(name, mag=1 if is_text else value.elem, min_len=int(is_text)))
    body = g.expr(STR, depth) if element == STR else Expr(f"str({g.expr(INT, depth).text})", mag=4)
    tail = f" if {g.condition(1).text}" if g.dice.chance(0.5) else ""
    g.taken.discard(name)
    if body.mag * value.mag > 3 * LONG:
        return None
    return Expr(
        f"{separator}.join({body.text} for {name} in {value.text}{tail})", mag=(body.mag + 1) * value.mag
    )


def _to_text(g: Writer, depth: int) -> Expr:
    if g.dice.chance(0.12):
        inner, function = g.atom(g.dice.pick((STR, FLOAT, INT))), g.dice.pick(("repr", "str"))
        return Expr(f"{function}({inner.text})", mag=inner.mag + 2 if inner.mag < 40 else 6, min_len=1)
    if g.dice.chance(0.06):
        inner = g.expr(INT, depth)
        if inner.nonneg:
            return Expr(
                f"{g.dice.pick(('bin', 'hex', 'oct'))}({inner.text}){g.dice.pick(('', '[2:]', '[2:]'))}",
                mag=12,
            )
    inner = g.expr(INT, depth)
    return Expr(f"str({inner.text})", mag=len(str(inner.mag)) + 1, min_len=1)


def _letter(g: Writer, depth: int) -> Expr:
    inner = g.expr(INT, depth)
    base = g.dice.pick(("97", "65", "ord('a')", "ord('A')"))
    return Expr(f"chr({inner.at(MUL)} % 26 + {base})", mag=1, min_len=1)


def _piece(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, depth)
    separator = g.literals.quoted(g.dice.pick(SEPARATORS[:9]))
    draw = g.dice.random()
    if draw < 0.4:
        method = g.dice.pick(("partition", "partition", "rpartition"))
        return Expr(f"{receiver.at(ATOM)}.{method}({separator})[{g.dice.pick((0, 0, 2))}]", mag=receiver.mag)
    if draw < 0.75:
        limit = ", 1" if g.dice.chance(0.2) else ""
        return Expr(
            f"{receiver.at(ATOM)}.split({separator}{limit})[{g.dice.pick((0, 0, -1))}]", mag=receiver.mag
        )
    method = g.dice.pick(("removeprefix", "removesuffix"))
    return Expr(f"{receiver.at(ATOM)}.{method}({g.constant_text(3).text})", mag=receiver.mag)


def _text_choice(g: Writer, depth: int) -> Expr:
    yes = g.expr(STR, depth) if g.dice.chance(0.6) else g.constant_text(5)
    test, no = g.condition(min(depth, 1)), g.constant_text(5) if g.dice.chance(0.4) else g.atom(STR)
    return Expr(f"{yes.at(OR)} if {test.at(OR)} else {no.at(COND)}", COND, mag=max(yes.mag, no.mag))


def _field(g: Writer) -> tuple[str, int]:
    """Return one replacement field of an f-string, free of quotes, and a bound on its length."""
    dice = g.dice
    var = g.choose([v for v in g.vars if v.type.kind in ("int", "str", "float", "bool")])
    if var is None:
        return f"{{{dice.integer(0, 99)}}}", 2
    name = var.expr().text
    if var.type == INT:
        return f"{{{name}{dice.pick(_INT_TAILS)}}}", 8
    if var.type == STR:
        return f"{{{name}{dice.pick(_STR_TAILS)}}}", max(var.mag, 9)
    if var.type == FLOAT:
        return f"{{{name}{dice.pick((':.1f', ':.2f', ':.2f', ':.0f', '', ':8.3f', ':.1%'))}}}", 9
    return f"{{{name}}}", 5


def _format(g: Writer, depth: int) -> Expr | None:  # noqa: ARG001 - fields are kept simple
    pieces, mag = [], 0
    for index in range(g.dice.weighted(_FIELD_COUNTS)):
        if index or g.dice.chance(0.55):
            glue = g.dice.pick(_GLUE)
            pieces.append(glue)
            mag += len(glue)
        text, length = _field(g)
        pieces.append(text)
        mag += length
    if g.dice.chance(0.25):
        pieces.append(g.dice.pick(("!", ".", "]", ")", " items", "%", ">", " left", "?")))
    if mag > 2 * LONG:
        return None
    quote = '"' if g.literals.double_quotes else "'"
    return Expr(f"f{quote}{''.join(pieces)}{quote}", mag=mag + 4)


def _old_format(g: Writer, depth: int) -> Expr:
    left, right = g.expr(STR, depth), g.atom(INT)
    template = g.dice.pick(("{}: {}", "{}-{}", "{0} ({1})", "{}={}", "<{}|{}>", "{1}{0}", "{} x{}"))
    if g.dice.chance(0.3):
        return Expr(
            f"{g.literals.quoted(g.dice.pick(('%s=%d', '%s:%03d', '%s #%d')))} % ({left.text}, {right.text})",
            MUL,
            mag=left.mag + 12,
        )
    return Expr(f"{g.literals.quoted(template)}.format({left.text}, {right.text})", mag=left.mag + 12)


def _or_default(g: Writer, depth: int) -> Expr:  # noqa: ARG001 - a leaf
    value, default = g.atom(STR), g.constant_text(5)
    return Expr(f"{value.at(OR)} or {default.text}", OR, mag=max(value.mag, default.mag), min_len=1)


def _translate(g: Writer, depth: int) -> Expr:
    receiver = _receiver(g, min(depth, 1))
    sources = "".join(g.dice.sample("abcdeilnorst", 2))
    targets = "".join(g.dice.sample("0123456789xyz", 2))
    table = f"str.maketrans({g.literals.quoted(sources)}, {g.literals.quoted(targets)})"
    return Expr(f"{receiver.at(ATOM)}.translate({table})", mag=receiver.mag, min_len=receiver.min_len)


def _call(g: Writer, depth: int) -> Expr | None:
    found = [function for function in g.functions if function.result == STR]
    return build_call(g, g.dice.pick(found), depth) if found else None


_INT_TAILS = (*[""] * 6, ":02d", ":03d", ":>4", ":<4", ":^5", ":,", ":x", ":b", "=", ":+d", " + 1", " * 2")
_STR_TAILS = (*[""] * 6, ":>8", ":<6", ":^7", "!r", ".upper()", ".title()", "[0:2]", ":*^9", "[::-1]")
_FIELD_COUNTS: Table[int] = Table([(45, 1), (40, 2), (15, 3)])
_GLUE = (
    " ",
    "-",
    ": ",
    ", ",
    "=",
    "_",
    " has ",
    "id",
    " is ",
    "#",
    "/",
    " of ",
    " x ",
    "<",
    " and ",
    "v",
    "=>",
    " [",
    "(",
    ".",
    " at ",
)

STR_PRODUCTIONS: Table[Production] = Table(
    [
        (14, _concatenate),
        (5, _repeat),
        (12, _case),
        (5, _strip),
        (7, _replace),
        (4, _pad),
        (13, _slice),
        (7, _character),
        (8, _element_text),
        (3, _tuple_text),
        (5, _dict_text),
        (9, _join),
        (8, _to_text),
        (3, _letter),
        (4, _piece),
        (4, _text_choice),
        (9, _format),
        (2, _old_format),
        (1.5, _or_default),
        (0.7, _translate),
        (6, _call),
    ]
)
