"""The card of a model folder, in Markdown, made from records alone.

The one idea: every number in it stands in a report of ``opencwm eval ... --json`` or in the metrics of the
training run, beside its interval, the number of cases and the command that reproduces it. What was not
measured is not mentioned. A command is told as one types it anywhere: without the paths of the machine that
measured.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from opencwm.evals.jumps_report import JUMPS
from opencwm.evals.metrics import Score
from opencwm.evals.per_step_report import LABELS, failure_table
from opencwm.evals.published import BENCHMARKS, INPUTS, STEPS
from opencwm.evals.report import SCORE_COLUMNS, Table, markdown_table, score_cells
from opencwm.model.folder import ModelMeta

ONE_STEP_SCORES: Final = ("next_line", "state", "step", "arguments", "value_string")
RUN_SCORES: Final = {
    "exact": "whole run",
    "outcome": "outcome",
    "right_steps": "steps before the first wrong one",
}
TRAINING_SCORES: Final = ("loss", "accuracy", "exact/line", "exact/value", "exact/argument")
"""What the card tells, in this order."""

GENERATED: Final = "generated held-out programs"
"""In the name of data whose code is our own; a card does not quote that of others."""

_LOCAL_OPTIONS: Final = ("--model", "-o", "--output")  # where things are on one machine
_LOCAL_PREFIXES: Final = (
    "--model=",
    "--output=",
    "-o",
    "--json",
)  # likewise in one word, and how it is printed


_WRONG: Final = {
    "value": "a value",
    "name": "which variables change",
    "line": "the next line",
    "kind": "what happens next",
    "malformed": "no step at all",
}
"""Of :class:`opencwm.evals.free_running.Divergence`, in words."""


_ACTIONS: Final = {
    "step_over": "over a line",
    "step_return": "out of a function",
    "breakpoint": "to a line",
    "continue": "to the end",
}
"""What a debugger is told, in words."""


_USES: Final = {
    "transformers": """\
`AutoModelForCausalLM.from_pretrained(FOLDER)` and `AutoTokenizer.from_pretrained(FOLDER)` open it, and
`vllm serve FOLDER` serves it. The tokenizer reads ids exactly. Prompts are made by OpenCWM's codec
(`opencwm.codec.native.NativeCodec`, with the vocabulary in this folder) and given as ids.
""",
    "llama.cpp": """\
`model.gguf` takes ids and gives ids: it holds no vocabulary. Prompts are made and read by OpenCWM's codec
(`opencwm.codec.native.NativeCodec`, with the vocabulary in this folder). Its architecture is called `mimo2`:
that is the graph of llama.cpp that computes this model, windows included.
""",
}
"""How a model is used by a library other than ours."""


def model_card(meta: ModelMeta, *, library: str = "opencwm") -> str:
    """Return the card with the front matter that model hubs read.

    Args:
        meta: what is on record.
        library: what opens the folder: ``opencwm``, ``transformers`` or ``llama.cpp``.
    """
    use = _USES.get(library)
    lines = [
        "---",
        "license: apache-2.0",
        f"library_name: {library}",
        *(["pipeline_tag: text-generation"] if use else []),
        "tags: [code, world-model, execution-prediction]",
        "---",
        "",
        "# An OpenCWM model",
        "",
        "Predicts what a Python program does, line by line, without running it.",
        f"It reads and writes the `{meta.codec}` trace format of OpenCWM.",
        "",
        *([f"## With {library}", "", use] if use else []),
        "## Scores",
        "",
        *score_lines(meta.scores),
        "## Training",
        "",
        *_training(meta.training, is_on_record=use is None),
        "## Limits",
        "",
        "- It was trained on short programs. Long runs, large numbers, and library calls are guessed at.",
        "- Its confidence says how sure it is, not that it is right. Run the program where that matters.",
        "",
    ]
    return "\n".join(lines)


def portable_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report of an evaluation without the paths of the machine that measured."""
    told = dict(report)
    if isinstance(report.get("command"), str):
        told["command"] = portable_command(report["command"])
    if isinstance(report.get("data"), str):
        told["data"] = PurePath(report["data"]).name
    return told


def portable_command(command: str) -> str:
    """Return a command line without options that say where things are on one machine, and bare file names.

    ``opencwm eval steps --programs 40 --model /there --data /here/runs.jsonl --json`` becomes
    ``opencwm eval steps --programs 40 --data runs.jsonl``.
    """
    told: list[str] = []
    words = iter(shlex.split(command))
    for word in words:
        if word in _LOCAL_OPTIONS:
            next(words, None)
        elif not word.startswith(_LOCAL_PREFIXES):
            option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
            told.append(option + equals + (PurePath(value).name if "/" in value else value))
    return shlex.join(told)


def report_name(report: Mapping[str, Any]) -> str:
    """Return what tells one report of a model from another: kind, data, detail and who works it out."""
    predictor = report.get("settings", {}).get("predictor", {})
    detail = f"{predictor['detail']} detail" if predictor.get("detail") else ""
    parts = (report["kind"], report.get("data"), detail, predictor.get("working", ""))
    return ", ".join(part for part in parts if part)


def score_lines(reports: Mapping[str, Any]) -> list[str]:
    """Return what the card says of reports, by :func:`report_name`; of an unknown kind it says nothing.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a report is not as ``opencwm eval`` writes it.

    """
    lines: list[str] = []
    for report in reports.values():
        tell = {STEPS: _steps, JUMPS: _jumps, INPUTS: _inputs, **dict.fromkeys(BENCHMARKS, _benchmark)}
        told = tell.get(report["kind"], lambda _: [])(report)
        if told:
            lines += [*_provenance(report), "", *told]
    return lines or ["Nothing was measured.", ""]


def _provenance(report: Mapping[str, Any]) -> list[str]:
    """Return what was evaluated, with what, and the command."""
    made_with = f"OpenCWM {report.get('opencwm_version', '?')}, Python {report.get('python', '?')}"
    predictor = report.get("settings", {}).get("predictor", {})
    weights = f", weights `{predictor['revision']}`" if predictor.get("revision") else ""
    working = f" ({predictor['working']})" if predictor.get("working") else ""
    detail = f"with expression detail{working}, " if predictor.get("detail") == "expr" else ""
    data = report.get("data") or "the given data"
    lines = [f"### On {data}", "", f"Measured {detail}by {made_with}{weights}."]
    if report.get("command"):
        lines += ["To reproduce:", "", "```", report["command"], "```"]
    return lines


def _steps(report: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    ahead, free = report.get("one_step"), report.get("free_running")
    if ahead:
        rows = [(LABELS[name], *_cells(ahead[name])) for name in ONE_STEP_SCORES]
        num_cases = f"{ahead['num_programs']:,} programs, {ahead['num_steps']:,} steps"
        lines += ["#### One step ahead", ""]
        lines += ["As the debugger predicts it, given the true run so far; call arguments are predicted too"]
        lines += [f"({num_cases}).", "", *_table("exact match", rows), _cost(ahead), ""]
        lines += _calibration(ahead)
        lines += _failures(ahead, shows_code=GENERATED in (report.get("data") or ""))
    if free:
        rows = [(label, *_cells(free[name])) for name, label in RUN_SCORES.items()]
        buckets = [
            (item["num_steps"], *_cells(item["exact"]), _cells(item["outcome"])[0])
            for item in free["by_num_steps"]
        ]
        lines += ["#### Whole runs", "", f"Left to itself ({report['num_programs']:,} programs).", ""]
        lines += [*_table("exact match", rows), _cost(free), "", "Whole runs by number of steps:", ""]
        lines += _table("steps", buckets, "outcome, percent")
    direct = report.get("direct")
    if direct:
        rows = [("outcome at once", *_cells(direct["outcome"])), ("how it ends", *_cells(direct["ending"]))]
        lines += ["#### Outcomes asked for at once", "", "The same programs, without any step.", ""]
        lines += _table("exact match", rows)
    for reason, count in report.get("skipped", {}).items() if lines else ():
        lines += [f"- not measured on {count} programs: {reason}", ""]
    return lines


def _failures(ahead: Mapping[str, Any], *, shows_code: bool) -> list[str]:
    """Return what is wrong in wrong steps; reports of earlier versions do not say."""
    counts = ahead.get("divergences")
    if not counts:
        return []
    total = sum(counts.values())
    told = ", ".join(f"{_WRONG.get(name, name)} {count}" for name, count in counts.items())
    lines = [f"What is wrong first in the {total:,} wrong steps: {told}.", ""]
    if shows_code and ahead["failures"]:
        table = failure_table(ahead["failures"])
        shown = tuple(
            (*row[:1], *("`" + cell.replace("`", "'") + "`" for cell in row[1:])) for row in table.rows
        )
        lines += ["Known failures: the wrong steps it was surest of, one of each program.", ""]
        lines += markdown_table(dataclasses.replace(table, rows=shown))
    return lines


def _jumps(report: Mapping[str, Any]) -> list[str]:
    """Return how often a debugger's actions are predicted in one go."""
    rows = [("place and state", *_cells(report["right"])), ("place", *_cells(report["place"]))]
    by_action = ((f"{_ACTIONS.get(name, name)}: all", found) for name, found in report["by_action"].items())
    by_distance = ((f"over {steps} steps: all", found) for steps, found in report["by_distance"].items())
    rows += [(label, *_cells(found)) for label, found in (*by_action, *by_distance)]
    told = (
        f"{report['num_jumps']:,} actions in {report['num_programs']:,} programs, each predicted in one go."
    )
    return ["#### Jumps", "", told, "", *_table("right", rows)]


def _inputs(report: Mapping[str, Any]) -> list[str]:
    """Return how often a call that is predicted for a result gives it."""
    rows = [("the first call", *_cells(report["pass_at_1"]))]
    if report["num_draws"] > 1:
        rows.append((f"one of {report['num_draws']}", *_cells(report["pass_at_k"])))
    told = f"{report['num_questions']:,} results; a call is right that gives the result when it is run."
    return ["#### Inputs", "", told, "", *_table("right", rows)]


def _benchmark(report: Mapping[str, Any]) -> list[str]:
    methods: Mapping[str, Any] = report.get("by_method", {})
    rows = [(name, *_cells(found)) for name, found in methods.items()]
    return ["#### Output prediction", "", *_table("pass@1 by method", rows)] if rows else []


def _training(training: Mapping[str, Any], *, is_on_record: bool) -> list[str]:
    stages = [training]
    while stages[0].get("start"):
        stages.insert(0, stages[0]["start"])
    lines: list[str] = []
    for stage in stages:
        if len(stages) > 1:
            lines += ["Then, with these weights:" if lines else "First:", ""]
        lines += [*_stage(stage), ""]
    lines += ["The whole recipe is in `opencwm.json`.", ""] if is_on_record else []
    held_out: Mapping[str, float] = training.get("held_out", {})
    rows = [(name, f"{held_out[name]:.4f}") for name in TRAINING_SCORES if name in held_out]
    if rows:
        lines += [
            "### During training",
            "",
            "On held-out documents, given the true text before each token:",
            "",
        ]
        lines += markdown_table(Table("", ("measure", "value"), tuple(rows)))
    return lines


def _stage(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each thing to be said of one training."""
    recipe = training.get("recipe", {})
    if "environment" in recipe:
        sources = {name: source.get("kind") for name, source in recipe.get("sources", {}).items()}
        yield f"- reinforcement learning: `{recipe['environment']}`, questions {json.dumps(sources)}"
    else:
        data = recipe.get("data", {})
        yield f"- data: `{data.get('source') or 'given by hand'}` {json.dumps(data.get('options', {}))}"
    hours = float(training.get("seconds") or 0.0) / 3600
    yield f"- {training.get('num_steps', 0):,} steps, {training.get('num_tokens', 0):,} tokens, {hours:.2f} h"
    device, dtype = recipe.get("device", "cpu" if "environment" in recipe else "?"), recipe.get("dtype", "?")
    yield f"- device `{device}`, type `{dtype}`, OpenCWM {training.get('opencwm_version', '?')}"
    for other in training.get("averaged_with", []):
        options = other.get("recipe", {}).get("data", {}).get("options", {})
        steps, tokens = other.get("num_steps", 0), other.get("num_tokens", 0)
        yield f"- averaged with a run from the same checkpoint on {json.dumps(options)}: its weights after"
        yield f"  {steps:,} steps, {tokens:,} tokens, the common ones included"


def _cells(score: Mapping[str, Any]) -> tuple[str, ...]:
    return score_cells(Score(score["num_right"], score["num_total"], *score["interval_95"]))


def _cost(part: Mapping[str, Any]) -> str:
    if part["ms_per_step"] is None:
        return "No step was predicted."
    ms, tokens, sampled = (part[f"{name}_per_step"] for name in ("ms", "tokens", "sampled_tokens"))
    return (
        f"A step takes {ms:.1f} ms on the machine that measured, and {tokens:.1f} tokens, of which the model "
        f"decides {sampled:.1f}."
    )


def _calibration(part: Mapping[str, Any]) -> list[str]:
    errors = {"the next line": part["line_calibration"]["ece"], "values": part["value_calibration"]["ece"]}
    told = " and ".join(f"{ece:.4f} for {what}" for what, ece in errors.items() if ece is not None)
    return [f"Expected calibration error of its confidence: {told}.", ""] if told else []


def _table(first: str, rows: Sequence[tuple[str, ...]], *last: str) -> list[str]:
    return markdown_table(Table("", (first, *SCORE_COLUMNS, *last), tuple(rows)))
