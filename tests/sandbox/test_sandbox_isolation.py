"""What a program may see and reach: tried from inside, and as :func:`opencwm.sandbox.probe` reports it."""

from __future__ import annotations

import json
import os
import socket
import textwrap
from pathlib import Path

import pytest

from opencwm.sandbox import (
    Outcome,
    RunLimits,
    RunResult,
    RunStatus,
    Sandbox,
    SandboxConfig,
    landlock,
    probe,
)
from opencwm.sandbox.testing import Unprotected

EXECUTE = "opencwm.sandbox.testing:execute"
PREAMBLE = "import json, os, sys\ndef say(value): emit(json.dumps(value).encode())\n"


def ask(sandbox: Sandbox, source: str) -> object:
    result = sandbox.run(EXECUTE, (PREAMBLE + textwrap.dedent(source)).encode())
    assert result.status is RunStatus.RETURNED, result
    return json.loads(result.outputs[0])


def test_the_network_is_out_of_reach(bubblewrap: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        said = ask(
            bubblewrap,
            f"""
            import socket
            try:
                socket.create_connection(("127.0.0.1", {port}), timeout=5)
                say("connected")
            except OSError as error:
                say(type(error).__name__)
            """,
        )
    assert said in ("ConnectionRefusedError", "OSError", "PermissionError")
    assert ask(bubblewrap, "import socket; say([name for _, name in socket.if_nameindex()])") == ["lo"]


def test_only_scratch_can_be_written(bubblewrap: Sandbox) -> None:
    said = ask(
        bubblewrap,
        """
        places = ["/", "/usr", "/etc", "/dev", "/proc", sys.prefix, os.path.dirname(os.__file__)]
        places += [os.environ["TMPDIR"], "/dev/shm"]
        written = []
        for place in places:
            try:
                open(os.path.join(place, "probe"), "w").close()
                written.append(place)
            except OSError:
                pass
        say(written == [os.environ["TMPDIR"], "/dev/shm"])
        """,
    )
    assert said is True


def test_what_is_installed_below_tmp_is_not_in_the_way(bubblewrap: Sandbox, tmp_path: Path) -> None:
    """A checkout in ``/tmp``: its binds are read, and what runs leave is still gone, without a new server."""
    tmp_path.chmod(0o755)
    (tmp_path / "brought.py").write_text("VALUE = 7\n")
    look = "import brought; say([brought.VALUE, os.listdir(), os.getppid()])"
    with Sandbox(SandboxConfig(isolation=bubblewrap.isolation.kind, python_path=(tmp_path,))) as sandbox:
        first = ask(sandbox, f"{look}; open('left', 'w')")
        assert first == ask(sandbox, look)
    assert isinstance(first, list)
    assert first[:2] == [7, []]


def test_scratch_is_small(bubblewrap: Sandbox) -> None:
    said = ask(
        bubblewrap,
        """
        total = 0
        try:
            for i in range(64):
                total += open(f"{os.environ['TMPDIR']}/{i}", "wb").write(bytes(1 << 20))
        except OSError:
            pass
        say(total)
        """,
    )
    assert isinstance(said, int)
    assert 0 < said <= 16 << 20


def test_home_and_other_processes_are_invisible(bubblewrap: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    assert ask(bubblewrap, f"say(os.path.exists({str(tmp_path / 'secret')!r}))") is False
    assert ask(bubblewrap, "say(os.path.exists('/etc/passwd') or os.path.exists('/home'))") is False
    pids = ask(bubblewrap, "say([name for name in os.listdir('/proc') if name.isdigit()])")
    assert isinstance(pids, list)
    assert len(pids) == 3  # bubblewrap's first process, the server, the run


def test_nothing_of_the_environment_comes_in(sandbox: Sandbox) -> None:
    names = ask(sandbox, "say(sorted(os.environ))")
    assert isinstance(names, list)
    assert {"HOME", "TMPDIR", "PATH", "PYTHONHASHSEED"} <= set(names)
    assert not {"USER", "PYTEST_CURRENT_TEST", "OPENCWM_SECRET"} & set(names)


def test_no_descriptor_of_the_parent_or_server_comes_in(sandbox: Sandbox) -> None:
    links = ask(
        sandbox,
        """
        found = []
        for number in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink(f"/proc/self/fd/{number}").partition(":")[0])
            except OSError:
                pass
        say(sorted(found))
        """,
    )
    assert isinstance(links, list)
    # Where an interpreter is out of its user's reach, its own directories come in as descriptors.
    assert [link for link in links if not Path(link).is_dir()] == ["/dev/null"] * 3 + ["pipe"]


def test_programs_are_not_root_and_cannot_become_it(sandbox: Sandbox) -> None:
    assert ask(sandbox, "say(0 in (os.getuid(), os.geteuid(), *os.getgroups()))") is False
    status = ask(sandbox, "say(open('/proc/self/status').read())")
    assert isinstance(status, str)
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


def test_runs_are_reproducible(sandbox: Sandbox) -> None:
    source = "import random; say([random.random(), hash('a'), sorted({'a', 'b', 'c'}, key=hash)])"
    assert ask(sandbox, source) == ask(sandbox, source)
    with Sandbox(SandboxConfig(isolation=sandbox.isolation.kind)) as another:
        assert ask(another, source) == ask(sandbox, source)


def test_the_standard_library_can_be_imported(sandbox: Sandbox) -> None:
    """Also where the interpreter lies in a directory the program's user cannot enter."""
    modules = "asyncio, concurrent.futures, decimal, email.message, sqlite3, xml.dom.minidom, zoneinfo"
    assert ask(sandbox, f"import {modules}; say(sys.version_info[0])") == 3


def test_directories_of_the_python_path_can_be_imported_and_not_written(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("VALUE = 41\n")
    for directory in (tmp_path, *tmp_path.parents[:2]):  # pytest's are for their owner alone
        directory.chmod(0o755)
    for kind in ("auto", "rlimits"):
        with Sandbox(SandboxConfig(isolation=kind, python_path=(tmp_path,))) as sandbox:
            assert ask(sandbox, "import neighbour; say(neighbour.VALUE)") == 41


def test_probe_finds_all_protections_in_bubblewrap(bubblewrap: Sandbox) -> None:
    reports = probe(bubblewrap)
    assert [report for report in reports if report.outcome is not Outcome.HOLDS] == []
    assert len({report.name for report in reports}) == len(reports) == 14


def test_probe_agrees_with_what_the_sandbox_says_of_itself(rlimits: Sandbox) -> None:
    reports = {report.name: report.outcome is Outcome.HOLDS for report in probe(rlimits)}
    bound_to = {"network": "no network", "file system": "Landlock", "your files": "Landlock"}
    bound_to["system calls"] = "system-call filter"
    description = rlimits.isolation.description
    assert {name: reports.pop(name) for name in bound_to} == {
        name: text in description for name, text in bound_to.items()
    }
    is_out_of_reach = reports.pop("other processes")
    assert is_out_of_reach or os.getuid() != 0
    assert [name for name, holds in reports.items() if not holds] == []


def test_every_probe_finds_a_protection_that_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENCWM_PROBED", "1")
    reports = probe(Unprotected(tmp_path))
    holding = [report for report in reports if report.outcome is not Outcome.BROKEN]
    # Where the kernel lets nobody have a namespace, there is nothing to protect from.
    assert {report.name for report in holding} <= {"system calls"}, holding


class Silent:
    """A sandbox in which every run ends before it has said anything."""

    def run(self, target: str, payload: bytes = b"", limits: RunLimits | None = None) -> RunResult:
        return RunResult(status=RunStatus.KILLED, outputs=(), detail=f"{target} {len(payload)} {limits}")


def test_what_cannot_be_tried_is_not_said_to_hold() -> None:
    outcomes = {report.outcome for report in probe(Silent())}
    assert outcomes == {Outcome.UNTESTED, Outcome.BROKEN}


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_landlock_keeps_files_from_being_read_or_written(rlimits: Sandbox, tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o777)
    (tmp_path / "secret").write_text("secret")
    said = ask(
        rlimits,
        f"""
        outcomes = []
        for name, mode in (("secret", "r"), ("secret", "w"), ("new", "w")):
            try:
                open(os.path.join({str(tmp_path)!r}, name), mode).close()
                outcomes.append("open")
            except PermissionError:
                outcomes.append("refused")
        open(os.devnull, "w").write("x")
        open("own", "w").write("x")
        say(outcomes)
        """,
    )
    assert said == ["refused"] * 3
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize("kind", ["auto", "rlimits"])
def test_an_isolation_that_is_less_says_so_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox(SandboxConfig(isolation=kind)) as sandbox:
        isolation = sandbox.isolation
    if kind == "auto" and isolation.kind == "rlimits":
        assert isolation.notice
    else:
        assert isolation.notice == ""
        assert caplog.text == ""
