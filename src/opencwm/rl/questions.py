"""The questions of a recipe: recorded runs from its sources, those that can be asked about.

What is held out is never asked while training: a run of a program that is in a held-out set is left out,
wherever it came from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from opencwm.core.errors import CodecError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.trace_files import held_out_traces, load_traces
from opencwm.rl.environment import NativeEnvironment
from opencwm.rl.recipe import QuestionsConfig, RlConfig
from opencwm.rl.trace_question import TraceQuestion, is_askable
from opencwm.traces import Trace

_DRAWS: Final = 10
"""Programs that are generated at the most for each that is wanted: where hardly any fits, there are fewer."""

Environment = NativeEnvironment[TraceQuestion]


def held_out_questions(config: QuestionsConfig, environment: Environment) -> list[TraceQuestion]:
    """Return the questions of a held-out set, of any length; equal programs once.

    Raises:
        ConfigError: there is no such file.
        TraceFormatError: it is damaged.
    """
    return list(_questions(config, environment, most_prompt=None, most_answer=None, without=()))


def training_questions(
    config: RlConfig, environment: Environment, without: Collection[str]
) -> list[TraceQuestion]:
    """Return the questions of all sources, shuffled with the recipe's seed.

    Args:
        config: the recipe.
        environment: says how long prompts and answers are.
        without: keys of held-out questions.

    Raises:
        ConfigError: as :func:`held_out_questions`.
        TraceFormatError: likewise.
    """
    found: dict[str, TraceQuestion] = {}
    for source in config.sources.values():
        questions = _questions(
            source,
            environment,
            most_prompt=config.max_prompt_tokens,
            most_answer=config.sampling.max_tokens,
            without=without,
        )
        found.update((question.key, question) for question in questions)
    ordered = list(found.values())
    derive_rng(config.seed, "rl questions").shuffle(ordered)
    return ordered


def _questions(
    config: QuestionsConfig,
    environment: Environment,
    *,
    most_prompt: int | None,
    most_answer: int | None,
    without: Collection[str],
) -> Iterator[TraceQuestion]:
    seen = set(without)
    left = config.programs
    bounds = [bound for bound in (most_prompt, config.max_prompt_tokens) if bound]
    for trace in _traces(config):
        question = TraceQuestion(trace)
        if question.key in seen or not is_askable(trace):
            continue
        seen.add(question.key)
        try:
            prompt, answer = environment.prompt_ids(question), environment.gold_ids(question)
        except CodecError:  # it does not fit into the context
            continue
        if len(prompt) > min(bounds, default=len(prompt)) or len(answer) > (most_answer or len(answer)):
            continue
        yield question
        left -= 1
        if not left:
            return


def _traces(config: QuestionsConfig) -> Iterator[Trace]:
    if config.path is not None:
        yield from load_traces(config.path, (config.split,))
    elif config.kind == "held_out":
        yield from held_out_traces(config.programs, config.seed)  # of which some are left out
    else:
        from opencwm.corpus.generator.config import sample_config
        from opencwm.corpus.generator.traced import generate_traced, in_process_recorder

        for index in range(_DRAWS * config.programs):  # whoever has enough of them stops
            rng = derive_rng("rl", config.seed, index)
            generator = sample_config(rng, 1.0)
            trace = generate_traced(rng, generator, in_process_recorder(generator))
            if trace is not None:
                yield trace
