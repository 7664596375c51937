"""Nothing of a box outlives its driver, at whatever moment that is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opencwm.agent import box_store
from opencwm.agent.bubblewrap import obtained_plan
from opencwm.agent.testing import why_no_boxes

NUM_KILLS = 8
_DRIVER = """
import sys
from opencwm.agent.box import BoxSpec
from opencwm.agent.bubblewrap import BubblewrapBox, BoxPlan
plan = BoxPlan(sys.argv[1] == "True", sys.argv[2] == "True")
print("on", flush=True)
while True:
    with BubblewrapBox(BoxSpec(), plan) as box:
        box.run(f"echo x > f; (setsid sleep {sys.argv[3]} &); sleep 0.02")
        box.snapshot()
        shell = box.spawn(["sleep", sys.argv[3]])
        box.fork().stop()
"""


@pytest.mark.skipif(bool(why_no_boxes()), reason=why_no_boxes())
def test_a_driver_killed_at_random_moments_leaves_nothing(tmp_path: Path) -> None:
    plan = obtained_plan()
    rng = random.Random(7)
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    base = tmp_path / box_store.base_folder().name
    seconds = str(100_000 + os.getpid())  # nobody else's sleep
    for _ in range(NUM_KILLS):
        driver = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(plan.is_root), str(plan.is_overlay), seconds],
            env=env,
            stdout=subprocess.PIPE,
        )
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"on\n"
        time.sleep(rng.uniform(0.0, 0.5))
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        driver.stdout.close()
    assert len(list(base.glob("*.lock"))) <= 1, "each driver sweeps what the one before left"
    assert _swept(base)
    assert _gone(f"sleep\0{seconds}", str(base))
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_a_living_driver_is_not_swept(tmp_path: Path) -> None:
    store = box_store.BoxStore(tmp_path)
    assert box_store.sweep(tmp_path) == []
    assert box_store.is_alive(tmp_path, store.name)
    folder = store.new_folder()
    (folder / "locked").mkdir(mode=0o000)
    store.close()
    assert list(tmp_path.iterdir()) == []
    assert not box_store.is_alive(tmp_path, store.name)


def test_layers_go_with_their_last_user(tmp_path: Path) -> None:
    store = box_store.BoxStore(tmp_path)
    layer = box_store.Layer(store.new_folder())
    store.take([layer])
    store.take([layer])
    store.drop([layer])
    assert layer.path.is_dir()
    store.drop([layer])
    assert not layer.path.exists()
    store.close()


def _swept(base: Path) -> bool:
    """Sweep; a child that the last driver had forked and that has not yet executed holds its lock."""
    for _ in range(100):
        box_store.sweep(base)
        if not list(base.iterdir()):
            return True
        time.sleep(0.05)
    return False


def _gone(*marks: str) -> bool:
    """Wait until no process has one of ``marks`` in its command line; the kernel takes a moment."""
    for _ in range(100):
        if not any(_is_there(mark) for mark in marks):
            return True
        time.sleep(0.05)
    return False


def _is_there(mark: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "cmdline").read_text():
                    return True
            except OSError:
                continue
    return False
