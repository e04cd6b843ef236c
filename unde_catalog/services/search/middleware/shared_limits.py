"""Token buckets in Redis, which all processes of the API share. Those of one process are in `rate_limits.py`."""

import logging
from collections.abc import Awaitable
from time import monotonic
from typing import Any, cast

from unde_catalog.services.search.middleware.rate_limits import RateLimiter
from unde_catalog.settings.environment import Settings

LOG = logging.getLogger("unde_catalog.services.search")

_SECONDS = 0.2  # for Redis to answer: a limit must not be slower than a search
_PAUSE = 5.0  # seconds for which Redis is not asked after it did not answer

# As `RateLimiter.take`. The time is the server's, so that the clocks of machines do not matter. A full bucket is none.
_TAKE = """
local capacity, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local available = tonumber(bucket[1]) or capacity
available = math.min(capacity, available + math.max(0, now - (tonumber(bucket[2]) or now)) * capacity / 60)
local wait = 0
if available < 1 then wait = (1 - available) * 60 / capacity else available = available - tokens end
redis.call('HSET', KEYS[1], 'tokens', tostring(available), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], 61)
return tostring(wait)
"""


class RedisBuckets:
    """Takes tokens in Redis, for event loops. While Redis does not answer, each process counts for itself."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis = Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
        self._not_before = 0.0

    async def take(self, name: str, per_minute: int, tokens: int) -> float | None:
        """The seconds until a token is available, 0.0 where they were taken; None while Redis does not answer."""
        from redis.exceptions import RedisError

        if monotonic() < self._not_before:
            return None
        try:
            called = self._redis.eval(_TAKE, 1, f"unde:rate:{name}", str(per_minute), str(tokens))
            return float(await cast(Awaitable[Any], called))
        except (RedisError, OSError) as error:
            self._not_before = monotonic() + _PAUSE
            LOG.warning("rate limits are per process until Redis answers: %s", type(error).__name__)
            return None


def open_buckets(settings: Settings) -> RedisBuckets | None:
    """The buckets in REDIS_URL; None without it or without the package. The log says which limits are in force."""
    if settings.redis_url is None:
        LOG.info("rate limits are per process, as REDIS_URL is not set")
        return None
    try:
        return RedisBuckets(settings.redis_url.get_secret_value())
    except ModuleNotFoundError:
        LOG.warning("rate limits are per process: REDIS_URL needs the extra [celery], which has the client of Redis")
        return None


class SharedLimiter:
    """A limit that all processes share where there are `buckets`, else this process's own."""

    def __init__(self, kind: str, per_minute: int, buckets: RedisBuckets | None) -> None:
        """`per_minute`: 0 disables the limit. `kind` is part of the bucket's name."""
        self._kind, self._per_minute, self._buckets = kind, per_minute, buckets
        self._own = RateLimiter(per_minute)

    async def take(self, client: str, now: float, tokens: int = 1) -> float:
        """As `RateLimiter.take`; `now` counts only where this process counts for itself."""
        if self._buckets is not None and self._per_minute:
            wait = await self._buckets.take(f"{self._kind}:{client}", self._per_minute, tokens)
            if wait is not None:
                return wait
        return self._own.take(client, now, tokens)
