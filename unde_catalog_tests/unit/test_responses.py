import pytest

from unde_catalog.net.responses import DownloadFailed, Redirect, of_body, of_headers, retry_after

NOON = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120),
        ("Tuesday, 14-Nov-23 22:15:20 GMT", 120),
        ("Tue, 14 Nov 2023 22:15:20 -0000", 120),
        ("Wed, 15 Nov 2023 02:15:20 +0400", 120),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
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
def test_retry_after_is_read_as_seconds_or_as_a_date_and_nonsense_is_nothing(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after(value, NOON) == seconds


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (404, "gone"), (410, "gone"), (400, "item"), (414, "item"), (451, "item"), (204, "item"), (206, "item"),
        (304, "item"), (401, "far_side"), (403, "far_side"), (408, "far_side"), (429, "far_side"), (500, "far_side"),
        (502, "far_side"), (503, "far_side"), (504, "far_side"), (520, "far_side"),
    ],
)  # fmt: skip
def test_a_status_says_whose_fault_it_is(status: int, fault: str) -> None:
    answer = of_headers(status, "why", {}, proxied="no", wall=NOON)
    assert isinstance(answer, DownloadFailed)
    assert (answer.reason, answer.detail, answer.fault) == (f"http_{status}", "why", fault)
    assert answer.ask_again == (status in (429, 503))


def test_a_redirect_needs_somewhere_to_go() -> None:
    assert of_headers(302, "", {"Location": "/b"}, proxied="no", wall=NOON) == Redirect("/b")
    assert isinstance(of_headers(302, "", {}, proxied="no", wall=NOON), DownloadFailed)


def test_only_a_proxy_can_speak_for_the_proxy() -> None:
    says = {"x-brd-error": "Auth failed", "Proxy-Authenticate": "Basic"}
    direct = of_headers(407, "", says, proxied="no", wall=NOON)
    assert isinstance(direct, DownloadFailed) and direct.reason == "http_407"
    tunnelled = of_headers(407, "", {}, proxied="tunnel", wall=NOON)
    assert isinstance(tunnelled, DownloadFailed) and tunnelled.reason == "http_407"
    for kind, headers in (("plain", {}), ("plain", says), ("tunnel", says)):
        proxied = of_headers(407, "", headers, proxied=kind, wall=NOON)  # type: ignore[arg-type]
        assert isinstance(proxied, DownloadFailed) and proxied.reason == "proxy_refused"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip"])
def test_a_packed_answer_is_refused_as_unpacking_it_could_make_gigabytes(encoding: str) -> None:
    answer = of_headers(200, "OK", {"Content-Encoding": encoding}, proxied="no", wall=NOON)
    assert isinstance(answer, DownloadFailed) and answer.reason == "encoded"
    assert of_headers(200, "OK", {"Content-Encoding": "Identity"}, proxied="no", wall=NOON) is None


def test_a_page_or_nothing_in_place_of_a_file_is_told_apart_from_a_file() -> None:
    for page in (b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\n <HTML lang=en>"):
        answer = of_body(page)
        assert isinstance(answer, DownloadFailed)
        assert (answer.reason, answer.fault, answer.against_host) == ("not_an_image", "item", True)
    empty = of_body(b"")
    assert isinstance(empty, DownloadFailed) and empty.reason == "empty" and empty.against_host
    assert not isinstance(of_body(b"\xff\xd8\xff"), DownloadFailed)


def test_what_others_write_is_made_fit_for_a_log_line_and_a_text_column() -> None:
    answer = of_headers(500, "a\x00b\nc\x1b[31m" + "x" * 1000, {}, proxied="no", wall=NOON)
    assert isinstance(answer, DownloadFailed)
    assert answer.detail.isprintable() and len(answer.detail) <= 200
