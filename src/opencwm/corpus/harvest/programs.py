"""From what was seen of a package to programs that run alone: cut, run, compare, multiply.

Every function that was seen ends as one :class:`Outcome`: kept with its traces, or dropped with a reason.
"""

from __future__ import annotations

import collections
import dataclasses
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.harvest.calls import SeenCall, same_result, seen_call
from opencwm.corpus.harvest.check import run_programs
from opencwm.corpus.harvest.cut import Cutter
from opencwm.corpus.harvest.inputs import mutated_calls
from opencwm.corpus.harvest.modules import CutError, FunctionNode, Package
from opencwm.sandbox import RunLimits, Sandbox
from opencwm.tracer.limits import TraceLimits
from opencwm.traces import Program, Status, StepFlags, StepKind, Trace

KEPT = "kept"
_DIFFERENT = "different result"
_MISSES = ("NameError", "AttributeError")
MAX_ELEMENTS, MAX_NESTING = 80, 5
"""Of a rendered value: linked structures, which are walked in every direction, stay cheap."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramConfig:
    """What a program has to be like.

    Attributes:
        wanted_lines: a longer source is cut again, without functions and methods that no run enters.
        max_lines: longest source.
        max_reduced_lines: longest source that is tried to be made shorter so.
        max_steps: longest run, in recorded steps.
        max_value_chars: longest rendered value in a run.
        inputs: distinct inputs kept of one function.
        max_raising: mutated calls kept that end in an exception.
        cpu_s: processor seconds of one run.
        batch_s: processor seconds of all runs of one function, and a twentieth of the seconds they may wait.
        memory_bytes: of the process that runs them.
    """

    wanted_lines: int = 40
    max_lines: int = 200
    max_reduced_lines: int = 2000
    max_steps: int = 400
    max_value_chars: int = 300
    inputs: int = 6
    max_raising: int = 2
    cpu_s: float = 0.2
    batch_s: float = 3.0
    memory_bytes: int = 384 << 20

    def trace_limits(self) -> TraceLimits:
        """Return the bounds of the recording that go with it."""
        return TraceLimits(
            max_steps=self.max_steps + 1,
            max_value_chars=self.max_value_chars,
            max_elements=MAX_ELEMENTS,
            max_nesting=MAX_NESTING,
            max_bytes=2**20,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one function that was seen.

    Attributes:
        module: dotted name.
        qualname: of the function.
        reason: :data:`KEPT`, or in a few words why it was dropped.
        traces: of the kept inputs, those seen before those made up.
    """

    module: str
    qualname: str
    reason: str
    traces: tuple[Trace, ...] = ()


FunctionKey = tuple[str, str, int]


def functions_seen(
    records: Iterable[Mapping[str, Any]],
) -> dict[FunctionKey, tuple[list[Mapping[str, Any]], str]]:
    """Group the records of an observation by function: its calls, and why others could not be written."""
    calls: dict[FunctionKey, list[Mapping[str, Any]]] = {}
    problems: dict[FunctionKey, str] = {}
    for record in records:
        try:
            if "seen" in record:
                calls.setdefault(_key(record["seen"]), [])
            elif "unrenderable" in record:
                problems.setdefault(_key(record["unrenderable"]), str(record["why"]))
            elif "function" in record:
                calls.setdefault(_key(record["function"]), []).append(record)
        except (TypeError, ValueError, KeyError):
            continue  # the package wrote into the pipe
    return {key: (found, problems.get(key, "")) for key, found in calls.items()}


def _key(value: Any) -> FunctionKey:
    module, qualname, line = value
    return str(module), str(qualname), int(line)


def _needs(calls: Iterable[SeenCall]) -> dict[str, str]:
    return {name: where for call in calls for name, where in call.needs.items()}


class ProgramMaker:
    """Makes programs of the functions of one package.

    Args:
        package: its sources.
        origin: package URL without the subpath.
        licence: SPDX expression.
        sandbox: where programs run.
        config: what they have to be like.
    """

    def __init__(
        self, package: Package, *, origin: str, licence: str, sandbox: Sandbox, config: ProgramConfig
    ) -> None:
        self._package = package
        self._plain, self._full = Cutter(package, keep_decorators=False), Cutter(package)
        self._cutter = self._plain
        self._origin = origin
        self._licence = licence
        self._sandbox = sandbox
        self._config = config

    def outcome(self, key: FunctionKey, records: Sequence[Mapping[str, Any]], problem: str) -> Outcome:
        """Cut one function, run it on what was seen, and on more like it."""
        module, qualname, _ = key
        self._cutter = self._plain
        outcome = self._outcome(key, records, problem)
        if outcome.reason != _DIFFERENT:
            return outcome
        changed = [
            {**record, **record["state"]} for record in records if isinstance(record.get("state"), dict)
        ]
        if changed:  # objects were changed after they had been made
            outcome = self._outcome(key, changed, problem)
        if outcome.reason == _DIFFERENT and self._is_decorated(module, qualname):
            self._cutter = self._full
            outcome = self._outcome(key, records, problem)
        return outcome

    def _is_decorated(self, module: str, qualname: str) -> bool:
        found = self._package.module(module)
        node = found.definition(qualname) if found is not None else None
        return isinstance(node, FunctionNode) and bool(node.decorator_list)

    def _outcome(self, key: FunctionKey, records: Sequence[Mapping[str, Any]], problem: str) -> Outcome:
        module, qualname, _ = key
        try:
            calls = self._calls(key, records, problem)
            source, calls = self._source(module, qualname, calls)
            reduced = source
            if source.count("\n") > self._config.wanted_lines:
                reduced = self._reduced(module, qualname, source, calls)
            if reduced.count("\n") > self._config.max_lines:
                return Outcome(module, qualname, "long program")
            traces = self._traces(module, qualname, reduced, calls, is_whole=reduced == source)
        except CutError as error:
            return Outcome(module, qualname, str(error))
        except RecursionError:
            return Outcome(module, qualname, "nested too deep")
        return Outcome(module, qualname, KEPT, tuple(traces))

    def _calls(self, key: FunctionKey, records: Sequence[Mapping[str, Any]], problem: str) -> list[SeenCall]:
        if not records:
            raise CutError(f"argument: {problem}" if problem else "call without an end")
        module = self._package.module(key[0])
        node = module.definition(key[1]) if module is not None else None
        if not isinstance(node, FunctionNode):
            raise CutError("definition not found")
        found: dict[str, SeenCall] = {}
        for record in records:
            try:
                call = seen_call(record, node)
            except (KeyError, TypeError, IndexError, AttributeError):
                continue  # not a record of ours
            if call.value is not None:
                found.setdefault(call.call, call)
        if not found:
            raise CutError("result: long")
        return sorted(found.values(), key=lambda call: len(call.call))[: self._config.inputs + 1]

    def _source(self, module: str, qualname: str, calls: list[SeenCall]) -> tuple[str, list[SeenCall]]:
        """Cut for all calls; if that fails, for those whose names can be found."""
        try:
            return self._cut(module, qualname, _needs(calls), calls), calls
        except CutError:
            by_needs: dict[str, list[SeenCall]] = {}
            for call in calls:
                by_needs.setdefault(repr(sorted(call.needs.items())), []).append(call)
            if len(by_needs) == 1:
                raise
        right: list[SeenCall] = []
        problem = "two things of one name"
        for some in by_needs.values():
            try:
                self._cut(module, qualname, _needs([*right, *some]), [*right, *some])
                right += some
            except CutError as error:
                problem = str(error)
        if not right:
            raise CutError(problem)
        return self._cut(module, qualname, _needs(right), right), right

    def _cut(
        self,
        module: str,
        qualname: str,
        needs: Mapping[str, str],
        calls: list[SeenCall],
        entered: Collection[str] | None = None,
    ) -> str:
        texts = [call.call for call in calls]
        most = self._config.max_reduced_lines
        return self._cutter.cut(module, qualname, needs, texts, entered=entered, max_lines=most)

    def _reduced(self, module: str, qualname: str, source: str, calls: list[SeenCall]) -> str:
        """Cut again without the functions and methods that no run of a call that was seen enters."""
        entered: set[str] = set()
        some = [call.call for call in calls[:: max(1, len(calls) // 3)]]
        for _, result in self._run(module, qualname, source, some, twice=False):
            if isinstance(result, Trace):
                entered.update(info.qualname for info in result.codes)
        return self._cut(module, qualname, _needs(calls), calls, entered) if entered else source

    def _traces(
        self, module: str, qualname: str, source: str, calls: list[SeenCall], *, is_whole: bool
    ) -> list[Trace]:
        seen = {call.call: call for call in calls}
        reasons: collections.Counter[str] = collections.Counter()
        kept: list[Trace] = []
        right: list[str] = []
        for call, result in self._run(module, qualname, source, list(seen)):
            if isinstance(result, str):
                reasons[result] += 1
            elif result.status is Status.MODULE_FAILED:
                raise CutError(f"does not load: {result.detail.partition('(')[0]}")
            elif (reason := self.unwanted(result)) and reason != "too few steps":
                reasons[reason] += 1
            elif not same_result(seen[call], result):
                reasons[_DIFFERENT] += 1
            else:
                right.append(call)
                if reason:
                    reasons[reason] += 1
                else:
                    kept.append(result)
        if not kept:
            raise CutError(reasons.most_common(1)[0][0] if reasons else "not run")
        kept = kept[: self._config.inputs]
        if len(kept) < self._config.inputs:
            missing = self._config.inputs - len(kept)
            kept += self._more(module, qualname, source, right, missing, is_whole=is_whole)
        return kept

    def _more(
        self, module: str, qualname: str, source: str, calls: list[str], wanted: int, *, is_whole: bool
    ) -> Iterator[Trace]:
        rng: random.Random = derive_rng("inputs", self._origin, module, qualname)
        mutants = []
        for call in mutated_calls(calls, rng):
            mutants.append(call)
            if len(mutants) >= 2 * wanted + 2:
                break
        num_raising = 0
        for _, result in self._run(module, qualname, source, mutants, twice=False):
            if isinstance(result, str) or self.unwanted(result):
                continue
            if result.status is Status.RAISED:
                if not is_whole and result.detail.partition("(")[0] in _MISSES:
                    continue  # what it looked for was left out
                num_raising += 1
                if num_raising > self._config.max_raising:
                    continue
            yield result
            wanted -= 1
            if not wanted:
                return

    def _run(
        self, module: str, qualname: str, source: str, calls: Sequence[str], *, twice: bool = True
    ) -> Iterator[tuple[str, Trace | str]]:
        origin = f"{self._origin}#{module}:{qualname}"
        programs, usable = [], []
        for call in calls:
            try:
                programs.append(
                    Program.from_call(
                        source,
                        call,
                        filename=f"{module}.py",
                        origin=origin,
                        licence=self._licence,
                        group=origin,
                    )
                )
            except ConfigError:
                continue
            usable.append(call)
        limits = RunLimits(
            wall_s=20 * self._config.batch_s,
            cpu_s=self._config.batch_s,
            memory_bytes=self._config.memory_bytes,
        )
        results = run_programs(
            programs,
            self._sandbox,
            self._config.trace_limits(),
            twice=twice,
            cpu_s=self._config.cpu_s,
            run_limits=limits,
        )
        return zip(usable, results, strict=True)

    def unwanted(self, trace: Trace) -> str:
        """Return why a trace is not worth keeping, in a few words; empty when it is."""
        if trace.status not in (Status.RETURNED, Status.RAISED):
            return f"status {trace.status.value}"
        if len(trace.steps) > self._config.max_steps:
            return "status step_limit"
        num_lines = 0
        for step in trace.steps:
            if step.flags & StepFlags.TRUNCATED:
                return "long value"
            num_lines += step.kind is StepKind.LINE
        return "too few steps" if num_lines < 2 else ""
