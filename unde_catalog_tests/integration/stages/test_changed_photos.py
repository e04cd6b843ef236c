"""Stored photos when a product's photo list or the content of a URL changes."""

import hashlib

import pytest

from unde_catalog_tests.support.due import execute, is_due
from unde_catalog_tests.support.photo_catalogue import (
    BLACK,
    BLUE,
    BUSY,
    COLOURS,
    GONE,
    GREEN,
    RED,
    PhotoCatalogue,
    stored,
)
from unde_catalog_tests.support.upstream import reply


def test_changed_content_of_a_url_is_detected_on_download(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    catalogue.host.respond("/b", reply(BLACK))
    before = catalogue.puts
    assert catalogue.run(force=True).done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": BLACK}
    assert catalogue.puts == before + 1, "an unchanged photo was uploaded again"
    assert is_due(catalogue.db, product, "collages")


def test_unchanged_photos_make_nothing_due(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    before = catalogue.puts
    assert catalogue.run(force=True).done == 1
    assert catalogue.requested() == ["a", "a", "b", "b"]
    assert catalogue.puts == before
    assert not is_due(catalogue.db, product, "collages")


def test_a_deleted_object_is_restored_by_force(catalogue: PhotoCatalogue) -> None:
    catalogue.add("a", "b")
    catalogue.run()
    catalogue.store.delete(["originals/zara/1/2.jpg"])
    catalogue.run(force=True)
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}


def test_a_photo_whose_url_is_gone_is_kept_with_the_reason(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.host.respond("/b", GONE)
    assert catalogue.run(force=True).done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "stored", "http_404")]
    assert len(catalogue.product(product)["image_urls"]) == 2


def test_a_photo_removed_from_the_list_is_deleted(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.requested()
    execute(catalogue.db, "UPDATE due_work SET due_at = NULL, done_at = unde_now() WHERE stage = 'collages'")
    catalogue.set_photos(product, "a", "b")
    assert catalogue.status(product) == ("pending", None)
    assert catalogue.run().done == 1
    assert catalogue.requested() == []
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == stored(1, 2)
    assert len(catalogue.product(product)["image_urls"]) == 2
    assert is_due(catalogue.db, product, "collages")


def test_a_product_whose_photos_were_all_removed_has_no_references(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.set_photos(product)
    assert catalogue.run().given_up == {"no_photos": 1}
    assert catalogue.objects() == {}
    assert catalogue.rows(product) == []
    assert catalogue.product(product)["image_urls"] is None
    assert catalogue.status(product)[0] == "error"


@pytest.mark.parametrize("order", ["ba", "bca", "cab", "dbca", "edcba", "bb"])
def test_photos_that_only_moved_are_copied_instead_of_downloaded(catalogue: PhotoCatalogue, order: str) -> None:
    product = catalogue.add(*"abcde")
    catalogue.run()
    catalogue.requested()
    catalogue.set_photos(product, *order)
    assert catalogue.run().done == 1
    assert catalogue.requested() == []
    colours = dict(zip("abcde", COLOURS, strict=True))
    assert catalogue.objects() == {f"1/{n}": colours[name] for n, name in enumerate(order, 1)}
    assert catalogue.rows(product) == stored(*range(1, len(order) + 1))
    hashes = execute(catalogue.db, "SELECT sha256, key FROM product_photos ORDER BY n")
    assert [row["sha256"] for row in hashes] == [hashlib.sha256(colours[name]).hexdigest() for name in order]
    assert [row["key"] for row in hashes] == [f"originals/zara/1/{n}.jpg" for n in range(1, len(order) + 1)]


def test_a_moved_photo_with_a_wrong_object_is_downloaded_again(catalogue: PhotoCatalogue) -> None:
    """As after a worker that was killed between storing moved photos and recording them."""
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.requested()
    catalogue.store.put("originals/zara/1/1.jpg", GREEN, "image/jpeg")
    catalogue.store.delete(["originals/zara/1/3.jpg"])
    catalogue.set_photos(product, "c", "a", "b")
    assert catalogue.run().done == 1
    assert catalogue.requested() == ["a", "c"]
    assert catalogue.objects() == {"1/1": BLUE, "1/2": RED, "1/3": GREEN}


def test_an_old_photo_is_kept_while_its_successor_is_unavailable(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b", "c")
    catalogue.run()
    catalogue.host.respond("/new", BUSY, reply(BLACK))
    catalogue.set_photos(product, "a", "new")
    assert catalogue.run().later == {"http_503": 1}
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "stored", "http_503")]
    assert len(catalogue.product(product)["image_urls"]) == 2, "the URL of a deleted object was kept"
    assert catalogue.retry().done == 1
    assert catalogue.objects() == {"1/1": RED, "1/2": BLACK}
    assert catalogue.rows(product) == stored(1, 2)


def test_a_moved_photo_is_not_kept_at_its_old_position(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.host.respond("/new", BUSY)
    catalogue.set_photos(product, "b", "new")
    assert catalogue.run().later == {"http_503": 1}
    assert catalogue.objects() == {"1/1": GREEN}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "failed", "http_503")]


def test_an_old_photo_is_deleted_when_its_successor_is_gone_for_good(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.host.respond("/missing", reply(b"", "410 Gone"))
    catalogue.set_photos(product, "a", "missing")
    assert catalogue.run().done == 1
    assert catalogue.objects() == {"1/1": RED}
    assert catalogue.rows(product) == [(1, "stored", None), (2, "gone", "http_410")]
