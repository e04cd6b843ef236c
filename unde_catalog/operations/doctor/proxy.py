"""Checks the proxy for photos with one small request to a photo host, as the originals stage would send it."""

import asyncio

from yarl import URL

from unde_catalog.net.download import Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.tls import UnusableBundle
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.result import Finding, green, host_of, not_configured, red, yellow
from unde_catalog.operations.doctor.run import within
from unde_catalog.settings.environment import BrandSettings, Settings
from unde_catalog.stores.staging.admin import privileges
from unde_catalog.text import first_line

_SECONDS = 8.0
_QUERY_SECONDS = 1.5  # to find the photo host of the newest product
_MAX_BYTES = 4_096  # of the response, because traffic costs money
_TARGET_FAILED = ("proxy_502", "proxy_503", "proxy_504", "tls", "broken_answer")  # the proxy accepted the request
_CONNECTION_FAILED = ("timeout", "out_of_time", "reset", "no_connection", "no_such_host")


def check_proxy(settings: Settings, databases: Databases) -> Finding:
    """The proxy accepts the credentials and reaches a photo host."""
    if settings.proxy_url is None:
        return not_configured("photos are downloaded directly", "PROXY_URL")
    brands = {key: brand for key, brand in settings.brands.items() if brand.proxy_url and brand.photo_hosts}
    if not brands:
        return yellow("no brand uses the proxy", "ZARA_USE_PROXY")
    brand, url = _target(brands, databases)
    proxy = host_of(settings.proxy_url.get_secret_value())
    try:
        result = asyncio.run(_download(url, brands[brand], settings))
    except UnusableBundle as error:
        return red(first_line(error), "PROXY_CA_BUNDLE")
    except UpstreamUnavailable as error:
        return red(first_line(error), "PROXY_URL")
    except ValueError:  # its message may contain a part of the password
        return red("PROXY_URL is not the URL of a proxy", "PROXY_URL")
    return _interpret(result, proxy, host_of(url), brand)


def _interpret(result: Downloaded | DownloadFailed, proxy: str, host: str, brand: str) -> Finding:
    if isinstance(result, Downloaded):
        return green(f"{proxy} reaches {host}")
    failure = f"{proxy} to {host}: {result.detail} ({result.reason})"
    if result.reason == "tls_certificate":
        return red(f"{failure}; a proxy that re-signs TLS needs its CA certificate", "PROXY_CA_BUNDLE")
    if result.reason in _TARGET_FAILED:
        return yellow(f"{failure}; the proxy accepts the credentials", f"{brand.upper()}_PHOTO_HOSTS")
    if result.reason == "refused_host" and not result.detail.startswith("redirected"):
        return yellow(failure, f"{brand.upper()}_PHOTO_HOSTS")
    if result.reason.startswith("proxy_") or result.reason in _CONNECTION_FAILED:
        return red(failure, "PROXY_URL")
    return green(f"{proxy} reaches {host}")  # the host responded, with whatever status


async def _download(url: str, brand: BrandSettings, settings: Settings) -> Downloaded | DownloadFailed:
    policy = DownloadPolicy(1, 0, 0, timeout=_SECONDS, max_retries=0, max_bytes=_MAX_BYTES)
    targets = UrlPolicy(hosts=brand.photo_hosts, any_host=settings.photo_allow_private_hosts)
    assert brand.proxy_url is not None  # the caller selected brands with a proxy
    async with Downloader(
        policy,
        targets,
        proxy_url=brand.proxy_url.get_secret_value(),
        proxy_ca_bundle=settings.proxy_ca_bundle,
    ) as downloader:
        return await downloader.download(url, downloader.now() + _SECONDS + 1)


def _target(brands: dict[str, BrandSettings], databases: Databases) -> tuple[str, str]:
    """A brand and the root URL of its photo host: that of the newest product, else the first configured host."""
    newest = within(_QUERY_SECONDS, lambda: _newest_photo(databases, list(brands)))
    if newest is not None:
        return newest
    brand, hosts = next((key, one.photo_hosts) for key, one in brands.items())
    host = hosts[0].replace("*.", "static.")
    port = host.partition(":")[2]
    return brand, f"{'https' if port in ('', '443') else 'http'}://{host}/"


def _newest_photo(databases: Databases, brands: list[str]) -> tuple[str, str] | None:
    with databases.staging(_QUERY_SECONDS) as db:
        photo = db.run(privileges.newest_photo, brands)
    return (photo[0], f"{URL(photo[1]).origin()}/") if photo else None
