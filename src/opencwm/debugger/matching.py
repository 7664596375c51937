"""Whether an expression of a program is what a pattern describes; see :mod:`opencwm.debugger.assumptions`.

Names that an import gives are compared by what they stand for: after ``import numpy as np`` both ``np.load``
and ``numpy.load`` are that function.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from opencwm.core.syntax import nodes_of


def aliases_of(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """Return what the names that a program imports stand for: modules and their attributes, dotted."""
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = (*node.module.split("."), alias.name)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Matcher:
    """Compares expressions of one program with patterns.

    Attributes:
        aliases: what imported names stand for.
    """

    aliases: Mapping[str, tuple[str, ...]]

    def matches(self, pattern: ast.expr, node: ast.expr) -> bool:
        """Whether ``node`` is read, not bound, and is what ``pattern`` describes."""
        if isinstance(node, ast.Attribute | ast.Name) and not isinstance(node.ctx, ast.Load):
            return False
        if isinstance(pattern, ast.Name) and pattern.id == "_":
            return True
        wanted, found = self._dotted(pattern), self._dotted(node)
        if wanted is not None and wanted[0] != "_":
            return wanted == found
        if isinstance(pattern, ast.Attribute):
            return (
                isinstance(node, ast.Attribute)
                and pattern.attr == node.attr
                and self.matches(pattern.value, node.value)
            )
        if isinstance(pattern, ast.Call):
            return isinstance(node, ast.Call) and self._calls_alike(pattern, node)
        return ast.dump(pattern) == ast.dump(node)

    def seen(self, tree: ast.AST, kind: type[ast.expr]) -> list[str]:
        """Return the calls or attributes of a program, as patterns, in the order of the text."""
        found: dict[str, None] = {}
        for node in nodes_of(tree):
            if kind is ast.Call and isinstance(node, ast.Call):
                dotted = self._written(node.func)
                if dotted:
                    found[f"{dotted}(...)"] = None
            elif kind is ast.Attribute and isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found[self._written(node)] = None
        return [text for text in found if text]

    def _written(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self._written(node.value) or '_'}.{node.attr}"
        return ""

    def _dotted(self, node: ast.expr) -> tuple[str, ...] | None:
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, (node.id,))
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return None if before is None else (*before, node.attr)
        return None

    def _calls_alike(self, pattern: ast.Call, node: ast.Call) -> bool:
        if not self.matches(pattern.func, node.func):
            return False
        written = [
            item for item in pattern.args if not (isinstance(item, ast.Constant) and item.value is Ellipsis)
        ]
        is_open = len(written) < len(pattern.args)
        if len(node.args) < len(written) or (len(node.args) > len(written) and not is_open):
            return False
        keywords = {item.arg: item.value for item in node.keywords}
        wanted = {item.arg: item.value for item in pattern.keywords}
        if not wanted.keys() <= keywords.keys() or (wanted.keys() != keywords.keys() and not is_open):
            return False
        pairs = [
            *zip(written, node.args, strict=False),
            *((value, keywords[name]) for name, value in wanted.items()),
        ]
        return all(self.matches(one, other) for one, other in pairs)
