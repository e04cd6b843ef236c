import pytest

from unde_catalog.net.responses import DownloadFailed, Redirect, interpret_body, interpret_headers, parse_retry_after

NOON = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", None),
        ("60, 86400", 86_400),
        ("0, 0", None),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120),
        ("Tuesday, 14-Nov-23 22:15:20 GMT", 120),
        ("Tue, 14 Nov 2023 22:15:20 -0000", 120),
        ("Wed, 15 Nov 2023 02:15:20 +0400", 120),
        ("Tue, 14 Nov 2023 22:00:00 GMT", None),  # it has passed, which never means "at once"
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("١٢", None),
        ("Tue, 99 Nov 2023 22:15:20 GMT", None),
        ("Tue, 14 Nov 99999 22:15:20 GMT", None),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOON) == seconds


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (404, "gone"), (410, "gone"), (400, "item"), (414, "item"), (451, "item"), (204, "item"), (206, "item"),
        (304, "item"), (401, "upstream"), (403, "upstream"), (408, "upstream"), (429, "upstream"), (500, "upstream"),
        (502, "upstream"), (503, "upstream"), (504, "upstream"), (520, "upstream"),
    ],
)  # fmt: skip
def test_a_status_maps_to_its_fault(status: int, fault: str) -> None:
    result = interpret_headers(status, "why", {}, proxied="no", wall=NOON)
    assert isinstance(result, DownloadFailed)
    assert (result.reason, result.detail, result.fault) == (f"http_{status}", "why", fault)
    assert result.retryable == (status in (429, 503))


def test_a_redirect_needs_a_location() -> None:
    assert interpret_headers(302, "", {"Location": "/b"}, proxied="no", wall=NOON) == Redirect("/b")
    assert isinstance(interpret_headers(302, "", {}, proxied="no", wall=NOON), DownloadFailed)


def test_proxy_errors_are_only_accepted_from_a_proxy() -> None:
    proxy_headers = {"x-brd-error": "Auth failed", "Proxy-Authenticate": "Basic"}
    direct = interpret_headers(407, "", proxy_headers, proxied="no", wall=NOON)
    assert isinstance(direct, DownloadFailed) and direct.reason == "http_407"
    tunnelled = interpret_headers(407, "", {}, proxied="tunnel", wall=NOON)
    assert isinstance(tunnelled, DownloadFailed) and tunnelled.reason == "http_407"
    for kind, headers in (("plain", {}), ("plain", proxy_headers), ("tunnel", proxy_headers)):
        proxied = interpret_headers(407, "", headers, proxied=kind, wall=NOON)  # type: ignore[arg-type]
        assert isinstance(proxied, DownloadFailed) and proxied.reason == "proxy_refused"


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br"])
def test_an_encoding_that_is_not_understood_is_refused(encoding: str) -> None:
    result = interpret_headers(200, "OK", {"Content-Encoding": encoding}, proxied="no", wall=NOON)
    assert isinstance(result, DownloadFailed) and result.reason == "encoded"
    assert interpret_headers(200, "OK", {"Content-Encoding": "Identity"}, proxied="no", wall=NOON) is None


@pytest.mark.parametrize("encoding", ["base64", "UTF-8", "binary", "none", "image/jpeg", "aws-chunked, utf-8"])
def test_an_encoding_that_changes_nothing_is_no_reason_to_refuse(encoding: str) -> None:
    assert interpret_headers(200, "OK", {"Content-Encoding": encoding}, proxied="no", wall=NOON) is None


def test_an_html_page_or_an_empty_body_is_not_a_file() -> None:
    for page in (b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\n <HTML lang=en>"):
        result = interpret_body(page)
        assert isinstance(result, DownloadFailed)
        assert (result.reason, result.fault, result.counts_against_host) == ("not_an_image", "item", True)
    empty = interpret_body(b"")
    assert isinstance(empty, DownloadFailed) and empty.reason == "empty" and empty.counts_against_host
    assert not isinstance(interpret_body(b"\xff\xd8\xff"), DownloadFailed)


def test_remote_text_is_made_safe_for_logs_and_text_columns() -> None:
    result = interpret_headers(500, "a\x00b\nc\x1b[31m" + "x" * 1000, {}, proxied="no", wall=NOON)
    assert isinstance(result, DownloadFailed)
    assert result.detail.isprintable() and len(result.detail) <= 200
