"""One version of a repository: its Python files as text, some of them changed.

A version is cheap: files are parsed once for each text, whatever version they are in.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from opencwm.agent.box_template import is_copied
from opencwm.corpus.harvest.modules import Module, Package

MAX_FILES: Final = 2_000
MAX_CHARS: Final = 400_000
_ROOTS: Final = ("", "src", "lib")


@dataclasses.dataclass(frozen=True)
class Version:
    """Python files of a repository, by path below it.

    Attributes:
        texts: path with slashes -> text.
    """

    texts: Mapping[str, str]

    @classmethod
    def of_folder(cls, folder: Path) -> Version:
        """Read a repository, without files that are no UTF-8 text or have over 400,000 characters."""
        found = {}
        for path in sorted(_python_files(folder)):
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if len(text) <= MAX_CHARS:
                found[path.relative_to(folder).as_posix()] = text
        return cls(MappingProxyType(found))

    def changed(self, texts: Mapping[str, str]) -> Version:
        """Return a version in which some files have other texts."""
        return Version(MappingProxyType({**self.texts, **texts}))

    def tree(self, path: str) -> ast.Module | None:
        """Return a file as a syntax tree, which is shared and not to be changed; None for no valid Python."""
        text = self.texts.get(path)
        return None if text is None else _parsed(text)

    def modules(self, test_path: str) -> dict[str, str]:
        """Return what the modules are called that a test file can import -> path, best first.

        Args:
            test_path: of the test file; modules beside it can be imported as pytest arranges it.
        """
        found: dict[str, str] = {}
        roots = dict.fromkeys([*_ROOTS, self._import_root(test_path)])
        for root in roots:
            for path in self.texts:
                name = _module_name(path, root)
                if name:
                    found.setdefault(name, path)
        return found

    def module_of(self, path: str) -> str:
        """Return what a test file is called as a module."""
        return _module_name(path, self._import_root(path))

    def _import_root(self, path: str) -> str:
        """Return the first folder upward that is no package, from which pytest imports a file."""
        folder = PurePosixPath(path).parent
        while f"{folder}/__init__.py" in self.texts and folder != PurePosixPath():
            folder = folder.parent
        return "" if folder == PurePosixPath() else str(folder)


class VersionPackage(Package):
    """All modules of a version as one package.

    Args:
        version: whose.
        test_path: the test file they are seen from.
        trees: modules that read otherwise than their files, by name.
    """

    def __init__(self, version: Version, test_path: str, trees: Mapping[str, ast.Module]) -> None:
        self.paths = version.modules(test_path)
        super().__init__((), {name.partition(".")[0] for name in self.paths})
        self._version = version
        self._trees = trees

    def _read(self, name: str) -> Module | None:
        path = self.paths.get(name)
        if path is None:
            return None
        package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        if name in self._trees:
            return Module(name, package, self._trees[name])
        return _module(name, package, self._version.texts[path])


@functools.lru_cache(maxsize=512)
def _module(name: str, package: str, text: str) -> Module | None:
    tree = _parsed(text)
    return None if tree is None else Module(name, package, tree)


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _module_name(path: str, root: str) -> str:
    """Return what a file is called as a module from a folder on the path; empty when it is none."""
    pure = PurePosixPath(path)
    if root and not pure.is_relative_to(root):
        return ""
    parts = list(pure.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _python_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a repository, as far as boxes hold them."""
    waiting, count = [folder], 0
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if not is_copied(path) or path.is_symlink():
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.suffix == ".py" and count < MAX_FILES:
                count += 1
                yield path
