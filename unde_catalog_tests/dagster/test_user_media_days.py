"""People's photos on Dagster's desk: their days as a table, and a check that says who waits in vain."""

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
    db.run(media_requests.take, key, RequestSubject(header, 1, 67890, "avatar", None, None, photos))
    db.run(media_requests.settle, key, settled)


def test_a_materialization_shows_the_days_as_a_table_and_names_nobody(materialize: Materialize, db: Database) -> None:
    assert metadata(materialize("user_media_days", brand=None), "user_media_days") == {
        "days": "no request ended in these days"
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
    told = metadata(materialize("user_media_days", brand=None), "user_media_days")
    assert (told["batches"], told["single_photos"], told["photos_stored"], told["put_aside"]) == (1, 2, 3, 1)
    assert "| 1 | 3 | 2 | 2 | 1 | 1 | 1 | 2.6 | 4.50 | 0.25 | A 1, B 1 |" in told["days"]
    assert "67890" not in told["days"] and "avatar" not in told["days"]


def test_the_check_tells_of_what_was_put_aside_and_of_what_nobody_ends(materialize: Materialize, db: Database) -> None:
    def told() -> tuple[bool, str]:
        (found,) = materialize("user_media_days", brand=None).get_asset_check_evaluations()
        return found.passed, found.description or ""

    assert told() == (True, "every request is answered")
    db.run(media_requests.take, RequestKey("PHOTO_REQUESTS", 1, AT), RequestSubject("inf"))
    assert told()[0]
    execute(db, "UPDATE user_media_requests SET taken_at = now() - interval '2 hours'")
    ended(db, 2, "inf", 1, SettledRequest("dead", None, None, "the message is not JSON in UTF-8"))
    passed, said = told()
    assert not passed
    assert "1 requests were begun over an hour ago" in said and "because the message is not JSON" in said
