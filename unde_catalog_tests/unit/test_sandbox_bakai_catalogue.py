"""The catalogue and photos of the sandbox's BakaiMarket, all computed."""

import io
import itertools

import pytest
from PIL import Image

from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiOverrides, product_id
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import normalise

CATALOGUE = BakaiCatalogue()


def test_forty_products_have_five_categories_or_none() -> None:
    products = list(CATALOGUE.products())
    assert len(products) == CATALOGUE.total == 40
    assert {product.category for product in products} == {"electronics", "clothing", "shoes", "bags", "home", None}
    assert {product.photos for product in products} == {1, 2, 3, 4}
    assert len({product.name for product in products}) == 40
    assert all(product.price.partition(".")[2].isdigit() for product in products)


def test_ids_and_keys_are_ascending_up_to_200_000_products() -> None:
    catalogue = BakaiCatalogue(BakaiOverrides(size=201_596, photos=1))
    ids = [product_id(number) for number in range(catalogue.total)]
    assert all(a < b for a, b in itertools.pairwise(ids))
    assert {len(str(id_)) for id_ in (ids[0], ids[-1])} == {8}
    last = catalogue.find(str(ids[-1]))
    assert last and last.number == 201_595 and last.name.endswith("no. 5040")
    assert [key for key, _, _ in catalogue.keys_after(f"products/{ids[-2]}/1.jpg")] == last.keys


def test_listing_keys_can_start_after_any_text() -> None:
    keys = [key for key, _, _ in CATALOGUE.keys_after()]
    assert keys == sorted(keys)
    texts = ["", "a", "products/", "products/1", "products/10000015", "q", *keys, *(f"{key}x" for key in keys[:9])]
    for text in texts:
        assert [key for key, _, _ in CATALOGUE.keys_after(text)] == [key for key in keys if key > text]
        assert [key for key, _, _ in CATALOGUE.keys_after(text, inclusive=True)] == [key for key in keys if key >= text]


def test_overrides_change_the_catalogue() -> None:
    gone, cheap = (str(product_id(number)) for number in (3, 4))
    overrides = BakaiOverrides(
        size=10, drop=frozenset({gone, "7"}), price={cheap: "1.00"}, categories=("a/b", None), photos=2
    )
    catalogue = BakaiCatalogue(overrides)
    assert catalogue.total == 9
    assert [product.number for product in catalogue.products(2)] == [2, 4, 5, 6, 7, 8, 9]
    assert catalogue.find(gone) is None
    assert [product.category for product in catalogue.products()][:3] == ["a/b", None, "a/b"]
    assert [product.price for product in catalogue.products() if str(product.id) == cheap] == ["1.00"]
    assert {product.photos for product in catalogue.products()} == {1, 2}


@pytest.mark.parametrize("id_", ["", "7", "10000016", "99999999", "1000001५", "-1000001", " 10000015"])
def test_an_invalid_id_is_not_found(id_: str) -> None:
    assert CATALOGUE.find(id_) is None


def test_every_photo_is_unique_and_its_size_known_without_drawing() -> None:
    overrides = BakaiOverrides(size=90, photos=2)
    products = [
        product for product in BakaiCatalogue(overrides).products() if product.number % 40 < 3
    ]  # three pictures
    drawn = {
        (product.id, n): photos.photo(product, n, overrides)
        for product in products
        for n in range(1, product.photos + 1)
    }
    assert len(set(drawn.values())) == len(drawn) >= 9
    for product in products:
        for n in range(1, product.photos + 1):
            data = drawn[product.id, n]
            assert len(data) == photos.photo_bytes(product, n, overrides)
            assert 28_000 <= len(data) < 33_000
            stored = normalise(data)
            assert not isinstance(stored, Refused) and stored.data is data, "a plain photo was converted"
            with Image.open(io.BytesIO(data)) as image:
                assert f"products/{product.id}/{n}.jpg" in image.info["comment"].decode()


def test_large_photos_have_about_600_kilobytes() -> None:
    overrides = BakaiOverrides(large=True)
    product = next(CATALOGUE.products())
    data = photos.photo(product, 1, overrides)
    assert len(data) == photos.photo_bytes(product, 1, overrides)
    assert 570_000 <= len(data) < 630_000
    assert len(photos.picture(product, 1, large=True)) > 450_000, "most of the file is padding"
    stored = normalise(data)
    assert not isinstance(stored, Refused) and stored.data is data


@pytest.mark.parametrize(
    ("position", "outcome"),
    list(enumerate(["converted", "too_small", "too_large", "truncated", "converted", "as it is"])),
)
def test_some_photos_are_odd_on_request(position: int, outcome: str) -> None:
    overrides = BakaiOverrides(size=9, odd=9)
    product = next(BakaiCatalogue(overrides).products(position))
    data = photos.photo(product, 1, overrides)
    assert len(data) == photos.photo_bytes(product, 1, overrides)
    assert photos.etag(product, 1, overrides) != photos.etag(product, 1, BakaiOverrides()) or outcome == "as it is"
    stored = normalise(data)
    if isinstance(stored, Refused):
        assert stored.reason == outcome
    else:
        assert stored.converted == (outcome == "converted")
    assert photos.kind_of(product, 2, overrides.odd) == "plain"


def test_odd_photos_are_unique_too() -> None:
    overrides = BakaiOverrides(size=90, odd=40)
    for position in range(5):
        a, b = (next(BakaiCatalogue(overrides).products(position + offset)) for offset in (0, 40))
        assert a.name in b.name
        assert photos.photo(a, 1, overrides) != photos.photo(b, 1, overrides)
