"""What each choice of the ``native`` format is worth: a small model on the same traces, written otherwise.

Run ``python benchmarks/representation.py -o DIR --real CORPUS --real-held-out FILE`` (without the last two:
on generated programs only). One variant differs from the format in one choice; all see the same traces in
the same order until the same number of tokens is used, on a model of the same size, and are scored on the
same steps. Results are kept in DIR, so it goes on where it was stopped; ``--plot FILE`` draws them. The
variants live here alone: the package has one format.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from small_runs import MAX_TOKENS, Encode, Shape, Traces, make_traces, run

from opencwm.codec.bpe import train_bpe
from opencwm.codec.native import EncodedDocument, TokenClass
from opencwm.codec.native_writer import Writer
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import BYTE_BASE, NUM_LINES, Control, Vocabulary, build_vocabulary
from opencwm.core.errors import CodecError
from opencwm.source.reach import visible_lines
from opencwm.traces import Activation, Binding, Status, Step, StepKind, Trace, apply_step
from opencwm.train.vocabulary import texts as vocabulary_texts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to write a trace; the defaults are the format at line detail.

    Attributes:
        echo: the text after a line label is trained on, only given, or not there.
        vocabulary: how text is cut: ``native`` or ``bpe``, of ``vocab_size`` ids in all.
        expressions: with expression detail.
        containers: what is written of a changed list, dict or set.
        order: what a step writes first.
    """

    echo: Literal["trained", "given", "none"] = "trained"
    vocabulary: Literal["native", "bpe"] = "native"
    vocab_size: int = 1000
    expressions: bool = False
    containers: Literal["whole", "delta"] = "whole"
    order: Literal["effects", "line"] = "effects"


VARIANTS: Final[Mapping[str, Variant]] = {
    "the format, line detail": Variant(),
    "echo given, not trained": Variant(echo="given"),
    "no echo": Variant(echo="none"),
    "BPE of 1,000 ids": Variant(vocabulary="bpe"),
    "BPE of 4,000 ids": Variant(vocabulary="bpe", vocab_size=4000),
    "2,000 ids": Variant(vocab_size=2000),
    "container deltas": Variant(containers="delta"),
    "next line before effects": Variant(order="line"),
    "the format, expression detail": Variant(expressions=True),
}


SCORED_TOKENS: Final = 800
"""Held-out steps that fit into so many ids with expression detail are scored, in every variant."""


class _Bpe:
    """Byte pairs in place of the native pieces, for source and values alike."""

    def __init__(self, texts: Iterable[str], size: int) -> None:
        self._tokenizer = train_bpe(texts, size - BYTE_BASE, specials=())
        self.encode_text = lru_cache(maxsize=1 << 16)(self._encode)

    def __len__(self) -> int:
        return BYTE_BASE + int(self._tokenizer.get_vocab_size())

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(BYTE_BASE + number for number in self._tokenizer.encode(text).ids)


class _VariantWriter(Writer):
    """Writes steps as a variant says."""

    def __init__(self, view: SourceView, vocabulary: Any, variant: Variant) -> None:
        super().__init__(view, vocabulary, expressions=variant.expressions)
        self.variant = variant
        self.before: Mapping[str, str] = {}

    def line(self, lineno: int, kind: TokenClass = TokenClass.LINE, *, echo: bool = True) -> None:
        super().line(lineno, kind, echo=echo and self.variant.echo != "none")

    def bindings(
        self, changed: Iterable[Binding], deleted: Iterable[str], kind: TokenClass = TokenClass.VALUE
    ) -> None:
        if self.variant.containers == "delta" and kind is TokenClass.VALUE:
            changed = [
                (name + path, value)
                for name, new in changed
                for path, value in _delta(self.before.get(name), new)
            ]
        super().bindings(changed, deleted, kind)

    def step(self, step: Step, current_line: int) -> None:
        if self.variant.order == "effects" or step.kind is StepKind.CALL:
            super().step(step, current_line)
            return
        super().step(dataclasses.replace(step, changed=(), deleted=()), current_line)
        self.bindings(step.changed, step.deleted)


@lru_cache(maxsize=1 << 16)
def _delta(old: str | None, new: str) -> tuple[tuple[str, str], ...]:
    """Return what changed in a container as one (path, value), or the whole new value under the path ''."""
    whole = (("", new),)
    if old is None or old[:1] != new[:1] or new[:1] not in "[{":
        return whole
    try:
        was, now = ast.literal_eval(old), ast.literal_eval(new)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return whole
    for found in _candidates(was, now):
        return (found,)
    return whole


def _candidates(was: Any, now: Any) -> Iterator[tuple[str, str]]:
    if isinstance(was, list) and isinstance(now, list):
        texts, news = [repr(item) for item in was], [repr(item) for item in now]
        if news[:-1] == texts and news:
            yield ".append", news[-1]
        elif texts[:-1] == news and texts:
            yield ".pop()", ""
        elif len(texts) == len(news):
            differing = [
                index for index, pair in enumerate(zip(texts, news, strict=True)) if pair[0] != pair[1]
            ]
            if len(differing) == 1:
                yield f"[{differing[0]}]", news[differing[0]]
    elif isinstance(was, dict) and isinstance(now, dict):
        changed = [key for key in now if key not in was or repr(was[key]) != repr(now[key])]
        gone = [key for key in was if key not in now]
        if len(changed) == 1 and not gone and repr({**was, changed[0]: now[changed[0]]}) == repr(now):
            yield f"[{changed[0]!r}]", repr(now[changed[0]])
        elif len(gone) == 1 and not changed:
            yield f".pop({gone[0]!r})", ""
    elif isinstance(was, set) and isinstance(now, set):
        if len(now - was) == 1 and not was - now:
            yield ".add", repr(next(iter(now - was)))
        elif len(was - now) == 1 and not now - was:
            yield ".discard", repr(next(iter(was - now)))


def encoder(variant: Variant, vocabulary: Any) -> Encode:
    """Return the function that writes traces this way: from their start, as many steps as fit."""

    def encode(trace: Trace) -> EncodedDocument | None:
        lines = visible_lines(trace.program.text, trace.program.entry).lines
        if not lines or len(lines) > NUM_LINES:
            return None
        try:
            return _encode(trace, SourceView(trace.program, lines), variant, vocabulary)
        except CodecError:
            return None

    return encode


def _encode(trace: Trace, view: SourceView, variant: Variant, vocabulary: Any) -> EncodedDocument | None:
    writer = _VariantWriter(view, vocabulary, variant)
    detail = (Control.EXPRESSIONS,) if variant.expressions else ()
    prompt = (Control.BEGIN, Control.TRACE, *detail, *view.prompt_ids(vocabulary), Control.START)
    writer.put(prompt, TokenClass.PROMPT)
    stack: list[Activation] = []
    ends: list[int] = []
    for step in trace.steps:
        mark = len(writer.ids)
        own = stack[step.depth] if step.depth < len(stack) else None
        writer.before = dict(own.locals) if own else {}
        writer.step(step, own.lineno if own else step.lineno)
        if len(writer.ids) >= MAX_TOKENS:
            del writer.ids[mark:], writer.classes[mark:]
            break
        ends.append(len(writer.ids))
        apply_step(stack, step, trace.codes)
    if len(ends) == len(trace.steps) and trace.status in (Status.RETURNED, Status.RAISED):
        writer.put((Control.END,), TokenClass.CONTROL)
    if not ends:
        return None
    return EncodedDocument(writer.ids, writer.classes, ends, len(prompt), 0)


def make_vocabulary(variant: Variant, traces: Sequence[Trace]) -> Any:
    """Return the vocabulary of a variant, made from training traces; the package's own where it is that."""
    if variant.vocabulary == "native" and variant.vocab_size == len(Vocabulary.default()):
        return Vocabulary.default()
    if variant.vocabulary == "native":
        return build_vocabulary(vocabulary_texts(), size=variant.vocab_size)
    sources = [trace.program.text for trace in traces]
    values = (value for trace in traces for step in trace.steps for _, value in step.changed)
    return _Bpe([*sources, *values], variant.vocab_size)


def cut(trace: Trace) -> Trace | None:
    """Return the trace up to the last step that fits with room to spare in the longest way of writing it."""
    encoded = encoder(Variant(expressions=True), Vocabulary.default())(trace)
    if encoded is None:
        return None
    num_steps = sum(end <= SCORED_TOKENS for end in encoded.step_ends)
    if num_steps == len(trace.steps) or not num_steps:
        return trace if num_steps else None
    return dataclasses.replace(trace, steps=trace.steps[:num_steps], status=Status.STEP_LIMIT)


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results as a Markdown table, a row per variant and kind of program."""
    head = "| variant | programs | sampled tokens a step | nats a step | line | state | step | arguments |"
    lines = [head, "|" + "---|" * 8]
    for name, scores in found.items():
        for kind in ("generated", "real"):
            if kind in scores:
                own = scores[kind]
                shares = " | ".join(f"{own[key]:.1f}" for key in ("line", "state", "effects", "arguments"))
                lines.append(f"| {name} | {kind} | {own['tokens']:.1f} | {own['nats']:.3f} | {shares} |")
    return "\n".join(lines)


def plot(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw what a step costs in each variant at line detail; expression detail is another number of steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.45 * len(found) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names = [name for name in found if not VARIANTS[name].expressions][::-1]
    for offset, (kind, colour) in enumerate((("real", "#c97b63"), ("generated", "#3b6ea5"))):
        places = [index + 0.4 * offset - 0.2 for index in range(len(names))]
        values = [found[name].get(kind, {}).get("nats", 0.0) for name in names]
        bars = axes.barh(places, values, height=0.38, color=colour, label=kind)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("nats a step on held-out programs, fewer is better")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--real", type=Path, help="a corpus folder of recorded real functions")
    parser.add_argument("--real-held-out", type=Path, help="a file of others, held out")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="training tokens of each variant")
    parser.add_argument("--traces", type=int, default=16_000)
    parser.add_argument("--only", choices=VARIANTS, action="append", help="these variants; by default all")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    traces: Traces = make_traces(
        options.output,
        num_train=options.traces,
        num_held_out=120,
        real=options.real,
        real_held_out=options.real_held_out,
    )
    held_out = {
        kind: [short for trace in own if (short := cut(trace))] for kind, own in traces.held_out.items()
    }
    traces = dataclasses.replace(traces, held_out=held_out)
    found = {}
    for name in options.only or VARIANTS:
        variant = VARIANTS[name]
        vocabulary = make_vocabulary(variant, traces.train[:4000])
        folder = options.output / name.replace(" ", "-").replace(",", "")
        found[name] = run(
            folder,
            Shape(num_tokens=options.tokens),
            len(vocabulary),
            traces,
            encoder(variant, vocabulary),
            trains_echo=variant.echo == "trained",
        )
        print(name, json.dumps(found[name]), flush=True)
    print(table(found))
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
