"""A browser, windows in it, and what is done in them again and again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from opencwm.frontends.web.desk import Desk

from .web_desks import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
expect.set_options(timeout=30_000)  # the machine may have other work
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and "OPENCWM_REQUIRE_CHROMIUM" not in os.environ,
    reason="THE PAGE IS NOT TESTED: there is no chromium",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a desk, or an address, in a window of its own; what the page complains about fails the test."""
    problems: list[str] = []
    with contextlib.ExitStack() as servers, contextlib.ExitStack() as windows:

        def open_page(what: Desk | str | Callable[..., Desk], **options: Any) -> Page:
            url = what if isinstance(what, str) else servers.enter_context(served(_maker(what))).url
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
            windows.callback(context.close)
            page = context.new_page()
            watch(page, problems)
            return arrived(page, url)

        yield open_page
        windows.close()
        assert problems == []


def _maker(what: Desk | Callable[..., Desk]) -> Callable[..., Desk]:
    return (lambda _: what) if isinstance(what, Desk) else what


def watch(page: Page, problems: list[str]) -> None:
    """Note what a page complains about, and whatever it asks of others than its own server."""
    page.set_default_timeout(60_000)
    page.on("console", lambda said: problems.append(said.text) if _is_news(said) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda sent: None if _is_own(sent.url, page.url) else problems.append(sent.url))


def arrived(page: Page, url: str) -> Page:
    """Open an address and wait until the page shows the session."""
    page.goto(url)
    page.wait_for_selector("html.ready")
    return page


def _is_news(said: ConsoleMessage) -> bool:
    """Whether the browser complains; that the server refused what a test asks for on purpose is none."""
    return said.type in ("error", "warning") and "responded with a status of 400" not in said.text


def _is_own(url: str, page: str) -> bool:
    return page == "about:blank" or url.startswith(("data:", "blob:", page.partition("?")[0]))


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def at(page: Page, position: int) -> None:
    """Wait until the page is at a step, counted from 0."""
    expect(page.locator("#position")).to_have_text(re.compile(rf"^{position + 1} /"))


def go(page: Page, position: int) -> None:
    """Go to a step that is known."""
    page.locator("#scrubber").fill(str(position))
    at(page, position)
    page.locator("#scrubber").blur()


def variable(page: Page, name: str) -> Locator:
    return page.locator(f'#variables [data-name="{name}"]')
