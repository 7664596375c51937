import dataclasses
import random

import pytest

from opencwm.codec.native import NativeCodec, TokenClass
from opencwm.codec.vocabulary import NUM_LINES, Control, is_line, line_label
from opencwm.corpus.documents import DocumentConfig, documents
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program, Status, Trace

CODEC = NativeCodec()
PLAIN = DocumentConfig(shifted_labels=0.0, from_state=0.0, outcome=0.0)


def traced(seed: int) -> Trace:
    rng = random.Random(seed)
    trace = generate_traced(rng, sample_config(rng))
    assert trace is not None
    return trace


def loop(n: int) -> Trace:
    source = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    return record(Program.from_call(source, f"f({n})"))


def test_a_short_run_is_one_whole_document() -> None:
    (document,) = documents(loop(3), CODEC, random.Random(0), PLAIN)
    assert document.ids[0] == Control.BEGIN
    assert document.ids[-1] == Control.END
    assert all(kind is TokenClass.PROMPT for kind in document.classes[: document.num_prompt])
    assert TokenClass.PROMPT not in document.classes[document.num_prompt :]


def test_a_share_of_the_traces_with_expression_detail_is_written_with_it() -> None:
    source = "def f(n):\n    return n + 1, n * 2\n"
    trace = record(Program.from_call(source, "f(3)"), TraceLimits(expressions=True))
    rng = random.Random(0)
    config = dataclasses.replace(PLAIN, expressions=0.5)
    firsts = [document.ids[2] for _ in range(40) for document in documents(trace, CODEC, rng, config)]
    assert 10 < firsts.count(Control.EXPRESSIONS) < 30
    (detailed,) = documents(trace, CODEC, rng, PLAIN)
    assert TokenClass.EVALUATION in detailed.classes
    assert TokenClass.RESULT in detailed.classes
    (plain,) = documents(loop(3), CODEC, rng, PLAIN)
    assert Control.EXPRESSIONS not in plain.ids


def test_a_long_run_is_cut_and_goes_on_in_another_document_from_a_state() -> None:
    trace = loop(200)
    config = dataclasses.replace(PLAIN, max_tokens=512)
    start, later = documents(trace, CODEC, random.Random(0), config)
    assert len(start.ids) < 512
    assert len(later.ids) < 512
    assert Control.STATE in later.ids
    assert later.first_step > len(start.step_ends) // 2


def test_the_same_generator_state_gives_the_same_documents() -> None:
    made = [
        [
            document.ids
            for seed in range(20)
            for document in documents(traced(seed), CODEC, random.Random(4), DocumentConfig())
        ]
        for _ in range(2)
    ]
    assert made[0] == made[1]


def test_shifted_labels_reach_past_the_number_of_lines() -> None:
    config = dataclasses.replace(PLAIN, shifted_labels=1.0)
    labels = set()
    for seed in range(60):
        for document in documents(loop(2), CODEC, random.Random(seed), config):
            labels |= {line_label(token) for token in document.ids if is_line(token)}
    assert min(labels) < 20
    assert max(labels) > NUM_LINES - 20


def test_outcomes_are_asked_for_only_where_there_is_one() -> None:
    config = dataclasses.replace(PLAIN, outcome=1.0)
    whole = loop(3)
    assert len(list(documents(whole, CODEC, random.Random(0), config))) == 2
    stopped = dataclasses.replace(whole, status=Status.STEP_LIMIT)
    assert len(list(documents(stopped, CODEC, random.Random(0), config))) == 1


def test_walks_and_inputs_are_made_where_asked_for_and_nothing_else_changes() -> None:
    for seed in range(15):
        trace = traced(seed)
        plain = list(documents(trace, CODEC, random.Random(seed), DocumentConfig()))
        both = dataclasses.replace(DocumentConfig(), jumps=1.0, inputs=1.0)
        *same, walk, question = documents(trace, CODEC, random.Random(seed), both)
        assert same == plain
        assert question.ids[1] == Control.INPUT
        assert walk.ids[1] == Control.TRACE
        told = [i for i in range(walk.num_prompt, len(walk.ids)) if walk.classes[i] is TokenClass.PROMPT]
        assert told[::2] == [i for i in told if walk.ids[i] == Control.JUMP]
        assert all(len(document.ids) <= both.max_tokens for document in (walk, question))


def test_inputs_need_a_call_and_an_end_and_walks_a_record() -> None:
    config = dataclasses.replace(PLAIN, jumps=1.0, inputs=1.0)
    stopped = dataclasses.replace(loop(3), status=Status.STEP_LIMIT)
    kinds = [document.ids[1] for document in documents(stopped, CODEC, random.Random(1), config)]
    assert kinds == [Control.TRACE, Control.TRACE]
    tiny = dataclasses.replace(config, max_tokens=130)
    assert all(len(document.ids) <= 130 for document in documents(loop(3), CODEC, random.Random(1), tiny))


@pytest.mark.parametrize("steps", [(), None])
def test_what_does_not_fit_the_format_gives_nothing(steps: tuple[()] | None) -> None:
    if steps is None:  # more lines than there are labels
        body = "".join(f"    x{i} = {i}\n" for i in range(NUM_LINES))
        trace = record(Program.from_call(f"def f():\n{body}    return 1\n", "f()"))
    else:
        trace = dataclasses.replace(loop(1), steps=steps)
    assert list(documents(trace, CODEC, random.Random(0), PLAIN)) == []
