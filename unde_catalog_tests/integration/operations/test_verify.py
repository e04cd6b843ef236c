"""`verify`: differences between objects and rows are found, and repaired by making work due again."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from unde_catalog.operations.upkeep import verify as verify_module
from unde_catalog.operations.upkeep.verify import VerifyReport, verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.collages import CollagesStage
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.photos import object_checks
from unde_catalog_tests.support.due import BRAND, LEASE, execute, is_due
from unde_catalog_tests.support.photo_catalogue import BLUE, RED, PhotoCatalogue
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.verified_catalogue import (
    COLLAGE,
    FIRST,
    JPEG,
    SECOND,
    aged,
    check,
    found,
    orphan,
    run_all,
    state,
)


@pytest.fixture
def complete(catalogue: PhotoCatalogue) -> PhotoCatalogue:
    """Three products with two photos and a collage each; the photo host's log is empty."""
    catalogue.add("a", "b", count=3)
    run_all(catalogue)
    catalogue.requested()
    return catalogue


def test_a_catalogue_without_differences_is_clean(complete: PhotoCatalogue) -> None:
    for hashes in (False, True):
        report = check(complete, hashes=hashes)
        assert (report.objects, report.wrong, report.found) == (9, 0, {})


def test_every_kind_of_difference_is_found_and_nothing_changes(
    complete: PhotoCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_module, "_PAGE", 2)
    monkeypatch.setattr(verify_module, "_PAGE_READ", 2)
    put, store = complete.store.put, complete.store
    flipped = bytearray(store.get("collages/zara/2.jpg"))
    flipped[-3] ^= 1
    put("collages/zara/2.jpg", bytes(flipped), JPEG)
    put("originals/zara/3/2.jpg", store.get("originals/zara/3/2.jpg")[:-9], JPEG)
    store.delete([FIRST, COLLAGE])
    left = orphan(complete, f"originals/zara/2/aside-{32 * 'a'}.jpg")
    gone = orphan(complete, "collages/zara/77.jpg")
    orphan(complete, "originals/zara/2/5.jpg", old=False)  # its row may not be written yet
    orphan(complete, "originals/zara/notes.jpg")  # not an object of a product
    orphan(complete, "manifests/zara/1.parquet")
    before = state(complete)
    by_size = {
        "missing originals": [FIRST], "missing collages": [COLLAGE], "wrong_size originals": ["originals/zara/3/2.jpg"],
        "orphan originals": [left], "orphan collages": [gone],
    }  # fmt: skip
    assert found(check(complete)) == by_size
    with_hashes = check(complete, hashes=True)
    assert found(with_hashes) == by_size | {"wrong_hash collages": ["collages/zara/2.jpg"]}
    assert with_hashes.wrong == with_hashes.left == 6
    assert found(check(complete, brand="oysho")) == {}
    assert state(complete) == before


def test_repair_and_a_run_restore_everything(complete: PhotoCatalogue) -> None:
    undisturbed = state(complete)
    put, store = complete.store.put, complete.store
    store.delete([FIRST, COLLAGE])
    put("originals/zara/2/1.jpg", RED[:-2] + b"??", JPEG)  # of the same size
    put("collages/zara/3.jpg", BLUE, JPEG)
    orphan(complete, "originals/zara/9/1.jpg")
    report = check(complete, hashes=True, repairs=True)
    assert report.repaired == {"missing": 2, "wrong_size": 1, "wrong_hash": 1, "orphan": 1}
    assert (report.left, report.skipped) == (0, [])
    assert not store.exists("originals/zara/9/1.jpg")
    again = check(complete, hashes=True, repairs=True)
    assert again.found == {}, "what is due already was found again"
    run_all(complete)
    assert complete.requested() == ["a", "a"]
    assert state(complete) == undisturbed
    assert check(complete, hashes=True).found == {}


def test_no_collage_is_made_while_a_photo_is_downloaded_again(complete: PhotoCatalogue) -> None:
    complete.store.delete([SECOND])
    check(complete, repairs=True)
    assert complete.status(1) == ("pending", None)
    assert is_due(complete.db, 1, "originals")
    assert not is_due(complete.db, 1, "collages")


def test_a_leased_product_is_skipped_and_named(complete: PhotoCatalogue) -> None:
    complete.store.delete([FIRST])
    before = state(complete)

    def take(activity: str, count: int) -> None:
        if activity.startswith("repairing"):
            execute(complete.db, "UPDATE due_work SET due_at = now() WHERE product_id = 1 AND stage = 'originals'")
            assert len(complete.db.run(work_queue.take, "originals", BRAND, 9, LEASE)) == 1

    report = check(complete, repairs=True, progress=take)
    assert (report.repaired, report.skipped, report.left) == ({"missing": 0}, ["zara/1"], 1)
    assert state(complete) == before
    later = check(complete, repairs=True)
    assert found(later) == {"busy originals": [FIRST]}
    assert (later.wrong, later.repaired) == (0, {})


def test_a_product_that_changed_after_the_listing_is_busy(complete: PhotoCatalogue) -> None:
    complete.store.delete([FIRST])

    def store_again(activity: str, count: int) -> None:
        if activity == "comparing":
            complete.store.put(FIRST, RED, JPEG)
            execute(complete.db, "UPDATE raw_products SET updated_at = now() WHERE id = 1")

    assert found(check(complete, repairs=True, progress=store_again)) == {"busy originals": [FIRST]}
    assert not is_due(complete.db, 1, "originals")


def test_an_object_whose_worker_died_before_its_row_is_not_an_orphan(complete: PhotoCatalogue) -> None:
    key, aside = "originals/zara/1/3.jpg", f"originals/zara/1/aside-{32 * 'b'}.jpg"
    execute(
        complete.db,
        "INSERT INTO photo_intents (product_id, n, source_url, key, sha256, width, height, bytes, fetched_at)"
        " VALUES (1, 3, 'u', %s, %s, 9, 9, 9, now())",
        key,
        64 * "b",
    )
    orphan(complete, key)
    orphan(complete, aside)
    assert found(check(complete, repairs=True)) == {}
    assert complete.store.exists(key)
    assert complete.store.exists(aside)
    execute(complete.db, "DELETE FROM photo_intents")
    assert found(check(complete)) == {"orphan originals": [key, aside]}
    execute(complete.db, "UPDATE due_work SET due_at = now() WHERE product_id = 1")
    assert found(check(complete)) == {}, "the worker that takes the product cleans up"


@pytest.mark.parametrize("meanwhile", ["a row is written", "it is stored again"])
def test_an_orphan_is_checked_again_right_before_deletion(complete: PhotoCatalogue, meanwhile: str) -> None:
    key = orphan(complete, "originals/zara/1/3.jpg")

    def interfere(activity: str, count: int) -> None:
        if activity.startswith("repairing") and meanwhile == "it is stored again":
            complete.store.put(key, BLUE, JPEG)
        elif activity.startswith("repairing"):
            execute(
                complete.db,
                "INSERT INTO product_photos (product_id, n, source_url, state, key, fetched_at)"
                " VALUES (1, 3, 'u', 'stored', %s, now())",
                key,
            )

    assert found(check(complete, repairs=True, progress=interfere)) == {"orphan originals": [key]}
    assert complete.store.exists(key)


def test_objects_of_another_system_are_unrecorded_and_not_deleted(complete: PhotoCatalogue) -> None:
    execute(complete.db, "DELETE FROM product_collages WHERE product_id = 1")
    execute(complete.db, "DELETE FROM product_photos WHERE product_id = 2")
    execute(complete.db, "DELETE FROM product_collages WHERE product_id = 2")
    execute(complete.db, "UPDATE due_work SET due_at = NULL, taken = wanted")
    for info in list(complete.store.list("")):
        aged(complete, info.key)
    report = check(complete, repairs=True)
    assert found(report) == {"unrecorded originals": ["zara/2"], "unrecorded collages": ["zara/1"]}
    assert report.left == 0
    assert check(complete).found == {}
    run_all(complete)
    assert complete.requested() == ["a", "b"]
    assert len(execute(complete.db, "SELECT 1 FROM product_collages")) == 3
    assert check(complete, hashes=True).found == {}


def test_the_next_check_clears_what_a_killed_check_left(complete: PhotoCatalogue) -> None:
    code = (
        "import os, sys; from pathlib import Path; from unde_catalog.stores.db.database import Database\n"
        "from unde_catalog.stores.objects.directory import directory_store\n"
        "from unde_catalog.operations.upkeep.verify import verify\n"
        "die = lambda activity, count: activity == 'comparing' and os.kill(os.getpid(), 9)\n"
        "verify(Database(sys.argv[1]), directory_store(Path(sys.argv[2])), progress=die)"
    )
    assert subprocess.run([sys.executable, "-c", code, complete.db.url, complete.store.where]).returncode == -9
    assert len(execute(complete.db, "SELECT 1 FROM stored_objects")) == 9
    execute(complete.db, "UPDATE object_checks SET leased_until = now()")
    assert check(complete).found == {}


@pytest.mark.parametrize("lost", ["TRUNCATE stored_objects", "DELETE FROM object_checks"])
def test_a_check_that_lost_its_listing_fails(complete: PhotoCatalogue, lost: str) -> None:
    def lose(activity: str, count: int) -> None:
        if activity == "comparing":
            execute(complete.db, lost)

    with pytest.raises(DatabaseUnavailable, match="the listing of this check is lost: the database was restarted"):
        verify(complete.db, complete.store, repairs=True, progress=lose)
    assert not is_due(complete.db, 1)


def test_the_scraper_role_may_verify_and_repair(complete: PhotoCatalogue, server: Server, database_url: str) -> None:
    complete.store.delete([FIRST, COLLAGE])
    key = orphan(complete, "originals/zara/9/1.jpg")
    with Database(url_as(server, database_url, "scraper")) as db:
        assert verify(db, complete.store, repairs=True).left == 0
    assert not complete.store.exists(key)
    run_all(complete)
    assert check(complete).found == {}


def test_two_checks_at_once_do_not_affect_each_other(complete: PhotoCatalogue) -> None:
    complete.store.delete([FIRST])
    reports: list[VerifyReport] = []

    def another(activity: str, count: int) -> None:
        if activity == "comparing":
            reports.append(verify(complete.db, complete.store))

    reports.append(check(complete, progress=another))
    assert [found(report) for report in reports] == 2 * [{"missing originals": [FIRST]}]


def test_every_lease_is_shorter_than_the_age_of_an_orphan() -> None:
    assert CollagesStage.lease < object_checks.ORPHAN_AGE
    settings = load_settings()
    longest = max(brand.product_timeout for brand in settings.brands.values())
    assert timedelta(seconds=longest + 6 * 60) < object_checks.ORPHAN_AGE


@pytest.mark.slow  # several runs of the command
def test_the_command_reports_differences_and_what_mend_would_do(
    complete: PhotoCatalogue, database_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "objects").symlink_to(complete.store.where)
    program = str(Path(sys.executable).parent / "unde-catalog")
    environment = {**os.environ, "UNDE_HOME": str(home), "STAGING_DB_URL": database_url, "COLUMNS": "200"}

    def verified(*arguments: str) -> tuple[int, str]:
        one = subprocess.run([program, "verify", *arguments], env=environment, capture_output=True, text=True)
        return one.returncode, one.stdout + one.stderr

    assert verified() == (0, "9 objects compared with their rows by size: 0 wrong.\n")
    complete.store.delete([FIRST])
    code, output = verified("--brand", "zara")
    assert code == 1
    for part in ("missing: a row without an object", "due again", FIRST, "8 objects compared", "1 wrong"):
        assert part in output
    code, as_json = verified("--json", "--hashes")
    assert code == 1
    assert json.loads(as_json)["found"] == [{"kind": "missing", "stage": "originals", "count": 1, "examples": [FIRST]}]
    code, output = verified("--mend")
    assert (code, "due again: 1" in output, "1 wrong, 0 left" in output) == (0, True, True)
    assert verified("--brand", "gap")[0] == 1
