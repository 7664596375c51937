"""What a client sees of a session, from launch to disconnect, by steps and by breakpoints, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from .dap_client import COUNT, NESTED, RAISES, DapClient


def test_a_launch_runs_to_the_first_breakpoint_and_every_stop_says_how_sure_it_is(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('brr')")
    source = {"path": str(count_file)}
    found = client("setBreakpoints", source=source, breakpoints=[{"line": 5}])["breakpoints"]
    assert [(item["verified"], item["line"]) for item in found] == [(True, 5)]
    client("configurationDone")
    stop = client.stopped()
    assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [found[0]["id"]])
    assert stop["description"].startswith("breakpoint 1, line 5 (predicted ")
    assert "this line follows: 90%" in stop["text"]
    assert (stop["frame"]["name"], stop["frame"]["line"]) == ("count", 5)
    assert stop["frame"]["source"] == {"name": "count.py", "path": str(count_file)}
    assert client.locals() == {
        "word": "'brr'  (carried, predicted 90%)",
        "letter": "'r'  (carried, predicted 90%)",
        "n": "0  (carried, predicted 90%)",
        "c": "'r'  (carried, predicted 90%)",
    }
    assert "line 99 is not shown to the model" in client.output()


def test_steps_go_forward_and_back_by_lines(client: DapClient, count_file: Path) -> None:
    client.launch(program=str(count_file), call="f('r')", stopOnEntry=True)
    assert client.stopped()["frame"]["line"] == 10
    moves = ["next", "stepIn", "next", "next", "next", "next", "stepOut", "next", "next"]
    lines = [client.step(move)["frame"]["line"] for move in moves]
    assert lines == [11, 2, 3, 4, 5, 3, 6, 12, 12]
    back = [client.step("stepBack")["frame"]["line"] for _ in range(3)]
    assert back == [12, 11, 10]  # back over the call, not into it
    assert client.step("reverseContinue")["reason"] == "entry"


def test_back_in_a_callee_stays_in_it_and_leaves_it_for_its_caller(
    client: DapClient, count_file: Path
) -> None:
    client.launch(program=str(count_file), call="f('r')")
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 4}])
    stop = client.stopped()
    if stop["frame"]["line"] != 4:  # the breakpoint came after the run began
        client("restart")
        stop = client.stopped()
    places = [client.step("stepBack")["frame"] for _ in range(3)]
    assert [(place["name"], place["line"]) for place in places] == [("count", 3), ("count", 2), ("f", 11)]


def test_every_recorded_step_is_shown_to_a_client_that_asks_for_instructions(
    client: DapClient, count_file: Path
) -> None:
    client.launch(program=str(count_file), call="f('r')", stopOnEntry=True)
    client.stopped()
    client.step("next")
    entered = client.step("stepIn", granularity="instruction")
    assert (entered["frame"]["name"], entered["frame"]["line"]) == ("count", 1)
    assert "word" in client.locals()


def test_a_return_is_shown_with_its_value(client: DapClient, count_file: Path) -> None:
    client.launch(program=str(count_file), call="count('brr', 'r')", stopOnEntry=True)
    client.stopped()
    assert client.step("stepOut")["frame"]["line"] == 6
    value = client.variables(client.scopes()["Value"])["(return value)"]
    assert (value["value"], value["type"]) == ("2  (predicted 90%)", "int")


def test_at_the_end_the_session_waits_and_ends_when_it_is_told_to_go_on(
    client: DapClient, count_file: Path
) -> None:
    client.launch(program=str(count_file), call="f('b')")
    stop = client.stopped()
    assert stop["reason"] == "end"
    assert stop["description"].startswith("the program returned")
    assert client.step("stepBack")["reason"] == "step"
    client.step("continue")
    client("continue", threadId=1)
    assert client.event("exited") == {"exitCode": 0}
    client.event("terminated")
    assert "session has ended" in client.refused("next", threadId=1)
    client("restart")
    assert client.stopped()["reason"] == "end"


def test_without_stop_at_end_the_session_ends_with_the_run(client: DapClient, count_file: Path) -> None:
    client.launch(program=str(count_file), call="f('b')", stopAtEnd=False)
    client.event("terminated")
    assert [item["event"] for item in client.events if item["event"] in ("stopped", "exited")] == ["exited"]


def test_no_debug_passes_breakpoints(client: DapClient, count_file: Path) -> None:
    client.initialize()
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 5}])
    client("launch", program=str(count_file), call="f('brr')", noDebug=True)
    client("configurationDone")
    client.event("terminated")
    assert not [item for item in client.events if item["event"] == "stopped"]


def test_an_uncaught_exception_is_stopped_at_and_explained(client: DapClient, tmp_path: Path) -> None:
    path = tmp_path / "raises.py"
    path.write_text(RAISES)
    client.initialize()
    client("launch", program=str(path), call="outer('b')")
    assert client("setExceptionBreakpoints", filters=["uncaught"])["breakpoints"][0]["verified"]
    client("configurationDone")
    stop = client.stopped()
    assert (stop["reason"], stop["frame"]["line"]) == ("exception", 2)
    info = client("exceptionInfo", threadId=1)
    assert (info["exceptionId"], info["breakMode"]) == ("KeyError", "unhandled")
    assert info["details"]["message"] == "KeyError('b')"
    assert "inner()" in info["details"]["stackTrace"]
    end = client.step("continue")
    assert (end["reason"], end["description"].split(" (")[0]) == ("end", "the program returned")
    client("continue", threadId=1)
    assert client.event("exited") == {"exitCode": 1}


def test_exception_filters_take_the_names_of_types(client: DapClient, count_file: Path) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('brr')")
    options = [
        {"filterId": "raised", "condition": "KeyError"},
        {"filterId": "raised", "condition": "ArithmeticError"},
        {"filterId": "raised", "condition": "not a name"},
    ]
    found = client("setExceptionBreakpoints", filters=[], filterOptions=options)["breakpoints"]
    assert [item["verified"] for item in found] == [True, True, False]
    client("configurationDone")
    stop = client.stopped()
    assert (stop["reason"], stop["hitBreakpointIds"]) == ("exception", [found[1]["id"]])
    assert "ZeroDivisionError" in stop["text"]


def test_containers_expand_lazily_and_in_pages(client: DapClient, tmp_path: Path) -> None:
    path = tmp_path / "nested.py"
    path.write_text(NESTED)
    client.initialize()
    client("launch", program=str(path), call="g()")
    client("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": 10}])
    client("configurationDone")
    client.stopped()
    shown = client.variables(client.scopes()["Locals"])
    table, box = shown["table"], shown["box"]
    assert (table["type"], table["namedVariables"], table["indexedVariables"]) == ("dict", 2, 0)
    assert "carried" in box["presentationHint"]["attributes"]
    inside = client.variables(table["variablesReference"])
    assert list(inside) == ["'a'", "'b'"]
    assert inside["'a'"]["evaluateName"] == "table['a']"
    page = client.variables(inside["'a'"]["variablesReference"], filter="indexed", start=1, count=2)
    assert {name: item["value"] for name, item in page.items()} == {"1": "2", "2": "3"}
    assert client.variables(inside["'a'"]["variablesReference"], filter="named") == {}
    items = client.variables(box["variablesReference"])["items"]
    assert items["evaluateName"] == "box.items"
    assert client("evaluate", expression="box.items[1]", context="watch")["result"] == "1"
    client.step("next")
    assert "stands" not in client.refused("scopes", frameId=1)
    assert "numbers end when the session moves" in client.refused(
        "variables", variablesReference=table["variablesReference"]
    )


def test_setting_a_variable_forks_and_the_old_timeline_can_be_selected(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('brr')")
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 3}])
    client("configurationDone")
    client.stopped()
    scope = client.scopes()["Locals"]
    answer = client("setVariable", variablesReference=scope, name="n", value="41 + 1")
    assert answer["value"] == "42  (supplied)"
    client.event("invalidated")
    assert client.locals()["n"] == "42  (supplied)"
    scope = client.scopes()["Locals"]
    edited = "43  (carried, predicted 90%)"  # an editor begins with what it shows
    assert (
        client("setVariable", variablesReference=scope, name="n", value=edited)["value"] == "43  (supplied)"
    )
    scope = client.scopes()["Locals"]
    assert "no known value" in client.refused(
        "setVariable", variablesReference=scope, name="n", value="open('x')"
    )
    assert client("evaluate", expression="word = 'xyz'", context="repl")["result"] == "word set to 'xyz'"
    client.stopped()
    timelines = client("evaluate", expression=".timelines", context="repl")["result"].splitlines()
    assert [line[:4] for line in timelines] == ["  1:", "  2:", "  3:", "> 4:"]
    client("evaluate", expression=".timeline 1", context="repl")
    client.stopped()
    assert client.locals()["n"] == "0  (predicted 90%)"


def test_a_part_of_a_container_can_be_set(client: DapClient, tmp_path: Path) -> None:
    path = tmp_path / "nested.py"
    path.write_text(NESTED)
    client.initialize()
    client("launch", program=str(path), call="g()")
    client("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": 9}])
    client("configurationDone")
    client.stopped()
    table = client.variables(client.scopes()["Locals"])["table"]
    row = client.variables(table["variablesReference"])["'a'"]
    assert (
        client("setVariable", variablesReference=row["variablesReference"], name="1", value="[7]")["value"]
        == "[7]"
    )
    assert client.locals()["table"] == "{'a': [1, [7], 3], 'b': {'c': None}}  (supplied)"


def test_expressions_are_computed_from_values_and_say_how_sure_they_are(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('brr')")
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 6}])
    client("configurationDone")
    client.stopped()

    def result(expression: str, context: str) -> str:
        return str(client("evaluate", expression=expression, context=context)["result"])

    assert result("n", "hover") == "2  (carried, predicted 90%)"
    assert result("n * 21", "watch") == "42  (from predicted values, the least sure 90%)"
    assert result("1 + 1", "repl") == "2"
    assert "no local variable" in client.refused("evaluate", expression="nothing", context="hover")
    assert "ZeroDivisionError" in client.refused("evaluate", expression="n / 0", context="watch")
    assert "step" in result(".history n", "repl")
    assert "this line follows: 90%" in result(".confidence", "repl")
    labels = [item["label"] for item in client("completions", text="le", column=3)["targets"]]
    assert labels == ["letter", "len"]
    commands = client("completions", text=".ti", column=4)["targets"]
    assert [item["label"] for item in commands] == ["timeline", "timelines"]
    assert (commands[0]["start"], commands[0]["length"]) == (2, 2)


def test_function_breakpoints_conditions_hit_counts_and_log_points(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('rbrr')")
    source = {"path": str(count_file)}
    lines = [
        {"line": 3, "condition": "n == 2"},
        {"line": 4, "hitCondition": "% 2"},
        {"line": 5, "logMessage": "n is {n}"},
    ]
    wanted = client("setBreakpoints", source=source, breakpoints=lines)["breakpoints"]
    named = client("setFunctionBreakpoints", breakpoints=[{"name": "count"}, {"name": "nowhere"}])[
        "breakpoints"
    ]
    assert [item["verified"] for item in named] == [True, False]
    client("configurationDone")
    stop = client.stopped()
    assert (stop["reason"], stop["hitBreakpointIds"]) == ("function breakpoint", [named[0]["id"]])
    hits = [client.step("continue")["hitBreakpointIds"] for _ in range(3)]
    assert hits == [[wanted[1]["id"]], [wanted[0]["id"]], [wanted[1]["id"]]]
    assert [item["body"]["output"] for item in client.events if item["event"] == "output"][1:] == [
        "n is 0\n",
        "n is 1\n",
    ]
    back = client.step("reverseContinue")
    assert back["hitBreakpointIds"] == [wanted[0]["id"]]


def test_data_breakpoints_tell_who_changes_a_variable_next_and_who_changed_it_last(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('rr')")
    client("setBreakpoints", source={"path": str(count_file)}, breakpoints=[{"line": 6}])
    client("configurationDone")
    client.stopped()
    info = client("dataBreakpointInfo", variablesReference=client.scopes()["Locals"], name="n")
    assert info["dataId"] == "count:n"
    assert client("dataBreakpointInfo", name="nothing")["dataId"] is None
    assert client("dataBreakpointInfo", name="n.real")["dataId"] == "count:n.real"
    wanted = client("setDataBreakpoints", breakpoints=[{"dataId": "count:n", "accessType": "write"}])
    assert wanted["breakpoints"][0]["verified"]
    stop = client.step("reverseContinue")
    assert (stop["reason"], stop["frame"]["line"]) == ("data breakpoint", 5)
    assert "n changed from 1 to 2 by line 5" in stop["description"]
    refused = client("setDataBreakpoints", breakpoints=[{"dataId": "count:n", "accessType": "read"}])
    assert not refused["breakpoints"][0]["verified"]


ACCOUNT = """\
class Account:
    def __init__(self):
        self.total = 0
        self.rates = {'a:b': 1}

    def put(self, amount):
        self.total += amount
        self.rates['a:b'] = amount
        return self.total


def main():
    return Account().put(3)
"""


def test_parts_of_variables_are_watched_from_the_tree_and_by_name(client: DapClient, tmp_path: Path) -> None:
    path = tmp_path / "account.py"
    path.write_text(ACCOUNT)
    client.initialize()
    client("launch", program=str(path), entry="main")
    client("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": 9}])
    client("configurationDone")
    client.stopped()
    (account, *_) = client("variables", variablesReference=client.scopes()["Locals"])["variables"]
    inside = {"variablesReference": account["variablesReference"]}
    total = client("dataBreakpointInfo", name="total", **inside)["dataId"]
    assert total == "Account.put:self.total"
    parts = client("variables", **inside)["variables"]
    rates = next(item["variablesReference"] for item in parts if item["name"] == "rates")
    rate = client("dataBreakpointInfo", name="'a:b'", variablesReference=rates)["dataId"]
    assert rate == "Account.put:self.rates['a:b']"
    wanted = client("setDataBreakpoints", breakpoints=[{"dataId": total}, {"dataId": rate}])["breakpoints"]
    assert [item["verified"] for item in wanted] == [True, True]
    assert "self.rates['a:b'] changed from 1 to 3 by line 8" in client.step("reverseContinue")["description"]
    assert "self.total changed from 0 to 3 by line 7" in client.step("reverseContinue")["description"]


def test_goto_offers_occurrences_and_restart_frame_goes_to_the_first_line(
    client: DapClient, count_file: Path
) -> None:
    client.launch(program=str(count_file), call="f('rrr')", stopOnEntry=True)
    client.stopped()
    source = {"path": str(count_file)}
    first = client("gotoTargets", source=source, line=5)["targets"]
    assert [item["line"] for item in first] == [5]
    client("goto", threadId=1, targetId=first[0]["id"])
    stop = client.stopped()
    assert (stop["reason"], stop["frame"]["line"]) == ("goto", 5)
    assert len(client("gotoTargets", source=source, line=5)["targets"]) == 2
    assert "no function has code" in client.refused("gotoTargets", source=source, line=7)
    client("restartFrame", frameId=client("stackTrace", threadId=1)["stackFrames"][0]["id"])
    assert client.stopped()["frame"]["line"] == 2
    assert "no such target" in client.refused("goto", threadId=1, targetId=9_999)


def test_the_stack_is_paged_and_ends_in_the_call_that_was_launched(
    client: DapClient, count_file: Path
) -> None:
    client.initialize()
    client("launch", program=str(count_file), call="f('r')")
    client("setFunctionBreakpoints", breakpoints=[{"name": "count"}])
    client("configurationDone")
    client.stopped()
    trace = client("stackTrace", threadId=1)
    assert [frame["name"] for frame in trace["stackFrames"]] == ["count", "f", "main"]
    page = client("stackTrace", threadId=1, startFrame=1, levels=1)
    assert [frame["name"] for frame in page["stackFrames"]] == ["f"]
    assert page["totalFrames"] == 3
    wrapper = trace["stackFrames"][2]
    assert (wrapper["source"]["name"], wrapper["line"]) == ("call", 2)
    text = client("source", sourceReference=wrapper["source"]["sourceReference"])["content"]
    assert text == "def main():\n    return f('r')\n"
    assert "no thread 7" in client.refused("stackTrace", threadId=7)


def test_a_snippet_has_no_file_and_is_served(client: DapClient) -> None:
    client.launch(source="    total = 0\n    for i in range(3):\n        total += i\n", stopOnEntry=True)
    frame = client.stopped()["frame"]
    reference = frame["source"]["sourceReference"]
    assert (frame["source"]["name"], frame["line"]) == ("snippet.py", 2)
    text = client("source", source={"sourceReference": reference}, sourceReference=reference)["content"]
    assert text.splitlines()[:3] == ["def snippet():", "    total = 0", "    for i in range(3):"]
    source = {"name": "snippet.py", "sourceReference": reference}
    assert client("setBreakpoints", source=source, breakpoints=[{"line": 4}])["breakpoints"][0]["verified"]
    assert client.step("continue")["frame"]["line"] == 4
    assert client("breakpointLocations", source=source, line=1, endLine=9)["breakpoints"] == [
        {"line": 2},
        {"line": 3},
        {"line": 4},
    ]


def test_what_a_selection_takes_from_elsewhere_is_assumed(client: DapClient) -> None:
    client.launch(
        source="for row in rows:\n    n += row\n", assume=["rows = [1, 2]", "n = 5"], stopOnEntry=True
    )
    assert client.stopped()["frame"]["line"] == 2
    assert client.locals()["rows"] == "[1, 2]  (carried, predicted 90%)"
    client(
        "restart", arguments={"source": COUNT, "entry": "f", "assume": ["word = 'r'"], "stopOnEntry": True}
    )
    assert client.stopped()["frame"]["line"] == 10


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"source": "x = y", "assume": ["y = z()"]}, "z"),
        ({"source": "x = y", "assume": ["y"]}, "there is no '='"),
        ({"source": "def f(): 0", "call": "f()", "assume": ["y = 1"]}, "y"),
        ({}, "give the path of a file"),
        ({"program": "nowhere.py", "call": "f()"}, "cannot be read"),
        ({"source": "def f(:", "call": "f()"}, "not valid Python"),
        ({"source": "def f(): pass", "call": "g()"}, "defines no 'g'"),
        ({"source": "def f(): pass"}, "nothing says where to start"),
        ({"source": "def f(): pass", "call": "f()", "entry": "f"}, "exclude each other"),
        ({"source": "x = 1", "mode": "dreamt"}, "one of: predicted, real, compare"),
        ({"source": "x = 1", "maxSteps": 0}, "at least 1"),
        ({"source": "x = 1", "timeout": float("inf")}, "not JSON"),
        ({"source": "x = 1", "stopOnEntry": "yes"}, "stopOnEntry: must be true or false"),
        ({"source": 7}, "source: must be a text"),
    ],
)
def test_a_launch_that_cannot_work_says_why_and_can_be_tried_again(
    client: DapClient, arguments: dict[str, object], problem: str
) -> None:
    client.initialize()
    if problem == "not JSON":
        client.send("launch", **arguments)
        assert problem in client.event("output")["output"]
    else:
        assert problem in client.refused("launch", **arguments)
    client("launch", source="x = 1\ny = 2\n", stopOnEntry=True)
    client("configurationDone")
    assert client.stopped()["reason"] == "entry"
