"""Lists a bucket of an S3-compatible store and signs URLs of its objects, whatever their keys.

For one key that is no path (`a//b`, a tab in it) obstore refuses the whole page. botocore asks for encoded keys, and
every key that a store can hold comes back as it is.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from urllib3.exceptions import HTTPError

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.stores.objects.objects import ObjectInfo, RequestFailed
from unde_catalog.stores.objects.s3_errors import NO_STORE, TRY, explain_connection, explain_response

logging.getLogger("botocore").setLevel(logging.INFO)  # below that it writes access keys and signed headers
KEYS_PER_REQUEST = 1_000  # S3's maximum
_CONNECT_SECONDS = 5
_MAX_PAGE_BYTES = 20_000_000  # 1,000 keys of 1,024 bytes, of which each is sent as three, are 4 MB with all else
_MAX_PAGE_SECONDS = 60.0  # of a page, however slowly its bytes come
_CHUNK_BYTES = 65_536
_REPEATS = 10
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0  # seconds
# Variables and files of other programs must not change what is requested.
_SETTINGS_OF_OTHERS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ignore_configured_endpoint_urls": (None, None, True, None),
}


class BucketListing:
    """A bucket's listing. Thread-safe; sends no request before a method is called.

    Failed requests are repeated for `retry_for`, at most ten times; then `RequestFailed` names the setting to change.
    """

    def __init__(self, s3: S3Settings, retry_for: timedelta) -> None:
        self._s3, self._retry_seconds = s3, retry_for.total_seconds()
        session = Session(session_vars=_SETTINGS_OF_OTHERS)
        self._client = session.create_client(
            "s3",
            region_name=s3.region,
            endpoint_url=s3.endpoint,
            aws_access_key_id=s3.access_key.get_secret_value(),
            aws_secret_access_key=s3.secret_key.get_secret_value(),
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "virtual" if s3.virtual_host else "path"},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=TRY.total_seconds(),
                retries={"total_max_attempts": 1},  # repeated in `_request`, which knows how long
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        timeout = (_CONNECT_SECONDS, TRY.total_seconds())
        self._http = URLLib3Session(timeout=timeout)
        self._client.meta.events.register("before-send.s3.ListObjectsV2", self._send_bounded)
        # With a wildcard it comes before the client's own handler, which makes a 500 of such a page.
        self._client.meta.events.register("before-parse.*.ListObjectsV2", _refuse_other_pages)

    def pages(
        self, prefix: str = "", after: str = "", per_request: int = KEYS_PER_REQUEST
    ) -> Iterator[list[ObjectInfo]]:
        """The objects whose keys begin with `prefix` and are after the key `after`, in pages in the store's order."""
        for page in self._responses(prefix, per_request, StartAfter=after):
            yield [ObjectInfo(one["Key"], one["Size"], one["LastModified"]) for one in page.get("Contents", ())]

    def folders(self, prefix: str) -> Iterator[str]:
        """The prefixes that end with the first slash after `prefix`, such as `a/b/` for `a/`."""
        for page in self._responses(prefix, KEYS_PER_REQUEST, Delimiter="/"):
            yield from (one["Prefix"] for one in page.get("CommonPrefixes", ()))

    def sign(self, key: str, lifetime: timedelta) -> str:
        """A URL from which anyone can read the object for that long."""
        parameters = {"Bucket": self._s3.bucket, "Key": key}
        return self._client.generate_presigned_url("get_object", parameters, int(lifetime.total_seconds()))

    def _responses(self, prefix: str, per_request: int, **parameters: str) -> Iterator[dict[str, Any]]:
        given = {"Bucket": self._s3.bucket, "MaxKeys": per_request, "Prefix": prefix, **parameters}
        values: dict[str, Any] = {name: value for name, value in given.items() if value != ""}
        while True:
            page = self._request(values)
            yield page
            token = page.get("NextContinuationToken")
            if not token or token == values.get("ContinuationToken"):
                return
            values["ContinuationToken"] = token

    def _request(self, values: dict[str, Any]) -> dict[str, Any]:
        wait, until = _FIRST_WAIT, time.monotonic() + self._retry_seconds
        for repeats_left in reversed(range(_REPEATS + 1)):
            try:
                return self._send(values)
            except RequestFailed as failed:
                if not failed.passing or not repeats_left or time.monotonic() + wait > until:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        raise AssertionError("unreachable")

    def _send_bounded(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        request.stream_output = True
        response = self._http.send(request)
        response.raw = _BoundedBody(response.raw)
        return response

    def _send(self, values: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._client.list_objects_v2(**values)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = str(error.response.get("Error", {}).get("Code", ""))
            # Of the server's response only the code is shown: the rest may contain a key.
            code = code if re.fullmatch(r"[A-Za-z]\w{0,59}", code) else ""
            raise RequestFailed(explain_response(status, code, self._s3), status == 429 or status >= 500) from None
        except (HTTPClientError, ConnectionError) as error:
            raise RequestFailed(explain_connection(f"{type(error).__name__} {error}"), True) from None
        except BotoCoreError as error:
            raise RequestFailed(f"the request could not be made ({type(error).__name__})", False) from None


class _BoundedBody:
    """What botocore reads a response from, which it would read to its end however long that is."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def stream(self) -> Iterator[bytes]:
        until, size = time.monotonic() + _MAX_PAGE_SECONDS, 0
        try:
            while chunk := self._raw.read1(_CHUNK_BYTES):
                size += len(chunk)
                if size > _MAX_PAGE_BYTES:
                    raise RequestFailed(f"a page of the listing is longer than {_MAX_PAGE_BYTES:,} bytes", False)
                if time.monotonic() > until:
                    raise RequestFailed(f"a page of the listing took longer than {_MAX_PAGE_SECONDS:g} s", True)
                yield chunk
            self._raw.release_conn()
        except HTTPError as error:
            raise RequestFailed(explain_connection(f"{type(error).__name__} {error}"), True) from None
        finally:
            self._raw.close()


def _refuse_other_pages(response_dict: dict[str, Any], **_: Any) -> None:
    # A login page would count as an empty bucket, and its products as gone.
    if response_dict["status_code"] == 200 and b"<ListBucketResult" not in response_dict["body"][:1_000]:
        raise RequestFailed(NO_STORE, False)
