"""What importing costs: light things stay light, whatever is added later."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "onnxruntime",
    "onnx",
    "numpy",
    "pyarrow",
    "tokenizers",
    "rich",
    "matplotlib",
    "transformers",
    "starlette",
    "uvicorn",
}
HELP_LIMIT_S = 0.3
TYPER_S = 0.1
"""What importing typer alone takes where the limit holds; a slower machine gets that much more time."""
HELP = "from opencwm.frontends.cli import main; main(['--help'])"


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded by ``code`` in a fresh interpreter."""
    quietly = f"with contextlib.redirect_stdout(io.StringIO()):\n    {code}\n"
    script = f"import contextlib, io, json, sys\n{quietly}print(json.dumps(list(sys.modules)))"
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return {name.partition(".")[0] for name in json.loads(finished.stdout)}


@pytest.mark.parametrize(
    "code",
    ["import opencwm", "import opencwm.traces", "import opencwm.tracer", "import opencwm.sandbox", HELP],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert modules_after(code) & HEAVY == set()


@pytest.mark.parametrize("package", ["codec", "model", "source", "debugger", "evals", "corpus"])
def test_no_package_loads_torch_or_onnxruntime(package: str) -> None:
    assert (
        modules_after(f"import opencwm.{package}") & {"torch", "onnxruntime", "onnx", "matplotlib"} == set()
    )


def test_the_import_hunt_finds_what_is_there() -> None:
    assert "numpy" in modules_after("import numpy")


def cpu_seconds(code: str) -> float:
    """Processor time of a fresh interpreter, the best of several: other work must not decide this."""
    took_s = []
    for _ in range(9):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took_s)


def test_help_is_there_at_once() -> None:
    typer_s = cpu_seconds("import typer")
    assert 0 < cpu_seconds(HELP) < HELP_LIMIT_S * max(1.0, typer_s / TYPER_S)
