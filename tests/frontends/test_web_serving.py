"""A real server on a real port: news, long moves, windows that come and go, and an end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from opencwm.core.errors import ConfigError
from opencwm.frontends.web.serving import Served

from .web_desks import comparing, endless, served


@pytest.fixture
def slow() -> Iterator[httpx.Client]:
    """A client of a prediction that never ends, come in by the printed address."""
    with (
        served(endless) as server,
        httpx.Client(follow_redirects=True, timeout=20, trust_env=False) as client,
    ):
        assert client.get(server.url).status_code == 200
        client.base_url = httpx.URL(server.url.partition("/?")[0])
        yield client


def news(client: httpx.Client, wanted: str, found: list[dict[str, Any]], ready: threading.Event) -> None:
    """Read news until one of the wanted kind comes."""
    with client.stream("GET", "/api/events") as stream:
        for line in stream.iter_lines():
            ready.set()
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if found[-1]["kind"] == wanted:
                    return


def test_a_long_move_tells_how_far_it_is_lets_others_look_and_can_be_cancelled(slow: httpx.Client) -> None:
    [timeline] = slow.get("/api/state").json()["timelines"]
    place = {"timeline": timeline["id"], "position": 0, "is_ended": False}
    found: list[dict[str, Any]] = []
    ready = threading.Event()
    listener = threading.Thread(target=news, args=(slow, "progress", found, ready))
    listener.start()
    assert ready.wait(10)
    answers: list[httpx.Response] = []
    mover = threading.Thread(
        target=lambda: answers.append(slow.post("/api/move", json={**place, "move": "continue_"}))
    )
    mover.start()
    listener.join(10)
    assert found[-1]["num_steps"] > 0
    began_s = time.monotonic()
    while slow.get("/api/state").json()["timelines"][0]["num_steps"] < 3:
        assert time.monotonic() - began_s < 5
    steps = slow.get(f"/api/steps?timeline={timeline['id']}&start=0&stop=3").json()["steps"]
    assert [step["index"] for step in steps] == [0, 1, 2]
    second = slow.post("/api/move", json={**place, "move": "step_into"})
    assert (second.status_code, second.json()["error"]) == (409, "still predicting; cancel that first")
    assert slow.post("/api/cancel", json={}).status_code == 200
    mover.join(10)
    moved = answers[0].json()
    assert moved["stop"]["kind"] == "cancelled"
    assert moved["place"]["position"] >= 1
    assert slow.post("/api/move", json={**moved["place"], "move": "step_back"}).status_code == 200


def test_a_move_that_nobody_waits_for_any_more_is_cancelled(slow: httpx.Client) -> None:
    [timeline] = slow.get("/api/state").json()["timelines"]
    message = {"timeline": timeline["id"], "position": 0, "move": "continue_"}
    with pytest.raises(httpx.ReadTimeout):
        slow.post("/api/move", json=message, timeout=0.3)
    deadline_s = time.monotonic() + 15
    while (again := slow.post("/api/move", json={**message, "move": "step_into"})).status_code == 409:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    assert again.status_code == 200


def test_windows_are_counted_as_they_come_and_go(slow: httpx.Client) -> None:
    assert slow.get("/api/state").json()["num_windows"] == 0
    with slow.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()  # kept, or the stream would end
        next(lines)
        assert slow.get("/api/state").json()["num_windows"] == 1
    deadline_s = time.monotonic() + 10
    while slow.get("/api/state").json()["num_windows"] and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert slow.get("/api/state").json()["num_windows"] == 0


def test_it_listens_on_loopback_and_its_address_holds_the_token() -> None:
    with served(lambda _: comparing()) as server:
        address = httpx.URL(server.url)
        assert address.host == "127.0.0.1"
        assert len(address.params["token"]) >= 32
        bare = httpx.get(f"http://127.0.0.1:{address.port}/api/state", trust_env=False)
        assert bare.status_code == 401


def test_what_is_no_http_ends_nothing() -> None:
    with served(lambda _: comparing()) as server:
        address = httpx.URL(server.url)
        for junk in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9\r\n\r\n", b"GET /" + b"a" * 70_000):
            with socket.create_connection(("127.0.0.1", address.port or 0), timeout=5) as raw:
                raw.sendall(junk)
        assert httpx.get(server.url, trust_env=False).status_code == 303


def test_a_port_that_is_taken_is_said_before_anything_is_served() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match="cannot listen there"),
    ):
        Served(lambda _: comparing(), port=taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"no\.such\.host\.invalid:0: cannot listen there"):
        Served(lambda _: comparing(), host="no.such.host.invalid")
