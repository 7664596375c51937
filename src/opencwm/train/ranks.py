"""The processes of one run: who I am among them, and what all of them agree on.

The idea: training alone is the case of one process, in which nothing is sent. Every process (a *rank*, under
``torchrun``) makes the same batches from the same data, takes its own rows of them, and talks to the others
only about gradients and, once a step, about when to stop and when to save. So the data need no server, and
the order of documents does not depend on how many processes there are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from opencwm.core.errors import ConfigError, OpenCWMError

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOST = ("connection closed by peer", "connection reset", "broken pipe", "timed out", "remote process exited")


@dataclass(frozen=True, slots=True)
class Word:
    """What all ranks go by after a step: whether to stop, whether to save, and the seconds used."""

    stop: bool
    save: bool
    used_s: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """A process among ``world`` of them; ``rank`` counts from 0, over all machines."""

    rank: int = 0
    world: int = 1

    @classmethod
    def from_environment(cls) -> Ranks:
        """Return what ``torchrun`` says; alone when it did not start this process."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def is_first(self) -> bool:
        """Whether this one writes the files and shows the progress."""
        return self.rank == 0

    def agree(self, *, stop: bool, save: bool, used_s: float, seen: int) -> Word:
        """Settle how to go on: anyone may stop, the first rank's clock counts.

        ``seen`` is a checksum of the step's batches, the same everywhere as long as all read the same data.

        Raises:
            ConfigError: they do not.
        """
        if self.world == 1:
            return Word(stop, save, used_s)
        first = self.is_first
        mine = [stop, save and first, used_s if first else -1.0, seen, -seen]
        told = torch.tensor([float(number) for number in mine], dtype=torch.float64)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        is_stop, is_save, used, most, negative = told.tolist()
        if most != -negative:
            raise ConfigError(
                "the ranks read different data", where="data.source", hint="show every machine the same files"
            )
        return Word(bool(is_stop), bool(is_save), used)

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up ``tensor`` over all ranks, in place, and return it."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Return ``function`` of every item, in order, the items dealt out in turn.

        All ranks call it equally often, so that it may use a sharded model: a rank without an item of its own
        computes the last one again, and that is dropped.
        """
        if self.world == 1:
            return [function(item) for item in items]
        rounds = -(-len(items) // self.world)
        mine = [
            function(items[min(index * self.world + self.rank, len(items) - 1)]) for index in range(rounds)
        ]
        gathered: list[Any] = [None] * self.world
        dist.all_gather_object(gathered, mine)
        return [gathered[index % self.world][index // self.world] for index in range(len(items))]

    def wait(self) -> None:
        """Return when all ranks have come here."""
        if self.world > 1:
            self.sum(torch.zeros(()))


ALONE = Ranks()
"""A run in one process."""


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started; alone when it started none, or one.

    On GPUs tensors travel by NCCL, and what is on the CPU, such as :meth:`Ranks.agree`, by gloo.

    Raises:
        OpenCWMError: another process of the run was lost.
    """
    ranks = Ranks.from_environment()
    if ranks.world == 1:
        yield ranks
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield ranks
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        raise OpenCWMError(
            f"rank {ranks.rank} lost another process of the run: {str(error).splitlines()[0][:200]}",
            hint="start the same command again: it goes on from the last checkpoint",
        ) from error
    dist.destroy_process_group()


def local_device(name: str) -> torch.device:
    """Return the device of this process: on a machine with several GPUs, under torchrun, its own.

    Raises:
        ConfigError: it is to be a GPU, and torch sees none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ConfigError("device is 'cuda' but torch sees no GPU", where="recipe")
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise ConfigError(
            f"more processes than GPUs: no GPU for process {number} of this machine",
            where="torchrun",
            hint=f"--nproc-per-node {count}",
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _is_loss(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(sign in text for sign in _LOST)
