"""The sandbox's BakaiMarket bucket, through obstore and over plain HTTP."""

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import obstore
import pytest
import requests
from obstore.store import S3Store

from unde_catalog.sandbox.bakai import photos
from unde_catalog.sandbox.bakai.catalogue import BakaiCatalogue, BakaiOverrides
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

CATALOGUE = BakaiCatalogue()
KEYS = [key for key, _, _ in CATALOGUE.keys_after()]
MANY = {"size": 201_596, "photos": 1}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("bakai")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The default catalogue with an empty log."""
    running.control(bakai={"size": 40, "photos": 4, "drop": []}, faults="")
    requests.delete(f"{running.url}/_log", timeout=10)
    return running


def store(sandbox: Sandbox, bucket: str = "", key: str = "", secret: str = "") -> S3Store:
    variables = sandbox.environment
    return S3Store(
        bucket or variables["BAKAI_S3_BUCKET"],
        config={
            "endpoint": variables["BAKAI_S3_ENDPOINT"],
            "access_key_id": key or variables["BAKAI_S3_ACCESS_KEY"],
            "secret_access_key": secret or variables["BAKAI_S3_SECRET_KEY"],
            "region": "fsn1",
            "virtual_hosted_style_request": False,
        },
        client_options={"allow_http": True},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    )


def listed(bucket: S3Store, **options: Any) -> list[str]:
    return [one["path"] for page in obstore.list(bucket, **options) for one in page]


def presigned(sandbox: Sandbox, path: str, **options: str) -> str:
    return obstore.sign(store(sandbox, **options), "GET", path, timedelta(minutes=5))


def error_of(response: requests.Response) -> tuple[int, str]:
    """The status and code of an error."""
    match = re.search(r"<Code>(\w+)</Code>", response.text)
    return response.status_code, match[1] if match else ""


def bucket_url(sandbox: Sandbox) -> str:
    return f"{sandbox.environment['BAKAI_S3_ENDPOINT']}/{sandbox.environment['BAKAI_S3_BUCKET']}"


def test_a_real_client_lists_every_object_with_its_size(sandbox: Sandbox) -> None:
    listed_objects = [one for page in obstore.list(store(sandbox)) for one in page]
    assert [one["path"] for one in listed_objects] == KEYS
    sizes = [photos.photo_bytes(product, n, BakaiOverrides()) for _, product, n in CATALOGUE.keys_after()]
    assert [one["size"] for one in listed_objects] == sizes
    assert len({one["e_tag"] for one in listed_objects}) == len(KEYS)


def test_a_listing_starts_after_any_key_and_keeps_to_a_prefix(sandbox: Sandbox) -> None:
    bucket = store(sandbox)
    assert listed(bucket, offset=KEYS[20]) == KEYS[21:]
    assert listed(bucket, prefix="products/10000015") == KEYS[:4]
    assert listed(bucket, prefix="nothing") == []
    root_listing = obstore.list_with_delimiter(bucket)
    assert (list(root_listing["common_prefixes"]), list(root_listing["objects"])) == (["products"], [])
    products = obstore.list_with_delimiter(bucket, prefix="products")
    assert list(products["common_prefixes"]) == [f"products/{product.id}" for product in CATALOGUE.products()]
    product = obstore.list_with_delimiter(bucket, prefix="products/10000015")
    assert [one["path"] for one in product["objects"]] == KEYS[:4]


def test_two_hundred_thousand_objects_are_listed_a_thousand_at_a_time(sandbox: Sandbox) -> None:
    sandbox.control(bakai=MANY)
    catalogue = BakaiCatalogue(BakaiOverrides(size=201_596, photos=1))
    pages = obstore.list(store(sandbox), offset="products/17800000", chunk_size=1000)
    keys = [one["path"] for page in pages for one in page]
    assert keys == [key for key, _, _ in catalogue.keys_after("products/17800000")]
    assert len(keys) > 5000
    log = sandbox.log("bakai.list")
    assert len(log) == -(-len(keys) // 1000)
    assert all("***" in line["query"] for line in log[1:]), "a continuation token is logged"


def test_small_pages_are_complete_with_and_without_common_prefixes(sandbox: Sandbox) -> None:
    for delimiter, name in (("", "Key"), ("/", "Prefix")):
        listed_objects: list[str] = []
        token = ""
        while True:
            query = {"list-type": "2", "max-keys": "7", "prefix": "products/", "delimiter": delimiter}
            response = _signed_list(sandbox, {**query, **({"continuation-token": token} if token else {})})
            body = response.text.partition("<KeyCount>")[2]
            page = re.findall(rf"<{name}>([^<]+)</{name}>", body)
            assert f"{len(page)}</KeyCount>" in body and len(page) <= 7
            listed_objects += page
            match = re.search(r"<NextContinuationToken>([^<]+)<", response.text)
            assert ("<IsTruncated>true<" in response.text) == bool(match)
            if match is None:
                break
            token = match[1]
        assert listed_objects == (
            KEYS if not delimiter else [f"products/{product.id}/" for product in CATALOGUE.products()]
        )


def _signed_list(sandbox: Sandbox, query: dict[str, str]) -> requests.Response:
    """List with a request that is signed here, without a client library."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/x/s3/aws4_request"
    host = sandbox.url.removeprefix("http://")
    encoded_query = urlencode(sorted(query.items()), quote_via=lambda text, *_: quote(text, safe="-_.~"))
    headers = f"host:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{moment}\n"
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = f"GET\n/bakai-s3/bakai-images\n{encoded_query}\n{headers}\n{names}\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{sandbox.environment['BAKAI_S3_SECRET_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{sandbox.environment['BAKAI_S3_ACCESS_KEY']}/{scope}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    signed_headers = {"Authorization": authorization, "x-amz-date": moment, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    return requests.get(f"{bucket_url(sandbox)}?{encoded_query}", headers=signed_headers, timeout=10)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, (501, "NotImplemented")),
        ({"list-type": "2", "max-keys": "-1"}, (400, "InvalidArgument")),
        ({"list-type": "2", "continuation-token": "no token"}, (400, "InvalidArgument")),
    ],
)
def test_an_invalid_listing_request_is_refused(sandbox: Sandbox, query: dict[str, str], code: tuple[int, str]) -> None:
    assert error_of(_signed_list(sandbox, query)) == code


def test_objects_can_be_read_by_a_client_a_signed_url_and_anyone(sandbox: Sandbox) -> None:
    product = next(CATALOGUE.products())
    body = photos.photo(product, 2)
    bucket = store(sandbox)
    assert bytes(obstore.get(bucket, product.keys[1]).bytes()) == body
    assert obstore.head(bucket, product.keys[1])["size"] == len(body)
    signed = requests.get(presigned(sandbox, product.keys[1]), timeout=10)
    assert (signed.status_code, signed.content) == (200, body)
    plain = f"{bucket_url(sandbox)}/{product.keys[1]}"
    assert requests.get(plain, timeout=10).content == body
    head = requests.head(plain, timeout=10)
    assert (head.headers["Content-Length"], head.content) == (str(len(body)), b"")
    assert error_of(requests.get(f"{bucket_url(sandbox)}/products/10000015/9.jpg", timeout=10)) == (404, "NoSuchKey")
    assert error_of(requests.put(plain, b"new", timeout=10)) == (403, "AccessDenied")
    log = sandbox.log("bakai.photo")
    assert [(line["product"], line["n"]) for line in log[:-1]] == [("10000015", 2)] * (len(log) - 1)
    assert not any("Signature=" in line["query"] and "***" not in line["query"] for line in log)


def test_only_the_owner_may_list(sandbox: Sandbox) -> None:
    assert error_of(requests.get(f"{bucket_url(sandbox)}?list-type=2", timeout=10)) == (403, "AccessDenied")
    for changed, code in (
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "nobody"}, "InvalidAccessKeyId"),
        ({"bucket": "another"}, "NoSuchBucket"),
    ):
        with pytest.raises(Exception, match=code):
            listed(store(sandbox, **changed))


def test_a_changed_signed_url_is_refused(sandbox: Sandbox) -> None:
    for changed, code in (
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "nobody"}, "InvalidAccessKeyId"),
    ):
        assert error_of(requests.get(presigned(sandbox, KEYS[0], **changed), timeout=10)) == (403, code)
    product = presigned(sandbox, KEYS[0])
    other = product.replace(KEYS[0], KEYS[1])
    assert error_of(requests.get(other, timeout=10)) == (403, "SignatureDoesNotMatch")
    longer = product.replace("Expires=300", "Expires=3000")
    assert error_of(requests.get(longer, timeout=10)) == (403, "SignatureDoesNotMatch")
    old = re.sub(r"Date=\d{8}", "Date=20200101", product)
    assert error_of(requests.get(old, timeout=10)) == (400, "AuthorizationQueryParametersError")


def test_faults_of_the_bucket_are_xml_errors(sandbox: Sandbox) -> None:
    sandbox.control(next_faults={"bakai.list": ["503", "429"], "bakai.photo": ["503", "truncated"]})
    query = {"list-type": "2"}
    assert error_of(_signed_list(sandbox, query)) == (503, "SlowDown")
    assert error_of(_signed_list(sandbox, query)) == (429, "TooManyRequests")
    assert error_of(_signed_list(sandbox, query)) == (200, "")
    url = f"{bucket_url(sandbox)}/{KEYS[0]}"
    assert error_of(requests.get(url, timeout=10)) == (503, "SlowDown")
    with pytest.raises(requests.RequestException):
        _ = requests.get(url, timeout=10).content


def test_photos_of_dropped_products_leave_the_bucket(sandbox: Sandbox) -> None:
    sandbox.control(bakai={"drop": ["10000015"]})
    assert listed(store(sandbox)) == KEYS[4:]
    assert error_of(requests.get(f"{bucket_url(sandbox)}/{KEYS[0]}", timeout=10)) == (404, "NoSuchKey")
