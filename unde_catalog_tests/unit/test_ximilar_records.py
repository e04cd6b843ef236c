"""The selection of photos for the index, and the identity of records."""

from dataclasses import replace
from decimal import Decimal

import pytest

from unde_catalog.stages.ximilar_index.records import metadata_of, record_id, select_photos, target_records
from unde_catalog.stores.staging.index.ximilar_rows import IndexedPhoto, IndexedProduct


def photos(*names: str) -> tuple[IndexedPhoto, ...]:
    return tuple(
        IndexedPhoto(n, f"https://static.zara.net/a/{name}.jpg?ts=1&w=1920", f"k/{n}", f"{n:064x}", f"https://o/{n}")
        for n, name in enumerate(names, 1)
    )


def product(*names: str, **changes: object) -> IndexedProduct:
    base = IndexedProduct(
        1, "apify_zara", "512913640", "zara", "BLAZER", "woman", Decimal("699.00"), True, "pilot", 2, photos(*names), ()
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "target", "expected"),
    [
        (("0208-p", "0208-e1", "0208-e2", "0208-a1"), 2, [1, 2]),
        (("0208-e2", "0208-e1", "0208-a1", "0208-p"), 2, [3, 2]),  # worn, then front
        (("0208-e1", "0208-p"), 2, [2, 1]),
        (("0208-e2", "0208-e3", "0208-p"), 2, [1, 2]),  # no name identifies the front
        (("x_back", "x_garment", "x_worn"), 2, [3, 2]),
        (("1", "2", "3"), 2, [1, 2]),
        (("0208-e2", "0208-e1", "0208-a1"), 3, [3, 2, 1]),
        (("0208-e2", "0208-e1", "0208-a1"), 5, [3, 2, 1]),
        (("0208-e2", "0208-e1", "0208-a1"), 1, [3]),
        (("0208-p",), 2, [1]),
        (("shop", "stage1"), 2, [1, 2]),  # the letters only count after a dash
        ((), 2, []),
        (("a", "b"), 0, []),
        (("a", "b"), -1, []),
    ],
)
def test_worn_and_front_photos_are_chosen_first(names: tuple[str, ...], target: int, expected: list[int]) -> None:
    assert [photo.n for photo in select_photos(photos(*names), target)] == expected


def test_a_product_that_left_has_no_records() -> None:
    assert len(target_records(product("a", "b"))) == 2
    for changes in ({"active": False}, {"index_scope": "off"}, {"index_scope": "pgvector"}, {"photos": ()}):
        assert target_records(product("a", "b", **changes)) == []


def test_a_record_id_follows_from_product_position_and_content() -> None:
    one, photo = product("a"), photos("a")[0]
    same = record_id(one, photo)
    assert same == record_id(product("other-address"), photos("b")[0]) == "apify_zara-512913640-1-" + "0" * 16
    others = [
        record_id(one, replace(photo, sha256="f" * 64)),
        record_id(one, replace(photo, n=2)),
        record_id(replace(one, external_id="512913641"), photo),
        record_id(replace(one, source="apify_oysho"), photo),
        record_id(replace(one, external_id="../5 1"), photo),
    ]
    assert len({same, *others}) == 6


def test_metadata_is_text_without_invented_values() -> None:
    assert metadata_of(product("a"))["price"] == "699.00"
    empty = metadata_of(product("a", name=None, category=None, price=None))
    assert (empty["name"], empty["category"], empty["price"]) == ("", "", "")
    assert all(isinstance(value, str) for value in empty.values())
