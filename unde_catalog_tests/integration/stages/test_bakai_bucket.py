"""BakaiMarket's bucket as a listing of products, in comparison with its API, and the settings of both."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from unde_catalog.settings.environment import load_settings
from unde_catalog.stages.raw_products import bakai_bucket
from unde_catalog.stages.raw_products.bakai_bucket import BakaiBucket
from unde_catalog.stages.raw_products.bakai_item import read_item
from unde_catalog.stages.raw_products.errors import CursorLost, SourceUnusable
from unde_catalog.stages.raw_products.factory import open_bakai
from unde_catalog.stages.raw_products.key_groups import KeyGroups
from unde_catalog.stores.objects.s3 import s3_store
from unde_catalog.stores.objects.s3_listing import BucketListing
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog_tests.support.bakai_responses import LISTED
from unde_catalog_tests.support.s3_servers import bucket_at, running_moto, running_rclone
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.upstream import RemoteHost, reply


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("bakai-lists")) as sandbox:
        yield sandbox


@pytest.fixture
def market(running: Sandbox, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox with its default BakaiMarket, configured for this process."""
    monkeypatch.chdir(tmp_path)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.control(bakai={"size": 40, "shape": "", "drop": [], "repeat_cursor": False}, faults="")
    return running


@pytest.mark.parametrize("shape", ["", "nested", "strings", "page-numbers", "bare"])
def test_the_sandboxs_api_is_read_in_every_format(market: Sandbox, shape: str) -> None:
    market.control(bakai={"size": 1_203, "shape": shape})
    products = [read_item(one) for page in open_bakai(load_settings(), "api").pages() for one in page.items]
    assert len({one.external_id for one in products if isinstance(one, CollectedProduct)}) == 1_203
    assert all(isinstance(one, CollectedProduct) and one.original_image_urls and one.price for one in products)


def test_api_and_bucket_list_the_same_products_and_photos(market: Sandbox) -> None:
    market.control(bakai={"size": 700})
    settings = load_settings()
    by_api, by_bucket = (
        {one.external_id: len(one.original_image_urls) for page in open_bakai(settings, which).pages()
         for raw in page.items if isinstance(one := read_item(raw), CollectedProduct)}
        for which in ("api", "bucket")
    )  # fmt: skip
    assert by_api == by_bucket and len(by_api) == 700


def test_the_bucket_is_listed_in_pages_and_resumed_after_any_of_them(
    market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.control(bakai={"size": 500})
    monkeypatch.setattr(bakai_bucket, "PRODUCTS_PER_PAGE", 100)
    settings = load_settings()
    pages = list(open_bakai(settings, "bucket").pages())
    assert [len(one.items) for one in pages] == [100, 100, 100, 100, 100, 0]
    assert pages[0].items[0]["images"][0].startswith(f"{settings.bakai_s3_endpoint}/bakai-images/products/1")
    rest = list(open_bakai(settings, "bucket").pages(pages[1].after))
    assert [one.items for one in rest] == [one.items for one in pages[2:]]


def test_all_of_an_odd_bucket_is_read_and_no_key_is_taken_for_another() -> None:
    keys = {
        "products/10001/1.jpg": "bakai_10001",
        "/products/10002/1.jpg": "bakai_10002",
        "products/12345/1.jpg": "bakai_12345",
        "products/12345 /1.jpg": "bakai_12345 ",
        "a+b/7001%20/1 #1.jpg": "bakai_7001%20",
        "обувь/7002/фото.jpg": "bakai_7002",
        "products/99999/1.jpg": "bakai_99999",
    }
    bad = ["products//12345/1.jpg", "products/./1.jpg", "products/../2.jpg", "products/123\t45/1.jpg", "a/\x01/1.jpg"]
    with running_moto() as server:
        server.client.create_bucket(Bucket="bakai-images")
        s3 = bucket_at(server.url, bucket="bakai-images")
        for key in [*keys, *bad, "products/readme.txt"]:
            server.client.put_object(Bucket=s3.bucket, Key=key, Body=key.encode(), ACL="public-read")
        for mark in ("products/", "products/12345/", "products/77777"):
            server.client.put_object(Bucket=s3.bucket, Key=mark, Body=b"")
        bucket = BakaiBucket(s3, None)
        items = [item for page in bucket.pages() for item in page.items]
        products = [one for item in items if isinstance(one := read_item(item), CollectedProduct)]
        assert {one.raw_data["keys"][0]: one.external_id for one in products} == keys
        rejected = [(item["keys"], one.reason) for item in items if isinstance(one := read_item(item), RejectedItem)]
        assert sorted(rejected) == sorted(
            [([key], "unreadable_key") for key in bad] + [(["products/readme.txt"], "no_id")]
        )
        signer = BucketListing(s3, timedelta(0))
        for one in products:  # each URL leads to its own object
            (key,) = one.raw_data["keys"]
            for url in (*one.original_image_urls, signer.sign(key, timedelta(minutes=1))):
                with urllib.request.urlopen(url, timeout=20) as response:
                    assert response.read() == key.encode()


def test_photos_of_a_product_are_together_wherever_they_are_listed(tmp_path: Path) -> None:
    keys = ["shoes/12345.jpg", "shoes/123450.jpg", "shoes/12345_2.jpg", "shoes/12345_10.jpg", "new/12345_3.jpg"]
    with running_rclone(tmp_path) as rclone:
        store = s3_store(bucket_at(rclone.url))
        for key in keys:
            store.put(key, b"x", "image/jpeg")
        items = [item for page in BakaiBucket(bucket_at(rclone.url), None).pages() for item in page.items]
    assert [(item["id"], item["keys"]) for item in items] == [
        ("12345", ["new/12345_3.jpg", "shoes/12345.jpg", "shoes/12345_2.jpg", "shoes/12345_10.jpg"]),
        ("123450", ["shoes/123450.jpg"]),
    ]


def test_photos_beyond_the_limit_of_a_product_are_counted() -> None:
    with KeyGroups() as groups:
        groups.add([f"shoes/12345_{n}.jpg" for n in range(1, 1_301)])
        groups.add(["shoes/99999.jpg"])
        first, second = groups.after(None)
        assert (len(first.keys), first.left_out, second.product_id) == (1_000, 300, "99999")
        assert [one.product_id for one in groups.after(first.place)] == ["99999"]
        with pytest.raises(CursorLost):
            next(groups.after("products/12345/2.jpg"))  # a place of an earlier version


def test_photos_of_the_bucket_may_have_another_base_url(market: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKAI_IMAGE_BASE_URL", "https://cdn.bakai.test/i/")
    first = next(open_bakai(load_settings(), "bucket").pages()).items[0]
    assert first["images"][0] == f"https://cdn.bakai.test/i/{first['keys'][0]}"


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("BAKAI_S3_SECRET_KEY", "changed-by-someone", "BAKAI_S3_SECRET_KEY"),
        ("BAKAI_S3_ACCESS_KEY", "changed-by-someone", "BAKAI_S3_ACCESS_KEY"),
        ("BAKAI_S3_BUCKET", "another-bucket", "BAKAI_S3_BUCKET"),
        ("BAKAI_S3_ENDPOINT", "http://127.0.0.1:9", "BAKAI_S3_ENDPOINT"),
    ],
)
def test_a_bucket_that_cannot_be_listed_names_the_setting_to_check(
    market: Sandbox, variable: str, value: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [market.environment["BAKAI_S3_SECRET_KEY"], "changed-by-someone"]
    monkeypatch.setenv(variable, value)
    settings = load_settings()
    bucket = BakaiBucket(settings.bakai_bucket(), None, retry_for=bakai_bucket.timedelta(0))
    with pytest.raises(SourceUnusable) as raised:
        list(bucket.pages())
    assert f"set {setting}" in str(raised.value)
    assert not any(secret in str(raised.value) + repr(bucket) for secret in secrets)


def test_a_recorded_listing_is_read_and_a_hostile_one_is_reported(
    host: RemoteHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"ENDPOINT": host.url(""), "BUCKET": "bakai-images", "ACCESS_KEY": "access", "SECRET_KEY": "secret"}
    for name, value in values.items():
        monkeypatch.setenv(f"BAKAI_S3_{name}", value)
    first = "/bakai-images?list-type=2&max-keys=1000&encoding-type=url"
    end = "/bakai-images?list-type=2&max-keys=1000&start-after=products%2F12345%2F2.jpg&encoding-type=url"
    bucket = BakaiBucket(load_settings().bakai_bucket(), None, retry_for=bakai_bucket.timedelta(0))
    for one in (first, end):  # like an object store that ignores the offset
        host.respond(one, reply(LISTED.encode(), Content_Type="application/xml"))
    (page,) = bucket.pages()
    assert page.items == [
        {
            "id": "12345",
            "images": [host.url(f"/bakai-images/products/12345/{n}.jpg") for n in (1, 2)],
            "keys": ["products/12345/1.jpg", "products/12345/2.jpg"],
        }
    ]
    assert host.paths() == [first, end]
    for other in (b"<html>hello</html>", b"not even that", b""):
        host.respond(first, reply(other))
        with pytest.raises(SourceUnusable, match="the server there is no S3 store: set BAKAI_S3_ENDPOINT"):
            list(bucket.pages())


@pytest.mark.parametrize(
    ("which", "unset", "message"),
    [
        ("api", ["BAKAI_CDN_SECRET_KEY"], "not configured: set BAKAI_CDN_SECRET_KEY"),
        ("bucket", ["BAKAI_S3_BUCKET", "BAKAI_S3_ACCESS_KEY"], "set BAKAI_S3_BUCKET, BAKAI_S3_ACCESS_KEY"),
    ],
)
def test_a_source_that_is_not_configured_names_the_missing_settings(
    market: Sandbox, which: Any, unset: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in unset:
        monkeypatch.setenv(name, "")
    with pytest.raises(ValueError, match=message):
        open_bakai(load_settings(), which)


def test_plain_http_is_refused_for_public_hosts(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("BAKAI_CDN_API_URL", "BAKAI_S3_ENDPOINT"):
        monkeypatch.setenv(name, "http://bakai.store")
        with pytest.raises(ValueError, match=f"{name}: .*http is allowed for private addresses"):
            load_settings()
        monkeypatch.delenv(name)
    assert json.loads(load_settings().model_dump_json())["bakai_source"] == "api"
