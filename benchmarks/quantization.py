"""What quantization costs, on generated programs and on recorded ones: one command for docs/quantization.md.

    nice -19 python benchmarks/quantization.py RUN --data FILE -o DIR

Runs ``opencwm eval quantization`` into DIR/real and DIR/generated. Both keep results while they come: the
same command goes on where it was stopped. DIR/load.jsonl says how busy the machine was, once a minute:
exactness does not depend on it, times do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path

from opencwm.frontends.cli import main as opencwm


def note_load(file: Path, ended: threading.Event) -> None:
    with file.open("a", encoding="utf-8") as lines:
        while not ended.is_set():
            lines.write(json.dumps({"at_s": int(time.time()), "load": os.getloadavg()[0]}) + "\n")
            lines.flush()
            ended.wait(60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="training run, or model folder with fp32 weights")
    parser.add_argument("--data", required=True, help="recorded runs that the model has not seen")
    parser.add_argument("--programs", default="40", help="of each kind")
    parser.add_argument("--precisions", default="fp32,bf16,int8,int8:128,int4")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    common = [
        "eval",
        "quantization",
        given.run,
        "--programs",
        given.programs,
        "--precisions",
        given.precisions,
    ]
    parts = {
        "real": ["--data", given.data, "--documents", "40", "--max-steps", "30"],
        "generated": ["--documents", "40", "--max-steps", "40"],
    }
    ended = threading.Event()
    threading.Thread(target=note_load, args=(given.output / "load.jsonl", ended), daemon=True).start()
    status = 0
    for name, options in parts.items():
        status = status or opencwm([*common, *options, "-o", str(given.output / name)])
    ended.set()
    return status


if __name__ == "__main__":
    sys.exit(main())
