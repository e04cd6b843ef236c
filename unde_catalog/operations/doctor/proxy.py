"""The proxy that photos come through: one small request to a photo host, as the originals stage would make it."""

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
_LOOK_SECONDS = 1.5  # for the newest product's photo host
_FEW_BYTES = 4_096  # of what the host says; traffic is paid for
_TARGET_FAILED = ("proxy_502", "proxy_503", "proxy_504", "tls", "broken_answer")  # past the proxy's own door
_OF_THE_LINE = ("timeout", "out_of_time", "reset", "no_connection", "no_such_host")


def look_at_proxy(settings: Settings, databases: Databases) -> Finding:
    """Whether it takes our credentials and gets us to a photo host."""
    if settings.proxy_url is None:
        return not_configured("photos are fetched directly", "PROXY_URL")
    through = {key: brand for key, brand in settings.brands.items() if brand.proxy_url and brand.photo_hosts}
    if not through:
        return yellow("no brand uses it", "ZARA_USE_PROXY")
    brand, url = _target(through, databases)
    proxy = host_of(settings.proxy_url.get_secret_value())
    try:
        answer = asyncio.run(_ask(url, through[brand], settings))
    except UnusableBundle as error:
        return red(first_line(error), "PROXY_CA_BUNDLE")
    except UpstreamUnavailable as error:
        return red(first_line(error), "PROXY_URL")
    except ValueError:  # its words may be a part of the password
        return red("is no address of a proxy", "PROXY_URL")
    return _meaning(answer, proxy, host_of(url), brand)


def _meaning(answer: Downloaded | DownloadFailed, proxy: str, host: str, brand: str) -> Finding:
    if isinstance(answer, Downloaded):
        return green(f"{proxy} leads to {host}")
    told = f"{proxy} on the way to {host}: {answer.detail} ({answer.reason})"
    if answer.reason == "tls_certificate":
        return red(f"{told}; a proxy that re-signs TLS has an authority of its own", "PROXY_CA_BUNDLE")
    if answer.reason in _TARGET_FAILED:
        return yellow(f"{told}; the credentials are taken", f"{brand.upper()}_PHOTO_HOSTS")
    if answer.reason == "refused_host" and not answer.detail.startswith("redirected"):
        return yellow(told, f"{brand.upper()}_PHOTO_HOSTS")
    if answer.reason.startswith("proxy_") or answer.reason in _OF_THE_LINE:
        return red(told, "PROXY_URL")
    return green(f"{proxy} leads to {host}")  # which answers, whatever it thinks of the question


async def _ask(url: str, brand: BrandSettings, settings: Settings) -> Downloaded | DownloadFailed:
    manners = DownloadPolicy(1, 0, 0, timeout=_SECONDS, max_retries=0, max_bytes=_FEW_BYTES)
    targets = UrlPolicy(hosts=brand.photo_hosts, any_host=settings.photo_allow_private_hosts)
    assert brand.proxy_url is not None  # the caller chose among those
    async with Downloader(
        manners,
        targets,
        proxy_url=brand.proxy_url.get_secret_value(),
        proxy_ca_bundle=settings.proxy_ca_bundle,
    ) as downloader:
        return await downloader.download(url, downloader.now() + _SECONDS + 1)


def _target(through: dict[str, BrandSettings], databases: Databases) -> tuple[str, str]:
    """A brand and a photo host's front page: of the newest product, else of the first host in a brand's list."""
    newest = within(_LOOK_SECONDS, lambda: _newest_photo(databases, list(through)))
    if newest is not None:
        return newest
    brand, hosts = next((key, one.photo_hosts) for key, one in through.items())
    host = hosts[0].replace("*.", "static.")
    port = host.partition(":")[2]
    return brand, f"{'https' if port in ('', '443') else 'http'}://{host}/"


def _newest_photo(databases: Databases, brands: list[str]) -> tuple[str, str] | None:
    with databases.staging(_LOOK_SECONDS) as db:
        found = db.run(privileges.newest_photo, brands)
    return (found[0], f"{URL(found[1]).origin()}/") if found else None
