"""The decoder in torch, for training: a Llama-like network over packed rows, without a cache.

The idea: several documents share a row and never see each other. All dense work runs on the flattened tokens;
only attention looks at document borders: one causal call per document on a CPU, one call of variable-length
flash attention for all on a GPU; nothing is computed across borders, which halves the cost of a step. Flash
attention knows no fp32: that a GPU computes with FlexAttention and block masks. Parameter names are those of
``CwmForCausalLM``, so ``state_dict()`` is a valid ``model.safetensors``. It does not generate: see
``onnx_engine``.

Shape suffixes: B rows, T tokens of a row, N = B*T tokens flattened, C residual channels, H query heads, G
key/value heads, D channels of a head, A documents of L tokens each, P positions whose logits are wanted, V
vocabulary.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.nn.attention.varlen import varlen_attn

from opencwm.model.config import ModelConfig
from opencwm.model.token_loss import token_losses

_INIT_STD = 0.02
_CHUNK = 256
_BORDERS_STEP = 256

# torch 2.12 wants to be told that heads share keys; the kernels of 2.11 group heads without being asked.
_GROUPED: dict[str, Any] = (
    {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}
)


@dataclass(frozen=True)
class DocumentLayout:
    """Where documents lie in packed rows, worked out once per batch.

    ``groups`` are runs of equally long neighbours in flattened order, as (number of documents, length
    L); they partition the N tokens. ``biases`` maps (queries, keys, window) to the additive mask of a chunk
    of queries against the keys that end with it; it is empty where torch's fused kernel is to be used.
    ``borders_A`` is what :func:`document_borders` returns. ``masks`` maps a window (None: global) to the
    block mask of whole rows. Only one of ``groups``, ``borders_A`` and ``masks`` is filled.
    """

    groups: tuple[tuple[int, int], ...] = ()
    biases: dict[tuple[int, int, int | None], Tensor] = field(default_factory=dict)
    borders_A: Tensor | None = None
    masks: dict[int | None, BlockMask] = field(default_factory=dict)

    @staticmethod
    def of(
        doc_BT: Tensor, config: ModelConfig, dtype: torch.dtype, borders_A: Tensor | None = None
    ) -> DocumentLayout:
        """Read the layout off the document index of every position; rows never share a document.

        On a CPU, chunked matrix products beat torch's fused kernel three times over in bf16, and never in
        fp32. ``borders_A`` spares a GPU the wait for what it would be computed from.
        """
        if doc_BT.device.type != "cpu":
            if dtype != torch.bfloat16:
                return DocumentLayout.with_block_masks(doc_BT, config)
            return DocumentLayout(borders_A=document_borders(doc_BT) if borders_A is None else borders_A)
        runs = [n for row in doc_BT for n in torch.unique_consecutive(row, return_counts=True)[1].tolist()]
        groups = tuple((len(list(run)), length) for length, run in itertools.groupby(runs))
        if dtype != torch.bfloat16:
            return DocumentLayout(groups)
        shapes = {
            (end - start, end - first, window)
            for window in _windows(config)
            for length in {length for _, length in groups}
            for start, end, first in _chunks(length, window)
        }
        return DocumentLayout(groups, {shape: _bias(*shape, dtype) for shape in shapes})

    @staticmethod
    def with_block_masks(doc_BT: Tensor, config: ModelConfig) -> DocumentLayout:
        """Return the layout that attends to whole rows in blocks; blocks that nothing uses are left out.

        It is for fp32 on a GPU, and what variable-length attention is checked against.
        """
        rows, length = doc_BT.shape
        create = _block_mask_maker(doc_BT.device.type)
        masks = {
            window: create(_mask_mod(doc_BT, window), rows, None, length, length, device=doc_BT.device.type)
            for window in _windows(config)
        }
        return DocumentLayout(masks=masks)

    def for_window(self, window: int | None) -> DocumentLayout | BlockMask | Tensor:
        """Return what a layer with this window needs of it."""
        if self.masks:
            return self.masks[window]
        return self if self.borders_A is None else self.borders_A


def document_borders(doc_BT: Tensor) -> Tensor:
    """Return where documents begin in flattened order, then the number of tokens N, as int32.

    A row begins a document. N is repeated, as documents of no length, up to one more than a multiple of 256
    entries: what is compiled then sees few shapes. On a GPU this waits for ``doc_BT``.
    """
    begins_BT = torch.ones_like(doc_BT, dtype=torch.bool)
    begins_BT[:, 1:] = doc_BT[:, 1:] != doc_BT[:, :-1]
    begins = begins_BT.flatten().nonzero().flatten().to(torch.int32)
    missing = 1 + -len(begins) % _BORDERS_STEP
    return functional.pad(begins, (0, missing), value=doc_BT.numel())


@functools.cache
def _block_mask_maker(device: str) -> Callable[..., BlockMask]:
    """Return ``create_block_mask``, compiled where a GPU would otherwise fill whole T by T masks."""
    return torch.compile(create_block_mask) if device == "cuda" else create_block_mask


def _mask_mod(doc_BT: Tensor, window: int | None) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return whether a query sees a key, as FlexAttention asks it: by row, head, query and key position."""

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        same = doc_BT[row, query] == doc_BT[row, key]
        return same & _visible(query - key, window)

    return sees


def _windows(config: ModelConfig) -> set[int | None]:
    return {config.window(layer) for layer in range(config.num_hidden_layers)}


def _visible(distance: Tensor, window: int | None) -> Tensor:
    causal = distance >= 0
    return causal if window is None else causal & (distance < window)


def _chunks(length: int, window: int | None) -> Iterator[tuple[int, int, int]]:
    """Yield (first query, end of queries and keys, first key) of the chunks of a document."""
    for start in range(0, length, _CHUNK):
        first = 0 if window is None else max(0, start - window + 1)
        yield start, min(length, start + _CHUNK), first


def _bias(num_queries: int, num_keys: int, window: int | None, dtype: torch.dtype) -> Tensor:
    query = torch.arange(num_keys - num_queries, num_keys)
    visible = _visible(query[:, None] - torch.arange(num_keys)[None, :], window)
    return torch.zeros(num_queries, num_keys, dtype=dtype).masked_fill_(~visible, float("-inf"))


class Linear(nn.Linear):
    """A projection without bias whose fp32 weight is cast to the activations' type on use."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """(..., in) -> (..., out)."""
        return functional.linear(input, self.weight.to(input.dtype))


class RMSNorm(nn.Module):
    """Root-mean-square normalisation, computed in fp32, with a learned gain."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C) in the same type."""
        full = x.float()
        scale = torch.rsqrt(full.square().mean(-1, keepdim=True) + self.eps)
        return (full * scale * self.weight).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query causal attention with rotary positions, global or over a sliding window."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.groups, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.window = config.window(layer)
        self.q_proj = Linear(config.hidden_size, self.heads * self.head_dim)
        self.k_proj = Linear(config.hidden_size, self.groups * self.head_dim)
        self.v_proj = Linear(config.hidden_size, self.groups * self.head_dim)
        self.o_proj = Linear(self.heads * self.head_dim, config.hidden_size)

    def project(self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries (B, T, H, D), rotated keys (B, T, G, D) and values (B, T, G, D)."""
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]).to(x_BTC.dtype)
        qkv = functional.linear(x_BTC, weight).view(*x_BTC.shape[:2], -1, self.head_dim)
        num_rotated = self.heads + self.groups
        qk = rotate(qkv[:, :, :num_rotated], cos_TD, sin_TD)
        return qk[:, :, : self.heads], qk[:, :, self.heads :], qkv[:, :, num_rotated:]

    def attend(
        self, q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, layout: DocumentLayout | BlockMask | Tensor
    ) -> Tensor:
        """Return the mixed values, (B, T, H*D); nothing flows between documents.

        ``layout`` is what :meth:`DocumentLayout.for_window` returns.
        """
        if isinstance(layout, Tensor):
            return self._varlen(q_BTHD, k_BTGD, v_BTGD, layout)
        if isinstance(layout, BlockMask):
            q, k, v = (t.transpose(1, 2) for t in (q_BTHD, k_BTGD, v_BTGD))
            mixed = flex_attention(q, k, v, block_mask=layout, enable_gqa=self.heads != self.groups)
            return mixed.transpose(1, 2).flatten(2)
        sizes = [count * length for count, length in layout.groups]
        splits = [torch.split(t.flatten(0, 1), sizes) for t in (q_BTHD, k_BTGD, v_BTGD)]
        pieces = []
        for (count, length), *qkv in zip(layout.groups, *splits, strict=True):
            q, k, v = (t.view(count, length, *t.shape[1:]).transpose(1, 2) for t in qkv)
            mixed = self._plain(q, k, v, layout) if layout.biases else self._fused(q, k, v)
            pieces.append(mixed.transpose(1, 2).flatten(0, 1))
        return torch.cat(pieces).view(*q_BTHD.shape[:2], -1)

    def _varlen(self, q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, borders_A: Tensor) -> Tensor:
        """Attention of all documents in one call, by flash attention; bf16 on a GPU."""
        rows, length = q_BTHD.shape[:2]
        q, k, v = (t.flatten(0, 1) for t in (q_BTHD, k_BTGD, v_BTGD))
        span = (-1 if self.window is None else self.window - 1, 0)  # keys before and after a query's own
        mixed = varlen_attn(q, k, v, borders_A, borders_A, length, length, window_size=span, **_GROUPED)
        return cast("Tensor", mixed).reshape(rows, length, -1)

    def _plain(self, q_AHLD: Tensor, k_AGLD: Tensor, v_AGLD: Tensor, layout: DocumentLayout) -> Tensor:
        """Attention of A equally long documents by matrix products, a chunk of queries at a time."""
        count, heads, length, size = q_AHLD.shape
        q_AHLD = q_AHLD * size**-0.5
        pieces = []
        for start, end, first in _chunks(length, self.window):
            q = q_AHLD[:, :, start:end].reshape(count, self.groups, -1, size)
            scores = (q @ k_AGLD[:, :, first:end].transpose(2, 3)).view(count, heads, end - start, -1)
            scores = scores + layout.biases[end - start, end - first, self.window]
            weights = torch.softmax(scores, dim=-1).view(count, self.groups, -1, end - first)
            pieces.append((weights @ v_AGLD[:, :, first:end]).view(count, heads, -1, size))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)

    def _fused(self, q_AHLD: Tensor, k_AGLD: Tensor, v_AGLD: Tensor) -> Tensor:
        length = q_AHLD.shape[2]
        mask = None
        if self.window is not None and length > self.window:
            position = torch.arange(length, device=q_AHLD.device)
            mask = _visible(position[:, None] - position[None, :], self.window)
        return functional.scaled_dot_product_attention(
            q_AHLD,
            k_AGLD,
            v_AGLD,
            attn_mask=mask,
            is_causal=mask is None,
            enable_gqa=self.heads != self.groups,
        )


class MLP(nn.Module):
    """SwiGLU: a gated linear unit whose gate passes through SiLU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class DecoderLayer(nn.Module):
    """Pre-normalised attention, then a pre-normalised feed-forward block, each added to its input."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def before(self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Everything before attention."""
        return self.self_attn.project(self.input_layernorm(x_BTC), cos_TD, sin_TD)

    def after(self, x_BTC: Tensor, mixed_BTE: Tensor) -> Tensor:
        """Everything after attention."""
        x_BTC = x_BTC + self.self_attn.o_proj(mixed_BTE)
        out: Tensor = x_BTC + self.mlp(self.post_attention_layernorm(x_BTC))
        return out

    def forward(
        self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor, layout: DocumentLayout | BlockMask | Tensor
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return self.after(x_BTC, self.self_attn.attend(*self.before(x_BTC, cos_TD, sin_TD), layout))


class Backbone(nn.Module):
    """Embedding, layers, final normalisation; the part Hugging Face calls ``model``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [DecoderLayer(config, layer) for layer in range(config.num_hidden_layers)]
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Decoder(nn.Module):
    """A causal language model over packed rows.

    Weights are fp32; ``forward`` computes in ``compute_dtype`` (normalisation and softmax statistics stay
    fp32).
    """

    def __init__(self, config: ModelConfig, *, compute_dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = compute_dtype
        self.model = Backbone(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size)
        self.reset_parameters()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def reset_parameters(self) -> None:
        """Draw the weights: normal, narrower on projections that write to the residual stream."""
        residual_std = _INIT_STD / (2 * self.config.num_hidden_layers) ** 0.5
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(
                    parameter, std=residual_std if "o_proj" in name or "down_proj" in name else _INIT_STD
                )

    def hidden(self, ids_BT: Tensor, layout: DocumentLayout) -> Tensor:
        """Return the normalised residual stream after the last layer, (B, T, C), in ``compute_dtype``."""
        cos_TD, sin_TD = rotary_tables(ids_BT.shape[1], self.config, ids_BT.device, self.compute_dtype)
        x_BTC = functional.embedding(ids_BT, self.model.embed_tokens.weight).to(self.compute_dtype)
        for number, layer in enumerate(self.model.layers):
            x_BTC = layer(x_BTC, cos_TD, sin_TD, layout.for_window(self.config.window(number)))
        normed: Tensor = self.model.norm(x_BTC)
        return normed

    def forward(
        self,
        ids_BT: Tensor,
        doc_BT: Tensor,
        positions_P: Tensor | None = None,
        borders_A: Tensor | None = None,
        targets_P: Tensor | None = None,
        chunk: int = 0,
    ) -> Any:
        """Return fp32 logits of the next token, or, given targets, their losses.

        Args:
            ids_BT: token ids, int64.
            doc_BT: document index of every position; it sees earlier ones of its row with the same index.
            positions_P: flattened positions (row * T + column) to give logits for, None for all.
            borders_A: the :func:`document_borders` of ``doc_BT`` where they are known already.
            targets_P: the next tokens at ``positions_P``.
            chunk: how many targets' logits are held at once, 0 for all.

        Returns:
            Logits (P, V), or (B, T, V) when ``positions_P`` is None. Given targets, what
            :func:`opencwm.model.token_loss.token_losses` returns.
        """
        layout = DocumentLayout.of(doc_BT, self.config, self.compute_dtype, borders_A)
        hidden_BTC = self.hidden(ids_BT, layout)
        if positions_P is not None:
            hidden_BTC = hidden_BTC.flatten(0, 1).index_select(0, positions_P)
        if targets_P is not None:
            return token_losses(self.lm_head, hidden_BTC, targets_P, chunk)
        logits: Tensor = self.lm_head(hidden_BTC)
        return logits.float()


def rotary_tables(
    length: int, config: ModelConfig, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of positions 0..length-1, each (T, D/2)."""
    exponent = torch.arange(0, config.head_dim, 2, device=device, dtype=torch.float32) / config.head_dim
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * config.rope_theta**-exponent
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x_BTHD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Apply rotary positions: channel i of the first half turns with channel i of the second half."""
    first, second = x_BTHD.chunk(2, dim=-1)
    cos, sin = cos_TD[:, None, :], sin_TD[:, None, :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
