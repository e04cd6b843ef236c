"""A worker dies between an object and its row: the next one finishes, without downloading a photo twice."""

import asyncio
import contextlib
from asyncio import StreamWriter
from collections.abc import Callable

import pytest

from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.photo_catalogue import BLUE, COLOURS, GREEN, RED, PhotoCatalogue, stored
from unde_catalog_tests.support.upstream import reply

NAMES = dict(zip("abcde", COLOURS, strict=True))


class Died(BaseException):
    """The worker dies."""


@pytest.fixture
def dies(catalogue: PhotoCatalogue) -> Callable[[str, int], None]:
    """Run a worker that dies `before` or `after` its n-th change of the store, before it writes an outcome."""

    def run(when: str, number: int) -> None:
        put, delete, changes = catalogue.store.put, catalogue.store.delete, 0

        def dying(change: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: object) -> None:
                nonlocal changes
                changes += 1
                if changes > number or (when == "before" and changes == number):
                    raise Died
                change(*arguments)
                if changes == number:
                    raise Died

            return call

        catalogue.store.put, catalogue.store.delete = dying(put), dying(delete)  # type: ignore[method-assign]
        try:
            with pytest.raises(Died):
                catalogue.run()
        finally:
            catalogue.store.put, catalogue.store.delete = put, delete  # type: ignore[method-assign]

    return run


def intents(catalogue: PhotoCatalogue) -> list[int]:
    return [row["n"] for row in execute(catalogue.db, "SELECT n FROM photo_intents ORDER BY n")]


def test_a_stored_photo_is_not_downloaded_again(catalogue: PhotoCatalogue, dies: Callable[..., None]) -> None:
    product = catalogue.add("a")
    dies("after", 1)
    assert catalogue.requested() == ["a"] and catalogue.rows(product) == [] and intents(catalogue) == [1]
    assert catalogue.run().done == 1
    assert catalogue.requested() == []
    assert catalogue.objects() == {"1/1": RED} and catalogue.rows(product) == stored(1)
    assert catalogue.status(product) == ("uploaded", None) and intents(catalogue) == []


def test_a_photo_with_only_an_intent_is_downloaded_again(catalogue: PhotoCatalogue, dies: Callable[..., None]) -> None:
    product = catalogue.add("a")
    dies("before", 1)
    assert intents(catalogue) == [1]
    assert catalogue.run().done == 1
    assert catalogue.requested() == ["a", "a"]
    assert catalogue.objects() == {"1/1": RED} and catalogue.rows(product) == stored(1)


def test_other_content_under_a_key_is_not_taken_for_the_rows_photo(
    catalogue: PhotoCatalogue, dies: Callable[..., None]
) -> None:
    product = catalogue.add("a")
    catalogue.run()
    catalogue.set_photos(product, "b")
    dies("after", 1)
    assert catalogue.objects() == {"1/1": GREEN}
    catalogue.set_photos(product, "a")  # the list changes back before the next run
    catalogue.requested()
    assert catalogue.run().done == 1
    assert catalogue.requested() == ["a"]
    assert catalogue.objects() == {"1/1": RED} and catalogue.rows(product) == stored(1)


def test_a_deleted_photo_is_not_taken_for_a_stored_one(catalogue: PhotoCatalogue, dies: Callable[..., None]) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.set_photos(product, "a")
    dies("after", 1)
    assert catalogue.objects() == {"1/1": RED} and catalogue.rows(product) == stored(1, 2)
    catalogue.set_photos(product, "a", "b")
    catalogue.requested()
    assert catalogue.run().done == 1
    assert catalogue.requested() == ["b"]
    assert catalogue.objects() == {"1/1": RED, "1/2": GREEN} and catalogue.rows(product) == stored(1, 2)


def test_forced_photos_have_the_current_content_of_their_urls(
    catalogue: PhotoCatalogue, dies: Callable[..., None]
) -> None:
    product = catalogue.add("a")
    catalogue.run()
    catalogue.host.respond("/a", reply(BLUE))
    execute(catalogue.db, "UPDATE due_work SET due_at = unde_now(), wanted = wanted + 1, forced_at = unde_now()")
    dies("after", 1)
    catalogue.requested()
    assert catalogue.run().done == 1
    assert catalogue.requested() == []
    assert catalogue.objects() == {"1/1": BLUE} and catalogue.rows(product) == stored(1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("order", ["ba", "bca", "badce", "edcba", "bcdea", "eabcd", "bb", "cadb"])
def test_photos_that_swap_places_survive_a_kill_at_every_step(
    catalogue: PhotoCatalogue, dies: Callable[..., None], order: str, when: str
) -> None:
    product = catalogue.add(*"abcde")
    catalogue.run()
    catalogue.requested()
    catalogue.set_photos(product, *order)
    number = 0
    while True:  # each worker gets one step further than the one before
        number += 1
        try:
            dies(when, number)
        except pytest.fail.Exception:  # the worker survived
            break
    assert number > 1
    assert catalogue.requested() == []
    assert catalogue.objects() == {f"1/{n}": NAMES[name] for n, name in enumerate(order, 1)}
    assert catalogue.rows(product) == stored(*range(1, len(order) + 1)) and intents(catalogue) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_lists_that_change_after_each_kill_end_correct(
    catalogue: PhotoCatalogue, dies: Callable[..., None], number: int
) -> None:
    product = catalogue.add(*"abcde")
    catalogue.run()
    catalogue.requested()
    for order in ("edcba", "badce", "abcde", "bcdea"):
        catalogue.set_photos(product, *order)
        with contextlib.suppress(pytest.fail.Exception):  # a list that needs fewer changes: the worker survives
            dies("after", number)
    catalogue.set_photos(product, *"cba")
    assert catalogue.run().done == 1
    assert catalogue.requested() == []
    assert catalogue.objects() == {"1/1": BLUE, "1/2": GREEN, "1/3": RED}
    assert catalogue.rows(product) == stored(1, 2, 3)


def test_a_moved_copy_is_found_even_if_its_intent_was_overwritten(
    catalogue: PhotoCatalogue, dies: Callable[..., None]
) -> None:
    product = catalogue.add("a", "b")
    catalogue.run()
    catalogue.set_photos(product, "b", "a")
    dies("after", 2)  # one is only under its aside key
    assert len(catalogue.objects()) == 3
    catalogue.set_photos(product, "c", "d")
    dies("after", 2)
    catalogue.requested()
    catalogue.set_photos(product, "b", "a")
    assert catalogue.run().done == 1
    assert len(catalogue.requested()) < 2, "a photo under an aside key was downloaded again"
    assert catalogue.objects() == {"1/1": GREEN, "1/2": RED} and catalogue.rows(product) == stored(1, 2)


def test_a_worker_that_lost_its_lease_stores_nothing(catalogue: PhotoCatalogue) -> None:
    product = catalogue.add("a")

    async def respond(writer: StreamWriter) -> None:
        query = "UPDATE due_work SET lease_token = 'another' WHERE product_id = %s"
        await asyncio.to_thread(execute, catalogue.db, query, product)
        writer.write(reply(RED))

    catalogue.host.respond("/a", respond)
    report = catalogue.run()
    assert (report.done, report.superseded) == (0, 1)
    assert catalogue.objects() == {} and intents(catalogue) == []
