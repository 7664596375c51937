"""Every error OpenCWM raises on purpose.

    OpenCWMError
    |-- ConfigError (also ValueError)   a setting, an argument or an input file the user gave
    |-- TraceFormatError                a trace, shard or manifest that does not follow its schema
    |-- CodecError                      text or ids that cannot be encoded
    |-- SandboxError                    the sandbox itself failed (a failing *program* is a recorded status,
    no error) |-- EngineError                     a model folder that cannot be loaded, or an engine that
    broke |-- ProtocolError                   a peer that broke a wire protocol `-- TaskError
    a task whose files do not make sense

Users see one line, ``what``, ``where`` and ``hint`` joined, and exit status 2.
"""

from __future__ import annotations

import functools


class OpenCWMError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what: what went wrong, one clause, no full stop.
        where: file, line, option or id it concerns; empty when there is none.
        hint: what the user can do about it; empty when there is nothing to say.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return functools.partial(type(self), where=self.where, hint=self.hint), (self.what,)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(OpenCWMError, ValueError):
    """A setting, an argument or an input file given by the user is wrong."""


class TraceFormatError(OpenCWMError):
    """A trace, shard or manifest does not follow its schema."""


class CodecError(OpenCWMError):
    """Text or ids cannot be encoded. Decoding model output never raises this."""


class SandboxError(OpenCWMError):
    """The sandbox failed; a program that fails inside it is a recorded status instead."""


class EngineError(OpenCWMError):
    """A model folder cannot be loaded, or an engine broke."""


class ProtocolError(OpenCWMError):
    """A peer broke a wire protocol."""


class TaskError(OpenCWMError):
    """A task's files do not make sense."""
