"""What results of the search page show, and in which order.

How searches are made is tested in test_search_page.py.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from unde_catalog_tests.browser.search_page import titles
from unde_catalog_tests.browser.search_site import ARTICLE, BRAND_PAGE, STORES, SearchSite

pytestmark = pytest.mark.timeout(300)

Tab = Callable[..., Page]


def total(number: int) -> Callable[[Route], None]:
    """Passes responses on with another total."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "total": number})

    return answer


def test_the_model_and_the_number_of_photos_are_shown_on_request(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    about = page.get_by_text("Search by photo uses the model descriptor@1 with 12 photos.", exact=True)
    expect(about).to_be_hidden()
    page.get_by_label("About this search").click()
    expect(about).to_be_visible()
    page.keyboard.press("Escape")
    expect(about).to_be_hidden()


def test_the_heading_says_how_many_products_have_the_words(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    page.route("**/search/by-text", total(134))
    text = page.get_by_label("Search text")
    text.fill("dress")
    text.press("Enter")
    expect(page.get_by_role("heading", name="4 of 134 products for “dress”")).to_be_visible()
    page.unroute("**/search/by-text")
    page.route("**/search/by-text", total(20_000))
    text.press("Enter")
    expect(page.get_by_role("heading", name="4 of at least 20,000 products for “dress”")).to_be_visible()


def test_article_number_can_be_copied_and_the_brands_page_opened(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=3&of_brand=zara", permissions=["clipboard-read", "clipboard-write"])
    dress = page.locator("article", has=page.get_by_role("heading", name="Red slip dress"))
    expect(dress.get_by_text(f"Article {ARTICLE}")).to_be_visible()
    dress.get_by_role("button", name=f"Copy article number {ARTICLE}").click()
    expect(page.locator("#status")).to_have_text("Article number copied.")
    assert page.evaluate("navigator.clipboard.readText()") == ARTICLE
    link = dress.get_by_role("link", name="See at Zara: Red slip dress, in a new tab")
    expect(link).to_have_attribute("href", BRAND_PAGE)
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    coat = page.locator("article", has=page.get_by_role("heading", name="Red coat"))
    expect(coat.get_by_text("Article 5", exact=True)).to_be_visible()
    expect(coat.get_by_role("link", name="See at")).to_have_count(0)


def test_results_are_sorted_by_price_without_another_search(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=1&of_brand=zara")
    found = titles(page)
    searches: list[str] = []
    page.on("request", lambda request: searches.append(request.url) if "/similar" in request.url else None)
    for order, reverse in (("Price: low to high", False), ("Price: high to low", True)):
        page.get_by_label("Sort by").select_option(label=order)
        expect(page.locator("#status")).to_have_text("11 results, sorted by price")
        expect(page.get_by_label("Sort by")).to_be_focused()
        prices = [float(text.split("\u00a0")[1]) for text in page.locator("article .price").all_inner_texts()]
        assert prices == sorted(prices, reverse=reverse) and len(set(prices)) > 1
    expect(page).to_have_url(f"{site.url}/?like=1&of_brand=zara&sort=-price")
    expect(page.get_by_text("products shown.")).to_have_count(0)  # these are all
    page.get_by_label("Sort by").select_option(label="Relevance")
    assert titles(page) == found and searches == []
    page.go_back()
    expect(page.get_by_label("Sort by")).to_have_value("-price")
    page.reload()
    expect(page.get_by_label("Sort by")).to_have_value("-price")
    assert titles(page) != found


def test_the_page_says_when_it_sorts_only_some_of_the_products(tab: Tab, site: SearchSite) -> None:
    page = tab(site)
    page.route("**/search/by-text", total(134))
    page.goto("/?q=dress&sort=price")
    expect(page.get_by_text("Sorted among the 4 products shown.")).to_be_visible()


def test_two_stores_with_stock_are_shown_and_the_others_on_request(tab: Tab, site: SearchSite) -> None:
    page = tab(site, "/?like=3&of_brand=zara")
    dress = page.locator("article", has=page.get_by_role("heading", name="Red slip dress"))
    expect(dress.get_by_text(f"In stock at {STORES} stores")).to_be_visible()
    expect(dress.get_by_text("Mall 2S, M")).to_be_visible()
    expect(dress.get_by_text("Mall 3")).to_be_hidden()
    dress.get_by_text(f"and {STORES - 2} more").click()
    expect(dress.get_by_text("Mall 7")).to_be_visible()
    coat = page.locator("article", has=page.get_by_role("heading", name="Red coat"))
    expect(coat.get_by_text("Not in stock at any known store")).to_be_visible()
