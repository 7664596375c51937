"""Who the server talks to: nobody without the token, from elsewhere, by another name, or too much at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.frontends.listening import is_loopback, served_hosts
from opencwm.frontends.web.guard import MAX_BODY_BYTES

from .web_desks import HOST, TOKEN, Client, client_of, comparing


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with client_of(comparing()) as made:
        yield made


@pytest.mark.parametrize(
    "path", ["/", "/api/state", "/api/steps?timeline=1&start=0&stop=9", "/assets/page.js", "/share"]
)
@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer wrong", "Basic the-token", f"Bearer {TOKEN}x", "Bearer \xe9"]
)
def test_nothing_is_told_without_the_token(client: Client, path: str, token: str) -> None:
    answer = client.get(path, headers={"Authorization": token.encode("latin-1")})
    assert answer.status_code == 401
    assert "the address that `opencwm web` printed" in answer.text


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(client: Client) -> None:
    answer = client.get(f"/?token={TOKEN}", headers={"Authorization": ""})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("opencwm-8123=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    known = {"Authorization": "", "Cookie": cookie.partition(";")[0]}
    assert client.get("/api/state", headers=known).status_code == 200
    assert client.get("/", headers=known).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "cookie", ["opencwm-8123=", f"opencwm-8123={TOKEN}", "opencwm-8124=x", ";;;=;", "a=b; \x7f"]
)
def test_another_cookie_is_not_enough(client: Client, cookie: str) -> None:
    answer = client.get("/api/state", headers={"Authorization": "", "Cookie": cookie})
    assert answer.status_code == 401


def test_a_wrong_token_in_the_address_is_refused_in_words(client: Client) -> None:
    answer = client.get("/?token=nonsense")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert "Not the token" in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8123", ""]
)
def test_another_name_is_not_served_even_with_the_token(client: Client, host: str) -> None:
    assert client.get("/api/state", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8123", "http://127.0.0.1:8124"]
)
def test_another_origin_is_not_served_even_with_the_token(client: Client, origin: str) -> None:
    answer = client.request("POST", "/api/cancel", json={}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert (
        client.request("POST", "/api/cancel", json={}, headers={"Origin": f"http://{HOST}"}).status_code
        == 200
    )


def test_what_a_browser_calls_cross_site_is_not_served(client: Client) -> None:
    assert client.get("/api/state", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/api/state", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert client.get("/api/state", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_forms_of_other_pages_cannot_post(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = client.request("POST", "/api/cancel", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415


def test_a_huge_message_is_refused_by_its_length_and_while_it_is_read(client: Client) -> None:
    huge = b'{"call": "' + b"x" * MAX_BODY_BYTES + b'"}'
    kind = {"Content-Type": "application/json"}
    assert client.request("POST", "/api/restart", content=huge, headers=kind).status_code == 413
    small_claim = kind | {"Content-Length": "2"}
    assert client.request("POST", "/api/restart", content=huge, headers=small_claim).status_code == 413
    for length in ("-1", "1e3", "9" * 40):
        assert (
            client.request(
                "POST", "/api/cancel", content=b"{}", headers=kind | {"Content-Length": length}
            ).status_code
            == 413
        )


def test_every_answer_forbids_what_the_page_does_not_need(client: Client) -> None:
    for path, headers in (
        ("/", {}),
        ("/api/state", {}),
        ("/nowhere", {}),
        ("/", {"Authorization": ""}),
        ("/", {"Host": "x"}),
    ):
        answer = client.get(path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_the_nonce_of_the_style_is_new_with_each_page(client: Client) -> None:
    first, second = client.get("/"), client.get("/")
    nonces = [
        answer.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0]
        for answer in (first, second)
    ]
    assert nonces[0] != nonces[1]
    assert f'content="{nonces[0]}"' in first.text


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30),
    authorization=st.binary(max_size=30).filter(lambda raw: b"\n" not in raw and b"\r" not in raw),
    cookie=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
)
def test_whatever_is_asked_without_the_token_is_refused(
    client: Client, method: str, path: str, authorization: bytes, cookie: str
) -> None:
    headers = {"Authorization": authorization, "Cookie": cookie.encode("latin-1")}
    answer = client.request(method, "/" + path.lstrip("/"), headers=headers)
    assert answer.status_code in (401, 403, 413, 415)


def test_loopback_and_the_names_that_are_served() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("::")
    assert not is_loopback("192.168.1.4")
    assert served_hosts("127.0.0.1", 81) == {"127.0.0.1:81", "localhost:81", "[::1]:81"}
    assert "example.test:81" in served_hosts("Example.test", 81)
    assert "localhost:81" in served_hosts("::", 81)
