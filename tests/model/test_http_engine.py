"""The engine at a server: what it sends, and what no server can do to it."""

from __future__ import annotations

import base64
import contextlib
import math
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from faulty_server import (
    CARD,
    VOCAB_SIZE,
    Answer,
    FaultyServer,
    answering,
    choice,
    cutting,
    dropping,
    faulty_server,
    good,
    late,
    truncating,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.generation import Generator
from opencwm.model.http_client import HttpConfig, HttpConnection
from opencwm.model.http_engine import HttpEngine, HttpGenerator, open_http
from opencwm.model.sampling import SamplingConfig

QUICK = HttpConfig(first_wait_s=0.001, timeout_s=5.0, connect_timeout_s=5.0)
GREEDY = SamplingConfig()


@pytest.fixture(scope="module")
def running() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def server(running: FaultyServer) -> FaultyServer:
    running.script.clear()
    running.asked.clear()
    running.cards = [CARD]
    return running


@pytest.fixture
def generator(server: FaultyServer) -> Iterator[HttpGenerator]:
    made = HttpGenerator.connect(server.url, config=QUICK)
    with made.connection:
        yield made


def write(generator: Generator, prompt: tuple[int, ...] = (1, 2)) -> tuple[int, ...]:
    return generator.generate(prompt, stops={9}, max_tokens=8, sampling=GREEDY).ids


def test_ids_go_out_and_ids_come_back(server: FaultyServer, generator: HttpGenerator) -> None:
    sampling = SamplingConfig(temperature=0.6, top_p=0.95, seed=7)
    written = generator.generate([1, 2], stops={9, 5}, max_tokens=8, sampling=sampling)
    assert (written.ids, written.logarithms, written.stopped) == ((3, 4, 9), (-0.5,) * 3, True)
    [asked] = server.asked
    assert asked["prompt"] == [1, 2]
    assert asked["stop_token_ids"] == [5, 9]
    assert (asked["temperature"], asked["top_p"], asked["seed"]) == (0.6, 0.95, 7)
    assert asked["return_token_ids"] is asked["include_stop_str_in_output"] is True
    assert asked["skip_special_tokens"] is False
    assert (generator.vocab_size, generator.max_tokens) == (VOCAB_SIZE, 64)
    write(
        generator, (1, 2, 3, 4, 9, 6)
    )  # the prompt grows, and goes whole: the server's prefix cache applies
    assert server.asked[-1]["prompt"] == [1, 2, 3, 4, 9, 6]


@pytest.mark.parametrize(
    "answer",
    [
        dropping,
        truncating,
        cutting,
        answering({"error": {"message": "busy"}}, 429, Retry_After="0"),
        answering({"error": {"message": "busy"}}, 429),
        answering(b"<html>", 500),
        answering(b"", 502),
        answering(b"", 503, Retry_After="soon"),
        answering(b"", 504, Retry_After=formatdate(time.time() - 5, usegmt=True)),
        answering(b"\xff\xfe not json"),
    ],
)
def test_what_may_go_better_is_asked_again(
    server: FaultyServer, generator: HttpGenerator, answer: Answer
) -> None:
    server.script[:] = [answer, answer]
    assert write(generator) == (3, 4, 9)
    assert len(server.asked) == 3


def test_a_server_that_says_when_to_come_back_is_obeyed(
    server: FaultyServer, generator: HttpGenerator
) -> None:
    server.script[:] = [answering({}, 429, Retry_After="1")]
    begin_s = time.monotonic()
    assert write(generator) == (3, 4, 9)
    assert time.monotonic() - begin_s >= 1.0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (answering({"error": {"message": "no\nsuch\x1b[31m thing"}}, 500), "answers 500: no such"),
        (answering({"detail": "later"}, 429), "answers 429: later, 6 times"),
        (dropping, "the connection broke"),
        (cutting, "not valid JSON, or was cut off"),
    ],
)
def test_what_never_goes_better_ends_in_one_line_and_loses_nothing(
    server: FaultyServer, generator: HttpGenerator, answer: Answer, told: str
) -> None:
    first = write(generator)
    server.script[:] = [answer] * QUICK.attempts
    with pytest.raises(EngineError, match=told) as raised:
        write(generator, (1, 2, *first))
    assert server.url in str(raised.value)
    assert str(raised.value).isprintable()
    assert write(generator, (1, 2, *first)) == (3, 4, 9)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"choices": [choice([3, 4, 9], token_ids=None)]}, "text, not with token ids"),
        ({"choices": [{"text": "hello", "finish_reason": "stop"}]}, "text, not with token ids"),
        ({"choices": [choice([3, 4, 9], logprobs=None)]}, "lacks the probabilities"),
        ({"choices": [choice([3, 9], logprobs={"token_logprobs": [-1.0]})]}, "2 ids came with 1 prob"),
        ({"choices": [choice([3, VOCAB_SIZE])]}, "outside 0..19"),
        ({"choices": [choice([-1])]}, "outside 0..19"),
        ({"choices": [choice([True, 3])]}, "ids of the answer are none"),
        ({"choices": [choice(["3"])]}, "ids of the answer are none"),
        ({"choices": [choice([3] * 9)]}, "9 ids came, at most 8"),
        ({"choices": [choice([3], finish_reason="abort")]}, "ended early: abort"),
        ({"choices": [choice([9], logprobs={"token_logprobs": [2.0]})]}, "lacks the probabilities"),
        ({"choices": []}, "not one choice"),
        ([], "not one choice"),
        (None, "not one choice"),
    ],
)
def test_answers_that_make_no_sense_are_told_and_not_asked_for_again(
    server: FaultyServer, generator: HttpGenerator, data: Any, told: str
) -> None:
    server.script[:] = [answering(data)]
    with pytest.raises(EngineError, match=told):
        write(generator)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "hint"), [(400, ""), (401, "OPENCWM_API_KEY"), (404, "/v1"), (413, ""), (422, "")]
)
def test_a_refusal_is_told_at_once(
    server: FaultyServer, generator: HttpGenerator, status: int, hint: str
) -> None:
    server.script[:] = [answering({"error": {"message": "it is so"}}, status)]
    with pytest.raises(EngineError, match=f"answers {status}: it is so") as raised:
        write(generator)
    assert hint in raised.value.hint
    assert len(server.asked) == 1


def test_servers_that_name_tokens_by_their_ids_or_leave_the_stop_id_out_are_understood(
    server: FaultyServer, generator: HttpGenerator
) -> None:
    names = {"tokens": ["token_id:3", "token_id:9"], "token_logprobs": [-1, -2]}
    server.script[:] = [answering({"choices": [choice([], token_ids=None, logprobs=names)]})]
    assert write(generator) == (3, 9)
    left_out = choice([3], stop_reason=9, logprobs={"token_logprobs": [-1.0, -2.0]})
    server.script[:] = [answering({"choices": [left_out]})]
    written = generator.generate([1], stops={9}, max_tokens=8, sampling=GREEDY)
    assert (written.ids, written.logarithms, written.stopped) == ((3, 9), (-1.0, -2.0), True)
    server.script[:] = [good((3, 9, 4))]  # a server that does not know stop_token_ids
    assert write(generator) == (3, 9)
    server.script[:] = [answering({"choices": [choice([3, 4], finish_reason="length")]})]
    assert not generator.generate([1], stops={9}, max_tokens=2, sampling=GREEDY).stopped
    assert generator.generate([1] * 63, stops={9}, max_tokens=0, sampling=GREEDY).ids == ()
    with pytest.raises(EngineError, match="does not fit"):
        write(generator, (1,) * 64)


def test_a_slow_server_is_given_up(server: FaultyServer) -> None:
    config = HttpConfig(first_wait_s=0.001, timeout_s=0.1, attempts=2)
    server.script[:] = [late(1), late(1)]
    generator = HttpGenerator.connect(server.url, config=config)
    with generator.connection, pytest.raises(EngineError, match="took too long for an answer, 2 times"):
        write(generator)


def test_a_huge_answer_is_refused(server: FaultyServer) -> None:
    generator = HttpGenerator.connect(server.url, config=HttpConfig(max_reply_bytes=100_000))
    server.script[:] = [answering(b" " * 1_000_000)]
    with generator.connection, pytest.raises(EngineError, match="larger than 100000 bytes"):
        write(generator)


def test_many_ask_at_once_over_one_connection_pool(server: FaultyServer, generator: HttpGenerator) -> None:
    server.script[:] = [late(0.3)] * 16
    begin_s = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda token: write(generator, (token,)), range(16)))
    assert found == [(3, 4, 9)] * 16
    assert sorted(asked["prompt"][0] for asked in server.asked) == list(range(16))
    assert time.monotonic() - begin_s < 16 * 0.3


def test_questions_under_way_can_be_cancelled_and_later_ones_are_served(
    server: FaultyServer, generator: HttpGenerator
) -> None:
    server.script[:] = [late(3)]
    found: list[EngineError] = []

    def ask() -> None:
        with pytest.raises(EngineError) as raised:
            write(generator)
        found.append(raised.value)

    asker = threading.Thread(target=ask)
    asker.start()
    while not server.asked:
        time.sleep(0.01)
    begin_s = time.monotonic()
    generator.connection.cancel()
    asker.join()
    assert time.monotonic() - begin_s < 2
    assert "cancelled" in str(found[0])
    assert write(generator) == (3, 4, 9)
    generator.connection.close()
    generator.connection.close()
    with pytest.raises(EngineError, match="is closed"):
        write(generator)
    generator.connection.cancel()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "token_ids": JSON | st.lists(st.integers(-1, VOCAB_SIZE), max_size=9),
        "logprobs": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "token_logprobs": JSON | st.lists(st.floats(max_value=0), max_size=9),
                "tokens": JSON | st.lists(st.just("token_id:3") | st.text(max_size=3), max_size=4),
            },
        ),
        "finish_reason": JSON | st.sampled_from(["stop", "length"]),
        "stop_reason": JSON | st.just(9),
        "opencwm": JSON | st.fixed_dictionaries({"logits": JSON, "shape": JSON, "dtype": JSON}),
    },
)
REPLIES = JSON | st.fixed_dictionaries({"choices": JSON | st.lists(FIELDS, max_size=2)})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REPLIES)
def test_whatever_a_server_answers_is_an_answer_or_an_error_made_on_purpose(
    server: FaultyServer, generator: HttpGenerator, reply: Any
) -> None:
    server.script[:] = [answering(reply)]
    with contextlib.suppress(EngineError):
        written = generator.generate([1, 2], stops={9}, max_tokens=8, sampling=GREEDY)
        assert len(written.ids) == len(written.logarithms) <= 8
        assert all(0 <= token < VOCAB_SIZE for token in written.ids)
        assert all(math.isfinite(value) and value <= 0 for value in written.logarithms)
        assert 9 not in written.ids[:-1]
    engine = HttpEngine(generator.connection, generator.remote.__class__(**LOGITS_REMOTE))
    server.script[:] = [answering(reply)]
    with pytest.raises(EngineError):
        engine.append([1])
    assert list(engine.ids) == []


LOGITS_REMOTE: dict[str, Any] = {
    "name": "tiny",
    "vocab_size": 3,
    "max_tokens": 8,
    "codec": "native",
    "vocabulary_sha256": "",
    "revision": "",
    "has_logits": True,
}


def logits(values: list[list[float]], **changes: Any) -> Answer:
    data = base64.b64encode(np.array(values, "<f4").tobytes()).decode()
    told = {"logits": data, "shape": [len(values), len(values[0])], "dtype": "float32", **changes}
    return answering({"choices": [{"text": "", "opencwm": told}]})


@pytest.fixture
def engine(server: FaultyServer) -> Iterator[HttpEngine]:
    about = {"codec": "native", "vocab_size": 3, "full_logits": True}
    server.cards = [{"id": "native", "max_model_len": 8, "opencwm": about}]
    made = HttpEngine.connect(server.url, config=QUICK)
    with made.connection:
        yield made


def test_an_engine_sends_all_ids_and_says_what_is_new(server: FaultyServer, engine: HttpEngine) -> None:
    server.script[:] = [logits([[0.0, 1.0, 2.0]]), logits([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])]
    assert engine.append([0, 1]).tolist() == [0.0, 1.0, 2.0]
    assert engine.append_all([2, 1]).tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    fork = engine.fork()
    engine.truncate(1)
    server.script[:] = [logits([[7.0, 8.0, 9.0]])]
    engine.append([2])
    assert (list(engine.ids), list(fork.ids)) == ([0, 2], [0, 1, 2, 1])
    assert (engine.num_passes, fork.num_passes) == (3, 0)
    wanted = [(body["prompt"], body["max_tokens"], body["opencwm"]) for body in server.asked]
    assert wanted == [
        ([0, 1], 0, {"logits_from": 1, "read_from": 0}),
        ([0, 1, 2, 1], 0, {"logits_from": 2, "read_from": 2}),
        ([0, 2], 0, {"logits_from": 1, "read_from": 1}),
    ]
    for ids in ([], [3], [-1], [0] * 9):
        with pytest.raises(EngineError):
            engine.append(ids)
    with pytest.raises(EngineError):
        engine.truncate(3)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (logits([[0.0, 1.0, 2.0]], shape=[1, 4]), "not float32 of shape"),
        (logits([[0.0, 1.0, 2.0]], dtype="float64"), "not float32 of shape"),
        (logits([[0.0, 1.0, 2.0]], logits="AAAA"), "cut off"),
        (logits([[0.0, 1.0, 2.0]], logits="*"), "not base64"),
        (logits([[0.0, 1.0, math.inf]]), "not all numbers"),
        (answering({"choices": [choice([1])]}), "holds no logits"),
    ],
)
def test_logits_that_are_none_leave_the_engine_as_it_was(
    server: FaultyServer, engine: HttpEngine, answer: Answer, told: str
) -> None:
    server.script[:] = [logits([[0.0, 1.0, 2.0]]), answer]
    engine.append([0])
    with pytest.raises(EngineError, match=told):
        engine.append([1])
    assert list(engine.ids) == [0]


def test_the_right_kind_is_opened_and_the_wrong_one_refused(server: FaultyServer) -> None:
    found = open_http(server.url, config=QUICK)
    assert isinstance(found, HttpGenerator)
    found.connection.close()
    with pytest.raises(EngineError, match="does not give the logits"):
        HttpEngine.connect(server.url, config=QUICK)
    server.cards = [{"id": "a", "opencwm": {"full_logits": True, "vocab_size": 9}}, {"id": "b"}]
    engine = open_http(server.url, model="a", config=QUICK)
    assert isinstance(engine, HttpEngine)
    engine.connection.close()
    plain = open_http(server.url, model="b", config=QUICK)  # as vLLM has it, which says nothing of us
    assert (plain.remote.codec, plain.remote.vocab_size, plain.remote.max_tokens) == ("cwm", 128_256, 131_072)
    plain.connection.close()
    for name, told in ((None, "not exactly one model"), ("c", "no model 'c'")):
        with pytest.raises(EngineError, match=told) as raised:
            open_http(server.url, model=name, config=QUICK)
        assert "it has: a, b" in str(raised.value)


@pytest.mark.parametrize(
    "cards",
    [
        None,
        [3],
        [{"id": 3}],
        [{"id": "a", "opencwm": 3}],
        [{"id": "a", "max_model_len": "x"}],
        [{"id": "a", "opencwm": {"vocab_size": -1}}],
    ],
)
def test_a_list_of_models_that_is_none_is_told(server: FaultyServer, cards: Any) -> None:
    server.cards = cards
    with pytest.raises(EngineError, match="makes no sense"):
        open_http(server.url, config=QUICK)


@pytest.mark.parametrize("url", ["", "ftp://host/v1", "http://", "http://host:0/v1", "http://h:99999/", "/x"])
def test_addresses_that_are_none_are_told(url: str) -> None:
    with pytest.raises(ConfigError, match="not the address of a server"):
        HttpConnection(url)


def test_nobody_there_is_told(unused_url: str) -> None:
    config = HttpConfig(attempts=2, first_wait_s=0.001)
    with pytest.raises(EngineError, match=r"cannot be reached: .*, 2 times"):
        HttpGenerator.connect(unused_url, config=config)


@pytest.fixture
def unused_url() -> str:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_settings_and_keys_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"attempts": 0}, {"timeout_s": 0.0}, {"connections": 0}):
        with pytest.raises(ConfigError):
            HttpConfig(**wrong)
    monkeypatch.setenv("OPENCWM_API_KEY", "caf\u00e9")
    with pytest.raises(ConfigError, match="printable ASCII"):
        HttpConnection("http://127.0.0.1:9/v1")


def test_without_httpx_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"pip install 'opencwm\[http\]'"):
        HttpConnection("http://127.0.0.1:9/v1")


def test_a_connection_that_nobody_holds_any_more_ends_its_thread(server: FaultyServer) -> None:
    before = threading.active_count()
    generator = HttpGenerator.connect(server.url, config=QUICK)
    assert write(generator) == (3, 4, 9)
    del generator
    deadline_s = time.monotonic() + 5
    while any(thread.name == "opencwm http" for thread in threading.enumerate()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert threading.active_count() <= before + 2  # the server's own
