"""Archives unpacked into a folder of their own, and nothing outside it."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
import tiny_package

from opencwm.core.errors import OpenCWMError
from opencwm.corpus.harvest import fetch


def test_a_package_that_was_fetched_is_found(tmp_path: Path) -> None:
    place = tiny_package.lay_out(tmp_path)
    found = fetch.install("tinypack", "1.0", tmp_path)
    assert found == fetch.Distribution(place / "site", place / "sdist" / "tinypack-1.0", ("tinypack",))


def test_a_source_distribution_alone_is_imported_from_where_its_modules_are(tmp_path: Path) -> None:
    inner = tmp_path / "pack-2.0" / "sdist" / "pack-2.0"
    (inner / "src" / "pack").mkdir(parents=True)
    (inner / "src" / "pack" / "__init__.py").touch()
    (inner / "setup.py").touch()
    found = fetch.install("pack", "2.0", tmp_path)
    assert found == fetch.Distribution(inner / "src", inner, ("pack",))


def test_what_cannot_be_fetched_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(OpenCWMError, match="cannot be fetched"):
        fetch.install("absent", "1.0", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.tar.gz", tmp_path / "inside"
    folder.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("../outside")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(OpenCWMError, match="cannot be unpacked"):
        fetch._unpack(archive, folder)
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("../outside", "x")
    fetch._unpack(tmp_path / "a.whl", folder)
    assert not (tmp_path / "outside").exists()


def test_a_huge_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_UNPACKED_BYTES", 10)
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("x", "x" * 11)
    with pytest.raises(OpenCWMError, match="11 bytes when unpacked"):
        fetch._unpack(tmp_path / "a.whl", tmp_path)
