"""In a real browser: breakpoints of all kinds, assumptions that change, and the history of variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from opencwm.core.errors import ConfigError
from opencwm.frontends.programs import assumed_of_source
from opencwm.frontends.sessions import Opened
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.saved import document
from opencwm.frontends.web.starting import Start
from opencwm.tracer import record

from .web_browser import Visit, at, browser, go, needs_chromium, press, variable, visit
from .web_desks import comparing, opened, predicted

__all__ = ["browser", "visit"]  # fixtures

pytestmark = needs_chromium
WORK = """\
import requests


def work(n, word):
    text = requests.get(word)
    total = n
    for c in text:
        total += ord(c)
    return total
"""


def fields(page: Page) -> Locator:
    return page.locator("#ask input")


def add_breakpoint(page: Page, kind: str, place: str, **options: str) -> None:
    page.locator("#new-breakpoint").click()
    page.locator("#ask select").select_option(kind)
    for label, text in {"where": place, **options}.items():
        page.locator("#ask").get_by_label(label).fill(text)
    press(page, "Enter")


def test_log_points_write_and_go_on(visit: Visit) -> None:
    page = visit(comparing())
    press(page, "l", *["ArrowDown"] * 3, "B")
    page.locator("#ask").get_by_label("where").fill("5")
    page.locator("#ask").get_by_label("write this, and go on").fill("n is {n} at {nonsense")
    press(page, "Enter")
    expect(page.locator("#ask .problem-text")).to_contain_text("no expression follows the brace")
    page.locator("#ask").get_by_label("write this, and go on").fill("n is {n}")
    press(page, "Enter")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator(".breakpoint.logs")).to_have_attribute("title", "1 writes: n is {n}")
    press(page, "c")
    expect(page.locator("#now")).to_contain_text("The end")
    expect(page.locator("#now .log")).to_have_text(["line 5: n is 0", "line 5: n is 1"] * 2)


def test_hits_functions_and_types_of_exceptions_are_stopped_at(visit: Visit) -> None:
    page = visit(comparing())
    add_breakpoint(page, "called", "count", **{"only at hits": "2 to 3"})
    expect(page.locator("#ask .problem-text")).to_contain_text("not a hit condition")
    page.locator("#ask").get_by_label("only at hits").fill("2")
    press(page, "Enter")
    expect(page.locator("#breakpoints")).to_contain_text("function countat hit 2")
    add_breakpoint(page, "called", "nobody")
    expect(page.locator("#ask .problem-text")).to_contain_text("nobody")
    press(page, "Escape")
    add_breakpoint(page, "uncaught", "KeyError, ValueError")
    expect(page.locator("#breakpoints")).to_contain_text("KeyError or ValueError uncaught")
    press(page, "c")
    expect(page.locator("#now .reason")).to_contain_text("count called, hit 2")
    expect(variable(page, "letter")).to_contain_text("'b'")
    page.locator("#breakpoints .row").first.click()  # change it
    expect(fields(page)).to_have_count(3)
    page.locator("#ask").get_by_label("only at hits").fill("")
    press(page, "Enter")
    expect(page.locator("#breakpoints")).not_to_contain_text("at hit")
    expect(page.locator("#ask")).to_be_hidden()
    press(page, "C")
    expect(variable(page, "letter")).to_contain_text("'a'")


def test_every_value_of_a_variable_stands_with_the_step_it_came_from(visit: Visit, tmp_path: Path) -> None:
    desk = comparing({11: {"n": "7"}}, num_known=1_000)

    def look(page: Page) -> None:
        go(page, 13)
        variable(page, "n").get_by_label("History of n").click()
        values = variable(page, "n").locator(".history li")
        expect(values).to_have_text([re.compile(r"step 8line 20"), re.compile(r"step 11line 57")])
        values.last.locator("button").focus()
        press(page, "Enter")
        at(page, 10)
        expect(page.locator(".cm-now")).to_contain_text("n += 1")
        expect(variable(page, "n").locator(".history li")).to_have_count(1)  # it stays open
        press(page, "u")
        expect(page.locator("#variables-title")).to_have_text("Variables of f")
        press(page, "h")
        expect(variable(page, "letter").locator(".history li")).to_have_text([re.compile("'a'")])
        press(page, "h")
        expect(page.locator(".history")).to_have_count(0)

    look(visit(desk))
    path = tmp_path / "saved.html"
    path.write_text(document(desk), encoding="utf-8")
    look(visit(path.as_uri()))


def assuming() -> Desk:
    """Return a desk over a program that cannot run here without assumptions."""

    def open_start(start: Start) -> Opened:
        assumed = assumed_of_source(
            WORK, "work.py", call=start.call, entry=start.entry, assumptions=start.assumptions
        )
        if assumed.missing:
            raise ConfigError(f"no model here invents {assumed.missing[0]}")
        return opened(predicted(record(assumed.program)))

    start = Start(entry="work", assumptions=("requests.get(...) -> 'ab'", "n = 1", "word = 'x'"))
    return Desk(open_start(start), open_start, start)


def test_assumptions_are_added_changed_and_removed_on_the_page(visit: Visit) -> None:
    page = visit(assuming())
    expect(page.locator("#assumptions li")).to_have_count(3)
    expect(page.locator("#call")).to_have_text("work(1, 'x')")
    press(page, "c")
    expect(page.locator("#now")).to_contain_text("returned 196")
    press(page, "b", "a")
    expect(fields(page)).to_have_count(4)
    fields(page).nth(1).fill("requests.post(...) -> 'ab'")
    press(page, "Enter")
    said = page.locator("#ask .problem-text")
    expect(said).to_contain_text("the program holds no requests.post(...)")
    assert "\n" not in (said.text_content() or "")
    assert (said.text_content() or "").count("requests.post") <= 2
    fields(page).nth(1).fill("requests.get(...) -> 'abc'")
    fields(page).nth(2).fill("n = 10")
    press(page, "Enter")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#message")).to_contain_text("Started again at the first step, assuming 3 things")
    expect(page.locator("#call")).to_have_text("work(10, 'x')")
    expect(page.locator("#breakpoints")).to_contain_text("line 11")
    at(page, 0)
    page.locator("#change-start").click()
    page.get_by_label("Remove this assumption").nth(1).click()
    page.get_by_text("Another assumption").click()
    page.keyboard.type("n = 2 +")
    press(page, "Enter")
    expect(said).to_contain_text("has no value that can be worked out")
    fields(page).last.fill("n = 2 + 3")
    press(page, "Enter")
    expect(page.locator("#assumptions")).to_contain_text("n = 2 + 3")
    expect(page.locator("#ask")).to_be_hidden()
    press(page, "c", "c")
    expect(page.locator("#now")).to_contain_text("returned 299")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_dialogs_fit_and_need_no_mouse(visit: Visit, size: tuple[int, int]) -> None:
    width, height = size
    page = visit(assuming(), viewport={"width": width, "height": height})
    press(page, "s", "s", "s")
    at(page, 3)
    press(page, "a")
    expect(fields(page).first).to_be_focused()
    box = page.locator("#ask").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["height"] <= height
    press(page, "Escape", "B")
    expect(page.locator("#ask").get_by_label("only if")).to_be_focused()
    page.keyboard.type("n > 0")
    press(page, "Enter")
    expect(page.locator(".breakpoint.conditional")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    press(page, "h")
    expect(page.locator(".history li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
