"""A client in this process: requests in, checked messages out, over the same bytes as on a wire."""

from __future__ import annotations

import json
import queue
import textwrap
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from opencwm.debugger.execution import Execution
from opencwm.debugger.testing import ScriptedExecution, predicted_from
from opencwm.debugger.world_model import WorldModel
from opencwm.frontends.dap.adapter import Settings
from opencwm.frontends.dap.framing import FrameDecoder, encode
from opencwm.frontends.dap.serving import converse
from opencwm.frontends.models import Models
from opencwm.tracer import record
from opencwm.traces import Program

from .dap_schema import check

Message = dict[str, Any]
WAIT_S = 30.0

COUNT = textwrap.dedent(
    """\
    def count(word, letter):
        n = 0
        for c in word:
            if c == letter:
                n += 1
        return n


    def f(word):
        try:
            k = count(word, 'r')
            return 10 // (k - 2)
        except ZeroDivisionError as e:
            return 'none'
    """
)
NESTED = textwrap.dedent(
    """\
    class Box:
        def __init__(self, items):
            self.items = items


    def g():
        table = {'a': [1, 2, 3], 'b': {'c': None}}
        box = Box(list(range(5)))
        table['a'].append(4)
        return table
    """
)
RAISES = textwrap.dedent(
    """\
    def inner(d, k):
        return d[k]


    def outer(k):
        d = {'a': 1}
        return inner(d, k)
    """
)


class ScriptedModels(Models):
    """Models that predict what really happens, with mistakes on demand.

    Args:
        probability: of everything.
        wrong: step -> local -> text that is predicted in place of the right one.
        delay: called before each step is read.
    """

    def __init__(
        self,
        *,
        probability: float = 0.9,
        wrong: Mapping[int, Mapping[str, str]] | None = None,
        delay: Any = None,
        malformed_at: int | None = None,
    ) -> None:
        super().__init__()
        self.probability = probability
        self.wrong = wrong
        self.delay = delay
        self.malformed_at = malformed_at

    def get(self, spec: str | Path | None = None) -> WorldModel:  # noqa: ARG002 - there is one
        return cast(WorldModel, SimpleNamespace(execution=self._execution))

    def _execution(self, program: Program, **_: Any) -> Execution:
        trace = record(program)
        made = predicted_from(
            trace, probability=self.probability, wrong=self.wrong, malformed_at=self.malformed_at
        )
        return _Slow(made, self.delay)


class _Slow(ScriptedExecution):
    """A scripted execution that has what a predicted one has, and may take its time."""

    def __init__(self, made: ScriptedExecution, delay: Any) -> None:
        self.__dict__.update(made.__dict__)
        self.notices = ("line 99 is not shown to the model",)
        self._delay = delay

    def get(self, index: int) -> Any:
        if self._delay is not None and index >= self.num_known:
            self._delay(index)
        return super().get(index)


class DapClient:
    """Speaks with a server that runs in a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        self._to_server: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._decoder = FrameDecoder()
        self._seq = 0
        self.events: list[Message] = []  # in order, also those that were waited for
        self._unseen: list[Message] = []
        self._answers: dict[int, Message] = {}
        self._thread = threading.Thread(
            target=converse, args=(lambda _: self._to_server.get(), self._receive, settings), daemon=True
        )
        self._thread.start()

    def _receive(self, data: bytes) -> None:
        for payload in self._decoder.feed(data):
            assert isinstance(payload, bytes)
            self._messages.put(json.loads(payload))

    # Sending

    def raw(self, data: bytes) -> None:
        self._to_server.put(data)

    def send(self, command: str, **arguments: Any) -> int:
        self._seq += 1
        message = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        self.raw(encode(json.dumps(message).encode()))
        return self._seq

    def __call__(self, command: str, **arguments: Any) -> Message:
        """Send a request and return the body of its answer, which has to be a success."""
        answer = self.answer(self.send(command, **arguments))
        assert answer["success"], answer
        body: Message = answer.get("body") or {}
        return body

    def refused(self, command: str, **arguments: Any) -> str:
        """Send a request and return why it failed."""
        answer = self.answer(self.send(command, **arguments))
        assert not answer["success"], answer
        return str(answer["message"])

    # Receiving

    def next(self) -> Message:
        message = self._messages.get(timeout=WAIT_S)
        check(message)
        if message["type"] == "event":
            self.events.append(message)
            self._unseen.append(message)
        return message

    def answer(self, seq: int) -> Message:
        """Return the answer to a request; answers may come in another order than requests."""
        while seq not in self._answers:
            message = self.next()
            if message["type"] == "response":
                self._answers[message["request_seq"]] = message
        return self._answers.pop(seq)

    def event(self, name: str) -> Message:
        """Return the body of the next event of this name that was not waited for yet."""
        while True:
            for message in self._unseen:
                if message["event"] == name:
                    self._unseen.remove(message)
                    body: Message = message.get("body") or {}
                    return body
            self.next()

    def output(self) -> str:
        """Return all that was said so far."""
        return "".join(item["body"]["output"] for item in self.events if item["event"] == "output")

    # Sequences

    def initialize(self, **more: Any) -> Message:
        client = {"adapterID": "opencwm", "supportsVariableType": True, "supportsInvalidatedEvent": True}
        body = self("initialize", **client, **more)
        self.event("initialized")
        return body

    def launch(self, **arguments: Any) -> None:
        """Initialize, launch and configure."""
        self.initialize()
        self("launch", **arguments)
        self("configurationDone")

    def stopped(self) -> Message:
        """Wait for a stop and return its body, with the top frame as ``frame``."""
        body = self.event("stopped")
        trace = self("stackTrace", threadId=1)
        return {**body, "frame": trace["stackFrames"][0]}

    def step(self, command: str, **more: Any) -> Message:
        self(command, threadId=1, **more)
        return self.stopped()

    def variables(self, reference: int, **more: Any) -> dict[str, Message]:
        found = self("variables", variablesReference=reference, **more)["variables"]
        return {item["name"]: item for item in found}

    def scopes(self) -> dict[str, int]:
        frame = self("stackTrace", threadId=1)["stackFrames"][0]
        return {
            item["name"]: item["variablesReference"] for item in self("scopes", frameId=frame["id"])["scopes"]
        }

    def locals(self) -> dict[str, str]:
        return {name: item["value"] for name, item in self.variables(self.scopes()["Locals"]).items()}

    def close(self) -> None:
        """Leave, or break off when that cannot be done, and wait for the server."""
        self.send("disconnect")
        self.raw(b"")
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        while not self._messages.empty():
            check(self._messages.get())

    def kill(self) -> None:
        """Break off without a word."""
        self.raw(b"")
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def connected(settings: Settings) -> Iterator[DapClient]:
    client = DapClient(settings)
    yield client
    client.close()
