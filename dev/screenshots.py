"""Take the pictures of the documentation: ``python dev/screenshots.py [FOLDER]``, by default ``docs/images``.

It runs `opencwm web` on an example, with the model in the box and the real run beside it, and looks at the
page with the chromium of this machine. With ``--all`` also the ones that only a look at the page needs: dark,
narrow, guessing, the help.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
RUN = "import sys; from opencwm.frontends.cli import main; sys.exit(main(sys.argv[1:]))"
EXAMPLE = ("examples/summary.py", "--compare")
WIDE, NARROW = (1280, 800), (390, 844)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="take those that are not in the documentation too")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("there is no chromium here")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        if options.all:
            for scheme in ("light", "dark"):
                take_others(browser, url, options.folder, scheme)
                take(browser, url, options.folder / f"web-390-{scheme}.png", size=NARROW, scheme=scheme)
        take(browser, url, options.folder / "web.png", stops=True)
        browser.close()


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Run `opencwm web` on the example and yield its address."""
    command = [sys.executable, "-c", RUN, "web", *EXAMPLE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        try:
            yield (running.stdout.readline() if running.stdout else "").strip()
        finally:
            running.terminate()


def take(
    browser: Browser,
    url: str,
    path: Path,
    *,
    size: tuple[int, int] = WIDE,
    scheme: str = "light",
    stops: bool = False,
) -> None:
    """Show where prediction and real run part, or else the middle, with a watch; ``stops``: a breakpoint."""
    page = shown(browser, url, size, scheme)
    if page.locator("#parted").is_visible():
        page.keyboard.press("x")
    else:
        page.locator("#scrubber").fill("24")
    page.keyboard.press("e")
    page.keyboard.type("len(words) * 2")
    page.keyboard.press("Enter")
    page.locator("#watches .value").wait_for()
    page.locator("#watch-input").blur()
    if stops:
        page.locator(".cm-breakpoints .cm-gutterElement").nth(22).click(position={"x": 9, "y": 9})
        page.locator(".breakpoint").wait_for()
    page.mouse.move(2, 2)
    page.evaluate("document.querySelector('.side').scrollTo(0, 0)")
    finish(page, path)


def take_others(browser: Browser, url: str, folder: Path, scheme: str) -> None:
    """Look at the end, the help, and a guess, wide."""
    page = shown(browser, url, WIDE, scheme)
    page.screenshot(path=folder / f"web-end-{scheme}.png")
    page.keyboard.press("?")
    page.screenshot(path=folder / f"web-help-{scheme}.png")
    page.keyboard.press("Escape")
    page.locator("#scrubber").fill("8")
    page.locator("#scrubber").blur()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.locator("form.guess, .variable").first.wait_for()
    page.mouse.move(2, 2)
    finish(page, folder / f"web-guess-{scheme}.png")


def shown(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Page:
    """Open the page in a new window and predict to the end."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html.ready")
    page.keyboard.press("c")
    expect(page.locator("#now")).to_contain_text("The end", timeout=300_000)
    return page


def finish(page: Page, path: Path) -> None:
    """Take the picture and close the window."""
    page.wait_for_timeout(300)
    page.screenshot(path=path)
    page.context.close()
    print(f"{path}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
