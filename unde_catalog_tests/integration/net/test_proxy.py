"""Downloads through real proxies with a password, and through one that answers as Bright Data's does (spec 6)."""

import asyncio
import gc
import logging
import traceback
import warnings
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from unde_catalog.net.download import Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.tls import UnusableBundle
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog_tests.support.proxies import PASSWORD, USER, Authority, authority, running_proxy
from unde_catalog_tests.support.upstream import FarSide, cut_after, far_side, reply

MANNERS = DownloadPolicy(slots=10, delay_min=0, delay_max=0, timeout=10, max_retries=0, max_bytes=200_000)
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40
T = TypeVar("T")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def shop_authority(folder: Path) -> Authority:
    """Signs the hosts' certificates, as the authorities of the public internet do."""
    return authority(folder / "shops")


@pytest.fixture(scope="module")
def proxy_authority(shop_authority: Authority, folder: Path) -> Authority:
    """The proxy vendor's own."""
    return authority(folder / "vendor")


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[str]:
    """A proxy that lets TLS through."""
    with running_proxy(folder / "plain") as url:
        yield url


@pytest.fixture(scope="module")
def resigning_proxy(folder: Path, proxy_authority: Authority, shop_authority: Authority) -> Iterator[str]:
    with running_proxy(folder / "resigning", resigns=proxy_authority, trusts=shop_authority) as url:
        yield url


@pytest.fixture(scope="module")
def tls_host(shop_authority: Authority) -> Iterator[FarSide]:
    with far_side(shop_authority.server()) as running:
        running.answer("/a", reply(PHOTO))
        yield running


def using(work: Callable[[Downloader], Awaitable[T]], proxy_url: str, *hosts: FarSide, **options: Any) -> T:
    """Work with a downloader behind the proxy, for which only these hosts are listed."""
    targets = UrlPolicy(hosts=tuple(f"localhost:{one.port}" for one in hosts))

    async def run() -> T:
        async with Downloader(MANNERS, targets, proxy_url=proxy_url, **options) as downloader:
            return await work(downloader)

    return asyncio.run(run())


def fetch(url: str, proxy_url: str, *hosts: FarSide, **options: Any):
    return using(lambda downloader: downloader.download(url, downloader.now() + 20), proxy_url, *hosts, **options)


def reason(answer: Downloaded | DownloadFailed) -> str:
    return answer.reason if isinstance(answer, DownloadFailed) else "downloaded"


# ---------------------------------------------------------------- real proxies


def test_plain_http_goes_through_the_proxy_and_the_host_never_sees_its_password(host: FarSide, proxy: str) -> None:
    host.answer("/a", reply(PHOTO))
    assert fetch(host.url("/a", "localhost"), proxy, host) == Downloaded(PHOTO)
    assert "via" in host.asked[0].headers
    assert "proxy-authorization" not in host.asked[0].headers


def test_https_goes_through_a_tunnel_that_the_host_never_sees(
    tls_host: FarSide, proxy: str, shop_authority: Authority
) -> None:
    answer = fetch(tls_host.url("/a", "localhost"), proxy, tls_host, proxy_ca_bundle=shop_authority.certificate)
    assert answer == Downloaded(PHOTO)
    assert not {"via", "proxy-authorization"} & set(tls_host.asked[-1].headers)


def test_a_tunnel_is_used_again(tls_host: FarSide, proxy: str, shop_authority: Authority) -> None:
    async def three(downloader: Downloader) -> None:
        for _ in range(3):
            await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)

    before = tls_host.connections
    using(three, proxy, tls_host, proxy_ca_bundle=shop_authority.certificate)
    assert tls_host.connections == before + 1


def test_a_proxy_that_re_signs_tls_is_trusted_with_its_own_bundle_only(
    tls_host: FarSide, resigning_proxy: str, proxy_authority: Authority, shop_authority: Authority
) -> None:
    url = tls_host.url("/a", "localhost")
    for bundle in (None, shop_authority.certificate):
        answer = fetch(url, resigning_proxy, tls_host, proxy_ca_bundle=bundle)
        assert isinstance(answer, DownloadFailed)
        assert (answer.reason, answer.fault) == ("tls_certificate", "far_side")
    assert fetch(url, resigning_proxy, tls_host, proxy_ca_bundle=proxy_authority.certificate) == Downloaded(PHOTO)


def test_the_proxys_authority_is_not_trusted_without_the_proxy(tls_host: FarSide, shop_authority: Authority) -> None:
    async def direct() -> Downloaded | DownloadFailed:
        bundle = shop_authority.certificate
        async with Downloader(MANNERS, UrlPolicy(anywhere=True), proxy_ca_bundle=bundle) as downloader:
            return await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)

    assert reason(asyncio.run(direct())) == "tls_certificate"


def test_a_bundle_that_is_none_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "bundle.pem"
    nonsense.write_text("no certificate")
    for path in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(UnusableBundle, match=f"PROXY_CA_BUNDLE {path}"):
            Downloader(MANNERS, UrlPolicy(hosts=()), proxy_url="http://127.0.0.1:1", proxy_ca_bundle=path)


@pytest.mark.parametrize("credentials", ["someone:else@", "someone@", ""])
def test_a_wrong_password_stops_everything_and_names_the_setting(
    host: FarSide, tls_host: FarSide, proxy: str, credentials: str
) -> None:
    wrong = "http://" + credentials + proxy.partition("@")[2]
    for one in (host, tls_host):
        with pytest.raises(UpstreamUnavailable, match=r"407.*PROXY_URL"):
            fetch(one.url("/a", "localhost"), wrong, one)


def test_a_host_behind_the_proxy_that_is_down_is_not_the_proxys_password(proxy: str) -> None:
    with far_side() as gone:
        pass
    answer = fetch(gone.url("/a", "localhost"), proxy, gone)
    assert isinstance(answer, DownloadFailed) and answer.fault == "far_side"


def test_a_proxy_that_is_not_there_is_named(host: FarSide) -> None:
    with far_side() as gone:
        pass
    answer = fetch(host.url("/a", "localhost"), f"http://u:p@127.0.0.1:{gone.port}", host)
    assert reason(answer) == "proxy_unreachable"


def test_every_redirect_is_checked_against_the_list_of_hosts(host: FarSide, proxy: str) -> None:
    with far_side() as other:
        other.answer("/secret", reply(PHOTO))
        for location in (other.url("/secret", "localhost"), other.url("/secret"), f"//localhost:{other.port}/secret"):
            host.answer("/a", reply(b"", "302 Found", Location=location))
            assert reason(fetch(host.url("/a", "localhost"), proxy, host)) == "refused_host"
        assert other.asked == []
        assert fetch(host.url("/a", "localhost"), proxy, host, other) == Downloaded(PHOTO)


def test_no_bare_address_is_asked_of_the_proxy(host: FarSide, proxy: str) -> None:
    host.answer("/a", reply(PHOTO))
    for name in ("127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost."):
        assert reason(fetch(host.url("/a", name), proxy, host)) == "refused_host"
    assert host.asked == []


def test_behind_a_proxy_there_has_to_be_a_list() -> None:
    with pytest.raises(ValueError, match="listed"):
        Downloader(MANNERS, UrlPolicy(), proxy_url="http://u:p@127.0.0.1:1")


# ---------------------------------------------------------------- what Bright Data's proxy says


BRD = {"x_brd_error": "Residential Failed (bad_endpoint): no peer", "x_brd_err_code": "policy_20050"}
SAYS: dict[str, tuple[bytes, str]] = {
    "200 without a body, and an error header": (reply(b"", **BRD), "proxy_error"),
    "402, not allowed for this endpoint": (reply(b"", "402 Payment Required", **BRD), "proxy_402"),
    "502, the target failed": (reply(b"", "502 Bad Gateway", **BRD), "proxy_502"),
    "403 of the proxy's own": (reply(b"", "403 Forbidden", **BRD), "proxy_403"),
}


@pytest.mark.parametrize("name", SAYS)
def test_an_error_of_the_proxy_is_told_from_one_of_the_host(name: str) -> None:
    answer, expected = SAYS[name]
    with far_side() as pretended:
        pretended.answer("http://photos.example/a", answer)
        url = f"http://u:p@127.0.0.1:{pretended.port}"
        got = asyncio.run(_through(url, "http://photos.example/a"))
    assert isinstance(got, DownloadFailed)
    assert (got.reason, got.fault) == (expected, "far_side")
    assert "no peer" in got.detail


@pytest.mark.parametrize(
    ("status", "expected"),
    [("402 Payment Required", "proxy_402"), ("502 Bad Gateway", "proxy_502"), ("503 Busy", "proxy_503")],
)
def test_a_refused_tunnel_is_the_proxys_error(status: str, expected: str) -> None:
    with far_side() as pretended:
        pretended.answer("photos.example:443", cut_after(reply(b"", status, **BRD)))
        url = f"http://u:p@127.0.0.1:{pretended.port}"
        got = asyncio.run(_through(url, "https://photos.example/a"))
        assert pretended.asked[0].headers["proxy-authorization"] == "Basic " + b64encode(b"u:p").decode()
    assert isinstance(got, DownloadFailed)
    assert (got.reason, got.fault) == (expected, "far_side")
    assert "no peer" in got.detail


@pytest.mark.parametrize("url", ["http://photos.example/a", "https://photos.example/a"])
def test_407_stops_everything_also_when_a_tunnel_is_asked_for(url: str) -> None:
    refusal = cut_after(reply(b"", "407 Auth Failed", Proxy_Authenticate="Basic"))
    with far_side() as pretended:
        pretended.answer("photos.example:443", refusal)
        pretended.answer("http://photos.example/a", refusal)
        with pytest.raises(UpstreamUnavailable, match=r"photos\.example .*407.*PROXY_URL"):
            asyncio.run(_through(f"http://u:p@127.0.0.1:{pretended.port}", url))


async def _through(proxy_url: str, url: str) -> Downloaded | DownloadFailed:
    async with Downloader(MANNERS, UrlPolicy(hosts=("photos.example",)), proxy_url=proxy_url) as downloader:
        return await downloader.download(url, downloader.now() + 20)


# ---------------------------------------------------------------- the password


def test_the_proxys_password_is_in_no_error_log_warning_or_repr(
    host: FarSide, tls_host: FarSide, proxy: str, caplog: pytest.LogCaptureFixture, shop_authority: Authority
) -> None:
    """Whatever fails, and also where a downloader is left lying about with its connections open."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    host.answer("/cut", cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    wrong = proxy.replace(":p4ss", ":wrong-p4ss")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for proxy_url in (proxy, wrong, "http://" + proxy[7:].replace("127.0.0.1", "127.0.0.2")):
            for url in (host.url("/cut", "localhost"), tls_host.url("/a", "localhost")):
                try:
                    told.append(repr(fetch(url, proxy_url, host, tls_host)))
                except UpstreamUnavailable as error:
                    told += traceback.format_exception(error)
                    told += _all_of(error)

        async def left_open() -> None:
            downloader = Downloader(
                MANNERS, UrlPolicy(hosts=(f"localhost:{tls_host.port}",)), proxy_url=proxy,
                proxy_ca_bundle=shop_authority.certificate,
            )  # fmt: skip
            await downloader.__aenter__()
            asyncio.get_running_loop().set_debug(True)
            answer = await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)
            assert isinstance(answer, Downloaded)
            told.append(repr(downloader) + repr(downloader.__dict__["_session"].connector.__dict__["_conns"]))
            del downloader
            gc.collect()

        asyncio.run(left_open())
        gc.collect()
    told += [str(one.message) for one in caught] + [caplog.text]
    everything = "\n".join(told)
    assert "Unclosed" in everything, "the part about what is left open tests nothing"
    for secret in ("p4ss", "w0rd", b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert secret not in everything


def _all_of(error: BaseException | None) -> list[str]:
    """An error and all that it came from, also where a traceback would not show it."""
    told = []
    while error is not None:
        told.append(repr(error))
        error = error.__cause__ or error.__context__
    return told
