"""The file system of a box in bubblewrap: a writable folder over layers that do not change.

With overlayfs (in a mount namespace of the command's own, so that no mount is left) a box costs two empty
folders, and a snapshot or a fork renames one. Where the kernel refuses overlays a box is a copy, shared block
by block where the file system can do that (``cp --reflink=auto``). Hard links are no way: a program that
writes into a file would write into every box's.

Source: https://docs.kernel.org/filesystems/overlayfs.html
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final, Protocol

from opencwm.agent.box_store import BoxStore, Layer, remove
from opencwm.core.errors import SandboxError

MAX_LAYERS: Final = 300
"""Snapshots one box may stand on; the kernel takes 500, in one page of mount options."""


class BoxFiles(Protocol):
    """The files of one box."""

    layers: list[Layer]

    def root(self) -> Path:
        """Return the folder that is the root in the box, once :meth:`mount` has run."""

    def mount(self) -> str:
        """Return shell text that makes :meth:`root` in a mount namespace; empty when it is there."""

    def freeze(self, *, is_live: bool) -> list[Layer]:
        """Keep the files as they are and return the layers that hold them, taken for the caller to drop.

        Args:
            is_live: whether programs in the box may be writing.

        Raises:
            OSError: they cannot be kept.
            SandboxError: likewise.
        """

    def reset(self, layers: list[Layer]) -> None:
        """Become what :meth:`freeze` kept."""

    def num_bytes(self) -> int:
        """Return how much the box has written itself, since the last :meth:`freeze`."""

    def remove(self) -> None:
        """Remove all files of this box's own."""


class OverlayFiles:
    """An overlay of its own folder on layers."""

    def __init__(self, store: BoxStore, layers: list[Layer], *, owner: int | None) -> None:
        self._store = store
        self._owner = owner
        self.layers = list(layers)
        store.take(self.layers)
        self._point = store.new_folder()
        self._upper, self._work = self._new_pair()

    def _new_pair(self) -> tuple[Path, Path]:
        pair = self._store.new_folder(), self._store.new_folder()
        pair[0].chmod(0o755)
        if self._owner is not None:
            os.chown(pair[0], self._owner, self._owner)
        return pair

    def root(self) -> Path:
        """See :meth:`BoxFiles.root`."""
        return self._point

    def mount(self) -> str:
        """See :meth:`BoxFiles.mount`."""
        lower = ":".join(layer.path.name for layer in self.layers)
        options = f"lowerdir={lower},upperdir={self._upper.name},workdir={self._work.name},userxattr"
        # The newer system call takes 256 bytes an option, which util-linux 2.39 does not look at.
        return f"LIBMOUNT_FORCE_MOUNT2=always mount -t overlay overlay -o {options} {self._point.name}"

    def freeze(self, *, is_live: bool) -> list[Layer]:
        """See :meth:`BoxFiles.freeze`."""
        if not list(self._upper.iterdir()):
            return self._taken(self.layers)
        if len(self.layers) >= MAX_LAYERS:
            raise SandboxError(f"a box cannot keep more than {MAX_LAYERS} snapshots on each other")
        if is_live:
            return self._taken([Layer(_copied(self._store, self._upper)), *self.layers])
        layer = Layer(self._upper)
        self._store.take([layer])
        self.layers.insert(0, layer)
        remove(self._work)
        self._upper, self._work = self._new_pair()
        return self._taken(self.layers)

    def _taken(self, layers: list[Layer]) -> list[Layer]:
        self._store.take(layers)
        return list(layers)

    def reset(self, layers: list[Layer]) -> None:
        """See :meth:`BoxFiles.reset`."""
        self._store.take(layers)
        self._store.drop(self.layers)
        self.layers = list(layers)
        for folder in (self._upper, self._work):
            remove(folder)
        self._upper, self._work = self._new_pair()

    def num_bytes(self) -> int:
        """See :meth:`BoxFiles.num_bytes`."""
        return num_bytes_in(self._upper)

    def remove(self) -> None:
        """See :meth:`BoxFiles.remove`."""
        for folder in (self._upper, self._work, self._point):
            remove(folder)
        self._store.drop(self.layers)
        self.layers = []


class CopiedFiles:
    """A copy of the first layer, which is the only one."""

    def __init__(self, store: BoxStore, layers: list[Layer], *, owner: int | None) -> None:
        self._store = store
        self._owner = owner
        self.layers = list(layers)
        store.take(self.layers)
        self._root = _copied(store, layers[0].path)
        self._num_bytes_before = num_bytes_in(self._root)

    def root(self) -> Path:
        """See :meth:`BoxFiles.root`."""
        return self._root

    def mount(self) -> str:
        """See :meth:`BoxFiles.mount`."""
        return ""

    def freeze(self, *, is_live: bool) -> list[Layer]:  # noqa: ARG002 - a copy takes no notice
        """See :meth:`BoxFiles.freeze`."""
        kept = [Layer(_copied(self._store, self._root))]
        self._store.take(kept)
        return kept

    def reset(self, layers: list[Layer]) -> None:
        """See :meth:`BoxFiles.freeze`."""
        """See :meth:`BoxFiles.reset`."""
        self._store.take(layers)
        self._store.drop(self.layers)
        self.layers = list(layers)
        old, self._root = self._root, _copied(self._store, layers[0].path)
        remove(old)

    def num_bytes(self) -> int:
        """See :meth:`BoxFiles.num_bytes`."""
        return max(0, num_bytes_in(self._root) - self._num_bytes_before)

    def remove(self) -> None:
        """See :meth:`BoxFiles.remove`."""
        remove(self._root)
        self._store.drop(self.layers)
        self.layers = []


def _copied(store: BoxStore, source: Path) -> Path:
    """Copy a folder whole: owners, modes, links, and what overlays mean by device nodes and attributes.

    Raises:
        SandboxError: it cannot be copied; a full disk, say.
    """
    target = store.new_folder()
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", "--", f"{source}/.", str(target)],  # noqa: S607 - a machine has one
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        remove(target)
        raise SandboxError(f"a box's files cannot be copied: {done.stderr.strip()[:200]}")
    return target


def num_bytes_in(folder: Path) -> int:
    """Return the space that files below a folder take; what cannot be looked at counts nothing."""
    total = 0
    pending = [str(folder)]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    return total
