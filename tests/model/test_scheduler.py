"""Requests served together come to what each comes to alone, whoever comes and goes beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.bank import Bank, EngineBank
from opencwm.model.engine import Logits
from opencwm.model.export import export_onnx
from opencwm.model.export_batch import export_batch
from opencwm.model.generation import EngineGenerator
from opencwm.model.onnx_bank import BATCH_NAME, OnnxBank
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.model.scheduler import FullError, Job, Request, Scheduler, Update, common, likeliest
from opencwm.model.testing import ScriptedEngine, random_weights, tiny_config

NUM_ROWS = 3
V = 48


@pytest.fixture(scope="module", params=["fp32", "int8"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp(request.param)
    weights = random_weights(tiny_config(), seed=3)
    export_onnx(tiny_config(), weights, folder / "model.onnx", kind=request.param)
    export_batch(folder / "model.onnx", folder / BATCH_NAME)
    return OnnxEngine.load(folder / "model.onnx", tiny_config())


def onnx_bank(engine: OnnxEngine, num_rows: int = NUM_ROWS) -> OnnxBank:
    weights = engine.together._graph.path
    return OnnxBank(weights.with_name(BATCH_NAME), weights, tiny_config(), num_rows=num_rows)


def test_rows_in_any_history_give_the_logits_of_one_sequence(engine: OnnxEngine) -> None:
    """Rows are extended, stepped, cut and copied at random, beside an engine for each that does the same."""
    rng = np.random.default_rng(0)
    bank = onnx_bank(engine)
    twins = [engine.fork() for _ in range(NUM_ROWS)]
    for _ in range(200):
        kind, row = rng.integers(4), int(rng.integers(NUM_ROWS))
        held = list(bank.held(row))
        if kind == 0:
            ids = rng.integers(0, V, int(rng.integers(1, 9))).tolist()
            close(bank.extend(row, ids, every=True), twins[row].append_all(ids))
        elif kind == 1:
            rows = rng.permutation(NUM_ROWS)[: int(rng.integers(1, NUM_ROWS + 1))].tolist()
            ids = rng.integers(0, V, len(rows)).tolist()
            wanted = [twins[row].append([token]) for row, token in zip(rows, ids, strict=True)]
            close(bank.step(rows, ids), np.stack(wanted))
        elif kind == 2:
            length = int(rng.integers(len(held) + 1))
            bank.truncate(row, length)
            twins[row].truncate(length)
        else:
            other = (row + 1) % NUM_ROWS
            length = int(rng.integers(len(held) + 1))
            bank.copy(row, other, length)
            twins[other] = twins[row].fork()
            twins[other].truncate(length)
        assert [list(bank.held(row)) for row in range(NUM_ROWS)] == [list(twin.ids) for twin in twins]


def close(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(found, wanted, atol=0.02)  # products of other sizes may round otherwise


@pytest.mark.parametrize("kind", ["onnx", "engine"])
def test_what_a_row_cannot_take_leaves_it_as_it_was(engine: OnnxEngine, kind: str) -> None:
    bank: Bank = onnx_bank(engine) if kind == "onnx" else EngineBank(engine, NUM_ROWS)
    bank.extend(1, [1, 2], every=False)
    for ids in ([], [V], [-1], [0] * 511):
        with pytest.raises(EngineError):
            bank.extend(1, ids, every=False)
    with pytest.raises(EngineError):
        bank.step([0, 1], [3, V])
    assert [list(bank.held(row)) for row in range(3)] == [[], [1, 2], []]
    bank.extend(1, [0] * 510, every=False)
    with pytest.raises(EngineError):
        bank.step([0, 1], [3, 3])
    assert (len(bank.held(0)), len(bank.held(1))) == (0, 512)
    assert (bank.vocab_size, bank.max_tokens, bank.num_rows) == (V, 512, 3)


class Heard:
    """Listens to a request."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self._is_over = threading.Event()

    def __call__(self, update: Update) -> None:
        self.updates.append(update)
        if update.is_last:
            self._is_over.set()

    def wait(self) -> Update:
        assert self._is_over.wait(30)
        return self.updates[-1]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(token.id for update in self.updates for token in update.tokens)


@pytest.fixture
def scheduler(engine: OnnxEngine) -> Iterator[Scheduler]:
    made = Scheduler(onnx_bank(engine), max_jobs=50)
    yield made
    made.close()


def asked(prompt: Sequence[int], **changes: Any) -> Request:
    settings: dict[str, Any] = {"max_tokens": 12, "num_top": 0, **changes}
    return Request(prompt=tuple(prompt), **settings)


def submit(scheduler: Scheduler, *requests: Request) -> tuple[list[Job], list[Heard]]:
    heard = [Heard() for _ in requests]
    return scheduler.submit(requests, heard), heard


PROMPTS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), min_size=1, max_size=9)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PROMPTS, st.sampled_from([0.0, 1.0]), st.booleans())
def test_together_is_as_alone(
    engine: OnnxEngine, scheduler: Scheduler, prompts: list[list[int]], temperature: float, is_streamed: bool
) -> None:
    sampling = SamplingConfig(temperature=temperature, seed=5)
    stops = frozenset({1, 2, 3})
    requests = [asked(prompt, sampling=sampling, stops=stops, is_streamed=is_streamed) for prompt in prompts]
    _, heard = submit(scheduler, *requests)
    for prompt, one in zip(prompts, heard, strict=True):
        last = one.wait()
        alone = EngineGenerator(engine.fork()).generate(prompt, stops=stops, max_tokens=12, sampling=sampling)
        tokens = [token for update in one.updates for token in update.tokens]
        same = next(
            (n for n, pair in enumerate(zip(one.ids, alone.ids, strict=False)) if pair[0] != pair[1]),
            min(len(one.ids), len(alone.ids)),
        )
        # a tie within rounding may go the other way; up to there all is equal
        assert same > 0 or len(alone.ids) == 0
        if same == len(alone.ids) == len(one.ids):
            assert (last.finish == "stop") == alone.stopped
        assert [token.logarithm for token in tokens[:same]] == pytest.approx(
            alone.logarithms[:same], abs=0.05
        )


def test_a_growing_prompt_and_equal_beginnings_are_read_once(scheduler: Scheduler) -> None:
    prompt = list(range(40))
    [heard] = submit(scheduler, asked(prompt))[1]
    heard.wait()
    written = heard.ids
    [grown] = submit(scheduler, asked([*prompt, *written, 7]))[1]
    assert grown.wait().num_reused == 40 + 11  # the last id was never run
    [other] = submit(scheduler, asked([*prompt[:30], 9, 9]))[1]
    assert other.wait().num_reused == 30
    [again] = submit(scheduler, asked([*prompt, *written, 7, 8]))[1]
    assert again.wait().num_reused >= 52


def test_logits_of_a_prompt_are_those_of_one_pass(engine: OnnxEngine, scheduler: Scheduler) -> None:
    mine = engine.fork()
    mine.append(list(range(20)))
    wanted = mine.append_all([20, 21, 22])
    prompt = tuple(range(23))
    _, [heard] = submit(scheduler, asked(prompt[:20], max_tokens=0))
    assert heard.wait().finish == "length"
    _, [heard] = submit(scheduler, asked(prompt, max_tokens=0, logits_from=20, read_from=20))
    last = heard.wait()
    assert last.num_reused == 20
    np.testing.assert_array_equal(last.logits, wanted)
    # another asks for the same again, then for the last alone: what a row holds of it is read anew
    _, [heard] = submit(scheduler, asked(prompt, max_tokens=0, logits_from=22, read_from=20))
    np.testing.assert_array_equal(heard.wait().logits, wanted[-1:])
    _, [heard] = submit(scheduler, asked([5, *prompt], max_tokens=2, logits_from=0))
    logits = heard.wait().logits
    assert logits is not None
    np.testing.assert_allclose(logits, engine.fork().append_all([5, *prompt]), atol=0.02)
    assert len(heard.ids) == 2


def scripted(pause: threading.Event | None = None, fail_at: int = -1) -> Scheduler:
    """Return a scheduler over an engine that counts, waits for an event, and breaks at an id."""

    def logits(ids: Sequence[int]) -> Logits:
        if pause is not None:
            pause.wait(30)
        if ids[-1] == fail_at:
            raise RuntimeError("broken\nfor good")
        values = np.zeros(V, np.float32)
        values[(ids[-1] + 1) % V] = 9.0
        return values

    return Scheduler(EngineBank(ScriptedEngine(V, logits, max_tokens=200), 2), max_jobs=3)


def test_too_many_are_not_let_in_and_those_that_are_cancelled_make_room() -> None:
    pause = threading.Event()
    scheduler = scripted(pause)
    jobs, heard = submit(scheduler, *[asked([1], max_tokens=50)] * 3)
    with pytest.raises(FullError):
        submit(scheduler, asked([1]))
    for job in jobs:
        job.cancel()
    pause.set()
    assert [one.wait().finish for one in heard] == ["cancelled"] * 3
    _, [after] = submit(scheduler, asked([1], max_tokens=3))
    assert after.wait().finish == "length"
    assert after.ids == (2, 3, 4)
    for wrong in (asked([]), asked([V]), asked([-1]), asked([1] * 200)):
        with pytest.raises(EngineError):
            submit(scheduler, wrong)
    scheduler.close()
    with pytest.raises(EngineError, match="shutting down"):
        submit(scheduler, asked([1]))


def test_what_breaks_ends_those_it_concerns_and_the_next_are_served() -> None:
    scheduler = scripted(fail_at=10)
    _, heard = submit(scheduler, asked([8], max_tokens=9), asked([10], max_tokens=9))
    for one in heard:
        error = one.wait().error
        assert error is not None
        assert str(error) == "the engine failed: broken"
    _, [after] = submit(scheduler, asked([20], max_tokens=2))
    after.wait()
    assert after.ids == (21, 22)
    scheduler.close()


def test_closing_ends_what_is_under_way() -> None:
    pause = threading.Event()
    scheduler = scripted(pause)
    _, heard = submit(scheduler, *[asked([1], max_tokens=150)] * 3)
    closer = threading.Thread(target=scheduler.close)
    closer.start()
    pause.set()
    closer.join(20)
    for one in heard:
        assert "shutting down" in str(one.wait().error)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)), st.integers(0, 9))
def test_common_beginnings_are_found(held: list[int], prompt: list[int], bound: int) -> None:
    found = common(held, prompt, bound)
    assert found <= bound
    assert held[:found] == prompt[:found]
    ends = min(len(held), len(prompt), bound)
    assert found == ends or held[found] != prompt[found]


def test_the_likeliest_come_in_order() -> None:
    logarithms = np.log(np.array([0.1, 0.4, 0.2, 0.3]))
    assert [token for token, _ in likeliest(logarithms, 3)] == [1, 3, 2]
    assert likeliest(logarithms, 0) == ()
    assert len(likeliest(logarithms, 9)) == 4


def test_a_graph_of_other_weights_is_refused(engine: OnnxEngine, tmp_path: Any) -> None:
    weights = engine.together._graph.path
    export_onnx(tiny_config(), random_weights(tiny_config(), seed=4), tmp_path / "model.onnx", kind="fp32")
    with pytest.raises(EngineError, match=r"is not of the model\.onnx beside it"):
        OnnxBank(weights.with_name(BATCH_NAME), tmp_path / "model.onnx", tiny_config(), num_rows=1)
