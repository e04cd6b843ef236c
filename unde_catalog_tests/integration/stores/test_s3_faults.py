"""Faults of a bucket: temporary ones are retried, lasting ones are reported with the setting that solves them."""

import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from unde_catalog.stores.objects import s3, s3_listing
from unde_catalog.stores.objects.objects import PUT_SECONDS, ObjectStore, StorageUnavailable
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog_tests.support.s3_servers import (
    HTML_429,
    FakeS3,
    Response,
    bucket_at,
    error_response,
    fake_s3,
    running_rclone,
)

pytestmark = pytest.mark.slow

KEY = "originals/zara/495689099/1.jpg"
JPEG = "image/jpeg"


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    with fake_s3() as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits are a fortieth of their real length."""
    for name in ("TRY", "_RETRY_FOR", "_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(s3, name, getattr(s3, name) / 40)
    for name in ("TRY", "_FIRST_WAIT", "_LONGEST_WAIT"):
        monkeypatch.setattr(s3_listing, name, getattr(s3_listing, name) / 40)
    monkeypatch.setattr(s3, "_SLOT_SECONDS", s3._SLOT_SECONDS / 40)


def test_the_longest_put_is_shorter_than_a_lease():
    tries = s3._RETRY_FOR + s3._LONGEST_WAIT + s3.TRY
    assert timedelta(seconds=s3._SLOT_SECONDS) + tries < timedelta(seconds=PUT_SECONDS)


@pytest.mark.parametrize(
    "responses",
    [
        [HTML_429, HTML_429],
        [error_response(503, "SlowDown"), error_response(500, "InternalError")],
        ["drop", "drop"],
        ["hang"],
        [HTML_429, "drop", "hang"],
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_temporary_fault_is_retried(fake: FakeS3, responses: list[Response]):
    store = s3_store(bucket_at(fake.url))
    fake.responses = list(responses)
    store.put(KEY, b"x", JPEG)
    assert len(fake.requests) == len(responses) + 1
    for use in (store.get, store.head):
        fake.responses = list(responses)
        assert use(KEY)
        assert not fake.responses


FAULTS = [
    (error_response(403, "AccessDenied"), "S3_ACCESS_KEY and S3_SECRET_KEY to some that may read and write"),
    (error_response(403, "InvalidAccessKeyId"), "the store does not know the access key: set S3_ACCESS_KEY"),
    (error_response(403, "SignatureDoesNotMatch"), "set S3_SECRET_KEY"),
    (error_response(403, "RequestTimeTooSkewed"), "this machine's clock is wrong"),
    (error_response(403, "QuotaExceeded"), "the store or its quota is full"),
    (error_response(404, "NoSuchBucket"), "there is no bucket unde-images: create it, or set S3_BUCKET"),
    ((404, b"<html>nothing here</html>"), "S3_ENDPOINT"),
    (error_response(400, "AuthorizationHeaderMalformed"), "the region us-east-1 is not the bucket's: set S3_REGION"),
    (error_response(301, "PermanentRedirect"), "the bucket is elsewhere: set S3_ENDPOINT and S3_REGION"),
    (error_response(507, "InsufficientStorage"), "the store or its quota is full"),
    (HTML_429, "too many requests"),
    (error_response(503, "SlowDown"), "too many requests"),
    (error_response(500, "InternalError"), "the store itself has a fault"),
    ("drop", "the connection broke repeatedly"),
    ("hang", "no response within"),
]


@pytest.mark.parametrize(("response", "message"), FAULTS, ids=lambda value: str(value)[:40])
@pytest.mark.usefixtures("impatient")
def test_a_lasting_fault_is_reported_in_one_sentence_without_secrets(fake: FakeS3, response: Response, message: str):
    store = s3_store(bucket_at(fake.url))
    fake.responses = [response] * 100
    began = monotonic()
    with pytest.raises(StorageUnavailable, match=message) as down:
        store.put(KEY, b"x", JPEG)
    assert monotonic() - began < PUT_SECONDS / 40 + 20, "a put takes much longer than its limit"
    log = "".join(traceback.format_exception(down.value))
    assert "planted" not in log and "\n" not in str(down.value)
    assert f"{fake.url}/unde-images/" in str(down.value)


@pytest.mark.parametrize(("response", "message"), [FAULTS[0], FAULTS[5], FAULTS[10], FAULTS[13]], ids=str)
@pytest.mark.usefixtures("impatient")
def test_every_operation_reports_a_lasting_fault(fake: FakeS3, response: Response, message: str):
    store = s3_store(bucket_at(fake.url))
    uses: list[Callable[[], object]] = [
        lambda: store.get(KEY),
        lambda: store.head(KEY),
        lambda: list(store.list("originals")),
        lambda: store.delete([KEY]),
    ]
    for use in uses:
        fake.responses = [response] * 100
        with pytest.raises(StorageUnavailable, match=message):
            use()


@pytest.mark.usefixtures("impatient")
def test_a_page_of_a_listing_is_bounded_in_size_and_time(fake: FakeS3, monkeypatch: pytest.MonkeyPatch):
    store = s3_store(bucket_at(fake.url))
    fake.responses = [(200, b"<ListBucketResult>" + b" " * 20_000_000)] * 5
    with pytest.raises(StorageUnavailable, match="a page of the listing is longer than 20,000,000 bytes"):
        list(store.list("originals"))
    assert len(fake.requests) == 1
    fake.responses = []
    fake.objects["originals/a"] = b"x"
    assert [one.key for one in store.list("originals")] == ["originals/a"]
    monkeypatch.setattr(s3_listing, "_MAX_PAGE_SECONDS", 0)
    with pytest.raises(StorageUnavailable, match="a page of the listing took longer than 0 s"):
        list(store.list("originals"))


@pytest.mark.usefixtures("impatient")
def test_a_hanging_store_makes_no_caller_wait_for_ever(fake: FakeS3, monkeypatch: pytest.MonkeyPatch):
    for _ in range(s3.IN_FLIGHT):
        assert s3._slots.acquire(blocking=False)
    try:
        with pytest.raises(StorageUnavailable, match="16 requests are pending"):
            s3_store(bucket_at(fake.url)).put(KEY, b"x", JPEG)
    finally:
        for _ in range(s3.IN_FLIGHT):
            s3._slots.release()
    assert not fake.requests


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("http://127.0.0.1:1", "nothing accepts connections there"),
        ("http://nobody.internal", "no such host: set S3_ENDPOINT"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_an_endpoint_that_refuses_connections_is_reported(endpoint: str, message: str):
    with pytest.raises(StorageUnavailable, match=message):
        s3_store(bucket_at(endpoint)).put(KEY, b"x", JPEG)


@pytest.mark.usefixtures("impatient")
def test_endpoints_without_s3_or_tls_are_reported(fake: FakeS3):
    fake.responses = [(200, b"<!DOCTYPE html><html><br>welcome</html>")]
    with pytest.raises(StorageUnavailable, match="the server there is no S3 store"):
        list(s3_store(bucket_at(fake.url)).list(""))
    with pytest.raises(StorageUnavailable, match="TLS failed"):
        s3_store(bucket_at(fake.url.replace("http:", "https:"))).put(KEY, b"x", JPEG)


@pytest.fixture(scope="module")
def rclone_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_rclone(tmp_path_factory.mktemp("rclone")) as rclone:
        yield rclone.url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"access_key": "planted-other"}, "S3_ACCESS_KEY"),
        ({"secret_key": "planted-other"}, "S3_SECRET_KEY"),
        ({"bucket": "nobodys"}, "S3_BUCKET"),
    ],
)
def test_wrong_settings_are_reported_by_a_real_server(rclone_url: str, changes: dict[str, str], message: str):
    store: ObjectStore = s3_store(bucket_at(rclone_url, **changes))
    with pytest.raises(StorageUnavailable, match=message) as down:
        store.put(KEY, b"x", JPEG)
    assert "planted" not in "".join(traceback.format_exception(down.value))


@pytest.mark.usefixtures("impatient")
def test_read_only_keys_are_reported_at_the_first_write(tmp_path: Path):
    with running_rclone(tmp_path, "--read-only") as rclone:
        (tmp_path / "unde-images" / "1.jpg").write_bytes(b"x")
        store = s3_store(bucket_at(rclone.url))
        assert store.get("1.jpg") == b"x"
        with pytest.raises(StorageUnavailable, match="failed: .*500"):  # the response of rclone
            store.put("2.jpg", b"x", JPEG)
