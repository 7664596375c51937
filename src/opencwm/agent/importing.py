"""Instances of SWE-bench, SWE-smith and R2E-Gym as task directories. Images are named, nothing is fetched.

| field | SWE-bench | SWE-smith | R2E-Gym |
|---|---|---|---|
| id | ``instance_id`` | ``instance_id`` | ``repo_name`` + ``commit_hash`` |
| told | ``problem_statement`` | ``problem_statement`` | ``problem_statement``, between ``[ISSUE]`` marks |
| image | ``sweb.eval.x86_64.ID`` of Docker Hub's ``swebench`` | ``image_name`` | ``docker_image`` |
| solution | ``patch`` | ``patch``, reversed: it *makes* the bug | in ``parsed_commit_content`` |
| tests | ``test_patch``, ``FAIL_TO_PASS``, ``PASS_TO_PASS`` | the two lists | ``expected_output_json`` |

Lists may be JSON in a text. Tests must be named as pytest names them; others (django's) are refused, with
the reason.

Sources: https://www.swebench.com/SWE-bench/guides/datasets/, the dataset cards of princeton-nlp/SWE-bench and
SWE-bench/SWE-smith; ``swesmith/harness/utils.py`` ("gold patches = bug patches, so fix = revert"); the
dataset card of R2E-Gym/R2E-Gym-Subset and ``src/r2egym/agenthub/runtime/docker.py`` of R2E-Gym.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.agent.task import Task
from opencwm.agent.task_writing import TaskDraft, write_task
from opencwm.core.errors import OpenCWMError, TaskError

_ACTIVATE: Final = "source /opt/miniconda3/bin/activate testbed && "
_PYTEST: Final = "python -m pytest -rA"
_PLUS_FILE: Final = re.compile(r"(?m)^\+\+\+ b/(.+)$")
_MINUS_FILE: Final = re.compile(r"(?m)^--- a/(.+)$")
_R2E_VERIFY: Final = "verify_r2e.py"


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An instance that was not imported.

    Attributes:
        where: file and number of the instance.
        reason: why.
    """

    where: str
    reason: str


def import_instances(path: Path, folder: Path) -> Iterator[Task | Refusal]:
    """Write a task directory for each instance of a JSON or JSONL file; yield it, or why there is none.

    Raises:
        TaskError: the file is neither JSON nor JSON lines.
    """
    for number, instance in enumerate(read_instances(path), 1):
        where = f"{path}: instance {number}"
        try:
            yield write_task(draft_of(instance), folder)
        except OpenCWMError as error:
            yield Refusal(where, str(error))


def read_instances(path: Path) -> list[Any]:
    """Read the instances of a file: a JSON list, one JSON object, or one object a line.

    Raises:
        TaskError: it is none of these.
    """
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise TaskError("not UTF-8", where=str(path)) from error
    try:
        found = json.loads(text)
    except ValueError:
        return [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return found if isinstance(found, list) else [found]


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise TaskError(f"neither JSON nor JSON lines: {error}", where=f"{path}:{number}") from error


def draft_of(instance: Any) -> TaskDraft:
    """Turn an instance into what a task is written from.

    Raises:
        TaskError: a field is missing or wrong, or its tests are none of pytest.
    """
    if not isinstance(instance, dict):
        raise TaskError("not an object")
    if "docker_image" in instance and "expected_output_json" in instance:
        return _r2e_draft(instance)
    if "image_name" in instance and "test_patch" not in instance:
        return _smith_draft(instance)
    return _bench_draft(instance)


def _bench_draft(instance: Mapping[str, Any]) -> TaskDraft:
    name = _text(instance, "instance_id")
    test_patch = _text(instance, "test_patch")
    # Two underscores in a row stand for something else there. Source: swebench/harness/test_spec/test_spec.py
    published = f"docker.io/swebench/sweb.eval.x86_64.{name.lower().replace('__', '_1776_')}:latest"
    image = instance.get("image_name") or instance.get("docker_image") or published
    gold = _text(instance, "patch")
    tests = _names(instance, "FAIL_TO_PASS"), _names(instance, "PASS_TO_PASS")
    return TaskDraft(
        name=f"swe-bench/{_slug(name)}",
        instruction=_text(instance, "problem_statement"),
        command=_command(tests),
        dockerfile=_dockerfile(image),
        fail_to_pass=tests[0],
        pass_to_pass=tests[1],
        test_files=_files(test_patch),
        oracle_files=_files(gold),
        gold_patch=_ended(gold),
        image=image,
        scripts={"test.patch": _ended(test_patch), "test.sh": _TEST_PATCH_SCRIPT},
        metadata={
            "origin": "SWE-bench",
            "instance_id": name,
            "base_commit": str(instance.get("base_commit", "")),
        },
        timeout_s=1800.0,
    )


_TEST_PATCH_SCRIPT: Final = (
    "#!/bin/bash\n# The files of test.patch as they were, then the patch; then the score.\n"
    'here="$(cd "$(dirname "$0")" && pwd)"\ncd /testbed\n'
    'base="$(git rev-list --max-parents=0 HEAD | tail -n 1)"\n'
    'git apply --numstat -z "$here/test.patch" | tr "\\0" "\\n" | cut -f3 | while read -r path; do\n'
    '  git checkout -q "$base" -- "$path" 2>/dev/null || rm -f -- "$path"\ndone\n'
    'git apply --whitespace=nowarn "$here/test.patch" || exit 1\npython3 -I "$here/verify.py"\n'
)


def _smith_draft(instance: Mapping[str, Any]) -> TaskDraft:
    name = _text(instance, "instance_id")
    bug = _ended(_text(instance, "patch"))
    tests = _names(instance, "FAIL_TO_PASS"), _names(instance, "PASS_TO_PASS")
    image = _text(instance, "image_name")
    test_files = sorted({test.partition("::")[0] for test in (*tests[0], *tests[1])})
    return TaskDraft(
        name=f"swe-smith/{_slug(name)}",
        instruction=_text(instance, "problem_statement"),
        command=_command(tests),
        dockerfile=_dockerfile(image, bug),
        fail_to_pass=tests[0],
        pass_to_pass=tests[1],
        test_files=test_files,
        oracle_files=_files(bug),
        gold_patch=reversed_patch(bug),
        image=image,
        setup=f"git apply --whitespace=nowarn - <<'OPENCWM_BUG'\n{bug}OPENCWM_BUG\n",
        metadata={"origin": "SWE-smith", "instance_id": name, "repo": str(instance.get("repo", ""))},
        timeout_s=1800.0,
    )


def _r2e_draft(instance: Mapping[str, Any]) -> TaskDraft:
    name = f"{_text(instance, 'repo_name')}__{_text(instance, 'commit_hash')[:12]}"
    image = _text(instance, "docker_image")
    expected = _object(instance, "expected_output_json")
    told = _text(instance, "problem_statement")
    issue = re.search(r"\[ISSUE\](.*)\[/ISSUE\]", told, re.DOTALL)
    gold = _r2e_patch(instance)
    passing = [test for test, outcome in expected.items() if outcome == "PASSED"]
    if not passing:
        raise TaskError("no test is expected to pass", where="expected_output_json")
    return TaskDraft(
        name=f"r2e-gym/{_slug(name)}",
        instruction=issue.group(1) if issue else told,
        command="bash /tests/run_tests.sh",
        dockerfile=_dockerfile(image),
        pass_to_pass=passing,
        oracle_files=_files(gold),
        gold_patch=_ended(gold),
        image=image,
        setup=_R2E_SETUP,
        scripts={
            "expected.json": json.dumps(expected, indent=1) + "\n",
            _R2E_VERIFY: _R2E_SCRIPT,
            "test.sh": f'#!/bin/bash\npython3 -I "$(dirname "$0")/{_R2E_VERIFY}"\n',
        },
        metadata={"origin": "R2E-Gym", "commit": _text(instance, "commit_hash")},
        timeout_s=1800.0,
    )


_R2E_SETUP: Final = (
    "mkdir -p /var/opencwm && for p in /r2e_tests /root/r2e_tests /testbed/r2e_tests /testbed/run_tests.sh "
    '/root/run_tests.sh /run_tests.sh; do [ -e "$p" ] && [ ! -L "$p" ] && mv "$p" /var/opencwm/; done; '
    "chmod -R a-w /var/opencwm; true\n"
)
"""The tests lie in the image; they leave the agent's sight for a place that the verifier knows."""
_R2E_SCRIPT: Final = '''\
"""Run R2E-Gym's own script on the tests that lie in the image, and compare with what is expected of each."""
import json, os, re, shutil, subprocess

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "expected.json")) as file:
    expected = json.load(file)
shutil.rmtree("/testbed/r2e_tests", ignore_errors=True)
shutil.copytree("/var/opencwm/r2e_tests", "/testbed/r2e_tests")
command = ["bash", "/var/opencwm/run_tests.sh"]
done = subprocess.run(command, cwd="/testbed", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
text = re.sub(r"\\x1b\\[[0-9;]*m", "", done.stdout.decode(errors="replace"))
print(text[-20000:])
found = {}
for line in text.splitlines():
    match = re.match(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL) (\\S.*)", line)
    if match:
        name = match.group(2).split(" - ")[0]
        found[".".join(name.split("::")[1:]) or name] = match.group(1)
plain = {name.split(" - ")[0]: outcome for name, outcome in expected.items() if name}
os.makedirs("/logs/verifier", exist_ok=True)
with open("/logs/verifier/tests.json", "w") as file:
    json.dump({n: {"PASSED": "passed", "FAILED": "failed"}.get(found.get(n), "missing") for n in plain}, file)
with open("/logs/verifier/reward.json", "w") as file:
    json.dump({"reward": float(all(found.get(n) == outcome for n, outcome in plain.items()))}, file)
'''


def _r2e_patch(instance: Mapping[str, Any]) -> str:
    """Build the solution from the commit that R2E-Gym parsed: the hunks of files that are no tests.

    Raises:
        TaskError: it is not of the form known.
    """
    if isinstance(instance.get("patch"), str) and instance["patch"].strip():
        return str(instance["patch"])
    commit = _object(instance, "parsed_commit_content")
    pieces = []
    try:
        for diff in commit["file_diffs"]:
            path = diff["header"]["file"]["path"]
            if "test" in path.lower():
                continue
            pieces.append(f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n")
            pieces += [_r2e_hunk(hunk) for hunk in diff["hunks"]]
    except (KeyError, TypeError) as error:
        raise TaskError(f"not as known: {error}", where="parsed_commit_content") from error
    if not pieces:
        raise TaskError("no file changes", where="parsed_commit_content")
    return "".join(pieces)


def _r2e_hunk(hunk: Mapping[str, Any]) -> str:
    signs = {"added": "+", "deleted": "-", "context": " "}
    old, new = hunk["descriptor"]["old_range"], hunk["descriptor"]["new_range"]
    head = f"@@ -{old['start']},{old['length'] or 0} +{new['start']},{new['length'] or 0} @@\n"
    lines = hunk["line_group"]["all_lines"]
    return head + "".join(
        f"{signs[line['type']]}{line['content']}\n" for line in lines if line["type"] in signs
    )


def reversed_patch(patch: str) -> str:
    """Return the patch that takes another one back; of changed, added and removed text files.

    Raises:
        TaskError: it moves or copies files, or is binary.
    """
    if re.search(r"(?m)^(rename|copy|similarity|GIT binary|Binary files)", patch):
        raise TaskError("a patch that moves files cannot be reversed", where="patch")
    lines = []
    in_hunk = 0, 0
    source = ""
    for line in patch.splitlines(keepends=True):
        if in_hunk > (0, 0) and line[:1] in " +-":
            old, new = in_hunk
            in_hunk = old - (line[0] != "+"), new - (line[0] != "-")
            lines.append({"+": "-", "-": "+", " ": " "}[line[0]] + line[1:])
        elif match := re.match(r"@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@(.*)", line, re.DOTALL):
            one, one_len, other, other_len, rest = match.groups()
            in_hunk = int((one_len or ",1")[1:]), int((other_len or ",1")[1:])
            lines.append(f"@@ -{other}{other_len or ''} +{one}{one_len or ''} @@{rest}")
        elif line.startswith("--- "):
            source = line[4:]
        elif line.startswith("+++ "):
            lines += [f"--- {_side(line[4:], 'a/')}", f"+++ {_side(source, 'b/')}"]
        elif line.startswith("new file mode"):
            lines.append(line.replace("new file", "deleted file", 1))
        elif line.startswith("deleted file mode"):
            lines.append(line.replace("deleted file", "new file", 1))
        elif not line.startswith("index "):
            lines.append(line)
    return "".join(lines)


def _side(name: str, prefix: str) -> str:
    return name if name.startswith("/dev/null") else prefix + name[2:]


def _command(tests: tuple[list[str], list[str]]) -> str:
    files = sorted({test.partition("::")[0] for test in (*tests[0], *tests[1])})
    return f"{_ACTIVATE}{_PYTEST} {' '.join(map(_quoted, files))}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _dockerfile(image: str, bug: str = "") -> str:
    lines = [f"FROM {image}\n", "WORKDIR /testbed\n"]
    if bug:
        lines.append(f"RUN git apply --whitespace=nowarn - <<'OPENCWM_BUG'\n{bug}OPENCWM_BUG\n")
    return "".join(lines)


def _files(patch: str) -> list[str]:
    return sorted({*_PLUS_FILE.findall(patch), *_MINUS_FILE.findall(patch)})


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _slug(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    if not slug:
        raise TaskError(f"no name can be made of {name!r}")
    return slug


def _text(instance: Mapping[str, Any], field: str) -> str:
    value = instance.get(field)
    if not isinstance(value, str) or not value.strip():
        raise TaskError("missing, or not a text", where=field)
    return value


def _object(instance: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = instance.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise TaskError(f"not JSON: {error}", where=field) from error
    if not isinstance(value, dict):
        raise TaskError("missing, or not an object", where=field)
    return value


def _names(instance: Mapping[str, Any], field: str) -> list[str]:
    """Return a list of tests, which may be JSON in a text.

    Raises:
        TaskError: it is none, or a name is not one of pytest.
    """
    value = instance.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise TaskError(f"not JSON: {error}", where=field) from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TaskError("missing, or not a list of texts", where=field)
    for name in value:
        if not re.match(r"[^:\s]+\.py(::|$)", name):
            raise TaskError(f"not a test as pytest names it: {name!r}", where=field)
    if field == "FAIL_TO_PASS" and not value:
        raise TaskError("no test has to start to pass", where=field)
    return value
