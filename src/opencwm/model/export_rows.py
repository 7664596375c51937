"""From a ``model.onnx`` to the graph of several sequences, a few hundred kilobytes that use its weights.

The idea: new ids of all sequences stand one behind the other, so every product is made once for all of them;
only attention is made row by row, each over its own cache, for ``GroupQueryAttention`` takes a batch of one
token a sequence or one sequence of many. Weights are not copied: the graph names their places in the file it
was made from, and the SHA-256 of that file. It needs the ``onnx`` package; running the result does not.

Graph inputs: ``input_ids`` (1, T) int64, of the rows in order; ``row_lengths`` (R,) int64, how many ids each
has, 1 where it has none; ``num_tokens`` (1,) int64 = T; ``idle`` (1, rows without ids, channels) float32,
which stands for their queries, keys and values; ``logit_positions`` (K,) int64; and per row r
``seqlens_k.r``, ``total_sequence_length.r`` and ``past.r.L.key|value`` as in :mod:`opencwm.model.export`.
Outputs: ``logits`` (K, V) and ``present.r.L.key|value``.

Source: ONNX, "External data" in docs/ExternalData.md.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from opencwm.core.files import write_atomic
from opencwm.model.together import ROWS

_EMBEDDED_BYTES = 1024  # an array that is smaller is copied


def export_rows(weights: Path, path: Path, *, num_rows: int = ROWS) -> None:
    """Write the graph of ``num_rows`` sequences to ``path``, beside the ``model.onnx`` it is made of.

    Args:
        weights: the ``model.onnx``.
        path: the file to write, beside it.
        num_rows: most sequences of a call.
    """
    import onnx
    from onnx import helper

    data = weights.read_bytes()
    source = onnx.load_from_string(data)
    attention = [node for node in source.graph.node if node.op_type == "GroupQueryAttention"]
    nodes = []
    for node in source.graph.node:
        nodes += _by_rows(node, num_rows) if node in attention else [node]
    constants = [placed(tensor, data, weights.name) for tensor in source.graph.initializer]
    for name, value in (("first_token", 0), ("token_axis", 1)):
        constants.append(helper.make_tensor(name, onnx.TensorProto.INT64, [1], [value]))
    inputs, outputs = _signature(source.graph, _width(source.graph, attention[0]), num_rows)
    graph = helper.make_graph(nodes, "opencwm_rows", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=source.opset_import, producer_name="opencwm")
    model.ir_version = source.ir_version
    told = {"num_rows": str(num_rows), "weights_sha256": hashlib.sha256(data).hexdigest()}
    helper.set_model_props(model, told)
    write_atomic(path, model.SerializeToString())


def _by_rows(node: Any, num_rows: int) -> list[Any]:
    """Return the nodes that do for each row what an attention node does for one sequence."""
    import onnx
    from onnx.helper import make_node

    name = node.name
    with_idle = make_node("Concat", [node.input[0], "idle"], [f"{name}.all"], name=f"{name}.all", axis=1)
    rows = [f"{name}.in.{row}" for row in range(num_rows)]
    split = make_node("Split", [f"{name}.all", "row_lengths"], rows, name=f"{name}.in", axis=1)
    mixed = []
    for row in range(num_rows):
        twin = onnx.NodeProto()
        twin.CopyFrom(node)
        twin.name = f"{name}.{row}"
        twin.input[0] = rows[row]
        for place in (3, 4):
            twin.input[place] = node.input[place].replace("past_key_values.", f"past.{row}.")
        for place in (5, 6):
            twin.input[place] = f"{node.input[place]}.{row}"
        twin.output[0] = f"{name}.out.{row}"
        for place in (1, 2):
            twin.output[place] = node.output[place].replace("present.", f"present.{row}.")
        mixed.append(twin)
    outputs = [twin.output[0] for twin in mixed]
    joined = make_node("Concat", outputs, [f"{name}.out"], name=f"{name}.out", axis=1)
    used = make_node(
        "Slice", [f"{name}.out", "first_token", "num_tokens", "token_axis"], [node.output[0]], name=name
    )
    return [with_idle, split, *mixed, joined, used]


def placed(tensor: Any, data: bytes, file_name: str) -> Any:
    """Return an initializer that names the place of its bytes in the file, unless they are few."""
    from onnx import TensorProto

    if len(tensor.raw_data) < _EMBEDDED_BYTES:
        return tensor
    placed = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    placed.data_location = TensorProto.EXTERNAL
    place = {"location": file_name, "offset": data.index(tensor.raw_data), "length": len(tensor.raw_data)}
    for key, value in place.items():
        placed.external_data.add(key=key, value=str(value))
    return placed


def _width(graph: Any, attention: Any) -> int:
    """Return the channels of queries, keys and values together, from what the heads of a cache have."""
    attributes = {attribute.name: attribute.i for attribute in attention.attribute}
    shapes = {tensor.name: tensor.type.tensor_type.shape.dim for tensor in graph.input}
    head_dim = int(shapes[attention.input[3]][3].dim_value)
    return head_dim * int(attributes["num_heads"] + 2 * attributes["kv_num_heads"])


def _signature(graph: Any, width: int, num_rows: int) -> tuple[list[Any], list[Any]]:
    from onnx import TensorProto
    from onnx.helper import make_tensor_value_info as info

    inputs = [tensor for tensor in graph.input if tensor.name in ("input_ids", "logit_positions")]
    inputs += [
        info("row_lengths", TensorProto.INT64, [num_rows]),
        info("num_tokens", TensorProto.INT64, [1]),
        info("idle", TensorProto.FLOAT, [1, "I", width]),
    ]
    outputs = [tensor for tensor in graph.output if tensor.name == "logits"]
    for row in range(num_rows):
        inputs.append(info(f"seqlens_k.{row}", TensorProto.INT32, [1]))
        inputs.append(info(f"total_sequence_length.{row}", TensorProto.INT32, []))
        for tensors, own, old, new in (
            (inputs, graph.input, "past_key_values.", f"past.{row}."),
            (outputs, graph.output, "present.", f"present.{row}."),
        ):
            for tensor in own:
                if tensor.name.startswith(old):
                    dims = [dim.dim_value or f"S{row}" for dim in tensor.type.tensor_type.shape.dim]
                    tensors.append(info(tensor.name.replace(old, new), TensorProto.FLOAT, dims))
    return inputs, outputs
