"""In a real browser, a model of the cwm format: a step may be impossible, and the next one is steered."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.saved import document

from .cwm_scripts import OBJECTION, scripted_cwm
from .web_browser import Visit, at, browser, go, needs_chromium, press, visit
from .web_desks import comparing, opened

__all__ = ["browser", "visit"]  # fixtures

pytestmark = needs_chromium


def walk(page: Page, *positions: int) -> None:
    for position in positions:
        press(page, "s")
        at(page, position)


def test_what_is_impossible_is_told_and_the_next_step_is_steered(visit: Visit, tmp_path: Path) -> None:
    desk = Desk(opened(scripted_cwm()))
    page = visit(desk)
    now, steering = page.locator("#now"), page.locator("#now .steering")
    expect(steering.get_by_role("button")).to_have_text(["call", "line", "return", "exception"])
    walk(page, 1, 2, 3, 4)
    expect(now.locator(".objection")).to_have_text(f"✗ not possible: {OBJECTION}")
    go(page, 2)
    expect(now).to_contain_text("Entering double()")
    expect(now.locator(".objection")).to_have_count(0)
    steering.get_by_role("button", name="return").click()
    expect(now).to_contain_text("double() returns")
    expect(page.locator("#message")).to_contain_text("told that a return comes next")
    at(page, 3)
    expect(page.locator("#variables")).to_contain_text("4")
    names = page.locator("#timelines option")
    expect(names).to_have_text(["predicted", "return asked for after step 3"])
    page.locator("#timelines").select_option(label="predicted")
    expect(now).to_contain_text("Line 2 of double() is about to run")
    press(page, "c")
    expect(now).to_contain_text("The end")
    expect(steering).to_have_count(0)
    file = tmp_path / "saved.html"
    file.write_text(document(desk), encoding="utf-8")
    saved = visit(file.as_uri())
    go(saved, 4)
    expect(saved.locator("#now .objection")).to_have_text(f"✗ not possible: {OBJECTION}")
    expect(saved.locator("#now .steering")).to_have_count(0)


def test_other_models_are_not_steered(visit: Visit) -> None:
    page = visit(comparing())
    expect(page.locator("#now")).to_contain_text("Entering")
    expect(page.locator("#now .steering")).to_have_count(0)
