"""How an image is fetched from where its list says that it is: a URL, or a key of our own object store.

How a download behaves is `net/`'s.
"""

import asyncio
from urllib.parse import urlsplit

from unde_catalog.net.download import Downloader, DownloadPolicy
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.services.export.copying import Fetch
from unde_catalog.settings.environment import BrandSettings, Settings
from unde_catalog.settings.s3 import S3Settings, is_private
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore


def downloader(settings: Settings, brand: BrandSettings, parallel: int) -> Downloader:
    """Downloads a brand's photos with its proxy and manners, `parallel` at once from a host."""
    proxy = brand.proxy_url
    return Downloader(
        _manners(settings, brand, parallel),
        UrlPolicy(hosts=brand.photo_hosts if proxy else None, any_host=settings.photo_allow_private_hosts),
        proxy_url=proxy.get_secret_value() if proxy else None,
        proxy_ca_bundle=settings.proxy_ca_bundle,
    )


def bucket_downloader(settings: Settings, brand: BrandSettings, parallel: int, s3: S3Settings) -> Downloader:
    """Downloads from one bucket, which may be in a private network; no proxy, as for its list."""
    where = urlsplit(s3.base_url)
    near = settings.photo_allow_private_hosts or is_private(where.hostname or "")
    return Downloader(_manners(settings, brand, parallel), UrlPolicy(hosts=(where.netloc.lower(),), any_host=near))


def stored(store: ObjectStore, parallel: int) -> Fetch:
    """Reads objects of our own store, `parallel` at once."""
    slots = asyncio.Semaphore(parallel)

    async def fetch(key: str, deadline: float, owner: str) -> Downloaded | DownloadFailed:
        async with slots:
            try:
                return Downloaded(await store.get_async(key))
            except ObjectMissing:
                return DownloadFailed("no_object", "the object is gone", "gone")

    return fetch


def _manners(settings: Settings, brand: BrandSettings, parallel: int) -> DownloadPolicy:
    return DownloadPolicy(
        slots=parallel,
        delay_min=brand.download_delay_min,
        delay_max=brand.download_delay_max,
        timeout=brand.download_timeout,
        max_retries=brand.max_retries,
        max_bytes=settings.photo_max_bytes,
    )
