"""What a message is: requests come in, responses and events go out.

The one idea: what a client sends is data to be checked, and each way it can be wrong has its own answer. What
the requests mean is not known here.

Source: https://microsoft.github.io/debug-adapter-protocol/specification#Base_Protocol.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from opencwm.core.errors import ProtocolError

Body = dict[str, Any]

NOT_STOPPED: Final = "notStopped"
CANCELLED: Final = "cancelled"
"""Messages of failed responses that the protocol gives a meaning."""

_MAX_SEQ: Final = 2**53


class RequestError(ProtocolError):
    """A request is answered with a failure.

    Args:
        what: why, for the user.
        hint: what the user can do.
        code: short word for the client; see :data:`NOT_STOPPED` and :data:`CANCELLED`.
        shows: whether the client should show it rather than log it.
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", code: str = "", shows: bool = False
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code
        self.shows = shows


class MessageError(ProtocolError):
    """A payload is no request.

    Args:
        what: why not.
        seq: its sequence number, when that much can be read: then it can be answered.
        command: what it asked for, as far as that can be read.
    """

    def __init__(self, what: str, *, seq: int | None = None, command: str = "") -> None:
        super().__init__(what)
        self.seq = seq
        self.command = command


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for; the arguments are not checked yet."""

    seq: int
    command: str
    arguments: Mapping[str, Any]


def parse_request(payload: bytes) -> Request | None:
    """Read a payload; None for a response, which no request of ours waits for.

    Raises:
        MessageError: it is no request.
    """
    try:
        data = json.loads(payload.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise MessageError("a message is a JSON object")
    seq, kind, command = data.get("seq"), data.get("type"), data.get("command")
    if type(seq) is not int or not 0 <= seq <= _MAX_SEQ:
        raise MessageError("a message needs a number: seq")
    if kind == "response":
        return None
    if kind != "request":
        raise MessageError(f"a message of type {_short(kind)}; a client sends requests", seq=seq)
    if not isinstance(command, str) or not command:
        raise MessageError("a request needs a command", seq=seq)
    arguments = data.get("arguments")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise MessageError("arguments must be an object", seq=seq, command=command)
    return Request(seq, command, arguments)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Outbox:
    """Numbers what goes out and hands it on as JSON.

    Args:
        send: takes one payload.
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)

    def response(self, request: Request, body: Body | None = None) -> None:
        """Answer a request that was done."""
        self._put(
            {
                "type": "response",
                "request_seq": request.seq,
                "success": True,
                "command": request.command,
                **({} if body is None else {"body": body}),
            }
        )

    def failure(self, seq: int, command: str, error: RequestError | MessageError) -> None:
        """Answer a request that was not done."""
        code = getattr(error, "code", "")
        shown = {"id": 1, "format": str(error), "showUser": getattr(error, "shows", False)}
        self._put(
            {
                "type": "response",
                "request_seq": seq,
                "success": False,
                "command": command,
                "message": code or str(error),
                "body": {"error": shown},
            }
        )

    def event(self, name: str, body: Body | None = None) -> None:
        """Tell the client that something happened."""
        self._put({"type": "event", "event": name, **({} if body is None else {"body": body})})

    def _put(self, message: Body) -> None:
        numbered = {"seq": next(self._numbers), **message}
        self._send(json.dumps(numbered, separators=(",", ":")).encode("ascii"))
