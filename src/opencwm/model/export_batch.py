"""From a ``model.onnx`` to the same graph for a batch, a few kilobytes that use its weights.

The idea: nothing in the graph needs a batch of one, only its signature says so. It needs the ``onnx``
package; running the result, in :mod:`opencwm.model.onnx_bank`, does not.

Graph inputs and outputs are those of :mod:`opencwm.model.export` with a batch B in place of 1: one id of each
of B sequences, or many ids of one. ``logit_positions`` counts through all ids, sequence by sequence.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from opencwm.core.files import write_atomic
from opencwm.model.export_rows import placed

_BATCHED = ("input_ids", "seqlens_k", "past_key_values.", "present.")


def export_batch(weights: Path, path: Path) -> None:
    """Write the graph of a batch to ``path``, beside the ``model.onnx`` it is made of."""
    import onnx
    from onnx import helper

    data = weights.read_bytes()
    model = onnx.load_from_string(data)
    for tensor in (*model.graph.input, *model.graph.output):
        if tensor.name.startswith(_BATCHED):
            first = tensor.type.tensor_type.shape.dim[0]
            first.ClearField("dim_value")
            first.dim_param = "B"
    constants = [placed(tensor, data, weights.name) for tensor in model.graph.initializer]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    helper.set_model_props(model, {"weights_sha256": hashlib.sha256(data).hexdigest()})
    write_atomic(path, model.SerializeToString())
