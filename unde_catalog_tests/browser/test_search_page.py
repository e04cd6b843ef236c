"""The search page in a real browser, with a real index.

What results show is tested in test_search_page_results.py, accessibility in test_search_page_access.py.
"""

import io
import random
from collections.abc import Callable

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from unde_catalog.services.search.middleware import api_keys as keys
from unde_catalog.stores.staging.admin import api_keys
from unde_catalog_tests.browser.search_page import choose, drop, fail_searches, paste, titles
from unde_catalog_tests.browser.search_site import HOSTILE_NAME, SearchSite, draw, jpeg

pytestmark = pytest.mark.timeout(300)

Tab = Callable[..., Page]

RED_DRESS = FilePayload(name="red.jpg", mimeType="image/jpeg", buffer=jpeg(draw("slip dress", "Red")))


def heic(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(picture).save(out)
    return out.getvalue()


# Record uploaded photos in the page: Chromium does not expose the body of a file upload otherwise.
_RECORD_UPLOADS = """() => {
    const original = fetch;
    window.uploads = [];
    window.fetch = (url, options) => {
        if (options.body instanceof FormData) uploads.push(options.body.get('file'));
        return original(url, options);
    };
}"""

_UPLOADED = """() => Promise.all(uploads.map(async (file) => {
    const { width, height } = await createImageBitmap(file);
    return [width, height, file.type];
}))"""


@pytest.mark.parametrize("provide", [choose, drop, paste])
def test_a_photo_can_be_chosen_dropped_or_pasted(
    tab: Tab, site: SearchSite, provide: Callable[[Page, FilePayload], None]
) -> None:
    page = tab(site)
    provide(page, RED_DRESS)
    assert titles(page)[0] == "Red slip dress" and sorted(titles(page)) == sorted(site.names)
    first = page.locator("article").first
    expect(first).to_contain_text("Similarity 100%")
    expect(first).to_contain_text("Zara, Red")
    expect(first.locator(".price")).to_have_text("AED\u00a0100.00")
    expect(page.locator("#preview")).to_contain_text("Your photo")
    expect(page.locator("#status")).to_have_text("12 results")


def test_a_large_photo_is_reduced_before_upload_and_a_small_one_is_not(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    page.evaluate(_RECORD_UPLOADS)
    noise = Image.frombytes("RGB", (60, 90), random.Random(1).randbytes(60 * 90 * 3)).resize((2400, 3600))
    choose(page, FilePayload(name="big.jpg", mimeType="image/jpeg", buffer=jpeg(noise)))
    titles(page)
    choose(page, RED_DRESS)
    expect(page.locator("article").first).to_contain_text("Similarity 100%")
    assert page.evaluate(_UPLOADED) == [[1067, 1600, "image/jpeg"], [200, 300, "image/jpeg"]]
    assert page.evaluate("uploads[1].size") == len(RED_DRESS["buffer"])


def test_words_are_searched_without_a_model_that_knows_words(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    text = page.get_by_label("Search text")
    text.fill("red slipp dress")
    text.press("Enter")
    expect(page.get_by_text("Showing results for “slip” instead of “slipp”.", exact=False)).to_be_visible()
    assert titles(page)[0] == "Red slip dress"
    expect(page.locator("article").first.locator(".score")).to_have_count(0)
    expect(page.locator("article", has_text="Blue slip dress").get_by_text("Without: red")).to_be_visible()
    text.fill("umbrella")
    text.press("Enter")
    expect(page.get_by_text("No product has these words. Try others, or a photo.")).to_be_visible()


def test_text_search_and_escape_to_clear_it(tab: Tab, clip_site: SearchSite) -> None:
    page = tab(clip_site)
    text = page.get_by_label("Search text")
    for word, name in (("red", "Red slip dress"), ("blue", "Blue slip dress")):
        text.fill(word)
        text.press("Enter")
        expect(page.get_by_role("heading", name=f"4 products for “{word}”")).to_be_visible()
        assert titles(page)[0] == name
        expect(page).to_have_url(f"{clip_site.url}/?q={word}")
    page.get_by_text("What the percentage means").click()
    expect(page.get_by_text("Compare the percentages with each other, not with 100%", exact=False)).to_be_visible()
    text.press("Escape")
    expect(page).to_have_url(f"{clip_site.url}/")
    expect(text).to_have_value("")
    page.go_back()
    expect(text).to_have_value("blue")
    assert titles(page)[0] == "Blue slip dress"


def test_filters_repeat_the_search_and_are_part_of_the_url(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=1&of_brand=zara")
    assert len(titles(page)) == 11  # all but itself
    page.get_by_role("checkbox", name="Oysho").check(force=True)
    expect(page.get_by_role("heading", name="6 products similar to “Red slip dress”")).to_be_visible()
    assert {name.split(",")[0] for name in page.locator("article h3 + .muted").all_inner_texts()} == {"Oysho"}
    page.get_by_label("Category").select_option("coat")
    expect(page.get_by_role("heading", name="2 products similar to")).to_be_visible()
    page.get_by_label("Minimum price").fill("220")
    expect(page.get_by_role("heading", name="1 product similar to")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/?like=1&of_brand=zara&brand=oysho&category=coat&price_from=220")
    page.get_by_label("Maximum price").fill("100")
    expect(page.get_by_text("The maximum price is below the minimum price.")).to_be_visible()
    expect(page.get_by_role("heading", name="1 product similar to")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="1 product similar to")).to_be_visible()
    expect(page.get_by_label("Minimum price")).to_have_value("220")
    page.go_back()
    expect(page.get_by_role("heading", name="2 products similar to")).to_be_visible()
    expect(page.get_by_label("Minimum price")).to_have_value("")
    expect(page.get_by_text("Filters (2 set)")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("heading", name="11 products similar to")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/?like=1&of_brand=zara")


def test_filter_by_store_and_a_combination_without_results(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=5&of_brand=zara")
    page.get_by_label("In stock at").select_option(label="Mall 3")
    expect(page.get_by_role("heading", name="1 product similar to “Red coat”")).to_be_visible()
    assert titles(page) == ["Red slip dress"]
    page.get_by_label("Category").select_option("jeans")
    expect(page.get_by_role("heading", name="No results")).to_be_visible()
    page.locator("#results").get_by_role("button", name="Clear filters").click()
    assert len(titles(page)) == 11


def test_more_like_this_and_back_to_the_photo(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    choose(page, RED_DRESS)
    found = titles(page)
    page.get_by_text("What the percentage means").click()
    expect(page.get_by_text("of pairs at 95% or more, 91% show the same one; at 90% or more, 53%")).to_be_visible()
    page.get_by_role("link", name="More like this: Blue coat").click()
    expect(page.get_by_role("heading", name="11 products similar to “Blue coat”")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/?like=7&of_brand=zara")
    assert "Blue coat" not in titles(page)
    page.go_back()
    expect(page.get_by_role("heading", name="12 products similar to your photo")).to_be_visible()
    assert titles(page) == found
    page.reload()
    expect(page.get_by_role("heading", name="12 products similar to your photo")).to_be_visible()
    assert titles(page) == found
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Or try one of these")).to_be_visible()
    other = tab(site, "/?photo=yes")
    expect(other.get_by_role("heading", name="This photo is no longer available")).to_be_visible()


def test_the_start_page_shows_example_products(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    expect(page.locator("a.example")).to_have_count(8)
    page.get_by_role("link", name="More like Red slip dress").click()
    expect(page.get_by_role("heading", name="11 products similar to “Red slip dress”")).to_be_visible()
    expect(page.locator("#results-heading")).to_be_focused()


def test_a_name_with_html_is_shown_as_text(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=7&of_brand=zara")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    assert HOSTILE_NAME in titles(page)
    page.get_by_role("link", name=f"More like this: {HOSTILE_NAME}").click()
    expect(page.get_by_role("heading", name=f"11 products similar to “{HOSTILE_NAME}”")).to_be_visible()
    expect(page).to_have_title(f"“{HOSTILE_NAME}”, visual search")
    assert page.locator("img[src=x]").count() == 0 and dialogs == []


@pytest.mark.parametrize("type", ["", "application/octet-stream"])
@pytest.mark.parametrize("provide", [choose, drop])
def test_a_photo_without_a_file_type_is_taken_by_its_content(
    tab: Tab, site: SearchSite, provide: Callable[[Page, FilePayload], None], type: str
) -> None:
    page = tab(site)
    provide(page, FilePayload(name="notes.jpg_large", mimeType=type, buffer=b"none"))
    expect(page.get_by_text("notes.jpg_large is not an image.", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    provide(page, FilePayload(name="dress.jpg_large", mimeType=type, buffer=RED_DRESS["buffer"]))
    assert titles(page)[0] == "Red slip dress"
    expect(page.locator("#preview")).to_contain_text("Your photo")


@pytest.mark.parametrize("type", ["image/heic", ""])
def test_a_heic_photo_of_a_phone_can_be_searched(tab: Tab, site: SearchSite, type: str) -> None:
    page = tab(site)
    choose(page, FilePayload(name="IMG_1.HEIC", mimeType=type, buffer=heic(draw("slip dress", "Red"))))
    assert titles(page)[0] == "Red slip dress"
    expect(page.locator("#preview")).to_contain_text("IMG_1.HEIC")


def test_without_heic_support_the_page_says_what_an_iphone_can_do(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    fail_searches(page, 415, code="unsupported_format", detail="HEIC and HEIF need the extra heif.")
    choose(page, FilePayload(name="IMG_1.HEIC", mimeType="image/heic", buffer=heic(draw("slip dress", "Red"))))
    expect(page.get_by_text("Open this page in Safari on the iPhone", exact=False).first).to_be_visible()
    expect(page.get_by_text("extra heif")).to_have_count(0)


def test_a_rejected_file_replaces_the_former_photo_until_going_back(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    choose(page, RED_DRESS)
    titles(page)
    choose(page, FilePayload(name="list.csv", mimeType="text/csv", buffer=b"a,b"))
    expect(page.get_by_role("heading", name="Not a photo")).to_be_visible()
    expect(page.locator("#preview")).to_be_hidden()
    page.get_by_role("button", name="Go back").click()
    assert titles(page)[0] == "Red slip dress"
    expect(page.locator("#preview")).to_contain_text("red.jpg")


def test_a_file_that_is_not_a_photo_is_rejected_by_page_or_api(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    drop(page, FilePayload(name="list.csv", mimeType="text/csv", buffer=b"a,b"))
    expect(page.get_by_text("list.csv is not an image.", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    expect(page.locator("a.example").first).to_be_visible()
    choose(page, FilePayload(name="broken.jpg", mimeType="image/jpeg", buffer=RED_DRESS["buffer"][:900]))
    expect(page.get_by_role("heading", name="This search is not possible")).to_be_visible()
    expect(page.locator(".request-id code")).not_to_be_empty()


def test_a_failure_shows_its_request_id_and_can_be_retried(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    fail_searches(page, 500, code="internal", detail="It broke inside.", request_id="abc-1")
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="The search failed")).to_be_visible()
    expect(page.get_by_text("It broke inside.", exact=True)).to_be_visible()
    expect(page.get_by_text("Request abc-1")).to_be_visible()
    page.unroute("**/search/by-image")
    page.get_by_role("button", name="Try again").click()
    assert titles(page)[0] == "Red slip dress"


def test_a_rate_limited_search_shows_a_countdown_and_retries(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    expect(page.locator("a.example").first).to_be_visible()
    page.clock.install()
    fail_searches(page, 429, {"Retry-After": "30"}, code="too_many_requests", detail="Too many requests.")
    choose(page, RED_DRESS)
    expect(page.get_by_text("The search retries automatically in 30 s.")).to_be_visible()
    page.clock.run_for(10_000)
    expect(page.get_by_text("The search retries automatically in 20 s.")).to_be_visible()
    page.unroute("**/search/by-image")
    page.clock.run_for(20_000)
    assert titles(page)[0] == "Red slip dress"


def test_an_api_key_can_be_entered_for_this_tab(tab: Tab, site: SearchSite) -> None:
    key = keys.generate()
    assert site.db.run(api_keys.add, "reader", "read", keys.digest(key))
    page = tab(site)
    fail_searches(page, 401, code="key_needed", detail="This request needs an API key.")
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="API key required")).to_be_visible()
    page.unroute("**/search/by-image")
    for entered in ("wrong", key):
        page.get_by_label("API key", exact=True).fill(entered)
        page.get_by_role("button", name="Continue").click()
        if entered == "wrong":
            expect(page.get_by_text("This API key is unknown or revoked.", exact=True)).to_be_visible()
    assert titles(page)[0] == "Red slip dress"


def test_without_a_connection_the_page_says_so_and_recovers(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    expect(page.locator("a.example").first).to_be_visible()
    page.context.set_offline(True)
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    expect(page.get_by_text("This device is offline.", exact=False).first).to_be_visible()
    page.context.set_offline(False)
    assert titles(page)[0] == "Red slip dress"


def test_a_search_is_cancelled_when_another_one_starts(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    held: list[Route] = []
    page.route("**/search/by-image", lambda route: held.append(route))
    choose(page, RED_DRESS)
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".skeleton li")).to_have_count(8)
    with page.expect_event("requestfailed") as failed:
        page.get_by_role("link", name="Visual search").click()
    assert failed.value.url.endswith("/search/by-image") and len(held) == 1
    expect(page.locator("a.example")).to_have_count(8)
