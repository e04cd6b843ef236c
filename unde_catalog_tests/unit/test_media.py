"""Photo URLs in every shape that scrapers give them; what is no photo is counted."""

import json
from collections import Counter
from typing import Any

import pytest

from unde_catalog.stages.raw_products.apify_item import combine, read_item
from unde_catalog.stages.raw_products.media import photo_urls
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog_tests.support.servers import REAL_DATA

A, B = "https://static.zara.net/a.jpg", "https://static.zara.net/b.jpg"


def found(colours: Any) -> tuple[tuple[str, ...], dict[str, int]]:
    notes: Counter[str] = Counter()
    return photo_urls(colours, notes), dict(notes)


@pytest.mark.parametrize(
    ("media", "photos", "notes"),
    [
        (["//static.zara.net/a.jpg"], (A,), {}),
        ([{"type": "image", "path": "/a", "name": "a", "url": A}], (A,), {}),
        ([{"datatype": "xmedia", "extraInfo": {"deliveryUrl": A}}], (A,), {}),
        ([{"src": A}, {"href": B}], (A, B), {}),
        ({"url": A}, (A,), {}),
        (A, (A,), {}),
        (json.dumps([A, B]), (A, B), {}),
        (json.dumps([{"url": A}]), (A,), {}),
        (["https://x.example/v.mp4", "https://x.example/m.M3U8?x=1", A], (A,), {"videos_skipped": 2}),
        ([{"type": "video", "url": "https://x.example/poster.jpg"}, A], (A,), {"videos_skipped": 1}),
        ([7, None, {"name": "no url"}, "  ", A], (A,), {"media_unreadable": 4}),
        ('["https://cut', (), {"media_unreadable": 1}),
        ('"https://cut', (), {"media_unreadable": 1}),
        (json.dumps(A), (A,), {}),
        ([{"mimeType": "video/mp4", "url": "https://x.example/poster.jpg"}, A], (A,), {"videos_skipped": 1}),
        (["https://x.example/v.3gp", A], (A,), {"videos_skipped": 1}),
        (["https://x.example/" + "a" * 2_000, A], (A,), {"photo_urls_too_long": 1}),
        (["http://[::1", A], ("http://[::1", A), {}),  # the download says what is wrong with it
        ([A, A + "?ts=1"], (A,), {}),
    ],
)
def test_media_in_any_shape_are_read_or_counted(media: Any, photos: tuple[str, ...], notes: dict[str, int]) -> None:
    assert found([{"name": "Black", "xmedia": media}]) == (photos, notes)


def test_a_video_takes_no_place_among_the_five_photos() -> None:
    photos = [f"https://x.example/{n}.jpg" for n in range(1, 7)]
    assert found([{"xmedia": ["https://x.example/v.mp4", *photos]}])[0] == tuple(photos[:5])


@pytest.mark.parametrize("colours", [{"xmedia": [A]}, json.dumps([{"xmedia": [A]}]), json.dumps({"xmedia": [A]})])
def test_colours_may_be_one_object_or_json_text(colours: Any) -> None:
    assert found(colours) == ((A,), {})


@pytest.mark.parametrize("colours", ['[{"name": "Black", "xm', [7], ["Black"], "Black"])
def test_colours_that_are_none_are_counted(colours: Any) -> None:
    assert found(colours) == ((), {"media_unreadable": 1})


def item(colour: str, sizes: str = "S, M", **changes: Any) -> dict[str, Any]:
    return {
        "id": 7, "name": "LEGGINGS", "price": 17900, "colors": colour, "sizes": sizes, "category": "sport",
        "colorsSizesImagesJSON": [
            {"id": colour, "name": colour, "xmedia": [f"https://x.example/{colour}.jpg"],
             "sizes": [{"name": "S", "sku": f"sku-{colour}"}]}
        ],
        **changes,
    }  # fmt: skip


def test_items_with_a_colour_each_become_one_product_in_any_order() -> None:
    black, teal = item("Black"), item("Teal", "M, L", category="new")
    there, back = combine([black, teal]), combine([teal, black])
    assert there is not None and back is not None
    for one in (*there, *back):
        assert (one.colour, one.sizes) == ("Black, Teal", "M, L, S")
        assert one.original_image_urls == ("https://x.example/Black.jpg", "https://x.example/Teal.jpg")
        skus = [size["sku"] for colour in one.raw_data["colorsSizesImagesJSON"] for size in colour["sizes"]]
        assert skus == ["sku-Black", "sku-Teal"]
    assert [one.category for one in there] == ["sport", "new"]


def test_one_product_in_two_categories_is_not_combined() -> None:
    assert combine([item("Black"), item("Black", category="new")]) is None


@pytest.mark.parametrize("raw", [{"#error": True, "#debug": {"url": "https://shop.example/1"}}, {}])
def test_an_item_that_failed_at_the_source_has_its_own_reason(raw: dict[str, Any]) -> None:
    rejected = read_item(raw)
    assert isinstance(rejected, RejectedItem)
    assert (rejected.reason, rejected.external_id) == ("failed_at_source", None)


@pytest.mark.parametrize(
    ("changes", "field", "value", "notes"),
    [
        ({"name": 501}, "name", "501", {}),
        ({"name": ["ZW", "BLAZER"]}, "name", "ZW, BLAZER", {}),
        ({"category": 12.0}, "category", "12", {}),
        ({"name": "N" * 2_001}, "name", "N" * 2_000, {"texts_cut": 1}),
        ({"name": {"en": "BLAZER"}}, "name", None, {"texts_not_understood": 1}),
        ({"description": [["nested"]]}, "description", None, {"texts_not_understood": 1}),
        ({"category": ["WOMEN", ["SHOES"]]}, "category", "WOMEN", {"texts_not_understood": 1}),
        ({"category": True}, "category", None, {"texts_not_understood": 1}),
        ({"name": None}, "name", None, {}),
    ],
)
def test_texts_of_other_types_are_kept_where_nothing_is_lost(
    changes: dict[str, Any], field: str, value: str | None, notes: dict[str, int]
) -> None:
    read = read_item(item("Black", **changes))
    assert isinstance(read, CollectedProduct)
    assert (getattr(read, field), dict(read.notes)) == (value, notes)


def test_the_items_of_the_field_are_read() -> None:
    folder = REAL_DATA / "field"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: this test wants inputs from public reports")
    read = read_item(json.loads((folder / "10_item.json").read_text())[0])
    assert isinstance(read, CollectedProduct)
    assert len(read.original_image_urls) == 5 and read.notes == {"videos_skipped": 2}
    assert all(url.startswith("https://static.zara.net/a/") for url in read.original_image_urls)
    two = json.loads((folder / "20_two_colours.json").read_text())
    combined = combine(two)
    assert combined is not None and combined[0].colour == "Black, Teal"
    assert len(combined[0].original_image_urls) == sum(
        len(colour["xmedia"]) for one in two for colour in one["colorsSizesImagesJSON"]
    )
    failed = [read_item(raw) for raw in json.loads((folder / "41_error_items.json").read_text())]
    assert {one.reason for one in failed if isinstance(one, RejectedItem)} == {"failed_at_source"}
