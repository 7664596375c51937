"""The requests that are understood, when each may come, and what the client is told we can do.

The one idea: a capability stands here beside the request it promises, so that exactly what is supported is
declared.

Source: https://microsoft.github.io/debug-adapter-protocol/specification#Types_Capabilities.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Final

from opencwm.frontends.dap import arguments
from opencwm.frontends.dap.breakpoint_table import EXCEPTION_FILTERS
from opencwm.frontends.dap.messages import Body


class Phase(enum.Enum):
    """How far a conversation is."""

    NEW = "not initialized"
    READY = "nothing was launched"
    LAUNCHED = "the configuration is not done"
    STOPPED = "stopped"
    RUNNING = "running"
    TERMINATED = "the session has ended"
    CLOSED = "closed"


@dataclasses.dataclass(frozen=True)
class Rule:
    """A request that is understood.

    Attributes:
        handler: name of the method of the adapter, without ``_on_``.
        reads: the class of its arguments.
        phases: when it may come.
        ends_run: whether it ends a running move first.
        is_long: whether it has to wait while something is launched, or the model is asked something.
    """

    handler: str
    reads: type[Any]
    phases: frozenset[Phase]
    ends_run: bool = False
    is_long: bool = False


_NEW: Final = frozenset({Phase.NEW})
_READY: Final = frozenset({Phase.READY})
_STOPPED: Final = frozenset({Phase.STOPPED})
_LAUNCHED: Final = frozenset({Phase.LAUNCHED, Phase.STOPPED, Phase.RUNNING})
_ALIVE: Final = frozenset({Phase.READY, Phase.TERMINATED}) | _LAUNCHED

RULES: Final[dict[str, Rule]] = {
    "initialize": Rule("initialize", arguments.Initialize, _NEW),
    "launch": Rule("launch", arguments.Launch, _READY, is_long=True),
    "attach": Rule("attach", arguments.Launch, _READY, is_long=True),
    "configurationDone": Rule("configuration_done", arguments.NoArguments, _ALIVE),
    "restart": Rule(
        "restart", arguments.Restart, _LAUNCHED | {Phase.TERMINATED}, ends_run=True, is_long=True
    ),
    "terminate": Rule("terminate", arguments.NoArguments, _ALIVE, ends_run=True),
    "disconnect": Rule("disconnect", arguments.Disconnect, _ALIVE | _NEW, ends_run=True),
    "cancel": Rule("cancel", arguments.Cancel, _ALIVE | _NEW),
    # Configuration
    "setBreakpoints": Rule("set_breakpoints", arguments.SetBreakpoints, _ALIVE),
    "setFunctionBreakpoints": Rule("set_function_breakpoints", arguments.SetFunctionBreakpoints, _ALIVE),
    "setExceptionBreakpoints": Rule("set_exception_breakpoints", arguments.SetExceptionBreakpoints, _ALIVE),
    "setDataBreakpoints": Rule("set_data_breakpoints", arguments.SetDataBreakpoints, _ALIVE),
    "breakpointLocations": Rule("breakpoint_locations", arguments.BreakpointLocations, _ALIVE),
    "dataBreakpointInfo": Rule("data_breakpoint_info", arguments.DataBreakpointInfo, _STOPPED),
    # Moves
    "next": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "stepIn": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "stepOut": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "stepBack": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "continue": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "reverseContinue": Rule("move", arguments.Move, _STOPPED, is_long=True),
    "goto": Rule("goto", arguments.Goto, _STOPPED, is_long=True),
    "restartFrame": Rule("restart_frame", arguments.Frame, _STOPPED, is_long=True),
    "pause": Rule("pause", arguments.Thread, _LAUNCHED),
    # Looking
    "threads": Rule("threads", arguments.NoArguments, _ALIVE),
    "source": Rule("source", arguments.SourceText, _LAUNCHED | {Phase.TERMINATED}),
    "stackTrace": Rule("stack_trace", arguments.StackTrace, _STOPPED),
    "scopes": Rule("scopes", arguments.Frame, _STOPPED),
    "variables": Rule("variables", arguments.Variables, _STOPPED),
    "setVariable": Rule("set_variable", arguments.SetVariable, _STOPPED, is_long=True),
    "evaluate": Rule("evaluate", arguments.Evaluate, _STOPPED, is_long=True),
    "completions": Rule("completions", arguments.Completions, _STOPPED),
    "exceptionInfo": Rule("exception_info", arguments.Thread, _STOPPED),
    "gotoTargets": Rule("goto_targets", arguments.GotoTargets, _STOPPED, is_long=True),
}

CAPABILITIES: Final[Body] = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsLogPoints": True,
    "supportsDataBreakpoints": True,
    "supportsBreakpointLocationsRequest": True,
    "exceptionBreakpointFilters": list(EXCEPTION_FILTERS),
    "supportsExceptionFilterOptions": True,
    "supportsExceptionInfoRequest": True,
    "supportsEvaluateForHovers": True,
    "supportsClipboardContext": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": ["."],
    "supportsStepBack": True,
    "supportsSteppingGranularity": True,
    "supportsSetVariable": True,
    "supportsRestartFrame": True,
    "supportsGotoTargetsRequest": True,
    "supportsRestartRequest": True,
    "supportsTerminateRequest": True,
    "supportsCancelRequest": True,
    "supportsDelayedStackTraceLoading": True,
}
