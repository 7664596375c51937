"""More inputs out of those that were seen: literals of a call replaced by others of the same type.

A mutation never changes the type of an argument or the names in a call; it changes one or two literals:
other characters, other numbers, fewer, more or reordered elements. What was seen of the same function
elsewhere is the best source, so literals of the same type are also exchanged.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_Sequence = ast.List | ast.Tuple | ast.Set


def mutated_calls(calls: Sequence[str], rng: random.Random, max_attempts: int = 200) -> Iterator[str]:
    """Yield calls that differ from ``calls`` and from each other, by chance, until none is found.

    Args:
        calls: expressions, each one call of the same function.
        rng: the only source of chance.
        max_attempts: draws in all.
    """
    trees = [ast.parse(call, mode="eval").body for call in calls]
    pool = [node.value for tree in trees for node in _literals(tree) if isinstance(node, ast.Constant)]
    seen = {ast.unparse(tree) for tree in trees}
    for _ in range(max_attempts):
        tree = copy.deepcopy(rng.choice(trees))
        nodes = _literals(tree)
        if not nodes:
            continue
        for node in rng.sample(nodes, min(len(nodes), rng.choice((1, 1, 1, 2)))):
            _change(node, pool, rng)
        text = ast.unparse(tree)
        if text not in seen:
            seen.add(text)
            yield text


def _literals(tree: ast.expr) -> list[ast.expr]:
    """Return the nodes of a call's arguments that may be changed."""
    found: list[ast.expr] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda):
            continue
        is_atom = isinstance(node, ast.Constant) and type(node.value) in (int, float, str, bytes, bool)
        is_full = bool(getattr(node, "elts", ()) or getattr(node, "keys", ()))
        if isinstance(node, ast.expr) and (is_atom or (is_full and isinstance(node, _Sequence | ast.Dict))):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _change(node: ast.expr, pool: Sequence[Any], rng: random.Random) -> None:
    if isinstance(node, ast.Constant):
        same = [value for value in pool if type(value) is type(node.value) and value != node.value]
        if same and rng.random() < 0.3:
            node.value = rng.choice(same)
        else:
            node.value = _other(node.value, rng)
    elif isinstance(node, ast.Dict):
        _change_entries(node, rng)
    elif isinstance(node, _Sequence):
        node.elts = _rearranged(node.elts, rng, keep_length=isinstance(node, ast.Tuple))


def _change_entries(node: ast.Dict, rng: random.Random) -> None:
    order = list(range(len(node.keys)))
    if len(order) > 1 and rng.random() < 0.5:
        del order[rng.randrange(len(order))]
    else:
        rng.shuffle(order)
    node.keys = [node.keys[index] for index in order]
    node.values = [node.values[index] for index in order]


def _rearranged(elements: list[ast.expr], rng: random.Random, *, keep_length: bool) -> list[ast.expr]:
    elements = list(elements)
    place = rng.randrange(len(elements))
    kind = rng.choice(
        ("shuffle", "reverse") if keep_length else ("shuffle", "drop", "double", "reverse", "insert")
    )
    if kind == "shuffle":
        if len({type(element) for element in elements}) == 1:
            rng.shuffle(elements)
    elif kind == "reverse":
        if len({type(element) for element in elements}) == 1:
            elements.reverse()
    elif kind == "drop":
        del elements[place]
    elif kind == "double":
        elements.insert(place, copy.deepcopy(elements[place]))
    else:
        made = copy.deepcopy(elements[place])
        if isinstance(made, ast.Constant) and made.value is not None and made.value is not Ellipsis:
            made.value = _other(made.value, rng)
        elements.insert(rng.randrange(len(elements) + 1), made)
    return elements


def _other(value: Any, rng: random.Random) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice(
            (
                value + 1,
                value - 1 if value else 1,
                value + rng.randint(2, 9),
                value * 2,
                value // 2,
                rng.randint(0, 12),
            )
        )
    if isinstance(value, float):
        return rng.choice((value + 1.0, value / 2, value * 2, round(value + rng.randint(1, 9) / 4, 4), 0.5))
    if isinstance(value, bytes):
        return _other(value.decode("latin-1"), rng).encode("latin-1", "replace")
    if isinstance(value, str):
        return _other_text(value, rng)
    return value


def _other_text(text: str, rng: random.Random) -> str:
    if not text:
        return "".join(rng.choices(_LETTERS, k=rng.randint(1, 4)))
    place = rng.randrange(len(text))
    kind = rng.randrange(7)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place] + text[place:]
    if kind == 2:
        return text[:place] + _like(text[place], rng) + text[place + 1 :]
    if kind == 3:
        return text[: place + 1]
    if kind == 4:
        return text[place:]
    if kind == 5 and " " in text:
        words = text.split(" ")
        rng.shuffle(words)
        return " ".join(words)
    return text[:place] + _like(text[place], rng) + text[place:]


def _like(character: str, rng: random.Random) -> str:
    """Return a character of the same kind."""
    if character.isdigit():
        return rng.choice("0123456789")
    if character.isupper():
        return rng.choice(_LETTERS).upper()
    return rng.choice(_LETTERS) if character.isalpha() else character
