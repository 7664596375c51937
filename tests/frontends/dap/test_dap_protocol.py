"""What a client may get wrong, what may take long, and who may connect: the session survives all of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencwm.frontends.dap import arguments
from opencwm.frontends.dap.adapter import Adapter, Settings
from opencwm.frontends.dap.framing import encode
from opencwm.frontends.dap.rules import CAPABILITIES, RULES

from .dap_client import COUNT, DapClient, ScriptedModels
from .dap_schema import schema

Connect = Callable[..., DapClient]
LOOP = "def f(n):\n    while n > 0:\n        n -= 1\n    return n\n"


def test_what_is_declared_is_what_there_is() -> None:
    known = schema()["definitions"]["Capabilities"]["properties"]
    assert set(CAPABILITIES) <= set(known)
    needs = {
        "supportsFunctionBreakpoints": "setFunctionBreakpoints",
        "supportsDataBreakpoints": "setDataBreakpoints",
        "supportsStepBack": "stepBack",
        "supportsRestartFrame": "restartFrame",
        "supportsRestartRequest": "restart",
    }
    for capability in CAPABILITIES:
        named = capability.removeprefix("supports")
        named = needs.get(capability, named[:1].lower() + named.removesuffix("Request")[1:])
        if capability.endswith("Request") or capability in needs:
            assert named in RULES, capability
    commands = {
        definition["allOf"][1]["properties"]["command"]["enum"][0]
        for name, definition in schema()["definitions"].items()
        if name.endswith("Request") and name != "Request"
    }
    assert set(RULES) <= commands
    assert all(hasattr(Adapter, f"_on_{rule.handler}") for rule in RULES.values())


def test_the_initialized_event_comes_behind_the_answer(client: DapClient) -> None:
    client.send("initialize", adapterID="x")
    messages = [client.next(), client.next()]
    assert [message["type"] for message in messages] == ["response", "event"]
    assert messages[0]["body"] == CAPABILITIES
    assert [message["seq"] for message in messages] == [1, 2]


@pytest.mark.parametrize("order", ["launch first", "configuration first", "launch last"])
def test_every_order_that_clients_use_ends_at_the_breakpoint(
    client: DapClient, count_file: Path, order: str
) -> None:
    client.initialize()
    launch = {"program": str(count_file), "call": "f('brr')"}
    if order == "launch first":
        client("launch", **launch)
    wanted = client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 5}])
    client("setFunctionBreakpoints", breakpoints=[])
    client("setExceptionBreakpoints", filters=["uncaught"])
    assert wanted["breakpoints"][0]["verified"]
    if order == "configuration first":
        client("configurationDone")
        client("launch", **launch)
    elif order == "launch last":
        launched = client.send("launch", **launch)
        done = client.send("configurationDone")
        assert client.answer(launched)["success"]
        assert client.answer(done)["success"]
    else:
        client("configurationDone")
    assert client.stopped()["frame"]["line"] == 5


def test_requests_out_of_order_are_refused_and_change_nothing(client: DapClient, count_file: Path) -> None:
    assert "next before initialize" in client.refused("next", threadId=1)
    client.initialize()
    assert "a second initialize" in client.refused("initialize", adapterID="x")
    assert "nothing was launched" in client.refused("next", threadId=1)
    assert "nothing was launched" in client.refused("stackTrace", threadId=1)
    assert "no request 'nonsense'" in client.refused("nonsense")
    client("launch", program=str(count_file), call="f('r')", stopOnEntry=True)
    assert "configuration is not done" in client.refused("next", threadId=1)
    assert "cannot be done now" in client.refused("launch", program=str(count_file), call="f('r')")
    client("configurationDone")
    client.stopped()
    assert "threadId: is missing" in client.refused("next")
    assert "threadId: must be a whole number" in client.refused("next", threadId="1")
    assert "breakpoints[0].line: is missing" in client.refused(
        "setBreakpoints", source={"path": "x"}, breakpoints=[{}]
    )
    assert client.step("next")["frame"]["line"] == 11


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"{", "not JSON"),
        (b"[1]", "a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"{}", "needs a number: seq"),
        (b'{"seq": true, "type": "request"}', "needs a number: seq"),
        (b"[" * 100_000, "not JSON"),
        (b'{"seq": ' + b"9" * 5_000 + b"}", "not JSON"),
    ],
)
def test_a_message_that_cannot_be_answered_is_told_of(
    client: DapClient, payload: bytes, problem: str
) -> None:
    client.initialize()
    client.raw(encode(payload))
    body = client.event("output")
    assert (body["category"], problem in body["output"]) == ("stderr", True), body
    assert client("threads") == {"threads": []}


@pytest.mark.parametrize(
    "message",
    [
        {"seq": 900, "type": "event", "event": "x"},
        {"seq": 900, "type": "request"},
        {"seq": 900, "type": "request", "command": 5},
        {"seq": 900, "type": "request", "command": "threads", "arguments": [1]},
    ],
)
def test_a_message_that_is_no_request_is_answered_when_it_has_a_number(
    client: DapClient, message: dict[str, Any]
) -> None:
    client.raw(encode(json.dumps(message).encode()))
    assert not client.answer(900)["success"]
    client.initialize()


def test_garbage_between_messages_and_a_huge_one_are_survived(client: DapClient) -> None:
    client.initialize()
    client.raw(b"garbage\r\n\r\nContent-Length: 2000000000000\r\n\r\n")
    client.raw(encode(b" " * 9_000_000))
    assert client("threads") == {"threads": []}
    assert "at most" in client.output()


def test_the_first_breakpoint_answer_may_change_with_the_launch(
    client: DapClient, count_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.py"
    other.write_text(COUNT)
    client.initialize()
    for path in (count_file, other):
        lines = [{"line": 1}, {"line": 7}, {"line": 99}, {"line": -3}]
        found = client("setBreakpoints", source={"path": str(path)}, breakpoints=lines)["breakpoints"]
        assert [(item["verified"], item["line"]) for item in found] == [
            (True, 2),
            (False, 7),
            (False, 99),
            (True, 2),
        ]
        assert "outside the source" in found[2]["message"]
    assert not client("setBreakpoints", source={"path": "/nowhere.py"}, lines=[1])["breakpoints"][0][
        "verified"
    ]
    client("launch", program=str(count_file), call="f('r')")
    changed = client.event("breakpoint")["breakpoint"]
    assert (changed["verified"], changed["message"]) == (False, "not the source that is debugged")


def test_zero_based_lines_and_uris_are_spoken(client: DapClient, count_file: Path) -> None:
    client.initialize(linesStartAt1=False, columnsStartAt1=False, pathFormat="uri")
    client("launch", program=count_file.as_uri(), call="f('brr')")
    client("setBreakpoints", source={"path": count_file.as_uri()}, breakpoints=[{"line": 4}])
    client("configurationDone")
    frame = client.stopped()["frame"]
    assert (frame["line"], frame["column"], frame["source"]["path"]) == (4, 0, count_file.as_uri())


def test_a_source_that_changes_is_told_of_served_as_it_was_and_taken_by_a_restart(
    client: DapClient, count_file: Path
) -> None:
    client.launch(program=str(count_file), call="f('r')", stopOnEntry=True)
    client.stopped()
    count_file.write_text("# new\n" + COUNT)
    frame = client.step("next")["frame"]
    assert "has changed" in client.output()
    reference = frame["source"]["sourceReference"]
    assert client("source", sourceReference=reference)["content"] == COUNT
    client("restart")
    frame = client.stopped()["frame"]
    assert (frame["line"], "sourceReference" in frame["source"]) == (11, False)


def test_a_restart_takes_new_arguments(client: DapClient, count_file: Path) -> None:
    client.launch(program=str(count_file), call="f('r')", stopOnEntry=True)
    client.stopped()
    again = {"program": str(count_file), "call": "count('rrr', 'r')", "stopOnEntry": True}
    client("restart", arguments=again)
    frame = client.stopped()["frame"]
    assert (frame["name"], frame["line"]) == ("count", 2)
    assert "defines no 'g'" in client.refused("restart", arguments={"program": str(count_file), "entry": "g"})
    assert client.step("next")["frame"]["line"] == 3


# What takes long


class Gate:
    """Holds a prediction up until it is let go."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, index: int) -> None:
        if index >= self.first:
            self.reached.set()
            self.open.wait(0.02)


def running(connect: Connect, **client_can: Any) -> tuple[DapClient, Gate]:
    """Connect a client whose run is on its way through a loop without end."""
    gate = Gate(8)
    client = connect(ScriptedModels(delay=gate))
    client.initialize(**client_can)
    client("launch", source=LOOP, call="f(3000)", maxSteps=100_000)
    client("configurationDone")
    assert gate.reached.wait(10)
    return client, gate


def test_while_a_move_runs_the_client_is_answered(connect: Connect) -> None:
    client, gate = running(connect)
    assert client("threads")["threads"][0]["id"] == 1
    assert client.refused("stackTrace", threadId=1) == "notStopped"
    assert client.refused("next", threadId=1) == "notStopped"
    wanted = client("setFunctionBreakpoints", breakpoints=[{"name": "f"}])["breakpoints"]
    assert wanted[0]["verified"]
    source = {"name": "snippet.py"}
    line = client("setBreakpoints", source=source, breakpoints=[{"line": 3}])["breakpoints"]
    gate.open.set()
    assert client.stopped()["hitBreakpointIds"] == [line[0]["id"]]


def test_a_move_can_be_paused(connect: Connect) -> None:
    client, _ = running(connect)
    client("pause", threadId=1)
    stop = client.stopped()
    assert stop["reason"] == "pause"
    assert "cancelled after" in stop["description"]
    assert client.step("stepBack")["reason"] == "step"


def test_progress_is_told_and_cancelled(connect: Connect) -> None:
    client, _ = running(connect, supportsProgressReporting=True)
    started = client.event("progressStart")
    while "first stop" not in started["title"]:  # of the launch, when that took long
        started = client.event("progressStart")
    assert started["cancellable"]
    client.event("progressUpdate")
    client("cancel", progressId=started["progressId"])
    client.event("progressEnd")
    assert client.stopped()["reason"] == "pause"


def test_a_move_ends_when_the_client_leaves_or_dies(connect: Connect) -> None:
    client, _ = running(connect)
    started = time.monotonic()
    client("disconnect")
    client, _ = running(connect)
    client.kill()
    assert time.monotonic() - started < 10


def test_a_launch_that_takes_long_can_be_cancelled_and_blocks_nothing(connect: Connect) -> None:
    client = connect()
    client.initialize(supportsProgressReporting=True)
    endless = {"source": "def f():\n    while True: pass\n", "call": "f()", "mode": "real", "timeout": 5}
    launched = client.send("launch", **endless)
    client("setExceptionBreakpoints", filters=["uncaught"])
    started = client.event("progressStart")
    client("cancel", requestId=started["requestId"])
    assert client.answer(launched)["message"] == "cancelled"
    client("launch", source=COUNT, call="f('r')", stopOnEntry=True)
    client("configurationDone")
    assert client.stopped()["reason"] == "entry"


def test_terminate_and_restart_end_a_move(connect: Connect) -> None:
    client, gate = running(connect)
    gate.open.set()
    client("restart", arguments={"source": LOOP, "call": "f(1)", "stopOnEntry": True})
    assert client.stopped()["reason"] == "entry"
    client("terminate")
    client.event("terminated")
    assert client("threads")


def test_a_move_never_takes_more_steps_than_asked_for(connect: Connect) -> None:
    client = connect()
    client.launch(source=LOOP, call="f(3000)", maxSteps=50)
    stop = client.stopped()
    assert (stop["reason"], "stopped after 50 steps" in stop["description"]) == ("pause", True)


def test_a_step_the_model_garbled_is_told_of(connect: Connect) -> None:
    client = connect(ScriptedModels(malformed_at=6))
    client.launch(source=COUNT, call="f('r')")
    stop = client.stopped()
    assert stop["reason"] == "exception"
    assert "the model's step was malformed" in stop["description"]
    client("continue", threadId=1)
    client.event("terminated")


# Beside the real run


def test_compare_marks_what_is_right_what_is_wrong_and_where_it_parts(
    connect: Connect, count_file: Path
) -> None:
    client = connect(ScriptedModels(wrong={10: {"n": "7"}}))
    client.launch(program=str(count_file), call="f('rr')", mode="compare", stopOnEntry=True)
    client.stopped()
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 3}])
    client.step("continue")
    assert client.locals()["word"] == "'rr'  (predicted 90%, verified)"
    stop = client.step("continue")
    assert "differs from the real run" in stop["description"]
    assert "first divergence at step 10, line 3: n: predicted 7, really 1" in stop["text"]
    assert client.locals()["n"] == "7  (predicted 90%, really 1)"
    assert client.variables(client.scopes()["Real run"])["n"]["value"] == "1"
    assert client.output().count("first divergence") == 1
    client.step("next")
    went = client("evaluate", expression=".divergence", context="repl")["result"]
    assert "first divergence" in went
    assert client.stopped()["reason"] == "goto"


def test_a_real_run_is_stepped_without_doubt_and_cannot_be_changed(
    connect: Connect, count_file: Path
) -> None:
    count_file.write_text("def f(n):\n    print('hello', n)\n    return n\n")
    client = connect()
    client.launch(program=str(count_file), call="f(3)", mode="real", stopOnEntry=True)
    assert client.stopped()["description"] == "entry (observed)"
    assert client.locals() == {"n": "3"}
    shown = client.variables(client.scopes()["Locals"])["n"]
    assert shown["presentationHint"]["attributes"] == ["verified", "readOnly"]
    assert "cannot set n here" in client.refused(
        "setVariable", variablesReference=client.scopes()["Locals"], name="n", value="4"
    )
    client.step("continue")
    said = [item["body"] for item in client.events if item["event"] == "output"]
    assert {"category": "stdout", "output": "hello 3\n"} in said


# Who may connect


def test_without_the_token_nothing_is_launched_and_no_file_is_read(
    connect: Connect, count_file: Path
) -> None:
    client = connect(token="open sesame")  # noqa: S106
    client.initialize()
    found = client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 5}])[
        "breakpoints"
    ]
    assert found[0]["message"] == "not known before the launch"
    launch = {"program": str(count_file), "call": "f('brr')"}
    assert "a token is missing" in client.refused("launch", **launch)
    assert "a wrong token" in client.refused("attach", **launch, token="öpen")  # noqa: S106
    client("launch", **launch, token="open sesame")  # noqa: S106
    assert client.event("breakpoint")["breakpoint"]["verified"]
    client("configurationDone")
    assert client.stopped()["frame"]["line"] == 5


def test_attach_takes_the_program_of_the_server(connect: Connect, count_file: Path) -> None:
    client = connect()
    client.initialize()
    assert "started without a program" in client.refused("attach")
    program = arguments.Launch(program=str(count_file), call="f('r')", stop_on_entry=True)
    client = connect(program=program)
    client.initialize()
    client("attach")
    client("configurationDone")
    assert client.stopped()["frame"]["line"] == 10


# Anything at all

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.text(max_size=5),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = sorted(
    {
        key
        for definition in schema()["definitions"].values()
        for key in definition.get("properties", {})
        if key not in ("port", "model")
    }
)
HARMLESS = sorted(set(RULES) - {"disconnect"})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(HARMLESS), st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4)),
        max_size=8,
    )
)
def test_any_requests_in_any_order_are_answered_as_the_protocol_says(
    asked: list[tuple[str, dict[str, Any]]],
) -> None:
    client = DapClient(Settings(models=ScriptedModels()))
    client.initialize()
    client("launch", source=COUNT, call="f('r')", stopOnEntry=True)
    client("configurationDone")
    for command, given_arguments in asked:
        valid = {"threadId": 1, "frameId": 1, "variablesReference": 2}
        client.answer(client.send(command, **{**valid, **given_arguments}))
    assert "threads" in client("threads")
    client.close()
