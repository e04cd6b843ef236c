"""A downloader for tests, with a fake clock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from unde_catalog.net.download import Downloader, DownloadPolicy
from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog_tests.support.fake_time import FakeTime

POLICY = DownloadPolicy(slots=10, delay_min=0, delay_max=0, timeout=5, max_retries=3, max_bytes=200_000)
ANYWHERE = UrlPolicy(any_host=True)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40
T = TypeVar("T")


def using(
    work: Callable[[Downloader], Awaitable[T]], time: FakeTime, policy: DownloadPolicy = POLICY, **options: Any
) -> T:
    async def run() -> T:
        async with Downloader(policy, options.pop("targets", ANYWHERE), clock=time.clock, **options) as downloader:
            return await work(downloader)

    return asyncio.run(run())


def fetch(url: str, time: FakeTime, policy: DownloadPolicy = POLICY, seconds: float = 120, **options: Any):
    return using(lambda downloader: downloader.download(url, time.time + seconds), time, policy, **options)


def reason(result: Downloaded | DownloadFailed) -> str:
    return result.reason if isinstance(result, DownloadFailed) else "downloaded"
