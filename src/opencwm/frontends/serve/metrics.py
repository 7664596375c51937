"""What is counted, for Prometheus. Each server counts for itself."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters of one server; also what watches a scheduler."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._answers = Counter(
            "opencwm_requests", "Requests by path and status.", ("path", "status"), registry=registry
        )
        self._given = Counter(
            "opencwm_prompt_tokens", "Ids of the prompts that were sent.", registry=registry
        )
        self._reused = Counter(
            "opencwm_prompt_tokens_reused", "Of these, those that a row still held.", registry=registry
        )
        self._read = Counter("opencwm_prompt_tokens_read", "Prompt ids that were run.", registry=registry)
        self._written = Counter("opencwm_generation_tokens", "Ids that were written.", registry=registry)
        self._cancelled = Counter(
            "opencwm_requests_cancelled", "Sequences whose client went away.", registry=registry
        )
        self._rows = Histogram(
            "opencwm_step_rows", "Sequences that wrote in one call.", buckets=_ROWS, registry=registry
        )
        self._seconds = Histogram(
            "opencwm_request_seconds", "Time to the end of a completion.", buckets=_SECONDS, registry=registry
        )
        self._first = Histogram(
            "opencwm_first_token_seconds",
            "Time to the first id of a stream.",
            buckets=_SECONDS,
            registry=registry,
        )

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Show a value as it is whenever metrics are read."""
        Gauge(f"opencwm_{name}", description, registry=self._registry).set_function(value)

    def answered(self, path: str, status: int) -> None:
        """Count an answer."""
        self._answers.labels(path, str(status)).inc()

    def completed(self, num_given: int, num_reused: int, num_written: int, seconds: float) -> None:
        """Count a completion."""
        self._given.inc(num_given)
        self._reused.inc(num_reused)
        self._written.inc(num_written)
        self._seconds.observe(seconds)

    def began(self, seconds: float) -> None:
        """Count the first id of a stream."""
        self._first.observe(seconds)

    def cancelled(self) -> None:
        """Count a sequence that nobody waits for any more."""
        self._cancelled.inc()

    def read(self, num_tokens: int) -> None:
        """Count prompt ids that were run."""
        self._read.inc(num_tokens)

    def stepped(self, num_rows: int) -> None:
        """Count a step of so many sequences."""
        self._rows.observe(num_rows)

    def text(self) -> bytes:
        """Return all in Prometheus' text format."""
        return generate_latest(self._registry)
