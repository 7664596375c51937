"""Answers in JSON that any text survives: lone surrogates, as Python strings may hold, are escaped."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response


class JsonAnswer(Response):
    """JSON in ASCII."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of an answer."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def refusal(status: int, problem: str) -> JsonAnswer:
    """Return an answer that says what is wrong, in one line."""
    return JsonAnswer({"error": " ".join(problem.split())[:1_000]}, status)
