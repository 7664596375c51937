"""Greedy decoding of one prompt by our engine and by others on the same weights, one process and thread each.

Every runtime is a process that loads the model, says when it has its first token, and then decodes the same
number of tokens each time it is told to, so that ``engine_speed.py`` can let them take turns.

Sources: transformers, ``GenerationMixin.generate``; llama.cpp, ``include/llama.h``.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

Decoder = Callable[[Sequence[int], int], Iterator[int]]
"""Yields so many greedy tokens after a prompt, each as soon as it is known; the prompt is run anew."""

RUNTIMES = {
    "opencwm int8": "int8",
    "opencwm int8, running ahead": "int8",
    "opencwm fp32": "fp32",
    "transformers fp32": "hf",
    "transformers fp32, static cache": "hf",
    "transformers bf16": "hf",
    "llama.cpp q8_0": "q8_0.gguf",
    "llama.cpp f32": "f32.gguf",
}
"""Name of a runtime -> its weights in the folder of all weights."""

NEEDS = {"transformers": ("torch", "transformers"), "llama.cpp": ("llama_cpp", "gguf")}


def missing(name: str) -> list[str]:
    """Return the packages that a runtime needs and that are not installed."""
    return [need for need in NEEDS.get(name.split(" ")[0], ()) if importlib.util.find_spec(need) is None]


def version(name: str) -> str:
    """Return the package behind a runtime and its version."""
    packages = {"opencwm": "onnxruntime", "transformers": "transformers", "llama.cpp": "llama_cpp"}
    package = packages[name.split(" ")[0]]
    return f"{package} {importlib.import_module(package).__version__}"


# -- the runtimes


def open_opencwm(weights: Path, *, ahead: bool) -> Decoder:
    from opencwm.model.config import ModelConfig
    from opencwm.model.onnx_engine import OnnxEngine
    from opencwm.model.speculation import SpeculativeEngine

    plain = OnnxEngine.load(weights / "model.onnx", ModelConfig.load(weights / "config.json"))

    def decode(prompt: Sequence[int], num_new: int) -> Iterator[int]:
        engine = SpeculativeEngine(plain.fork()) if ahead else plain
        engine.truncate(0)
        token = int(engine.append(prompt).argmax())
        yield token
        for _ in range(num_new - 1):
            token = int(engine.append([token]).argmax())
            yield token

    return decode


def open_transformers(weights: Path, *, dtype: str, static: bool) -> Decoder:
    import torch
    import transformers

    talk: Any = transformers.logging  # published without types
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(weights, dtype=getattr(torch, dtype))
    model.generation_config.eos_token_id = None  # as many tokens as the others

    class Recorder:
        """What ``generate`` hands each token to; the prompt comes first."""

        def __init__(self) -> None:
            self.seen: list[tuple[int, float, float]] = []

        def put(self, value: Any) -> None:
            self.seen.append((int(value.flatten()[-1]), time.perf_counter(), time.process_time()))

        def end(self) -> None:
            pass

    def decode(prompt: Sequence[int], num_new: int) -> Iterator[int]:
        recorder = Recorder()
        with torch.inference_mode():
            model.generate(
                torch.tensor([list(prompt)]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                max_new_tokens=num_new,
                do_sample=False,
                streamer=recorder,
                **({"cache_implementation": "static"} if static else {}),
            )
        TIMES[:] = [(wall, cpu) for _, wall, cpu in recorder.seen[1:]]
        yield from (token for token, _, _ in recorder.seen[1:])

    return decode


def open_llama_cpp(weights: Path) -> Decoder:
    import llama_cpp as ll

    KEPT.append(ll.llama_log_callback(lambda *_: None))
    ll.llama_log_set(KEPT[0], ctypes.c_void_p(0))
    ll.llama_backend_init()
    model = ll.llama_model_load_from_file(str(weights).encode(), ll.llama_model_default_params())
    settings = ll.llama_context_default_params()
    settings.n_ctx = settings.n_batch = 2048
    settings.n_threads = settings.n_threads_batch = 1
    context = ll.llama_init_from_model(model, settings)
    size = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))

    def run(ids: Sequence[int]) -> int:
        array = (ctypes.c_int32 * len(ids))(*ids)
        if ll.llama_decode(context, ll.llama_batch_get_one(array, len(ids))):
            raise RuntimeError("llama_decode failed")
        logits = np.ctypeslib.as_array(ll.llama_get_logits_ith(context, -1), (size,))
        return int(logits.argmax())

    def decode(prompt: Sequence[int], num_new: int) -> Iterator[int]:
        ll.llama_memory_clear(ll.llama_get_memory(context), True)
        token = run(prompt)
        yield token
        for _ in range(num_new - 1):
            token = run([token])
            yield token

    return decode


TIMES: list[
    tuple[float, float]
] = []  # wall and CPU seconds of each token, of a runtime that yields them late
KEPT: list[Any] = []  # a callback that C may call


def open_runtime(name: str, weights: Path) -> Decoder:
    """Load the weights of a runtime."""
    if name.startswith("opencwm"):
        return open_opencwm(weights, ahead=name.endswith("ahead"))
    if name.startswith("transformers"):
        dtype = "bfloat16" if "bf16" in name else "float32"
        return open_transformers(weights, dtype=dtype, static=name.endswith("static cache"))
    return open_llama_cpp(weights)


# -- processes


class Runtime:
    """A process of one runtime.

    Attributes:
        start_s: from the start of the process to its first token.
        start_mib: peak resident memory by then.
    """

    def __init__(self, name: str, weights: Path, prompt: Sequence[int], num_new: int) -> None:
        self.name = name
        started = time.perf_counter()
        command = [sys.executable, __file__, name, str(weights), str(num_new)]
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **threads}, text=True
        )
        self._told(json.dumps(list(prompt)))
        self.start_mib = float(self._answer()["peak_mib"])
        self.start_s = time.perf_counter() - started

    def turn(self) -> dict[str, Any]:
        """Decode once: ``tokens``, ``wall`` and ``cpu`` seconds of each from the start, ``peak_mib``."""
        self._told("go")
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._pipe(self._process.stdin).close()
        self._process.wait()

    def _told(self, line: str) -> None:
        print(line, file=self._pipe(self._process.stdin), flush=True)

    def _answer(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def peak_mib() -> float:
    """Return the peak resident memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def serve(name: str, weights: Path, num_new: int) -> None:
    """Be the process of a :class:`Runtime`."""
    prompt = json.loads(sys.stdin.readline())
    decode = open_runtime(name, weights)
    for _ in decode(prompt, 1):
        pass
    print(json.dumps({"peak_mib": peak_mib()}), flush=True)
    for _ in sys.stdin:
        TIMES.clear()
        tokens, times = [], []
        wall, cpu = time.perf_counter(), time.process_time()
        for token in decode(prompt, num_new):
            tokens.append(token)
            times.append((time.perf_counter(), time.process_time()))
        times = TIMES or times
        answer = {
            "tokens": tokens,
            "wall": [at - wall for at, _ in times],
            "cpu": [at - cpu for _, at in times],
            "peak_mib": peak_mib(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
