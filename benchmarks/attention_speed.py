"""Variable-length flash attention beside FlexAttention with block masks: same results, how many milliseconds.

Run ``python benchmarks/attention_speed.py`` on a machine with a GPU, under a minute. The batch is that of
``recipes/gpu_27m.toml``, of random documents of 100 to 1,200 tokens; all is compiled. First come the largest
differences of outputs and gradients, relative to the largest of block masks (exit status 1 where one is over
0.02), with milliseconds of one layer's attention, then milliseconds of a whole training step.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from opencwm.core.config import load_config
from opencwm.model.torch_decoder import Attention, Decoder, DocumentLayout
from opencwm.train.config import TrainConfig
from opencwm.train.data import Document, MemorySource, Packer
from opencwm.train.feed import DeviceBatch, Feed
from opencwm.train.optimizer import Optimizer

RECIPE = Path(__file__).parent.parent / "recipes" / "gpu_27m.toml"
TOLERANCE = 0.02  # bf16 keeps 8 bits
REPEATS = 20

MakeLayout = Callable[[DeviceBatch], DocumentLayout]


def make_feed(config: TrainConfig, device: torch.device) -> Feed:
    """Return batches of random documents, three in five of their ids with a loss."""
    rng = np.random.default_rng(0)
    documents = [
        Document(rng.integers(1, config.model.vocab_size, length).astype(np.uint16), rng.random(length) < 0.6)
        for length in rng.integers(100, 1201, 2000)
    ]
    return Feed(Packer(MemorySource(documents), config.batch), device, config.model.vocab_size, num_ahead=4)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of ``work`` on the GPU, warm."""
    for _ in range(3):
        work()
    times = []
    for _ in range(REPEATS):
        start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(float(start.elapsed_time(end)))
    return statistics.median(times)


def attention_results(
    attention: Attention, qkv: Sequence[Tensor], weight: Tensor, layout: DocumentLayout
) -> tuple[list[Tensor], Callable[[], object], Callable[[], object]]:
    """Return the output and the gradients of ``qkv``, and what computes the former and both."""
    attend: Callable[..., Tensor] = torch.compile(attention.attend, dynamic=False)
    wanted = layout.for_window(attention.window)

    def forward() -> Tensor:
        return attend(*qkv, wanted)

    def forward_and_backward() -> list[Tensor]:
        mixed = forward()
        return [mixed.detach(), *torch.autograd.grad(mixed, qkv, weight)]

    return forward_and_backward(), forward, forward_and_backward


def compare_layer(config: TrainConfig, layer: int, batch: DeviceBatch, ways: dict[str, MakeLayout]) -> bool:
    """Print one layer's figures; return whether both ways agree."""
    model, device = config.model, batch.ids_BT.device
    attention = Attention(model, layer)
    torch.manual_seed(0)
    heads = (model.num_attention_heads, model.num_key_value_heads, model.num_key_value_heads)
    qkv = [
        torch.randn(
            *batch.ids_BT.shape, n, model.head_dim, device=device, dtype=torch.bfloat16, requires_grad=True
        )
        for n in heads
    ]
    weight = torch.randn_like(qkv[0]).flatten(2)
    name = "global" if attention.window is None else f"window {attention.window}"
    results = []
    for way, make_layout in ways.items():
        result, forward, both = attention_results(attention, qkv, weight, make_layout(batch))
        results.append(result)
        print(f"{name:14}{way:14}{milliseconds(forward):12.3f}{milliseconds(both):22.3f}", flush=True)
    differences = [
        float((new.float() - old.float()).abs().max() / old.float().abs().max())
        for new, old in zip(*results, strict=True)
    ]
    agree = all(difference < TOLERANCE for difference in differences)
    figures = ", ".join(f"{n} {d:.4f}" for n, d in zip(("output", "q", "k", "v"), differences, strict=True))
    print(f"{name:14}{'differences':14}{figures}{'' if agree else '  TOO LARGE'}", flush=True)
    return agree


def step_milliseconds(config: TrainConfig, feed: Feed, make_layout: MakeLayout) -> tuple[float, float]:
    """Return wall milliseconds of a training step on ever new batches, and the loss of the first.

    What the step does is what ``opencwm.train.loop`` does, but for metrics.
    """
    torch.compiler.reset()
    torch.manual_seed(config.seed)
    model = Decoder(config.model, compute_dtype=getattr(torch, config.dtype)).cuda()
    for layer in model.model.layers:
        layer.compile()
    optimizer = Optimizer(model, config.optimizer)

    def step() -> Tensor:
        batch = feed.next()
        hidden_BTC = model.hidden(batch.ids_BT, make_layout(batch))
        logits_PV = model.lm_head(hidden_BTC.flatten(0, 1).index_select(0, batch.positions_P)).float()
        loss: Tensor = functional.cross_entropy(logits_PV, batch.targets_P)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(0.01)
        return loss.detach()

    first = float(step())
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(REPEATS):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) * 1000 / REPEATS, first


def main() -> int:
    if not torch.cuda.is_available():
        print("this needs a GPU", file=sys.stderr)
        return 2
    started = time.perf_counter()
    config = load_config(TrainConfig, RECIPE)
    config = dataclasses.replace(config, device="cuda")
    ways: dict[str, MakeLayout] = {
        "varlen": lambda batch: DocumentLayout.of(
            batch.doc_BT, config.model, torch.bfloat16, batch.borders_A
        ),
        "block masks": lambda batch: DocumentLayout.with_block_masks(batch.doc_BT, config.model),
    }
    device = torch.device("cuda")
    with contextlib.closing(make_feed(config, device)) as feed:
        batch = feed.next()
    documents = int((batch.borders_A < batch.ids_BT.numel()).sum())
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {documents} documents")
    print(f"{'layer':14}{'attention':14}{'forward ms':>12}{'forward+backward ms':>22}")
    windows = [config.model.window(layer) for layer in range(config.model.num_hidden_layers)]
    layers = [windows.index(window) for window in dict.fromkeys(windows)]
    agreements = [compare_layer(config, layer, batch, ways) for layer in layers]
    for way, make_layout in ways.items():
        with contextlib.closing(make_feed(config, device)) as feed:
            took, loss = step_milliseconds(config, feed, make_layout)
        print(f"{'step':14}{way:14}{took:12.2f} ms, first loss {loss:.4f}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s in all")
    return 0 if all(agreements) else 1


if __name__ == "__main__":
    sys.exit(main())
