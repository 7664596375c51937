"""A grader that is graded itself: what really happens, judged against the gold answers, must be right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from opencwm.evals.journal import Progress
from opencwm.evals.report import Table

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validation:
    """Real runs graded against gold outputs.

    Attributes:
        num_right: items whose real outcome the grader accepts.
        wrong: ids of items where it does not: the gold output, the grader or the Python version is off.
        unknown: ids of items that could not be checked: no gold output, a run that did not end, a value cut
            in recording.

    """

    num_right: int
    wrong: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def score(self) -> float | None:
        """Fraction of the checked items that is right, to be 1.0; None when none could be checked."""
        checked = self.num_right + len(self.wrong)
        return self.num_right / checked if checked else None

    def to_json(self) -> dict[str, Any]:
        """Return the validation as JSON."""
        return {**dataclasses.asdict(self), "score": self.score}

    def table(self) -> Table:
        """Return what was found as a table."""
        rows = (
            ("accepted", str(self.num_right), ""),
            ("rejected", str(len(self.wrong)), " ".join(self.wrong[:8])),
            ("not checked", str(len(self.unknown)), " ".join(self.unknown[:8])),
        )
        return Table("Real runs graded against the gold outputs", ("grader", "items", "first ids"), rows)


def validated(
    items: Sequence[Item],
    check: Callable[[Item], Iterable[tuple[str, bool | None]]],
    progress: Progress | None,
) -> Validation:
    """Check every item.

    Args:
        items: what is checked.
        check: gives the names of an item's answers and whether each is accepted; None where that cannot be
            told.
        progress: told before the first and after every item.
    """
    found: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    if progress is not None:
        progress(0, len(items))
    for number, item in enumerate(items, 1):
        for name, is_accepted in check(item):
            found[is_accepted].append(name)
        if progress is not None:
            progress(number, len(items))
    return Validation(num_right=len(found[True]), wrong=tuple(found[False]), unknown=tuple(found[None]))
