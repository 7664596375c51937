"""Boxes of bubblewrap, for real: what is kept, what is out of reach, what ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencwm.agent.box import MIB, BoxKind, BoxLimits, BoxSpec, RunStatus, open_box
from opencwm.agent.box_process import Output
from opencwm.agent.bubblewrap import BoxPlan, BubblewrapBox, obtained_plan
from opencwm.agent.testing import why_no_boxes
from opencwm.core.errors import ConfigError, SandboxError

pytestmark = pytest.mark.skipif(bool(why_no_boxes()), reason=why_no_boxes())


@pytest.fixture(name="files", scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.txt").write_text("one\n")
    (folder / "link").symlink_to("/etc/shadow")
    return folder


@pytest.fixture(name="box")
def _box(files: Path) -> Iterator[BubblewrapBox]:
    with BubblewrapBox(BoxSpec(files=files)) as box:
        yield box


def test_files_stay_and_the_source_is_not_written_to(box: BubblewrapBox, files: Path) -> None:
    box.run("echo two >> a.txt; mkdir -p /home/agent/d; echo x > /tmp/y")
    assert box.run("cat a.txt /tmp/y; ls -d ~/d").output == "one\ntwo\nx\n/home/agent/d\n"
    assert (files / "a.txt").read_text() == "one\n"


def test_a_command_says_how_it_ended(box: BubblewrapBox) -> None:
    done = box.run("echo out; echo err >&2; exit 7")
    assert (done.status, done.exit_code, done.output) == (RunStatus.EXITED, 7, "out\nerr\n")
    assert box.run("kill -SEGV $$").exit_code == 128 + 11
    assert box.run(["printf", "%s|", "a b", "$HOME"]).output == "a b|$HOME|"
    assert box.run("cat", stdin=b"given\xff").output == "given\N{REPLACEMENT CHARACTER}"
    assert box.run("echo $X; pwd", cwd="/tmp", env={"X": "1"}).output == "1\n/tmp\n"  # noqa: S108 - in the box
    assert box.run("true", cwd="nowhere").exit_code == 2
    assert box.run(["no-such-program"]).exit_code == 127


def test_a_timeout_ends_every_process(box: BubblewrapBox) -> None:
    started = time.monotonic()
    done = box.run("(setsid sleep 987 &); trap '' TERM INT; echo on; sleep 987", timeout_s=0.5)
    assert (done.status, done.exit_code, done.output) == (RunStatus.TIMEOUT, None, "on\n")
    assert time.monotonic() - started < 10
    assert not _processes("sleep\x00987")


def test_what_a_command_leaves_behind_ends_with_it(box: BubblewrapBox) -> None:
    assert box.run("(setsid sleep 986 &) ; sleep 986 & echo on").output == "on\n"
    assert not _processes("sleep\x00986")


def test_the_machine_is_out_of_reach(box: BubblewrapBox) -> None:
    told = box.run(
        f"""
        for path in /usr /lib {sys.prefix} /proc/sys/kernel; do
            touch $path/opencwm 2>/dev/null && echo wrote $path
        done
        ls {Path.home()}/.ssh {Path(__file__).parent} 2>/dev/null
        cat link 2>/dev/null
        python -c 'import socket; socket.create_connection(("192.0.2.1", 9), 1)' 2>&1 | tail -n 1
        grep -h CapEff /proc/self/status; echo uid $(id -u)
        ls -d /proc/[0-9]* | wc -l
        unshare -Ur true 2>&1
        """
    ).output
    assert "wrote" not in told
    assert "OSError: [Errno 101] Network is unreachable" in told
    assert "CapEff:\t0000000000000000\n" in told
    assert "unshare failed: Operation not permitted" in told
    assert "uid 0" not in told
    assert int(told.split("uid ")[1].split()[1]) < 10, "other processes are seen"


def test_local_ports_can_be_used(box: BubblewrapBox) -> None:
    code = "import socket as s; a = s.create_server(('127.0.0.1', 0)); s.create_connection(a.getsockname())"
    assert box.run(["python", "-I", "-c", code]).is_success


def test_output_keeps_both_ends(files: Path) -> None:
    with BubblewrapBox(BoxSpec(files=files, limits=BoxLimits(output_bytes=100))) as box:
        done = box.run("printf 'start'; head -c 1000000 /dev/zero | tr '\\0' x; printf 'end'")
    assert done.num_output_bytes == 1_000_008
    assert done.output.startswith("startxxx")
    assert done.output.endswith("xxxend")
    assert "[... 999908 bytes left out ...]" in done.output


@pytest.mark.parametrize("sizes", [[], [1], [50, 50], [50, 51], [200_000], [30] * 9])
def test_outputs_of_any_size_lose_only_their_middle(sizes: list[int]) -> None:
    output = Output(100)
    whole = b""
    for number, size in enumerate(sizes):
        chunk = bytes([65 + number]) * size
        output.add(chunk)
        whole += chunk
    if len(whole) <= 100:
        assert output.data() == whole
    else:
        assert output.data().startswith(whole[:50])
        assert output.data().endswith(whole[-50:])
        assert f" {len(whole) - 100} bytes" in output.text()


def test_limits_hold(files: Path) -> None:
    limits = BoxLimits(memory_bytes=300 * MIB, num_processes=20, file_bytes=MIB, disk_bytes=4 * MIB)
    with BubblewrapBox(BoxSpec(files=files, limits=limits)) as box:
        assert "MemoryError" in box.run(["python", "-c", "bytearray(10**9)"]).output
        forks = box.run("for i in $(seq 60); do sleep 5 & done", timeout_s=9)
        assert "Resource temporarily unavailable" in forks.output
        assert box.run("head -c 9000000 /dev/zero > f; stat -c %s f").output.endswith(f"{MIB}\n")
        done = box.run("for i in $(seq 100000); do head -c 1000000 /dev/zero > f$i; done", timeout_s=30)
        assert done.status is RunStatus.DISK_FULL


def test_files_are_read_and_written_in_the_box(box: BubblewrapBox) -> None:
    data = bytes(range(256)) * 5000
    box.write_file("deep/down/x.bin", data)
    assert box.read_file("/testbed/deep/down/x.bin") == data
    box.write_file("empty", "")
    assert box.read_file("empty") == b""
    with pytest.raises(FileNotFoundError):
        box.read_file("nothing")
    with pytest.raises(FileNotFoundError):
        box.read_file("link")  # its target is not in the box
    with pytest.raises(IsADirectoryError):
        box.read_file("deep")
    with pytest.raises(OSError, match="Invalid argument"):
        box.read_file("/dev/zero")
    with pytest.raises(PermissionError if os.getuid() else OSError):
        box.write_file("/usr/x", "no")


@pytest.mark.parametrize("is_overlay", [True, False])
def test_snapshots_and_forks(files: Path, is_overlay: bool) -> None:
    plan = obtained_plan()
    if is_overlay and not plan.is_overlay:
        pytest.skip("this kernel refuses overlays")
    with BubblewrapBox(BoxSpec(files=files), BoxPlan(plan.is_root, is_overlay)) as box:
        box.run("mkdir d; echo 1 > d/x")
        first = box.snapshot()
        box.run("rm -r d a.txt; mkdir d; echo 2 > d/y")
        second = box.snapshot()
        fork = box.fork()
        box.restore(first)
        assert box.run("ls d; cat a.txt").output == "x\none\n"
        box.run("rm -r d")
        box.restore(second)
        assert box.run("ls . d").output == ".:\nd\nlink\n\nd:\ny\n"
        box.restore(first)
        assert box.run("cat d/x").output == "1\n"
        box.stop()
        assert fork.run("ls d; echo 3 > d/z; ls d").output == "y\ny\nz\n"
        fork.stop()
        with pytest.raises(KeyError):
            box.restore("unknown")
        with pytest.raises(SandboxError, match="not been started"):
            box.run("true")


def test_a_shell_stays_and_a_snapshot_can_be_taken_beside_it(box: BubblewrapBox) -> None:
    shell = box.spawn(["bash"])
    assert shell.popen.stdin is not None
    assert shell.popen.stdout is not None
    shell.popen.stdin.write(b"cd /tmp; x=5; echo live > f; echo ready\n")
    assert shell.popen.stdout.readline() == b"ready\n"
    name = box.snapshot()
    shell.popen.stdin.write(b"echo $x $PWD; rm f; sleep 985 & echo gone\n")
    assert shell.popen.stdout.readline() == b"5 /tmp\n"
    assert shell.popen.stdout.readline() == b"gone\n"
    box.restore(name)
    shell.kill()
    assert not _processes("sleep\x00985")
    assert box.run("cat /tmp/f").output == "live\n"


def test_what_cannot_be_is_said(files: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown kind of box 'vm' \(one of auto, bubblewrap"):
        open_box(BoxSpec(kind="vm"))
    with pytest.raises(ConfigError, match="bubblewrap knows no images"):
        open_box(BoxSpec(kind=BoxKind.BUBBLEWRAP, image="x"))
    with pytest.raises(ConfigError, match="not a positive number"):
        BoxLimits(wall_s=0)
    with pytest.raises(SandboxError, match="started already"), BubblewrapBox(BoxSpec(files=files)) as box:
        box.start()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """On a file system of 200 kB of this test's own."""
    script = (
        f"mount -t tmpfs -o size=200k none {tmp_path} && mkdir {tmp_path}/src && head -c 150000 /dev/zero > "
        f"{tmp_path}/src/f && TMPDIR={tmp_path} exec {sys.executable} -c '{_FILL}' {tmp_path}/src"
    )
    namespace = ["--mount"] if os.getuid() == 0 else ["--mount", "--user", "--map-root-user"]
    done = subprocess.run(
        ["unshare", *namespace, "sh", "-c", script],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "No space left on device" in done.stdout, done.stderr


_FILL = """
import sys
from pathlib import Path
from opencwm.agent.box import BoxSpec
from opencwm.agent.bubblewrap import BubblewrapBox, BoxPlan
from opencwm.core.errors import SandboxError
try:
    BubblewrapBox(BoxSpec(files=Path(sys.argv[1])), BoxPlan(False, True)).start()
except SandboxError as error:
    print(error)
"""


def _processes(command: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if command in (entry / "cmdline").read_text():
                    found.append(entry.name)
            except OSError:
                continue
    return found
