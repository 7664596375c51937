"""Syntax trees that everybody reads and nobody changes: parsed once, walked once.

A file is looked at from many sides before its first step is predicted; parsing and walking a long one for
each of them is most of the wait.
"""

from __future__ import annotations

import ast
import functools
import warnings

_NUM_KEPT = 4


@functools.lru_cache(maxsize=_NUM_KEPT)
def syntax_tree(text: str) -> ast.Module:
    """Parse a text, without warnings of what is its own business. The tree is shared: do not change it.

    Raises:
        SyntaxError: the text is not valid Python.
        ValueError: likewise, it holds null bytes.
        RecursionError: it is nested too deeply.
        MemoryError: likewise.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


@functools.lru_cache(maxsize=2 * _NUM_KEPT)
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return all nodes of a whole tree that is not going to change, in the order of :func:`ast.walk`."""
    return tuple(ast.walk(tree))
