"""Forward passes and milliseconds of a predicted step, by how far the engine runs ahead of the predictor.

    python benchmarks/speculation.py [MODEL_FOLDER] [PROGRAMS]

Without a folder it is the model in the package. Programs are those of ``examples`` and ``PROGRAMS`` generated
ones (default 10), of each at most 40 steps, at line and at expression detail. ``n`` are the sizes of the
n-grams looked up, ``draft`` the first and the longest draft. First stands what a pass over several tokens
costs. Times are CPU seconds of this process.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import GeneratorConfig, generate_program
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.predicted import PredictedExecution
from opencwm.model.engine import Logits, ScoringEngine
from opencwm.model.speculation import SpeculationConfig, SpeculativeEngine
from opencwm.traces import Program

EXAMPLES = Path(__file__).parent.parent / "examples"
MAX_STEPS = 40
CONFIGS = [
    SpeculationConfig(shortest=shortest, first_draft=min(draft, 4), longest_draft=draft)
    for shortest, draft in ((2, 2), (2, 4), (2, 8), (1, 4), (3, 4))
]


class CountingEngine:
    """A :class:`ScoringEngine` that counts forward passes and tokens."""

    def __init__(self, engine: ScoringEngine) -> None:
        self._engine = engine
        self.vocab_size, self.max_tokens = engine.vocab_size, engine.max_tokens
        self.num_passes = self.num_tokens = 0

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now."""
        return self._engine.ids

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids``; return the logits after the last."""
        self._count(ids)
        return self._engine.append(ids)

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids``; return the logits after each."""
        self._count(ids)
        return self._engine.append_all(ids)

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids."""
        self._engine.truncate(length)

    def fork(self) -> ScoringEngine:
        """Return an independent engine that counts anew."""
        return CountingEngine(self._engine.fork())

    def _count(self, ids: Sequence[int]) -> None:
        self.num_passes += 1
        self.num_tokens += len(ids)


def programs(num_generated: int) -> list[Program]:
    """Return the programs that are predicted."""
    strawberry, inventory, broken = (
        (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        for name in ("strawberry", "inventory", "broken_imports")
    )
    examples = [
        Program.from_call(strawberry, "f('strawberry', 'r')"),
        Program(inventory, "main"),
        Program.from_call(broken, "total(30, 7)"),
    ]
    sizes = np.linspace(0.2, 1.0, num_generated)
    return examples + [
        generate_program(derive_rng("speculation", index), GeneratorConfig(size=float(size)))
        for index, size in enumerate(sizes)
    ]


def predict(
    model: NativeWorldModel, chosen: Sequence[Program], config: SpeculationConfig | None, *, expressions: bool
) -> tuple[float, float, float]:
    """Return passes, tokens run and CPU milliseconds a step."""
    num_steps = num_passes = num_tokens = 0
    start = time.process_time()
    for program in chosen:
        counting = CountingEngine(model.engine.fork())
        engine = counting if config is None else SpeculativeEngine(counting, config)
        view = model.view(program)
        execution = PredictedExecution(program, model.codec, engine, view=view, expressions=expressions)
        steps = map(execution.get, range(MAX_STEPS))
        num_steps += sum(1 for _ in itertools.takewhile(lambda step: step is not None, steps))
        num_passes += counting.num_passes
        num_tokens += counting.num_tokens
    milliseconds = 1000 * (time.process_time() - start)
    return num_passes / num_steps, num_tokens / num_steps, milliseconds / num_steps


def print_pass_costs(engine: ScoringEngine) -> None:
    """Print CPU milliseconds of a pass over several tokens, behind contexts of two lengths."""
    sizes = (1, 2, 3, 5, 7, 9, 13, 17)
    print(f"{'context':>8}" + "".join(f"{size:>7}" for size in sizes))
    for context in (256, 1024):
        engine.truncate(0)
        engine.append([1] * context)
        costs = []
        for size in sizes:
            times = []
            for _ in range(10):
                engine.truncate(context)
                start = time.process_time()
                engine.append_all([1] * size)
                times.append(time.process_time() - start)
            costs.append(1000 * min(times))
        print(f"{context:>8}" + "".join(f"{cost:7.1f}" for cost in costs))


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    chosen = programs(int(sys.argv[2]) if len(sys.argv) > 2 else 10)
    model = NativeWorldModel.load(path, speculative=False)
    print_pass_costs(model.engine.fork())
    heads = "".join(f"{name:>9}" for _ in range(2) for name in ("passes", "tokens", "ms"))
    print(f"\n{'n':>5}{'draft':>8}{heads}   line, then expression detail", flush=True)
    for config in (None, *CONFIGS):
        sizes = f"{config.shortest}-{config.longest}" if config else "-"
        draft = f"{config.first_draft}-{config.longest_draft}" if config else "-"
        print(f"{sizes:>5}{draft:>8}", end="", flush=True)
        for expressions in (False, True):
            numbers = predict(model, chosen, config, expressions=expressions)
            print("".join(f"{number:9.2f}" for number in numbers), end="", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
