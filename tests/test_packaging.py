"""The wheel holds what an installed package needs, and its base dependencies are those of the design."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from opencwm import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return build_wheel(tmp_path_factory.mktemp("wheel"), dict(os.environ))


def build_wheel(place: Path, environment: dict[str, str]) -> zipfile.ZipFile:
    """Build from a copy of the sources, so that no build folder stays behind or is found there."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not run from a checkout")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
    shutil.copytree(ROOT / "src", place / "src", ignore=ignored)
    script = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(place)],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(place / built.stdout.splitlines()[-1])


def test_the_wheel_holds_every_source_file(wheel: zipfile.ZipFile) -> None:
    sources = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert sources <= set(wheel.namelist())


def test_the_wheel_is_typed_and_licensed(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "opencwm/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)


def test_without_a_compiler_the_wheel_lacks_nothing_but_the_accelerator(
    tmp_path: Path, wheel: zipfile.ZipFile
) -> None:
    bare = build_wheel(tmp_path, {**os.environ, "CC": str(tmp_path / "no-compiler")})
    missing = set(wheel.namelist()) - set(bare.namelist())
    assert all(name.startswith("opencwm/tracer/_accelerator.") for name in missing)
    assert not any(name.endswith((".so", ".pyd")) for name in bare.namelist())


def test_the_wheel_holds_the_model(wheel: zipfile.ZipFile) -> None:
    weights = ROOT / "src/opencwm/model/weights"
    files = {path.relative_to(ROOT / "src").as_posix() for path in weights.rglob("*") if path.is_file()}
    assert files, "the package ships a model"
    assert files <= set(wheel.namelist())
    assert sum(path.stat().st_size for path in weights.rglob("*")) <= 32 << 20


def test_the_wheel_holds_the_web_page_and_the_licences_of_what_is_in_it(wheel: zipfile.ZipFile) -> None:
    page = {
        f"opencwm/frontends/web/page/{name}" for name in ("page.html", "page.js", "page.css", "LICENCES.txt")
    }
    assert page <= set(wheel.namelist())


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"opencwm", f"opencwm-{__version__}.dist-info"}


def test_the_base_install_needs_no_torch(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"opencwm-{__version__}.dist-info/METADATA").decode()
    requirements = Parser().parsestr(text).get_all("Requires-Dist") or []
    base = {re.split(r"[<>=!~ ;]", line)[0] for line in requirements if "extra ==" not in line}
    assert base == {"markdown-it-py", "numpy", "onnxruntime", "pyarrow", "rich", "tokenizers", "typer"}


def test_torch_is_pinned_for_tests_and_training() -> None:
    constraints = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert constraints == ["torch==2.13.0"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(line.startswith("torch") for line in extras["train"])


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).parent / "opencwm"
    finished = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout == f"opencwm {__version__}\n"
