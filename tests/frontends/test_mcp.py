"""The MCP server, driven by the official client: in memory, over stdio, and with nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.codec.native import NativeCodec
from opencwm.codec.vocabulary import BYTE_BASE
from opencwm.core.errors import ConfigError
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.testing import predicted_from
from opencwm.frontends.mcp.answers import rounded
from opencwm.frontends.mcp.service import McpConfig, ProgramRequest, Service
from opencwm.frontends.models import Models
from opencwm.frontends.sessions import Mode
from opencwm.model.folder import ModelFolder
from opencwm.model.testing import ScriptedEngine
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program

from .conftest import EXAMPLES

pytest.importorskip("mcp", reason="the MCP tests need `pip install 'opencwm[mcp]'`")

from mcp import Client, StdioServerParameters

from opencwm.frontends.mcp.server import IN_SESSION, READING, build

SOURCE = """\
def add(items, start=0):
    total = start
    for item in items:
        total += item
    return total

def mean(items):
    return add(items) / len(items)

def slow(n):
    while True:
        n += 1
"""


class Oracle(NativeWorldModel):
    """Predicts what really happens; steps of ``slow`` take a while, as a model's do."""

    def execution(self, program: Program, **_: Any) -> Any:
        execution: Any = predicted_from(record(program, TraceLimits(max_steps=600)))
        execution.notices = ()
        if "slow(" in (program.call or ""):
            get = execution.get

            def slowly(index: int) -> Any:
                time.sleep(0.01)
                return get(index)

            execution.get = slowly
        return execution


def oracle() -> NativeWorldModel:
    codec = NativeCodec()
    size = len(codec.vocabulary)
    engine = ScriptedEngine.saying(size, [], max_tokens=64)  # no room for a guess
    return Oracle(ModelFolder.__new__(ModelFolder), codec, engine)


def service(**bounds: Any) -> Service:
    return Service(McpConfig(root=EXAMPLES, **bounds), Models({None: oracle()}))


Call = Callable[..., Awaitable[Any]]


def talk(conversation: Callable[[Call], Awaitable[None]], served: Service | None = None) -> None:
    """Hold a conversation with a server in this process; ``call`` returns the answer, or the error's text."""

    async def main() -> None:
        async with Client(build(served or service())) as client:

            async def call(name: str, /, **arguments: Any) -> Any:
                return said(await client.call_tool(name, arguments))

            await conversation(call)

    asyncio.run(main())


def said(result: Any) -> Any:
    if result.is_error:
        return result.content[0].text
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def test_every_tool_says_what_it_takes_and_answers() -> None:
    async def main() -> None:
        async with Client(build(service())) as client:
            tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {*READING, *IN_SESSION}
        for tool in tools:
            assert tool.description
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.annotations.destructive_hint is False
        size = sum(len(json.dumps(tool.input_schema)) + len(tool.description or "") for tool in tools)
        assert size < 16_000  # an agent reads all of it

    asyncio.run(main())


def test_outputs_executions_and_pages() -> None:
    async def conversation(call: Call) -> None:
        answer = await call("predict_output", source=SOURCE, call="mean([1, 2])")
        assert (answer["kind"], answer["value"], answer["rollouts"]) == ("returned", "1.5", 1)
        assert 0 < answer["probability"] < 1
        first = await call("predict_execution", source=SOURCE, call="add([1, 2])", limit=4)
        assert [step["line"] for step in first["steps"]] == [13, 14, 1, 2]
        assert first["steps"][2]["changes"] == {"items": "[1, 2]", "start": "0"}
        assert (first["is_ended"], first["next_offset"]) == (False, 4)
        rest = await call("predict_execution", source=SOURCE, call="add([1, 2])", offset=4, limit=100)
        assert (rest["is_ended"], rest["next_offset"]) == (True, None)
        assert rest["status"] == "the program returned"
        assert len(json.dumps(first)) < 1_000
        full = await call("predict_execution", source=SOURCE, call="add([1])", limit=3, detail="full")
        assert full["steps"][2]["changes"]["items"]["origin"] == "predicted"

    talk(conversation)


def test_long_values_are_cut_and_told() -> None:
    async def conversation(call: Call) -> None:
        source = "def f():\n    text = 'ab' * 300\n    return text\n"
        answer = await call("predict_execution", source=source, call="f()", max_chars=20)
        assert answer["steps"][4]["changes"]["text"] == "'" + "ab" * 9 + "a"
        held = await call("open_session", source=source, call="f()")
        await call("step", session=held["session"], move="into", count=4)
        (item,) = (await call("inspect", session=held["session"], max_chars=100))["items"]
        assert (len(item["text"]), item["num_cut"]) == (100, 502)
        (item,) = (await call("inspect", session=held["session"], max_chars=1_000))["items"]
        assert item["num_cut"] == 0

    talk(conversation)


def test_a_session_is_debugged_both_ways() -> None:
    async def conversation(call: Call) -> None:
        start = await call("open_session", source=SOURCE, call="mean([1, 2])")
        name = start["session"]
        assert (start["function"], start["stop"]) == ("main", "entry")
        wanted = [{"kind": "line", "line": 4, "condition": "item == 2"}, {"kind": "exception"}]
        listed = await call("set_breakpoints", session=name, breakpoints=wanted)
        assert listed["breakpoints"][0]["place"] == "line 4"
        stop = await call("step", session=name, move="continue")
        assert (stop["line"], stop["stop"], stop["function"]) == (4, "breakpoint", "add")
        variables = (await call("inspect", session=name))["items"]
        assert {item["name"]: item["text"] for item in variables}["total"] == "1"
        stack = (await call("inspect", session=name, what="stack"))["items"]
        assert [frame["function"] for frame in stack] == ["main", "mean", "add"]
        assert (await call("evaluate", session=name, expression="total + item"))["text"] == "3"
        outer = await call("evaluate", session=name, expression="len(items)", level=1)
        assert outer["text"] == "2"
        changes = (await call("inspect", session=name, what="history", name="total"))["items"]
        assert [change["value"]["text"] for change in changes] == ["0", "1"]
        back = await call("step", session=name, move="back_out")
        assert (back["kind"], back["line"]) == ("call", 1)
        over = await call("step", session=name, move="over", count=2)
        assert over["line"] == 3
        assert await call("set_breakpoints", session=name, breakpoints=[]) == {"breakpoints": []}
        there = await call("step", session=name, move="run_to", line=5)
        assert there["line"] == 5
        end = await call("step", session=name, move="goto", position=0)
        assert end["position"] == 0
        page = await call("inspect", session=name, what="steps", limit=2)
        assert (len(page["items"]), page["next_offset"]) == (2, 2)
        left = await call("close_session", session=name)
        assert left == {"sessions": []}

    talk(conversation)


def test_a_variable_is_set_on_a_new_timeline() -> None:
    async def conversation(call: Call) -> None:
        name = (await call("open_session", source=SOURCE, call="add([1])"))["session"]
        await call("step", session=name, move="into", count=2)
        stop = await call("set_variable", session=name, name="start", value="5 + 2")
        assert stop["changes"]["start"] == {
            "text": "7", "origin": "supplied", "probability": None, "num_cut": 0,
        }  # fmt: skip
        assert len((await call("inspect", session=name, what="timelines"))["items"]) == 2
        assert (await call("select_timeline", session=name, number=1))["position"] == 2
        refused = await call("set_variable", session=name, name="start", value="open('x')")
        assert "no known value" in refused

    talk(conversation)


def test_real_runs_are_made_in_the_sandbox_only_when_asked_for() -> None:
    async def conversation(call: Call) -> None:
        real = await call("predict_execution", source=SOURCE, call="mean([])", mode="real", limit=100)
        assert real["status"] == "the program raised ZeroDivisionError('division by zero')"
        beside = await call("open_session", source=SOURCE, call="add([1])", mode="compare")
        assert beside["real_run"] == "agrees"
        checked = await call("check_function", source=SOURCE, function="mean", inputs=4, verify=True)
        (finding,) = checked["findings"]
        assert (finding["line"], finding["call"], finding["verdict"]) == (8, "mean([])", "confirmed")
        before = await call("predict_state_before", source=SOURCE, line=2, after={"total": "5"}, verify=True)
        assert before["states"][0]["locals"] == {"start": "5"}
        assert before["states"][0]["holds"] is True

        opened = await call("open_session", source=SOURCE, call="add(1)", mode="real")
        name = opened["session"]
        assert "no line ran before in this function" in await call("state_before", session=name)
        await call("step", session=name, move="run_to", line=3)
        here = await call("state_before", session=name, changes={"total": "5"})
        assert here["states"][0]["locals"]["start"] == "5"
        assert here["states"][0]["holds"] is None

    talk(conversation)


def test_assumptions_stand_in_for_what_is_missing() -> None:
    async def conversation(call: Call) -> None:
        source = "import missing\ndef f():\n    return len(missing.read('x'))\n"
        answer = await call(
            "predict_execution", source=source, call="f()", assume=["missing.read(...) -> 'abc'"], mode="real"
        )
        assert answer["status"] == "the program returned 3"
        assert answer["notices"] == ["assumed: missing.read(...) gives 'abc'"]
        wrong = await call("predict_output", source=source, call="f()", assume=["missing.write(...) -> 1"])
        assert "the program holds no missing.write(...)" in wrong

    talk(conversation)


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("predict_output", {"call": "f()"}, "give either source or file"),
        ("predict_output", {"source": "def f(:", "call": "f()"}, "not valid Python"),
        ("predict_output", {"source": SOURCE, "call": "add("}, "not a Python expression"),
        ("predict_output", {"source": SOURCE, "call": "plus(1)"}, "defines no 'plus'"),
        ("predict_output", {"source": "a\0b", "call": "f()"}, "holds a NUL character"),
        ("predict_output", {"source": "#" * 5_000, "call": "f()"}, "has more than 4000 characters"),
        ("predict_output", {"file": "../README.md", "call": "f()"}, "lies outside of the server's root"),
        ("predict_output", {"file": "none.py", "call": "f()"}, "cannot be read"),
        (
            "predict_execution",
            {"source": SOURCE, "call": "add([])", "limit": 0},
            "greater than or equal to 1",
        ),
        (
            "predict_execution",
            {"source": SOURCE, "call": "add([])", "mode": "wild"},
            "'predicted', 'real' or",
        ),
        (
            "predict_input",
            {"source": SOURCE, "function": "add"},
            "give either a value to return or an",
        ),
        ("check_function", {"source": SOURCE, "function": "plus"}, "defines no 'plus'"),
        (
            "predict_state_before",
            {"source": SOURCE, "line": 5, "after": {"total": "5"}},
            "leaves its function",
        ),
        ("predict_state_before", {"source": SOURCE, "line": 2, "after": {"total": "x"}}, "has no value"),
        ("step", {"session": "s9"}, "there is no open session 's9'"),
        ("nothing", {}, "Unknown tool"),
    ],
)
def test_what_is_wrong_is_a_clear_error_of_the_tool(
    name: str, arguments: dict[str, Any], problem: str
) -> None:
    async def conversation(call: Call) -> None:
        answer = await call(name, **arguments)
        assert isinstance(answer, str)
        assert problem in answer
        assert (await call("list_sessions")) == {"sessions": []}  # it goes on

    talk(conversation, service(max_source_chars=4_000))


def test_wrong_moves_leave_a_session_where_it_is() -> None:
    async def conversation(call: Call) -> None:
        name = (await call("open_session", source=SOURCE, call="add([1])"))["session"]
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"move": "run_to"}, "run_to needs line"),
            ({"move": "goto"}, "goto needs position"),
            ({"move": "run_to", "line": 999}, "no function has code on line 999"),
            ({"move": "restart_frame", "level": 9}, "there is no level 9"),
            ({"move": "first_divergence"}, "real run"),
        ]
        for arguments, problem in wrong:
            assert problem in await call("step", session=name, **arguments)
        both = [{"kind": "line", "line": 4}, {"kind": "data"}]
        assert "needs variable" in await call("set_breakpoints", session=name, breakpoints=both)
        assert (await call("inspect", session=name, what="breakpoints"))["items"] == []
        assert "history needs name" in await call("inspect", session=name, what="history")
        assert (await call("list_sessions"))["sessions"][0]["position"] == 0

    talk(conversation)


def test_sessions_are_few_and_do_not_stay_for_ever() -> None:
    now = [0.0]
    served = Service(
        McpConfig(root=EXAMPLES, max_sessions=2, idle_s=100.0), Models({None: oracle()}), clock=lambda: now[0]
    )
    request = ProgramRequest(SOURCE, call="add([1])")
    first, second = served.open_session(request), served.open_session(request)
    with pytest.raises(ConfigError, match="2 sessions are open") as caught:
        served.open_session(request)
    assert caught.value.hint == "close one with close_session: s1, s2"
    now[0] = 90.0
    assert served.session(second.name) is second
    now[0] = 150.0
    assert [held.name for held in served.sessions] == ["s2"]
    with pytest.raises(ConfigError, match="there is no open session 's1'"):
        served.session(first.name)
    assert served.open_session(request).name == "s3"


def test_executions_are_kept_for_the_next_page_but_not_for_ever() -> None:
    served = service()
    first = served.opened(ProgramRequest(SOURCE, call="add([1])"))
    assert served.opened(ProgramRequest(SOURCE, call="add([1])")) is first
    assert served.opened(ProgramRequest(SOURCE, call="add([1])", mode=Mode.REAL)) is not first
    for number in range(Service.NUM_KEPT):
        served.opened(ProgramRequest(SOURCE, call=f"add([{number}, 0])"))
    assert served.opened(ProgramRequest(SOURCE, call="add([1])")) is not first


def test_bounds_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_sessions must be positive"):
        McpConfig(max_sessions=0)
    with pytest.raises(ConfigError, match="is no folder"):
        McpConfig(root=tmp_path / "none")


def test_a_call_that_takes_too_long_stops_and_the_session_is_where_it_got() -> None:
    async def conversation(call: Call) -> None:
        name = (await call("open_session", source=SOURCE, call="slow(1)"))["session"]
        stop = await call("step", session=name, move="continue")
        assert stop["stop"] == "cancelled"
        assert stop["position"] > 3
        late = await call("predict_output", source=SOURCE, call="slow(1)")
        assert "stopped: not done after 0.3 s" in late

    talk(conversation, service(max_call_s=0.3))


def test_a_cancelled_call_frees_the_server() -> None:
    async def main() -> None:
        async with Client(build(service())) as client:
            opened = said(await client.call_tool("open_session", {"source": SOURCE, "call": "slow(1)"}))
            arguments = {"session": opened["session"], "move": "continue"}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.call_tool("step", arguments)
            begin = time.monotonic()
            listed = said(await client.call_tool("list_sessions", {}))
            assert time.monotonic() - begin < 3
            assert listed["sessions"][0]["position"] > 0

    asyncio.run(main())


def test_a_question_that_is_cancelled_stops_within_a_token() -> None:
    codec, size = NativeCodec(), len(NativeCodec().vocabulary)

    def babbling(_ids: Sequence[int]) -> NDArray[np.float32]:
        time.sleep(0.02)
        logits = np.zeros(size, np.float32)
        logits[BYTE_BASE + ord("1")] = 9
        return logits

    world = NativeWorldModel(ModelFolder.__new__(ModelFolder), codec, ScriptedEngine(size, babbling))

    async def main() -> None:
        async with Client(build(Service(McpConfig(root=EXAMPLES), Models({None: world})))) as client:
            arguments = {"function": "add", "source": SOURCE, "returns": "7", "draws": 32}
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.call_tool("predict_input", arguments)
            begin = time.monotonic()
            await client.call_tool("list_sessions", {})
            assert time.monotonic() - begin < 2  # 32 calls of 320 tokens would take minutes

    asyncio.run(main())


@pytest.mark.parametrize(
    "value", [0.999999999, 1.0, 0.0, 1.23456789e-12, [0.1234567], {"a": 0.5}, "x", None, 3]
)
def test_probabilities_are_short_and_never_become_certain(value: Any) -> None:
    short = rounded(value)
    assert len(json.dumps(short)) <= len(json.dumps(value))
    if isinstance(value, float):
        assert (short == 1.0) is (value == 1.0)
        assert short == pytest.approx(value, rel=1e-4, abs=1e-300)


def _values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values for one argument: most fit its schema, some do not."""
    wild: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats()
    wild = wild | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | st.text(max_size=4)
    texts = [SOURCE, "add([1])", "mean", "total", "s1", "x == 1", "[1, 2]", "strawberry.py", ""]
    breakpoints = st.dictionaries(
        st.sampled_from(["kind", "line", "variable"]), st.sampled_from(["line", "data", 4, "total"])
    )
    items = st.sampled_from(["x = 1", "add(...) -> 2"]) | breakpoints
    values = st.dictionaries(st.sampled_from(["total", "start", "9"]), st.sampled_from(["1", "[", "x"]))
    fitting: dict[str | None, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(texts),
        "integer": st.integers(-2, 12),
        "boolean": st.just(False),
        "array": st.lists(items, max_size=2),
        "object": values,
    }
    kinds = [schema.get("type"), *(item.get("type") for item in schema.get("anyOf", []))]
    fits = next((fitting[kind] for kind in kinds if kind in fitting), wild)
    return st.one_of(fits, fits, fits, wild)


def test_whatever_arguments_say_the_server_answers() -> None:
    served = service(max_call_s=1.0)

    async def main() -> None:
        async with Client(build(served)) as client:
            tools = (await client.list_tools()).tools
            loop = asyncio.get_running_loop()

            def one(name: str, arguments: dict[str, Any]) -> None:
                future = asyncio.run_coroutine_threadsafe(client.call_tool(name, arguments), loop)
                result: Any = future.result(timeout=30)
                if result.is_error:
                    text = result.content[0].text
                    assert text != f"Error executing tool {name}", arguments  # that is how a crash reads
                    assert len(text) < 3_000
                else:
                    assert result.structured_content is not None

            def fuzz() -> None:
                calls = st.sampled_from([tool for tool in tools if tool.name != "predict_input"]).flatmap(
                    lambda tool: st.tuples(
                        st.just(tool.name),
                        st.fixed_dictionaries(
                            {},
                            optional={
                                key: _values(schema)
                                for key, schema in tool.input_schema["properties"].items()
                                if key not in ("mode", "verify")  # the sandbox is tested elsewhere
                            },
                        ),
                    )
                )

                @settings(max_examples=60, deadline=None)
                @given(calls)
                def run(drawn: tuple[str, dict[str, Any]]) -> None:
                    if drawn[0] == "open_session" and len(served.sessions) > 10:
                        return
                    one(*drawn)

                run()

            await client.call_tool("open_session", {"source": SOURCE, "call": "add([1])"})
            await asyncio.to_thread(fuzz)

    asyncio.run(main())


COMMAND = [
    "-c",
    "from opencwm.frontends.cli import main; raise SystemExit(main())",
    "mcp",
    "--root",
    str(EXAMPLES),
]


def test_the_official_client_talks_to_it_over_stdio() -> None:
    async def main() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=COMMAND, env=dict(os.environ))
        async with Client(parameters) as client:
            assert len((await client.list_tools()).tools) == len(READING) + len(IN_SESSION)
            arguments = {"file": "strawberry.py", "call": "f('bar', 'r')", "mode": "real"}
            opened = said(await client.call_tool("open_session", arguments))
            step = {"session": opened["session"], "move": "continue"}
            stop = said(await client.call_tool("step", step))
            assert (stop["is_ended"], stop["reason"]) == (True, "the program returned 'bar has one r'")

    asyncio.run(main())


def test_malformed_messages_do_not_end_it() -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        },
    }
    wrong = ["this is no JSON", '{"jsonrpc": "2.0"', "[]", "{}", '"x"', "null", '{"jsonrpc": "2.0", "id": 7}']
    call = {"jsonrpc": "2.0", "method": "tools/call"}
    lines = [
        *wrong,
        json.dumps({**call, "id": 8, "params": {"name": "step"}}),
        json.dumps(hello),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json.dumps({"jsonrpc": "2.0", "id": 9, "method": "no/such/method", "params": {}}),
        json.dumps({**call, "id": 10, "params": {"name": "step", "arguments": []}}),
        json.dumps({**call, "id": 11, "params": {"name": "list_sessions", "arguments": {}}}),
    ]
    pipe, command = subprocess.PIPE, [sys.executable, *COMMAND]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers: dict[Any, Any] = {}
        process.stdin.write("".join(f"{line}\n" for line in lines))
        process.stdin.flush()
        while 11 not in answers:
            line = process.stdout.readline()
            assert line, "the server has ended"
            message = json.loads(line)  # nothing but messages stands there
            answers[message.get("id")] = message
        process.stdin.close()
        assert process.wait(timeout=20) == 0
    assert answers[11]["result"]["structuredContent"] == {"sessions": []}
    assert "error" in answers[9]
    assert "error" in answers[10]
