"""Downloads through real proxies with a password, and through one that responds as Bright Data's does."""

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
from unde_catalog_tests.support.upstream import RemoteHost, cut_after, remote_host, reply

POLICY = DownloadPolicy(slots=10, delay_min=0, delay_max=0, timeout=10, max_retries=0, max_bytes=200_000)
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40
T = TypeVar("T")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def public_authority(folder: Path) -> Authority:
    """Signs the hosts' certificates, as a public certificate authority does."""
    return authority(folder / "public")


@pytest.fixture(scope="module")
def proxy_authority(public_authority: Authority, folder: Path) -> Authority:
    """The proxy vendor's own certificate authority."""
    return authority(folder / "vendor")


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[str]:
    """A proxy that tunnels TLS."""
    with running_proxy(folder / "plain") as url:
        yield url


@pytest.fixture(scope="module")
def resigning_proxy(folder: Path, proxy_authority: Authority, public_authority: Authority) -> Iterator[str]:
    with running_proxy(folder / "resigning", resigns=proxy_authority, trusts=public_authority) as url:
        yield url


@pytest.fixture(scope="module")
def tls_host(public_authority: Authority) -> Iterator[RemoteHost]:
    with remote_host(public_authority.server()) as running:
        running.respond("/a", reply(PHOTO))
        yield running


def using(work: Callable[[Downloader], Awaitable[T]], proxy_url: str, *hosts: RemoteHost, **options: Any) -> T:
    """Run `work` with a downloader behind the proxy that allows only these hosts."""
    url_policy = UrlPolicy(hosts=tuple(f"localhost:{one.port}" for one in hosts))

    async def run() -> T:
        async with Downloader(POLICY, url_policy, proxy_url=proxy_url, **options) as downloader:
            return await work(downloader)

    return asyncio.run(run())


def fetch(url: str, proxy_url: str, *hosts: RemoteHost, **options: Any):
    return using(lambda downloader: downloader.download(url, downloader.now() + 20), proxy_url, *hosts, **options)


def reason(result: Downloaded | DownloadFailed) -> str:
    return result.reason if isinstance(result, DownloadFailed) else "downloaded"


# ---------------------------------------------------------------- real proxies


def test_plain_http_uses_the_proxy_and_the_host_never_sees_its_password(host: RemoteHost, proxy: str) -> None:
    host.respond("/a", reply(PHOTO))
    assert fetch(host.url("/a", "localhost"), proxy, host) == Downloaded(PHOTO)
    assert "via" in host.requests[0].headers
    assert "proxy-authorization" not in host.requests[0].headers


def test_https_uses_a_tunnel_without_proxy_headers(
    tls_host: RemoteHost, proxy: str, public_authority: Authority
) -> None:
    result = fetch(tls_host.url("/a", "localhost"), proxy, tls_host, proxy_ca_bundle=public_authority.certificate)
    assert result == Downloaded(PHOTO)
    assert not {"via", "proxy-authorization"} & set(tls_host.requests[-1].headers)


def test_a_tunnel_is_reused(tls_host: RemoteHost, proxy: str, public_authority: Authority) -> None:
    async def three(downloader: Downloader) -> None:
        for _ in range(3):
            await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)

    before = tls_host.connections
    using(three, proxy, tls_host, proxy_ca_bundle=public_authority.certificate)
    assert tls_host.connections == before + 1


def test_a_resigning_proxy_is_trusted_only_with_its_own_bundle(
    tls_host: RemoteHost, resigning_proxy: str, proxy_authority: Authority, public_authority: Authority
) -> None:
    url = tls_host.url("/a", "localhost")
    for bundle in (None, public_authority.certificate):
        result = fetch(url, resigning_proxy, tls_host, proxy_ca_bundle=bundle)
        assert isinstance(result, DownloadFailed)
        assert (result.reason, result.fault) == ("tls_certificate", "upstream")
    assert fetch(url, resigning_proxy, tls_host, proxy_ca_bundle=proxy_authority.certificate) == Downloaded(PHOTO)


def test_the_proxys_authority_is_not_trusted_without_the_proxy(
    tls_host: RemoteHost, public_authority: Authority
) -> None:
    async def direct() -> Downloaded | DownloadFailed:
        bundle = public_authority.certificate
        async with Downloader(POLICY, UrlPolicy(any_host=True), proxy_ca_bundle=bundle) as downloader:
            return await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)

    assert reason(asyncio.run(direct())) == "tls_certificate"


def test_an_unusable_bundle_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "bundle.pem"
    nonsense.write_text("no certificate")
    for path in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(UnusableBundle, match=f"PROXY_CA_BUNDLE {path}"):
            Downloader(POLICY, UrlPolicy(hosts=()), proxy_url="http://127.0.0.1:1", proxy_ca_bundle=path)


@pytest.mark.parametrize("credentials", ["someone:else@", "someone@", ""])
def test_a_wrong_password_stops_all_downloads_and_names_the_setting(
    host: RemoteHost, tls_host: RemoteHost, proxy: str, credentials: str
) -> None:
    wrong = "http://" + credentials + proxy.partition("@")[2]
    for one in (host, tls_host):
        with pytest.raises(UpstreamUnavailable, match=r"407.*PROXY_URL"):
            fetch(one.url("/a", "localhost"), wrong, one)


def test_a_host_that_is_down_behind_the_proxy_is_an_upstream_failure(proxy: str) -> None:
    with remote_host() as gone:
        pass
    result = fetch(gone.url("/a", "localhost"), proxy, gone)
    assert isinstance(result, DownloadFailed) and result.fault == "upstream"


def test_an_unreachable_proxy_has_its_own_reason(host: RemoteHost) -> None:
    with remote_host() as gone:
        pass
    result = fetch(host.url("/a", "localhost"), f"http://u:p@127.0.0.1:{gone.port}", host)
    assert reason(result) == "proxy_unreachable"


def test_every_redirect_is_checked_against_the_listed_hosts(host: RemoteHost, proxy: str) -> None:
    with remote_host() as other:
        other.respond("/secret", reply(PHOTO))
        for location in (other.url("/secret", "localhost"), other.url("/secret"), f"//localhost:{other.port}/secret"):
            host.respond("/a", reply(b"", "302 Found", Location=location))
            assert reason(fetch(host.url("/a", "localhost"), proxy, host)) == "refused_host"
        assert other.requests == []
        assert fetch(host.url("/a", "localhost"), proxy, host, other) == Downloaded(PHOTO)


def test_the_proxy_is_never_asked_for_a_bare_address(host: RemoteHost, proxy: str) -> None:
    host.respond("/a", reply(PHOTO))
    for name in ("127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost."):
        assert reason(fetch(host.url("/a", name), proxy, host)) == "refused_host"
    assert host.requests == []


def test_a_proxy_needs_a_list_of_hosts() -> None:
    with pytest.raises(ValueError, match="list of allowed hosts"):
        Downloader(POLICY, UrlPolicy(), proxy_url="http://u:p@127.0.0.1:1")


# ---------------------------------------------------------------- Bright Data's error responses


BRD = {"x_brd_error": "Residential Failed (bad_endpoint): no peer", "x_brd_err_code": "policy_20050"}
RESPONSES: dict[str, tuple[bytes, str]] = {
    "200 with an empty body and an error header": (reply(b"", **BRD), "proxy_error"),
    "402, not allowed for this endpoint": (reply(b"", "402 Payment Required", **BRD), "proxy_402"),
    "502, the target failed": (reply(b"", "502 Bad Gateway", **BRD), "proxy_502"),
    "403 of the proxy's own": (reply(b"", "403 Forbidden", **BRD), "proxy_403"),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_proxy_error_is_distinguished_from_a_host_error(name: str) -> None:
    response, expected = RESPONSES[name]
    with remote_host() as fake_proxy:
        fake_proxy.respond("http://photos.example/a", response)
        url = f"http://u:p@127.0.0.1:{fake_proxy.port}"
        result = asyncio.run(_through(url, "http://photos.example/a"))
    assert isinstance(result, DownloadFailed)
    assert (result.reason, result.fault) == (expected, "upstream")
    assert "no peer" in result.detail


@pytest.mark.parametrize(
    ("status", "expected"),
    [("402 Payment Required", "proxy_402"), ("502 Bad Gateway", "proxy_502"), ("503 Busy", "proxy_503")],
)
def test_a_refused_tunnel_is_a_proxy_error(status: str, expected: str) -> None:
    with remote_host() as fake_proxy:
        fake_proxy.respond("photos.example:443", cut_after(reply(b"", status, **BRD)))
        url = f"http://u:p@127.0.0.1:{fake_proxy.port}"
        result = asyncio.run(_through(url, "https://photos.example/a"))
        assert fake_proxy.requests[0].headers["proxy-authorization"] == "Basic " + b64encode(b"u:p").decode()
    assert isinstance(result, DownloadFailed)
    assert (result.reason, result.fault) == (expected, "upstream")
    assert "no peer" in result.detail


@pytest.mark.parametrize("url", ["http://photos.example/a", "https://photos.example/a"])
def test_407_stops_all_downloads_over_http_and_tunnels(url: str) -> None:
    refusal = cut_after(reply(b"", "407 Auth Failed", Proxy_Authenticate="Basic"))
    with remote_host() as fake_proxy:
        fake_proxy.respond("photos.example:443", refusal)
        fake_proxy.respond("http://photos.example/a", refusal)
        with pytest.raises(UpstreamUnavailable, match=r"photos\.example: .*407.*PROXY_URL"):
            asyncio.run(_through(f"http://u:p@127.0.0.1:{fake_proxy.port}", url))


async def _through(proxy_url: str, url: str) -> Downloaded | DownloadFailed:
    async with Downloader(POLICY, UrlPolicy(hosts=("photos.example",)), proxy_url=proxy_url) as downloader:
        return await downloader.download(url, downloader.now() + 20)


# ---------------------------------------------------------------- the password


def test_the_proxys_password_is_in_no_error_log_warning_or_repr(
    host: RemoteHost, tls_host: RemoteHost, proxy: str, caplog: pytest.LogCaptureFixture, public_authority: Authority
) -> None:
    """After every kind of failure, and when a downloader is never closed."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    host.respond("/cut", cut_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    wrong = proxy.replace(":p4ss", ":wrong-p4ss")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for proxy_url in (proxy, wrong, "http://" + proxy[7:].replace("127.0.0.1", "127.0.0.2")):
            for url in (host.url("/cut", "localhost"), tls_host.url("/a", "localhost")):
                try:
                    texts.append(repr(fetch(url, proxy_url, host, tls_host)))
                except UpstreamUnavailable as error:
                    texts += traceback.format_exception(error)
                    texts += _chain(error)

        async def left_open() -> None:
            downloader = Downloader(
                POLICY, UrlPolicy(hosts=(f"localhost:{tls_host.port}",)), proxy_url=proxy,
                proxy_ca_bundle=public_authority.certificate,
            )  # fmt: skip
            await downloader.__aenter__()
            asyncio.get_running_loop().set_debug(True)
            result = await downloader.download(tls_host.url("/a", "localhost"), downloader.now() + 20)
            assert isinstance(result, Downloaded)
            texts.append(repr(downloader) + repr(downloader.__dict__["_session"].connector.__dict__["_conns"]))
            del downloader
            gc.collect()

        asyncio.run(left_open())
        gc.collect()
    texts += [str(one.message) for one in caught] + [caplog.text]
    all_text = "\n".join(texts)
    assert "Unclosed" in all_text, "no connection was left open, so that part tests nothing"
    for secret in ("p4ss", "w0rd", b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert secret not in all_text


def _chain(error: BaseException | None) -> list[str]:
    """An error and its whole chain of causes, including those that a traceback hides."""
    texts = []
    while error is not None:
        texts.append(repr(error))
        error = error.__cause__ or error.__context__
    return texts
