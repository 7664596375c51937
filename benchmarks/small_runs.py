"""Small training runs on one CPU core that are compared with each other: the same traces, the same scores.

What a step costs in nats and whether every decision of it is right are measured by teacher forcing: when all
tokens before are the true ones, a step whose every token is the likeliest is a step that would have been
predicted. Nothing is sampled, so a run of a few minutes is scored in seconds.

Shape suffixes: P positions that carry loss, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from opencwm.codec.native import EncodedDocument, TokenClass
from opencwm.core.files import write_atomic
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator.config import sample_config
from opencwm.corpus.generator.traced import generate_traced, in_process_recorder
from opencwm.corpus.trace_files import held_out_traces, load_traces
from opencwm.model.config import ModelConfig
from opencwm.traces import Trace
from opencwm.traces.parquet import write_parquet
from opencwm.train.checkpoint import load_model
from opencwm.train.config import BatchConfig, OptimizerConfig, ScheduleConfig, TrainConfig
from opencwm.train.curriculum import as_document
from opencwm.train.data import Document
from opencwm.train.loop import train

MAX_TOKENS: Final = 1024
ROW_TOKENS: Final = 2048
REAL_SHARE: Final = 0.25
"""Share of the training traces that are of real functions."""

Encode = Callable[[Trace], EncodedDocument | None]
_STATE: Final = (TokenClass.CONTROL, TokenClass.NAME, TokenClass.VALUE, TokenClass.ARGUMENT)
_WORKING: Final = (TokenClass.EVALUATION, TokenClass.RESULT)


@dataclasses.dataclass(frozen=True)
class Traces:
    """What the runs learn from and are scored on, all recorded with expression detail."""

    train: list[Trace]
    held_out: Mapping[str, list[Trace]]


def make_traces(
    folder: Path, *, num_train: int, num_held_out: int, real: Path | None, real_held_out: Path | None
) -> Traces:
    """Generate and mix traces, or read what an earlier call left in ``folder``.

    Args:
        folder: where they are kept.
        num_train: training traces in all.
        num_held_out: held-out traces of each kind.
        real: a corpus folder with recorded real functions (its split ``train``); None: generated ones only.
        real_held_out: a file of recorded real functions that no training trace holds.
    """
    path = folder / "train.parquet"
    if not path.exists():
        write_parquet(path, _mixed(num_train, real))
    held_out = {"generated": folder / "generated.parquet"}
    if not held_out["generated"].exists():
        write_parquet(held_out["generated"], held_out_traces(num_held_out, 7, expressions=True))
    found = {kind: list(load_traces(file)) for kind, file in held_out.items()}
    if real_held_out is not None:
        by_program: dict[str, Trace] = {}
        for trace in load_traces(real_held_out):
            by_program.setdefault(trace.program.text, trace)
        found["real"] = list(by_program.values())[:num_held_out]
    return Traces(list(load_traces(path)), found)


def _mixed(num_train: int, real: Path | None) -> Iterator[Trace]:
    """Yield training traces in order: programs grow over the first half, real ones come in from .1 on."""
    rng = derive_rng("small runs", "mixture")
    others = iter(load_traces(real, ("train",))) if real else iter(())
    for index in range(num_train):
        progress = index / num_train
        trace = next(others, None) if progress > 0.1 and rng.random() < REAL_SHARE else None
        while trace is None:
            own = derive_rng("small runs", index, str(rng.random()))
            config = sample_config(own, min(1.0, 2 * progress))
            trace = generate_traced(own, config, in_process_recorder(config, expressions=True))
        yield trace


class InOrder:
    """Documents of traces in their order, encoded as they are asked for, without end."""

    def __init__(self, traces: Sequence[Trace], encode: Encode, *, trains_echo: bool) -> None:
        self._traces, self._encode, self._trains_echo = traces, encode, trains_echo
        self._index = 0

    def __iter__(self) -> InOrder:
        return self

    def __next__(self) -> Document:
        while True:
            encoded = self._encode(self._traces[self._index % len(self._traces)])
            self._index += 1
            if encoded is not None:
                return _document(encoded, trains_echo=self._trains_echo)

    def state(self) -> dict[str, Any]:
        """Return how many traces were used."""
        return {"index": self._index}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._index = int(state["index"])


def _document(encoded: EncodedDocument, *, trains_echo: bool) -> Document:
    document = as_document(encoded)
    if trains_echo:
        return document
    return dataclasses.replace(
        document, loss_mask=document.loss_mask & (document.class_ids != TokenClass.ECHO)
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a run; heads are 64 wide, one of keys and values."""

    hidden_size: int = 128
    num_layers: int = 4
    num_tokens: int = 2_000_000
    learning_rate: float = 2e-3

    def recipe(self, vocab_size: int) -> TrainConfig:
        """Return the recipe of such a run on one core."""
        return TrainConfig(
            model=ModelConfig(
                vocab_size=vocab_size,
                hidden_size=self.hidden_size,
                intermediate_size=self.hidden_size * 11 // 4 // 32 * 32,
                num_hidden_layers=self.num_layers,
                num_attention_heads=self.hidden_size // 64,
                num_key_value_heads=1,
                head_dim=64,
                sliding_window=512,
                max_position_embeddings=MAX_TOKENS,
            ),
            batch=BatchConfig(row_tokens=ROW_TOKENS, max_document_tokens=MAX_TOKENS),
            optimizer=OptimizerConfig(name="muon", learning_rate=self.learning_rate),
            schedule=ScheduleConfig(
                num_steps=self.num_tokens // ROW_TOKENS, warmup_steps=50, decay_fraction=0.4
            ),
            dtype="float32",
            checkpoint_interval_s=60.0,
        )


def run(
    folder: Path, shape: Shape, vocab_size: int, traces: Traces, encode: Encode, *, trains_echo: bool = True
) -> dict[str, Any]:
    """Train and score one model, or return the scores an earlier call left in ``folder``."""
    path = folder / "scores.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    source = InOrder(traces.train, encode, trains_echo=trains_echo)
    start = time.process_time()
    if train(shape.recipe(vocab_size), folder, source=source).status == "interrupted":
        raise KeyboardInterrupt
    model = load_model(folder / "model")
    scores: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tokens": shape.num_tokens,
        "cpu_s": round(time.process_time() - start),
    }
    for kind, held_out in traces.held_out.items():
        documents = [document for trace in held_out if (document := encode(trace)) is not None]
        scores[kind] = score(model, documents)
    write_atomic(path, json.dumps(scores, indent=1) + "\n")
    return scores


@torch.no_grad()
def score(model: Any, documents: Iterable[EncodedDocument]) -> dict[str, float]:
    """Score every step of documents by teacher forcing.

    Returns:
        ``steps``: how many; ``tokens``: ids a step that are sampled (all but echo), and ``all_tokens``;
        ``nats``: a step, echo left out; ``line``, ``state``, ``step``: percent of steps whose next line,
        whose kind, names and values, and whose every token is the likeliest; ``effects``: as ``step``, but
        its expression detail may be wrong, where what is right was shown; ``arguments``: percent of calls
        whose arguments are right.
    """
    rows: list[tuple[float, ...]] = []
    calls: list[bool] = []
    for document in documents:
        classes = np.asarray(document.classes)
        loss, right = _token_scores(model, document)
        start = document.num_prompt
        for end in document.step_ends:
            kinds, wrong, nats = classes[start:end], ~right[start:end], loss[start:end]
            own = kinds != TokenClass.ECHO
            working = np.isin(kinds, _WORKING)
            rows.append(
                (
                    own.sum(),
                    end - start,
                    nats[own].sum(),
                    not wrong[kinds == TokenClass.LINE].any(),
                    not wrong[np.isin(kinds, _STATE)].any(),
                    not wrong[own].any(),
                    not wrong[own & ~working].any(),
                )
            )
            if (kinds == TokenClass.ARGUMENT).any():
                calls.append(not wrong[kinds == TokenClass.ARGUMENT].any())
            start = end
    tokens, everything, nats, *shares = np.asarray(rows, float).mean(0)
    names = ("line", "state", "step", "effects")
    return {
        "steps": len(rows),
        "tokens": round(tokens, 2),
        "all_tokens": round(everything, 2),
        "nats": round(nats, 4),
        **{name: round(100 * share, 2) for name, share in zip(names, shares, strict=True)},
        "arguments": round(100 * float(np.mean(calls)), 2) if calls else 0.0,
    }


def _token_scores(model: Any, document: EncodedDocument) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return loss (nats) and whether the argmax is right, for every id of a document; the first has none."""
    ids = torch.tensor([document.ids])
    positions_P = torch.arange(len(document.ids) - 1)
    logits_PV = model(ids, torch.zeros_like(ids), positions_P)
    targets_P = ids[0, 1:]
    loss = functional.cross_entropy(logits_PV.float(), targets_P, reduction="none").double().numpy()
    right = (logits_PV.argmax(-1) == targets_P).numpy()
    return np.concatenate([[0.0], loss]), np.concatenate([[True], right])
