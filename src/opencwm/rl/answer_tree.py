"""Answers to a prompt as a tree behind it, so that nothing that they share is computed twice.

The idea: answers begin alike, and most of a group are the same. A node is an id after the ids above it; it
sees the prompt and the nodes above it, and stands where it would stand if it were alone. The nodes of all
answers are computed as one sequence, with a mask that says who sees whom; the log-probabilities are those of
answers computed one by one. Both drawing answers and learning from them use it.

Shape suffixes: P ids of the prompt, N nodes, Q queries of a pass, K keys, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from opencwm.model.config import FULL_ATTENTION, SLIDING_ATTENTION


class AnswerForest:
    """Trees of answers, one behind each of several prompts; nodes are numbered in the order they are made.

    The keys of a pass are all prompts, one after the other, then nodes. The root of prompt ``k`` is ``-1 -
    k``.

    Args:
        sizes: ids of each prompt.

    Attributes:
        ids: of each node.
        paths: the nodes from the root to each node, itself included.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = list(sizes)
        self._starts = [0, *itertools.accumulate(sizes)]
        self._owners: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self.ids: list[int] = []
        self.paths: list[tuple[int, ...]] = []

    def child(self, node: int, token: int) -> int:
        """Return the node of ``token`` below a node or a root; made when there is none."""
        found = self._children.get((node, token))
        if found is None:
            found = self._children[node, token] = len(self.ids)
            self.ids.append(token)
            self.paths.append((*(self.paths[node] if node >= 0 else ()), found))
            self._owners.append(self._owners[node] if node >= 0 else -1 - node)
        return found

    def add(self, answer: Sequence[int], prompt: int = 0) -> list[int]:
        """Add an answer to a prompt; return the node or root before each of its ids."""
        node, before = -1 - prompt, []
        for token in answer:
            before.append(node)
            node = self.child(node, token)
        return before

    def positions(self, nodes: Sequence[int]) -> Tensor:
        """Return where nodes stand behind their prompts, (N,)."""
        places = [self._sizes[self._owners[node]] - 1 + len(self.paths[node]) for node in nodes]
        return torch.tensor(places, dtype=torch.long)

    def mask(self, nodes: Sequence[int], slots: Sequence[int], window: int | None) -> Tensor:
        """Return who sees whom, (N, K): a node sees the ids of its prompt, the nodes above it and itself.

        Args:
            nodes: that look.
            slots: nodes whose keys are there, in order.
            window: ids that are seen, the own one included; None for all.
        """
        place = {node: self._starts[-1] + index for index, node in enumerate(slots)}
        seen = torch.zeros(len(nodes), self._starts[-1] + len(slots), dtype=torch.bool)
        for row, node in enumerate(nodes):
            owner = self._owners[node]
            seen[row, self._starts[owner] : self._starts[owner + 1]] = True
            seen[row, [place[above] for above in self.paths[node]]] = True
        if window is not None:
            keys = torch.cat([*(torch.arange(size) for size in self._sizes), self.positions(slots)])
            seen &= self.positions(nodes)[:, None] - keys[None, :] < window
        return seen


def prompt_mask(num_ids: int, num_keys: int, window: int | None) -> Tensor:
    """Return the causal mask of a prompt, (P, K), K at least P: what is behind the prompt is not seen."""
    distance = torch.arange(num_ids)[:, None] - torch.arange(num_keys)[None, :]
    return (distance >= 0) if window is None else (distance >= 0) & (distance < window)


def masks(model: Any, make: Any) -> dict[str, Tensor]:
    """Return the masks of both kinds of layers, (1, 1, Q, K), as transformers' decoders take them.

    Args:
        model: the policy.
        make: returns the mask (Q, K) for a window.
    """
    window = int(model.config.sliding_window)
    kinds = {FULL_ATTENTION: None, SLIDING_ATTENTION: window}
    return {kind: make(size)[None, None] for kind, size in kinds.items() if kind in model.config.layer_types}


def group_logits(
    model: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]
) -> tuple[Tensor, list[list[int]]]:
    """Compute all answers to a prompt in one pass.

    Returns:
        Logits after the prompt's last id and after each node, (1 + N, V), and for each answer the rows that
        its ids are drawn from.
    """
    tree = AnswerForest([len(prompt)])
    before = [tree.add(answer) for answer in answers]
    inner = sorted(
        {node for path in before for node in path} - {-1}
    )  # an id that nothing follows is left out
    row = {node: index for index, node in enumerate([-1, *inner])}
    rows = [[row[node] for node in path] for path in before]
    num_keys = len(prompt) + len(inner)

    def make(window: int | None) -> Tensor:
        above = prompt_mask(len(prompt), num_keys, window)
        return torch.cat([above, tree.mask(inner, inner, window)])

    ids = torch.tensor([[*prompt, *(tree.ids[node] for node in inner)]])
    positions = torch.cat([torch.arange(len(prompt)), tree.positions(inner)])[None]
    with computing(model):
        out = model.model(
            input_ids=ids, position_ids=positions, attention_mask=masks(model, make), use_cache=False
        )
        logits = model.lm_head(out.last_hidden_state[0, len(prompt) - 1 :])
    return logits, rows


def computing(model: Any) -> torch.autocast:
    """Return the context in which a policy computes in its ``compute_dtype``; its weights stay fp32.

    Entered for each pass: within one, weights are made small once, and an optimizer's step is not seen.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=model.compute_dtype == torch.bfloat16)
