"""`verify`: what differs between objects and rows is found, and mended so that the stages put it right."""

import json
import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.operations.upkeep import verify as verify_module
from unde_catalog.operations.upkeep.verify import VerifyReport, verify
from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.photos.collages import CollagesStage
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.photos import object_checks
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import BRAND, LEASE, execute, is_due
from unde_catalog_tests.support.photo_catalogue import BLUE, RED, Catalogue
from unde_catalog_tests.support.roles import url_as
from unde_catalog_tests.support.servers import Server

JPEG = "image/jpeg"
FIRST, SECOND, COLLAGE = "originals/zara/1/1.jpg", "originals/zara/1/2.jpg", "collages/zara/1.jpg"


@pytest.fixture
def glued(catalogue: Catalogue) -> Catalogue:
    """Three products of two photos, with their collages; the host's log is empty."""
    catalogue.add("a", "b", count=3)
    run_all(catalogue)
    catalogue.asked()
    return catalogue


def run_all(catalogue: Catalogue) -> None:
    catalogue.run()
    stage = CollagesStage(load_settings(), catalogue.store)
    run_worker(stage, catalogue.db, BRAND, RunOptions(), logging.getLogger("test"))


def check(catalogue: Catalogue, **options: Any) -> VerifyReport:
    report = verify(catalogue.db, catalogue.store, **options)
    for table in ("object_checks", "stored_objects", "object_findings"):
        assert execute(catalogue.db, f"SELECT 1 FROM {table}") == [], f"{table} was not cleared"
    return report


def found(report: VerifyReport) -> dict[str, list[str]]:
    """The examples by `kind stage`; all of them, as there are few."""
    assert {one: len(examples) for one, examples in report.examples.items()} == report.found
    return {f"{kind} {stage}": sorted(examples) for (kind, stage), examples in report.examples.items()}


def aged(catalogue: Catalogue, key: str) -> str:
    """The object is two hours old."""
    path = Path(catalogue.store.where) / key
    earlier = path.stat().st_mtime - 7200
    os.utime(path, (earlier, earlier))
    return key


def orphan(catalogue: Catalogue, key: str, *, old: bool = True) -> str:
    catalogue.store.put(key, RED, JPEG)
    return aged(catalogue, key) if old else key


def state(catalogue: Catalogue) -> dict[str, Any]:
    """Rows without times, and objects."""
    products = "SELECT id, image_status, image_urls, collage_url, error_message FROM raw_products ORDER BY id"
    photos = "SELECT product_id, n, source_url, state, reason, key, sha256, bytes FROM product_photos ORDER BY 1, 2"
    collages = "SELECT product_id, key, sha256, bytes FROM product_collages ORDER BY 1"
    objects = {info.key: catalogue.store.get(info.key) for info in catalogue.store.list("")}
    return {"objects": objects, **{query: execute(catalogue.db, query) for query in (products, photos, collages)}}


def test_a_catalogue_as_its_stages_left_it_is_clean(glued: Catalogue) -> None:
    for hashes in (False, True):
        report = check(glued, hashes=hashes)
        assert (report.objects, report.wrong, report.found) == (9, 0, {})


def test_every_kind_of_difference_is_named_and_nothing_is_touched(
    glued: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_module, "_PAGE", 2)
    monkeypatch.setattr(verify_module, "_PAGE_READ", 2)
    put, store = glued.store.put, glued.store
    flipped = bytearray(store.get("collages/zara/2.jpg"))
    flipped[-3] ^= 1
    put("collages/zara/2.jpg", bytes(flipped), JPEG)
    put("originals/zara/3/2.jpg", store.get("originals/zara/3/2.jpg")[:-9], JPEG)
    store.delete([FIRST, COLLAGE])
    left = orphan(glued, f"originals/zara/2/aside-{32 * 'a'}.jpg")
    gone = orphan(glued, "collages/zara/77.jpg")
    orphan(glued, "originals/zara/2/5.jpg", old=False)  # its row may be about to come
    orphan(glued, "originals/zara/notes.jpg")  # not ours
    orphan(glued, "manifests/zara/1.parquet")
    before = state(glued)
    by_size = {
        "missing originals": [FIRST], "missing collages": [COLLAGE], "wrong_size originals": ["originals/zara/3/2.jpg"],
        "orphan originals": [left], "orphan collages": [gone],
    }  # fmt: skip
    assert found(check(glued)) == by_size
    with_hashes = check(glued, hashes=True)
    assert found(with_hashes) == by_size | {"wrong_hash collages": ["collages/zara/2.jpg"]}
    assert with_hashes.wrong == with_hashes.left == 6
    assert found(check(glued, brand="oysho")) == {}
    assert state(glued) == before


def test_mended_and_run_again_everything_is_as_it_was(glued: Catalogue) -> None:
    undisturbed = state(glued)
    put, store = glued.store.put, glued.store
    store.delete([FIRST, COLLAGE])
    put("originals/zara/2/1.jpg", RED[:-2] + b"??", JPEG)  # of the same size
    put("collages/zara/3.jpg", BLUE, JPEG)
    orphan(glued, "originals/zara/9/1.jpg")
    report = check(glued, hashes=True, mend=True)
    assert report.mended == {"missing": 2, "wrong_size": 1, "wrong_hash": 1, "orphan": 1}
    assert (report.left, report.skipped) == (0, [])
    assert not store.exists("originals/zara/9/1.jpg")
    again = check(glued, hashes=True, mend=True)
    assert again.found == {}, "what is due already was found once more"
    run_all(glued)
    assert glued.asked() == ["a", "a"]
    assert state(glued) == undisturbed
    assert check(glued, hashes=True).found == {}


def test_while_a_photo_is_fetched_again_no_collage_is_made_of_the_rest(glued: Catalogue) -> None:
    glued.store.delete([SECOND])
    check(glued, mend=True)
    assert glued.status(1) == ("pending", None)
    assert is_due(glued.db, 1, "originals")
    assert not is_due(glued.db, 1, "collages")


def test_a_product_in_hand_is_left_alone_and_named(glued: Catalogue) -> None:
    glued.store.delete([FIRST])
    before = state(glued)

    def take(doing: str, count: int) -> None:
        if doing.startswith("mending"):
            execute(glued.db, "UPDATE due_work SET due_at = now() WHERE product_id = 1 AND stage = 'originals'")
            assert len(glued.db.run(work_queue.take, "originals", BRAND, 9, LEASE)) == 1

    report = check(glued, mend=True, tell=take)
    assert (report.mended, report.skipped, report.left) == ({"missing": 0}, ["zara/1"], 1)
    assert state(glued) == before
    later = check(glued, mend=True)
    assert found(later) == {"busy originals": [FIRST]}
    assert (later.wrong, later.mended) == (0, {})


def test_what_a_worker_did_since_the_listing_is_not_judged_by_it(glued: Catalogue) -> None:
    glued.store.delete([FIRST])

    def store_again(doing: str, count: int) -> None:
        if doing == "comparing":
            glued.store.put(FIRST, RED, JPEG)
            execute(glued.db, "UPDATE raw_products SET updated_at = now() WHERE id = 1")

    assert found(check(glued, mend=True, tell=store_again)) == {"busy originals": [FIRST]}
    assert not is_due(glued.db, 1, "originals")


def test_an_object_whose_worker_died_before_its_row_is_no_orphan(glued: Catalogue) -> None:
    key, aside = "originals/zara/1/3.jpg", f"originals/zara/1/aside-{32 * 'b'}.jpg"
    execute(
        glued.db,
        "INSERT INTO photo_intents (product_id, n, source_url, key, sha256, width, height, bytes, fetched_at)"
        " VALUES (1, 3, 'u', %s, %s, 9, 9, 9, now())",
        key,
        64 * "b",
    )
    orphan(glued, key)
    orphan(glued, aside)
    assert found(check(glued, mend=True)) == {}
    assert glued.store.exists(key)
    assert glued.store.exists(aside)
    execute(glued.db, "DELETE FROM photo_intents")
    assert found(check(glued)) == {"orphan originals": [key, aside]}
    execute(glued.db, "UPDATE due_work SET due_at = now() WHERE product_id = 1")
    assert found(check(glued)) == {}, "a product that is due will be looked at by its worker"


@pytest.mark.parametrize("meanwhile", ["a row comes", "it is stored anew"])
def test_an_orphan_is_looked_at_again_right_before_it_is_deleted(glued: Catalogue, meanwhile: str) -> None:
    key = orphan(glued, "originals/zara/1/3.jpg")

    def interfere(doing: str, count: int) -> None:
        if doing.startswith("mending") and meanwhile == "it is stored anew":
            glued.store.put(key, BLUE, JPEG)
        elif doing.startswith("mending"):
            execute(
                glued.db,
                "INSERT INTO product_photos (product_id, n, source_url, state, key, fetched_at)"
                " VALUES (1, 3, 'u', 'stored', %s, now())",
                key,
            )

    assert found(check(glued, mend=True, tell=interfere)) == {"orphan originals": [key]}
    assert glued.store.exists(key)


def test_what_another_system_stored_is_unrecorded_and_not_thrown_away(glued: Catalogue) -> None:
    execute(glued.db, "DELETE FROM product_collages WHERE product_id = 1")
    execute(glued.db, "DELETE FROM product_photos WHERE product_id = 2")
    execute(glued.db, "DELETE FROM product_collages WHERE product_id = 2")
    execute(glued.db, "UPDATE due_work SET due_at = NULL, taken = wanted")
    for info in list(glued.store.list("")):
        aged(glued, info.key)
    report = check(glued, mend=True)
    assert found(report) == {"unrecorded originals": ["zara/2"], "unrecorded collages": ["zara/1"]}
    assert report.left == 0
    assert check(glued).found == {}
    run_all(glued)
    assert glued.asked() == ["a", "b"]
    assert len(execute(glued.db, "SELECT 1 FROM product_collages")) == 3
    assert check(glued, hashes=True).found == {}


def test_what_a_killed_check_left_is_cleared_away_by_the_next_one(glued: Catalogue) -> None:
    code = (
        "import os, sys; from pathlib import Path; from unde_catalog.stores.db.database import Database\n"
        "from unde_catalog.stores.objects.directory import directory_store\n"
        "from unde_catalog.operations.upkeep.verify import verify\n"
        "die = lambda doing, count: doing == 'comparing' and os.kill(os.getpid(), 9)\n"
        "verify(Database(sys.argv[1]), directory_store(Path(sys.argv[2])), tell=die)"
    )
    assert subprocess.run([sys.executable, "-c", code, glued.db.url, glued.store.where]).returncode == -9
    assert len(execute(glued.db, "SELECT 1 FROM stored_objects")) == 9
    execute(glued.db, "UPDATE object_checks SET leased_until = now()")
    assert check(glued).found == {}


@pytest.mark.parametrize("lost", ["TRUNCATE stored_objects", "DELETE FROM object_checks"])
def test_a_check_that_lost_its_listing_says_so_instead_of_finding_everything_missing(
    glued: Catalogue, lost: str
) -> None:
    def lose(doing: str, count: int) -> None:
        if doing == "comparing":
            execute(glued.db, lost)

    with pytest.raises(DatabaseUnavailable, match="what this check had listed is gone: the database was restarted"):
        verify(glued.db, glued.store, mend=True, tell=lose)
    assert not is_due(glued.db, 1)


def test_the_role_for_everything_is_enough(glued: Catalogue, server: Server, database_url: str) -> None:
    glued.store.delete([FIRST, COLLAGE])
    key = orphan(glued, "originals/zara/9/1.jpg")
    with Database(url_as(server, database_url, "scraper")) as db:
        assert verify(db, glued.store, mend=True).left == 0
    assert not glued.store.exists(key)
    run_all(glued)
    assert check(glued).found == {}


def test_two_checks_at_once_see_each_their_own(glued: Catalogue) -> None:
    glued.store.delete([FIRST])
    reports: list[VerifyReport] = []

    def another(doing: str, count: int) -> None:
        if doing == "comparing":
            reports.append(verify(glued.db, glued.store))

    reports.append(check(glued, tell=another))
    assert [found(report) for report in reports] == 2 * [{"missing originals": [FIRST]}]


def test_a_lease_outlasts_the_age_of_an_orphan_nowhere() -> None:
    assert CollagesStage.lease < object_checks.ORPHAN_AGE
    settings = load_settings()
    longest = max(brand.product_timeout for brand in settings.brands.values())
    assert timedelta(seconds=longest + 6 * 60) < object_checks.ORPHAN_AGE


def test_the_command_says_what_is_wrong_and_what_mending_would_do(
    glued: Catalogue, database_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "objects").symlink_to(glued.store.where)
    program = str(Path(sys.executable).parent / "unde-catalog")
    environment = {**os.environ, "UNDE_HOME": str(home), "STAGING_DB_URL": database_url, "COLUMNS": "200"}

    def done(*arguments: str) -> tuple[int, str]:
        one = subprocess.run([program, "verify", *arguments], env=environment, capture_output=True, text=True)
        return one.returncode, one.stdout + one.stderr

    assert done() == (0, "9 objects compared with their rows by size: 0 wrong.\n")
    glued.store.delete([FIRST])
    code, told = done("--brand", "zara")
    assert code == 1
    for part in ("missing: a row, and no object", "due again", FIRST, "8 objects compared", "1 wrong"):
        assert part in told
    code, as_json = done("--json", "--hashes")
    assert code == 1
    assert json.loads(as_json)["found"] == [{"kind": "missing", "stage": "originals", "count": 1, "examples": [FIRST]}]
    code, told = done("--mend")
    assert (code, "due again: 1" in told, "1 wrong, 0 left" in told) == (0, True, True)
    assert done("--brand", "gap")[0] == 1
