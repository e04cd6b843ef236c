"""Pauses: what they cover, what ends them, and which roles may set them."""

import pytest

from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.due_work.pauses import ALL
from unde_catalog_tests.support.due import set_now
from unde_catalog_tests.support.roles import ROLES, acting_as

COVERED = [("originals", "zara"), ("originals", "oysho"), ("collages", "zara"), ("collages", "oysho")]


def paused_pairs(db: Database) -> set[tuple[str, str]]:
    return {one for one in COVERED if db.run(pauses.paused, *one)}


@pytest.mark.parametrize(
    ("brand", "stage", "covered"),
    [
        (ALL, ALL, set(COVERED)),
        ("zara", ALL, {("originals", "zara"), ("collages", "zara")}),
        (ALL, "originals", {("originals", "zara"), ("originals", "oysho")}),
        ("zara", "originals", {("originals", "zara")}),
    ],
)
def test_a_pause_covers_its_brand_and_stage_until_it_is_resumed(
    db: Database, brand: str, stage: str, covered: set[tuple[str, str]]
) -> None:
    db.run(pauses.pause, brand, stage, "the proxy moves")
    assert paused_pairs(db) == covered
    assert db.run(pauses.resume, brand, stage) == 1
    assert paused_pairs(db) == set()
    assert db.run(pauses.resume, brand, stage) == 0


def test_resume_ends_narrower_pauses_and_no_wider_one(db: Database) -> None:
    for brand, stage in ((ALL, "collages"), ("zara", "originals"), ("zara", ALL), ("oysho", "originals")):
        db.run(pauses.pause, brand, stage, "")
    assert db.run(pauses.resume, "zara", ALL) == 2
    assert [(one.brand, one.stage) for one in db.run(pauses.all_pauses)] == [(ALL, "collages"), ("oysho", "originals")]
    assert db.run(pauses.resume, ALL, ALL) == 2


def test_the_sentence_has_the_start_the_reason_and_the_command(db: Database) -> None:
    with db.transaction() as cursor:
        set_now(cursor, "2026-03-01 15:00+03")
        pauses.pause(cursor, "zara", ALL, "the shop rebuilds its site")
    with db.transaction() as cursor:
        set_now(cursor, "2026-03-02 15:00+03")
        pauses.pause(cursor, "zara", ALL, "still at it")  # a new reason does not change the start
    sentence = "paused since 2026-03-01 12:00 UTC (still at it): unde-catalog resume --brand zara"
    assert db.run(pauses.paused, "originals", "zara") == sentence
    db.run(pauses.pause, ALL, "originals", "")
    sentence = db.run(pauses.paused, "originals", "oysho")
    assert sentence is not None and sentence.endswith(" UTC: unde-catalog resume --stage originals")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_pauses_and_only_scraper_changes_them(db: Database, role: str) -> None:
    db.run(pauses.pause, "zara", ALL, "")
    with acting_as(db, role) as cursor:
        assert pauses.paused(cursor, "originals", "zara")
    if role == "scraper":
        with acting_as(db, role) as cursor:
            assert pauses.resume(cursor, ALL, ALL) == 1
        return
    with pytest.raises(DatabaseUnavailable, match="permission denied"), acting_as(db, role) as cursor:
        pauses.resume(cursor, ALL, ALL)
