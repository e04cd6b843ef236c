"""Malformed and hostile responses, byte by byte, and refused addresses. Only time-outs wait in real time."""

import asyncio
import gzip
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from unde_catalog.net.breaker import FAILURES
from unde_catalog.net.download import Downloader
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog_tests.support.downloads import HEAD, PHOTO, POLICY, fetch, reason, using
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.upstream import RemoteHost, cut_after, hang, repeat, reply

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN: dict[str, tuple[Any, str]] = {
    "a body shorter than announced": (cut_after(HEAD + b"Content-Length: 9999\r\n\r\n" + PHOTO[:500]), "truncated"),
    "headers and no body": (cut_after(HEAD + b"Content-Length: 9999\r\n\r\n"), "truncated"),
    "a chunked body without its end": (cut_after(HEAD + CHUNKED + b"3\r\nabc\r\n"), "truncated"),
    "chunks that are garbage": (cut_after(HEAD + CHUNKED + b"ZZ\r\nabc\r\n"), "broken_answer"),
    "a negative chunk": (cut_after(HEAD + CHUNKED + b"-5\r\nabc\r\n"), "broken_answer"),
    "a cut before any response": (cut_after(b""), "reset"),
    "a cut inside the headers": (cut_after(HEAD[:20]), "reset"),
    "not HTTP": (cut_after(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "broken_answer"),
    "two content lengths": (cut_after(HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), "broken_answer"),
    "a length that is not a number": (cut_after(HEAD + b"Content-Length: many\r\n\r\nabc"), "broken_answer"),
    "a header of 40 KB": (cut_after(HEAD + b"X-Long: " + b"a" * 40_000 + b"\r\n\r\n"), "headers_too_long"),
    "a thousand headers": (cut_after(HEAD + b"X-A: b\r\n" * 1000 + b"\r\n"), "broken_answer"),
    "headers without an end": (repeat(HEAD, b"X-A: b\r\n" * 100), "broken_answer"),
    "a status line without an end": (repeat(b"HTTP/1.1 200 O", b"O" * 1000), "headers_too_long"),
    "a length over the limit": (repeat(HEAD + b"Content-Length: 200001\r\n\r\n", b"", 0.01), "too_large"),
    "a body without an end": (repeat(HEAD + b"\r\n", bytes(65_536)), "too_large"),
    "chunks without an end": (repeat(HEAD + CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"), "too_large"),
    "a body compressed as nobody asked": (reply(PHOTO, Content_Encoding="br"), "encoded"),
    "a gzip body that is cut short": (reply(gzip.compress(PHOTO)[:-20], Content_Encoding="gzip"), "truncated"),
    "a gzip body that is damaged": (reply(b"\x1f\x8b" + bytes(100), Content_Encoding="gzip"), "truncated"),
    "a gzip body that expands": (reply(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip"), "too_large"),
    "a part of a file": (reply(PHOTO, "206 Partial Content", Content_Range="bytes 0-9/5000"), "http_206"),
    "an empty body": (reply(b""), "empty"),
    "an HTML page": (reply(b"<html>Access Denied</html>", Content_Type="image/jpeg"), "not_an_image"),
    "no response": (hang, "timeout"),
    "a body that drips": (repeat(HEAD + b"Content-Length: 9999\r\n\r\n", b"a", 0.02), "timeout"),
    "headers that drip": (repeat(HEAD, b"X", 0.02), "timeout"),
    "a redirect to itself": (reply(b"", "302 Found", Location="/broken"), "too_many_redirects"),
    "a redirect without a location": (reply(b"", "302 Found"), "http_302"),
    "a redirect to a malformed URL": (reply(b"", "302 Found", Location="http://[::1"), "bad_url"),
    "a redirect to a file": (reply(b"", "302 Found", Location="file:///etc/passwd"), "bad_url"),
}  # fmt: skip


WHOLE = f"bytes 0-{len(PHOTO) - 1}/{len(PHOTO)}"
USUAL: dict[str, Any] = {
    "what an S3-compatible store kept of the upload": reply(PHOTO, Content_Encoding="aws-chunked"),
    "several encodings that change nothing": reply(PHOTO, Content_Encoding="identity, AWS-Chunked"),
    "gzip": reply(gzip.compress(PHOTO), Content_Encoding="gzip"),
    "gzip of what was uploaded in chunks": reply(gzip.compress(PHOTO), Content_Encoding="aws-chunked,gzip"),
    "a plain photo that claims to be gzip": reply(PHOTO, Content_Encoding="x-gzip"),
    "a proxy's copy": reply(PHOTO, "203 Non-Authoritative Information"),
    "a part that is the whole": reply(PHOTO, "206 Partial Content", Content_Range=WHOLE),
    "120 cookies": cut_after(HEAD + b"Set-Cookie: a=b\r\n" * 120 + b"Content-Length: %d\r\n\r\n" % len(PHOTO) + PHOTO),
    "a policy of 11 kB": reply(PHOTO, Content_Security_Policy="a" * 11_000),
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_what_real_hosts_send_is_stored(host: RemoteHost, time: FakeTime, name: str) -> None:
    assert fetch(host.respond("/usual", USUAL[name]), time) == Downloaded(PHOTO)


@pytest.mark.parametrize(
    "path",
    [
        "/unsafe/fit-in/1920x0/https%3A%2F%2Fcdn.x%2Fa%20(1).jpg",
        "/a%28b%29.jpg?sig=x%2Fy%3D%3D&u=%27z%27",
        "/a/../b/./c//d.jpg?x=%7e&y=a+b",
        "/a.jpg?X-Amz-Credential=k%2f2026&list=1,2;3",
    ],
)
def test_a_url_is_sent_byte_for_byte(host: RemoteHost, time: FakeTime, path: str) -> None:
    host.respond("/start", reply(b"", "302 Found", Location=host.url(path)))
    host.respond(path, reply(PHOTO))
    assert fetch(host.url(path), time) == Downloaded(PHOTO)
    assert fetch(host.url("/start"), time) == Downloaded(PHOTO)
    assert host.paths() == [path, "/start", path]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_response_has_its_reason_and_the_next_photo_arrives(
    host: RemoteHost, time: FakeTime, name: str
) -> None:
    async def broken_then_good(downloader: Downloader) -> tuple[str, list[Downloaded | DownloadFailed]]:
        first = await downloader.download(url, time.time + 120)
        return reason(first), [await downloader.download(good, time.time + 120) for _ in range(2)]

    response, expected = BROKEN[name]
    url, good = host.respond("/broken", response), host.respond("/good", reply(PHOTO))
    policy = replace(POLICY, timeout=0.3 if expected == "timeout" else 5)
    assert using(broken_then_good, time, policy) == (expected, [Downloaded(PHOTO)] * 2)


def test_an_unsolicited_response_is_never_read_as_the_next_one(host: RemoteHost, time: FakeTime) -> None:
    async def reply_too_much(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(PHOTO[:100]))
        await writer.drain()
        await asyncio.sleep(0.05)  # the first response is complete, and its connection is idle
        writer.write(reply(b"\xff\xd8\xffsmuggled") * 3)
        await writer.drain()
        sent.set()

    async def several(downloader: Downloader) -> list[Downloaded | DownloadFailed]:
        first = await downloader.download(url, time.time + 120)
        await asyncio.to_thread(sent.wait, 5)
        await asyncio.sleep(0.02)
        return [first, *[await downloader.download(good, time.time + 120) for _ in range(3)]]

    sent = threading.Event()
    url, good = host.respond("/long", reply_too_much), host.respond("/good", reply(PHOTO))
    assert using(several, time) == [Downloaded(PHOTO[:100]), *[Downloaded(PHOTO)] * 3]


def test_a_connection_is_reused_after_a_complete_response(host: RemoteHost, time: FakeTime) -> None:
    async def five(downloader: Downloader) -> None:
        for _ in range(5):
            await downloader.download(url, time.time + 120)

    url = host.respond("/a", reply(PHOTO))
    using(five, time)
    assert host.connections == 1


def test_the_size_limit_holds_to_the_byte(host: RemoteHost, time: FakeTime) -> None:
    body = b"\xff\xd8\xff" + bytes(POLICY.max_bytes - 3)
    assert fetch(host.respond("/a", reply(body)), time) == Downloaded(body)
    assert reason(fetch(host.respond("/b", cut_after(HEAD + b"\r\n" + body + b"x")), time)) == "too_large"


def test_running_out_of_the_products_time_is_not_the_hosts_fault(host: RemoteHost, time: FakeTime) -> None:
    url = host.respond("/a", hang)
    assert reason(fetch(url, time, replace(POLICY, timeout=30), seconds=0.2)) == "out_of_time"
    assert reason(fetch(url, time, seconds=0)) == "out_of_time"
    assert len(host.requests) == 1


def test_five_redirects_are_followed_and_a_sixth_is_not(host: RemoteHost, time: FakeTime) -> None:
    for i in range(7):
        host.respond(f"/{i}", reply(b"", "302 Found", Location=f"/{i + 1}"))
    host.respond("/7", reply(PHOTO))
    assert fetch(host.url("/2"), time) == Downloaded(PHOTO)
    assert reason(fetch(host.url("/1"), time)) == "too_many_redirects"


# ---------------------------------------------------------------- refused addresses


class FixedResolver(AbstractResolver):
    """A name server with fixed answers."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list:
        kinds = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in self.addresses}
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for address, kind in kinds.items()
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://017700000001/", "http://0x7f000001/",
        "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://0/", "http://0.0.0.0/", "http://[::]/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[64:ff9b::127.0.0.1]/",
        "http://[2002:7f00:1::]/", "http://localhost/", "http://localhost./", "http://127.0.0.1./",
        "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
        "http://[fe80::1%25lo]/", "http://[fd00::1]/",
    ],
)  # fmt: skip
def test_no_spelling_of_an_internal_address_is_connected_to(time: FakeTime, url: str) -> None:
    assert reason(fetch(url, time, targets=UrlPolicy())) in ("refused_address", "bad_url", "no_such_host")


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["127.0.0.1", "::1"], ["10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"]]
)
def test_a_name_that_resolves_to_an_internal_address_is_refused(time: FakeTime, addresses: list[str]) -> None:
    result = fetch("http://photos.example/a.jpg", time, targets=UrlPolicy(), resolver=FixedResolver(*addresses))
    assert reason(result) == "refused_address"
    assert isinstance(result, DownloadFailed) and result.fault == "item"


def test_a_redirect_to_the_metadata_address_is_refused_in_the_sandbox(host: RemoteHost, time: FakeTime) -> None:
    url = host.respond("/a", reply(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data/"))
    assert reason(fetch(url, time)) == "refused_address"


def test_refused_addresses_never_count_against_the_host(time: FakeTime) -> None:
    async def many(downloader: Downloader) -> set[str]:
        return {
            reason(await downloader.download("http://127.0.0.1/", time.time + 9, owner=i)) for i in range(FAILURES * 2)
        }

    assert using(many, time, targets=UrlPolicy()) == {"refused_address"}
