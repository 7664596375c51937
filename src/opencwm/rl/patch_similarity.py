"""How alike a patch is to the oracle's: the partial credit that was published for repairs that do not work.

For each file that the oracle changes, the hunks of both patches are compared as text, character by character;
a file that only the oracle changes counts 0, one that only the submission changes does not count. Whoever
reaches a threshold gets the threshold as credit, not the similarity: there is nothing to gain from copying
more of the style of a patch.

Source: facebookresearch/cwm, ``cwm/rl/swerl/similarities.py`` and ``cwm/rl/envs/envs/swerl_tool.py`` (commit
7930e02), after SWE-RL (arXiv 2502.18449). Ours: changes longer than
:data:`MAX_CHANGE_CHARS` are not compared, since the time grows with the product of the lengths.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any, Final

from opencwm.core.errors import ConfigError

MAX_CHANGE_CHARS: Final = 10_000
"""A file's hunks that are longer have a similarity of 0."""
MAX_PATCH_CHARS: Final = 1_000_000
"""A longer patch is not read."""


def similarity(oracle: str, patch: str) -> float:
    """Return how alike two patches in the format of ``git diff`` are, from 0 to 1.

    Whatever is no patch changes no file. An oracle that changes none gives 0.

    Raises:
        ConfigError: the library that reads patches is missing.
    """
    return _mean(_pairs(oracle, patch), difflib.SequenceMatcher.ratio)


def credit(oracle: str, patch: str, threshold: float) -> float:
    """Return what a patch that does not solve its task earns: the threshold when it is reached, otherwise 0.

    Raises:
        ConfigError: as for :func:`similarity`.
    """
    pairs = _pairs(oracle, patch)
    measures = (
        difflib.SequenceMatcher.real_quick_ratio,  # bounds from above, in no time
        difflib.SequenceMatcher.quick_ratio,
        difflib.SequenceMatcher.ratio,
    )
    return threshold if all(_mean(pairs, measure) >= threshold for measure in measures) else 0.0


def changes(patch: str) -> dict[str, str]:
    """Return the hunks of each file that a patch changes, as text, without binary files; of no patch, none.

    Raises:
        ConfigError: as for :func:`similarity`.
    """
    unidiff = _library()
    try:
        files = unidiff.PatchSet(patch if len(patch) <= MAX_PATCH_CHARS else "")
    except (unidiff.UnidiffParseError, ValueError, IndexError):  # what a model wrote may be anything
        return {}
    found = {}
    for file in files:
        if file.is_binary_file:
            continue
        head, path = "", file.path
        if file.is_rename:
            path = file.source_file.removeprefix("a/")
            head = f"rename from {path} to {file.target_file.removeprefix('b/')}"
        body = "\n".join(str(hunk).strip() for hunk in file)
        found[path] = f"{head}\n{body}".strip()
    return found


def _pairs(oracle: str, patch: str) -> list[tuple[str, str]]:
    """Return what is submitted and what is wanted for each file of the oracle."""
    given = changes(patch)
    return [(given.get(path, ""), wanted) for path, wanted in changes(oracle).items()]


def _mean(pairs: list[tuple[str, str]], measure: Callable[[difflib.SequenceMatcher[str]], float]) -> float:
    compared = [
        measure(difflib.SequenceMatcher(None, given, wanted, autojunk=False))
        for given, wanted in pairs
        if given and wanted and max(len(given), len(wanted)) <= MAX_CHANGE_CHARS
    ]
    return sum(compared) / len(pairs) if pairs else 0.0


def _library() -> Any:
    try:
        return importlib.import_module("unidiff")
    except ImportError:
        raise ConfigError(
            "partial credit for patches needs unidiff", hint="pip install 'opencwm[fix-bug]'"
        ) from None
