"""A process that does tasks of a build: JSON lines in, JSON lines out.

Started by :mod:`opencwm.corpus.engines`; ends with its parent. A process of its own, not a fork: it starts
with a fixed hash seed and its own limits, whatever the parent has done.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any, TextIO

from opencwm.core.errors import OpenCWMError
from opencwm.corpus.tasks import Setup, Workbench

MEMORY_LIMIT_BYTES = 8 * 2**30
"""Address space of a worker: far above what it needs, far below what would hurt the machine."""


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer requests until there are no more.

    The first line is a :class:`Setup`; each further one a task. Replies are ``{}`` for a task that is done;
    ``{"error": text}`` ends the worker.
    """

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        with Workbench(Setup.from_json(json.loads(requests.readline()))) as bench:
            for line in requests:
                bench.run(json.loads(line))
                reply({})
    except OpenCWMError as error:
        reply({"error": [error.what, error.where, error.hint]})
    except MemoryError:
        reply({"error": ["a worker ran out of memory", "", "make shard_programs smaller"]})


def limit_resources() -> None:
    """Bound the address space of this process, and let it leave no core."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main() -> None:
    """Serve standard input and output; programs that print do not reach the latter."""
    limit_resources()
    replies, sys.stdout = sys.stdout, sys.stderr
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin, replies)


if __name__ == "__main__":
    main()
