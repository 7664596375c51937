"""``opencwm rollout`` and ``opencwm view`` at the command line, and the page."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright

from opencwm.frontends.cli.app import invoke
from opencwm.frontends.view import pages, shown
from opencwm.frontends.view.serving import Served

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def trajectory() -> dict[str, Any]:
    patch = f"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+{EVIL}\n"
    call = {
        "tool_call_id": "1",
        "function_name": "edit",
        "arguments": {"path": "x.py", "search": "a", "replacement": EVIL},
    }
    result = {
        "source_call_id": "1",
        "content": f"<output>\n{EVIL}\n</output>\n\n<budget>\n* Remaining turns: 3\n</budget>",
    }
    return {
        "schema_version": "ATIF-v1.8",
        "trajectory_id": EVIL,
        "agent": {"name": "a", "version": "1", "model_name": EVIL},
        "steps": [
            {"step_id": 1, "source": "system", "message": "rules"},
            {"step_id": 2, "source": "user", "message": EVIL},
            {
                "step_id": 3,
                "source": "agent",
                "message": [{"type": "text", "text": EVIL}],
                "reasoning_content": EVIL,
                "tool_calls": [call],
                "observation": {"results": [result]},
                "extra": {"turn": 1, "patch": patch, "problem": "", "backtracked_to": 0},
            },
        ],
        "extra": {
            "reward": 0.0,
            "status": "graded",
            "reason": EVIL,
            "submitted": patch,
            "tests": {EVIL: "failed"},
        },
    }


def test_a_step_is_shown_with_what_it_changed() -> None:
    step = shown.shown(trajectory())["steps"][2]
    assert step["calls"][0]["change"] == ["-a", f"+{EVIL}"]
    assert (step["calls"][0]["answer"], step["calls"][0]["budget"]) == (EVIL, "Remaining turns: 3")
    assert step["patch"][0]["name"] == "x.py"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["steps", "extra", "message", "tool_calls", "observation", "results", "arguments", "patch"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(values)
def test_whatever_a_file_holds_is_shown_or_passed_over(value: object) -> None:
    for data in ({"steps": value}, {"steps": [value]}, {"extra": value}, {"steps": [{"tool_calls": value}]}):
        json.dumps(shown.shown(data))


def test_nothing_of_a_trajectory_becomes_a_part_of_the_page(tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("THE PAGE IS NOT TESTED: there is no chromium")
    made = shown.shown(trajectory())
    file = tmp_path / "v.html"
    file.write_text(pages.saved_page([made, made], [made, made], EVIL))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.goto(file.as_uri())
        for key in ("j", "j", "k", "j", "J", "j", "j"):
            page.keyboard.press(key)
        page.wait_for_function("document.querySelector('#place').textContent === '3 of 3'")
        assert page.locator("article .add").first.text_content() == f"+{EVIL}"
        assert page.locator("main script, main img, header img").count() == 0
        assert page.title() == f"{EVIL} - OpenCWM"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert problems == []


def test_the_server_lets_in_who_has_the_address_and_shows_those_files_only(tmp_path: Path) -> None:
    path = tmp_path / "trajectory.json"
    path.write_text(json.dumps(trajectory()))
    served = Served([path], [{"title": "t"}])
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        root = served.url.partition("/?")[0]
        assert httpx.get(f"{root}/api/trajectories/0").status_code == 401
        with httpx.Client(follow_redirects=True) as client:
            page = client.get(served.url)
            assert "script-src 'self'" in page.headers["content-security-policy"]
            assert client.get(f"{root}/assets/view.js").status_code == 200
            assert client.get(f"{root}/assets/..%2fshown.py").status_code == 404
            assert client.get(f"{root}/api/index").json() == [{"title": "t"}]
            assert len(client.get(f"{root}/api/trajectories/0").json()["steps"]) == 3
            assert client.get(f"{root}/api/trajectories/1").status_code == 404
            path.write_text("{")
            assert client.get(f"{root}/api/trajectories/0").status_code == 422
            assert client.get(f"{root}/api/index", headers={"Host": "evil.example"}).status_code == 403
    finally:
        served.stop()
        thread.join()


def test_view_saves_a_page_and_refuses_what_is_no_trajectory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trajectory.json").write_text(json.dumps(trajectory()))
    assert invoke(["view", str(tmp_path), "--save", str(tmp_path / "v.html")]) == 0
    assert "Content-Security-Policy" in (tmp_path / "v.html").read_text()
    capsys.readouterr()
    (tmp_path / "other.json").write_text("[]")
    for path in ("nothing", "other.json"):
        assert invoke(["view", str(tmp_path / path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-folder", "--policy", "searcher"),
        ("TASK", "--policy", "nonsense"),
        ("TASK", "--policy", "searcher", "--limit", "turn=3"),
        ("TASK", "--policy", "searcher", "--limit", "turns=0"),
        ("TASK", "--policy", "searcher", "--prompt", "no-such-file"),
    ],
)
def test_rollout_refuses_bad_input_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    task = tmp_path / "task"
    for name in ("task.toml", "instruction.md", "tests/test.sh", "environment/x"):
        (task / name).parent.mkdir(parents=True, exist_ok=True)
        (task / name).write_text("" if name == "task.toml" else "x")
    given_ = [str(task) if word == "TASK" else word for word in arguments]
    assert invoke(["rollout", *given_, "-o", str(tmp_path / "run"), "--workers", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
