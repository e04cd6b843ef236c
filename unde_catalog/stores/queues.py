"""Celery's queues in Redis: how many steps wait in each, for how long, and how many workers serve it.

Steps are sent by `defs/queues/`. Nothing here knows Dagster.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unde_catalog.settings.environment import Settings, SettingsError

QUEUED_AT = "unde_queued_at"  # a header of a message: seconds since 1970
_SECONDS = 5.0
_REPLY_SECONDS = 2.0


class BrokerUnavailable(RuntimeError):
    """Redis cannot be used; the message says why, without the password."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue. `waiting`: steps that no worker has taken; `oldest`: seconds that the first of them has waited."""

    name: str
    workers: int
    waiting: int
    oldest: float | None


def broker_url(settings: Settings) -> str:
    """`REDIS_URL`, as Celery needs it; `SettingsError` if it is not set."""
    if settings.redis_url is None:
        raise SettingsError("REDIS_URL: required with EXECUTOR=celery")
    url = settings.redis_url.get_secret_value()
    if url.startswith("rediss://") and "ssl_cert_reqs" not in url:
        url += ("&" if "?" in url else "?") + "ssl_cert_reqs=required"  # Celery does not verify by itself
    return url


def queue_states(settings: Settings, names: Sequence[str]) -> list[QueueState]:
    """The state of each of these queues; `BrokerUnavailable` if Redis does not answer."""
    import redis
    from celery import Celery
    from kombu.exceptions import OperationalError

    url = broker_url(settings)
    try:
        with redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            waiting = {name: (client.llen(name), client.lindex(name, -1)) for name in names}
        with Celery(broker=url, set_as_current=False) as app:
            replies = app.control.inspect(timeout=_REPLY_SECONDS).active_queues() or {}
    except (redis.RedisError, OperationalError) as error:
        raise BrokerUnavailable(f"Redis cannot be used: {error}") from error
    workers = Counter(queue["name"] for queues in replies.values() for queue in queues)
    return [QueueState(name, workers[name], count, _age(first)) for name, (count, first) in waiting.items()]


def free_slots(settings: Settings, name: str) -> int:
    """How many more steps the workers of a queue could start at once now; `BrokerUnavailable` if Redis is not there."""
    import redis
    from celery import Celery
    from kombu.exceptions import OperationalError

    url = broker_url(settings)
    try:
        with redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            waiting = client.llen(name)
        with Celery(broker=url, set_as_current=False) as app:
            queues = app.control.inspect(timeout=_REPLY_SECONDS).active_queues() or {}
            serving = [worker for worker, served in queues.items() if any(one["name"] == name for one in served)]
            if not serving:
                return 0
            inspect = app.control.inspect(destination=serving, timeout=_REPLY_SECONDS)
            stats, active = inspect.stats() or {}, inspect.active() or {}
    except (redis.RedisError, OperationalError) as error:
        raise BrokerUnavailable(f"Redis cannot be used: {error}") from error
    slots = sum(one["pool"]["max-concurrency"] for one in stats.values())
    return max(0, slots - sum(map(len, active.values())) - waiting)


def _age(message: bytes | str | None) -> float | None:
    if message is None:
        return None
    queued_at = json.loads(message)["headers"].get(QUEUED_AT)
    return None if queued_at is None else max(0.0, time.time() - queued_at)
