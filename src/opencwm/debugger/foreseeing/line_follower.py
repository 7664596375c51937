"""Follow one rewritten line without running it; see :mod:`.workings`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any, Final

from opencwm.codec.native_writer import MAX_EVALUATION_CHARS
from opencwm.debugger.foreseeing.expectations import (
    STOP,
    Ask,
    Expected,
    Iterating,
    Loop,
    Made,
    Memory,
    Outcome,
    RaisingError,
    Several,
    UnforeseenError,
    YieldingError,
)
from opencwm.debugger.foreseeing.expression_follower import with_source
from opencwm.debugger.foreseeing.expressions import Undecided
from opencwm.debugger.foreseeing.hooks import holders, hook_name, is_note, marked, plain_name
from opencwm.debugger.foreseeing.known import Known
from opencwm.debugger.foreseeing.module_names import imported_text
from opencwm.debugger.foreseeing.mutations import after_delete, after_store
from opencwm.debugger.foreseeing.one_line import Together, is_short
from opencwm.debugger.foreseeing.one_line_follower import OneLineFollower
from opencwm.debugger.foreseeing.patterns import matched, names_in
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import (
    UnreadableError,
    is_atom,
    is_iterator,
    is_literal,
    items_of,
)
from opencwm.debugger.foreseeing.streams import Stream
from opencwm.tracer.expression_rewriter import BINARY

Followed = ast.stmt | ast.expr | ast.match_case
"""What can stand on a line that is followed; the last for the pattern and the guard of a ``case``."""
_WITH_BODIES: Final = (*(ast.For, ast.With, ast.If, ast.While, ast.Match, ast.match_case, ast.FunctionDef),)


class LineFollower(OneLineFollower):
    """Follows one line.

    Args:
        node: the statement, or body of a lambda, that stands on it.
        known: see :class:`.ExpressionFollower`, as for the rest.
        memory: of the activation.
        ask: called with what comes next.
        calculates: whether lists and dictionaries that the line changes are worked out.
    """

    def __init__(self, node: Followed, known: Known, memory: Memory, ask: Ask, *, calculates: bool) -> None:
        super().__init__(known, memory, ask, calculates=calculates)
        self._node = node
        is_short = isinstance(node, ast.If) and node.lineno in known.short_ifs
        parts = [part for head in ([node] if is_short else _heads(node)) for part in ast.walk(head)]
        self._bound = {part.id for part in parts if _is_store(part)}  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef):
            self._bound.add(node.name)
        elif isinstance(node, ast.match_case):
            self._bound |= names_in(node.pattern)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        self._subject: str | None = None  # of the match that the line is in

    def run(self) -> Outcome:
        """Follow the line and return what is known of it.

        Raises:
            UnforeseenError: the rest of the line is not known.
        """
        if self._num_yields < 0:
            raise UnforeseenError
        bound = self._bound
        for name, (owner, _) in list(self._memory.methods.items()):
            if name in bound or owner in bound:
                del self._memory.methods[name]
        try:
            self._statement(self._node)
        except YieldingError as yielding:
            self.outcome.returned, self.outcome.is_yield = yielding.value, True
            self.outcome.values.clear()
        except RaisingError as raising:
            if not self.outcome.is_told or not self._calculates:
                raise
            self.outcome.raised, self.outcome.is_told, self.outcome.is_pure = raising.value, False, False
            self._changing.anything()
        if self._written:
            self.outcome.is_told = False
        functions, first = self._known.functions, self._memory.first
        for name in functions.globals_in(first):  # no locals
            value = self.outcome.values.pop(name, None)
            self.outcome.stored |= {} if value is None else {name: value}
        of_module = self._known.constants.keys() - self._state.keys() - bound
        for name in (functions.caught_in(first) - bound) | of_module:  # no locals, or not for long
            self.outcome.values.pop(name, None)
        if self._entered or not self._known.attributes.is_plain:
            self._changing.anything()
        self.outcome.untouched = self._changing.untouched(bound | self._known.shared)
        self._note_calls(bound)
        return self.outcome

    def _note_calls(self, bound: Collection[str]) -> None:
        """Note whether the line can enter anything: where every value is worked out, no method had a part."""
        outcome, known = self.outcome, self._known
        if not outcome.is_told or known.has_finalizers or self._entered:
            return
        if (
            not all(entered.drops_nothing for entered in self._memory.entered)
            and known.functions.has_generators
        ):
            return
        outcome.enters_nothing = all(known.calculated(expected) is not None for expected in self._open)
        may_drop = isinstance(self._node, ast.Expr | ast.Return | ast.Break | ast.With) or any(
            not is_atom(self._state.get(name, "0")) for name in bound
        )  # a generator that nothing holds any more is closed
        may_drop = may_drop and not self.holds_all
        outcome.resumes_nothing = outcome.enters_nothing and not may_drop

    def _statement(self, node: Followed) -> None:
        self.last = node
        if isinstance(node, Together):
            self._in_turn(node.body)
        elif isinstance(node, ast.expr):
            self.outcome.returned = self._value(node)
        elif isinstance(node, _WITH_BODIES):
            self._head(node)
        else:
            self._simple(node)

    def _head(self, node: Followed) -> None:
        """Follow the line with which a statement begins that has a body."""
        outcome = self.outcome
        if isinstance(node, ast.For):
            self._for(node)
        elif isinstance(node, ast.With):
            self._with(node)
        elif isinstance(node, ast.If) and is_short(node):
            self._short_if(node)
        elif isinstance(node, ast.If | ast.While):
            outcome.truth = self._truth_of(self._value(node.test))
            if outcome.truth is None:  # a method may be asked for it
                outcome.is_told = False
        elif isinstance(node, ast.Match):
            self._subject = self._value(node.subject)
        elif isinstance(node, ast.match_case):
            self._case(node)
        elif isinstance(node, ast.FunctionDef):
            self._defined(node)

    def _simple(self, node: Followed) -> None:
        """Follow a statement that is no more than its line."""
        outcome = self.outcome
        if isinstance(node, ast.Expr):
            self._value(node.value)
        elif isinstance(node, ast.Return):
            outcome.returned = "None" if node.value is None else self._value(node.value)
        elif isinstance(node, ast.Assert | ast.Raise):
            self._raise(node) if isinstance(node, ast.Raise) else self._asserted(node)
        elif isinstance(node, ast.Delete) and [type(item) for item in node.targets] == [ast.Subscript]:
            self._deleted(node.targets[0])
        elif isinstance(node, ast.Pass | ast.Break | ast.Continue):
            pass
        elif isinstance(node, ast.stmt) and not self._assignment(node):
            outcome.is_told = outcome.is_pure = False
            self._changing.anything()
            self._other(node)

    def _case(self, node: ast.match_case) -> None:
        """Follow one pattern of a ``match``, and its guard."""
        subject = self._memory.subject
        if subject is None or self._known.disguises.may_change(subject):
            raise UnforeseenError
        try:
            bound = matched(node.pattern, subject, self._known)
        except (Undecided, ValueError):
            raise UnforeseenError from None
        if bound is None:
            self.outcome.truth, self._subject = False, subject
            return
        self.outcome.values.update(bound)
        self._state.update(bound)
        self.outcome.truth = node.guard is None or self._truth(node.guard)
        self._subject = None if self.outcome.truth else self._current(subject, 0)

    def _assignment(self, node: ast.stmt) -> bool:
        """Follow a statement that binds names, and only does that; return whether it is one."""
        if isinstance(node, ast.Assign):
            self._assign(node.targets, self._value(node.value), node.value)
            self._remember_method(node)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._assign([node.target], self._value(node.value))
        elif isinstance(node, ast.AugAssign):
            self._augmented(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.outcome.is_told = self.outcome.is_pure = False
            self._changing.anything()
            self.outcome.values.update(_imported(node) if self._known.builtins.submodules is not None else {})
        else:
            return False
        return True

    def _defined(self, node: ast.FunctionDef) -> None:
        """Follow the definition of a function within another one."""
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._value(default)
        text = self._known.functions.inner_text(self._memory.first, node.name)
        self._assign([ast.Name(node.name, ast.Store())], text)

    def _asserted(self, node: ast.Assert) -> None:
        """Follow an assertion."""
        if self._truth(node.test):
            return
        if node.msg is not None:
            self._value(node.msg)
        elif self._calculates and self.outcome.is_told:
            self.outcome.raised = "AssertionError()"
        self.outcome.is_told = self.outcome.is_pure = False

    def _deleted(self, target: ast.expr) -> None:
        """Follow the deletion of an item."""
        assert isinstance(target, ast.Subscript)  # noqa: S101 - asked for by what has it
        parts = self._values([target.value, target.slice])
        container, key = self._current(*parts[0]), parts[1][0]
        self.outcome.is_pure = False
        found = None
        if container is not None and not self._known.disguises.may_change(container, key):
            changed = after_delete(container, key)
            found = None if changed is None else self._replaced(target.value, container, changed)
        self._stores_in(target, container)
        self._changed(*(found or ("", None)))

    def _other(self, node: ast.stmt) -> None:
        """Follow a statement that does more than its values say."""
        if isinstance(node, ast.Delete):
            for target in node.targets:
                self._target(target)
        else:
            raise UnforeseenError

    def _assign(self, targets: Sequence[ast.expr], value: str | None, source: ast.expr | None = None) -> None:
        """Follow one value, of an expression, into all targets, from left to right."""
        since = self._changing.moment
        if isinstance(value, Several) and len(targets) > 1:
            value = str(value)
        are_names = all(isinstance(target, ast.Name) for target in targets)
        if isinstance(value, Iterating) and (len(targets) > 1 or not are_names):
            self._hands_on([value])
            value = value if isinstance(targets[0], ast.Tuple | ast.List) else str(value)
        for number, target in enumerate(targets):
            is_read_next = not all(map(_holds_names, targets[number + 1 :]))
            if is_read_next and _holds_names(target) and (value is None or not isinstance(target, ast.Name)):
                raise UnforeseenError  # what names get may be read by what is stored in next
            if isinstance(target, ast.Name):
                if value is None:
                    self._forget(target)
                elif is_read_next:
                    self._reads_now(target.id, value)
                else:
                    self.outcome.values[target.id] = value
                continue
            if isinstance(target, ast.Tuple | ast.List) and _holds_names(target):
                self._unpack(target, value)
                continue
            self.outcome.is_pure = False
            if isinstance(target, ast.Tuple | ast.List) and len(targets) == 1:
                self._store_items(target, value, source)
            else:
                self._stored_in(target, value, since, source)
            if number + 1 < len(targets):
                if value is None or not is_atom(value):
                    raise UnforeseenError  # it may be, or hold, what was changed
                self._store_more(target)

    def _stored_in(
        self, target: ast.expr, value: str | None, since: int, source: ast.expr | None = None
    ) -> None:
        """Follow the assignment of what was known at a moment, of an expression, to an item or attribute."""
        if isinstance(target, ast.Subscript):
            parts = self._values([target.value, target.slice])
            now = self._current(value, since)
            holder, key = self._current(*parts[0]), self._current(*parts[1])
            if holder is None or not self._set_item(target, holder, key, now, source or ast.Constant(None)):
                self._stored(target, holder, key, now, "")
        elif isinstance(target, ast.Attribute):
            holder, value = self._value(target.value), self._current(value, since)
            self._set_attribute(target, holder, value, source)
        else:
            raise UnforeseenError

    def _store_more(self, target: ast.expr) -> None:
        """Take what a store made of an object for how it reads from now on, as more is stored on the line.

        Raises:
            UnforeseenError: that is not known.
        """
        name = holders(target)[0]
        if not self.outcome.is_told or name not in self.outcome.values:
            raise UnforeseenError
        self._reads_now(name, self.outcome.values[name])

    def _store_items(self, target: ast.Tuple | ast.List, value: str | None, source: ast.expr | None) -> None:
        """Follow the assignment of several values, some of them to items: ``a[i], a[j] = a[j], a[i]``."""
        try:
            items = items_of(value)
        except UnreadableError:
            raise UnforeseenError from None
        if len(items) != len(target.elts) or not all(map(is_told, items)):
            raise UnforeseenError
        since = self._changing.moment
        names = ["" if name in self.changed_names else name for name in _names_in(source, len(items))]
        for part, item, name in zip(target.elts, items, names, strict=True):
            text = text_of(item)
            if name in self.changed_names:  # the object of a local is that local, however it reads now
                text = self._state[name]
            elif self._current(text, since) is None:
                raise UnforeseenError
            if isinstance(part, ast.Name):
                self._reads_now(part.id, text)
                names[:] = ["" if other == part.id else other for other in names]  # it is another object now
            elif isinstance(part, ast.Subscript | ast.Attribute) and holders(part)[0]:
                holder = holders(part)[0]
                before = self._state.get(holder, "")
                if any(
                    before in text_of(other)
                    for other, source_name in zip(items, names, strict=True)
                    if source_name != holder and not is_atom(text_of(other))
                ):
                    raise UnforeseenError  # perhaps what is changed is among the values
                self._stored_in(part, text, since)
                self._store_more(part)
            else:
                raise UnforeseenError

    def _silently(self, name: str, before: str, symbol: str, value: str | None) -> None:
        """Note ``name += value`` that is not reported: of a variable that inner functions share."""
        is_known = (
            self._calculates and value is not None and is_literal(value) and before and is_literal(before)
        )
        now = self._name(ast.Name(name, ast.Load())) if is_known else None
        found = self._known.calculated(Expected(f"{before} {symbol} {value}")) if now == before else None
        if found is None or name in self._known.functions.globals_in(self._memory.first):
            self.outcome.is_told = False
        else:
            self.outcome.values[name] = found

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            value = self._value(node.value)
            self.outcome.is_pure = self.outcome.is_pure and value is not None and is_atom(value)
            before = self._memory.state.get(target.id, "")
            if not before or before[0] in "[{":
                self._changing.one(before or None, self._born.get(target.id, 0))
            elif not is_atom(before) and before[0] != "(":
                self._changing.anything()
            if hook_name(node.value) == "augmented":
                self._assign([target], value)
            else:
                self._silently(target.id, before, BINARY[type(node.op)], value)
            return
        parts = self._values([target.value, *([target.slice] if isinstance(target, ast.Subscript) else [])])
        began = self._changing.moment
        is_read = hook_name(node.value) == "combined"
        value, symbol = self._value(node.value), "" if is_read else BINARY[type(node.op)]
        if is_read and value is None:
            value, symbol = self._right, BINARY[type(node.op)]
        self.outcome.is_pure = False
        holder = self._current(*parts[0])
        key = self._current(*parts[1]) if len(parts) > 1 else None
        if self._changing.moment != began:  # what was read from it may be another text by now
            holder = None
        if isinstance(target, ast.Subscript):
            self._stored(target, holder, key, value, symbol)
        else:
            self._set_attribute(target, holder, value, symbol=symbol)

    def _stored(
        self, target: ast.Subscript, container: str | None, key: str | None, value: str | None, symbol: str
    ) -> None:
        """Note ``container[key] = value``, or ``container[key] += value`` for a symbol."""
        found = None
        is_changed = self._known.disguises.may_change(container, key, value)
        if container is not None and not is_changed and (self._calculates or not symbol):
            changed = after_store(container, key, value, symbol)
            found = None if changed is None else self._replaced(target.value, container, changed)
        self._stores_in(target, container)
        self._changed(*(found or ("", None)))

    def _unpack(self, target: ast.Tuple | ast.List, value: str | None) -> None:
        """Note what the names of a target get."""
        if isinstance(value, Several) and len(value.parts) == len(target.elts):
            for part, iterator in zip(target.elts, value.parts, strict=True):
                if isinstance(part, ast.Name):
                    self.outcome.values[part.id] = iterator
            return
        items: Sequence[Any] = ()
        try:
            items = items_of(value) if isinstance(value, Iterating) else self._known.iterated(value)
            if self._calculates and not any(isinstance(part, ast.Starred) for part in target.elts):
                self.outcome.raised = _unpacking_error(items, len(target.elts))
        except UnreadableError:
            pass
        if len(items) != len(target.elts) or not all(map(is_told, items)):
            self._forget(target)
            return
        for part, item in zip(target.elts, items, strict=True):
            if isinstance(part, ast.Name):
                self.outcome.values[part.id] = text_of(item)
            elif isinstance(part, ast.Tuple | ast.List):
                self._unpack(part, text_of(item))
            else:
                self._forget(part)

    def _forget(self, target: ast.expr) -> None:
        """Note that names get something that is not known, whatever was thought of them before."""
        self.outcome.is_told = False
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self.outcome.values.pop(node.id, None)

    def _for(self, node: ast.For) -> None:
        """Follow the head of a loop: into it, or on to its next item."""
        first, last = node.body[0].lineno, node.body[-1].end_lineno or 0
        is_under_way = first <= self._memory.before <= last or self._memory.before == node.lineno
        if not is_under_way:
            self._value(node.iter)
        note = node.body[0]
        if not is_note(note):
            raise UnforeseenError
        assert isinstance(note, ast.Expr)  # noqa: S101 - as it was made
        site, _ = marked(note.value)
        loop = self._memory.loops.get(site)
        if loop is None:
            raise UnforeseenError
        number, loop.number = loop.number, loop.number + 1
        loop.is_old = loop.is_old or any(
            piece not in self._state.get(name, "") for name, shown in loop.holders.items() for piece in shown
        )
        target = node.target if isinstance(node.target, ast.Tuple | ast.List) else None
        handed_out = self._handed_out(loop.stream) if loop.stream is not None else None
        if handed_out is not None and target is not None and handed_out != STOP and handed_out[0] != "(":
            handed_out = None  # it is written as a tuple, whatever it is
        item: str | None
        if loop.members:
            item = loop.members[number] if number < len(loop.members) else STOP
        else:
            item = self._asked_item(loop, number, target, handed_out)
        if item is None:
            self._forget(node.target)
            return
        self.outcome.truth = item != STOP
        if not self.outcome.truth:
            del self._memory.loops[site]
        elif isinstance(node.target, ast.Name):
            self.outcome.values[node.target.id] = item
        elif isinstance(node.target, ast.Tuple | ast.List):
            self._unpack(node.target, item)

    def _asked_item(
        self, loop: Loop, number: int, target: ast.Tuple | ast.List | None, handed_out: str | None
    ) -> str | None:
        """Return the item of a loop that its evaluation tells."""
        text = None if loop.text is None else f"{loop.text}[{number}]"
        is_certain = text is not None and 2 * len(text) < MAX_EVALUATION_CHARS and " object" not in text
        pattern = re.compile(rf".+\[{number}\]", re.DOTALL)
        is_going = loop.stream is not None or loop.text is None or is_iterator(loop.text)
        if is_going:  # to go on may run anything
            self.outcome.is_pure = False
            self._changing.anything()
        formula: tuple[str, dict[str, str]] | None = (f"{loop.source}[{number}]", {}) if loop.source else None
        expected = Expected(
            text,
            pattern,
            handed_out,
            is_certain=is_certain,
            at_end=STOP,
            target=target,
            formula=formula,
            is_old=loop.is_old,
        )
        is_silent = text is None and handed_out is not None  # the tracer cannot tell what it goes through
        item = handed_out if is_silent else with_source(self._told(expected), expected)
        return handed_out if isinstance(handed_out, Made) and item == handed_out else item

    def _handed_out(self, stream: Stream) -> str | None:
        """Return the next item of what a loop goes through."""
        item = stream.pull(self)
        return STOP if item is None else self._current(*item)

    def _target(self, node: ast.expr) -> None:
        """Follow what is evaluated for the sake of a target."""
        if isinstance(node, ast.Attribute):
            self._value(node.value)
        elif isinstance(node, ast.Subscript):
            self._value(node.value)
            self._value(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            for item in node.elts:
                self._target(item)
        elif isinstance(node, ast.Starred):
            self._target(node.value)


def _unpacking_error(items: Sequence[Any], num_targets: int) -> str | None:
    """Return the exception, as it reads, that unpacking raises; None when it raises none."""
    if len(items) == num_targets or isinstance(items, range):
        return None
    says_both = len(items) < num_targets or (sys.version_info >= (3, 14) and isinstance(items, list | tuple))
    quantity = "not enough" if len(items) < num_targets else "too many"
    numbers = f"expected {num_targets}, got {len(items)}" if says_both else f"expected {num_targets}"
    return f"ValueError('{quantity} values to unpack ({numbers})')"


def _names_in(source: ast.expr | None, count: int) -> list[str]:
    """Return which of some values are locals, by name, from the expression for all of them."""
    items = source.elts if isinstance(source, ast.Tuple | ast.List) else []
    return [plain_name(item) for item in items] if len(items) == count else [""] * count


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _heads(node: Followed) -> Sequence[ast.AST]:
    """Return the parts of a statement that its own line runs."""
    if isinstance(node, ast.With):
        return node.items
    if isinstance(node, ast.For):
        return [node.target, node.iter]
    if isinstance(node, Together):
        return node.body
    if isinstance(node, ast.Match):
        return [node.subject]
    return [node.test] if isinstance(node, ast.If | ast.While) else [node]


def _holds_names(target: ast.expr) -> bool:
    """Whether a target is made of names alone."""
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_holds_names, target.elts))
    return isinstance(target, ast.Name)


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Return what names read as that a line imports, as far as that is known."""
    if isinstance(node, ast.ImportFrom):
        module = "" if node.level else node.module or ""
        texts = {alias.asname or alias.name: imported_text(module, alias.name) for alias in node.names}
        return {name: text for name, text in texts.items() if text is not None}
    return {
        alias.asname or alias.name.partition(".")[0]: f"<module '{alias.name.partition('.')[0]}'>"
        for alias in node.names
        if "." not in alias.name or not alias.asname
    }
