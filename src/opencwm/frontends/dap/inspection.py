"""What a client sees while the session stands still: stack, scopes, variables, expressions.

The one idea: a client asks level by level, with the numbers it was given, and each answer is made when it is
asked for. It reads the session and never moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from opencwm.core.errors import ConfigError
from opencwm.debugger import value_parts
from opencwm.debugger.activations import is_part, root_of
from opencwm.debugger.compare import Row
from opencwm.debugger.execution import FrameView, Origin, StepView, Value
from opencwm.debugger.session import Session
from opencwm.frontends.dap import arguments, presentation
from opencwm.frontends.dap.handles import FrameHandle, Handles, PartHandle, ScopeHandle, ScopeKind
from opencwm.frontends.dap.messages import Body, RequestError
from opencwm.frontends.dap.places import Places
from opencwm.traces import StepFlags, StepKind

_T = TypeVar("_T")
_HOW = {StepKind.RETURN: "(return value)", StepKind.EXCEPTION: "(exception)"}


class Inspection:
    """Answers about where a session is.

    Args:
        session: what is looked at.
        places: of its sources.
        client: what the client understands.
    """

    def __init__(self, session: Session, places: Places, client: arguments.Initialize) -> None:
        self.session = session
        self._places = places
        self._client = client
        self._handles = Handles()
        self.row: Row | None = None
        self.real_locals: dict[str, Value] = {}

    def moved(self, row: Row | None, real: FrameView | None) -> None:
        """Forget what was given out; ``row`` and ``real`` are of the same step of the real run, if any."""
        self._handles.clear()
        self.row = row
        self.real_locals = {} if real is None else dict(real.locals)

    # The stack

    def stack_trace(self, wanted: arguments.StackTrace) -> Body:
        """Return the frames, innermost first."""
        stack = self.session.stack
        levels = range(len(stack) - 1, -1, -1)
        end = wanted.start_frame + wanted.levels if wanted.levels > 0 else None
        shown = levels[max(0, wanted.start_frame) : end]
        return {
            "stackFrames": [self._frame(stack[level], level) for level in shown],
            "totalFrames": len(stack),
        }

    def _frame(self, frame: FrameView, level: int) -> Body:
        is_wrapper = self._places.is_wrapper(frame.lineno)
        return {
            "id": self._handles.add(FrameHandle(level)),
            "name": frame.function,
            **self._places.place(frame.lineno),
            "canRestart": True,
            **({"presentationHint": "subtle"} if is_wrapper else {}),
        }

    def level(self, frame_id: int | None) -> int:
        """Return the level of a frame; the innermost one's for None.

        Raises:
            RequestError: no such frame.
        """
        if frame_id is None:
            return len(self.session.stack) - 1
        return self._handles.level(frame_id)

    # Variables

    def scopes(self, wanted: arguments.Frame) -> Body:
        """Return what can be looked at in a frame."""
        level = self.level(wanted.frame_id)
        return {"scopes": [self._scope(ScopeHandle(level, kind)) for kind in self._kinds(level)]}

    def _kinds(self, level: int) -> Iterator[ScopeKind]:
        yield ScopeKind.LOCALS
        if level != len(self.session.stack) - 1:
            return
        if self.session.view.value is not None:
            yield ScopeKind.VALUE
        if self.session.step.evaluations:
            yield ScopeKind.EVALUATED
        if self.real_locals:
            yield ScopeKind.REAL

    def _scope(self, scope: ScopeHandle) -> Body:
        hints = {ScopeKind.LOCALS: "locals", ScopeKind.VALUE: "returnValue"}
        return {
            "name": str(scope.kind),
            "variablesReference": self._handles.add(scope),
            "namedVariables": len(list(self._scope_values(scope))),
            "expensive": False,
            **({"presentationHint": hints[scope.kind]} if scope.kind in hints else {}),
        }

    def variables(self, wanted: arguments.Variables) -> Body:
        """Return a page of what a scope or a value holds."""
        holder = self._handles.holder(wanted.variables_reference)
        if wanted.filter not in ("", "indexed", "named"):
            raise RequestError("must be indexed or named", where="filter")
        if wanted.start < 0 or wanted.count < 0:
            raise RequestError("must not be negative", where="start" if wanted.start < 0 else "count")
        if isinstance(holder, ScopeHandle):
            items = [] if wanted.filter == "indexed" else list(self._scope_values(holder))
            page = _page(items, wanted)
            return {"variables": [self._variable(holder, name, value, real) for name, value, real in page]}
        parts = [part for part in value_parts.children(holder.value.text) if _passes(part, wanted.filter)]
        return {"variables": [self._part(holder, part) for part in _page(parts, wanted)]}

    def _scope_values(self, scope: ScopeHandle) -> Iterator[tuple[str, Value, str | None]]:
        """Yield name, value, and what it really is where that is known to differ."""
        view = self.session.view
        if scope.kind is ScopeKind.VALUE and view.value is not None:
            yield self._returned(view, view.value)
        elif scope.kind is ScopeKind.EVALUATED:
            for item in view.step.evaluations:
                yield item.text, Value(item.value, view.origin), None
        elif scope.kind is ScopeKind.REAL:
            for name, value in self.real_locals.items():
                yield name, value, None
        elif scope.kind is ScopeKind.LOCALS:
            yield from self._locals(scope.level)

    def _returned(self, view: StepView, value: Value) -> tuple[str, Value, str | None]:
        name = "(yielded value)" if view.step.flags & StepFlags.YIELD else _HOW.get(view.step.kind, "(value)")
        row = self.row
        if row is None or row.value is None:
            return name, value, None
        differs = row.real is not None and row.kind_agrees and not row.value_agrees
        return name, row.value, row.real.step.value if differs and row.real is not None else None

    def _locals(self, level: int) -> Iterator[tuple[str, Value, str | None]]:
        stack = self.session.stack
        row = self.row if level == len(stack) - 1 else None
        for name, value in stack[level].locals.items():
            if row is None or not row.line_agrees:
                yield name, value, None
            elif name in row.differences:
                yield name, value, row.differences[name][1] or "unbound"
            else:
                yield name, row.locals.get(name, value), None

    def local(self, level: int, name: str) -> tuple[Value, str | None] | None:
        """Return a variable of a frame, and what it really is where that differs; None when there is none."""
        found = (item for item in self._locals(level) if item[0] == name)
        return next(((value, real) for _, value, real in found), None)

    def _variable(self, scope: ScopeHandle, name: str, value: Value, real: str | None) -> Body:
        is_local = scope.kind is ScopeKind.LOCALS
        part = PartHandle(scope, (name,), name if is_local else "", value)
        return {
            "name": name,
            "value": presentation.shown(value, real),
            **self._described(part, is_settable=is_local and self.can_set(scope.level)),
        }

    def _part(self, holder: PartHandle, part: value_parts.Child) -> Body:
        access = holder.access + part.access if holder.access and part.access else ""
        value = Value(part.text, holder.value.origin, holder.value.probability)
        inner = PartHandle(holder.scope, (*holder.path, part.name), access, value)
        scope = holder.scope
        is_settable = scope is not None and scope.kind is ScopeKind.LOCALS and self.can_set(scope.level)
        return {
            "name": part.name,
            "value": part.text,
            **self._described(inner, is_settable=is_settable and part.start >= 0),
        }

    def _described(self, part: PartHandle, *, is_settable: bool) -> Body:
        """Return what is said of every value: type, insides, origin."""
        inside = value_parts.children(part.value.text)
        body: Body = {
            "variablesReference": self._handles.add(part) if inside else 0,
            "presentationHint": presentation.hint(part.value, is_settable=is_settable),
        }
        if inside:
            num_indexed = sum(child.is_indexed for child in inside)
            body |= {"indexedVariables": num_indexed, "namedVariables": len(inside) - num_indexed}
        if part.access:
            body["evaluateName"] = part.access
        if self._client.supports_variable_type:
            body["type"] = value_parts.type_name(part.value.text)
        return body

    # Setting

    def can_set(self, level: int) -> bool:
        """Whether variables of a frame can be set: in the innermost one of a prediction, before a line."""
        return (
            level == len(self.session.stack) - 1
            and not self.session.is_ended
            and self.session.view.origin is Origin.PREDICTED
            and self.session.step.kind in (StepKind.LINE, StepKind.CALL)
        )

    def assignment(self, wanted: arguments.SetVariable) -> tuple[str, str, tuple[str, ...]]:
        """Return which variable ``setVariable`` sets, to which expression, and the path to the part it means.

        Raises:
            RequestError: that cannot be set, or the part is none that can be replaced.
        """
        holder = self._handles.holder(wanted.variables_reference)
        scope = holder if isinstance(holder, ScopeHandle) else holder.scope
        path = (wanted.name,) if isinstance(holder, ScopeHandle) else (*holder.path, wanted.name)
        if scope is None or scope.kind is not ScopeKind.LOCALS:
            raise RequestError(f"{wanted.name} is no variable", hint="variables are under Locals", shows=True)
        if not self.can_set(scope.level):
            raise RequestError(
                f"cannot set {wanted.name} here",
                hint="in the innermost frame of a predicted run, before a line runs",
                shows=True,
            )
        expression = presentation.unmarked(wanted.value).strip()
        if len(path) > 1:
            expression = self._whole(scope.level, path, expression)
        return path[0], expression, path

    def _whole(self, level: int, path: tuple[str, ...], expression: str) -> str:
        """Return the value of a variable with one part of it replaced."""
        text = self.session.evaluate(expression, level - len(self.session.stack)).text
        whole = self.session.stack[level].locals[path[0]].text
        found = value_parts.replaced(whole, path[1:], text)
        if found is None:
            raise RequestError(f"{path[-1]} is not shown in full and cannot be set", shows=True)
        return found

    def value_at(self, level: int, path: tuple[str, ...]) -> Body:
        """Return a variable, or a part of one, as ``setVariable`` answers it.

        Raises:
            RequestError: it is not there any more.
        """
        value = self.session.stack[level].locals.get(path[0])
        if value is None:
            raise RequestError(f"{path[0]} is no longer bound")
        part = PartHandle(ScopeHandle(level, ScopeKind.LOCALS), path[:1], path[0], value)
        for name in path[1:]:
            child = next((item for item in value_parts.children(part.value.text) if item.name == name), None)
            if child is None:
                raise RequestError(f"{name} is not there any more")
            inner = Value(child.text, value.origin, value.probability)
            part = PartHandle(part.scope, (*part.path, name), part.access + child.access, inner)
        body = self._described(part, is_settable=True)
        return {
            "value": presentation.shown(part.value) if len(path) == 1 else part.value.text,
            **{key: body[key] for key in _SET_KEYS if key in body},
        }

    def result(self, text: str, mark: str, access: str = "") -> Body:
        """Return the value of an expression as ``evaluate`` answers it."""
        part = PartHandle(None, (access,), access, Value(text, Origin.CARRIED))
        body = self._described(part, is_settable=False)
        return {
            "result": f"{text}  {mark}" if mark else text,
            "presentationHint": {"kind": "data", "attributes": ["readOnly"]},
            **{key: body[key] for key in _SET_KEYS if key in body},
        }

    def data_breakpoint(self, wanted: arguments.DataBreakpointInfo) -> tuple[str, str]:
        """Return the function and the variable, or the part of one, that a data breakpoint is asked for.

        Raises:
            ConfigError: that is no variable of a function.
        """
        if wanted.variables_reference:
            holder = self._handles.holder(wanted.variables_reference)
            scope = holder if isinstance(holder, ScopeHandle) else holder.scope
            if scope is None or scope.kind is not ScopeKind.LOCALS:
                raise ConfigError(f"{wanted.name} is no variable")
            name = wanted.name if isinstance(holder, ScopeHandle) else _part_named(holder, wanted.name)
            return self.session.stack[scope.level].function, name
        frame = self.session.stack[self.level(wanted.frame_id)]
        code = self.session.execution.codes[frame.code]
        if root_of(wanted.name) not in code.local_names or not is_part(wanted.name):
            raise ConfigError(f"{wanted.name} is no local variable of {frame.function}")
        return frame.function, wanted.name


def _part_named(holder: PartHandle, name: str) -> str:
    """Return what to write to reach a part of a value; where nothing does, its variable stands for it."""
    child = next((item for item in value_parts.children(holder.value.text) if item.name == name), None)
    is_reachable = child is not None and child.access and holder.access
    return f"{holder.access}{child.access}" if child is not None and is_reachable else holder.path[0]


_SET_KEYS = ("type", "variablesReference", "namedVariables", "indexedVariables")


def _passes(part: value_parts.Child, wanted: str) -> bool:
    return not wanted or part.is_indexed == (wanted == "indexed")


def _page(items: list[_T], wanted: arguments.Variables) -> list[_T]:
    end = wanted.start + wanted.count if wanted.count else None
    return items[wanted.start : end]
