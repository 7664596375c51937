"""The candidates of ``eval quantization``: one model, its weights stored in several ways, ready to predict.

The one idea: a precision is a word (``fp32``, ``bf16``, ``int8``, ``int8:128``, ``int4``) that each kind of
engine understands in its own way. Our own checkpoints are exported once for each, with onnxruntime; a Hugging
Face folder, such as one of facebook/cwm, is opened by torch as :data:`TORCH` says.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.working import Working
from opencwm.evals.decode_cost import Cost, decode, measure_cost
from opencwm.evals.predictor import NativePredictor
from opencwm.evals.quantization import Candidate
from opencwm.frontends.exporting import export_run
from opencwm.model.folder import CONFIG_NAME, META_NAME, ONNX_NAME
from opencwm.model.generation import EngineGenerator, Generator
from opencwm.model.precision import WeightFormat

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class TorchLoading:
    """How torch opens weights: ``dtype`` and ``quantize`` of its engine."""

    dtype: str
    quantize: str | None = None

    def spec(self, source: Path) -> str:
        """Return folder or hub name with these options, in one word."""
        options = {"dtype": self.dtype, "quantize": self.quantize}
        told = (f"{key}={value}" for key, value in options.items() if value is not None)
        return ",".join([str(source), *told])


TORCH: Final[Mapping[str, TorchLoading]] = {
    "fp32": TorchLoading("float32"),
    "bf16": TorchLoading("bfloat16"),
    "int8": TorchLoading("bfloat16", "int8"),
    "int4": TorchLoading("bfloat16", "int4"),
}
"""Precisions that a Hugging Face folder can be opened in."""

TorchOpener = Callable[[Path, TorchLoading], Candidate]
"""Opens a Hugging Face folder; the name of what it returns does not matter."""


def open_torch(source: Path, loading: TorchLoading) -> Candidate:
    """Open a Hugging Face folder, or a model of the hub, with torch.

    Raises:
        ConfigError: it is of another format, or what the precision needs is not installed.
        EngineError: it cannot be opened.
    """
    from opencwm.debugger.cwm_model import CwmWorldModel
    from opencwm.debugger.world_model import WorldModel
    from opencwm.evals.predictor import CwmPredictor
    from opencwm.model.torch_engine import TorchEngine, has_gpu

    spec = loading.spec(source)
    world = WorldModel.load(spec)
    if not isinstance(world, CwmWorldModel):
        raise ConfigError(f"speaks {world.format}, not cwm", where=str(source))
    generator = world.generator
    engine = generator.engine if isinstance(generator, EngineGenerator) else None
    if not isinstance(engine, TorchEngine):
        raise ConfigError("is not opened by torch", where=str(source))
    size_bytes = engine.weight_bytes
    if has_gpu():
        cost = functools.partial(_cost_on_gpu, generator, size_bytes)
    else:
        cost = functools.partial(measure_cost, spec)
    return Candidate(world.name, CwmPredictor(world), size_bytes, cost)


def _cost_on_gpu(generator: Generator, size_bytes: int) -> Cost:
    """Measure in this process, whose GPUs hold the other candidates too: weights, and what decoding adds."""
    from opencwm.model.torch_engine import gpu_held_mib, gpu_peak_mib

    held = gpu_held_mib()
    return decode(generator, memory=lambda: size_bytes / 2**20 + gpu_peak_mib() - held)


def open_candidates(
    source: Path,
    precisions: Sequence[str],
    folder: Path,
    *,
    expressions: bool,
    working: Working,
    torch_opener: TorchOpener = open_torch,
) -> list[Candidate]:
    """Open one model in several precisions.

    Args:
        source: a training run, a model folder with fp32 weights, or a Hugging Face folder.
        precisions: the first is what the others are compared with.
        folder: what is exported is written here, and must stay while the candidates are used.
        expressions: have the model work with expression detail.
        working: who works out sub-expressions then.
        torch_opener: opens Hugging Face folders.

    Raises:
        ConfigError: no such precision, or nothing that can be opened in it.
        EngineError: weights that are missing or broken.
    """
    formats = [WeightFormat.parse(precision) for precision in precisions]
    if is_hugging_face(source):
        return [_with_torch(source, form, torch_opener) for form in formats]
    return [
        _with_onnx(
            source, form, folder / str(form).replace(":", "-"), expressions=expressions, working=working
        )
        for form in formats
    ]


def is_hugging_face(source: Path) -> bool:
    """Whether ``source`` is a folder as transformers reads it, and none of ours, or a name of the hub."""
    if not source.exists():
        return _HUB_NAME.fullmatch(str(source)) is not None
    if (source / META_NAME).is_file() or not (source / CONFIG_NAME).is_file():
        return False
    try:
        config = json.loads((source / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "architectures" in config


def _with_torch(source: Path, form: WeightFormat, opener: TorchOpener) -> Candidate:
    if str(form) not in TORCH:
        raise ConfigError(
            f"torch cannot open weights as {form}", where=str(source), hint=f"one of {', '.join(TORCH)}"
        )
    return dataclasses.replace(opener(source, TORCH[str(form)]), name=str(form))


def _with_onnx(
    source: Path, form: WeightFormat, folder: Path, *, expressions: bool, working: Working
) -> Candidate:
    export_run(source, folder, precision=str(form))
    model = NativeWorldModel.load(folder)
    predictor = NativePredictor(
        str(form),
        model.codec,
        model.engine,
        expressions=expressions,
        working=working,
        revision=model.revision,
    )
    size_bytes = (folder / ONNX_NAME).stat().st_size
    return Candidate(str(form), predictor, size_bytes, functools.partial(measure_cost, str(folder)))
