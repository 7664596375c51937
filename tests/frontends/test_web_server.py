"""What the page asks the server, and what bad messages get."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.execution import RealExecution
from opencwm.debugger.testing import predicted_from
from opencwm.frontends.sessions import Opened
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.starting import Start

from .web_desks import CALL, COUNT, Client, client_of, comparing, opened, predicted, traced

WRONG = {11: {"n": "7"}}


@pytest.fixture
def client() -> Iterator[Client]:
    with client_of(comparing(WRONG)) as made:
        yield made


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Client]:
    with client_of(comparing(WRONG)) as made:
        yield made


def told(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: Any) -> str:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    text = answer.json()["error"]
    assert "\n" not in text
    return str(text)


def start(client: Client) -> dict[str, Any]:
    timeline = told(client.get("/api/state"))["timelines"][0]["id"]
    return {"timeline": timeline, "position": 0, "is_ended": False}


def move(client: Client, place: dict[str, Any], name: str, **more: Any) -> Any:
    return told(client.post("/api/move", {**place, "move": name, **more}))


def test_the_state_tells_what_windows_share(client: Client) -> None:
    state = told(client.get("/api/state"))
    assert state["file"] == "count.py"
    assert state["call"] == CALL
    assert state["mode"] == "compare"
    assert state["source"].startswith(COUNT)
    assert state["wrapper_line"] == COUNT.count("\n") + 1
    assert [item["source"] for item in state["timelines"]] == ["predicted", "real"]
    assert state["breakpoints"] == []
    assert 5 in state["breakable"]
    assert 1 not in state["breakable"]


def test_moves_start_where_the_window_is(client: Client) -> None:
    here = start(client)
    first = move(client, here, "step_into")
    assert first["place"]["position"] == 1
    second = move(client, first["place"], "step_into")
    assert second["place"]["position"] == 2
    again = move(client, here, "step_into")  # another window, or one that was away for a day
    assert again["place"] == first["place"]
    assert again["step"] == first["step"]


def test_a_step_carries_its_stack_its_changes_and_how_sure_they_are(client: Client) -> None:
    moved = move(client, start(client), "run_to", line=5)
    step = moved["step"]
    assert [frame["function"] for frame in step["stack"]] == ["main", "f", "count"]
    values = dict(step["stack"][-1]["locals"])
    assert values["letter"] == {"text": "'a'", "origin": "verified", "p": 0.8}
    assert values["n"]["text"] == "0"
    assert step["real"]["agrees"]
    assert {"text": "'a' == 'a'", "value": "True"} in step["evaluations"]


def test_the_overview_comes_with_a_move_from_what_the_window_knows_on(client: Client) -> None:
    moved = move(client, start(client), "continue_", known=1)
    assert moved["stop"]["kind"] == "ended"
    assert moved["place"]["is_ended"]
    overview = moved["overview"]
    known = moved["timeline"]["num_steps"]
    assert overview["start"] == 1
    assert len(overview["lines"]) == known - 1
    whole = told(client.get(f"/api/overview?timeline={moved['place']['timeline']}"))
    assert whole["lines"][1:] == overview["lines"]
    assert set(whole["sureness"]) == {0.8}


def test_back_from_the_end_is_the_last_step(client: Client) -> None:
    end = move(client, start(client), "continue_")
    last = move(client, end["place"], "step_back")
    assert last["place"]["position"] == end["place"]["position"]
    assert not last["place"]["is_ended"]
    assert move(client, end["place"], "restart")["place"]["position"] == 0


def test_where_prediction_and_real_run_part(client: Client) -> None:
    end = move(client, start(client), "continue_")
    parted = end["timeline"]["first_divergence"]
    assert parted == 11
    steps = told(
        client.get(f"/api/steps?timeline={end['place']['timeline']}&start={parted}&stop={parted + 1}")
    )
    [step] = steps["steps"]
    assert not step["real"]["agrees"]
    assert step["real"]["differences"]["n"] == ["7", "1"]
    assert "really 1" in step["real"]["note"]


def test_steps_share_their_frames_and_come_in_bounded_batches(client: Client) -> None:
    end = move(client, start(client), "continue_")
    batch = told(client.get(f"/api/steps?timeline={end['place']['timeline']}&start=0&stop=100000000"))
    assert [step["index"] for step in batch["steps"]] == list(range(end["timeline"]["num_steps"]))
    uses = [index for step in batch["steps"] for index in step["stack"]]
    assert max(uses) == len(batch["frames"]) - 1
    assert len(batch["frames"]) < len(uses)


def test_the_real_run_is_a_timeline_of_its_own(client: Client) -> None:
    real = told(client.get("/api/state"))["timelines"][1]["id"]
    place = {"timeline": real, "position": 0, "is_ended": False}
    moved = move(client, place, "run_to", line=5)
    values = dict(moved["step"]["stack"][-1]["locals"])
    assert values["letter"] == {"text": "'a'", "origin": "verified", "p": None}
    assert moved["step"]["control"] is None
    assert "recorded run" in refused(client.post("/api/set", {**moved["place"], "name": "n", "value": "3"}))


def test_breakpoints_have_conditions_and_can_be_changed(client: Client) -> None:
    [made] = told(client.post("/api/breakpoints", {"line": 5, "condition": "letter == 'b'"}))
    moved = move(client, start(client), "continue_")
    assert moved["stop"]["kind"] == "breakpoint"
    assert dict(moved["step"]["stack"][-1]["locals"])["letter"]["text"] == "'b'"
    number = made["number"]
    [changed] = told(client.post(f"/api/breakpoints/{number}", {"condition": ""}))
    assert changed["condition"] is None
    assert (
        dict(move(client, start(client), "continue_")["step"]["stack"][-1]["locals"])["letter"]["text"]
        == "'a'"
    )
    [off] = told(client.post(f"/api/breakpoints/{number}", {"is_enabled": False}))
    assert not off["is_enabled"]
    assert move(client, start(client), "continue_")["stop"]["kind"] == "ended"
    assert told(client.post(f"/api/breakpoints/{number}/remove", {})) == []


def test_changes_and_exceptions_stop_too(client: Client) -> None:
    told(client.post("/api/breakpoints", {"variable": "best", "function": "f"}))
    first = move(client, start(client), "continue_")
    assert first["stop"]["kind"] == "data breakpoint"
    end = move(client, first["place"], "run_to", line=15)
    assert "best" in end["stop"]["reason"]
    found = told(client.post("/api/breakpoints", {"exceptions": "raised"}))
    assert [item["line"] for item in found] == [None, None]


def test_breakpoints_of_all_kinds_have_hits_and_messages(client: Client) -> None:
    wish = {"called": "count", "hit_condition": "2", "condition": "letter != 'z'"}
    [made] = told(client.post("/api/breakpoints", wish))
    assert (made["place"], made["hit_condition"], made["log_message"]) == ("function count", "== 2", None)
    stopped = move(client, start(client), "continue_")
    assert stopped["stop"]["reason"].endswith("count called, hit 2")
    [logs] = told(client.post("/api/breakpoints/1", {"log_message": "{word}, {{}}", "hit_condition": ""}))
    assert (logs["hit_condition"], logs["log_message"]) == (None, "{word}, {{}}")
    ended = move(client, start(client), "continue_")
    assert [log["text"] for log in ended["stop"]["logs"]] == ["'abba', {}"] * 2
    told(client.post("/api/breakpoints/1", {"log_message": ""}))
    assert move(client, start(client), "continue_")["stop"]["kind"] == "function breakpoint"
    typed = {"exceptions": "uncaught", "types": ["KeyError", "OSError"]}
    assert told(client.post("/api/breakpoints", typed))[1]["place"] == "KeyError or OSError uncaught"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hit_condition": "often", "condition": "n > 1"}, "not a hit condition"),
        ({"log_message": "{n", "condition": "n > 1"}, "no expression follows the brace"),
        ({"condition": "n >", "is_enabled": False}, "not an expression"),
        ({"log_message": "x" * 4_001}, "more than 4000 characters"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(
    client: Client, change: dict[str, object], problem: str
) -> None:
    before = told(client.post("/api/breakpoints", {"line": 5}))
    assert problem in refused(client.post("/api/breakpoints/1", change))
    assert told(client.get("/api/state"))["breakpoints"] == before
    assert "one of line, called, variable and exceptions" in refused(
        client.post("/api/breakpoints", {"line": 5, "called": "f"})
    )


def test_the_history_of_a_variable_is_told_with_the_steps_that_made_it(client: Client) -> None:
    here = move(client, start(client), "run_to", line=6)["place"]
    where = f"timeline={here['timeline']}&position={here['position']}"
    found = told(client.get(f"/api/history?{where}&level=2&name=n"))
    assert [(item["line"], item["value"]["text"], item["how"]) for item in found] == [
        (2, "0", "line"),
        (5, "7", "line"),
        (5, "2", "line"),
    ]
    assert all(item["made_at"] < item["position"] for item in found)
    [word] = told(client.get(f"/api/history?{where}&level=1&name=word"))
    assert (word["how"], word["value"]["text"]) == ("argument", "'abba'")
    assert told(client.get(f"/api/history?{where}&level=2&name=nothing")) == []
    assert "no activation 3" in refused(client.get(f"/api/history?{where}&level=3&name=n"))
    assert "not known" in refused(
        client.get(f"/api/history?timeline={here['timeline']}&position=999&level=0&name=n")
    )


def test_starting_again_takes_other_assumptions_or_leaves_all_as_it_was() -> None:
    asked: list[Start] = []

    def reopen(begin: Start) -> Opened:
        asked.append(begin)
        if "bad" in begin.assumptions:
            raise ConfigError("neither a name nor a call", where="assumption 'bad'")
        return opened(predicted(traced()))

    first = Start(entry="f", assumptions=("x = 1",))
    with client_of(Desk(opened(predicted(traced())), reopen, first)) as client:
        here = start(client)
        assert "neither a name" in refused(client.post("/api/restart", {"assumptions": ["bad"]}))
        assert told(client.get("/api/state"))["start"]["assumptions"] == ["x = 1"]
        move(client, here, "step_into")  # that session goes on
        told(client.post("/api/restart", {"call": "f('z')", "assumptions": ["y = 2", "z = 3"]}))
        began = {"call": "f('z')", "entry": None, "assumptions": ["y = 2", "z = 3"]}
        assert told(client.get("/api/state"))["start"] == began
        told(client.post("/api/restart", {"assumptions": []}))
        too_many = {"assumptions": ["x = 1"] * 51}
        assert "more than 50" in refused(client.post("/api/restart", too_many))
        assert "assumptions" in refused(client.post("/api/restart", {"assumptions": "x = 1"}))
    assert asked[1:] == [
        Start(call="f('z')", assumptions=("y = 2", "z = 3")),
        Start(call="f('z')", assumptions=()),
    ]


def test_a_call_can_be_left_to_the_entry_again() -> None:
    begin = Start(call="f(1)", assumptions=("x = 1",))
    assert begin.changed("", None) == Start(assumptions=("x = 1",))
    assert Start(entry="f").changed("", ("y = 1",)) == Start(entry="f", assumptions=("y = 1",))
    assert begin.changed(None, ()) == Start(call="f(1)")


def test_a_breakpoint_outside_the_file_is_refused_with_a_line_that_is_not(client: Client) -> None:
    assert "no function has code on line 99" in refused(client.post("/api/breakpoints", {"line": 99}))
    assert "the next line that runs" in refused(client.post("/api/breakpoints", {"line": 1}))
    assert "not an expression" in refused(client.post("/api/breakpoints", {"line": 5, "condition": "n ="}))
    assert "no breakpoint numbered 5" in refused(client.post("/api/breakpoints/5", {"is_enabled": True}))
    assert told(client.get("/api/state"))["breakpoints"] == []


def test_setting_a_variable_makes_a_timeline_and_keeps_the_old_one(client: Client) -> None:
    here = move(client, start(client), "run_to", line=4)
    made = told(client.post("/api/set", {**here["place"], "name": "n", "value": "40 + 2"}))
    assert made["place"]["timeline"] != here["place"]["timeline"]
    value = dict(made["step"]["stack"][-1]["locals"])["n"]
    assert value == {"text": "42", "origin": "supplied", "p": None}
    labels = [item["label"] for item in told(client.get("/api/state"))["timelines"]]
    assert labels == ["predicted", "the real run", f"n = 42 at step {here['place']['position'] + 1}"]
    old = move(client, here["place"], "step_into")
    assert dict(old["step"]["stack"][-1]["locals"])["n"]["text"] == "0"
    assert old["step"]["real"] is not None
    assert made["step"]["real"] is None


@pytest.mark.parametrize("value", ["nothing", "print('x')", "__import__('os')", "lambda: 1", "(", ""])
def test_what_has_no_known_value_cannot_be_set(client: Client, value: str) -> None:
    here = move(client, start(client), "run_to", line=4)
    assert "no known value" in refused(
        client.post("/api/set", {**here["place"], "name": "n", "value": value})
    )
    assert len(told(client.get("/api/state"))["timelines"]) == 2


def test_expressions_are_computed_found_or_not_known(client: Client) -> None:
    here = move(client, start(client), "run_to", line=12)["place"]
    told(client.post("/api/move", {**here, "move": "continue_"}))
    ask = {**here, "level": -1}
    computed = told(client.post("/api/evaluate", {**ask, "expression": "len(word) + 1"}))
    assert (computed["text"], computed["is_known"]) == ("5", True)
    called = told(client.post("/api/evaluate", {**ask, "expression": "count(word, letter)"}))
    assert (called["text"], called["how"]) == ("2", "predicted for this line")
    unknown = told(client.post("/api/evaluate", {**ask, "expression": "count(word, 'z')"}))
    assert (unknown["is_known"], unknown["can_ask"]) == (False, True)
    wrong = told(client.post("/api/evaluate", {**ask, "expression": "1 +"}))
    assert "SyntaxError" in wrong["how"]
    caller = told(client.post("/api/evaluate", {**ask, "level": -2, "expression": "word"}))
    assert not caller["is_known"]
    assert "no activation 9" in refused(client.post("/api/evaluate", {**ask, "level": 9, "expression": "1"}))


def test_what_the_model_is_asked_is_labelled_so() -> None:
    trace = traced()
    execution = predicted(trace)
    execution.answers = lambda *_: predicted_from(traced("def g():\n    return 6 * 7\n", "g()"))
    with client_of(Desk(opened(execution))) as client:
        message = {**start(client), "expression": "count('zz', 'z')", "level": -1, "ask": True}
        answer = told(client.post("/api/evaluate", message))
    assert answer["text"] == "42"
    assert answer["how"].startswith("the model was asked: it is this, ")


def test_starting_again_takes_another_call_and_keeps_breakpoints() -> None:
    asked: list[str | None] = []

    def reopen(start: Start) -> Opened:
        asked.append(start.call)
        if start.call == "g()":
            raise ConfigError("count.py defines no 'g'", where="--call")
        return opened(predicted(traced(call=start.call or CALL)))

    with client_of(Desk(opened(predicted(traced())), reopen)) as client:
        told(client.post("/api/breakpoints", {"line": 5}))
        old = start(client)
        assert "defines no 'g'" in refused(client.post("/api/restart", {"call": "g()"}))
        assert told(client.get("/api/state"))["call"] == CALL
        moved = told(client.post("/api/restart", {"call": "f('zz')"}))
        state = told(client.get("/api/state"))
        assert state["call"] == "f('zz')"
        assert [item["line"] for item in state["breakpoints"]] == [5]
        assert moved["place"]["position"] == 0
        gone = refused(client.post("/api/move", {**old, "move": "step_into"}))
    assert "this timeline is gone" in gone
    assert "reload the page" in gone
    assert asked == ["g()", "f('zz')"]


def test_starting_again_with_what_has_no_first_step_changes_nothing() -> None:
    def reopen(_: Start) -> Opened:
        return opened(RealExecution(dataclasses.replace(traced(), steps=(), codes=())))

    with client_of(Desk(opened(predicted(traced())), reopen)) as client:
        here = start(client)
        assert "there is no step to show" in refused(client.post("/api/restart", {"call": None}))
        assert move(client, here, "step_into")["place"]["position"] == 1


def test_a_file_that_changes_under_the_session_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "count.py"
    path.write_text(COUNT)
    desk = Desk(opened(RealExecution(traced())), path=path)
    assert not desk.state()["is_stale"]
    path.write_text(COUNT + "\n# changed\n")
    assert desk.state()["is_stale"]
    path.unlink()
    assert desk.state()["is_stale"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"x"',
        '{"a": ' * 500,
        "[" * 60_000,
        '{"position": 0}',
        "\xff",
        '{"timeline": 1e999}',
    ],
)
def test_malformed_json_gets_one_clear_line(client: Client, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.request("POST", "/api/move", content=text.encode("latin-1"), headers=headers)
    assert refused(answer)
    assert start(client)


def test_a_message_with_a_wrong_key_is_told_the_right_one(client: Client) -> None:
    message = {**start(client), "move": "step_into"}
    assert "did you mean 'position'" in refused(client.post("/api/move", {**message, "positon": 0}))
    assert "'step_sideways' is not one of" in refused(
        client.post("/api/move", {**message, "move": "step_sideways"})
    )
    assert "a line goes with 'run_to'" in refused(client.post("/api/move", {**message, "move": "run_to"}))
    assert "step 4000 is not known" in refused(client.post("/api/move", {**message, "position": 4000}))
    assert "step -1 is not known" in refused(client.post("/api/move", {**message, "position": -1}))
    assert "a number is wanted" in refused(client.get("/api/steps?timeline=x&start=0&stop=1"))
    assert "more than 4000 characters" in refused(
        client.post("/api/evaluate", {**start(client), "expression": "1" * 4_001})
    )


def test_only_models_that_know_kinds_of_steps_are_steered(client: Client) -> None:
    assert not told(client.get("/api/state"))["timelines"][0]["can_steer"]
    steering = {**start(client), "kind": "return"}
    assert "the next step cannot be steered" in refused(client.post("/api/steer", steering))
    assert "'fly' is not one of" in refused(client.post("/api/steer", {**steering, "kind": "fly"}))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "timeline",
    "position",
    "is_ended",
    "move",
    "known",
    "line",
    "name",
    "value",
    "expression",
    "level",
    "ask",
    "call",
    "kind",
)
PATHS = (
    "move",
    "set",
    "steer",
    "evaluate",
    "breakpoints",
    "breakpoints/1",
    "breakpoints/1/remove",
    "restart",
    "cancel",
    "nowhere",
)


@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    message=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), ANY, max_size=6),
    is_placed=st.booleans(),
)
def test_the_session_survives_any_message(
    fuzzed: Client, path: str, message: dict[str, Any], is_placed: bool
) -> None:
    if is_placed:
        message = {"timeline": 1, "position": 2, "move": "step_into", **message}
    content = json.dumps(message).encode()
    headers = {"Content-Type": "application/json"}
    answer = fuzzed.request("POST", f"/api/{path}", content=content, headers=headers)
    assert answer.status_code < 500, answer.text
    assert isinstance(answer.json() if path != "nowhere" else {}, dict | list)
    assert told(fuzzed.get("/api/state"))["call"] == CALL


def test_text_that_is_no_unicode_is_told_as_it_is() -> None:
    trace = traced("def f(x):\n    return x\n", "f('\\ud800')")
    with client_of(Desk(opened(RealExecution(trace)))) as client:
        moved = move(client, start(client), "run_to", line=2)
        assert dict(moved["step"]["stack"][-1]["locals"])["x"]["text"] == "'\\ud800'"
        text = json.dumps({**moved["place"], "expression": "'\ud800'", "level": -1}).encode()
        headers = {"Content-Type": "application/json"}
        answer = told(client.request("POST", "/api/evaluate", content=text, headers=headers))
        assert "surrogates not allowed" in answer["how"]
        assert client.get("/share").status_code == 200
