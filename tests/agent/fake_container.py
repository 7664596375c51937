"""Stands in for podman and docker: containers are folders, and commands run here, confined by nothing.

It keeps a log of its command lines, checks that options are ones that podman and docker have, and fails on
names it does not know.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ["FAKE_CONTAINERS"])
WITH_VALUE = {
    "--label",
    "--workdir",
    "--network",
    "--memory",
    "--pids-limit",
    "--ulimit",
    "--cap-drop",
    "--cap-add",
}
WITH_VALUE |= {"--security-opt", "--entrypoint", "--env", "--filter", "--format"}
PLAIN = {"--init", "--interactive", "--all", "--quiet", "--force", "--volumes"}


def parse(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    options: dict[str, list[str]] = {}
    while words and words[0].startswith("--"):
        name, sep, value = words.pop(0).partition("=")
        if name in WITH_VALUE:
            options.setdefault(name, []).append(value if sep else words.pop(0))
        elif name in PLAIN:
            options[name] = []
        else:
            raise SystemExit(f"unknown flag: {name}")
    return options, words


def container(name: str) -> Path:
    path = HOME / "containers" / name
    if not path.is_dir():
        raise SystemExit(f"Error: no such container {name}")
    return path


def root_of(image: str) -> Path:
    path = HOME / "images" / image.replace(":", "_")
    if not path.is_dir():
        raise SystemExit(f"Error: {image}: image not known")
    return path


def main() -> int:
    with (HOME / "log").open("a") as log:
        log.write(json.dumps(sys.argv[1:]) + "\n")
    verb, *rest = sys.argv[1:]
    options, words = parse(rest)
    if verb == "create":
        name = secrets.token_hex(6)
        path = HOME / "containers" / name
        shutil.copytree(root_of(words[0]), path / "root", symlinks=True)
        (path / "options.json").write_text(json.dumps(options))
        print(name)
    elif verb == "start":
        container(words[0])
    elif verb == "exec":
        path = container(words[0])
        env = {**os.environ, **dict(item.split("=", 1) for item in options.get("--env", []))}
        inside = str(path / "root")
        cwd = inside + options.get("--workdir", ["/testbed"])[0]
        script = [word.replace("/logs/", f"{inside}/logs/") for word in words[1:]]
        env["HOME"] = inside
        if not Path(cwd).is_dir():
            raise SystemExit("Error: no such folder")
        return subprocess.call(script, cwd=cwd, env=env)
    elif verb == "cp":
        name, _, target = words[1].partition(":")
        shutil.copytree(words[0], str(container(name) / "root") + target, dirs_exist_ok=True)
    elif verb == "commit":
        shutil.copytree(
            container(words[0]) / "root", HOME / "images" / words[1].replace(":", "_"), symlinks=True
        )
        print(words[1])
    elif verb == "rm":
        shutil.rmtree(container(words[0]))
    elif verb == "rmi":
        shutil.rmtree(root_of(words[0]))
    elif verb == "ps":
        key = options["--filter"][0].removeprefix("label=")
        for path in (HOME / "containers").iterdir():
            labels = json.loads((path / "options.json").read_text()).get("--label", [])
            if any(label.startswith(f"{key}=") for label in labels):
                print(path.name)
    elif verb == "inspect":
        labels = json.loads((container(words[0]) / "options.json").read_text())["--label"]
        print(labels[0].partition("=")[2])
    else:
        raise SystemExit(f"unknown command {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
