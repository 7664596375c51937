"""What could be typed next in the debug console: variables, pure functions, parts of values, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.debugger import value_parts
from opencwm.frontends.dap import arguments, repl
from opencwm.frontends.dap.messages import Body
from opencwm.frontends.dap.places import Dialect

_TYPED: Final = re.compile(r"(?P<whole>[^\W\d]\w*(?:\.\w+|\[[^\[\]]*\])*\.)?(?P<start>\w*)$")
_FUNCTIONS: Final = (
    *("abs", "all", "any", "bool", "dict", "enumerate", "float", "int", "isinstance", "len", "list", "max"),
    *(
        "min",
        "ord",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    ),
)
MAX_TARGETS: Final = 100


def completions(wanted: arguments.Completions, texts: Mapping[str, str], dialect: Dialect) -> list[Body]:
    """Return what could stand at the column.

    Args:
        wanted: what was typed; its column counts UTF-16 code units, as the protocol says.
        texts: variable -> rendering, of the frame that is looked at.
        dialect: of the client.
    """
    line = (wanted.text.split("\n") or [""])[max(0, dialect.line_in(wanted.line) - 1) :][:1]
    column = max(0, dialect.column_in(wanted.column))
    before = _cut("".join(line), column)
    if before.startswith("."):
        found = [(name, "keyword") for name in repl.COMMANDS if name.startswith(before[1:])]
        return [_target(name, kind, before, before[1:], dialect) for name, kind in found]
    typed = _TYPED.search(before)
    if typed is None:
        return []
    start = typed["start"]
    found = [(name, kind) for name, kind in _names(typed["whole"], texts) if name.startswith(start)]
    return [_target(name, kind, before, start, dialect) for name, kind in found[:MAX_TARGETS]]


def _cut(text: str, column: int) -> str:
    """Return the first ``column`` UTF-16 code units of a text."""
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * column]
    return units.decode("utf-16-le", "ignore")


def _names(whole: str | None, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if whole is None:
        yield from ((name, "variable") for name in texts)
        yield from ((name, "function") for name in _FUNCTIONS)
        return
    text = value_parts.reached(whole[:-1], texts)
    for part in value_parts.children(text or ""):
        if part.access.startswith("."):
            yield part.name, "property"


def _target(name: str, kind: str, before: str, start: str, dialect: Dialect) -> Body:
    length = len(start.encode("utf-16-le", "surrogatepass")) // 2
    end = len(before.encode("utf-16-le", "surrogatepass")) // 2
    return {"label": name, "type": kind, "start": end - length + dialect.first_column, "length": length}
