"""User media in Dagster: the days as a table, and the check that every request is answered."""

from datetime import UTC, datetime

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.user_media import media_requests
from unde_catalog.stores.staging.user_media.media_requests import RequestKey, RequestSubject, SettledRequest
from unde_catalog_tests.dagster.conftest import Materialize
from unde_catalog_tests.dagster.runs import metadata
from unde_catalog_tests.support.due import execute

AT = datetime(2026, 11, 1, tzinfo=UTC)


def ended(db: Database, sequence: int, header: str, photos: int, settled: SettledRequest) -> None:
    key = RequestKey("PHOTO_REQUESTS", sequence, AT)
    db.run(media_requests.claim, key, RequestSubject(header, 1, 67890, "avatar", None, None, photos))
    db.run(media_requests.settle, key, settled)


def test_a_materialization_shows_the_days_without_user_data(materialize: Materialize, db: Database) -> None:
    assert metadata(materialize("user_media_days", brand=None), "user_media_days") == {
        "days": "No request ended on these days."
    }
    ended(
        db,
        1,
        "train",
        3,
        SettledRequest("answered", "photo_upload_result", b"{}", None, 2, 1, 2_500_000, 4.5, {"A": 1}),
    )
    ended(db, 2, "inf", 1, SettledRequest("answered", "inference_result", b"{}", None, 1, 0, 100_000, 0.25))
    ended(db, 3, "inf", 1, SettledRequest("dead", "photo_upload_error", b"{}", "it never ended", 0, 1, 0, 0, {"B": 1}))
    shown = metadata(materialize("user_media_days", brand=None), "user_media_days")
    assert (shown["batches"], shown["single_photos"], shown["photos_stored"], shown["dead_letters"]) == (1, 2, 3, 1)
    assert "| 1 | 3 | 2 | 2 | 1 | 1 | 1 | 2.6 | 4.50 | 0.25 | A 1, B 1 |" in shown["days"]
    assert "67890" not in shown["days"] and "avatar" not in shown["days"]


def test_the_check_reports_dead_letters_and_unanswered_requests(materialize: Materialize, db: Database) -> None:
    def check() -> tuple[bool, str]:
        (found,) = materialize("user_media_days", brand=None).get_asset_check_evaluations()
        return found.passed, found.description or ""

    assert check() == (True, "Every request is answered.")
    db.run(media_requests.claim, RequestKey("PHOTO_REQUESTS", 1, AT), RequestSubject("inf"))
    assert check()[0]
    execute(db, "UPDATE user_media_requests SET taken_at = now() - interval '2 hours'")
    ended(db, 2, "inf", 1, SettledRequest("dead", None, None, "the message is not JSON in UTF-8"))
    passed, message = check()
    assert not passed
    assert (
        "1 request started more than an hour ago" in message
        and "The reason of the newest one: the message is not JSON" in message
    )
