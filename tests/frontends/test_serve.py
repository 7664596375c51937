"""The completions API as the official client sees it, and what no client can do to the server."""

from __future__ import annotations

import base64
import json
import math
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencwm.codec.cwm_names import CwmNames
from opencwm.codec.testing import tiny_tokenizer
from opencwm.core.errors import ConfigError
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.frontends.serve.serving import ServeConfig, Served
from opencwm.model.bank import EngineBank
from opencwm.model.generation import EngineGenerator
from opencwm.model.http_engine import HttpGenerator
from opencwm.model.sampling import SamplingConfig
from opencwm.model.testing import ScriptedEngine

from .served_models import STOP, TOKEN, VOCAB_SIZE, counting, counting_model, serving

MODEL = "counting"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(counting_model) as server:
        yield server


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served.url, api_key=TOKEN, max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture(scope="module")
def raw(served: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=20, trust_env=False) as made:
        yield made


def complete(client: openai.OpenAI, prompt: Any = (2, 3), **options: Any) -> Any:
    extra = {"stop_token_ids": [STOP], "return_token_ids": True, **options.pop("extra", {})}
    wanted = {"max_tokens": 16, "temperature": 0, **options}
    given_prompt = list(prompt) if isinstance(prompt, tuple) else prompt
    return client.completions.create(model=MODEL, prompt=given_prompt, extra_body=extra, **wanted)


def test_the_official_client_gets_ids_text_reasons_and_usage(client: openai.OpenAI) -> None:
    reply = complete(client)
    [choice] = reply.choices
    assert choice.token_ids == [4, 5, 6, 7, 8, 9]
    assert choice.prompt_token_ids == [2, 3]
    assert (choice.text, choice.finish_reason, choice.stop_reason) == ("[4][5][6][7][8]", "stop", STOP)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (2, 6, 8)
    assert (reply.object, reply.model) == ("text_completion", MODEL)
    assert reply.id.startswith("cmpl-")
    short = complete(client, max_tokens=2).choices[0]
    assert (short.token_ids, short.finish_reason, short.stop_reason) == ([4, 5], "length", None)
    whole = complete(client, extra={"include_stop_str_in_output": True}).choices[0]
    assert whole.text == "[4][5][6][7][8][9]"
    assert complete(client, prompt="cd").choices[0].token_ids == [
        4,
        5,
        6,
        7,
        8,
        9,
    ]  # text, where there is some
    endless = complete(client, max_tokens=None, extra={"stop_token_ids": []}).choices[0]
    assert len(endless.token_ids) == 62


def test_probabilities_are_those_of_the_logits(client: openai.OpenAI) -> None:
    logits = counting([3]).astype(float)
    logarithms = logits - math.log(np.exp(logits).sum())
    told = complete(client, max_tokens=1, logprobs=3).choices[0].logprobs
    assert told.tokens == ["[4]"]
    assert told.token_logprobs == pytest.approx([logarithms[4]])
    assert told.top_logprobs[0] == pytest.approx({f"[{i}]": logarithms[i] for i in (4, 11, 10)})
    named = complete(client, logprobs=0, extra={"return_tokens_as_token_ids": True}).choices[0].logprobs
    assert named.tokens == [f"token_id:{token}" for token in (4, 5, 6, 7, 8, 9)]
    assert list(named.top_logprobs[0]) == ["token_id:4"]
    echoed = complete(client, prompt=(3, 4, 1), max_tokens=1, logprobs=1, echo=True).choices[0]
    assert echoed.text == "[3][4][1][2]"
    assert echoed.logprobs.token_logprobs[0] is None
    assert echoed.logprobs.token_logprobs[1] == pytest.approx(logarithms[4])
    assert echoed.logprobs.text_offset == [0, 3, 6, 9]
    assert echoed.token_ids == [2]
    scored = complete(client, prompt=(3, 4), max_tokens=0, logprobs=0, echo=True).choices[0]
    assert scored.logprobs.token_logprobs[1] == pytest.approx(logarithms[4])
    assert complete(client, max_tokens=1, echo=True).choices[0].text == "[2][3][4]"


def test_several_prompts_and_several_draws_come_in_order(client: openai.OpenAI) -> None:
    reply = complete(client, prompt=[[7], [5], [8]], n=2)
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3, 4, 5]
    assert [choice.token_ids[0] for choice in reply.choices] == [8, 8, 6, 6, 9, 9]
    assert reply.usage.prompt_tokens == 3
    drawn = [
        [choice.token_ids for choice in complete(client, temperature=50, seed=seed, n=4).choices]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({tuple(ids) for ids in drawn[0]}) > 1
    sharp = complete(client, temperature=50, top_p=0.01, n=4)
    assert all(choice.token_ids == [4, 5, 6, 7, 8, 9] for choice in sharp.choices)


def test_a_stream_tells_each_id_as_it_is_written(client: openai.OpenAI) -> None:
    stream = complete(client, stream=True, logprobs=1, stream_options={"include_usage": True})
    parts = list(stream)
    told = [part.choices[0] for part in parts if part.choices]
    assert [token for choice in told for token in choice.token_ids] == [4, 5, 6, 7, 8, 9]
    assert len(told) == 6
    assert [choice.finish_reason for choice in told] == [None] * 5 + ["stop"]
    assert "".join(choice.text for choice in told) == "[4][5][6][7][8]"
    assert [choice.logprobs.text_offset[0] for choice in told] == [0, 3, 6, 9, 12, 15]
    assert [part.usage.completion_tokens for part in parts if part.usage] == [6]
    two = list(complete(client, prompt=[[7], [5]], stream=True, echo=True))
    texts = {0: "", 1: ""}
    for part in two:
        texts[part.choices[0].index] += part.choices[0].text
    assert texts == {0: "[7][8]", 1: "[5][6][7][8]"}


def test_the_models_are_listed_and_wrong_ones_refused(client: openai.OpenAI) -> None:
    [listed] = client.models.list().data
    card: Any = listed
    assert card.id == MODEL
    assert card.max_model_len == 64
    assert card.opencwm["vocab_size"] == VOCAB_SIZE
    assert card.opencwm["full_logits"] is True
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
        client.models.retrieve("gpt")
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
        client.completions.create(model="gpt", prompt=[1])


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [VOCAB_SIZE]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [1] * 64}, "prompt"),
        ({"prompt": [[1]] * 65}, "prompt"),
        ({"n": 65}, "n"),
        ({"n": 0}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"logprobs": -1}, "logprobs"),
        ({"suffix": "x"}, "suffix"),
        ({"stop": ["x"]}, "stop"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"stream": True, "echo": True, "logprobs": 1}, "echo"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"opencwm": {"logits_from": 2}}, "opencwm"),
        ({"opencwm": {"logits_from": 0, "read_from": 1}}, "opencwm"),
        ({"opencwm": {"logits_from": 0}, "n": 2}, "opencwm"),
    ],
)
def test_what_cannot_be_done_is_refused_by_field(
    raw: httpx.Client, options: dict[str, Any], param: str
) -> None:
    answer = raw.post("completions", content=json.dumps({"prompt": [1, 2], **options}), headers=JSON)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert "\n" not in error["message"]


JSON = {"Content-Type": "application/json"}


def test_a_misspelt_field_is_named_with_the_nearest(raw: httpx.Client) -> None:
    answer = raw.post("completions", json={"prompt": [1], "max_token": 3})
    assert "did you mean 'max_tokens'?" in answer.json()["error"]["message"]


def test_logits_come_whole_and_what_is_held_is_not_read_again(raw: httpx.Client) -> None:
    body = {"prompt": [2, 3, 4], "max_tokens": 0, "opencwm": {"logits_from": 1, "read_from": 0}}
    reply = raw.post("completions", json=body).json()
    told = reply["choices"][0]["opencwm"]
    assert (told["shape"], told["dtype"]) == ([2, VOCAB_SIZE], "float32")
    found = np.frombuffer(base64.b64decode(told["logits"]), "<f4").reshape(told["shape"])
    np.testing.assert_array_equal(found, [counting([3]), counting([4])])
    body = {"prompt": [2, 3, 4, 5], "max_tokens": 0, "opencwm": {"logits_from": 3, "read_from": 3}}
    usage = raw.post("completions", json=body).json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 3


def test_only_those_with_the_token_are_served_and_no_web_page(served: Served, raw: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": ""}):
        answer = httpx.get(f"{served.url}/models", headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
    with (
        openai.OpenAI(base_url=served.url, api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()
    assert raw.get("models", headers={"Origin": "http://evil.test"}).status_code == 403
    assert raw.get("models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    health = httpx.get(served.url.replace("/v1", "/health"), trust_env=False)
    assert health.json() == {"status": "ok"}
    assert httpx.get(served.url.replace("/v1", "/metrics"), trust_env=False).status_code == 401


def test_without_a_token_only_the_names_of_this_machine_are_served() -> None:
    with serving(counting_model, ServeConfig(token=None, patience_s=1)) as server:
        assert server.token is None
        assert httpx.get(f"{server.url}/models", trust_env=False).status_code == 200
        other = httpx.get(f"{server.url}/models", headers={"Host": "evil.test"}, trust_env=False)
        assert other.status_code == 403


def test_other_paths_methods_and_bodies_are_refused_in_the_same_form(raw: httpx.Client) -> None:
    for answer, status in (
        (raw.get("nothing"), 404),
        (raw.get("completions"), 405),
        (raw.post("completions", content=b"{", headers=JSON), 400),
        (raw.post("completions", content=b"[1]", headers=JSON), 400),
        (raw.post("completions", content=b"[" * 100_000, headers=JSON), 400),
        (raw.post("completions", content=b"\xff", headers=JSON), 400),
        (raw.post("completions", content=b"{}", headers={"Content-Type": "text/plain"}), 415),
        (raw.post("completions", content=b" " * 9_000_000, headers=JSON), 413),
        (raw.post("completions", content=iter([b" " * 5_000_000] * 2), headers=JSON), 413),
    ):
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


def test_a_generator_at_the_server_writes_what_one_at_hand_writes(served: Served) -> None:
    at_hand = EngineGenerator(ScriptedEngine(VOCAB_SIZE, counting, max_tokens=64))
    generator = HttpGenerator.connect(served.url, api_key=TOKEN)
    with generator.connection:
        for sampling in (SamplingConfig(), SamplingConfig(temperature=9.0, top_p=0.9, seed=3)):
            asked: dict[str, Any] = {"stops": {STOP}, "max_tokens": 9, "sampling": sampling}
            there, here = (one.generate([2, 3], **asked) for one in (generator, at_hand))
            assert (there.ids, there.stopped) == (here.ids, here.stopped)
            assert there.logarithms == pytest.approx(here.logarithms)


def test_metrics_count_what_was_done(raw: httpx.Client, served: Served) -> None:
    def value(name: str) -> float:
        text = raw.get(served.url.replace("/v1", "/metrics")).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))

    before = value("opencwm_generation_tokens_total"), value("opencwm_prompt_tokens_total")
    body = {"prompt": [2, 3], "stop_token_ids": [STOP], "temperature": 0}
    assert raw.post("completions", json=body).status_code == 200
    assert value("opencwm_generation_tokens_total") == before[0] + 6
    assert value("opencwm_prompt_tokens_total") == before[1] + 2
    assert value("opencwm_sequences_running") == 0
    text = raw.get(served.url.replace("/v1", "/metrics")).text
    assert 'opencwm_requests_total{path="/v1/completions",status="200"}' in text


def test_many_at_once_get_what_each_would_get_alone(raw: httpx.Client) -> None:
    def ask(number: int) -> list[int]:
        body = {"prompt": [number % 8], "stop_token_ids": [STOP], "temperature": 0, "return_token_ids": True}
        ids: list[int] = raw.post("completions", json=body).json()["choices"][0]["token_ids"]
        return ids

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(48)))
    assert found == [list(range(number % 8 + 1, 10)) for number in range(48)]


SLOW = {"prompt": [0], "max_tokens": 60, "temperature": 0}


def wait_until_idle(server: Served) -> None:
    deadline_s = time.monotonic() + 10
    while server.app.scheduler.num_running or server.app.scheduler.num_waiting:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_client_that_goes_away_frees_its_row_and_a_full_server_says_when_to_come_back() -> None:
    config = ServeConfig(token=None, max_requests=2, patience_s=1)
    with (
        serving(lambda: counting_model(rows=1, pause_s=0.2), config) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        with client.stream("POST", "completions", json={**SLOW, "stream": True}) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("data: ")
            waiting = pool.submit(client.post, "completions", json={**SLOW, "max_tokens": 2})
            while not server.app.scheduler.num_waiting:
                time.sleep(0.01)
            full = client.post("completions", json=SLOW)
            assert (full.status_code, full.headers["retry-after"]) == (429, "1")
            assert full.json()["error"]["type"] == "rate_limit_error"
        assert waiting.result(10).status_code == 200  # it got the row of the one that went
        with pytest.raises(httpx.ReadTimeout):
            client.post("completions", json=SLOW, timeout=1)
        wait_until_idle(server)
        metrics = client.get(server.url.replace("/v1", "/metrics")).text
        assert "opencwm_requests_cancelled_total 2.0" in metrics
        assert client.post("completions", json={**SLOW, "max_tokens": 1}).status_code == 200


def test_what_is_under_way_may_end_when_the_server_is_stopped() -> None:
    with (
        serving(lambda: counting_model(pause_s=0.02), ServeConfig(token=None, patience_s=10)) as server,
        httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(client.post, "completions", json={**SLOW, "max_tokens": 30})
        while not server.app.scheduler.num_running:
            time.sleep(0.01)
        server.stop()
        assert asked.result(10).json()["usage"]["completion_tokens"] == 30


def test_a_port_that_is_taken_is_said_before_a_model_is_opened() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match="cannot listen there"),
    ):
        Served(lambda: pytest.fail("opened"), ServeConfig(port=taken.getsockname()[1]))


def test_a_model_of_the_cwm_format_reads_and_writes_text_whose_marks_are_ordinary_characters() -> None:
    tokenizer = tiny_tokenizer()
    names = CwmNames(tokenizer)
    source = "x = '<|frame_sep|>' # caf\u00e9"
    ids = list(names.encode(source))
    assert ids[0] == tokenizer.special_id("<|begin_of_text|>")
    assert tokenizer.special_id("<|frame_sep|>") not in ids
    assert names.text(ids) == "<|begin_of_text|>" + source
    assert names.text([10**6]) == "<|1000000|>"
    end = tokenizer.special_id("<|end_of_text|>")
    assert end in names.ends
    engine = ScriptedEngine.saying(
        tokenizer.vocab_size, [[*ids, *tokenizer.encode("\n"), end, end, end, end]]
    )
    model = ServedModel(
        name="text", bank=EngineBank(engine, 1), names=names, ends=names.ends, about={"codec": "cwm"}
    )
    with (
        serving(lambda: model) as server,
        openai.OpenAI(base_url=server.url, api_key=TOKEN, max_retries=0) as client,
    ):
        for ignores, length in ((False, 2), (True, 5)):
            reply = client.completions.create(
                model="text", prompt=source, max_tokens=5, temperature=0, extra_body={"ignore_eos": ignores}
            )
            assert reply.usage is not None
            assert reply.usage.completion_tokens == length
            assert reply.choices[0].text.startswith("\n")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 14)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["prompt", "counting"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "model",
    "max_tokens",
    "n",
    "best_of",
    "temperature",
    "top_p",
    "seed",
    "logprobs",
    "echo",
    "stream_options",
    "stop",
    "stop_token_ids",
    "ignore_eos",
    "return_token_ids",
    "opencwm",
]
BODIES = st.fixed_dictionaries(
    {"prompt": VALUES | st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=5)},
    optional=dict.fromkeys(NAMES, VALUES),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES | VALUES)
def test_whatever_is_asked_is_answered_or_refused(raw: httpx.Client, body: Any) -> None:
    answer = raw.post("completions", content=json.dumps(body), headers=JSON)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code == 200:
        assert answer.json()["choices"]
    else:
        assert answer.json()["error"]["message"].isprintable()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_bytes_that_are_no_request_end_nothing(served: Served, raw: httpx.Client, junk: bytes) -> None:
    address = httpx.URL(served.url)
    with socket.create_connection((address.host, address.port or 0), timeout=5) as connection:
        connection.sendall(junk)
    assert raw.get("models").status_code == 200
