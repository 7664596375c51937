"""The page that is shipped is what its sources build, and holds what it must and nothing it must not."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from opencwm.frontends.web.assets import asset, page, saved_page
from opencwm.frontends.web.saved import document, file_name

from .web_desks import comparing

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "web"
BUILT = ROOT / "src/opencwm/frontends/web/page"
NODE, NPM = shutil.which("node"), shutil.which("npm")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with the pinned tools beside them."""
    if NODE is None or NPM is None:
        pytest.skip("THE BUILD OF THE PAGE IS NOT TESTED: there is no node with npm")
    if not SOURCES.exists():
        pytest.skip("not run from a checkout")
    place = tmp_path_factory.mktemp("web") / "web"
    shutil.copytree(SOURCES, place, ignore=shutil.ignore_patterns("node_modules"))
    if (SOURCES / "node_modules").exists():
        (place / "node_modules").symlink_to(SOURCES / "node_modules")
        return place
    command = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode != 0:
        pytest.skip(f"THE BUILD OF THE PAGE IS NOT TESTED: npm ci failed: {installed.stderr[-300:]}")
    return place


def test_the_sources_build_what_is_shipped(sources: Path, tmp_path: Path) -> None:
    subprocess.run([str(NODE), "build.mjs", str(tmp_path)], cwd=sources, check=True, timeout=120)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in BUILT.iterdir())
    for name in names:
        built, shipped = (tmp_path / name).read_bytes(), (BUILT / name).read_bytes()
        assert built == shipped, f"{name}: run `npm ci && npm run build` in web/"


def test_the_sources_have_no_type_errors(sources: Path) -> None:
    checked = subprocess.run(
        [str(NPM), "run", "--silent", "check"],
        cwd=sources,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_dependency_is_pinned_and_its_licence_recorded() -> None:
    package = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    for version in {**package["dependencies"], **package["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    locked = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all("integrity" in entry for name, entry in locked.items() if name)
    licences = (BUILT / "LICENCES.txt").read_text(encoding="utf-8")
    for name in package["dependencies"]:
        entry = locked[f"node_modules/{name}"]
        assert f"{name} {entry['version']} ({entry['license']})" in licences
    assert set(re.findall(r"^[@\w/-]+ [\d.]+ \((.+)\)$", licences, flags=re.MULTILINE)) == {"MIT"}


def test_the_script_makes_no_html_runs_no_text_and_names_no_other_host() -> None:
    script = (BUILT / "page.js").read_text(encoding="utf-8")
    makers = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    for word in (*makers, "</script"):
        assert word not in script, word
    own = {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"https?://[^\s\"'`)]+", script)) <= own
    assert "url(" not in (BUILT / "page.css").read_text(encoding="utf-8")


def test_only_the_files_of_the_page_are_served() -> None:
    assert asset("page.js") is not None
    for name in ("page.html", "LICENCES.txt", "../app.py", "", "page.js/"):
        assert asset(name) is None
    assert 'content="n-o&quot;nce"' in page('n-o"nce')


def test_a_saved_page_escapes_what_is_in_it() -> None:
    text = saved_page({"x": "</script><!--\u2028\ud800", "p": 0.5}, "<title>\ud800&")
    assert text.count("</script>") == 2
    assert "<!--" not in text.partition("<body>")[2].partition('id="session">')[2].partition("</script>")[0]
    assert "&lt;title&gt;?&amp;" in text
    data = text.partition('id="session">')[2].partition("</script>")[0]
    assert json.loads(data) == {"x": "</script><!--\u2028\ud800", "p": 0.5}
    text.encode("utf-8")


def test_a_saved_page_allows_its_own_script_and_nothing_else() -> None:
    text = document(comparing())
    policy = html.unescape(text.partition('Content-Security-Policy" content="')[2].partition('"')[0])
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]+=';", policy)
    assert "connect-src" not in policy
    assert "unsafe" not in policy
    assert re.search(r"(src|href)=\"(?!data:)", text.partition("<style>")[0]) is None


def test_what_is_too_long_is_cut_and_said() -> None:
    desk = comparing(num_known=1_000)
    saved = desk.saved(30)
    assert sum(len(line["steps"]) for line in saved["timelines"]) == 30
    assert [item["id"] for item in saved["shared"]["timelines"]] == [1]
    assert "only the first 30 of" in saved["shared"]["notes"][0]
    whole = desk.saved(5_000)
    assert whole["shared"]["notes"] == []
    assert len(whole["timelines"]) == 2


def test_the_name_of_the_file_is_plain() -> None:
    assert file_name(comparing()) == "count-session.html"
