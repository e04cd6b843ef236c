"""What people do on the search page, in a real browser and with a real index behind it.

Whether everybody can use and read it is in test_search_page_access.py.
"""

import json
import random
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from unde_catalog.services.search.middleware import api_keys as keys
from unde_catalog.stores.staging.admin import api_keys
from unde_catalog_tests.browser.shelf import HOSTILE, SHOPS, Shelf, drawn, jpeg

pytestmark = pytest.mark.timeout(300)
Tab = Callable[..., Page]
RED_DRESS = FilePayload(name="red.jpg", mimeType="image/jpeg", buffer=jpeg(drawn("slip dress", "Red")))

# A file as the browser hands it over when somebody drops or pastes it.
_TRANSFER = """([bytes, name, type]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    return transfer;
}"""
_PASTE = "(clipboardData) => document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))"
# Photos as they are sent: Chromium tells nobody else what is in a file's body.
_NOTE_SENT = """() => {
    const ask = fetch;
    window.sent = [];
    window.fetch = (address, options) => {
        if (options.body instanceof FormData) sent.push(options.body.get('file'));
        return ask(address, options);
    };
}"""
_SENT = """() => Promise.all(sent.map(async (file) => {
    const { width, height } = await createImageBitmap(file);
    return [width, height, file.type];
}))"""


def titles(page: Page) -> list[str]:
    """The found products, once they are there."""
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("article h3").first).to_be_visible()
    return page.locator("article h3").all_inner_texts()


def choose(page: Page, photo: FilePayload) -> None:
    page.locator("#choose").set_input_files(photo)


def drop(page: Page, photo: FilePayload) -> None:
    transfer = page.evaluate_handle(_TRANSFER, [list(photo["buffer"]), photo["name"], photo["mimeType"]])
    page.dispatch_event("footer", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo to search with it")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.get_by_text("Drop the photo to search with it")).to_be_hidden()


def paste(page: Page, photo: FilePayload) -> None:
    page.evaluate(_PASTE, page.evaluate_handle(_TRANSFER, [list(photo["buffer"]), photo["name"], photo["mimeType"]]))


@pytest.mark.parametrize("give", [choose, drop, paste])
def test_a_photo_finds_its_own_product_first_however_it_is_given(
    tab: Tab, shelf: Shelf, give: Callable[[Page, FilePayload], None]
) -> None:
    page = tab(shelf)
    give(page, RED_DRESS)
    assert titles(page)[0] == "Red slip dress" and sorted(titles(page)) == sorted(shelf.names)
    first = page.locator("article").first
    expect(first).to_contain_text("Likeness 100%")
    expect(first).to_contain_text("Zara, Red")
    expect(first.locator(".price")).to_have_text("AED\u00a0100.00")
    expect(page.locator("#given")).to_contain_text("Your photo")
    expect(page.locator("#said")).to_have_text("12 results")
    expect(page.get_by_text("Answered by descriptor@1, 12 photos")).to_be_visible()


def test_the_shops_that_have_it_are_told_two_at_once_and_all_when_asked(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=3&of_brand=zara")
    dress = page.locator("article", has=page.get_by_role("heading", name="Red slip dress"))
    expect(dress.get_by_text(f"In {SHOPS} shops")).to_be_visible()
    expect(dress.get_by_text("Mall 2S, M")).to_be_visible()
    expect(dress.get_by_text("Mall 3")).to_be_hidden()
    dress.get_by_text(f"and {SHOPS - 2} more").click()
    expect(dress.get_by_text("Mall 7")).to_be_visible()
    coat = page.locator("article", has=page.get_by_role("heading", name="Red coat"))
    expect(coat.get_by_text("In no shop as far as we know")).to_be_visible()


def test_a_big_photo_is_made_small_before_it_is_sent_and_a_small_one_is_sent_as_it_is(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    page.evaluate(_NOTE_SENT)
    noise = Image.frombytes("RGB", (60, 90), random.Random(1).randbytes(60 * 90 * 3)).resize((2400, 3600))
    choose(page, FilePayload(name="big.jpg", mimeType="image/jpeg", buffer=jpeg(noise)))
    titles(page)
    choose(page, RED_DRESS)
    expect(page.locator("article").first).to_contain_text("Likeness 100%")
    assert page.evaluate(_SENT) == [[1067, 1600, "image/jpeg"], [200, 300, "image/jpeg"]]
    assert page.evaluate("sent[1].size") == len(RED_DRESS["buffer"])


def test_without_a_model_for_words_the_field_says_so_before_anybody_types(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    expect(page.get_by_text("Search by photo: the model in use, descriptor@1, has no words.")).to_be_visible()
    expect(page.get_by_label("Words to search by")).to_be_hidden()
    page.goto("/?q=red")  # an address from a time when there was one
    expect(page.get_by_role("heading", name="This can't be searched")).to_be_visible()
    expect(page.get_by_text("words need CLIP", exact=False).last).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_role("heading", name="Or try one of these")).to_be_visible()


def test_words_find_what_they_say_and_escape_clears_them(tab: Tab, clip_shelf: Shelf) -> None:
    page = tab(clip_shelf)
    words = page.get_by_label("Words to search by")
    for word, name in (("red", "Red slip dress"), ("blue", "Blue slip dress")):
        words.fill(word)
        words.press("Enter")
        expect(page.get_by_role("heading", name=f"4 products for “{word}”")).to_be_visible()
        assert titles(page)[0] == name
        expect(page).to_have_url(f"{clip_shelf.url}/?q={word}")
    page.get_by_text("What the percentage means").click()
    expect(page.get_by_text("compare them with each other, not with 100%", exact=False)).to_be_visible()
    words.press("Escape")
    expect(page).to_have_url(f"{clip_shelf.url}/")
    expect(words).to_have_value("")
    page.go_back()
    expect(words).to_have_value("blue")
    assert titles(page)[0] == "Blue slip dress"


def test_filters_run_the_search_again_and_are_in_the_address(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=1&of_brand=zara")
    assert len(titles(page)) == 11  # all but itself
    page.get_by_role("checkbox", name="Oysho").check(force=True)
    expect(page.get_by_role("heading", name="6 products like “Red slip dress”")).to_be_visible()
    assert {name.split(",")[0] for name in page.locator("article h3 + .quiet").all_inner_texts()} == {"Oysho"}
    page.get_by_label("Category").select_option("coat")
    expect(page.get_by_role("heading", name="2 products like")).to_be_visible()
    page.get_by_label("Lowest price").fill("220")
    expect(page.get_by_role("heading", name="1 product like")).to_be_visible()
    expect(page).to_have_url(f"{shelf.url}/?like=1&of_brand=zara&brand=oysho&category=coat&price_from=220")
    page.get_by_label("Highest price").fill("100")
    expect(page.get_by_text("The highest price is below the lowest.")).to_be_visible()
    expect(page.get_by_role("heading", name="1 product like")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="1 product like")).to_be_visible()
    expect(page.get_by_label("Lowest price")).to_have_value("220")
    page.go_back()
    expect(page.get_by_role("heading", name="2 products like")).to_be_visible()
    expect(page.get_by_label("Lowest price")).to_have_value("")
    expect(page.get_by_text("Filters (2 set)")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("heading", name="11 products like")).to_be_visible()
    expect(page).to_have_url(f"{shelf.url}/?like=1&of_brand=zara")


def test_what_a_shop_has_is_found_and_what_passes_no_filter_is_told(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=5&of_brand=zara")
    page.get_by_label("In stock at").select_option(label="Mall 3")
    expect(page.get_by_role("heading", name="1 product like “Red coat”")).to_be_visible()
    assert titles(page) == ["Red slip dress"]
    page.get_by_label("Category").select_option("jeans")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.locator("#results").get_by_role("button", name="Clear filters").click()
    assert len(titles(page)) == 11


def test_more_like_this_goes_on_from_a_photo_and_back_returns_to_it(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    choose(page, RED_DRESS)
    found = titles(page)
    page.get_by_text("What the percentage means").click()
    expect(page.get_by_text("of pairs at 95% or more, 91% show the same one; at 90% or more, 54%")).to_be_visible()
    page.get_by_role("link", name="More like this: Blue coat").click()
    expect(page.get_by_role("heading", name="11 products like “Blue coat”")).to_be_visible()
    expect(page).to_have_url(f"{shelf.url}/?like=7&of_brand=zara")
    assert "Blue coat" not in titles(page)
    page.go_back()
    expect(page.get_by_role("heading", name="12 products like your photo")).to_be_visible()
    assert titles(page) == found
    page.reload()
    expect(page.get_by_role("heading", name="12 products like your photo")).to_be_visible()
    assert titles(page) == found
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_role("heading", name="Or try one of these")).to_be_visible()
    elsewhere = tab(shelf, "/?photo=yes")
    expect(elsewhere.get_by_role("heading", name="That photo is no longer here")).to_be_visible()


def test_the_first_visit_shows_products_to_begin_with(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    expect(page.locator("a.example")).to_have_count(8)
    page.get_by_role("link", name="More like Red slip dress").click()
    expect(page.get_by_role("heading", name="11 products like “Red slip dress”")).to_be_visible()
    expect(page.locator("#found")).to_be_focused()


def test_a_hostile_name_is_shown_as_the_text_it_is(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf, "/?like=7&of_brand=zara")
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    assert HOSTILE in titles(page)
    page.get_by_role("link", name=f"More like this: {HOSTILE}").click()
    expect(page.get_by_role("heading", name=f"11 products like “{HOSTILE}”")).to_be_visible()
    expect(page).to_have_title(f"“{HOSTILE}”, visual search")
    assert page.locator("img[src=x]").count() == 0 and said == []


def test_what_is_no_photo_is_told_here_or_by_the_api(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    drop(page, FilePayload(name="list.csv", mimeType="text/csv", buffer=b"a,b"))
    expect(page.get_by_text("list.csv is no picture.", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    expect(page.locator("a.example").first).to_be_visible()
    choose(page, FilePayload(name="broken.jpg", mimeType="image/jpeg", buffer=RED_DRESS["buffer"][:900]))
    expect(page.get_by_role("heading", name="This can't be searched")).to_be_visible()
    expect(page.locator(".trace code")).not_to_be_empty()


def test_a_failure_is_told_with_its_request_and_can_be_tried_again(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    fails(page, 500, code="internal", detail="It broke inside.", request_id="abc-1")
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="The search failed")).to_be_visible()
    expect(page.get_by_text("It broke inside.", exact=True)).to_be_visible()
    expect(page.get_by_text("Request abc-1")).to_be_visible()
    page.unroute("**/search/by-image")
    page.get_by_role("button", name="Try again").click()
    assert titles(page)[0] == "Red slip dress"


def test_who_searched_too_often_sees_how_long_to_wait_and_the_search_goes_on(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    expect(page.locator("a.example").first).to_be_visible()
    page.clock.install()
    fails(page, 429, {"Retry-After": "30"}, code="too_many_requests", detail="wait 30 s")
    choose(page, RED_DRESS)
    expect(page.get_by_text("The search goes on by itself in 30 s.")).to_be_visible()
    page.clock.run_for(10_000)
    expect(page.get_by_text("The search goes on by itself in 20 s.")).to_be_visible()
    page.unroute("**/search/by-image")
    page.clock.run_for(20_000)
    assert titles(page)[0] == "Red slip dress"


def test_a_catalogue_that_asks_for_a_key_is_given_one_for_this_tab(tab: Tab, shelf: Shelf) -> None:
    key = keys.make()
    assert shelf.db.run(api_keys.add, "reader", "read", keys.digest(key))
    page = tab(shelf)
    fails(page, 401, code="key_needed", detail="this needs an API key")
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="This catalogue asks for a key")).to_be_visible()
    page.unroute("**/search/by-image")
    for given in ("wrong", key):
        page.get_by_label("API key").fill(given)
        page.get_by_role("button", name="Go on").click()
        if given == "wrong":
            expect(page.get_by_text("This API key is not known, or was revoked.", exact=True)).to_be_visible()
    assert titles(page)[0] == "Red slip dress"


def test_without_a_connection_it_says_so_and_goes_on_when_there_is_one(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    expect(page.locator("a.example").first).to_be_visible()
    page.context.set_offline(True)
    choose(page, RED_DRESS)
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    expect(page.get_by_text("This device is offline.", exact=False).first).to_be_visible()
    page.context.set_offline(False)
    assert titles(page)[0] == "Red slip dress"


def test_a_former_search_is_given_up_when_another_begins(tab: Tab, shelf: Shelf) -> None:
    page = tab(shelf)
    held: list[Route] = []
    page.route("**/search/by-image", lambda route: held.append(route))
    choose(page, RED_DRESS)
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".skeleton li")).to_have_count(8)
    with page.expect_event("requestfailed") as failed:
        page.get_by_role("link", name="Visual search").click()
    assert failed.value.url.endswith("/search/by-image") and len(held) == 1
    expect(page.locator("a.example")).to_have_count(8)


def fails(page: Page, status: int, headers: dict[str, str] | None = None, **problem: str) -> None:
    """From now on the network answers searches by photo so."""
    page.route(
        "**/search/by-image",
        lambda route: route.fulfill(
            status=status, headers=headers or {}, content_type="application/problem+json", body=json.dumps(problem)
        ),
    )
