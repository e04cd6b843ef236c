"""Rate limits of several processes of the search API, with a real Redis."""

import asyncio
from pathlib import Path

import pytest

from unde_catalog.services.search.middleware.shared_limits import RedisBuckets, SharedLimiter
from unde_catalog_tests.support.redis_servers import running_redis
from unde_catalog_tests.support.search_api import OpenApi
from unde_catalog_tests.support.servers import closed_port


def allowed(limiters: list[SharedLimiter], tries: int, client: str = "203.0.113.9") -> int:
    """How many requests pass that go to the processes in turn."""

    async def requests() -> list[float]:
        return [await limiters[n % len(limiters)].take(client, 0.0) for n in range(tries)]

    return asyncio.run(requests()).count(0.0)


def test_processes_share_a_limit_through_redis(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as url:
        assert allowed([SharedLimiter("address", 10, RedisBuckets(url)) for _ in range(3)], 30) == 10
        assert allowed([SharedLimiter("address", 10, RedisBuckets(url))], 3, "203.0.113.10") == 3
        assert allowed([SharedLimiter("key", 10, RedisBuckets(url))], 3) == 3  # another kind of limit


def test_without_redis_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    url = f"redis://127.0.0.1:{closed_port()}/0"
    assert allowed([SharedLimiter("address", 10, RedisBuckets(url)) for _ in range(3)], 60) == 30
    assert caplog.messages.count("rate limits are per process until Redis answers: ConnectionError") == 3


def test_checking_without_tokens_takes_none_and_tells_the_wait(tmp_path: Path) -> None:
    async def waits(url: str) -> list[float]:
        limiter = SharedLimiter("wrong_keys", 1, RedisBuckets(url))
        return [await limiter.take("a", 0.0, tokens) for tokens in (0, 0, 1, 0)]

    with running_redis(tmp_path / "redis") as url:
        *passed, wait = asyncio.run(waits(url))
    assert passed == [0.0, 0.0, 0.0]
    assert 50 < wait <= 60


def test_the_api_answers_429_when_another_process_used_the_limit(open_api: OpenApi, tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as url:
        first = open_api(REDIS_URL=url, SEARCH_RATE_PER_MINUTE="2")
        second = open_api(REDIS_URL=url, SEARCH_RATE_PER_MINUTE="2")
        statuses = [api.get("/api/v1/products").status_code for api in (first, second, first)]
    assert statuses == [200, 200, 429]
