"""Targets for tests of code that uses a sandbox."""

from __future__ import annotations

from collections.abc import Callable


def echo(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Emit the payload."""
    emit(payload)


def execute(payload: bytes, emit: Callable[[bytes], None]) -> None:
    """Run the payload as Python source in which ``emit`` is a global."""
    exec(compile(payload.decode(), "<payload>", "exec"), {"__name__": "payload", "emit": emit})  # noqa: S102
