"""A process that builds units: JSON lines in, JSON lines out.

Started by :mod:`opencwm.corpus.build`; ends with its parent. A process of its own, not a fork: it starts
with a fixed hash seed and its own limits, whatever the parent has done.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any, TextIO

from opencwm.core.config import from_dict
from opencwm.core.errors import OpenCWMError
from opencwm.corpus.units import CorpusConfig, build_unit, recorder_factory

MEMORY_LIMIT_BYTES = 8 * 2**30
"""Address space of a worker: far above what it needs, far below what would hurt the machine."""


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer requests until there are no more.

    The first line is ``{"config": ..., "folder": ...}``; each further one ``{"unit": n, "first": i,
    "stop": j}``. Replies are ``{"drawn": k}`` while a unit is being built, then ``{"done": n}``;
    ``{"error": text}`` ends the worker.
    """

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        setup = json.loads(requests.readline())
        config = from_dict(CorpusConfig, setup["config"])
        folder = Path(setup["folder"])
        with recorder_factory(config.recorder)(config.curriculum.generator) as recorder:
            for line in requests:
                request = json.loads(line)
                build_unit(
                    config,
                    folder,
                    request["unit"],
                    request["first"],
                    request["stop"],
                    recorder,
                    lambda drawn: reply({"drawn": drawn}),
                )
                reply({"done": request["unit"]})
    except OpenCWMError as error:
        reply({"error": str(error)})


def _limit_resources() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main() -> None:
    """Serve standard input and output; programs that print do not reach the latter."""
    _limit_resources()
    replies, sys.stdout = sys.stdout, sys.stderr
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin, replies)


if __name__ == "__main__":
    main()
