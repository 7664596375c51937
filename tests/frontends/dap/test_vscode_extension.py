"""The extension in editors/vscode: its own tests under node, its manifest against the server, its package."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opencwm.frontends.dap import arguments
from opencwm.frontends.sessions import Mode

from .nodejs import found_node, installed

FOLDER = Path(__file__).parents[3] / "editors" / "vscode"


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    return loaded


def test_its_own_tests_pass() -> None:
    outcome = subprocess.run(
        [found_node(), "--test", "--test-reporter=tap", "test/configurations.test.js"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "# pass 5" in outcome.stdout


def test_what_it_offers_is_what_the_server_takes() -> None:
    debugger = manifest()["contributes"]["debuggers"][0]
    launch = debugger["configurationAttributes"]["launch"]["properties"]
    kinds = {str: "string", int: "integer", float: "number", bool: "boolean"}
    taken = {key: hint for key, hint, _ in arguments.fields_of(arguments.Launch).values()}
    assert set(launch) - {"port"} == set(taken) - {"noDebug"}
    for key, hint in taken.items():
        if key in launch and key != "mode":
            assert launch[key]["type"] == ("array" if typing.get_origin(hint) is tuple else kinds[hint]), key
    assert launch["mode"]["enum"] == list(Mode)
    for name, place in (
        ("stopOnEntry", "stop_on_entry"),
        ("stopAtEnd", "stop_at_end"),
        ("maxSteps", "max_steps"),
    ):
        assert launch[name]["default"] == getattr(arguments.Launch(), place)


def test_its_configurations_follow_its_own_schema() -> None:
    debugger = manifest()["contributes"]["debuggers"][0]
    for made in debugger["initialConfigurations"]:
        attributes = debugger["configurationAttributes"][made["request"]]
        jsonschema.Draft7Validator(attributes).validate(made)
        arguments.read(arguments.Launch, made)


@pytest.mark.slow
def test_its_script_packages_it() -> None:
    installed(FOLDER)
    npm = shutil.which("npm")
    assert npm is not None
    subprocess.run([npm, "run", "package"], cwd=FOLDER, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(FOLDER / "opencwm.vsix") as package:
        names = set(package.namelist())
        packaged = json.loads(package.read("extension/package.json"))
    assert {"extension/extension.js", "extension/configurations.js", "extension/LICENSE.txt"} <= names
    assert not [name for name in names if "node_modules" in name or "test" in name]
    assert packaged["main"] == "./extension.js"
