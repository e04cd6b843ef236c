"""Fetches an image from its location: a URL, or a key of the object store.

`net/` defines how downloads behave.
"""

import asyncio
from urllib.parse import urlsplit

from unde_catalog.net.download import Downloader, DownloadPolicy
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.services.export.copier import Fetch
from unde_catalog.settings.environment import BrandSettings, Settings
from unde_catalog.settings.s3 import S3Settings, is_private
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore


def brand_downloader(settings: Settings, brand: BrandSettings, parallel: int) -> Downloader:
    """Downloads a brand's photos with its proxy and rate limits. `parallel`: concurrent downloads per host."""
    proxy = brand.proxy_url
    return Downloader(
        _download_policy(settings, brand, parallel),
        UrlPolicy(hosts=brand.photo_hosts if proxy else None, any_host=settings.photo_allow_private_hosts),
        proxy_url=proxy.get_secret_value() if proxy else None,
        proxy_ca_bundle=settings.proxy_ca_bundle,
    )


def bucket_downloader(settings: Settings, brand: BrandSettings, parallel: int, s3: S3Settings) -> Downloader:
    """Downloads from one bucket without a proxy. The bucket may be in a private network."""
    url = urlsplit(s3.base_url)
    any_host = settings.photo_allow_private_hosts or is_private(url.hostname or "")
    policy = UrlPolicy(hosts=(url.netloc.lower(),), any_host=any_host)
    return Downloader(_download_policy(settings, brand, parallel), policy)


def object_fetcher(store: ObjectStore, parallel: int) -> Fetch:
    """Reads objects of the object store. `parallel`: concurrent reads."""
    slots = asyncio.Semaphore(parallel)

    async def fetch(key: str, deadline: float, external_id: str) -> Downloaded | DownloadFailed:
        async with slots:
            try:
                return Downloaded(await store.get_async(key))
            except ObjectMissing:
                return DownloadFailed("no_object", "the object does not exist", "gone")

    return fetch


def _download_policy(settings: Settings, brand: BrandSettings, parallel: int) -> DownloadPolicy:
    return DownloadPolicy(
        slots=parallel,
        delay_min=brand.download_delay_min,
        delay_max=brand.download_delay_max,
        timeout=brand.download_timeout,
        max_retries=brand.max_retries,
        max_bytes=settings.photo_max_bytes,
    )
