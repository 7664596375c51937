"""`torchrun ... opencwm train`: one of two processes killed with SIGKILL in the middle, and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from opencwm.train.metrics import METRICS_NAME, read_metrics
from opencwm.train.testing import free_port

RECIPE = """
log_interval_steps = 1
checkpoint_interval_s = 0.5
dtype = "float32"
device = "cpu"
[model]
vocab_size = 1000
hidden_size = 64
intermediate_size = 96
num_hidden_layers = 1
num_attention_heads = 1
num_key_value_heads = 1
max_position_embeddings = 512
[data]
source = "generated"
options = { num_programs = 100, seed = 1, max_tokens = 256 }
[batch]
rows = 2
row_tokens = 256
lookahead = 8
[optimizer]
name = "muon"
[schedule]
num_steps = 60
warmup_steps = 1
"""
OPENCWM = [sys.executable, "-c", "import sys; from opencwm.frontends.cli import main; sys.exit(main())"]


def start(recipe: Path, out: Path, ranks: int) -> subprocess.Popen[str]:
    command = [*OPENCWM, "train", str(recipe), "-o", str(out)]
    if ranks > 1:
        launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={ranks}", "--no-python"]
        command = [*launcher, f"--master-port={free_port()}", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def steps(out: Path) -> list[tuple[int, int, float]]:
    return [(r["step"], r["tokens"], r["loss"]) for r in read_metrics(out / METRICS_NAME)]


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    start(recipe, tmp_path / "whole", 1).communicate(timeout=300)
    running = start(recipe, tmp_path / "cut", 2)
    deadline = time.monotonic() + 300
    while len(steps(tmp_path / "cut")) < 10 or not any((tmp_path / "cut").glob("checkpoint/0*")):
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    said = running.communicate(timeout=300)[1]
    assert running.returncode != 0
    assert "exitcode  : -9" in said  # of the one
    assert "lost another process of the run" in said  # by the other
    assert 10 <= steps(tmp_path / "cut")[-1][0] < 60
    resumed = start(recipe, tmp_path / "cut", 2)
    out, said = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, said
    assert out.count("finished after 60 steps") == 1  # one of the two speaks
    mine, theirs = steps(tmp_path / "cut"), steps(tmp_path / "whole")
    assert [record[:2] for record in mine] == [record[:2] for record in theirs]
    np.testing.assert_allclose([r[2] for r in mine], [r[2] for r in theirs], rtol=1e-5)
