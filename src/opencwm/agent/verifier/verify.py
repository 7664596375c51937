"""Grade the files of a task: bring back its tests, run them, leave the score in /logs/verifier.

``spec.json`` beside this file says what to run: ``command``, ``workdir``, ``fail_to_pass``, ``pass_to_pass``.
``restore/`` holds the tests and all configuration of pytest as the task has them; configuration that is not
there is removed, so a submission can neither change nor add any. The score is 1 when all tests named pass,
otherwise 0. Runs on Python 3.6 and later. Usage: ``python3 -I verify.py``.
"""

import json
import os
import shutil
import subprocess
import sys
from typing import Any, Dict

HERE = os.path.dirname(os.path.abspath(__file__))
LOGS = "/logs/verifier"
CONFIGURATION = {
    "conftest.py",
    "pytest.ini",
    ".pytest.ini",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
    "pytest.toml",
}
CONFIGURATION |= {".pytest.toml", "sitecustomize.py", "usercustomize.py"}
SHADOWS = {"pytest", "_pytest", "pluggy", "iniconfig", "opencwm_recorder"}
SHADOWS |= {name + ".py" for name in SHADOWS}


def restore(workdir: str) -> None:
    """Remove configuration that is not the task's, then copy what is."""
    kept = os.path.join(HERE, "restore")
    for folder, names, files in os.walk(workdir):
        names[:] = [name for name in names if name != ".git"]
        for name in files + [name for name in names if os.path.islink(os.path.join(folder, name))]:
            if name in CONFIGURATION:
                os.unlink(os.path.join(folder, name))
    for name in SHADOWS:
        path = os.path.join(workdir, name)
        if os.path.lexists(path) and not os.path.lexists(os.path.join(kept, name)):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
    for folder, _, files in os.walk(kept):
        target = os.path.normpath(os.path.join(workdir, os.path.relpath(folder, kept)))
        if os.path.islink(target) or os.path.isfile(target):
            os.unlink(target)
        os.makedirs(target, exist_ok=True)
        for name in files:
            path = os.path.join(target, name)
            if os.path.lexists(path):
                os.unlink(path)
            shutil.copyfile(os.path.join(folder, name), path)


def run(spec: Dict[str, Any], record: str) -> Dict[str, str]:
    """Run the tests named; return the outcome of each that ran."""
    select = os.path.join(HERE, "select.json")
    with open(select, "w") as file:
        json.dump(spec["fail_to_pass"] + spec["pass_to_pass"], file)
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONSTARTUP"))
    }
    path = [HERE] + ([env["PYTHONPATH"]] if env.get("PYTHONPATH") else [])
    env.update(
        PYTHONPATH=os.pathsep.join(path),
        PYTHONDONTWRITEBYTECODE="1",
        PYTEST_ADDOPTS="-p opencwm_recorder -p no:cacheprovider --continue-on-collection-errors",
        OPENCWM_RECORD=record,
        OPENCWM_SELECT=select,
    )
    subprocess.call(["bash", "-c", spec["command"]], cwd=spec["workdir"], env=env)
    found = {}
    if os.path.exists(record):
        with open(record, encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                if "test" in entry:
                    found[entry["test"]] = entry["outcome"]
    return found


def main() -> int:
    """Grade, and return the exit status."""
    with open(os.path.join(HERE, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    os.makedirs(LOGS, exist_ok=True)
    restore(spec["workdir"])
    outcomes = run(spec, os.path.join(HERE, "record.jsonl"))
    wanted = spec["fail_to_pass"] + spec["pass_to_pass"]
    tests = {name: outcomes.get(name, "missing") for name in wanted}
    reward = 1.0 if wanted and all(outcome == "passed" for outcome in tests.values()) else 0.0
    with open(os.path.join(LOGS, "tests.json"), "w") as file:
        json.dump(tests, file)
    with open(os.path.join(LOGS, "reward.json"), "w") as file:
        json.dump({"reward": reward}, file)
    for name, outcome in tests.items():
        if outcome != "passed":
            print(outcome, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
