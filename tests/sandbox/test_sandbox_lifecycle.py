"""Starting, restarting and ending: a sandbox outlives its programs, and nothing outlives a sandbox."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError, SandboxError
from opencwm.sandbox import RunLimits, RunStatus, Sandbox, SandboxConfig, processes

ECHO = "opencwm.sandbox.testing:echo"
EXECUTE = "opencwm.sandbox.testing:execute"
KINDS = ["auto", "rlimits"]


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def are_gone(pids: list[int]) -> bool:
    return not set(pids) & set(processes.parents())


def started_below(pid: int) -> list[int]:
    return processes.descendants(pid)


@pytest.mark.parametrize("kind", KINDS)
def test_close_leaves_no_process_and_is_final(kind: str) -> None:
    before = set(started_below(os.getpid()))
    sandbox = Sandbox(SandboxConfig(isolation=kind))
    assert set(started_below(os.getpid())) == before  # nothing starts before it is needed
    assert sandbox.run(ECHO, b"x").outputs == (b"x",)
    own = [pid for pid in started_below(os.getpid()) if pid not in before]
    assert own
    sandbox.close()
    sandbox.close()
    assert wait_until(lambda: are_gone(own))
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run(ECHO)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forgotten_sandbox_ends(kind: str) -> None:
    before = set(started_below(os.getpid()))
    sandbox = Sandbox(SandboxConfig(isolation=kind))
    sandbox.run(ECHO)
    own = [pid for pid in started_below(os.getpid()) if pid not in before]
    del sandbox
    gc.collect()
    assert wait_until(lambda: are_gone(own))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_server_is_replaced(kind: str) -> None:
    before = set(started_below(os.getpid()))
    with Sandbox(SandboxConfig(isolation=kind)) as sandbox:
        for _ in range(2):
            own = [pid for pid in started_below(os.getpid()) if pid not in before]
            os.kill(own[-1], signal.SIGKILL)
            assert wait_until(lambda own=own: own[-1] not in processes.parents())  # type: ignore[misc]
            assert sandbox.run(ECHO, b"again").outputs == (b"again",)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["end", "kill"])
def test_nothing_outlives_the_interpreter(kind: str, ending: str, tmp_path: Path) -> None:
    """No process and no file, when it ends without closing the sandbox and when it is killed during a run."""
    script = f"""
        import sys, threading, time
        from opencwm.sandbox import *
        sandbox = Sandbox(SandboxConfig(isolation={kind!r}))
        sandbox.run({ECHO!r})
        if {ending!r} == "kill":
            source = b"import time; time.sleep(60)"
            thread = threading.Thread(
                target=sandbox.run, args=({EXECUTE!r}, source, RunLimits(wall_s=60.0)), daemon=True
            )
            thread.start()
            time.sleep(0.2)
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        own = started_below(process.pid)
        assert len(own) >= (2 if ending == "kill" else 1)
        if ending == "kill":
            process.kill()
        process.communicate(b"\n")
    assert wait_until(lambda: are_gone(own)), own
    assert list(tmp_path.iterdir()) == []


def test_the_thread_that_started_it_may_end(sandbox: Sandbox) -> None:
    """A parent-death signal comes at the end of a thread, not only of a process."""
    with Sandbox(SandboxConfig(isolation=sandbox.isolation.kind)) as own:
        before = set(started_below(os.getpid()))
        starter = threading.Thread(target=own.run, args=(ECHO,))
        starter.start()
        starter.join()
        time.sleep(0.05)
        started = set(started_below(os.getpid())) - before
        assert own.run(ECHO, b"x").outputs == (b"x",)
        assert set(started_below(os.getpid())) - before == started


def test_threads_may_share_a_sandbox(sandbox: Sandbox) -> None:
    results: dict[int, tuple[bytes, ...]] = {}

    def work(number: int) -> None:
        results[number] = sandbox.run(ECHO, str(number).encode()).outputs

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: (str(number).encode(),) for number in range(8)}


def test_a_forked_process_gets_a_server_of_its_own() -> None:
    script = """
        import os
        from opencwm.sandbox import *
        with Sandbox(SandboxConfig(isolation="rlimits")) as sandbox:
            echo = "opencwm.sandbox.testing:echo"
            sandbox.run(echo)
            pid = os.fork()
            outputs = sandbox.run(echo, b"x").outputs
            if pid == 0:
                sandbox.close()
                os._exit(0 if outputs == (b"x",) else 1)
            assert os.waitpid(pid, 0)[1] == 0
            assert outputs == sandbox.run(echo, b"x").outputs == (b"x",)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    subprocess.run(command, check=True, timeout=60)


def test_large_payloads_and_outputs_come_through_whole(sandbox: Sandbox) -> None:
    payload = os.urandom(1 << 16) * 80
    result = sandbox.run(ECHO, payload)
    assert result.status is RunStatus.RETURNED
    assert result.outputs == (payload,)
    assert result.max_rss_bytes > len(payload)
    assert result.wall_s < 5


def test_outputs_before_a_bad_end_are_kept(sandbox: Sandbox) -> None:
    result = sandbox.run(EXECUTE, b"emit(b'one'); emit(b''); emit(b'two'); import os; os._exit(1)")
    assert result.outputs == (b"one", b"", b"two")
    assert result.status is RunStatus.EXITED


@pytest.mark.parametrize(
    "target", ["no.such.module:main", "opencwm.sandbox.testing:absent", "opencwm:__version__", "", "os"]
)
def test_a_target_that_does_not_exist_is_an_error_of_the_caller(sandbox: Sandbox, target: str) -> None:
    with pytest.raises(SandboxError, match="refused"):
        sandbox.run(target)
    assert sandbox.run(ECHO, b"x").outputs == (b"x",)


def test_preload_that_fails_is_an_error_with_its_reason() -> None:
    config = SandboxConfig(isolation="rlimits", preload=("no_such_module",))
    with pytest.raises(SandboxError, match="no_such_module"):
        Sandbox(config).run(ECHO)


def test_bubblewrap_that_is_demanded_and_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SandboxError, match="not installed"):
        Sandbox(SandboxConfig(isolation="bubblewrap")).run(ECHO)


def test_auto_falls_back_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for _ in range(2):
        with Sandbox() as sandbox:
            assert sandbox.isolation.kind == "rlimits"
            assert "uid map: Permission denied" in sandbox.isolation.notice
            assert sandbox.run(ECHO, b"x").outputs == (b"x",)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["wall_s", "memory_bytes", "num_processes"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", True])
def test_limits_are_positive_numbers(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        RunLimits(**{name: value})  # type: ignore[arg-type]


def test_unknown_isolation_and_absent_directories_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rlimits"):
        SandboxConfig(isolation="docker")
    with pytest.raises(ConfigError, match="absent"):
        SandboxConfig(python_path=(tmp_path / "absent",))
