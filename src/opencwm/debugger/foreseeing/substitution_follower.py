"""Follow ``re.sub`` by a function of the program, which it calls for each match."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.debugger.foreseeing.expectations import Iterating
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.rendered import MAX_ITEMS, UnreadableError, is_literal
from opencwm.debugger.foreseeing.sorting_follower import SortingFollower
from opencwm.debugger.foreseeing.streams import Called


class SubstitutionFollower(SortingFollower):
    """What is known of text in which matches are replaced by what a function makes of them."""

    def _substituted(
        self,
        function: ast.expr,
        receiver: str | None,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow ``re.sub`` or the method of a pattern; return what it gives, None for any other call."""
        if not isinstance(function, ast.Attribute) or function.attr != "sub" or named or receiver is None:
            return None
        if receiver.startswith("re.compile("):
            finding, rest = f"{receiver}.finditer", args
        elif self._python(function) is re.sub and args:
            finding, rest = f"{ast.unparse(function.value)}.finditer", args[1:]
        else:
            return None
        first = self._first_of(rest[0]) if len(rest) == 2 else 0
        if not first or None in args or self._known.disguises.may_change(*args, *named.values()):
            return None
        text, given = rest[1] or "", args[:1] if rest is not args else ()
        source = f"{finding}({', '.join([*map(str, given), text])})"
        return self._put_together(source, text, Called(rest[0] or "", first=first))

    def _put_together(self, source: str, text: str, function: Called) -> str | None:
        """Return a text with what a function makes of each match in its place."""
        try:
            matches = self._known.iterated(Iterating("<callable_iterator object>", source))
            whole = known_value(text)
        except (UnreadableError, Undecided):
            return None
        if len(matches) > MAX_ITEMS or not isinstance(whole, str | bytes):
            return None
        made: list[str | None] = []
        for place, match in enumerate(matches):
            item = self._item_text(match, source, place)
            made.append(self.applied(function, [(item, self.moment)])[0])
        known = [known_value(part) for part in made if part is not None and is_literal(part)]
        if len(known) < len(matches) or not all(isinstance(part, type(whole)) for part in known):
            return None
        end = 0
        found: Any = whole[:0]
        for match, part in zip(matches, known, strict=True):
            found += whole[end : match.start()] + part
            end = match.end()
        return repr(found + whole[end:])
