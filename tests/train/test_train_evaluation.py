from __future__ import annotations

import numpy as np
import pytest

from opencwm.train.data import Document, pack

pytest.importorskip("torch")

from opencwm.train.evaluation import number_spans, summarize


def test_a_span_ends_where_class_contiguity_or_document_breaks() -> None:
    first = Document(
        np.arange(8, dtype=np.uint16),
        np.array([0, 1, 1, 1, 0, 1, 1, 1], np.bool_),
        np.array([0, 1, 1, 2, 2, 2, 2, 2], np.uint8),
    )
    second = Document(
        np.arange(3, dtype=np.uint16), np.array([0, 1, 1], np.bool_), np.array([0, 2, 2], np.uint8)
    )
    batch = pack([[second, first]], row_tokens=16, align_tokens=1)
    # second: one span of class 2; first: 1 1 | 2 | (gap) 2 2 2
    assert batch.targets_P.tolist() == [1, 2, 1, 2, 3, 5, 6, 7]
    assert number_spans(batch).tolist() == [0, 0, 1, 1, 2, 3, 3, 3]


def test_a_span_counts_only_when_all_of_it_is_right() -> None:
    report = summarize(
        np.array([1.0, 3.0, 2.0, 0.0, 0.0, 6.0]),
        np.array([True, False, True, True, True, False]),
        np.array([1, 1, 1, 1, 2, 7], np.uint8),
        np.array([0, 0, 1, 1, 2, 3]),
        {1: "value", 2: "name", 3: "never"},
    )
    assert report == {
        "loss": pytest.approx(2.0),
        "accuracy": pytest.approx(4 / 6),
        "loss/value": pytest.approx(1.5),
        "accuracy/value": pytest.approx(0.75),
        "exact/value": pytest.approx(0.5),
        "loss/name": pytest.approx(0.0),
        "accuracy/name": pytest.approx(1.0),
        "exact/name": pytest.approx(1.0),
    }
