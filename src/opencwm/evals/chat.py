"""A model behind OpenAI's chat completions, asked as facebook/cwm is: its system prompt and its sampling.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md and MODEL_CARD.md (prompt, ``chat_template_kwargs``),
evals/configs (temperature 1.0, top_p 0.95).
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from opencwm.codec.cwm_chat import REASONING_PROMPT
from opencwm.core.errors import ConfigError, ProtocolError

if TYPE_CHECKING:
    import httpx

THINKING: Final = {"enable_thinking": True, "preserve_previous_think": True}
"""What facebook/cwm's chat template is told, so that an answer is opened with ``<think>``."""

END_THINK: Final = "</think>"
API_KEY: Final = "OPENAI_API_KEY"
"""The variable that holds the key of an address."""

_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
    """How answers are drawn, and in which manner the model is asked.

    Attributes:
        temperature: 0 is greedy.
        top_p: of nucleus sampling.
        max_tokens: of an answer, reasoning included.
        thinking: with facebook/cwm's system prompt and template settings; False for other models' own manner.
    """

    temperature: float = 1.0
    top_p: float = 0.95
    max_tokens: int = 65_536
    thinking: bool = True


class ChatEndpoint:
    """A model at an address. A context manager.

    Args:
        url: ends in ``/v1`` as a rule.
        model: as the server names it.
        sampling: of all answers.
        timeout_s: of one answer.
        attempts: of a question whose answer does not come.
        pause_s: before the second attempt; doubled before each further one.

    Raises:
        ConfigError: httpx is not installed, or the address is none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        sampling: Sampling | None = None,
        *,
        timeout_s: float = 3600.0,
        attempts: int = 4,
        pause_s: float = 1.0,
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self.sampling = sampling or Sampling()
        self._attempts = attempts
        self._pause_s = pause_s
        self._client = _client(self.url, timeout_s)

    def __enter__(self) -> ChatEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._client.close()

    def check(self) -> None:
        """Check that the model is there and answers.

        Raises:
            ConfigError: the server does not know the model.
            ProtocolError: nobody answers, or not as the API says.
        """
        listed = self._ask("GET", "/models", None, attempts=1).get("data")
        if not isinstance(listed, list):
            raise ProtocolError("the list of models has no 'data'", where=f"{self.url}/models")
        names = [str(one.get("id")) for one in listed if isinstance(one, dict)]
        if self.model not in names:
            raise ConfigError(
                f"no model {self.model!r}", where=self.url, hint=f"it serves {', '.join(names[:5]) or 'none'}"
            )
        self.answer("Say yes.", max_tokens=8)

    def answer(self, question: str, *, max_tokens: int | None = None, seed: int | None = None) -> str:
        """Return what the model says to a question, without its reasoning.

        Args:
            question: the user's turn.
            max_tokens: instead of the sampling's.
            seed: of the draw, where the server honours one.

        Raises:
            ProtocolError: no answer came, or not as the API says.
        """
        asked = self.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                *([{"role": "system", "content": REASONING_PROMPT}] if asked.thinking else []),
                {"role": "user", "content": question},
            ],
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "max_tokens": max_tokens or asked.max_tokens,
            **({"chat_template_kwargs": THINKING} if asked.thinking else {}),
            **({"seed": seed} if seed is not None else {}),
        }
        reply = self._ask("POST", "/chat/completions", body)
        try:
            content = reply["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise ProtocolError("the answer has no message", where=f"{self.url}/chat/completions") from None
        return str(content or "").rpartition(END_THINK)[2].strip()

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, *, attempts: int | None = None
    ) -> dict[str, Any]:
        import httpx

        problem, most = "", attempts or self._attempts
        for attempt in range(most):
            if attempt:
                time.sleep(self._pause_s * 2 ** (attempt - 1))
            try:
                response = self._client.request(method, self.url + path, json=body)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
                continue
            if response.status_code in _AGAIN:
                problem = _told(response)
                continue
            if response.status_code != 200:
                raise ProtocolError(_told(response), where=self.url + path, hint=_hint(response.status_code))
            try:
                reply = response.json()
            except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
                problem = "the answer is no JSON"
                continue
            if isinstance(reply, dict):
                return reply
            problem = "the answer is no JSON object"
        raise ProtocolError(problem, where=self.url + path, hint=f"tried {most} times" if most > 1 else "")


def _client(url: str, timeout_s: float) -> httpx.Client:
    try:
        import httpx
    except ImportError:
        raise ConfigError(
            "httpx is not installed", where="--endpoint", hint="pip install 'opencwm[bench]'"
        ) from None
    if not url.startswith(("http://", "https://")):
        raise ConfigError("no address", where=url, hint="for example http://localhost:8000/v1")
    key = os.environ.get(API_KEY, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(timeout=httpx.Timeout(timeout_s, connect=10.0), headers=headers)


def _told(response: httpx.Response) -> str:
    """Return the status, and what the server says of it in the form of this API, on one line."""
    message = ""
    try:
        error = response.json().get("error")
        message = error.get("message", "") if isinstance(error, dict) else str(error or "")
    except (ValueError, AttributeError, RecursionError):
        pass
    return " ".join(f"status {response.status_code} {message}"[:300].split())


def _hint(status: int) -> str:
    return f"set {API_KEY}" if status in (401, 403) else ""
