"""Steps a second, and forward passes a debugger step against the published ``cwm`` format on the same runs.

A pass is one call of the graph, however many tokens it takes: a prompt or forced text is a pass, 512 tokens
of it at most. All are counted, where the engine runs them: those that draft, those that put the model back on
the recorded run after a wrong step, and the first, of the prompt. In the published format the model samples
every token of a step, its source line and the end of the step included, so it needs a pass for each.

Every step of the recorded runs is predicted, one ahead, as ``opencwm eval steps`` does: a run that goes wrong
is counted over the same steps.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.bpe import standard_library_texts, train_bpe
from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_special import SPECIAL_IDS
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer, Tokenizer
from opencwm.core.errors import CodecError
from opencwm.corpus.trace_files import held_out_traces, load_traces
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.working import Working
from opencwm.evals.one_step import score_one_step
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.teacher_forced import STEP
from opencwm.model.folder import ONNX_NAME
from opencwm.model.graph import Graph, Pass
from opencwm.model.onnx_engine import ROWS_NAME, OnnxEngine
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.together import Together
from opencwm.traces import Trace

SEED, MAX_STEPS = 7, 64
OWN_VOCABULARY = 32_000
LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Llama 3 cuts text before merging. Source: meta-llama/llama-models, models/llama3/tokenizer.py."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to predict steps."""

    name: str
    is_ahead: bool
    expressions: bool = False
    working: Working = Working.FOLLOWED


WAYS = (
    Way("line detail, nothing foreseen", is_ahead=False),
    Way("line detail", is_ahead=True),
    Way("expression detail, free", is_ahead=True, expressions=True, working=Working.FREE),
    Way("expression detail, followed, nothing foreseen", is_ahead=False, expressions=True),
    Way("expression detail, followed", is_ahead=True, expressions=True),
    Way("expression detail, calculated", is_ahead=True, expressions=True, working=Working.CALCULATED),
)


class CountingPasses(Together):
    """Runs passes one by one and notes the tokens of each."""

    def __init__(self, graph: Graph, rows: Path) -> None:
        super().__init__(graph, rows)
        self.passes: list[int] = []

    def run(self, one: Pass) -> NDArray[np.float32]:
        """Run a pass."""
        self.passes.append(len(one.ids))
        return super().run(one)


class LlamaTokenizer:
    """A :class:`Tokenizer` over Llama 3's ``tokenizer.model``; facebook/cwm has it and more special ids."""

    def __init__(self, path: Path) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        ranks = load_tiktoken_bpe(str(path))
        self._encoding = tiktoken.Encoding(
            path.name, pat_str=LLAMA_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        return list(self._encoding.encode(text, disallowed_special=()))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        return str(self._encoding.decode(list(ids)))

    def special_id(self, name: str) -> int:
        """Return the id of a special token."""
        return SPECIAL_IDS[name]


def open_tokenizer(path: Path | None) -> Tokenizer:
    """Return the tokenizer at ``path``; without one, one trained on the standard library."""
    if path is None:
        print(f"*** no --tokenizer: cwm tokens are those of a BPE of {OWN_VOCABULARY:,} ids made here")
        return HuggingFaceTokenizer(train_bpe(standard_library_texts(), OWN_VOCABULARY))
    return (
        LlamaTokenizer(path) if path.suffix == ".model" else HuggingFaceTokenizer.from_pretrained_folder(path)
    )


def cwm_tokens(trace: Trace, codec: CwmCodec) -> int:
    """Return the tokens that the published format samples for the first steps of a run."""
    encoded = codec.encode(trace)
    spans = [span for span in encoded.spans if span.index < MAX_STEPS]
    is_whole = len(trace.steps) <= MAX_STEPS
    return (
        sum(span.stop - span.start for span in spans) + (len(encoded.ids) - encoded.spans[-1].stop) * is_whole
    )


def choose(codec: CwmCodec, num_programs: int, data: Path | None) -> tuple[list[Trace], dict[str, int]]:
    """Return runs that the published format can write, and the tokens of each."""
    traces, tokens = [], {}
    found = (
        load_traces(data) if data is not None else held_out_traces(4 * num_programs, SEED, expressions=True)
    )
    for trace in islice(found, 4 * num_programs):
        try:
            tokens[trace.program.id] = cwm_tokens(trace, codec)
        except CodecError:
            continue
        traces.append(trace)
        if len(traces) == num_programs:
            break
    return traces, tokens


def measure(folder: Path, tokenizer: Tokenizer, *, num_programs: int, data: Path | None) -> None:
    """Print the table."""
    traces, tokens = choose(CwmCodec(tokenizer), num_programs, data)
    num_steps = sum(min(len(trace.steps), MAX_STEPS) for trace in traces)
    published = sum(tokens.values()) / num_steps
    origin = data.name if data is not None else f"generated programs of held-out seed {SEED}"
    print(
        f"\npredicted steps: {num_steps} of {len(traces)} {origin}, at most {MAX_STEPS} of each, one thread"
    )
    print(f"published cwm format: {published:.1f} tokens a step to sample, a pass each")
    heads = ("steps/s", "CPU ms", "exact %", "passes", "of 1 token", "tokens", "cwm/passes")
    print(f"{'':46}" + "".join(f"{head:>11}" for head in heads) + "   a step")
    model = NativeWorldModel.load(folder, speculative=False)
    assert model.folder is not None
    config = model.folder.config
    counting = CountingPasses(Graph(folder / ONNX_NAME, config), folder / ROWS_NAME)
    plain = OnnxEngine(counting, config)
    spent = {way: [0.0, 0.0] for way in WAYS}
    passes: dict[Way, list[int]] = {way: [] for way in WAYS}
    right = dict.fromkeys(WAYS, 0)
    for trace in traces:  # all ways take turns
        for way in WAYS:
            engine = SpeculativeEngine(plain.fork()) if way.is_ahead else plain
            predictor = NativePredictor(
                way.name, model.codec, engine, expressions=way.expressions, working=way.working
            )
            counting.passes = []
            wall, cpu = time.perf_counter(), time.process_time()
            result = score_one_step(trace, predictor.step_predictor(trace.program), max_steps=MAX_STEPS)
            spent[way][0] += time.perf_counter() - wall
            spent[way][1] += time.process_time() - cpu
            passes[way] += counting.passes
            right[way] += result.counts[STEP][0]
    for way in WAYS:
        count = len(passes[way])
        cells = (
            f"{num_steps / spent[way][0]:.1f}",
            f"{1000 * spent[way][1] / num_steps:.0f}",
            f"{100 * right[way] / num_steps:.1f}",
            f"{count / num_steps:.2f}",
            f"{passes[way].count(1) / num_steps:.2f}",
            f"{sum(passes[way]) / num_steps:.1f}",
            f"{published * num_steps / count:.1f}x",
        )
        print(f"{way.name:46}" + "".join(f"{cell:>11}" for cell in cells))
