"""Errors in OpenAI's form."""

from __future__ import annotations

import json

from starlette.responses import Response

_KINDS = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}


def refusal(
    status: int,
    problem: str,
    *,
    param: str | None = None,
    code: str | None = None,
    retry_s: int | None = None,
) -> Response:
    """Return an answer that says in one line what is wrong.

    Args:
        status: of HTTP.
        problem: what is wrong.
        param: the field it concerns.
        code: OpenAI's name of the problem.
        retry_s: seconds after which it may go better.
    """
    headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
    body = {"error": told(status, problem, param=param, code=code)}
    return Response(json.dumps(body), status, headers, "application/json")


def told(
    status: int, problem: str, *, param: str | None = None, code: str | None = None
) -> dict[str, str | None]:
    """Return the error object of OpenAI's API."""
    kind = _KINDS.get(status, "invalid_request_error")
    return {"message": " ".join(problem.split())[:1_000], "type": kind, "param": param, "code": code}
