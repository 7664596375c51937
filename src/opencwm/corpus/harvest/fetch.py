"""Distributions from the package index, unpacked into a folder of their own. Nothing of them is run.

pip fetches both files of a pinned version: the wheel, which is what an installation is, and the source
distribution, which has the tests. pip asks a source distribution's build backend for its metadata; here every
backend is a stand-in that reads ``PKG-INFO``, so that no code of the package runs outside the sandbox.

Source: the binary distribution format and the interface of build backends, packaging.python.org.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from opencwm.core.errors import OpenCWMError

FETCH_S: Final = 120.0
MAX_UNPACKED_BYTES: Final = 512 << 20
_BACKENDS: Final = (
    "setuptools.build_meta",
    "hatchling.build",
    "flit_core.buildapi",
    "poetry.core.masonry.api",
    "pdm.backend",
    "scikit_build_core.build",
    "flit.buildapi",
    "maturin",
    "uv_build",
    "mesonpy",
    "pbr.build",
    "jupyter_packaging.build_api",
)
_STAND_IN: Final = """
import pathlib, re

def get_requires_for_build_wheel(config_settings=None):
    return []

def get_requires_for_build_sdist(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    head = pathlib.Path("PKG-INFO").read_text(encoding="utf-8", errors="replace").partition("\\n\\n")[0]
    name = re.search(r"^Name: *(.*)$", head, re.M)[1]
    version = re.search(r"^Version: *(.*)$", head, re.M)[1]
    folder = pathlib.Path(directory) / f"{re.sub('[-_.]+', '_', name)}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name

def build_wheel(*_, **__):
    raise RuntimeError("nothing is built")
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Distribution:
    """An unpacked distribution.

    Attributes:
        site: folder to import it from.
        sources: the unpacked source distribution, where its tests are; None when there is none.
        modules: top-level modules in ``site`` that are not tests.
    """

    site: Path
    sources: Path | None
    modules: tuple[str, ...]


def install(name: str, version: str, folder: Path) -> Distribution:
    """Fetch and unpack ``name`` of this version below ``folder``, or find it there.

    Raises:
        OpenCWMError: there is no such thing, or nothing pure Python in it.
    """
    place = folder / f"{name}-{version}"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        try:
            made.chmod(0o755)
            _unpack_all(name, version, made)
            with contextlib.suppress(FileExistsError):  # another process was faster
                _move(made, place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return _describe(name, place)


def _move(made: Path, place: Path) -> None:
    """Rename a folder.

    Raises:
        FileExistsError: there is one already.
    """
    try:
        made.rename(place)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place)) from None
        raise


def _unpack_all(name: str, version: str, place: Path) -> None:
    requirement = f"{name}=={version}"
    with tempfile.TemporaryDirectory() as downloads:
        wheel = _download(requirement, Path(downloads) / "wheel", ("--only-binary", ":all:"))
        source = _download(requirement, Path(downloads) / "sdist", ("--no-binary", ":all:"))
        if wheel is None and source is None:
            raise OpenCWMError("cannot be fetched", where=requirement)
        if wheel is not None and wheel.name.endswith("-none-any.whl"):
            (place / "site").mkdir()
            _unpack(wheel, place / "site")
        if source is not None:
            (place / "sdist").mkdir()
            _unpack(source, place / "sdist")


def _download(requirement: str, folder: Path, kind: Sequence[str]) -> Path | None:
    """Have pip fetch one file; None when there is none of this kind."""
    with _stand_ins() as stand_ins:
        command = [
            _interpreter(),
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--use-pep517",
            *kind,
            "--dest",
            str(folder),
            requirement,
        ]
        environment = {**os.environ, "PYTHONPATH": str(stand_ins)}
        try:
            subprocess.run(command, env=environment, capture_output=True, timeout=FETCH_S, check=False)
        except subprocess.TimeoutExpired:
            return None
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return files[0] if files else None


def _interpreter() -> str:
    """Return an interpreter that has pip: this one, or the one its environment was made from.

    Raises:
        OpenCWMError: neither has it.
    """
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    base = Path(sys.base_prefix) / "bin" / "python3"
    if base.exists() and any(Path(sys.base_prefix).glob("lib/python3*/site-packages/pip")):
        return str(base)
    raise OpenCWMError("there is no pip", where=sys.executable, hint="python -m ensurepip")


@contextlib.contextmanager
def _stand_ins() -> Iterator[Path]:
    """Yield a folder with a module in place of each build backend."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "opencwm_stand_in.py").write_text(_STAND_IN, encoding="utf-8")
        for backend in _BACKENDS:
            *packages, last = backend.split(".")
            place = root
            for part in packages:
                place /= part
                place.mkdir(exist_ok=True)
                (place / "__init__.py").touch()
            text = "from opencwm_stand_in import *\nimport opencwm_stand_in as __legacy__\n"
            (place / f"{last}.py").write_text(text, encoding="utf-8")
        yield root


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel or a source distribution, without anything that points out of the folder.

    Raises:
        OpenCWMError: it is too large, damaged, or would write elsewhere.
    """
    try:
        _extract(archive, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise OpenCWMError(f"cannot be unpacked: {error}", where=archive.name) from None


def _extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            _refuse_large(archive, sum(entry.file_size for entry in file.infolist()))
            file.extractall(folder)  # noqa: S202 - zipfile keeps names inside the folder
        return
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if member.isfile() or member.isdir()]
        _refuse_large(archive, sum(member.size for member in members))
        tar.extractall(folder, members, filter="data")


def _refuse_large(archive: Path, num_bytes: int) -> None:
    if num_bytes > MAX_UNPACKED_BYTES:
        raise OpenCWMError(f"{num_bytes} bytes when unpacked", where=archive.name)


def _describe(name: str, place: Path) -> Distribution:
    sources: Path | None = None
    if (place / "sdist").is_dir():
        inner = [path for path in sorted((place / "sdist").iterdir()) if path.is_dir()]
        sources = inner[0] if len(inner) == 1 else place / "sdist"
    if (place / "site").is_dir():
        site = place / "site"
    elif sources is not None:
        wanted = name.lower().replace("-", "_").replace(".", "_")
        places = [sources / below for below in ("src", "lib", "lib3", ".")]
        found = [path for path in places if any(_module_names(path))]
        named = [path for path in found if wanted in {module.lower() for module in _module_names(path)}]
        if not found:
            raise OpenCWMError("no Python modules in it", where=place.name)
        site = (named or found)[0]
    else:
        raise OpenCWMError("nothing in pure Python", where=place.name)
    return Distribution(site, sources, tuple(_module_names(site)))


def _module_names(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        name = path.stem if path.suffix == ".py" else path.name
        if name.startswith(
            ("test", "setup", "conftest", "docs", "example", "bench", "noxfile", "tasks", "versioneer")
        ):
            continue
        is_package = path.is_dir() and (path / "__init__.py").exists()
        if name.isidentifier() and (is_package or path.suffix == ".py"):
            yield name
