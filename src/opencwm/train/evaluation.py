"""Held-out loss and accuracy, per class of token.

The idea: the mean loss hides what matters, so every figure is also given per class (source text, names,
values, ...), and a *span*, a run of neighbouring targets of one class in one document, counts as right only
when every one of its tokens is the argmax. The exact match of a class of spans is the canary that says early
whether values are being copied at all.

Shape suffixes: P positions that carry loss, V vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opencwm.train.data import Batch
from opencwm.train.ranks import ALONE, Ranks

EvalReport = dict[str, float]
"""``loss`` and ``accuracy`` (per token), then ``loss/NAME``, ``accuracy/NAME`` and ``exact/NAME`` (per span)
for each class seen."""


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Sequence[Batch], class_names: Mapping[int, str], ranks: Ranks = ALONE
) -> EvalReport:
    """Score ``model`` by teacher forcing; loss in nats per target, accuracies as fractions.

    Classes without a name in ``class_names`` count in the totals only. The batches are dealt out to the
    ranks, each of which returns the same report.
    """
    was_training = model.training
    model.eval()
    losses, rights, classes, spans = [], [], [], []
    first_span = 0
    scores = ranks.map(functools.partial(_score, model), batches)
    for batch, (loss_P, right_P) in zip(batches, scores, strict=True):
        span_P = number_spans(batch)
        losses.append(loss_P)
        rights.append(right_P)
        classes.append(batch.classes_P)
        spans.append(span_P + first_span)
        first_span += int(span_P[-1]) + 1 if len(span_P) else 0
    model.train(was_training)
    return summarize(
        np.concatenate(losses),
        np.concatenate(rights),
        np.concatenate(classes),
        np.concatenate(spans),
        class_names,
    )


def _score(model: nn.Module, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    device = next(model.parameters()).device
    ids, doc, positions, targets = (
        torch.from_numpy(array).to(device)
        for array in (batch.ids_BT, batch.doc_BT, batch.positions_P, batch.targets_P)
    )
    loss_P, right_P = model(ids, doc, positions, None, targets)
    return loss_P.double().cpu().numpy(), right_P.cpu().numpy()


def number_spans(batch: Batch) -> NDArray[np.int64]:
    """Return the span number of every target, (P,), counted from 0.

    A new span starts where document, class or contiguity breaks.
    """
    if not len(batch.positions_P):
        return np.zeros(0, np.int64)
    breaks = (
        (np.diff(batch.positions_P) != 1)
        | (np.diff(batch.classes_P.astype(np.int64)) != 0)
        | (np.diff(batch.documents_P) != 0)
    )
    return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)


def summarize(
    loss_P: NDArray[np.float64],
    right_P: NDArray[np.bool_],
    class_P: NDArray[np.uint8],
    span_P: NDArray[np.int64],
    class_names: Mapping[int, str],
) -> EvalReport:
    """Turn per-target results into the report."""
    report = {"loss": float(loss_P.mean()), "accuracy": float(right_P.mean())}
    for number, name in class_names.items():
        chosen = class_P == number
        if not chosen.any():
            continue
        report[f"loss/{name}"] = float(loss_P[chosen].mean())
        report[f"accuracy/{name}"] = float(right_P[chosen].mean())
        _, index = np.unique(span_P[chosen], return_inverse=True)
        wrong = np.bincount(index, weights=~right_P[chosen])
        report[f"exact/{name}"] = float((wrong == 0).mean())
    return report
