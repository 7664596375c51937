"""Ways to run the programs of a corpus, by name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.corpus.generator import GeneratorConfig, Recorder, in_process_recorder

RecorderFactory = Callable[[GeneratorConfig, bool], contextlib.AbstractContextManager[Recorder]]
"""Opens a recorder with the bounds of a configuration, with expression detail or without; leaving the context
closes it."""


@contextlib.contextmanager
def _in_process(config: GeneratorConfig, expressions: bool) -> Iterator[Recorder]:
    yield in_process_recorder(config, expressions=expressions)


@contextlib.contextmanager
def _sandbox(config: GeneratorConfig, expressions: bool) -> Iterator[Recorder]:
    from opencwm.sandbox import Sandbox, record
    from opencwm.tracer import TraceLimits

    limits = TraceLimits(
        max_steps=config.max_steps + 1,
        max_value_chars=4 * config.max_value_chars,
        max_bytes=2**20,
        expressions=expressions,
    )
    with Sandbox() as sandbox:
        yield lambda program: record(program, sandbox=sandbox, trace_limits=limits, accelerate=True)


RECORDERS: Final[dict[str, RecorderFactory]] = {"in_process": _in_process, "sandbox": _sandbox}
"""Ways to run programs: ``in_process`` for programs of our own generator, ``sandbox`` for any."""


def recorder_factory(name: str) -> RecorderFactory:
    """Return what opens the recorder of this name.

    Raises:
        ConfigError: no such name, and nothing of the form ``package.module:factory`` that can be imported.
    """
    if name in RECORDERS:
        return RECORDERS[name]
    module, _, attribute = name.partition(":")
    try:
        import importlib

        factory: RecorderFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise ConfigError(
            f"no recorder {name!r}",
            where="recorder",
            hint=f"one of {', '.join(RECORDERS)}, or package.module:factory",
        ) from None
    return factory
