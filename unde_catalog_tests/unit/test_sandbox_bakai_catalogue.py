"""What the sandbox's BakaiMarket sells, and its photos: all computed, none remembered."""

import io
import itertools

import pytest
from PIL import Image

from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiOverrides, product_id
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import normalise

SHELF = BakaiCatalogue()


def test_forty_products_have_five_categories_or_none() -> None:
    goods = list(SHELF.products())
    assert len(goods) == SHELF.total == 40
    assert {good.category for good in goods} == {"electronics", "clothing", "shoes", "bags", "home", None}
    assert {good.photos for good in goods} == {1, 2, 3, 4}
    assert len({good.name for good in goods}) == 40
    assert all(good.price.partition(".")[2].isdigit() for good in goods)


def test_ids_and_keys_are_ascending_up_to_200_000_products() -> None:
    shelf = BakaiCatalogue(BakaiOverrides(size=201_596, photos=1))
    ids = [product_id(number) for number in range(shelf.total)]
    assert all(a < b for a, b in itertools.pairwise(ids))
    assert {len(str(id_)) for id_ in (ids[0], ids[-1])} == {8}
    last = shelf.find(str(ids[-1]))
    assert last and last.number == 201_595 and last.name.endswith("no. 5040")
    assert [key for key, _, _ in shelf.keys_after(f"products/{ids[-2]}/1.jpg")] == last.keys


def test_listing_keys_can_start_after_any_text() -> None:
    keys = [key for key, _, _ in SHELF.keys_after()]
    assert keys == sorted(keys)
    texts = ["", "a", "products/", "products/1", "products/10000015", "q", *keys, *(f"{key}x" for key in keys[:9])]
    for text in texts:
        assert [key for key, _, _ in SHELF.keys_after(text)] == [key for key in keys if key > text]
        assert [key for key, _, _ in SHELF.keys_after(text, inclusive=True)] == [key for key in keys if key >= text]


def test_overrides_change_the_catalogue() -> None:
    gone, cheap = (str(product_id(number)) for number in (3, 4))
    overrides = BakaiOverrides(
        size=10, drop=frozenset({gone, "7"}), price={cheap: "1.00"}, categories=("a/b", None), photos=2
    )
    shelf = BakaiCatalogue(overrides)
    assert shelf.total == 9
    assert [good.number for good in shelf.products(2)] == [2, 4, 5, 6, 7, 8, 9]
    assert shelf.find(gone) is None
    assert [good.category for good in shelf.products()][:3] == ["a/b", None, "a/b"]
    assert [good.price for good in shelf.products() if str(good.id) == cheap] == ["1.00"]
    assert {good.photos for good in shelf.products()} == {1, 2}


@pytest.mark.parametrize("id_", ["", "7", "10000016", "99999999", "1000001५", "-1000001", " 10000015"])
def test_an_invalid_id_is_not_found(id_: str) -> None:
    assert SHELF.find(id_) is None


def test_every_photo_is_unique_and_its_size_known_without_drawing() -> None:
    few = BakaiOverrides(size=90, photos=2)
    goods = [good for good in BakaiCatalogue(few).products() if good.number % 40 < 3]  # three pictures, each drawn once
    made = {(good.id, n): photos.photo(good, n, few) for good in goods for n in range(1, good.photos + 1)}
    assert len(set(made.values())) == len(made) >= 9
    for good in goods:
        for n in range(1, good.photos + 1):
            data = made[good.id, n]
            assert len(data) == photos.photo_bytes(good, n, few)
            assert 28_000 <= len(data) < 33_000
            stored = normalise(data)
            assert not isinstance(stored, Refused) and stored.data is data, "a plain photo stays byte for byte"
            with Image.open(io.BytesIO(data)) as image:
                assert f"products/{good.id}/{n}.jpg" in image.info["comment"].decode()


def test_large_photos_have_about_600_kilobytes() -> None:
    terms = BakaiOverrides(large=True)
    good = next(SHELF.products())
    data = photos.photo(good, 1, terms)
    assert len(data) == photos.photo_bytes(good, 1, terms)
    assert 570_000 <= len(data) < 630_000
    assert len(photos.picture(good, 1, large=True)) > 450_000, "most of it is picture"
    stored = normalise(data)
    assert not isinstance(stored, Refused) and stored.data is data


@pytest.mark.parametrize(
    ("place", "outcome"),
    list(enumerate(["converted", "too_small", "too_large", "truncated", "converted", "as it is"])),
)
def test_some_photos_are_odd_on_request(place: int, outcome: str) -> None:
    terms = BakaiOverrides(size=9, odd=9)
    good = next(BakaiCatalogue(terms).products(place))
    data = photos.photo(good, 1, terms)
    assert len(data) == photos.photo_bytes(good, 1, terms)
    assert photos.etag(good, 1, terms) != photos.etag(good, 1, BakaiOverrides()) or outcome == "as it is"
    stored = normalise(data)
    if isinstance(stored, Refused):
        assert stored.reason == outcome
    else:
        assert stored.converted == (outcome == "converted")
    assert photos.kind_of(good, 2, terms.odd) == "plain"


def test_odd_photos_are_unique_too() -> None:
    terms = BakaiOverrides(size=90, odd=40)
    for place in range(5):
        a, b = (next(BakaiCatalogue(terms).products(place + round_)) for round_ in (0, 40))
        assert a.name in b.name
        assert photos.photo(a, 1, terms) != photos.photo(b, 1, terms)
