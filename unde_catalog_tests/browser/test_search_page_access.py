"""That everybody can use the search page: by keyboard, with a screen reader, on a phone, in the light and in the dark.

What is found there is in test_search_page.py.
"""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import FilePayload, Page, expect

from unde_catalog_tests.browser import accessible
from unde_catalog_tests.browser.shelf import Shelf

pytestmark = pytest.mark.timeout(300)
Tab = Callable[..., Page]
_PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
_DESK = {"viewport": {"width": 1280, "height": 800}}
_OUTLINE = """() => {
    const one = document.activeElement;
    return [one, one.closest('label, #field')].some((it) => it && getComputedStyle(it).outlineStyle !== 'none')
        ? one.getAttribute('aria-label') || one.id || one.textContent.trim() : null;
}"""


def start(page: Page) -> None:
    expect(page.locator("a.example")).to_have_count(8)


def results(page: Page) -> None:
    page.get_by_role("link", name="More like Red slip dress").click()
    expect(page.locator("article")).to_have_count(11)


def everything_open(page: Page) -> None:
    page.evaluate("document.querySelector('#filters').open = true")
    page.get_by_role("checkbox", name="Zara").check(force=True)
    expect(page.locator("article")).to_have_count(5)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def nothing(page: Page) -> None:
    page.get_by_label("Lowest price").fill("9000")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()


def failure(page: Page) -> None:
    photo = FilePayload(name="broken.jpg", mimeType="image/jpeg", buffer=b"no photo")
    page.locator("#choose").set_input_files(photo)
    expect(page.get_by_role("heading", name="This can't be searched")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [_PHONE, _DESK], ids=["phone", "desk"])
def test_every_state_can_be_read_and_fits_its_window(
    tab: Tab, shelf: Shelf, window: dict[str, object], scheme: Literal["light", "dark"]
) -> None:
    page = tab(shelf, color_scheme=scheme, reduced_motion="reduce", **window)  # no colour on its way to another
    for reach in (start, results, everything_open, nothing, failure):
        reach(page)
        said = (accessible.faults(page), accessible.faint(page), accessible.sticking_out(page))
        assert said == ([], [], []), reach.__name__
        assert page.evaluate("document.documentElement.scrollWidth") == window["viewport"]["width"]  # type: ignore[index]


def test_a_search_by_words_needs_no_mouse_and_the_focus_is_always_seen(tab: Tab, clip_shelf: Shelf) -> None:
    page = tab(clip_shelf, "/", **_DESK)
    start_words = page.get_by_label("Words to search by")
    expect(page.locator("a.example").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("/")
    expect(start_words).to_be_focused()
    page.keyboard.type("a/green")  # the same key, as a letter
    expect(start_words).to_have_value("a/green")
    page.keyboard.press("Control+A")
    page.keyboard.type("green")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="4 products for “green”")).to_be_visible()
    expect(start_words).to_be_focused()
    expect(page.locator("#said")).to_have_text("4 results")
    passed = []
    while not passed or not passed[-1].startswith("More like this"):
        page.keyboard.press("Tab")
        where = page.evaluate(_OUTLINE)
        assert where is not None, passed  # else the focus is somewhere that nobody sees
        passed.append(where)
    assert passed[:3] == ["go", "choose", "Filters"] and passed[-1] == "More like this: Emerald slip dress"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="3 products like “Emerald slip dress”")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#results') !== null")
    page.get_by_role("link", name="Skip to the results").press("Enter")
    expect(page.locator("#results")).to_be_focused()
    expect(page.get_by_role("heading", name="3 products like “Emerald slip dress”")).to_be_visible()
    page.keyboard.press("Escape")
    expect(start_words).to_be_focused()
    expect(page).to_have_url(f"{clip_shelf.url}/")


def test_filters_are_set_by_keyboard_and_keep_the_focus(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=1&of_brand=zara", **_DESK)
    expect(page.locator("article")).to_have_count(11)
    oysho = page.get_by_role("checkbox", name="Oysho")
    oysho.focus()
    page.keyboard.press("Space")
    expect(page.locator("article")).to_have_count(6)
    expect(oysho).to_be_focused()
    expect(page.locator("#said")).to_have_text("6 results")


def test_a_phone_can_take_a_photo_and_finds_the_filters_folded(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=1&of_brand=zara", **_PHONE)
    expect(page.locator("article")).to_have_count(11)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    expect(page.locator("#take")).to_have_attribute("capture", "environment")
    expect(page.get_by_label("Category")).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_label("Category")).to_be_visible()


def test_pictures_keep_their_place_before_they_are_there(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    start(page)
    page.context.route("**/images/**", lambda route: None)  # they never come
    page.goto("/?like=1&of_brand=zara")
    expect(page.locator("article")).to_have_count(11)
    before = page.locator("article").nth(10).bounding_box()
    page.context.unroute_all(behavior="ignoreErrors")
    page.goto("/?like=1&of_brand=zara")
    expect(page.locator("article")).to_have_count(11)
    page.wait_for_function("[...document.images].slice(0, 4).every((one) => one.complete && one.naturalWidth)")
    assert page.locator("article").nth(10).bounding_box() == before
    assert page.locator("article img[loading=lazy]").count() == 7


def test_nothing_is_asked_of_anybody_else_and_the_policy_is_never_broken(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = page.goto("/")
    start(page)
    results(page)
    everything_open(page)
    own = (shelf.url + "/", f"blob:{shelf.url}/", "data:")
    assert [url for url in asked if not url.startswith(own)] == [] and said == []
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy and "unsafe" not in policy


def test_who_wants_no_motion_sees_none(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, reduced_motion="reduce")
    start(page)
    moving = "[...document.querySelectorAll('*')].filter((one) => parseFloat(getComputedStyle(one).transitionDuration))"
    assert page.evaluate(f"{moving}.length") == 0
