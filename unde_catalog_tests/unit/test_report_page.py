"""The report's page and Markdown, of reports made by hand: nothing from outside, nothing hostile, not too big."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from unde_catalog.operations.report import page as page_module
from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.markdown import MAX_MARKDOWN, markdown
from unde_catalog.operations.report.page import page
from unde_catalog.stores.staging.reports.totals import BrandTotals
from unde_catalog_tests.support.reports import HOSTILE, report, taken

_MAX_PAGE = 200_000  # bytes
_CSS = (Path(page_module.__file__).parent / "page.css").read_text()
_KNOWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "p", "span", "time",
    "dl", "div", "dt", "dd", "small", "strong", "ul", "li", "table", "caption", "thead", "tbody", "tfoot", "tr", "th",
    "td", "svg", "polyline",
}  # fmt: skip


def test_the_page_asks_nobody_for_anything_and_runs_nothing() -> None:
    for said in (("a name",), HOSTILE):
        parts = taken(page(report(said)))
        assert {tag for tag, _ in parts.tags} <= _KNOWN_TAGS
        for tag, attributes in parts.tags:
            assert not {"src", "href", "srcset", "action", "background"} & attributes.keys(), tag
            assert not any(name.startswith("on") for name in attributes), tag
            assert "url(" not in (attributes.get("style") or "")
        assert "url(" not in _CSS and "@import" not in _CSS
        policy = next(one["content"] for _, one in parts.tags if one.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in (policy or "")


def test_what_others_wrote_is_shown_as_text_on_one_line_and_not_too_long() -> None:
    html = page(report(HOSTILE))
    texts = [text for _, text in taken(html).texts]
    assert any("<script>alert(1)</script>" in text for text in texts)
    assert not any(char in html for char in "\u202e\u200b\x00\x1b")
    assert "long " * 100 not in html
    assert html.count("<script") == 0 and len(taken(html).said("title")) == 1


def test_a_page_is_built_for_screen_readers_too() -> None:
    parts = taken(page(report()))
    assert parts.tags[0] == ("html", {"lang": "en"})
    assert parts.said("title") == ["Catalogue, 2026-03-01 04:20 UTC"]
    tables = sum(tag == "table" for tag, _ in parts.tags)
    assert tables == sum(tag == "caption" for tag, _ in parts.tags) == 6
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in parts.tags if tag == "th")
    boxes = [attributes for tag, attributes in parts.tags if attributes.get("class") == "box"]
    assert all(one["tabindex"] == "0" and one["role"] == "region" and one["aria-label"] for one in boxes)
    assert parts.said("h1") == ["Catalogue"]
    assert parts.said("h2") == [
        "To look at", "Funnel", "Due now", "Failures", "Freshness", "Shops", "Growth", "Limits and room",
    ]  # fmt: skip


def test_the_page_and_the_markdown_stay_small_however_much_is_wrong() -> None:
    much = report(HOSTILE, failing=2, products=1_234_567)
    assert len(page(much).encode()) < _MAX_PAGE
    assert len(markdown(much)) < MAX_MARKDOWN
    too_much = markdown(report(HOSTILE, failing=100))
    assert len(too_much) < MAX_MARKDOWN and too_much.endswith("The rest is on the page.\n")


def test_in_markdown_others_words_stay_in_their_code_spans_and_cells() -> None:
    told = markdown(report(HOSTILE))
    outside = re.sub(r"`[^`\n]*`", "", told)
    assert outside.count("`") == 0
    assert outside.count("![") == 1  # the funnel
    assert not re.search(r"(?<!\\)\]\(http|www\.|<script|(?<!\\)<img", outside)
    for block in told.split("### ")[1:]:
        table = [line for line in block.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(widths) == 1, table[:3]


def test_the_funnel_is_a_picture_that_markdown_carries_inside() -> None:
    assert "](data:image/svg+xml;base64," in markdown(report())
    assert "Photographed 104,300 of 105,000" in markdown(report())


def test_an_empty_catalogue_says_so() -> None:
    full = report()
    brands = [replace(one, standing=BrandTotals()) for one in full.brands]
    empty = replace(full, brands=brands, failing=[], failing_products=0, rejected=[], work=[])
    assert headline(empty, notes(empty)) == "Nothing is collected yet."
    texts = [text for _, text in taken(page(empty)).texts]
    assert "Nothing is due." in texts and "No product fails." in texts
    assert "data:image" not in markdown(empty)


def test_what_is_worth_a_look_comes_first_the_worst_of_it_before_all() -> None:
    found = notes(report())
    assert [one.weight for one in found] == sorted(one.weight for one in found)  # bad before warn
    told = [one.sentence for one in found]
    assert "Collecting: no success lately for Bershka (12 minutes ago)" in told
    assert "A host has been asked more slowly for 60 minutes, 4.0 s between two requests" in told
    assert "95 % of this month's 10,000 Ximilar credits are used" in told
    calm = replace(report(), freshness={}, pauses=[], slow_hosts=[], failing=[], credits_month=0)
    assert notes(calm) == [] and headline(calm, []) == "All is well."


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_text_stands_out_from_its_paper(scheme: int) -> None:
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", _CSS.split(":root")[1 + scheme]))
    for name, wanted in {"ink": 7.0, "quiet": 4.5, "warn": 4.5, "bad": 4.5, "bar": 3.0}.items():
        lighter, darker = sorted((_luminance(colours[name]), _luminance(colours["paper"])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= wanted, name
