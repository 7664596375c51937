"""The data card of a corpus: ``README.md`` as Hugging Face reads it, the numbers as JSON, and pictures.

Made from the manifest alone, so the card of a corpus can be made again. Pictures need matplotlib (the extra
``plots``); where it is missing the card has none and says so.

Source of the header: https://huggingface.co/docs/hub/datasets-cards
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.core.files import write_atomic
from opencwm.corpus.contamination import CRITERIA
from opencwm.corpus.plots import draw
from opencwm.corpus.shards import TRACES, Manifest
from opencwm.corpus.statistics import GENERATED, NO_LICENCE, Counts, Statistics, summary
from opencwm.corpus.structure import SPLITS

CARD_NAME: Final = "README.md"
CARD_FOLDER: Final = "card"
STATISTICS_NAME: Final = "statistics.json"
_MANY: Final = 25
_SPLIT_RULE: Final = (
    "A function, its runs with all inputs and its mutants lie in one split; "
    "what nearly equals a function of a held-out split is in no other."
)
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write ``README.md``, ``card/statistics.json`` and the pictures beside it."""
    counts = total_counts(manifest)
    card = {
        "splits": {split: _split_numbers(manifest, split) for split in SPLITS},
        "num_drawn": manifest.num_drawn,
        "dropped": manifest.dropped,
        "problems": manifest.problems,
        "counts": counts,
        "steps": summary(counts.get("steps", {})),
        "lines": summary(counts.get("lines", {})),
        "tokens": {name: summary(histogram) for name, histogram in token_histograms(counts).items()},
    }
    write_atomic(folder / CARD_FOLDER / STATISTICS_NAME, json.dumps(card, indent=1, sort_keys=True) + "\n")
    pictures = draw(folder / CARD_FOLDER, manifest, counts)
    write_atomic(folder / CARD_NAME, card_text(manifest, pictures))


def total_counts(manifest: Manifest) -> Counts:
    """Return the counters of all splits together."""
    total = Statistics()
    for counts in manifest.counts.values():
        total.add(counts)
    return total.counts()


def token_histograms(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Return the lengths of documents in ids, by format."""
    mark = "tokens/"
    return {name.removeprefix(mark): counter for name, counter in counts.items() if name.startswith(mark)}


def _split_numbers(manifest: Manifest, split: str) -> dict[str, Any]:
    counts = manifest.counts[split]
    return {
        "programs": manifest.num_rows(split),
        "steps": summary(counts.get("steps", {}))["total"],
        "shards": len(manifest.of(split)),
        "bytes": sum(shard.num_bytes for shard in manifest.of(split)),
        "tokens": {name: summary(found)["total"] for name, found in token_histograms(counts).items()},
    }


def card_text(manifest: Manifest, pictures: Mapping[str, str]) -> str:
    """Return the card in Markdown; ``pictures`` are file names by what they show."""
    built = f"`opencwm corpus build` (OpenCWM {manifest.opencwm}, Python {manifest.python})"
    parts = [
        _header(manifest, total_counts(manifest)),
        "# A corpus of recorded Python runs\n",
        f"Built by {built}. Each row of a trace shard is one recorded run: its program and its steps.\n",
        *sections(manifest, pictures),
        "## Recipe\n",
        f"```json\n{json.dumps(manifest.recipe, indent=1)}\n```\n",
    ]
    if not pictures:
        parts.append(
            "There are no pictures: matplotlib was not installed (`pip install 'opencwm[plots]'`).\n"
        )
    return "\n".join(parts)


def sections(manifest: Manifest, pictures: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield what a card says about the content, section by section, in Markdown."""
    shown = pictures or {}
    counts = total_counts(manifest)
    yield from _section("Splits", _splits(manifest))
    yield from _section("Sources", _sources(manifest, counts), shown.get("sources"))
    yield from _section("Licences", _shares(counts, "licences", "programs", "licence"))
    yield from _section("Origins", _shares(counts, "origins", "programs", "from"))
    yield from _section("Length", _lengths(counts), shown.get("steps"), shown.get("tokens"))
    constructs = _shares(counts, "constructs", "programs", "construct")
    yield from _section("Constructs", constructs, shown.get("constructs"))
    yield from _section("Values", _shares(counts, "value_types", "", "type"), shown.get("values"))
    yield from _section("Endings", _endings(counts))
    yield from _section("Mutants", _shares(counts, "mutations", "", "change"))
    yield from _section("Test sets kept out", _test_sets(manifest))
    yield from _section("Files that could not be read", [f"- {problem}" for problem in manifest.problems])


def _header(manifest: Manifest, counts: Counts) -> str:
    """Return the YAML header: licences, size, and where the splits lie."""
    named = sorted(name for name in counts.get("licences", {}) if name not in (GENERATED, NO_LICENCE))
    licences = (
        [name.lower() for name in named] if named and NO_LICENCE not in counts["licences"] else ["other"]
    )
    size = next((name for most, name in _SIZES if manifest.num_programs < most), "n>1M")
    lines = [
        "---",
        "pretty_name: Recorded Python runs",
        "license:",
        *(f"- {json.dumps(one)}" for one in licences),
    ]
    lines += ["language:", "- code", "task_categories:", "- text-generation", "size_categories:", f"- {size}"]
    lines += ["tags:", "- code", "- execution-traces", "- world-model", "configs:"]
    for kind in dict.fromkeys(shard.kind for shard in manifest.shards):
        lines += [f"- config_name: {kind}", "  data_files:"]
        place = "" if kind == TRACES else f"tokens/{kind}/"
        for split in SPLITS:
            if manifest.of(split, kind):
                name = "validation" if split == "valid" else split
                lines += [f"  - split: {name}", f'    path: "{place}{split}/*.parquet"']
    return "\n".join([*lines, "---", ""])


def _section(title: str, lines: Iterable[str], *pictures: str | None) -> Iterator[str]:
    """Yield a section, or nothing when it has no lines."""
    text = "\n".join(lines)
    if text:
        yield f"## {title}\n"
        for picture in pictures:
            if picture is not None:
                yield f"![{picture.removesuffix('.png')}]({CARD_FOLDER}/{picture})\n"
        yield text + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    body = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not body:
        return []
    return [f"| {' | '.join(head)} |", "|---" + "|--:" * (len(head) - 1) + "|", *body]


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _splits(manifest: Manifest) -> list[str]:
    formats = [
        name for name in manifest.recipe["encode"]["formats"] if any(s.kind == name for s in manifest.shards)
    ]
    rows = []
    for split in SPLITS:
        numbers = _split_numbers(manifest, split)
        tokens = [numbers["tokens"].get(name, "text") for name in formats]
        rows.append(
            [split, numbers["programs"], numbers["steps"], *tokens, numbers["shards"], _mib(numbers["bytes"])]
        )
    head = ["split", "programs", "steps", *(f"{name} tokens" for name in formats), "shards", "MiB"]
    return [*_table(head, rows), "", _SPLIT_RULE]


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f}"


def _sources(manifest: Manifest, counts: Counts) -> list[str]:
    """Return what each stratum gave, and why the rest was left out."""
    programs, steps = counts.get("strata", {}), counts.get("strata_steps", {})
    rows = []
    for stratum, dropped in manifest.dropped.items():
        rows.append(
            [
                stratum,
                manifest.num_drawn.get(stratum, programs.get(stratum, 0) + sum(dropped.values())),
                programs.get(stratum, 0),
                _percent(programs.get(stratum, 0), manifest.num_programs),
                _percent(steps.get(stratum, 0), sum(steps.values())),
                ", ".join(f"{number:,} {reason}" for reason, number in dropped.items()) or "nothing",
            ]
        )
    head = ["source", "programs drawn", "kept", "share of programs", "share of steps", "left out"]
    return _table(head, rows)


def _shares(counts: Counts, name: str, of: str, head: str) -> list[str]:
    """Return a counter as a table, largest first; shares are of all programs, or of the counter's sum."""
    found = counts.get(name, {})
    whole = counts["programs"]["programs"] if of else sum(found.values())
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    rows = [[key, number, _percent(number, whole)] for key, number in ordered[:_MANY]]
    if len(ordered) > _MANY:
        rest = sum(number for _, number in ordered[_MANY:])
        rows.append([f"{len(ordered) - _MANY} more", rest, _percent(rest, whole)])
    return _table([head, of or "times", "share"], rows)


def _lengths(counts: Counts) -> list[str]:
    found: dict[str, Mapping[str, int]] = {
        "steps of a run": counts.get("steps", {}),
        "lines of a program": counts.get("lines", {}),
    }
    for name, histogram in token_histograms(counts).items():
        found[f"{name} tokens of a document"] = histogram
    rows = []
    for name, histogram in found.items():
        numbers = summary(histogram)
        if numbers["number"]:
            rows.append(
                [name, *(numbers[key] for key in ("number", "total", "mean", "median", "p90", "p99", "max"))]
            )
    return _table(["", "number", "total", "mean", "median", "90 %", "99 %", "most"], rows)


def _endings(counts: Counts) -> list[str]:
    return [
        *_shares(counts, "status", "programs", "status"),
        "",
        *_shares(counts, "exceptions", "", "exception"),
    ]


def _test_sets(manifest: Manifest) -> list[str]:
    """Return what fell, by test set and criterion."""
    criteria = (*CRITERIA, "group")
    rows = [
        [one["name"], one["items"], *(len(one["programs"][criterion]) for criterion in criteria)]
        for one in manifest.decontamination
    ]
    head = ["test set", "items", "same text", "same structure", "13 tokens shared", "with their function"]
    return _table(head, rows)
