"""Follow ``with`` statements without running them: ``__enter__`` and ``__exit__`` of classes of the program.

The line of a ``with`` runs twice: first it makes its manager and enters ``__enter__``, then, once its block
has been left, it enters ``__exit__``. The second time the manager has to be known that the first time made;
it is the local it is bound to, or nothing else holds it.

Source: https://docs.python.org/3/reference/compound_stmts.html#the-with-statement
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Sequence
from typing import Final

from opencwm.debugger.exceptions import type_name
from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.expectations import Manager, UnforeseenError
from opencwm.debugger.foreseeing.expression_follower import ExpressionFollower
from opencwm.debugger.foreseeing.hooks import arguments, hook_name, plain_name
from opencwm.debugger.foreseeing.rendered import is_atom
from opencwm.debugger.foreseeing.with_blocks import RETURNS, UNWINDS, WithBlock

_NOTHING: Final = ("None", "None", "None")


class WithFollower(ExpressionFollower):
    """Follows the line of a ``with`` statement."""

    @abc.abstractmethod
    def _assign(self, targets: Sequence[ast.expr], value: str | None) -> None:
        """Follow one value into all targets."""

    def _with(self, node: ast.With) -> None:
        """Follow the line of a ``with`` statement: into its block, or out of it."""
        block, memory = self._known.blocks.get(node.lineno), self._memory
        self.is_leaving = memory.before == node.lineno  # exceptions leave one manager at a time
        if block is None or self.is_leaving:
            raise UnforeseenError
        is_thrown = memory.before == 0 and memory.passing is not None
        self.outcome.is_pure = False
        if (memory.raised_on if is_thrown else memory.before) in block.lines:
            self._leave(node, block)
        else:
            self._enter(node, block)

    def _enter(self, node: ast.With, block: WithBlock) -> None:
        managers: list[Manager] = []
        for item in node.items:
            num_calls = len(self.calls)
            text = self._value(item.context_expr)
            makes = [call for call in self.calls[num_calls:] if not call.is_method]
            entered = self._entered[0] if self._entered else None
            value = self._asked_of(text, "__enter__", (), item.context_expr)
            target = item.optional_vars
            name = plain_name(item.context_expr)
            after = text if entered is None else entered.after.get(self._first_parameter(entered.first))
            if not name and isinstance(target, ast.Name) and entered is not None:
                name = target.id if value == after and self._returns_self(entered.first) else ""
            is_fresh = (
                not name
                and text is not None
                and _called(item.context_expr) == text.partition("(")[0]
                and len(makes) <= 1
                and all(_is_fixed(arg) for call in makes for arg in (*call.args, *call.keywords.values()))
                and self._known.is_isolated
                and (target is None or _is_fixed(value))
            )
            leaving = CallSite("__exit__", True, text, _NOTHING, {})
            managers.append(
                Manager(
                    self._certain(leaving),
                    name if name not in block.bound | self._known.shared else "",
                    after if is_fresh else None,
                )
            )
            if target is not None:
                self._assign([target], value)
        self._memory.managers[node.lineno] = managers
        if block.begins is not None:
            self.outcome.leads_to = frozenset({block.begins})

    def _asked_of(
        self, text: str | None, name: str, args: tuple[str, ...], node: ast.expr, first: int = 0
    ) -> str | None:
        """Follow the call of a special method of a manager; return what it gave."""
        entries = self._known.entries
        call = CallSite(name, True, text, args, {}, first=first)
        if entries is None or not self._known.functions.is_plain(self._certain(call)):
            raise UnforeseenError
        given: list[ast.expr] = [ast.Constant(None) for _ in args]
        return self._made(call, ast.Call(ast.Attribute(node, name, ast.Load()), given, []))

    def _first_parameter(self, first: int) -> str:
        definition = self._known.functions.definition(first)
        return definition.args.args[0].arg if definition is not None and definition.args.args else ""

    def _returns_self(self, first: int) -> bool:
        """Whether a method returns the object that it is a method of, wherever it returns."""
        definition, name = self._known.functions.definition(first), self._first_parameter(first)
        inside = [] if definition is None else list(ast.walk(definition))
        returned = [part.value for part in inside if isinstance(part, ast.Return)]
        are_it = all(isinstance(value, ast.Name) and value.id == name for value in returned)
        names = (part for part in inside if isinstance(part, ast.Name) and part.id == name)
        return bool(returned) and are_it and all(isinstance(part.ctx, ast.Load) for part in names)

    def _leave(self, node: ast.With, block: WithBlock) -> None:
        memory = self._memory
        passing, managers = memory.passing, memory.managers.get(node.lineno, [])
        self.is_leaving, self.is_passing_on = True, passing is not None or block.has_try
        is_open = passing is None and block.has_try
        is_one = passing is None or len(managers) == 1
        if passing == "" or is_open or not is_one or not all(item.first for item in managers):
            memory.passing = ""
            raise UnforeseenError  # perhaps an exception is on its way, perhaps not
        memory.jump = "" if passing is not None else memory.jump
        for manager in reversed(managers):
            args = _NOTHING if passing is None else (self._class_of(passing), passing, "<traceback object>")
            holder = ast.Name(manager.name, ast.Load())
            text = self._name(holder) if manager.name else manager.text
            value = self._asked_of(text, "__exit__", args, holder, manager.first)
            truth = None if passing is None else self._known.truth(value)
            if passing is not None and truth is None:
                memory.passing = ""
                raise UnforeseenError
            passing = None if truth else passing
        memory.passing, self.is_passing_on = passing, passing is not None
        if not managers:
            raise UnforeseenError
        self._goes_on(block, is_thrown=passing is not None)

    def _goes_on(self, block: WithBlock, *, is_thrown: bool) -> None:
        """Note what runs after a block that has been left."""
        memory = self._memory
        where = block.around if is_thrown or memory.jump == "Return" else None
        if not is_thrown and not memory.jump:
            where = block.after
        if where is not None:
            self.outcome.leads_to = frozenset({UNWINDS if is_thrown and where == RETURNS else where})
        if where == RETURNS and not is_thrown and not block.is_final:
            self.outcome.returned = self._returned_now() if memory.jump else "None"

    def _returned_now(self) -> str | None:
        """Return how what waits to be returned reads now."""
        name, text = self._memory.waiting
        if name:
            return self._name(ast.Name(name, ast.Load()))
        return text if text is not None and is_atom(text) else None

    def _class_of(self, exception: str) -> str:
        """Return how the class of an exception reads.

        Raises:
            UnforeseenError: that is not known.
        """
        name = type_name(exception)
        text = self._known.constants.get(name)
        if text in (f"<class '{name}'>", f"<class 'program.{name}'>"):
            return text
        raise UnforeseenError


def _called(node: ast.expr) -> str:
    """Return the name of what an expression calls, empty where it is no call of a name."""
    while hook_name(node):
        node = arguments(node)[-1]
    return plain_name(node.func) if isinstance(node, ast.Call) else ""


def _is_fixed(text: str | None) -> bool:
    return text is not None and is_atom(text)
