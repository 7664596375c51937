"""Arguments that a random value would hardly ever be: sorted lists, balanced brackets, almost palindromes.

Each sampler draws one value; idioms name them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opencwm.corpus.generator.vocabulary import WORDS
from opencwm.corpus.generator.writer import Writer


def _ascending(g: Writer) -> object:
    start, result = g.dice.integer(-5, 10), []
    for _ in range(g.dice.integer(3, 9)):
        result.append(start)
        start += g.dice.integer(1, 9)
    return result


def _brackets(g: Writer) -> object:
    dice = g.dice
    if dice.chance(0.5):
        opened, text = [], ""
        for _ in range(dice.integer(1, 5)):
            pair = dice.pick(("()", "[]", "{}", "()"))
            if dice.chance(0.7):
                opened.append(pair[1])
                text += pair[0]
            else:
                text += pair
            if opened and dice.chance(0.4):
                text += opened.pop()
        return text + "".join(reversed(opened))
    return "".join(dice.pick("()()[]{}a") for _ in range(dice.integer(1, 9)))


def _runs(g: Writer) -> object:
    dice = g.dice
    letters = dice.sample("abcdexyz", dice.integer(2, 4))
    return "".join(dice.pick(letters) * dice.integer(1, 4) for _ in range(dice.integer(2, 5)))[:16]


def _coded(g: Writer) -> object:
    return "".join(g.dice.pick("abcxyz") + str(g.dice.integer(1, 4)) for _ in range(g.dice.integer(1, 4)))


def _palindrome(g: Writer) -> object:
    dice = g.dice
    half = g.literals.text(min_len=1, max_len=4)[:6]
    text = half + (dice.pick("abcx") if dice.chance(0.5) else "") + half[::-1]
    if dice.chance(0.4):
        position = dice.integer(0, len(text) - 1)
        text = text[:position] + dice.pick("abxyz") + text[position + 1 :]
    return text


def _sentence(g: Writer) -> object:
    dice = g.dice
    words = [dice.pick(WORDS) for _ in range(dice.integer(2, 5))]
    if dice.chance(0.4):
        words[-1] = words[0]
    return " ".join(words)


def _numeric(g: Writer) -> object:
    return _nonnumeric(g) if g.dice.chance(0.2) else str(g.dice.integer(-50, 9999))


def _nonnumeric(g: Writer) -> str:
    """Return a short text that is no number."""
    return g.literals.text(min_len=1, max_len=5)[:8]


def _mixed_numbers(g: Writer) -> object:
    return [
        str(g.dice.integer(0, 99)) if g.dice.chance(0.7) else _nonnumeric(g)
        for _ in range(g.dice.integer(2, 5))
    ]


def _nested(g: Writer, depth: int = 2) -> object:
    dice = g.dice
    return [
        _nested(g, depth - 1) if depth and dice.chance(0.35) else dice.integer(0, 20)
        for _ in range(dice.integer(1, 3))
    ]


def _grid(g: Writer) -> object:
    rows, columns = g.dice.integer(2, 3), g.dice.integer(2, 4)
    return [[g.dice.integer(0, 9) for _ in range(columns)] for _ in range(rows)]


def _square(g: Writer) -> object:
    size = g.dice.integer(2, 3)
    return [[g.dice.integer(-3, 12) for _ in range(size)] for _ in range(size)]


def _tokens(g: Writer) -> object:
    dice = g.dice
    result, height = [], 0
    for _ in range(dice.integer(3, 7)):
        if height >= 2 and dice.chance(0.55):
            result.append(dice.pick(("+", "-", "*")))
            height -= 1
        else:
            result.append(str(dice.integer(0, 12)))
            height += 1
    while height > 1:
        result.append(dice.pick(("+", "-", "*")))
        height -= 1
    return result


def _commands(g: Writer) -> object:
    return "".join(g.dice.pick("UDLRLRUD") for _ in range(g.dice.integer(3, 8)))


def _fields(g: Writer) -> object:
    dice = g.dice
    return dice.pick((";", "&", ",")).join(
        f"{g.literals.key()}={dice.integer(0, 99)}" for _ in range(dice.integer(1, 3))
    )


def _binary(g: Writer) -> object:
    return "".join(g.dice.pick("01") for _ in range(g.dice.integer(2, 8)))


def _spaced(g: Writer) -> object:
    return g.dice.pick((" ", "_", "-")).join(g.dice.pick(WORDS) for _ in range(g.dice.integer(2, 4)))


def _graph(g: Writer) -> object:
    nodes = g.dice.sample("abcdefg", g.dice.integer(3, 5))
    return {
        node: g.dice.sample([other for other in nodes if other != node], g.dice.integer(0, 2))
        for node in nodes
    }


def _actions(g: Writer) -> object:
    dice = g.dice
    return [
        (dice.pick(("add", "add", "remove", "double", "skip")), dice.integer(1, 20))
        for _ in range(dice.integer(2, 5))
    ]


SAMPLERS: Final[dict[str, Callable[[Writer], object]]] = {
    "ascending": _ascending,
    "word": lambda g: g.dice.pick(WORDS),
    "brackets": _brackets,
    "runs": _runs,
    "coded": _coded,
    "palindrome": _palindrome,
    "sentence": _sentence,
    "numeric": _numeric,
    "mixed": _mixed_numbers,
    "nested": _nested,
    "grid": _grid,
    "square": _square,
    "tokens": _tokens,
    "commands": _commands,
    "fields": _fields,
    "binary": _binary,
    "spaced": _spaced,
    "graph": _graph,
    "actions": _actions,
}
"""Draw arguments that a random value would hardly ever be."""
