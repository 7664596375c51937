"""Items of LiveCodeBench's code execution, read strictly from JSONL.

One JSON object a line: ``code`` that defines the function, ``input``, the whole call as text, ``output``, the
rendered result, and ``id`` or ``question_id``. Other keys are ignored. No item comes with this package.

Source of the format: Jain et al., "LiveCodeBench: Holistic and contamination free evaluation of large
language models for code", arXiv 2403.07974.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import Item, program_of, read_items


def load_items(path: Path) -> list[Item]:
    """Read all items of a file.

    Raises:
        ConfigError: the file cannot be read, holds no item, or a line is no item; the error names the line.
    """
    return read_items(path, item_of)


def item_of(fields: dict[str, Any], key: str, where: str) -> Item:
    """Return the item that a line holds; raises :class:`ConfigError` for what is none."""
    for name in ("code", "input", "output"):
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    return Item(key, program_of(fields["code"], lambda: fields["input"], key, where), fields["output"])
