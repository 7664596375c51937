"""What each request may say: one frozen class per request, and one reader for all.

The one idea: field names are the protocol's, in Python's spelling, and their types are what is checked. Keys
that are not known are left alone, because editors add their own.

Source: https://microsoft.github.io/debug-adapter-protocol/specification#Requests; what ``launch`` takes is
ours.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from opencwm.frontends.dap.messages import RequestError

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoArguments:
    """Nothing that matters here."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Initialize:
    """What the client can do, and how it counts."""

    lines_start_at1: bool = True
    columns_start_at1: bool = True
    path_format: str = "path"
    supports_variable_type: bool = False
    supports_progress_reporting: bool = False
    supports_invalidated_event: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """What to debug; see docs/editors.md.

    Attributes:
        program: path of a Python file.
        source: text of a snippet, in place of ``program``.
        call: the call to start with.
        entry: the function to start in, in place of ``call``.
        mode: ``predicted``, ``real`` or ``compare``.
        model: which, as :mod:`opencwm.model.spec` says; empty for the one in the package.
        assume: what is assumed of arguments, variables, calls and missing imports, see
            :mod:`opencwm.debugger.assumptions`.
        stop_on_entry: stop at the first line.
        stop_at_end: stop at the last step, from where one can go back, instead of ending the session there.
        no_debug: run to the end, without any stop.
        max_steps: most steps one move may read.
        timeout_s: wall-clock limit of a real run.
        token: what a server that was started with ``--token`` asks for.
    """

    program: str = ""
    source: str = ""
    call: str = ""
    entry: str = ""
    mode: str = "predicted"
    model: str = ""
    assume: tuple[str, ...] = ()
    stop_on_entry: bool = False
    stop_at_end: bool = True
    no_debug: bool = False
    max_steps: int = 1_000
    timeout_s: float = 10.0
    token: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restart:
    """The launch arguments, where they are new."""

    arguments: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Disconnect:
    """Whether the client starts again at once."""

    restart: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceRef:
    """A file, or a text of this session."""

    name: str = ""
    path: str = ""
    source_reference: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceText:
    """Which text is wanted."""

    source: SourceRef = SourceRef()
    source_reference: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceBreakpoint:
    """A breakpoint on a line."""

    line: int
    condition: str = ""
    hit_condition: str = ""
    log_message: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetBreakpoints:
    """All breakpoints of a source; ``lines`` is the older way to say it."""

    source: SourceRef
    breakpoints: tuple[SourceBreakpoint, ...] | None = None
    lines: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionBreakpoint:
    """A breakpoint on a function."""

    name: str
    condition: str = ""
    hit_condition: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetFunctionBreakpoints:
    """All breakpoints on functions."""

    breakpoints: tuple[FunctionBreakpoint, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExceptionFilter:
    """A filter, and when it holds."""

    filter_id: str
    condition: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetExceptionBreakpoints:
    """All exception filters that are on."""

    filters: tuple[str, ...] = ()
    filter_options: tuple[ExceptionFilter, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataBreakpointInfo:
    """Which variable a data breakpoint may be set on."""

    name: str
    variables_reference: int = 0
    frame_id: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataBreakpoint:
    """A breakpoint on a variable."""

    data_id: str
    access_type: str = "write"
    condition: str = ""
    hit_condition: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetDataBreakpoints:
    """All breakpoints on variables."""

    breakpoints: tuple[DataBreakpoint, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BreakpointLocations:
    """Where breakpoints could be set."""

    source: SourceRef
    line: int
    end_line: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread; there is one."""

    thread_id: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Move:
    """A step of a thread, forward or back."""

    thread_id: int
    granularity: str = "line"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackTrace:
    """Which frames are wanted; 0 levels are all."""

    thread_id: int
    start_frame: int = 0
    levels: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame of the stack."""

    frame_id: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variables:
    """Which children are wanted; a count of 0 is all."""

    variables_reference: int
    filter: str = ""
    start: int = 0
    count: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetVariable:
    """A variable and its new value."""

    variables_reference: int
    name: str
    value: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """An expression, and what its value is for."""

    expression: str
    frame_id: int | None = None
    context: str = "repl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completions:
    """What was typed so far."""

    text: str
    column: int
    frame_id: int | None = None
    line: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class GotoTargets:
    """A line to go to."""

    source: SourceRef
    line: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Goto:
    """An occurrence of a line, from an earlier answer."""

    thread_id: int
    target_id: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cancel:
    """What is no longer wanted."""

    request_id: int | None = None
    progress_id: str | None = None


def read(kind: type[_T], data: Mapping[str, Any]) -> _T:
    """Read arguments of a request.

    Args:
        kind: one of the classes of this module.
        data: as sent.

    Raises:
        RequestError: something is missing or of another type.
    """
    found = {}
    for name, (key, hint, is_needed) in fields_of(typing.cast(Any, kind)).items():
        if key not in data or (data[key] is None and not is_needed):
            if is_needed:
                raise RequestError("is missing", where=key)
            continue
        found[name] = _value(hint, data[key], key)
    return kind(**found)


@functools.cache
def fields_of(kind: Any) -> dict[str, tuple[str, Any, bool]]:
    """Return, by field, the key of an argument, its type, and whether it is needed."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (
            _camel(field.name),
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _camel(name: str) -> str:
    head, *rest = name.removesuffix("_s").split("_")
    return head + "".join(part.capitalize() for part in rest)


def _value(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        return _value(typing.get_args(hint)[0], value, where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong("a list", value, where)
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong("an object", value, where)
        return value
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise _wrong("an object", value, where)
        try:
            return read(typing.cast("type[Any]", hint), value)
        except RequestError as error:
            raise RequestError(error.what, where=f"{where}.{error.where}") from None
    return _scalar(hint, value, where)


_LARGEST = 2**53  # what JSON's numbers hold exactly; nan and the infinities are not below it
_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _scalar(hint: Any, value: Any, where: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    if hint is int and is_number and value == int(value):
        return int(value)
    if hint is float and is_number:
        return float(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    raise _wrong(_NAMES[hint], value, where)


def _wrong(wanted: str, value: object, where: str) -> RequestError:
    text = repr(value)
    return RequestError(
        f"must be {wanted}, not {text if len(text) <= 60 else text[:57] + '...'}", where=where
    )
