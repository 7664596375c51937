import subprocess
import sys

MODULES = (
    "steps",
    "cruxeval",
    "cruxeval_items",
    "inputs",
    "jumps",
    "predictor",
    "probes",
    "report",
    "testing",
)


def test_importing_evaluations_loads_nothing_heavy() -> None:
    lines = [f"import opencwm.evals.{name}" for name in MODULES]
    lines.append("import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))")
    loaded = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert "opencwm" in loaded
    assert not {"torch", "onnxruntime", "pyarrow", "tokenizers", "rich", "typer", "hypothesis"} & set(loaded)
