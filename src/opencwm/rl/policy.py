"""The policy in torch: a model of transformers with the weights of a model folder, and how it answers.

The idea: all answers to a question are drawn together, as a tree behind its prompt, and those to several
questions at once, because a pass reads all weights however little it computes. The weights are those that are
being trained, so there is nothing to refresh, and the log-probabilities are those of the policy.

Shape suffixes: N nodes of the tree at one depth, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from opencwm.codec.hub_tokenizer import BEGIN, END, PAD
from opencwm.core.errors import ConfigError
from opencwm.core.files import atomic_path
from opencwm.model.config import ModelConfig
from opencwm.model.folder import CONFIG_NAME, SAFETENSORS_NAME
from opencwm.model.precision import FloatArray
from opencwm.rl.answer_tree import AnswerForest, computing, masks, prompt_mask


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a policy wrote.

    Attributes:
        ids: its stop included, when there is one.
        logarithms: natural logarithm of the probability of each id, at the temperature they were drawn with.
    """

    ids: tuple[int, ...]
    logarithms: tuple[float, ...]


def make_policy(config: ModelConfig, weights: Mapping[str, FloatArray]) -> Any:
    """Return the ``CwmForCausalLM`` with these weights, on the CPU, in fp32.

    Its attribute ``compute_dtype`` says what its passes are computed in: fp32 until it is changed.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    ids = {"bos_token_id": BEGIN, "eos_token_id": END, "pad_token_id": PAD}
    shape = {key: value for key, value in config.to_hugging_face().items() if key != "torch_dtype"}
    described = AutoConfig.for_model(**{**shape, **ids})
    model = AutoModelForCausalLM.from_config(described, dtype=torch.float32, attn_implementation="sdpa")
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    missing, unknown = model.load_state_dict(state, strict=False)
    if unknown or set(missing) - {"lm_head.weight"}:
        raise ConfigError(f"weights that do not fit: {', '.join([*missing, *unknown][:3])}", where="policy")
    model.tie_weights()
    model.generation_config.eos_token_id = END
    model.compute_dtype = torch.float32
    return model


def save_policy(model: Any, config: ModelConfig, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors``, which ``opencwm export`` reads."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name not in tied}
    with atomic_path(folder / SAFETENSORS_NAME) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    config.save(folder / CONFIG_NAME)


@torch.inference_mode()
def answers(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    num_answers: int,
    stops: Collection[int],
    max_tokens: int,
    temperature: float,
    generator: torch.Generator | None = None,
) -> list[list[Answer]]:
    """Draw answers to prompts, all of them together.

    Args:
        model: the policy; whether it is training does not matter, it has no dropout.
        prompts: ids, at least one each.
        num_answers: how many to each prompt; with temperature 0 they are all the same.
        stops: ids that end an answer.
        max_tokens: an answer of so many ids that has not ended breaks off.
        temperature: logits are divided by it; 0 is greedy.
        generator: of the draws.
    """
    forest = AnswerForest([len(prompt) for prompt in prompts])
    cache, logits_NV = _prompts(model, prompts)
    written = [[Answer((), ())] * num_answers for _ in prompts]
    alive = {-1 - k: [(k, number) for number in range(num_answers)] for k in range(len(prompts))}
    slots: list[int] = []
    for count in range(max_tokens):
        below: dict[int, list[tuple[int, int]]] = {}
        for logits_V, (node, places) in zip(logits_NV, alive.items(), strict=True):
            chosen, logarithms = _draw(logits_V, len(places), temperature, generator)
            for (k, number), token, logarithm in zip(places, chosen, logarithms, strict=True):
                held = written[k][number]
                written[k][number] = Answer((*held.ids, token), (*held.logarithms, logarithm))
                if token not in stops:
                    below.setdefault(forest.child(node, token), []).append((k, number))
        alive = below
        if not alive or count + 1 == max_tokens:
            break
        nodes = list(alive)
        slots += nodes
        with computing(model):
            out = model.model(
                torch.tensor([[forest.ids[node] for node in nodes]]),
                position_ids=forest.positions(nodes)[None],
                attention_mask=masks(model, functools.partial(forest.mask, nodes, slots)),
                cache=cache,
                use_cache=True,
            )
            logits_NV = model.lm_head(out.last_hidden_state[0])
    return written


def _prompts(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[Any, Tensor]:
    """Return the keys and values of prompts one after the other, and the logits after each, (prompts, V)."""
    from transformers import DynamicCache

    caches, lasts = [], []
    for prompt in prompts:
        caches.append(DynamicCache())
        whole = masks(model, functools.partial(prompt_mask, len(prompt), len(prompt)))
        with computing(model):
            out = model.model(
                torch.tensor([list(prompt)]), attention_mask=whole, cache=caches[-1], use_cache=True
            )
        lasts.append(out.last_hidden_state[0, -1])
    joined = DynamicCache()
    for number, layers in enumerate(zip(*(cache.layers for cache in caches), strict=True)):
        keys, values = (
            torch.cat(parts, dim=2) for parts in zip(*((one.keys, one.values) for one in layers), strict=True)
        )
        joined.update(keys, values, number)
    with computing(model):
        return joined, model.lm_head(torch.stack(lasts))


def _draw(
    logits_V: Tensor, number: int, temperature: float, generator: torch.Generator | None
) -> tuple[list[int], list[float]]:
    """Return so many ids and their logarithms."""
    logarithms_V = torch.log_softmax(logits_V.float() / (temperature or 1.0), dim=-1)
    if temperature:
        chosen = torch.multinomial(logarithms_V.exp(), number, replacement=True, generator=generator)
    else:
        chosen = logits_V.argmax().expand(number)
    return chosen.tolist(), logarithms_V[chosen].tolist()
