"""What only a bucket does: its requests, its public URLs, its settings."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import Settings, SettingsError, load_settings
from unde_catalog.stores.objects.directory import DirectoryStore
from unde_catalog.stores.objects.objects import ObjectMissing, StorageUnavailable
from unde_catalog.stores.objects.s3 import IN_FLIGHT, s3_store
from unde_catalog_tests.support.s3_servers import (
    BUCKET,
    FakeS3,
    bucket_at,
    fake_s3,
    running_moto,
    running_rclone,
    s3_environment,
)

KEY = "originals/zara/495689099/1.jpg"
JPEG = "image/jpeg"
BIG = b"x" * 12_000_000  # above obstore's threshold for multipart uploads
HETZNER = "https://hel1.your-objectstorage.com"


@pytest.fixture
def fake() -> Iterator[FakeS3]:
    with fake_s3() as running:
        yield running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_put_is_one_request_with_type_and_cache_control(fake: FakeS3):
    store = s3_store(bucket_at(fake.url))
    for data in (b"small", BIG):
        fake.requests.clear()
        store.put(KEY, data, JPEG)
        (request,) = fake.requests
        assert (request.method, request.path, request.size) == ("PUT", f"/unde-images/{KEY}", len(data))
        assert request.headers["content-type"] == JPEG and request.headers["cache-control"] == "max-age=300"
        assert "/us-east-1/s3/aws4_request" in request.headers["authorization"]
        amazon = {name for name in request.headers if name.startswith("x-amz-")}
        assert amazon == {"x-amz-date", "x-amz-content-sha256"} and "if-none-match" not in request.headers
    assert fake.objects[KEY] == BIG


def test_objects_are_deleted_one_by_one_without_checksums(fake: FakeS3):
    s3_store(bucket_at(fake.url)).delete(["a/1", "a/2"])
    assert [(request.method, request.path) for request in fake.requests] == [
        ("DELETE", "/unde-images/a/1"),
        ("DELETE", "/unde-images/a/2"),
    ]
    assert not [name for request in fake.requests for name in request.headers if "checksum" in name]


def test_a_reader_gets_content_type_and_cache_control():
    with running_moto() as server:
        store = s3_store(bucket_at(server.url))
        store.put(KEY, BIG, JPEG)
        response = server.client.get_object(Bucket=BUCKET, Key=KEY)
        assert (response["ContentType"], response["CacheControl"]) == (JPEG, "max-age=300")
        assert response["Body"].read() == BIG


def test_environment_variables_of_other_programs_are_ignored(fake: FakeS3, monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "AWS_SESSION_TOKEN": "t", "AWS_ACCESS_KEY_ID": "other", "AWS_REGION": "other", "AWS_SKIP_SIGNATURE": "true",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true", "AWS_UNSIGNED_PAYLOAD": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3_store(bucket_at(fake.url)).put(KEY, b"x", JPEG)
    (request,) = fake.requests
    assert "Credential=planted-access/" in request.headers["authorization"]
    assert "/us-east-1/" in request.headers["authorization"] and "x-amz-security-token" not in request.headers
    assert request.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"


_PUT_THROUGH_PROXY = """
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog_tests.support.s3_servers import bucket_at
s3_store(bucket_at("http://fsn1.store.internal", addressing="virtual")).put("a/1.jpg", b"x", "image/jpeg")
"""


def test_a_bucket_in_the_host_name_is_requested_there(fake: FakeS3):
    # The name does not resolve here, so the test is the HTTP proxy that the request goes to.
    run = subprocess.run([sys.executable, "-c", _PUT_THROUGH_PROXY], env={"http_proxy": fake.url}, timeout=60)
    assert run.returncode == 0
    (request,) = fake.requests
    assert request.path == "http://unde-images.fsn1.store.internal/a/1.jpg"
    assert request.headers["host"] == "unde-images.fsn1.store.internal"


@pytest.mark.parametrize(
    ("changes", "base_url", "region"),
    [
        ({}, "https://unde-images.hel1.your-objectstorage.com", "hel1"),
        ({"addressing": "path"}, f"{HETZNER}/unde-images", "hel1"),
        ({"bucket": "with.dots"}, f"{HETZNER}/with.dots", "hel1"),
        ({"region": "eu"}, "https://unde-images.hel1.your-objectstorage.com", "eu"),
        ({"endpoint": "https://s3.eu-west-1.aws.com/"}, "https://unde-images.s3.eu-west-1.aws.com", "eu-west-1"),
        ({"endpoint": "https://s3.example.com:9000"}, "https://unde-images.s3.example.com:9000", "us-east-1"),
        ({"endpoint": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/unde-images", "us-east-1"),
        ({"endpoint": "http://[::1]:9000"}, "http://[::1]:9000/unde-images", "us-east-1"),
        ({"endpoint": "http://minio:9000"}, "http://minio:9000/unde-images", "us-east-1"),
        ({"endpoint": "http://minio:9000", "addressing": "virtual"}, "http://unde-images.minio:9000", "us-east-1"),
        ({"endpoint": "https://10.0.0.7"}, "https://10.0.0.7/unde-images", "us-east-1"),
    ],
)  # fmt: skip
def test_addresses_and_regions_follow_from_the_endpoint(changes: dict[str, str], base_url: str, region: str):
    s3 = bucket_at(**{"endpoint": HETZNER, **changes})
    assert (s3.base_url, s3.region) == (base_url, region)
    assert s3_store(s3).public_url(KEY) == f"{base_url}/{KEY}"
    assert s3_store(s3, "https://cdn.example/media/").public_url(KEY) == f"https://cdn.example/media/{KEY}"
    assert "planted" not in f"{s3!r} {s3_store(s3)._backend!r}"


def test_the_settings_alone_decide_where_objects_go(environment: pytest.MonkeyPatch, fake: FakeS3):
    with Backends(load_settings()) as backends:
        assert isinstance(backends.store, DirectoryStore)
    for name, value in s3_environment(fake.url).items():
        environment.setenv(name, value)
    with Backends(load_settings()) as backends:
        backends.store.put(KEY, b"x", JPEG)
        assert fake.objects == {KEY: b"x"} and backends.store.public_url(KEY) == f"{fake.url}/unde-images/{KEY}"
    environment.setenv("OBJECT_BASE_URL", "https://cdn.example/")
    with Backends(load_settings()) as backends:
        assert backends.store.public_url(KEY) == f"https://cdn.example/{KEY}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"S3_ENDPOINT": HETZNER}, "S3_ACCESS_KEY, S3_SECRET_KEY: required with S3_ENDPOINT"),
        ({"S3_ENDPOINT": HETZNER, "S3_ACCESS_KEY": "planted"}, "S3_SECRET_KEY: required with S3_ENDPOINT and S3_ACC"),
        ({"S3_ACCESS_KEY": "planted", "S3_SECRET_KEY": "planted"}, "S3_ENDPOINT: required with"),
        ({"S3_ENDPOINT": "http://hel1.your-objectstorage.com"}, "S3_ENDPOINT.*http is allowed for private addresses"),
        ({"S3_ENDPOINT": "http://8.8.8.8"}, "S3_ENDPOINT.*http is allowed for private addresses"),
        ({"S3_ENDPOINT": f"{HETZNER}/unde-images"}, "S3_ENDPOINT.*more than a scheme, a host and a port"),
        (
            s3_environment("https://unde-images.hel1.your-objectstorage.com"),
            "S3_ENDPOINT: expected the host without the bucket, hel1.your-objectstorage.com",
        ),
        ({"S3_BUCKET": "Not A Bucket"}, "S3_BUCKET: expected the name of a bucket"),
        ({"S3_ADDRESSING": "host"}, "S3_ADDRESSING: expected auto, virtual"),
    ],
)
def test_an_incomplete_or_wrong_configuration_is_reported(
    environment: pytest.MonkeyPatch, values: dict[str, str], message: str
):
    for name, value in values.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings()
    assert "planted" not in str(caught.value)


def test_a_process_limits_its_concurrent_requests(fake: FakeS3):
    store = s3_store(bucket_at(fake.url))
    fake.hold.clear()

    async def put_all() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(100))
        puts = asyncio.gather(*(store.put_async(f"a/{number}", b"x", JPEG) for number in range(500)))
        while len(fake.requests) < IN_FLIGHT:
            await asyncio.sleep(0.01)
        fake.hold.set()
        await puts

    asyncio.run(put_all())
    assert len(fake.objects) == 500
    assert fake.max_concurrent_requests == IN_FLIGHT and fake.max_open_connections < 2 * IN_FLIGHT


def test_a_list_is_read_page_by_page(fake: FakeS3):
    fake.objects |= {f"many/{number:04}": b"" for number in range(2_500)}
    listed = s3_store(bucket_at(fake.url)).list("many")
    next(listed)
    requests = len(fake.requests)
    assert requests == 2  # one that checks the bucket, and the first page
    assert sum(1 for _ in listed) == 2_499
    assert len(fake.requests) == requests + 2


def test_a_stopped_store_is_unavailable_until_it_is_started_again(tmp_path: Path):
    with running_rclone(tmp_path) as rclone:
        store = s3_store(bucket_at(rclone.url))
        store.put("a/1", b"1", JPEG)
        rclone.stop()
        written = threading.Event()

        def write() -> None:
            store.put("a/2", b"2", JPEG)
            written.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert not written.wait(0.5)
        rclone.start()
        writer.join(30)
        assert written.is_set() and store.get("a/1") + store.get("a/2") == b"12"


def test_a_missing_object_is_distinguished_from_a_missing_bucket(tmp_path: Path):
    with running_rclone(tmp_path) as rclone:
        store = s3_store(bucket_at(rclone.url))
        with pytest.raises(ObjectMissing):
            store.get(KEY)
        assert store.head(KEY) is None
        store = s3_store(bucket_at(rclone.url, bucket="nobodys"))
        uses = [
            lambda: store.get(KEY),
            lambda: store.head(KEY),
            lambda: store.delete([KEY]),
            lambda: list(store.list("")),
        ]
        for use in uses:
            with pytest.raises(StorageUnavailable, match="there is no bucket nobodys: create it, or set S3_BUCKET"):
                use()


def test_a_failing_process_prints_no_secret(tmp_path: Path):
    code = "from unde_catalog.backends import Backends\nfrom unde_catalog.settings.environment import load_settings\n"
    code += "Backends(load_settings()).store.put('a', b'', 'image/jpeg')"
    with running_rclone(tmp_path) as rclone:
        environment = s3_environment(rclone.url) | {"S3_SECRET_KEY": "planted-wrong"}
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
    assert "StorageUnavailable" in run.stderr and "S3_SECRET_KEY" in run.stderr and "planted" not in run.stderr
    assert json.dumps(run.stdout) == '""'
