"""Accessibility of the search page: keyboard, screen reader, phone, light and dark colour scheme.

Searches are tested in test_search_page.py.
"""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import FilePayload, Page, expect

from unde_catalog_tests.browser import accessibility
from unde_catalog_tests.browser.search_site import SearchSite

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
Tab = Callable[..., Page]
_PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
_DESKTOP = {"viewport": {"width": 1280, "height": 800}}
_OUTLINE = """() => {
    const active = document.activeElement;
    return [active, active.closest('label, #search-field')]
        .some((element) => element && getComputedStyle(element).outlineStyle !== 'none')
        ? active.getAttribute('aria-label') || active.id || active.textContent.trim() : null;
}"""


def start(page: Page) -> None:
    expect(page.locator("a.example")).to_have_count(8)


def results(page: Page) -> None:
    page.get_by_role("link", name="More like Red slip dress").click()
    expect(page.locator("article")).to_have_count(11)


def all_details_open(page: Page) -> None:
    page.evaluate("document.querySelector('#filters').open = true")
    page.get_by_role("checkbox", name="Zara").check(force=True)
    expect(page.locator("article")).to_have_count(5)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")


def no_results(page: Page) -> None:
    page.get_by_label("Minimum price").fill("9000")
    expect(page.get_by_role("heading", name="No results")).to_be_visible()


def failure(page: Page) -> None:
    photo = FilePayload(name="broken.jpg", mimeType="image/jpeg", buffer=b"not a photo")
    page.locator("#choose-photo").set_input_files(photo)
    expect(page.get_by_role("heading", name="This search is not possible")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [_PHONE, _DESKTOP], ids=["phone", "desktop"])
def test_every_state_is_accessible_and_fits_the_window(
    tab: Tab, site: SearchSite, window: dict[str, object], scheme: Literal["light", "dark"]
) -> None:
    page = tab(site, color_scheme=scheme, reduced_motion="reduce", **window)  # no colour transition in progress
    for open_state in (start, results, all_details_open, no_results, failure):
        open_state(page)
        problems = (accessibility.violations(page), accessibility.low_contrast(page), accessibility.overflowing(page))
        assert problems == ([], [], []), open_state.__name__
        assert page.evaluate("document.documentElement.scrollWidth") == window["viewport"]["width"]  # type: ignore[index]


def test_text_search_works_by_keyboard_with_visible_focus(tab: Tab, clip_site: SearchSite) -> None:
    page = tab(clip_site, "/", **_DESKTOP)
    text = page.get_by_label("Search text")
    expect(page.locator("a.example").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("/")
    expect(text).to_be_focused()
    page.keyboard.type("a/green")  # typed as a character
    expect(text).to_have_value("a/green")
    page.keyboard.press("Control+A")
    page.keyboard.type("green")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="4 products for “green”")).to_be_visible()
    expect(text).to_be_focused()
    expect(page.locator("#status")).to_have_text("4 results")
    focused = []
    while not focused or not focused[-1].startswith("More like this"):
        page.keyboard.press("Tab")
        outlined = page.evaluate(_OUTLINE)
        assert outlined is not None, focused  # the focus is not visible
        focused.append(outlined)
    assert (
        focused[:3] == ["search-button", "choose-photo", "Filters"]
        and focused[-1] == "More like this: Emerald slip dress"
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="3 products similar to “Emerald slip dress”")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#results') !== null")
    page.get_by_role("link", name="Skip to the results").press("Enter")
    expect(page.locator("#results")).to_be_focused()
    expect(page.get_by_role("heading", name="3 products similar to “Emerald slip dress”")).to_be_visible()
    page.keyboard.press("Escape")
    expect(text).to_be_focused()
    expect(page).to_have_url(f"{clip_site.url}/")


def test_filters_work_by_keyboard_and_keep_the_focus(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=1&of_brand=zara", **_DESKTOP)
    expect(page.locator("article")).to_have_count(11)
    oysho = page.get_by_role("checkbox", name="Oysho")
    oysho.focus()
    page.keyboard.press("Space")
    expect(page.locator("article")).to_have_count(6)
    expect(oysho).to_be_focused()
    expect(page.locator("#status")).to_have_text("6 results")


def test_on_a_phone_photos_can_be_taken_and_filters_are_folded(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=1&of_brand=zara", **_PHONE)
    expect(page.locator("article")).to_have_count(11)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    expect(page.locator("#take-photo")).to_have_attribute("capture", "environment")
    expect(page.get_by_label("Category")).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_label("Category")).to_be_visible()


@pytest.mark.parametrize("window", [_PHONE, _DESKTOP], ids=["phone", "desktop"])
def test_the_first_results_are_within_the_window(tab: Tab, site: SearchSite, window: dict[str, object]) -> None:
    page = tab(site, "/?like=1&of_brand=zara", **window)
    expect(page.locator("article")).to_have_count(11)
    box = page.locator("article .photo").first.bounding_box()
    assert box is not None and box["y"] + box["height"] < window["viewport"]["height"]  # type: ignore[index]


def test_loading_images_do_not_shift_the_layout(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    start(page)
    page.context.route("**/images/**", lambda route: None)  # they never load
    page.goto("/?like=1&of_brand=zara")
    expect(page.locator("article")).to_have_count(11)
    expect(page.locator("#model")).not_to_be_empty()  # the filters have their options
    before = page.locator("article").nth(10).bounding_box()
    page.context.unroute_all(behavior="ignoreErrors")
    page.goto("/?like=1&of_brand=zara")
    expect(page.locator("article")).to_have_count(11)
    expect(page.locator("#model")).not_to_be_empty()
    page.wait_for_function("[...document.images].slice(0, 4).every((image) => image.complete && image.naturalWidth)")
    assert page.locator("article").nth(10).bounding_box() == before
    assert page.locator("article img[loading=lazy]").count() == 7


def test_no_other_host_is_contacted_and_the_csp_is_not_violated(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    requested: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    response = page.goto("/")
    start(page)
    results(page)
    all_details_open(page)
    own = (site.url + "/", f"blob:{site.url}/", "data:")
    assert [url for url in requested if not url.startswith(own)] == [] and messages == []
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy and "unsafe" not in policy


def test_reduced_motion_disables_transitions(tab: Tab, site: SearchSite) -> None:
    page = tab(site, reduced_motion="reduce")
    start(page)
    moving = (
        "[...document.querySelectorAll('*')].filter((node) => parseFloat(getComputedStyle(node).transitionDuration))"
    )
    assert page.evaluate(f"{moving}.length") == 0
