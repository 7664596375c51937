"""Choose among the patches that several attempts at one task submitted.

The published recipe: most generated tests passed, then the patch that most attempts agree on, then the fewest
tokens. A generated test is a call of a function that some patch changes; what it must give is what most
patches really give, each run in the sandbox. Calls come from :mod:`opencwm.debugger.checking.proposals`:
those that stand in the file, inputs at the edges, and, given a model, those that it proposes. Forecasts break
ties before the majority does. The task's own tests are never looked at.

Source: facebookresearch/cwm, arXiv 2510.02387, best@k of SWE-bench Verified.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from opencwm.agent.planning.patching import patched
from opencwm.agent.planning.ranking import changed_lines
from opencwm.agent.planning.versions import Version, VersionPackage
from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.corpus.harvest.cut import Cutter
from opencwm.corpus.harvest.modules import CutError
from opencwm.debugger.checking.proposals import propose_inputs
from opencwm.debugger.world_model import WorldModel
from opencwm.sandbox import RunLimits, Sandbox, record
from opencwm.tracer import TraceLimits
from opencwm.traces import Program, observed_outcome

MAX_INPUTS: Final = 8
"""Most generated tests of one function."""
MAX_STEPS: Final = 20_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submission:
    """What one attempt handed in.

    Attributes:
        rollout: number of the attempt.
        patch: as ``git diff`` writes it; empty for none.
        num_tokens: that it wrote; None when not counted.
        probability: forecast that the tests pass; None without a forecast.
    """

    rollout: int
    patch: str
    num_tokens: int | None = None
    probability: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        rollout: number of the attempt whose patch it is; None when nobody submitted any.
        passed: generated tests that each submission passes, by rollout.
        votes: attempts that submitted the same change, by rollout.
        num_generated: generated tests.
        num_runs: runs in the sandbox that they took.
    """

    rollout: int | None
    passed: Mapping[int, int]
    votes: Mapping[int, int]
    num_generated: int
    num_runs: int


def choose(
    version: Version,
    submissions: Sequence[Submission],
    *,
    world: WorldModel | None = None,
    sandbox: Sandbox | None = None,
    seed: int = 0,
) -> Choice:
    """Choose one of the submissions for a repository.

    Args:
        version: the repository before any of them.
        submissions: empty patches, and those that do not apply, are never chosen.
        world: proposes inputs too.
        sandbox: runs the generated tests; without one there are none.
        seed: of the inputs.
    """
    versions: dict[int, Version] = {}
    for submission in submissions:
        try:
            if submission.patch.strip():
                versions[submission.rollout] = patched(version, submission.patch)
        except ConfigError:
            continue
    kept = [submission for submission in submissions if submission.rollout in versions]
    votes = _votes(version, versions)
    calls = list(_generated(version, versions, world, seed)) if sandbox is not None else []
    passed = dict.fromkeys(versions, 0)
    num_runs = 0
    for path, name, call in calls:
        results = {rollout: _result(made, path, name, call, sandbox) for rollout, made in versions.items()}
        num_runs += len(results)
        for rollout in _agreeing(results):
            passed[rollout] += 1
    best = min(kept, key=lambda item: _rank(item, passed, votes), default=None)
    return Choice(
        rollout=None if best is None else best.rollout,
        passed=passed,
        votes=votes,
        num_generated=len(calls),
        num_runs=num_runs,
    )


def _rank(submission: Submission, passed: Mapping[int, int], votes: Mapping[int, int]) -> tuple[float, ...]:
    tokens = submission.num_tokens
    return (
        -passed[submission.rollout],
        -round(submission.probability or 0.0, 2),
        -votes[submission.rollout],
        float("inf") if tokens is None else tokens,
        submission.rollout,
    )


def _votes(before: Version, versions: Mapping[int, Version]) -> dict[int, int]:
    """Count for each patch the attempts whose files come to the same syntax trees."""
    signatures = {rollout: _signature(before, made) for rollout, made in versions.items()}
    counts = collections.Counter(signatures.values())
    return {rollout: counts[signature] for rollout, signature in signatures.items()}


def _signature(before: Version, made: Version) -> tuple[tuple[str, str], ...]:
    found = []
    for path in sorted(before.texts.keys() | made.texts.keys()):
        text = made.texts.get(path)
        if text != before.texts.get(path):
            tree = made.tree(path)
            found.append((path, "" if text is None else ast.dump(tree) if tree is not None else text))
    return tuple(found)


def _generated(
    before: Version, versions: Mapping[int, Version], world: WorldModel | None, seed: int
) -> Iterable[tuple[str, str, str]]:
    """Yield file, function and call of the generated tests, of functions at the top that a patch changes."""
    wanted: dict[tuple[str, str], Version] = {}
    for made in versions.values():
        for path, text in made.texts.items():
            old = before.texts.get(path, "")
            if text == old:
                continue
            lines = set(changed_lines(text, old))
            for name in _functions_at(made, path, lines):
                wanted.setdefault((path, name), made)
    for (path, name), made in wanted.items():
        try:
            proposed = propose_inputs(made.texts[path], name, num_inputs=MAX_INPUTS, world=world, seed=seed)
        except OpenCWMError:
            continue
        yield from ((path, name, item.call) for item in proposed)


def _functions_at(version: Version, path: str, lines: set[int]) -> list[str]:
    tree = version.tree(path)
    return [
        node.name
        for node in (tree.body if tree is not None else ())
        if isinstance(node, ast.FunctionDef) and lines & set(range(node.lineno, (node.end_lineno or 0) + 1))
    ]


def _result(version: Version, path: str, name: str, call: str, sandbox: Sandbox | None) -> str | None:
    """Return what a call really comes to in a version; None when it cannot be told."""
    package = VersionPackage(version, path, {})
    module = next((module for module, there in package.paths.items() if there == path), "")
    try:
        source = Cutter(package).cut(module, name, {})
        trace = record(
            Program.from_call(source, call),
            sandbox=sandbox,
            limits=RunLimits(wall_s=2.0, cpu_s=2.0),
            trace_limits=TraceLimits(max_steps=MAX_STEPS),
        )
    except (CutError, OpenCWMError):
        return None
    outcome = observed_outcome(trace)
    return f"{trace.status}" if outcome is None else f"{outcome.kind} {outcome.value}"


def _agreeing(results: Mapping[int, str | None]) -> list[int]:
    """Return who gives what most give; nobody where there is no majority of two."""
    counts = collections.Counter(result for result in results.values() if result is not None)
    most = counts.most_common(2)
    if not most or most[0][1] < 2 or (len(most) > 1 and most[0][1] == most[1][1]):
        return []
    return [rollout for rollout, result in results.items() if result == most[0][0]]
