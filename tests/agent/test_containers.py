"""Boxes of podman and docker, driven against a stand-in for their commands: neither is needed here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from opencwm.agent.box import BoxKind, BoxLimits, BoxSpec, RunStatus, open_box
from opencwm.agent.containers import ContainerBox
from opencwm.core.errors import SandboxError

_FAKE = Path(__file__).parent / "fake_container.py"


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    image = tmp_path / "images/task_1/testbed"
    (image / ".git").mkdir(parents=True)
    (image / ".git/ORIG_HEAD").write_text("what came later\n")
    (image / "a.py").write_text("a = 1\n")
    (tmp_path / "containers").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("podman", "docker"):
        executable = tmp_path / "bin" / name
        executable.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {_FAKE} "$@"\n')
        executable.chmod(0o755)
    monkeypatch.setenv("FAKE_CONTAINERS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return tmp_path


def _log(home: Path) -> list[list[str]]:
    return [json.loads(line) for line in (home / "log").read_text().splitlines()]


def _spec(**settings: Any) -> BoxSpec:
    return BoxSpec(image="task:1", **settings)


@pytest.mark.parametrize("kind", ["podman", "docker"])
def test_a_container_is_confined_as_the_spec_says(home: Path, kind: str) -> None:
    limits = BoxLimits(memory_bytes=10**9, num_processes=77, file_bytes=10**6)
    with open_box(_spec(kind=kind, env={"A": "b c"}, limits=limits)):
        pass
    words = next(words for words in _log(home) if words[0] == "create")
    for pair in (
        ("--network", "none"),
        ("--memory", "1000000000"),
        ("--pids-limit", "77"),
        ("--ulimit", "fsize=1000000"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--env", "A=b c"),
        ("--workdir", "/testbed"),
    ):
        assert any(tuple(words[at : at + 2]) == pair for at in range(len(words))), pair
    assert words[-2:] == ["task:1", "infinity"]
    assert list((home / "containers").iterdir()) == []


def test_a_network_is_there_only_when_asked_for(home: Path) -> None:
    with open_box(_spec(is_networked=True)):
        pass
    assert "--network" not in next(words for words in _log(home) if words[0] == "create")


@pytest.mark.usefixtures("home")
def test_the_history_in_the_image_is_scrubbed_after_its_setup() -> None:
    with open_box(_spec(setup="echo 'a = 2' > a.py")) as box:
        told = box.run("git log --format=%s%an; git status --short; cat a.py; ls .git").output
    assert told.startswith("tasktask\na = 2\n")
    assert "ORIG_HEAD" not in told


@pytest.mark.usefixtures("home")
def test_commands_end_as_they_do_elsewhere() -> None:
    with open_box(_spec()) as box:
        done = box.run("echo out; echo err >&2; exit 3", env={"X": "1"})
        assert (done.status, done.exit_code, done.output) == (RunStatus.EXITED, 3, "out\nerr\n")
        assert box.run(["cat"], stdin=b"x" * 300_000).num_output_bytes == 300_000
        done = box.run("(setsid sleep 984 &); sleep 984", timeout_s=1.0)
        assert (done.status, done.exit_code) == (RunStatus.TIMEOUT, None)
        box.write_file("d/x", "text")
        assert box.read_file("d/x") == b"text"
        with pytest.raises(FileNotFoundError):
            box.read_file("none")
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    assert not any("sleep\x00984" in _command(entry) for entry in entries)


def test_snapshots_are_images_that_go_with_the_box(home: Path) -> None:
    with open_box(_spec()) as box:
        name = box.snapshot()
        box.write_file("a.py", "a = 2\n")
        other = box.fork()
        box.restore(name)
        assert box.read_file("a.py") == b"a = 1\n"
        assert other.read_file("a.py") == b"a = 2\n"
        other.stop()
    assert [path.name for path in (home / "images").iterdir()] == ["task_1"]
    assert list((home / "containers").iterdir()) == []


def test_what_a_dead_driver_left_is_swept(home: Path) -> None:
    left = home / "containers/left"
    left.mkdir()
    (left / "options.json").write_text(json.dumps({"--label": ["opencwm.store=1-dead"]}))
    foreign = home / "containers/foreign"
    foreign.mkdir()
    (foreign / "options.json").write_text("{}")
    with open_box(_spec()):
        assert not left.exists()
    assert foreign.exists()


def test_what_fails_is_said_with_the_image(home: Path) -> None:
    with pytest.raises(SandboxError, match=r"no-such: podman create failed: Error: no-such: image not known"):
        open_box(BoxSpec(image="no-such")).start()
    with pytest.raises(SandboxError, match="the image cannot be prepared: broken"):
        open_box(_spec(setup="echo broken; exit 1")).start()
    assert list((home / "containers").iterdir()) == []
    with pytest.raises(SandboxError, match="needs an image"):
        ContainerBox(BoxSpec(), BoxKind.PODMAN, "podman").start()


def test_a_missing_client_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="podman and docker are not installed"):
        open_box(_spec())
    with pytest.raises(SandboxError, match="docker is not installed"):
        open_box(_spec(kind="docker"))


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text()
    except OSError:
        return ""
