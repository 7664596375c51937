"""From ``model.safetensors`` to one fused ONNX graph, without torch.

The idea: the graph is written down node by node in ONNX Runtime's fused operators instead of being traced
from a framework, so a decoding step is a dozen nodes a layer: packed QKV projection, ``GroupQueryAttention``
(rotary positions, window and cache inside), ``SkipSimplifiedLayerNormalization`` and SwiGLU. With
``weights="int8"`` every projection is ``MatMulNBits`` with 8-bit blocks and integer arithmetic. It needs the
``onnx`` package; running the result needs only onnxruntime.

Graph inputs: ``input_ids`` (1, T) int64, ``seqlens_k`` (1,) int32 = tokens in the sequence after this call
minus one, ``total_sequence_length`` () int32, ``logit_positions`` (K,) int64 = which of the T positions to
give logits for, and per layer ``past_key_values.L.key|value`` (1, G, S, D). Outputs: ``logits`` (K, V) and
``present.L.key|value``. S is the capacity of the cache; past and present may be the same memory.

Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.core.files import write_atomic
from opencwm.model.config import ModelConfig

Weights = Literal["fp32", "int8"]
FloatArray = NDArray[np.float32]

BLOCK_SIZE = 32
_OPSET = 17
_INT8_COMPUTE = 4  # MatMulNBits' accuracy_level: activations are quantized to int8 too
_ZERO_POINT = 128


def quantize_blocks(weight: FloatArray, block_size: int = BLOCK_SIZE) -> tuple[NDArray[np.uint8], FloatArray]:
    """Quantize rows to 8 bits, symmetric, one scale per block of ``block_size`` inputs.

    Args:
        weight: (out, in); ``in`` is padded with zeros to whole blocks.
        block_size: inputs that share a scale.

    Returns:
        Codes of shape (out, blocks, block_size), where 128 stands for 0, and scales of shape (out, blocks).
    """
    padding = -weight.shape[1] % block_size
    blocks = np.pad(weight, ((0, 0), (0, padding))).reshape(weight.shape[0], -1, block_size)
    scales = (np.abs(blocks).max(axis=-1) / 127.0).astype(np.float32)
    safe = np.where(scales == 0, 1.0, scales)[..., None]
    codes = np.rint(blocks / safe).astype(np.int16) + _ZERO_POINT
    return codes.astype(np.uint8), scales


def read_weights(path: Path) -> dict[str, FloatArray]:
    """Read a ``model.safetensors`` into fp32 arrays.

    Raises:
        EngineError: unreadable or not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: array.astype(np.float32) for name, array in load_file(str(path)).items()}
    except (OSError, SafetensorError, KeyError) as error:
        raise EngineError(f"cannot be read: {error}", where=str(path)) from None


def export_onnx(
    config: ModelConfig, weights: Mapping[str, FloatArray], path: Path, *, kind: Weights = "int8"
) -> None:
    """Write the ONNX graph of a decoder to ``path``, whole or not at all.

    Args:
        config: the shape.
        weights: arrays under Hugging Face's names; ``lm_head.weight`` may be absent when embeddings are tied.
        path: the file to write.
        kind: ``"fp32"``, or ``"int8"`` for 8-bit projections and an fp16 embedding table.

    Raises:
        EngineError: a weight is missing or has another shape than ``config`` says.
    """
    write_atomic(path, _GraphBuilder(config, weights, kind).build().SerializeToString())


class _GraphBuilder:
    """Collects nodes and initializers; each method appends nodes and returns the name of their output."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, FloatArray], kind: Weights) -> None:
        self.config, self.weights, self.kind = config, weights, kind
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def build(self) -> Any:
        """Return the finished ModelProto."""
        from onnx import helper

        config = self.config
        self.rotary_tables()
        residual, normed = "", ""
        branch = self.embedding()
        for layer in range(config.num_hidden_layers):
            prefix = f"model.layers.{layer}"
            residual, normed = self.norm(f"{prefix}.input_layernorm", branch, residual)
            branch = self.attention(layer, normed)
            residual, normed = self.norm(f"{prefix}.post_attention_layernorm", branch, residual)
            branch = self.mlp(prefix, normed)
        _, normed = self.norm("model.norm", branch, residual)
        self.head(normed)
        inputs, outputs = self.signature()
        graph = helper.make_graph(self.nodes, "opencwm_decoder", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="opencwm")
        model.ir_version = 8
        return model

    def signature(self) -> tuple[list[Any], list[Any]]:
        """Return the graph's inputs and outputs."""
        from onnx import TensorProto
        from onnx.helper import make_tensor_value_info as info

        config = self.config
        inputs = [
            info("input_ids", TensorProto.INT64, [1, "T"]),
            info("seqlens_k", TensorProto.INT32, [1]),
            info("total_sequence_length", TensorProto.INT32, []),
            info("logit_positions", TensorProto.INT64, ["K"]),
        ]
        outputs = [info("logits", TensorProto.FLOAT, ["K", config.vocab_size])]
        shape: list[str | int | None] = [1, config.num_key_value_heads, "S", config.head_dim]
        for layer in range(config.num_hidden_layers):
            for part in ("key", "value"):
                inputs.append(info(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, shape))
                outputs.append(info(f"present.{layer}.{part}", TensorProto.FLOAT, shape))
        return inputs, outputs

    def node(
        self, kind: str, inputs: list[str], outputs: list[str], *, domain: str = "", **attributes: Any
    ) -> str:
        """Append a node and return its first output."""
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )
        return outputs[0]

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Append an initializer and return its name."""
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def scalar(self, name: str, value: float) -> str:
        """Append an fp32 scalar and return its name."""
        return self.constant(name, np.array(value, np.float32))

    def weight(self, name: str, *shape: int) -> FloatArray:
        """Return a weight, checked against the shape the config implies."""
        if name not in self.weights:
            raise EngineError(f"the weight {name!r} is missing", where="model.safetensors")
        array = self.weights[name]
        if array.shape != shape:
            raise EngineError(f"{name!r} has shape {array.shape}, not {shape}", where="model.safetensors")
        return array

    def embedding(self) -> str:
        """Token ids to channels, (1, T, C)."""
        from onnx import TensorProto

        table = self.weight("model.embed_tokens.weight", self.config.vocab_size, self.config.hidden_size)
        half = self.kind == "int8"
        name = self.constant("embed_tokens", table.astype(np.float16) if half else table)
        if not half:
            return self.node("Gather", [name, "input_ids"], ["embedded"])
        return self.node(
            "Cast",
            [self.node("Gather", [name, "input_ids"], ["embedded_half"])],
            ["embedded"],
            to=TensorProto.FLOAT,
        )

    def rotary_tables(self) -> None:
        """Cosines and sines by position, as operators that the runtime folds: the file stays small."""
        config = self.config
        exponent = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
        frequency = np.float32(config.rope_theta) ** -exponent
        start, step = self.scalar("zero", 0), self.scalar("one", 1)
        end = self.scalar("num_positions", config.max_position_embeddings)
        column = self.constant("column", np.array([-1, 1], np.int64))
        positions = self.node(
            "Reshape", [self.node("Range", [start, end, step], ["range"]), column], ["positions"]
        )
        angle = self.node("Mul", [positions, self.constant("frequencies", frequency[None])], ["angles"])
        self.node("Cos", [angle], ["cos_cache"])
        self.node("Sin", [angle], ["sin_cache"])

    def norm(self, name: str, branch: str, residual: str) -> tuple[str, str]:
        """Add ``branch`` to the residual stream (none yet: start it) and normalise it.

        Returns:
            The residual stream and its normalised form.
        """
        gain = self.constant(f"{name}.weight", self.weight(f"{name}.weight", self.config.hidden_size))
        epsilon, normed = self.config.rms_norm_eps, f"{name}.out"
        if not residual:
            self.node(
                "SimplifiedLayerNormalization",
                [branch, gain],
                [normed],
                axis=-1,
                epsilon=epsilon,
                stash_type=1,
            )
            return branch, normed
        summed = f"{name}.residual"
        self.node(
            "SkipSimplifiedLayerNormalization",
            [branch, residual, gain],
            [normed, "", "", summed],
            domain="com.microsoft",
            epsilon=epsilon,
        )
        return summed, normed

    def matmul(self, name: str, source: str, weight: FloatArray) -> str:
        """Multiply by the transpose of ``weight`` (out, in)."""
        if self.kind == "fp32":
            return self.node("MatMul", [source, self.constant(f"{name}.weight", weight.T)], [f"{name}.out"])
        codes, scales = quantize_blocks(weight)
        return self.node(
            "MatMulNBits",
            [source, self.constant(f"{name}.codes", codes), self.constant(f"{name}.scales", scales)],
            [f"{name}.out"],
            domain="com.microsoft",
            K=weight.shape[1],
            N=weight.shape[0],
            bits=8,
            block_size=BLOCK_SIZE,
            accuracy_level=_INT8_COMPUTE,
        )

    def attention(self, layer: int, source: str) -> str:
        """Packed projection, attention over the cache, output projection."""
        config, prefix = self.config, f"model.layers.{layer}.self_attn"
        hidden, heads = config.hidden_size, config.num_attention_heads * config.head_dim
        groups = config.num_key_value_heads * config.head_dim
        rows = {"q_proj": heads, "k_proj": groups, "v_proj": groups}
        packed = np.concatenate(
            [self.weight(f"{prefix}.{n}.weight", size, hidden) for n, size in rows.items()]
        )
        qkv = self.matmul(f"{prefix}.qkv_proj", source, packed)
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        present = [f"present.{layer}.{part}" for part in ("key", "value")]
        mixed = self.node(
            "GroupQueryAttention",
            [qkv, "", "", *past, "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"],
            [f"{prefix}.mixed", *present],
            domain="com.microsoft",
            num_heads=config.num_attention_heads,
            kv_num_heads=config.num_key_value_heads,
            do_rotary=1,
            rotary_interleaved=0,
            local_window_size=config.window(layer) or -1,
        )
        return self.matmul(f"{prefix}.o_proj", mixed, self.weight(f"{prefix}.o_proj.weight", hidden, heads))

    def mlp(self, prefix: str, source: str) -> str:
        """SwiGLU with gate and up projections in one product."""
        config, name = self.config, f"{prefix}.mlp"
        shape = (config.intermediate_size, config.hidden_size)
        packed = np.concatenate(
            [self.weight(f"{name}.{part}.weight", *shape) for part in ("gate_proj", "up_proj")]
        )
        both = self.matmul(f"{name}.gate_up_proj", source, packed)
        self.node("Split", [both], [f"{name}.gate", f"{name}.up"], axis=-1)
        gate = self.node("QuickGelu", [f"{name}.gate"], [f"{name}.silu"], domain="com.microsoft", alpha=1.0)
        gated = self.node("Mul", [gate, f"{name}.up"], [f"{name}.gated"])
        return self.matmul(
            f"{name}.down_proj", gated, self.weight(f"{name}.down_proj.weight", *reversed(shape))
        )

    def head(self, source: str) -> None:
        """Logits of the positions asked for, (K, V)."""
        config = self.config
        name = "model.embed_tokens.weight" if config.tie_word_embeddings else "lm_head.weight"
        flat = self.constant("flat", np.array([-1, config.hidden_size], np.int64))
        rows = self.node("Reshape", [source, flat], ["hidden"])
        chosen = self.node("Gather", [rows, "logit_positions"], ["chosen"], axis=0)
        logits = self.matmul("lm_head", chosen, self.weight(name, config.vocab_size, config.hidden_size))
        self.nodes[-1].output[0] = "logits"
        del logits
