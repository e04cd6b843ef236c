"""What becomes of stored photos when a list of photos, or what is behind an address, changes."""

import hashlib

import pytest

from unde_catalog_tests.support.due import execute, is_due
from unde_catalog_tests.support.photo_catalogue import BLACK, BLUE, BUSY, COLOURS, GONE, GREEN, RED, Catalogue, stored
from unde_catalog_tests.support.upstream import reply


def test_other_content_under_the_same_address_is_noticed_when_it_is_fetched(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    catalogue.host.answer("/b", reply(BLACK))
    before = catalogue.puts
    assert catalogue.run(force=True).done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": BLACK}
    assert catalogue.puts == before + 1, "an unchanged photo was uploaded again"
    assert is_due(catalogue.db, product, "collages")


def test_unchanged_photos_make_nothing_due(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    before = catalogue.puts
    assert catalogue.run(force=True).done == 1
    assert catalogue.asked() == ["a", "a", "b", "b"]
    assert catalogue.puts == before
    assert not is_due(catalogue.db, product, "collages")


def test_an_object_that_somebody_deleted_comes_back_when_it_is_forced(catalogue: Catalogue) -> None:
    catalogue.add("a", "b")
    catalogue.run()
    catalogue.store.delete(["originals/zara/1/2.jpg"])
    catalogue.run(force=True)
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}


def test_a_photo_that_its_address_no_longer_gives_stays_with_the_reason(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.host.answer("/b", GONE)
    assert catalogue.run(force=True).done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "stored", "http_404")]
    assert len(catalogue.product(product)["image_urls"]) == 2


def test_a_photo_that_left_the_list_leaves_the_storage_and_the_rows(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.asked()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    catalogue.now_has(product, "a", "b")
    assert catalogue.status(product) == ("pending", None)
    assert catalogue.run().done == 1
    assert catalogue.asked() == []
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == stored(1, 2)
    assert len(catalogue.product(product)["image_urls"]) == 2
    assert is_due(catalogue.db, product, "collages")


def test_when_all_photos_left_the_list_nothing_points_at_them_any_more(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.now_has(product)
    assert catalogue.run().given_up == {"no_photos": 1}
    assert catalogue.objects() == {}
    assert catalogue.rows(product) == []
    assert catalogue.product(product)["image_urls"] is None
    assert catalogue.status(product)[0] == "error"


@pytest.mark.parametrize("order", ["ba", "bca", "cab", "dbca", "edcba", "bb"])
def test_photos_that_only_changed_places_are_copied_and_not_asked_for_again(catalogue: Catalogue, order: str) -> None:
    product = catalogue.add(*"abcde")
    catalogue.run()
    catalogue.asked()
    catalogue.now_has(product, *order)
    assert catalogue.run().done == 1
    assert catalogue.asked() == []
    colours = dict(zip("abcde", COLOURS, strict=True))
    assert catalogue.objects() == {f"1/{n}": colours[name] for n, name in enumerate(order, 1)}
    assert catalogue.rows(product) == stored(*range(1, len(order) + 1))
    hashes = execute(catalogue.db, "SELECT sha256, key FROM product_photos ORDER BY n")
    assert [row["sha256"] for row in hashes] == [hashlib.sha256(colours[name]).hexdigest() for name in order]
    assert [row["key"] for row in hashes] == [f"originals/zara/1/{n}.jpg" for n in range(1, len(order) + 1)]


def test_a_moved_photo_whose_object_is_not_what_the_row_says_is_asked_for_again(catalogue: Catalogue) -> None:
    """As after a worker that was killed between storing photos in new places and writing that down."""
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.asked()
    catalogue.store.put("originals/zara/1/1.jpg", GREEN, "image/jpeg")
    catalogue.store.delete(["originals/zara/1/3.jpg"])
    catalogue.now_has(product, "c", "a", "b")
    assert catalogue.run().done == 1
    assert catalogue.asked() == ["a", "c"]
    assert catalogue.objects() == {"1/1": BLUE, "1/2": RED, "1/3": GREEN}


def test_a_former_photo_stays_while_its_successor_can_not_be_had(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.host.answer("/new", BUSY, reply(BLACK))
    catalogue.now_has(product, "a", "new")
    assert catalogue.run().later == {"http_503": 1}
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "stored", "http_503")]
    assert len(catalogue.product(product)["image_urls"]) == 2, "a URL whose object is gone was left"
    assert catalogue.again().done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": BLACK}
    assert catalogue.rows(product) == stored(1, 2)


def test_a_photo_is_not_kept_twice_when_what_takes_its_old_place_can_not_be_had(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.host.answer("/new", BUSY)
    catalogue.now_has(product, "b", "new")
    assert catalogue.run().later == {"http_503": 1}
    assert catalogue.objects() == {"1/1": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "failed", "http_503")]


def test_a_former_photo_goes_when_its_successor_is_gone_for_good(catalogue: Catalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.now_has(product, "a", "missing")
    assert catalogue.run().done == 1
    assert catalogue.objects() == {"1/1": RED}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "gone", "http_404")]
