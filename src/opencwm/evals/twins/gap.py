"""One model on tasks and on their twins: how much worse it is where it cannot have seen them.

The idea: what is compared is paired. A task counts in the gap of a kind when it has a twin of it, so both
scores are of the same tasks, and the interval is of the difference. ``same`` tells what writing anew does.
"""

from __future__ import annotations

import dataclasses
import queue
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from opencwm.core.errors import CodecError, ConfigError
from opencwm.evals.chat import ChatEndpoint
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.evaluation import digest_of_lines
from opencwm.evals.grading import is_right
from opencwm.evals.journal import Journal, Progress, Record
from opencwm.evals.metrics import Difference, Score, paired_difference
from opencwm.evals.predictor import Predictor
from opencwm.evals.report import SCORE_COLUMNS, Provenance, Table, score_cells, score_json
from opencwm.evals.rollout import RolloutBounds, roll_out
from opencwm.evals.twins.code_tasks import CodeTask, code_in
from opencwm.evals.twins.making import KINDS, Family
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Outcome, OutcomeKind

Task = TypeVar("Task", Item, CodeTask)
T = TypeVar("T")

_ANSWER: Final = re.compile(r"\[ANSWER\](.*?)(?:\[/ANSWER\]|\Z)", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked(Generic[Task]):
    """Who is asked, and how.

    Attributes:
        name: of the model, for the report.
        settings: what its answers depend on besides the name, as JSON.
        answer: whether it is right about a task, with what it said.
    """

    name: str
    settings: Mapping[str, Any]
    answer: Callable[[Task], Record]


def predicted_output(item: Item, predictor: Predictor, max_steps: int) -> Record:
    """Roll out the predicted run of an item, and grade what it returns."""
    try:
        rollout = roll_out(
            predictor.execution(item.program),
            max_steps=max_steps,
            max_seconds=RolloutBounds(max_steps=max_steps).max_seconds,
        )
        outcome = rollout.outcome
    except (CodecError, ConfigError):
        outcome = None
    return _graded(item, outcome)


def told_output(item: Item, endpoint: ChatEndpoint) -> Record:
    """Ask a served model what the call of an item returns or raises, and grade what it says."""
    said = endpoint.answer(
        f"```python\n{item.program.source.strip()}\n```\n\nWhat does `{item.program.call}` return?"
        " Say it as a Python literal, between [ANSWER] and [/ANSWER]. If it raises, say the exception."
    )
    found = _ANSWER.findall(said)
    text = (found[-1] if found else said).strip().strip("`").strip()
    if item.output is None or not text:
        return _graded(item, None)
    returned = Outcome(OutcomeKind.RETURNED, text)
    return _graded(item, returned if is_right(returned, item.output) else Outcome(OutcomeKind.RAISED, text))


def _graded(item: Item, outcome: Outcome | None) -> Record:
    right = is_right(outcome, item.output or "")
    return {"right": right, "said": None if outcome is None else outcome.value}


def written_code(task: CodeTask, endpoint: ChatEndpoint, passes: Callable[[str, CodeTask], bool]) -> Record:
    """Have a served model write the code of a task, and run it with the tests."""
    code = code_in(endpoint.answer(task.question))
    return {"right": passes(code, task), "said": code}


def evaluate_twins(
    families: Sequence[Family[Task]],
    asked: Asked[Task],
    settings: Mapping[str, Any],
    *,
    num_dropped: int = 0,
    data: str = "",
    folder: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
    worker: Worker = one_by_one,
) -> TwinsReport:
    """Ask one model about tasks and their twins.

    Args:
        families: of :mod:`opencwm.evals.twins.making`.
        asked: who is asked.
        settings: what was made, for the journal.
        num_dropped: tasks left out, since they did not hold when they were run.
        data: what the tasks are, for the report.
        folder: where answers are kept while they come; asking into the same folder again goes on.
        command: what reproduces this, for the report.
        progress: told before the first and after every answer.
        worker: does the tasks.

    Raises:
        ConfigError: no task, or ``folder`` holds answers of other settings.
        ProtocolError: the server does not answer; what there is is kept.
    """
    cases: dict[str, Task] = {}
    for family in families:
        cases[family.task.id] = family.task
        cases.update((twin.task.id, twin.task) for twin in family.twins)
    if not cases:
        raise ConfigError("no task holds when it is run", where=data or "tasks")
    everything = {
        **settings,
        "benchmark": "twins",
        "model": asked.name,
        "asked": dict(asked.settings),
        "tasks_sha256": digest_of_lines(f"{key!r} {task!r}" for key, task in cases.items()),
    }
    with Journal(folder, everything) as journal:
        journal.complete(cases, asked.answer, progress, worker)
        told = Provenance(model=asked.name, data=data, command=command, settings=journal.settings)
        return TwinsReport.of(told, families, journal.records, num_dropped)


@dataclasses.dataclass(frozen=True, slots=True)
class KindGap:
    """One kind of twins.

    Attributes:
        originals: score on the tasks that have such twins, each counted as often as it has.
        twins: score on the twins.
        gap: of the twins over the originals: below 0 where they are harder.
    """

    originals: Score
    twins: Score
    gap: Difference


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwinsReport:
    """Scores on tasks and on their twins.

    Attributes:
        provenance: where the numbers come from.
        originals: score on all tasks.
        kinds: kind -> its gap, in the order of :data:`opencwm.evals.twins.making.KINDS`.
        num_dropped: tasks that did not hold when they were run.
    """

    provenance: Provenance
    originals: Score
    kinds: Mapping[str, KindGap]
    num_dropped: int

    @classmethod
    def of(
        cls,
        provenance: Provenance,
        families: Sequence[Family[Task]],
        records: Mapping[str, Record],
        num_dropped: int,
    ) -> TwinsReport:
        """Make a report of records by id."""
        right = sum(bool(records[family.task.id]["right"]) for family in families)
        kinds = {kind: _gap(families, records, kind) for kind in KINDS}
        return cls(
            provenance=provenance,
            originals=Score.of(right, len(families)),
            kinds={kind: gap for kind, gap in kinds.items() if gap is not None},
            num_dropped=num_dropped,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        kinds = {
            kind: {
                "originals": score_json(found.originals),
                "twins": score_json(found.twins),
                "gap": found.gap.value,
                "interval_95": [found.gap.low, found.gap.high],
            }
            for kind, found in self.kinds.items()
        }
        return {
            **self.provenance.to_json("twins"),
            "originals": score_json(self.originals),
            "kinds": kinds,
            "num_dropped": self.num_dropped,
        }

    def tables(self) -> list[Table]:
        """Return the report as tables."""
        total = self.originals.num_total
        dropped = f", {self.num_dropped} left out that do not hold" if self.num_dropped else ""
        rows = [
            (
                kind,
                score_cells(found.originals)[0],
                *score_cells(found.twins),
                f"{100 * found.gap.value:+.1f}",
                f"{100 * found.gap.low:+.1f} to {100 * found.gap.high:+.1f}",
            )
            for kind, found in self.kinds.items()
        ]
        columns = ("twins", "originals", *SCORE_COLUMNS, "gap", "95 % interval of the gap")
        whole = Table(f"Tasks as given{dropped}", SCORE_COLUMNS, (score_cells(self.originals),))
        return [whole, Table(f"Twins of {total} tasks, in percent and points", columns, tuple(rows))]


def _gap(families: Sequence[Family[Task]], records: Mapping[str, Record], kind: str) -> KindGap | None:
    clusters = []
    for family in families:
        answers = [bool(records[twin.task.id]["right"]) for twin in family.twins if twin.kind == kind]
        own = len(answers) * bool(records[family.task.id]["right"])
        clusters.append((own, sum(answers), len(answers)))
    if not any(total for _, _, total in clusters):
        return None
    return KindGap(
        originals=Score.of_clusters((own, total) for own, _, total in clusters),
        twins=Score.of_clusters((other, total) for _, other, total in clusters),
        gap=paired_difference(clusters),
    )


def in_threads(jobs: Iterable[Callable[[], T]], *, at_once: int) -> Iterator[tuple[int, T]]:
    """Do jobs that wait for a server in threads: a :class:`opencwm.model.together.Worker`."""
    waiting = iter(enumerate(jobs))
    lock = threading.Lock()
    done: queue.SimpleQueue[tuple[int, T] | BaseException | None] = queue.SimpleQueue()
    is_over = threading.Event()

    def drive() -> None:
        while not is_over.is_set():
            with lock:
                number, job = next(waiting, (-1, None))
            if job is None:
                break
            try:
                done.put((number, job()))
            except BaseException as error:  # for whoever waits
                done.put(error)
                break
        done.put(None)

    threads = [threading.Thread(target=drive, daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            found = done.get()
            if found is None:
                running -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found
    finally:
        is_over.set()
