"""The sample catalogue: the fields of its items, and its deterministic photos."""

import hashlib
import io
import re
import subprocess
import sys

import pytest
from PIL import Image, ImageChops, ImageStat

from unde_catalog.sandbox.photos import catalogue, garments
from unde_catalog.sandbox.photos.drawing.colours import COLOURS
from unde_catalog.sandbox.photos.drawing.fabrics import PATTERNS
from unde_catalog.sandbox.photos.drawing.recipes import RECIPES

BRANDS = {
    "zara": "Zara",
    "bershka": "Bershka",
    "pullandbear": "Pull&Bear",
    "stradivarius": "Stradivarius",
    "massimodutti": "Massimo Dutti",
    "oysho": "Oysho",
}
EVERY = [(brand, item) for brand in BRANDS for item in catalogue.items(brand, "http://cdn.test")]
ADDRESS = re.compile(r"http://cdn\.test/[a-z]+/assets/public/\S+/(\d{8})(\d{3})-(p|a\d|e\d)\.jpg\?ts=\d+&w=\{width\}")


def photos_of(brand: str, item: dict) -> list[tuple[str, str, str, str]]:
    """The brand, product, colour and view of every photo of an item."""
    found = [ADDRESS.fullmatch(url) for colour in item["colorsSizesImagesJSON"] for url in colour["xmedia"]]
    return [(brand, match[1], match[2], match[3]) for match in found if match]


def test_there_are_six_brands_of_twenty_products_with_three_to_five_views() -> None:
    assert len(EVERY) == 120
    for brand, item in EVERY:
        assert item["brand"] == BRANDS[brand]
        for colour in item["colorsSizesImagesJSON"]:
            assert 3 <= len(colour["xmedia"]) <= 5
            assert all(ADDRESS.fullmatch(url) for url in colour["xmedia"]), colour["xmedia"]


def test_items_have_the_format_of_the_apify_actor() -> None:
    for _, item in EVERY:
        assert list(item) == [
            "id",
            "reference",
            "brand",
            "name",
            "description",
            "price",
            "category",
            "colors",
            "sizes",
            "detailedComposition",
            "colorsSizesImagesJSON",
        ]
        assert type(item["id"]) is int
        assert re.fullmatch(r"\d{8}-V\d{4}", item["reference"])
        assert item["price"] is None or (type(item["price"]) is int and item["price"] >= 0)
        assert item["detailedComposition"]["parts"]
        for colour in item["colorsSizesImagesJSON"]:
            assert list(colour) == ["id", "name", "productId", "xmedia", "sizes"]
            assert ", ".join(size["name"] for size in colour["sizes"]) == item["sizes"]
            assert all(list(size) == ["name", "sku", "availability", "price"] for size in colour["sizes"])


def test_ids_references_and_photo_urls_are_unique() -> None:
    urls = [url for _, item in EVERY for colour in item["colorsSizesImagesJSON"] for url in colour["xmedia"]]
    assert len({item["id"] for _, item in EVERY}) == 120
    assert len({item["reference"] for _, item in EVERY}) == 120
    assert len(set(urls)) == len(urls)


def test_every_brand_has_odd_items() -> None:
    prices = [item["price"] for _, item in EVERY]
    stock = {size["availability"] for _, item in EVERY for c in item["colorsSizesImagesJSON"] for size in c["sizes"]}
    assert None in prices and 0 in prices
    assert any(len(item["colorsSizesImagesJSON"]) == 2 for _, item in EVERY)
    assert {"in_stock", "out_of_stock"} <= stock


def test_every_cut_colour_and_pattern_is_known() -> None:
    for brand in BRANDS:
        for item in catalogue.items(brand, ""):
            article = catalogue.article(brand, item["reference"][:8])
            assert article.cut in RECIPES
            assert article.pattern in PATTERNS
            assert {article.accent, *article.colours} <= set(COLOURS)


@pytest.mark.parametrize("brand", BRANDS)
def test_a_photo_is_a_complete_jpeg_of_1200_by_1800(brand: str) -> None:
    photo = photos_of(brand, catalogue.items(brand, "http://cdn.test")[3])[0]
    with Image.open(io.BytesIO(garments.draw(*photo))) as image:
        image.load()
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (1200, 1800))


def test_the_requested_width_is_used_up_to_the_native_one() -> None:
    photo = photos_of(*EVERY[0])[0]
    sizes = {width: Image.open(io.BytesIO(garments.draw(*photo, width))).size for width in (300, 1200, 1920)}
    assert sizes == {300: (300, 450), 1200: (1200, 1800), 1920: (1200, 1800)}


def test_views_colours_and_versions_of_a_product_differ() -> None:
    brand, item = next((b, i) for b, i in EVERY if len(i["colorsSizesImagesJSON"]) == 2)
    drawn = [garments.draw(*photo, 200) for photo in photos_of(brand, item)]
    drawn.append(garments.draw(*photos_of(brand, item)[0], 200, 1))
    assert len(set(drawn)) == len(drawn)


def test_products_look_different_from_each_other() -> None:
    fronts = [
        Image.open(io.BytesIO(garments.draw(*photos_of("bershka", item)[0], 100)))
        for brand, item in EVERY
        if brand == "bershka"
    ]
    for i, a in enumerate(fronts):
        for b in fronts[:i]:
            assert sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) > 8


def test_two_processes_draw_the_same_bytes() -> None:
    photos = [photos_of(*EVERY[index])[view] for index, view in ((5, 0), (25, 1), (58, 2), (96, 1))]
    here = [hashlib.sha256(garments.draw(*photo)).hexdigest() for photo in photos]
    program = (
        "import hashlib, sys\nfrom unde_catalog.sandbox.photos import garments\n"
        f"for photo in {photos!r}: print(hashlib.sha256(garments.draw(*photo)).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.split() == here


@pytest.mark.parametrize(
    "photo", [("nobrand", "01234567", "800", "p"), ("zara", "00000000", "800", "p"), ("zara", None, "999", "p")]
)
def test_a_photo_that_is_not_in_the_catalogue_is_a_lookup_error(photo: tuple) -> None:
    brand, product, colour, view = photo
    with pytest.raises(LookupError):
        garments.draw(brand, product or EVERY[0][1]["reference"][:8], colour, view)
