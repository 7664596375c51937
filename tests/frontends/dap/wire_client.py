"""A client of a debug adapter in another process, for adapters that are not ours too."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

from opencwm.frontends.dap.framing import FrameDecoder, encode

Message = dict[str, Any]
WAIT_S = 60.0


class WireClient:
    """Starts an adapter and speaks with it over its stdin and stdout."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._events: list[Message] = []
        self._answers: dict[int, Message] = {}
        self._seq = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        decoder = FrameDecoder()
        stream = self._process.stdout
        assert stream is not None
        while data := stream.read1(2**16):  # type: ignore[attr-defined]
            for payload in decoder.feed(data):
                assert isinstance(payload, bytes)
                self._messages.put(json.loads(payload))
        self._messages.put(None)

    def send(self, command: str, **arguments: Any) -> int:
        self._seq += 1
        message = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        stream = self._process.stdin
        assert stream is not None
        stream.write(encode(json.dumps(message).encode()))
        stream.flush()
        return self._seq

    def _next(self) -> None:
        message = self._messages.get(timeout=WAIT_S)
        assert message is not None, "the adapter has gone"
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._answers[message["request_seq"]] = message

    def answer(self, seq: int) -> Message:
        while seq not in self._answers:
            self._next()
        answer = self._answers.pop(seq)
        assert answer["success"], answer
        body: Message = answer.get("body") or {}
        return body

    def __call__(self, command: str, **arguments: Any) -> Message:
        return self.answer(self.send(command, **arguments))

    def event(self, *names: str) -> Message:
        """Wait for the next event of one of these names."""
        while True:
            for event in self._events:
                if event["event"] in names:
                    self._events.remove(event)
                    return event
            self._next()

    def close(self) -> None:
        """Leave, and end the adapter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self("disconnect", terminateDebuggee=True)
        self._process.kill()  # debugpy's would linger
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
