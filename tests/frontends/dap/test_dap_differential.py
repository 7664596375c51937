"""The same script of moves on the same real run, for debugpy and for us: same stops, same variables.

Two differences are by design, and taken out here. We stop at returns and where an exception passes, with its
value, as pdb does; debugpy stops at lines only. Stepping out of a function, or in from its end, debugpy stops
in the middle of the caller's line, which no recorded step is; so both take one more step there.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from .test_dap_conformance import SERVER
from .wire_client import WireClient

PROGRAM = """\
class Account:
    def __init__(self, owner):
        self.owner = owner
        self.entries = []

    def add(self, amount):
        if amount < 0:
            raise ValueError(amount)
        self.entries.append(amount)
        return len(self.entries)


def parse(text):
    found = {}
    for part in text.split(','):
        key, _, value = part.partition('=')
        found[key] = int(value)
    return found


def total(values):
    if not values:
        return 0
    head, *tail = values
    return head + total(tail)


def start():
    table = parse('a=1,b=-2,c=3')
    account = Account('x')
    refused = []
    for key in sorted(table):
        try:
            account.add(table[key])
        except ValueError as error:
            refused.append(f'{key}: {error}')
    sums = total(account.entries)
    return sums, refused


if __name__ == '__main__':
    start()
"""
FIRST = 29
MOVES = ("next", "stepIn", "stepOut")
Stop = tuple[list[tuple[str, int]], dict[str, str]]


class Debugger:
    """One of the two debuggers, in the words that they share."""

    def __init__(self, command: list[str], program: Path, launch: dict[str, Any], bottom: str) -> None:
        self.client = WireClient(command)
        self._bottom = bottom
        self.client("initialize", adapterID="x", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        launched = self.client.send("launch", program=str(program), **launch)
        self.client.event("initialized")
        self._program = program
        self.set_breakpoints({"line": FIRST})
        self.client("configurationDone")
        self.client.answer(launched)
        self.thread = 1
        self.values = ""

    def set_breakpoints(self, *wanted: dict[str, Any]) -> None:
        self.client("setBreakpoints", source={"path": str(self._program)}, breakpoints=list(wanted))

    def stop(self) -> Stop | None:
        """Wait for a stop; None for the end."""
        event = self.client.event("stopped", "terminated")
        if event["event"] == "terminated" or event["body"]["reason"] == "end":
            return None
        self.thread = event["body"]["threadId"]
        frames = self.client("stackTrace", threadId=self.thread)["stackFrames"]
        places = [(frame["name"].rpartition(".")[2], frame["line"]) for frame in frames]
        names = [name for name, _ in places]
        places = places[: names.index(self._bottom) + 1] if self._bottom in names else []
        scopes = self.client("scopes", frameId=frames[0]["id"])["scopes"]
        self.values = scopes[1]["name"] if len(scopes) > 1 else ""
        held = self.client("variables", variablesReference=scopes[0]["variablesReference"])["variables"]
        texts = {item["name"]: item["value"] for item in held if item["name"].isidentifier()}
        return places, {name: text for name, text in texts.items() if "Account" not in text}

    def move(self, command: str) -> Stop | None:
        self.client(command, threadId=self.thread)
        return self.stop()


class Debugpy(Debugger):
    def __init__(self, program: Path) -> None:
        launch = {"console": "internalConsole", "python": [sys.executable]}
        super().__init__([sys.executable, "-m", "debugpy.adapter"], program, launch, "start")
        self.depth = 1

    def go(self, command: str) -> Stop | None:
        found = self.move(command)
        if found is not None and command != "next" and len(found[0]) < self.depth:
            found = self.move("next")
        self.depth = 0 if found is None else len(found[0])
        return found


class Ours(Debugger):
    def __init__(self, program: Path, server: Path) -> None:
        launch = {"mode": "real", "entry": "start"}
        super().__init__([sys.executable, str(server)], program, launch, "start")

    def go(self, command: str) -> Stop | None:
        found = self.move(command)
        while found is not None and self.values == "Value":
            found = self.move("next")
        return found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_both_stop_at_the_same_places_with_the_same_variables(program: Path, tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    theirs, ours = Debugpy(program), Ours(program, server)
    try:
        assert ours.stop() == theirs.stop()
        chance = random.Random(7)
        num_compared = 0
        for _ in range(50):
            command = chance.choices(MOVES, (3, 7, int(theirs.depth > 1)))[0]
            expected, found = theirs.go(command), ours.go(command)
            if expected is None or not expected[0]:
                break
            assert found == expected, (command, num_compared)
            num_compared += 1
        assert num_compared > 30
    finally:
        theirs.client.close()
        ours.client.close()


def test_both_stop_at_the_same_breakpoints(program: Path, tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(SERVER)
    theirs, ours = Debugpy(program), Ours(program, server)
    try:
        assert ours.stop() == theirs.stop()
        wanted = [
            {"line": 17, "condition": "value != '1'"},
            {"line": 24, "hitCondition": "2"},
            {"line": 33, "hitCondition": ">= 2"},
        ]
        stops = []
        for debugger in (theirs, ours):
            debugger.set_breakpoints(*wanted)
            found = []
            while (stop := debugger.move("continue")) is not None:
                found.append(stop)
            stops.append(found)
        assert stops[0] == stops[1]
        assert [places[0][1] for places, _ in stops[0]] == [17, 17, 33, 33, 24]
    finally:
        theirs.client.close()
        ours.client.close()
