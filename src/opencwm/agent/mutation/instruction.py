"""What an agent is told of a mutated repository: which tests fail and how, never what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MAX_TESTS: Final = 10
MAX_SHOWN: Final = 3
MAX_LINES: Final = 30
MAX_LINE_CHARS: Final = 200


def instruction_text(failing: Mapping[str, str], workdir: str, command: str) -> str:
    """Write the instruction.

    Args:
        failing: tests that must pass, with what pytest says of each now.
        workdir: where the repository lies.
        command: how its tests are run.
    """
    names = list(failing)
    listed = "\n".join(f"- `{name}`" for name in names[:MAX_TESTS])
    more = f"\n- and {len(names) - MAX_TESTS} more" if len(names) > MAX_TESTS else ""
    shown = "\n\n".join(
        f"`{name}`:\n\n```\n{shortened(failing[name])}\n```" for name in names[:MAX_SHOWN] if failing[name]
    )
    return (
        f"Some tests of the Python repository in `{workdir}` fail. Find the bug in the code and fix it.\n\n"
        f"Failing tests:\n\n{listed}{more}\n\n"
        f"Output:\n\n{shown}\n\n"
        f"The tests are run with `{command}`. Do not change the tests; the other tests must still pass.\n"
    )


def shortened(text: str) -> str:
    """Keep the end of what pytest says, where the error is, in lines that a fence holds."""
    lines = [line[:MAX_LINE_CHARS].replace("```", "'''") for line in text.rstrip().splitlines()]
    if len(lines) > MAX_LINES:
        lines = ["...", *lines[-MAX_LINES:]]
    return "\n".join(lines)
