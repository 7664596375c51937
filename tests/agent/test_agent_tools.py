"""The tools in a real box."""

# ruff: noqa: S108 - folders in a box, which nobody else is in

from __future__ import annotations

from collections.abc import Iterator

import pytest

from opencwm.agent.tools import Toolbox

from .rollout_tasks import FIX, FIXED_LINE, toolbox, use


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """One box for all: starting one takes longer than a call."""
    with toolbox(tmp_path_factory.mktemp("files"), timeout_s=2, output_chars=2_000) as made:
        yield made


def test_the_session_keeps_its_folder_variables_and_functions(tools: Toolbox) -> None:
    use(
        tools,
        "bash",
        "mkdir -p '/tmp/a b'; cd '/tmp/a b'\nexport A='1\n2'; B=(x 'y z'); f() { echo \"f $1\"; }",
    )
    seen = use(tools, "bash", 'pwd; echo "$A" "${B[1]}"; f 3; bash -c \'echo "$A"\'')
    assert seen.text.splitlines() == ["/tmp/a b", "1", "2 y z", "f 3", "1", "2"]
    assert use(tools, "create", "here.txt\nhello").text == "here.txt was made, with 1 line."
    assert use(tools, "bash", "cat '/tmp/a b/here.txt'; exit 3").exit_code == 3
    assert use(tools, "bash", "pwd; cd /testbed").text == "/tmp/a b"


def test_a_command_that_takes_too_long_ends_with_all_it_started(tools: Toolbox) -> None:
    seen = use(tools, "bash", "cd /tmp; (sleep 77 &) ; while :; do :; done")
    assert "not done within 2 s" in seen.text
    assert seen.exit_code is None
    assert use(tools, "bash", "pwd; pgrep -f 'sleep 77' || echo none").text.startswith("/testbed\nnone")


def test_gigantic_output_and_errors_of_syntax_are_told(tools: Toolbox) -> None:
    seen = use(tools, "bash", "yes 0123456789 | head -n 200000; echo end >&2")
    assert len(seen.text) < 2_300
    assert "are left out here" in seen.text
    assert seen.text.endswith("end")
    assert "syntax error" in use(tools, "bash", "if then").text
    assert use(tools, "bash", "true").text == "[no output]"
    assert use(tools, "bash", "cat").text == "[no output]"  # it is asked nothing


def test_edits_are_done_taken_back_and_told(tools: Toolbox) -> None:
    assert tools.patch() == ""
    seen = use(tools, "edit", FIX)
    assert f"     2\t{FIXED_LINE}" in seen.text
    patch = tools.patch()
    assert patch is not None
    assert f"+{FIXED_LINE}" in patch
    use(tools, "bash", "touch /tmp/by-product")
    assert use(tools, "undo").restored
    assert tools.patch() == ""
    assert use(tools, "bash", "ls /tmp/by-product").exit_code == 2
    assert use(tools, "edit", "nothing.py\n" + FIX.partition("\n")[2]).text.startswith(
        "there is no file nothing.py"
    )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("create", "calc.py\nx", "exists already"),
        ("create", "no/such/a.py\nx", "the folder of no/such/a.py does not exist"),
        ("create", "../../proc/sys/kernel/hostname\nx", ""),
        ("edit", "/etc/shadow\n" + FIX.partition("\n")[2], ""),
        ("edit", "/testbed\n" + FIX.partition("\n")[2], "is a folder"),
        ("submit", "missing.patch", "there is no file missing.patch"),
        ("submit", "calc.py", "holds no patch"),
        ("submit", "", "nothing was changed"),
    ],
)
def test_what_cannot_be_done_is_told(tools: Toolbox, name: str, content: str, told: str) -> None:
    outcome = use(tools, name, content)
    assert outcome.is_problem
    assert told in outcome.text


def test_a_patch_is_submitted_by_its_path_or_as_it_stands(tools: Toolbox) -> None:
    use(
        tools,
        "bash",
        "echo '# more' >> calc.py; git commit -qam x; git diff HEAD~1 > /tmp/p\n"
        "echo y > new.txt; python3 -c 'import calc'",
    )
    by_path = use(tools, "submit", "/tmp/p").submitted
    all_changes = use(tools, "submit").submitted
    assert by_path is not None
    assert all_changes is not None
    assert "+# more" in by_path
    assert "+# more" in all_changes
    assert "new.txt" in all_changes
    assert "__pycache__" not in all_changes
    status = use(tools, "bash", "git status --porcelain").text
    assert status.endswith("?? new.txt")  # its index is its own
    use(tools, "bash", "rm -rf .git")
    assert tools.patch() is None
    assert "no git repository any more" in use(tools, "submit").text
