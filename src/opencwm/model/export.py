"""From ``model.safetensors`` to one fused ONNX graph, without torch.

The idea: the graph is written down node by node in ONNX Runtime's fused operators instead of being traced
from a framework, so a decoding step is a dozen nodes a layer: packed QKV projection, ``GroupQueryAttention``
(rotary positions, window and cache inside), ``SkipSimplifiedLayerNormalization`` and SwiGLU. In int8 and
int4 every projection is ``MatMulNBits`` over blocks of weights, with integer arithmetic; bf16 is a way to
store: onnxruntime has no bf16 products on a CPU, so weights become fp32 when a graph is opened. It needs
the ``onnx`` package; running the result needs only onnxruntime.

Graph inputs: ``input_ids`` (1, T) int64, ``seqlens_k`` (1,) int32 = tokens in the sequence after this call
minus one, ``total_sequence_length`` () int32, ``logit_positions`` (K,) int64 = which of the T positions to
give logits for, and per layer ``past_key_values.L.key|value`` (1, G, S, D). Outputs: ``logits`` (K, V) and
``present.L.key|value``. S is the capacity of the cache; past and present may be the same memory.

Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.core.files import write_atomic
from opencwm.model.config import ModelConfig
from opencwm.model.precision import FloatArray, WeightFormat, pack_nibbles, quantize_blocks

_OPSET = 17
_INT8_COMPUTE = 4  # MatMulNBits' accuracy_level: activations are quantized to int8 too


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
    config: ModelConfig, weights: Mapping[str, FloatArray], path: Path, *, kind: str = "int8"
) -> None:
    """Write the ONNX graph of a decoder to ``path``, whole or not at all.

    Args:
        config: the shape.
        weights: arrays under Hugging Face's names; ``lm_head.weight`` may be absent when embeddings are tied.
        path: the file to write.
        kind: how projections are stored, as :meth:`WeightFormat.parse` reads it. The embedding table is fp16
            beside int8 and int4; the head stays int8 beside int4.

    Raises:
        ConfigError: no such ``kind``.
        EngineError: a weight is missing or has another shape than ``config`` says.
    """
    built = _GraphBuilder(config, weights, WeightFormat.parse(kind)).build()
    write_atomic(path, built.SerializeToString())


class _GraphBuilder:
    """Collects nodes and initializers; each method appends nodes and returns the name of their output."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, FloatArray], kind: WeightFormat) -> None:
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
        table = self.weight("model.embed_tokens.weight", self.config.vocab_size, self.config.hidden_size)
        if self.kind.precision == "fp32":
            return self.node("Gather", [self.constant("embed_tokens", table), "input_ids"], ["embedded"])
        stored = self.brain_floats("embed_tokens", table) if self.kind.precision == "bf16" else None
        name = stored or self.constant("embed_tokens", table.astype(np.float16))
        return self.full(self.node("Gather", [name, "input_ids"], ["embedded_half"]), "embedded")

    def brain_floats(self, name: str, array: FloatArray) -> str:
        """Append a bf16 initializer, rounded to nearest, and return its name."""
        import ml_dtypes

        return self.constant(name, array.astype(ml_dtypes.bfloat16))

    def full(self, source: str, name: str) -> str:
        """Cast to fp32."""
        from onnx import TensorProto

        return self.node("Cast", [source], [name], to=TensorProto.FLOAT)

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

    def matmul(self, name: str, source: str, weight: FloatArray, *, bits: int | None = None) -> str:
        """Multiply by the transpose of ``weight`` (out, in); ``bits`` overrides those of a quantized kind."""
        if self.kind.bits is None:
            is_half = self.kind.precision == "bf16"
            store = self.brain_floats if is_half else self.constant
            stored = store(f"{name}.weight", weight.T)
            factor = self.full(stored, f"{name}.full") if is_half else stored
            return self.node("MatMul", [source, factor], [f"{name}.out"])
        bits = bits or self.kind.bits
        codes, scales = quantize_blocks(weight, self.kind.block_size, bits=bits)
        packed = pack_nibbles(codes) if bits == 4 else codes
        return self.node(
            "MatMulNBits",
            [source, self.constant(f"{name}.codes", packed), self.constant(f"{name}.scales", scales)],
            [f"{name}.out"],
            domain="com.microsoft",
            K=weight.shape[1],
            N=weight.shape[0],
            bits=bits,
            block_size=self.kind.block_size,
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
        self.matmul("lm_head", chosen, self.weight(name, config.vocab_size, config.hidden_size), bits=8)
        self.nodes[-1].output[0] = "logits"
