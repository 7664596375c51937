"""How long a user waits: for the first step after starting, and for each later one, with the shipped model.

    python benchmarks/interactive.py [--turns 3] [--programs words,recursion] [--max-steps 200]

Programs of under 30 lines. *First step*: from starting the process until the first step is there, printed by
``opencwm debug``, or answered to the page by ``opencwm web`` (state, overview, steps). *Later steps*: one at
a time, by :meth:`Session.step_into` in this process, and by ``POST /api/move`` to a server on loopback.
Targets: 2 s, and 150 ms (median). Processor time stands beside: on a busy machine it is what an idle one
would need.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from opencwm.debugger.native_model import NativeWorldModel
from opencwm.frontends.models import Models
from opencwm.frontends.programs import load_program
from opencwm.frontends.sessions import SessionConfig, open_program

RUN = "import sys; from opencwm.frontends.cli import main; sys.exit(main(sys.argv[1:]))"
EXAMPLES = Path(__file__).parents[1] / "examples"
WORDS = """\
def words(text):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    best = sorted(counts, key=counts.get)
    return best[-1], counts
"""
SORT = """\
def sort(xs):
    xs = list(xs)
    for i in range(len(xs)):
        for j in range(len(xs) - 1 - i):
            if xs[j] > xs[j + 1]:
                xs[j], xs[j + 1] = xs[j + 1], xs[j]
    return xs
"""
RECURSION = """\
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
"""
PROGRAMS = {
    "strawberry": ((EXAMPLES / "strawberry.py").read_text(encoding="utf-8"), "f('strawberry', 'r')"),
    "broken imports": ((EXAMPLES / "broken_imports.py").read_text(encoding="utf-8"), "total(4, 12)"),
    "words": (WORDS, "words('a b a c b a')"),
    "sort": (SORT, "sort([3, 1, 2, 5, 4])"),
    "recursion": (RECURSION, "fib(5)"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How long a user waits.")
    parser.add_argument("--turns", type=int, default=3, help="starts of which the median is taken")
    parser.add_argument("--programs", default="", help="names, with commas between; by default all")
    parser.add_argument("--max-steps", type=int, default=200, help="most steps of a program")
    options = parser.parse_args()
    wanted = [name.strip() for name in options.programs.split(",") if name.strip()] or list(PROGRAMS)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("first step in s: debug, its processor time, web; later ones in ms: median, 90 %, processor median")
    print(
        f"{'':<16}{'lines':>6}{'debug':>8}{'cpu':>7}{'web':>8}{'steps':>7}{'session':>12}{'cpu':>6}{'web':>12}"
    )
    world = NativeWorldModel.load()
    for name in wanted:
        source, call = PROGRAMS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program.py"
            path.write_text(source, encoding="utf-8")
            starts = [
                (*first_in_terminal(path, call), first_in_page(path, call)) for _ in range(options.turns)
            ]
            session, processor = session_steps(path, call, world, options.max_steps)
            page = page_steps(path, call, options.max_steps)
        debug_s, cpu_s, web_s = (statistics.median(column) for column in zip(*starts, strict=True))
        row = (
            f"{name:<16}{source.count(chr(10)):>6}{debug_s:>8.2f}{cpu_s:>7.2f}{web_s:>8.2f}{len(session):>7}"
        )
        cpu_ms = statistics.median(processor) * 1000
        print(f"{row}{spread(session):>12}{cpu_ms:>6.0f}{spread(page):>12}", flush=True)


def spread(times_s: list[float]) -> str:
    """Write median and 90th percentile in milliseconds."""
    most = sorted(times_s)[int(len(times_s) * 0.9)]
    return f"{statistics.median(times_s) * 1000:.0f}, {most * 1000:.0f}"


def first_in_terminal(path: Path, call: str) -> tuple[float, float]:
    """Return the seconds until `opencwm debug` has printed the first step, and those of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.perf_counter()
    command = [sys.executable, "-c", RUN, "debug", str(path), "--call", call]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        while not running.stdout.readline().startswith("-> "):
            assert running.poll() is None
        took_s = time.perf_counter() - began_s
        running.stdin.write("q\n")
        running.stdin.close()
        running.stdout.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_in_page(path: Path, call: str) -> float:
    """Return the seconds until `opencwm web` has answered what the page asks before it shows anything."""
    began_s = time.perf_counter()
    with Page(path, call) as page:
        page.first()
        return time.perf_counter() - began_s


def session_steps(
    path: Path, call: str, world: NativeWorldModel, max_steps: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of each step after the first, in this process, and those of processor time."""
    session = open_program(load_program(path, call=call), SessionConfig(), Models({None: world})).session()
    times_s: list[float] = []
    processor_s: list[float] = []
    while not session.is_ended and len(times_s) < max_steps:
        began_s, began_processor_s = time.perf_counter(), time.process_time()
        session.step_into()
        times_s.append(time.perf_counter() - began_s)
        processor_s.append(time.process_time() - began_processor_s)
    return times_s, processor_s


def page_steps(path: Path, call: str, max_steps: int) -> list[float]:
    """Return the seconds of each step after the first, as the page waits for them."""
    times_s: list[float] = []
    with Page(path, call) as page:
        page.first()
        while not page.is_ended and len(times_s) < max_steps:
            began_s = time.perf_counter()
            page.step()
            times_s.append(time.perf_counter() - began_s)
    return times_s


class Page:
    """A client that asks `opencwm web` what the page asks, and the server it asks."""

    def __init__(self, path: Path, call: str) -> None:
        command = [sys.executable, "-c", RUN, "web", str(path), "--call", call]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        url = self._server.stdout.readline().strip()
        self._client = httpx.Client(follow_redirects=True, trust_env=False, timeout=60)
        self._client.get(url).raise_for_status()
        self._client.base_url = httpx.URL(url).copy_with(query=None)
        self._place: dict[str, int | bool] = {}

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.terminate()
        self._server.communicate()

    @property
    def is_ended(self) -> bool:
        """Whether the page is past the last step."""
        return bool(self._place["is_ended"])

    def first(self) -> None:
        """Ask for what stands on the page at first."""
        for name in ("page.js", "page.css"):
            self._client.get(f"/assets/{name}").raise_for_status()
        timeline = self._client.get("/api/state").json()["timelines"][0]["id"]
        self._client.get(f"/api/overview?timeline={timeline}").raise_for_status()
        self._client.get(f"/api/steps?timeline={timeline}&start=0&stop=64").raise_for_status()
        self._place = {"timeline": timeline, "position": 0, "is_ended": False}

    def step(self) -> None:
        """Press the key that steps."""
        message = {**self._place, "move": "step_into", "known": int(self._place["position"]) + 1}
        self._place = self._client.post("/api/move", json=message).raise_for_status().json()["place"]


if __name__ == "__main__":
    main()
