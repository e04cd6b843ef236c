"""The report as HTML and Markdown: no requests, no markup from untrusted text, limited size."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.brands import BRANDS
from unde_catalog.operations.report import page as page_module
from unde_catalog.operations.report.attention import headline, notes
from unde_catalog.operations.report.markdown import MAX_MARKDOWN, markdown
from unde_catalog.operations.report.page import page
from unde_catalog.stores.staging.reports.totals import BrandTotals
from unde_catalog_tests.support.reports import HOSTILE, parsed, report

_MAX_PAGE = 200_000  # bytes
_CSS = (Path(page_module.__file__).parent / "templates/page.css").read_text()
_KNOWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "p", "span", "time",
    "dl", "div", "dt", "dd", "small", "strong", "ul", "li", "table", "caption", "thead", "tbody", "tfoot", "tr", "th",
    "td", "svg", "polyline",
}  # fmt: skip


def test_the_page_requests_nothing_and_runs_nothing() -> None:
    for texts in (("a name",), HOSTILE):
        parts = parsed(page(report(texts)))
        assert {tag for tag, _ in parts.tags} <= _KNOWN_TAGS
        for tag, attributes in parts.tags:
            assert not {"src", "href", "srcset", "action", "background"} & attributes.keys(), tag
            assert not any(name.startswith("on") for name in attributes), tag
            assert "url(" not in (attributes.get("style") or "")
        assert "url(" not in _CSS and "@import" not in _CSS
        policy = next(one["content"] for _, one in parts.tags if one.get("http-equiv") == "Content-Security-Policy")
        assert "default-src 'none'" in (policy or "")


def test_untrusted_text_is_shown_as_text_on_one_short_line() -> None:
    html = page(report(HOSTILE))
    texts = [text for _, text in parsed(html).texts]
    assert any("<script>alert(1)</script>" in text for text in texts)
    assert not any(char in html for char in "\u202e\u200b\x00\x1b")
    assert "long " * 100 not in html
    assert html.count("<script") == 0 and len(parsed(html).text_of("title")) == 1


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_adds_an_element_or_an_attribute(text: str) -> None:
    def tags(name: str) -> list[tuple[str, dict[str, str | None]]]:
        return parsed(page(replace(report(), rejected=[replace(report().rejected[0], reason=name)]))).tags

    assert tags(f"a{text}") == tags("a")


def test_the_page_serves_screen_readers() -> None:
    parts = parsed(page(report()))
    assert parts.tags[0] == ("html", {"lang": "en"})
    assert parts.text_of("title") == ["Catalogue, 2026-03-01 04:20 UTC"]
    tables = sum(tag == "table" for tag, _ in parts.tags)
    assert tables == sum(tag == "caption" for tag, _ in parts.tags) == 6
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in parts.tags if tag == "th")
    boxes = [attributes for tag, attributes in parts.tags if attributes.get("class") == "box"]
    assert all(one["tabindex"] == "0" and one["role"] == "region" and one["aria-label"] for one in boxes)
    assert parts.text_of("h1") == ["Catalogue"]
    assert parts.text_of("h2") == [
        "Needs attention", "Funnel", "Due now", "Failures", "Freshness", "Stores", "Growth", "Limits and storage",
    ]  # fmt: skip


def test_page_and_markdown_stay_small_however_much_fails() -> None:
    much = report(HOSTILE, failing=2, products=1_234_567)
    assert len(page(much).encode()) < _MAX_PAGE
    assert len(markdown(much)) < MAX_MARKDOWN
    too_much = markdown(report(HOSTILE, failing=100))
    assert len(too_much) < MAX_MARKDOWN and too_much.endswith("The rest is on the page.\n")


def test_in_markdown_untrusted_text_stays_in_code_spans_and_cells() -> None:
    text = markdown(report(HOSTILE))
    outside = re.sub(r"`[^`\n]*`", "", text)
    assert outside.count("`") == 0
    assert outside.count("![") == 1  # the funnel
    assert not re.search(r"(?<!\\)\]\(http|www\.|<script|(?<!\\)<img", outside)
    for block in text.split("### ")[1:]:
        table = [line for line in block.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(widths) == 1, table[:3]


def test_markdown_contains_the_funnel_as_an_image() -> None:
    text = markdown(report())
    assert f"Photos stored {14_900 * len(BRANDS):,} of {15_000 * len(BRANDS):,}" in text
    encoded = re.search(r"]\(data:image/svg\+xml;base64,([^)]+)\)", text)
    assert encoded is not None
    svg = base64.b64decode(encoded[1]).decode()
    assert svg.startswith("<svg ") and svg.count("<text") == 3 * 5 and ">99 %</text>" in svg


def test_the_report_of_an_empty_catalogue_says_so() -> None:
    full = report()
    brands = [replace(one, totals=BrandTotals()) for one in full.brands]
    empty = replace(full, brands=brands, failing=[], failing_products=0, rejected=[], work=[])
    assert headline(empty, notes(empty)) == "No product has been collected yet."
    texts = [text for _, text in parsed(page(empty)).texts]
    assert "Nothing is due." in texts and "No product fails." in texts
    assert "data:image" not in markdown(empty)


def test_what_needs_attention_is_listed_with_failures_first() -> None:
    found = notes(report())
    assert [note.level for note in found] == sorted(note.level for note in found)  # bad before warn
    sentences = [note.sentence for note in found]
    late = [one.brand for one in report().freshness.values() if (one.stage, one.state) == ("raw_products", "late")]
    names = ", ".join(f"{BRANDS[brand].name} (12 minutes ago)" for brand in late)
    assert late and f"Collecting: the last success is too long ago for {names}" in sentences
    assert "A host has been throttled for 60 minutes: one request every 4.0 s" in sentences
    assert "95 % of this month's 10,000 Ximilar credits are used" in sentences
    calm = replace(report(), freshness={}, pauses=[], slow_hosts=[], failing=[], credits_month=0)
    assert notes(calm) == [] and headline(calm, []) == "Everything works."


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_colour_contrasts_with_the_background(scheme: int) -> None:
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", _CSS.split(":root")[1 + scheme]))
    for name, contrast in {"ink": 7.0, "quiet": 4.5, "warn": 4.5, "bad": 4.5, "bar": 3.0}.items():
        lighter, darker = sorted((_luminance(colours[name]), _luminance(colours["paper"])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= contrast, name
