"""Generated programs with other ends of lines: bodies behind their header, expressions over several lines.

Where lines end decides which events Python reports. The generator writes one statement a line.
"""

from __future__ import annotations

import ast
import io
import random
import tokenize

_SIMPLE = (
    ast.Assign,
    ast.AugAssign,
    ast.Expr,
    ast.Return,
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Raise,
    ast.Assert,
    ast.Delete,
)
_COMPOUND = (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.ExceptHandler)
_BEFORE_ENDS = frozenset("([{,+-*<>") | {"==", "and", "or", "not", "if", "else", "for", "in"}
"""Tokens after which a line may end inside brackets."""
_F_STRING = [getattr(tokenize, name) for name in ("FSTRING_START", "FSTRING_END") if hasattr(tokenize, name)]


def relaid(source: str, rng: random.Random, *, join: float = 0.5, split: float = 0.1) -> str:
    """Return the same program with ends of lines elsewhere.

    Args:
        source: as the generator writes it: a statement a line.
        rng: decides.
        join: share of the bodies of simple statements that follow their header on its line.
        split: share of the places inside brackets where a line ends.
    """
    return _split(_joined(_bracketed(source), rng, join), rng, split)


def _bracketed(source: str) -> str:
    """Put every test and every value of an assignment or ``return`` into parentheses."""
    lines = source.splitlines()
    places = []
    for node in ast.walk(ast.parse(source)):
        part = getattr(node, "test" if isinstance(node, ast.If | ast.While) else "value", None)
        if isinstance(node, ast.If | ast.While | ast.Assign | ast.Return) and not isinstance(
            part, ast.Constant | None
        ):
            places += [(part.lineno, part.col_offset, "("), (part.end_lineno, part.end_col_offset, ")")]
    for line, column, bracket in sorted(places, reverse=True):
        text = lines[line - 1].encode()
        lines[line - 1] = f"{text[:column].decode()}{bracket}{text[column:].decode()}"
    return "\n".join(lines) + "\n"


def _joined(source: str, rng: random.Random, share: float) -> str:
    lines: list[str | None] = list(source.splitlines())
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, _COMPOUND):
            continue
        above = node.body[0].lineno - 2
        is_simple = all(isinstance(item, _SIMPLE) and item.lineno == item.end_lineno for item in node.body)
        header = lines[above] or ""
        if is_simple and header.endswith(":") and rng.random() < share:
            numbers = [item.lineno - 1 for item in node.body]
            lines[above] = f"{header} {'; '.join((lines[number] or '').strip() for number in numbers)}"
            for number in numbers:
                lines[number] = None
    return "\n".join(line for line in lines if line is not None) + "\n"


def _split(source: str, rng: random.Random, share: float) -> str:
    """End lines inside brackets, where an element, an operand or a call's arguments begin."""
    lines = source.splitlines()
    ends = []
    brackets = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _F_STRING:  # no place for ends of lines before Python 3.12, where it is one token
            brackets = brackets + "f" if token.type == _F_STRING[0] else brackets[:-1]
        if token.type == tokenize.OP:
            opens, closes = token.string in "([{", token.string in ")]}"
            brackets = brackets[:-1] if closes else brackets + token.string * opens
        is_place = token.string in _BEFORE_ENDS or (token.string == ":" and brackets[-1:] == "{")
        if (
            brackets
            and "f" not in brackets
            and token.type in (tokenize.OP, tokenize.NAME)
            and is_place
            and rng.random() < share
        ):
            ends.append(token.end)
    for line, column in reversed(ends):
        text = lines[line - 1]
        lines[line - 1] = f"{text[:column]}\n{' ' * 8}{text[column:].lstrip()}"
    return "\n".join(lines) + "\n"
