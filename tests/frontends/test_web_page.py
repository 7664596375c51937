"""The page in a real browser. Skipped, and said so, where there is no chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from opencwm.debugger.execution import RealExecution
from opencwm.frontends.sessions import Opened
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.saved import document

from .web_browser import Visit, arrived, at, browser, go, needs_chromium, press, variable, visit, watch
from .web_desks import comparing, endless, opened, predicted, served, traced

__all__ = ["browser", "visit"]  # fixtures

WRONG = {11: {"n": "7"}}
OPEN = 5  # the step at which `k = count(word, letter)` is about to run for the first time
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a desk that no test changes; all steps are known."""
    with served(lambda _: comparing(WRONG, num_known=1_000)) as server:
        yield server.url


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """A window on that desk, and what it complains about."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page, problems = context.new_page(), list[str]()
    watch(page, problems)
    arrived(page, address)
    yield page, problems
    context.close()


@pytest.fixture
def page(window: tuple[Page, list[str]]) -> Iterator[Page]:
    page, problems = window
    page.mouse.move(2, 2)
    yield arrived(page, page.url)
    found, problems[:] = problems[:], []
    assert found == []


def test_the_address_loses_its_token_and_the_page_shows_the_program(page: Page) -> None:
    assert "token" not in page.url
    expect(page.locator("#call")).to_have_text("f('abba')")
    expect(page.locator(".cm-line").nth(0)).to_have_text("def count(word, letter):")
    expect(page.locator("#mode")).to_contain_text("predicted")
    expect(page.locator("#now")).to_contain_text("Entering main()")


def test_steps_forwards_backwards_and_over(page: Page) -> None:
    go(page, OPEN)
    expect(page.locator(".cm-now")).to_contain_text("k = count(word, letter)")
    expect(variable(page, "letter")).to_contain_text("'a'")
    expect(variable(page, "letter")).to_have_class(re.compile("changed"))
    expect(variable(page, "letter").locator(".sure")).to_have_text("◑80%")
    expect(variable(page, "word")).not_to_have_class(re.compile("changed"))
    press(page, "n")
    expect(page.locator(".cm-now")).to_contain_text("if k > best")
    press(page, "N")
    at(page, OPEN)
    press(page, "ArrowLeft")
    at(page, OPEN - 1)
    press(page, "Home")
    at(page, 0)


def test_the_stack_shows_callers_and_their_variables(page: Page) -> None:
    go(page, OPEN + 3)
    expect(page.locator("#stack .function")).to_have_text(["count", "f", "main"])
    press(page, "u")
    expect(page.locator("#variables-title")).to_have_text("Variables of f")
    expect(page.locator(".cm-caller")).to_contain_text("k = count")
    press(page, "d")
    expect(page.locator("#variables-title")).to_have_text("Variables")


def test_scrubbing_goes_anywhere_that_is_known(page: Page) -> None:
    press(page, "c")
    expect(page.locator("#now")).to_contain_text("The end: the program returned 20")
    last = int((page.locator("#position").text_content() or "").split()[-1]) - 1
    press(page, "t", "Home")
    at(page, 0)
    press(page, *["ArrowRight"] * 4)
    at(page, 4)
    box = page.locator("#scrubber").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    at(page, last)
    said = page.locator("#scrubber").get_attribute("aria-valuetext")
    assert said == f"step {last + 1} of {last + 1}, line 17 in main"


def test_breakpoints_by_mouse_by_key_and_with_a_condition(visit: Visit) -> None:
    page = visit(comparing(WRONG))
    page.locator(".cm-breakpoints .cm-gutterElement").nth(5).click(position={"x": 9, "y": 9})
    expect(page.locator("#breakpoints")).to_contain_text("line 5")
    expect(page.locator(".breakpoint.on")).to_have_count(1)
    press(page, "c")
    expect(page.locator("#now .reason")).to_have_text("breakpoint 1, line 5")
    press(page, "B")
    page.locator("#ask input").first.fill("n ==")
    press(page, "Enter")
    expect(page.locator("#ask .problem-text")).to_contain_text("not an expression")
    page.locator("#ask input").first.fill("letter == 'b'")
    press(page, "Enter")
    expect(page.locator(".breakpoint.conditional")).to_have_count(1)
    expect(page.locator("#ask")).to_be_hidden()
    press(page, "c")
    expect(variable(page, "letter")).to_contain_text("'b'")
    press(page, "C")
    expect(page.locator("#now")).to_contain_text("the first step")
    press(page, "l", "ArrowDown")
    expect(page.locator(".cm-cursor-line")).to_have_count(1)
    page.locator("#breakpoints button[aria-label^=Remove]").click()
    expect(page.locator(".breakpoint")).to_have_count(0)


def test_the_line_that_changed_a_variable_last_is_found(visit: Visit) -> None:
    page = visit(comparing(WRONG))
    press(page, "c")
    expect(page.locator("#now")).to_contain_text("The end")
    press(page, "R", "ArrowLeft")
    press(page, "End", "ArrowLeft")
    press(page, "S", "S")
    expect(page.locator(".cm-now")).to_contain_text("return best * 10")
    variable(page, "best").hover()
    variable(page, "best").locator(".on-change").click()
    expect(page.locator("#breakpoints")).to_contain_text("change of best in f")
    press(page, "C")
    expect(page.locator(".cm-now")).to_contain_text("best = k")


def test_pointing_at_any_sub_expression_tells_its_value(page: Page) -> None:
    go(page, OPEN)
    line = page.locator(".cm-now")

    def point(text: str, offset: int = 0) -> Locator:
        box = line.bounding_box()
        content = line.text_content() or ""
        assert box
        width = 7.8  # of a character; checked by what is found there
        page.mouse.move(4, 4)
        page.mouse.move(box["x"] + 4 + (content.index(text) + offset + 0.5) * width, box["y"] + 10, steps=3)
        return page.locator(".tip")

    tip = point("letter)", 2)
    expect(tip.locator(".tip-name")).to_have_text("letter")
    expect(tip.locator(".tip-value")).to_have_text("'a'")
    expect(tip.locator(".tip-how")).to_contain_text("verified, 80% sure")
    tip = point("(", 0)
    expect(tip.locator(".tip-name")).to_have_text("count(word, letter)")
    expect(tip.locator(".tip-value")).to_have_text("2")
    expect(tip.locator(".tip-how")).to_have_text("predicted for this line")


def test_expressions_are_watched(page: Page) -> None:
    go(page, OPEN)
    press(page, "e")
    page.keyboard.type("len(word) * 2")
    press(page, "Enter")
    expect(page.locator(".watch .value")).to_have_text("8")
    page.keyboard.type("nonsense +")
    press(page, "Enter")
    expect(page.locator(".watch").nth(1)).to_contain_text("SyntaxError")
    press(page, "Escape", "s")
    at(page, OPEN + 1)


def test_setting_a_variable_opens_a_timeline_and_keeps_the_old_one(visit: Visit) -> None:
    page = visit(comparing(WRONG, num_known=20))
    go(page, OPEN + 3)
    variable(page, "n").locator("button.set").click()
    box = page.locator("input.editing")
    box.fill("print('x')")
    press(page, "Enter")
    expect(page.locator("#message")).to_contain_text("no known value")
    box.fill("40 + 2")
    press(page, "Enter")
    expect(variable(page, "n")).to_contain_text("42")
    expect(variable(page, "n")).to_contain_text("supplied")
    expect(page.locator("#timelines option")).to_have_text(
        ["predicted", "the real run", f"n = 42 at step {OPEN + 4}"]
    )
    page.locator("#timelines").select_option(label="predicted")
    expect(variable(page, "n")).to_contain_text("0")
    page.locator("#timelines").select_option(label="the real run")
    expect(page.locator("#mode")).to_contain_text("real run")


def test_the_first_step_that_is_not_as_in_the_real_run_is_marked(page: Page) -> None:
    press(page, "c")
    expect(page.locator("#parted")).to_contain_text("parts at step 12")
    press(page, "x")
    at(page, 11)
    expect(variable(page, "n")).to_contain_text("≠ really 1")
    expect(page.locator("#now .not-real")).to_contain_text("predicted 7, really 1")
    expect(page.locator(".cm-now-wrong")).to_have_count(1)
    press(page, "ArrowLeft")
    expect(page.locator("#now .as-real")).to_be_visible()


def test_guessing_hides_what_changed_and_keeps_the_score(page: Page) -> None:
    go(page, OPEN - 1)
    press(page, "g", "s")
    riddle = page.locator('form.guess[data-name="letter"]')
    expect(riddle.locator("input")).to_be_focused()
    expect(page.locator("#variables")).not_to_contain_text("'a'")
    expect(page.locator("#workings-card")).to_be_hidden()
    page.keyboard.type('"a"')
    press(page, "Enter")
    expect(variable(page, "letter")).to_contain_text("✓ guessed")
    expect(page.locator("#score")).to_contain_text("1 of 1 right at the first try")
    press(page, "n")
    expect(page.locator('form.guess[data-name="k"] input')).to_be_focused()
    page.keyboard.type("99")
    press(page, "Enter")
    expect(page.locator(".hint")).to_contain_text("not that")
    press(page, "Escape")
    expect(variable(page, "k")).to_contain_text("✗ not guessed")
    expect(page.locator("#score")).to_contain_text("1 of 2 right at the first try")
    press(page, "S")
    expect(page.locator("form.guess")).to_have_count(0)
    press(page, "g")
    expect(page.locator("#score")).to_be_hidden()


def test_every_action_has_a_key_that_the_help_lists(page: Page) -> None:
    press(page, "?")
    expect(page.locator("#help")).to_be_visible()
    keys = page.locator("#help kbd").all_text_contents()
    for shortcut in page.locator("[aria-keyshortcuts]").all():
        assert shortcut.get_attribute("aria-keyshortcuts") in keys
    press(page, "Escape")
    expect(page.locator("#help")).to_be_hidden()
    press(page, "Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(visit: Visit, address: str, scheme: str) -> None:
    size = {"width": 390, "height": 844}
    page = visit(address, viewport=size, color_scheme=scheme, has_touch=True, is_mobile=True)
    go(page, OPEN + 3)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for button in page.locator("footer button").all():
        box = button.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] >= 36
    page.locator("footer button").nth(4).tap()
    at(page, OPEN + 4)
    page.locator(".cm-line", has_text="n = 0").get_by_text("n =").tap()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 19, 25)") is (scheme == "dark")


def test_two_windows_are_told_and_do_not_move_each_other(visit: Visit) -> None:
    desk = comparing()
    first = visit(desk)
    second = first.context.new_page()
    second.goto(first.url)  # the cookie lets it in
    expect(first.locator("#message")).to_contain_text("2 windows are open on this session")
    for position in (1, 2, 3):
        press(first, "s")
        at(first, position)
    press(first, "b")
    expect(second.locator(".breakpoint.on")).to_have_count(1)
    at(second, 0)


def test_a_long_move_shows_progress_and_esc_ends_it(visit: Visit) -> None:
    page = visit(endless)
    other = page.context.new_page()
    other.goto(page.url)
    press(page, "c")
    expect(page.locator("#message")).to_contain_text(re.compile(r"Predicting… [1-9]\d* steps so far"))
    expect(other.locator("#message")).to_contain_text("Another window is predicting")
    press(page, "Escape")
    expect(page.locator("#now")).to_contain_text("cancelled after")
    press(page, "Home")
    at(page, 0)


def test_when_the_server_has_ended_the_page_says_so_and_shows_what_it_has(
    browser: Browser,
) -> None:
    context = browser.new_context()  # what a browser complains about here is meant
    with served(lambda _: comparing(num_known=6)) as server:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("html.ready")
        go(page, 5)
    expect(page.locator("#message")).to_contain_text("The connection to the server is lost")
    press(page, "t", "ArrowLeft", "ArrowLeft")
    at(page, 3)
    press(page, "Escape", "s")
    expect(page.locator("#message")).to_contain_text("lost")
    context.close()


def test_notices_are_shown_and_a_changed_file_is_noticed(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "count.py"
    path.write_text("# one", encoding="utf-8")
    execution = predicted(traced())
    desk = Desk(
        Opened(execution, None, 100, ("count.py: there is no real run to compare with",)),
        lambda start: opened(predicted(traced(call=start.call or "f('zz')"))),
        path=path,
    )
    page = visit(desk)
    expect(page.locator("#message")).to_contain_text("there is no real run to compare with")
    page.locator("#message button").click()
    expect(page.locator("#message")).to_be_hidden()
    path.write_text("# two, and longer", encoding="utf-8")
    press(page, "s")
    at(page, 1)
    press(page, "b")
    expect(page.locator("#message")).to_contain_text("The file has changed since this session began")
    page.locator("#message button").click()
    expect(page.locator("#message")).to_contain_text("Started again at the first step")
    page.locator("#message button").click()
    expect(page.locator("#message")).to_be_hidden()
    press(page, "a")
    page.locator("#ask input").first.fill("f('bab')")
    press(page, "Enter")
    expect(page.locator("#call")).to_have_text("f('bab')")


HOSTILE = """\
def f(x):
    # <img src=y onerror=document.title='owned'> </script><script>document.title='owned'</script>
    y = x + '<svg onload=document.title=1>'
    raise ValueError(y)
"""


def hostile() -> Desk:
    trace = traced(HOSTILE, "f('<b>bold</b><img src=x onerror=alert(1)></script><script>alert(2)</script>')")
    return Desk(opened(predicted(trace), RealExecution(trace)))


@pytest.mark.parametrize("is_saved", [False, True])
def test_nothing_of_the_program_is_rendered_as_html(visit: Visit, tmp_path: Path, is_saved: bool) -> None:
    def look(page: Page) -> None:
        before = page.locator("img, script, svg, b").count()
        press(page, "End")
        for _ in range(4):
            press(page, "ArrowLeft")
        page.locator("#stack button").first.wait_for()
        press(page, "Home")
        go(page, 4)
        expect(variable(page, "y")).to_contain_text("<b>bold</b><img src=x onerror=alert(1)></script>")
        expect(page.locator("#source")).to_contain_text("<img src=y onerror")
        press(page, "e")
        page.keyboard.type("y")
        press(page, "Enter")
        expect(page.locator(".watch")).to_contain_text("<img src=x")
        assert page.locator("img").count() == 0
        assert page.locator("#variables b, #now img, #source script").count() == 0
        assert before > 0
        assert page.title().startswith(("OpenCWM", "f('<b>"))

    desk = hostile()
    desk.read_on(100, lambda _: None)
    if is_saved:
        path = tmp_path / "hostile.html"
        path.write_text(document(desk), encoding="utf-8")
        look(visit(path.as_uri()))
    else:
        look(visit(desk))


def test_a_saved_session_works_from_a_file(page: Page, visit: Visit, tmp_path: Path) -> None:
    press(page, "c")
    expect(page.locator("#now")).to_contain_text("The end")
    with page.expect_download() as download:
        press(page, "w")
    assert download.value.suggested_filename == "count-session.html"
    path = tmp_path / "saved.html"
    download.value.save_as(path)
    assert "http://127" not in path.read_text(encoding="utf-8")
    saved = visit(path.as_uri())
    expect(saved.locator("#saved")).to_be_visible()
    go(saved, OPEN)
    press(saved, "n")
    expect(saved.locator(".cm-now")).to_contain_text("if k > best")
    press(saved, "N")
    at(saved, OPEN)
    press(saved, "x")
    at(saved, 11)
    expect(variable(saved, "n")).to_contain_text("≠ really 1")
    press(saved, "b", "Home", "c")
    expect(saved.locator("#now .reason")).to_contain_text("breakpoint 1, line")
    saved.locator("#timelines").select_option(label="the real run")
    expect(saved.locator("#mode")).to_contain_text("real run")
    assert saved.locator("button.set").count() == 0
    press(saved, "g", "s")
    expect(saved.locator("#score")).to_be_visible()
