"""Follow the expressions of a rewritten line without running them; see :mod:`.workings`."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from opencwm.codec.native_writer import MAX_EVALUATION_CHARS, is_written
from opencwm.debugger.foreseeing.buffers import TEXTS
from opencwm.debugger.foreseeing.comprehension_follower import consumed
from opencwm.debugger.foreseeing.expectations import (
    COUNTER,
    Ask,
    Expected,
    Iterating,
    Loop,
    Made,
    Memory,
    Several,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.hooks import arguments, hook_name, is_lazy, plain_name, unhooked
from opencwm.debugger.foreseeing.known import Known
from opencwm.debugger.foreseeing.mutations import after_look
from opencwm.debugger.foreseeing.pure_getters import GETTER
from opencwm.debugger.foreseeing.pure_values import text_of
from opencwm.debugger.foreseeing.readings import read_off
from opencwm.debugger.foreseeing.rendered import (
    is_cheap,
    is_literal,
    is_read_plainly,
    longest_value,
    loop_text,
)
from opencwm.debugger.foreseeing.touching import are_matches, held_by
from opencwm.debugger.foreseeing.yield_follower import YieldFollower
from opencwm.tracer.sites import Push, Site, SiteKind

MAX_TEXT: Final = MAX_EVALUATION_CHARS - 1
"""An evaluation with a longer text is not written, whatever its value."""


_OPERATORS: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "__add__",
    ast.Sub: "__sub__",
    ast.Mult: "__mul__",
    ast.Div: "__truediv__",
    ast.FloorDiv: "__floordiv__",
    ast.Mod: "__mod__",
    ast.Pow: "__pow__",
    ast.BitAnd: "__and__",
    ast.BitOr: "__or__",
    ast.BitXor: "__xor__",
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "__eq__",
    ast.Lt: "__lt__",
    ast.LtE: "__le__",
    ast.Gt: "__gt__",
    ast.GtE: "__ge__",
}
"""The methods that carry out operations on objects of a class."""


_OBJECTS: Final = re.compile(r"\w\(|<|\.\.\.")
"""What only the text of a value shows that may hold objects of other types, or be cut."""


_LOOKED_UP: Final = frozenset({"<method_descriptor object>", GETTER})
"""How functions read that are looked up in something and do not tell which they are."""


class ExpressionFollower(YieldFollower):
    """Follows the expressions of one line.

    Args:
        known: of the program.
        memory: of the activation; what is written already is not asked for, its loops are brought up to date.
        ask: called with what comes next; what it raises ends the line.
        calculates: whether lists and dictionaries that the line changes are worked out.
    """

    def __init__(self, known: Known, memory: Memory, ask: Ask, *, calculates: bool) -> None:
        super().__init__(known, memory, calculates=calculates)
        self._sites = known.sites
        self._ask = ask
        self._written = list(reversed(memory.written))
        self._waiting: list[tuple[int, int, str | None, int]] = []
        self._last = (-1, "")
        self._right: str | None = None  # of an augmented assignment
        self._formula: tuple[str, Mapping[str, str]] | None = None
        self.is_leaving = self.is_passing_on = False  # a block; an exception goes on behind it
        self._open: list[Expected] = []  # evaluations whose value was not known beforehand

    # -- expressions

    def _value(self, node: ast.expr) -> str | None:
        """Follow an expression; return the text of its value, None when that is not known."""
        name = hook_name(node)
        if name:
            return getattr(self, f"_hook_{name}")(*arguments(node))  # type: ignore[no-any-return]
        follow = getattr(self, f"_{type(node).__name__.lower()}", None)
        if follow is None:
            raise UnforeseenError
        return follow(node)  # type: ignore[no-any-return]

    def _truth(self, node: ast.expr) -> bool:
        truth = self._truth_of(self._value(node))
        if truth is None:
            raise UnforeseenError
        return truth

    def _constant(self, node: ast.Constant) -> str | None:
        return repr(node.value)

    def _namedexpr(self, node: ast.NamedExpr) -> str | None:
        value = self._value(node.value)
        assert isinstance(node.target, ast.Name)  # noqa: S101 - by the grammar
        self._state.pop(node.target.id, None)
        if value is not None:
            self._reads_now(node.target.id, str(value))
        self._hands_on([value])
        return str(value) if isinstance(value, Iterating | Several) else value

    def _tuple(self, node: ast.Tuple) -> str | None:
        texts = self._texts(node.elts)
        if texts is None:
            return None
        return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"

    def _list(self, node: ast.List) -> str | None:
        texts = self._texts(node.elts)
        return None if texts is None else f"[{', '.join(texts)}]"

    def _set(self, node: ast.Set) -> str | None:
        texts = self._texts(node.elts)
        self._hash(texts or [None])
        return None if texts is None else self._known.set_of(texts)

    def _hash(self, texts: Iterable[str | None]) -> None:
        """Note that values are hashed, and compared, in which the program may have a say."""
        if not all(map(self._known.is_hashed_plainly, texts)):
            self.outcome.is_told = False

    def _dict(self, node: ast.Dict) -> str | None:
        pairs: list[tuple[str | None, int]] = []
        has_all = True
        for key, value in zip(node.keys, node.values, strict=True):
            pair = self._values([value] if key is None else [key, value])
            if key is not None:
                self._hash([pair[0][0]])
            pairs += pair
            has_all = has_all and key is not None
        known = [text for pair in pairs if (text := self._current(*pair)) is not None]
        if len(known) < len(pairs):
            return None
        if not has_all:
            is_known = self._calculates and not self._known.disguises.may_change(*known)
            return self._merged(node, iter(known)) if is_known else None
        texts = [f"{key}: {value}" for key, value in zip(known[::2], known[1::2], strict=True)]
        if len({text.partition(":")[0] for text in texts}) < len(texts):
            return None
        return f"{{{', '.join(texts)}}}"

    def _merged(self, node: ast.Dict, values: Iterator[str]) -> str | None:
        """Return a dictionary that is made of others by ``**``, from what stands in it."""
        found: dict[Any, Any] = {}
        try:
            for key in node.keys:
                first = known_value(next(values))
                found.update(first if key is None else {first: known_value(next(values))})
            return text_of(found)
        except (Undecided, TypeError, ValueError):
            return None

    def _texts(self, nodes: Iterable[ast.expr]) -> list[str] | None:
        parts = [self._spread_out(node) for node in nodes]
        values = [item for part in parts for item in part or [(None, 0)] * (part is None)]
        texts = [self._current(text, since) for text, since in values]
        return None if any(text is None for text in texts) else [text for text in texts if text is not None]

    def _ifexp(self, node: ast.IfExp) -> str | None:
        return self._value(node.body if self._truth(node.test) else node.orelse)

    def _boolop(self, node: ast.BoolOp) -> str | None:
        """Follow operands up to the one that decides."""
        ends = isinstance(node.op, ast.Or)
        for item in node.values[:-1]:
            value = self._value(item)
            truth = self._truth_of(value)
            if truth is None:
                raise UnforeseenError
            if truth is ends:
                return value
        return self._value(node.values[-1])

    def _unaryop(self, node: ast.UnaryOp) -> str | None:
        value = self._value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            number = node.operand.value
            return repr(-number) if isinstance(number, int | float) else None
        if not isinstance(node.op, ast.Not):
            return None
        truth = self._truth_of(value)
        return None if truth is None else repr(not truth)

    def _compare(self, node: ast.Compare) -> str | None:
        """Follow operands; those of a chain report its links."""
        if len(node.ops) == 1 and hook_name(node.left) != "link":
            left, right = self._values([node.left, node.comparators[0]])
            if isinstance(node.ops[0], ast.Is | ast.IsNot):  # keeps nothing of them
                self._use(left[0], right[0])
            if isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(right[0], Iterating):
                found = self._is_among(self._current(*left), right[0])
                return repr(found is isinstance(node.ops[0], ast.In))
            if isinstance(node.ops[0], ast.In | ast.NotIn):
                return self._contained(right[0], self._current(*left), isinstance(node.ops[0], ast.In))
            name = _COMPARISONS.get(type(node.ops[0]), "")
            return self._compared(node.ops[0], name, self._current(*left), right[0])
        outcome = self._value(node.left)
        for item in node.comparators:
            outcome = self._value(item)
            if hook_name(item) == "link":
                if outcome is None:
                    raise UnforeseenError
                if outcome == "False":
                    break
        return outcome if hook_name(node.left) == "link" else None

    def _binop(self, node: ast.BinOp) -> str | None:
        left, right = self._values([node.left, node.right])
        name = _OPERATORS.get(type(node.op), "")
        value = self._special(name, self._current(*left), (right[0],))
        return value or self._known.folded(node)

    def _subscript(self, node: ast.Subscript) -> str | None:
        text = self._value(node.value)
        key = self._value(node.slice)
        self._operating = self._changing.moment
        found = self._from_table(node.value, key)
        if found is not None:
            return found
        if not isinstance(unhooked(node.slice), ast.Slice):
            item = self._special("__getitem__", text, (key,))
            if item is not None:
                return item
        if text is None:
            self._changing.anything()
            self.outcome.is_pure = False
        elif text.startswith("defaultdict("):  # to read an item may put it there
            changed = after_look(text, key)
            if changed is None:
                self._objects_change()
            elif changed != text:
                self._noted(node.value, text, ("None", changed))
        return None

    def _slice(self, node: ast.Slice) -> str | None:
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                self._value(part)
        return None

    def _joinedstr(self, node: ast.JoinedStr) -> str | None:
        self._formula = None
        texts: dict[str, str | None] = {}
        made = ast.JoinedStr(self._formatted(node, texts))
        known = {name: text for name, text in texts.items() if text is not None}
        if len(known) == len(texts):
            with contextlib.suppress(ValueError):  # no quotes are left for it on Python 3.11
                self._formula = ast.unparse(ast.fix_missing_locations(made)), known
        return None

    def _formatted(self, node: ast.JoinedStr, texts: dict[str, str | None]) -> list[ast.expr]:
        """Follow the parts of a formatted string; return them with names in the places of their values."""
        parts: list[ast.expr] = []
        for item in node.values:
            if not isinstance(item, ast.FormattedValue):
                parts.append(item)
                continue
            name = f"_{len(texts)}"
            texts[name] = self._value(item.value)
            spec = item.format_spec
            inner = ast.JoinedStr(self._formatted(spec, texts)) if isinstance(spec, ast.JoinedStr) else None
            words = self._formatted_as(texts[name], item.conversion, has_spec=spec is not None)
            texts[name] = words or texts[name]
            parts.append(
                ast.FormattedValue(ast.Name(name, ast.Load()), -1 if words else item.conversion, inner)
            )
        return parts

    def _lambda(self, node: ast.Lambda) -> str | None:
        for item in (*node.args.defaults, *node.args.kw_defaults):
            if item is not None:
                self._value(item)
        text = None if self._inner else self._known.functions.inner_text(self._memory.first, "<lambda>")
        is_alone = text is not None and self._known.functions.definition(node.lineno) is not None
        return Made(text, first=node.lineno) if text is not None and is_alone else text

    # -- what the hooks of the tracer do; see opencwm.tracer.evaluator

    def _hook_operand(self, site: int, number: int, node: ast.expr) -> str | None:
        text = self._value(node)
        self._wait((site, number), text, node)
        return text

    def _wait(self, push: Push, text: str | None, node: ast.expr | None = None) -> None:
        """Have a value wait for the operation of which it is an operand."""
        self._waiting.append((*push, text, self._moment_of(node, text)))

    def _hook_result(self, site: int, node: ast.expr) -> str | None:
        about = self._sites[site]
        self._operating = None
        known = self._value(node)
        until, self._operating = self._operating, None
        if about.kind is not SiteKind.PLAIN:
            source = self._joined(site, about)
            text = known if source is None else self._told(Expected(source, value=known))
        else:
            are_plain = all(map(_is_plain, (text for _, _, text, _ in self._operands(about))))
            expected = dataclasses.replace(self._filled(site, about, until), value=known)
            if expected.text is not None:
                self._last = (site, expected.text)
                is_short = len(expected.text) + longest_value(node, expected.text) <= MAX_EVALUATION_CHARS
                is_certain = is_short and not expected.is_old
                formula = self._formula if isinstance(node, ast.JoinedStr) else expected.formula
                if consumed(node) is not None:
                    formula = None if self._consumption is None else (self._consumption, {})
                expected = dataclasses.replace(expected, is_certain=is_certain, formula=formula)
            expected = self._by_source(node, expected)
            if known is None and self._entered and not are_plain and self._known.calculated(expected) is None:
                self._objects_change()  # a method may have carried it out
                self.is_unsure = True
            is_silent = is_lazy(node) and not (known or "").startswith(("<generator object ", *TEXTS))
            is_written = not (about.drops_none and known == "None") and not is_silent
            is_function = isinstance(known, Made) and not known.startswith("<class '")
            is_written = is_written and not (about.is_lookup and is_function)
            text = self._told(expected) if is_written else known or self._unwritten(expected)
            text = known if isinstance(known, Made) and text == known else with_source(text, expected)
            if isinstance(text, Iterating) and text.stream is None:
                text.is_apart = self._is_apart_from_all(node)
            self.outcome.is_told = self.outcome.is_told and text is not None
        if about.push is not None:
            self._wait(about.push, text, node)
        return text

    def _by_source(self, node: ast.expr, expected: Expected) -> Expected:
        """Return what is expected of the call of a local that is a function of Python, with what it is."""
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        source = (self._python_source(name) or self._method_source(name)) if name in self._state else ""
        text, names = expected.formula or (expected.text or "", {})
        if not source or not text.startswith(f"{name}("):
            return expected
        return dataclasses.replace(expected, formula=(f"({source}){text[len(name) :]}", names))

    def _hook_decision(self, site: int, number: int, node: ast.expr) -> str | None:
        text = self._value(node)
        truth = self._truth_of(text)
        if truth is None:
            raise UnforeseenError
        self._decide((site, number), text, truth)
        return text

    def _hook_link(self, site: int, number: int, node: ast.expr) -> str | None:
        text = self._value(node)
        if number == 0:
            self._wait((site, 0), text)
            return text
        about = self._sites[site]
        left = self._waiting.pop() if self._waiting and self._waiting[-1][:2] == (site, number - 1) else None
        if left is None or left[2] is None or text is None:
            raise UnforeseenError
        source = f"{left[2]} {about.operators[number - 1]} {text}"
        is_old = self._current(left[2], left[3]) is None
        is_certain = len(source) <= MAX_EVALUATION_CHARS - len("False")
        outcome = self._told(Expected(source, is_certain=is_certain, is_old=is_old))
        if outcome not in ("True", "False"):
            raise UnforeseenError
        if number < about.num_operands - 1 and outcome == "True":
            self._wait((site, number), text)
        elif about.push is not None:
            self._decide(about.push, outcome, outcome == "True")
        return outcome

    def _hook_augmented(self, site: int, value: ast.expr, current: ast.expr) -> str | None:
        right, left = self._value(value), self._value(current)
        (symbol,) = self._sites[site].operators
        if left is None or right is None or not is_cheap(symbol, left, right):
            self.outcome.is_told = False
            return None
        return self._told(Expected(f"{left} {symbol} {right}"))

    def _hook_holder(self, site: int, node: ast.expr) -> str | None:
        text = self._value(node)
        self._wait((site, 0), text)
        return text

    def _hook_loaded(self, site: int, node: ast.expr, container: ast.expr | None = None) -> str | None:
        key = self._value(node)
        if container is not None:
            text = self._value(container)
        elif self._waiting and self._waiting[-1][:2] == (site, 0):
            text = self._current(*self._waiting.pop()[2:])
        else:
            raise UnforeseenError
        if key is not None and is_read_plainly(text, key):
            is_certain = text is not None and text[0] in "[{"
            self._read(site, text, f"[{key}]", is_certain=is_certain)
        else:
            self.outcome.is_told = False
        return key

    def _read(self, site: int, holder: str | None, part: str, *, is_certain: bool = False) -> None:
        """Note the item or attribute that an augmented assignment reads."""
        text = None if holder is None else holder + part
        pattern = re.compile(f".+{re.escape(part)}", re.DOTALL)
        is_certain = is_certain and text is not None and 2 * len(text) < MAX_EVALUATION_CHARS
        value = self._told(Expected(text, pattern, is_certain=is_certain, owner=self._owner))
        push = self._sites[site].push
        if push is not None and value is not None and is_literal(value):
            self._wait(push, value)

    def _hook_combined(self, site: int, node: ast.expr) -> str | None:
        self._right = right = self._value(node)
        is_there = bool(self._waiting) and self._waiting[-1][:2] == (site, 0)
        left = self._current(*self._waiting.pop()[2:]) if is_there else None
        (symbol,) = self._sites[site].operators
        if left is None or right is None or not is_cheap(symbol, left, right):
            self.outcome.is_told = False
            return None
        return self._told(Expected(f"{left} {symbol} {right}"))

    def _hook_loop(self, site: int, node: ast.expr) -> str | None:
        value = self._value(node)
        text = loop_text(value)
        is_iterator = value is not None or (hook_name(node) == "result" and is_lazy(arguments(node)[-1]))
        if text is None and is_iterator and self._last[0] == self._sites[site].iterable >= 0:
            text = f"list({self._last[1]})"
        if self._known.disguises.may_stand_for(value):
            text = None  # it reads otherwise there if it is of a class of the program
        source = ""
        if isinstance(value, Iterating) and value.source and text is not None:
            source = f"list({value.source})"
        holders, is_old = held_by(text, self._state)
        if self._is_constant(node) or are_matches(source):
            holders, is_old = {}, False
        stream = value.stream if isinstance(value, Iterating) else None
        if isinstance(value, Iterating):
            self._uses(value)
        members = self._known.enumerations.items(value or "")
        self._memory.loops[site] = Loop(
            text, source=source, holders=holders, is_old=is_old, members=members, stream=stream
        )
        return value

    def _is_constant(self, node: ast.expr) -> bool:
        """Whether an expression is a name of the module that never changes, or a view of that."""
        while hook_name(node) in ("operand", "result"):
            node = arguments(node)[-1]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
            node = node.func.value
        name = plain_name(node)
        return bool(name) and name not in self._state and name in self._known.constants

    def _operands(self, about: Site) -> list[tuple[int, int, str | None, int]]:
        """Return what waits for the operation of a site."""
        return self._waiting[max(len(self._waiting) - about.num_operands, 0) :]

    def _filled(self, site: int, about: Site, until: int | None) -> Expected:
        """Take the operands of a site, used at a moment, and return how its evaluation reads."""
        count, taken = about.num_operands, self._operands(about)
        if count and (len(taken) < count or taken[0][:2] != (site, 0) or taken[-1][0] != site):
            raise UnforeseenError
        del self._waiting[len(self._waiting) - count :]
        texts = [text for _, _, text, _ in taken]
        is_old = any(self._current(text, since, until) is None for _, _, text, since in taken)
        for number, opening in about.tight:
            text = texts[number]
            if text is not None and text[0] in opening:
                texts[number] = f"({text})"
        filled = about.template % tuple("\0" if text is None else text for text in texts)
        if "\0" not in filled:
            sources = tuple(_source(text) for text in texts)
            formula: tuple[str, Mapping[str, str]] | None = None
            if sources != tuple(texts):
                formula = about.template % sources, {}
            return Expected(filled, formula=formula, owner=self._owner, is_old=is_old)
        return Expected(None, re.compile(".+".join(map(re.escape, filled.split("\0"))), re.DOTALL))

    def _joined(self, site: int, about: Site) -> str | None:
        """Return the text of ``and`` or ``or`` from the operands that were evaluated."""
        texts: list[str | None] = []
        is_cut = bool(self._waiting) and self._waiting[-1][1] < about.num_operands - 1
        while self._waiting and self._waiting[-1][0] == site:
            _, number, text, _ = self._waiting.pop()
            texts.append(text)
            if number == 0:
                break
        known = [text for text in reversed(texts) if text is not None]
        if not known or len(known) < len(texts):
            return None
        word = " and " if about.kind is SiteKind.AND else " or "
        return word.join([*known, "..."] if is_cut else known)

    def _decide(self, push: Push, text: str | None, truth: bool) -> None:
        """Note an operand of something compiled to jumps; report what is decided by it."""
        while True:
            site, number = push
            about = self._sites[site]
            self._wait(push, text)
            if about.joins_values:
                return
            if about.kind is SiteKind.NOT:
                self._waiting.pop()
                truth = not truth
                source = None if text is None else f"not {text}"
                text = repr(truth)
            else:
                if number < about.num_operands - 1 and truth is (about.kind is SiteKind.AND):
                    return
                source = self._joined(site, about)
            if source is not None:
                self._told(Expected(source, value=text))
            if about.push is None:
                return
            push = about.push

    def _unwritten(self, expected: Expected) -> str | None:
        """Return the value of an evaluation that is not written, where it is certain; None for any other."""
        text, value = expected.text or "", expected.value
        if value is None and not self._known.disguises.may_change(text):
            if 2 * len(text) > MAX_EVALUATION_CHARS:
                value = read_off(expected, self._known.attributes, self._known.made_of_fields)
            if value is None and self._calculates:
                value = self._known.calculated(expected)
        return value if value is not None and not is_written(text, value) else None

    def _told(self, expected: Expected) -> str | None:
        """Return the value of the evaluation that comes next: written already, or asked for."""
        value = expected.value
        if value is None:
            self._open.append(expected)
        if expected.text is not None and (unwritten := self._unwritten(expected)) is not None:
            return unwritten
        if expected.text is None or len(expected.text) <= MAX_TEXT:
            asked = expected if expected.text is not None else dataclasses.replace(expected, value=None)
            if not self._written and (answer := self._ask(asked)) is not None:
                self._written.append(answer)
            if self._written and expected.matches(self._written[-1][0]):
                is_other = expected.text is None and value not in (None, self._written[-1][1])
                value = value if is_other else self._written.pop()[1] or None
        if value is None:
            self.outcome.is_told = False
        return value


def _is_plain(text: str | None) -> bool:
    """Whether a value is made of atoms and built-in containers alone: no operation on it runs a method."""
    return text is not None and (is_literal(text) or _OBJECTS.search(text) is None)


def _source(text: str | None) -> str | None:
    """Return what stands for a value in an expression: for an iterator that which makes it."""
    return f"({text.source})" if isinstance(text, Made) and text.source else text


def with_source(text: str | None, expected: Expected) -> str | None:
    """Return the text of a value, with the expression for it where it does not tell what it is."""
    if text is None or isinstance(text, Made):
        return text
    is_value = text.startswith(("<re.Match object; ", COUNTER)) or text in _LOOKED_UP
    if not (is_value or text.endswith(" object>")):
        return text
    source, names = expected.formula or (expected.text or "", {})
    if names or not source:
        return text
    return Made(text, source) if is_value else Iterating(text, source)
