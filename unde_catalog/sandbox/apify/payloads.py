"""JSON bodies of Apify's API v2: runs, tasks, datasets, users, errors.

No HTTP and no state belong here.
"""

from datetime import UTC, datetime
from typing import Any

from unde_catalog.sandbox.apify.runs import Run
from unde_catalog.sandbox.identity import TASK_IDS, stable_id

USER_ID = stable_id("user")
MAX_COUNT_LAG = 2.0  # seconds for which an item count lags behind the end of a run; at most the run's duration


def timestamp(seconds: float) -> str:
    """Formats seconds since the epoch as Apify does: 2026-01-31T02:00:00.123Z."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def error(type_: str, message: str) -> dict[str, Any]:
    """Returns the body of an error response."""
    return {"error": {"type": type_, "message": message}}


def run(run: Run, now: float, item_count: int) -> dict[str, Any]:
    """Returns a run as in `GET /v2/actor-runs/{id}`."""
    ended = now >= run.ends_at
    status = run.status(now)
    seconds = min(now, run.ends_at) - run.started_at
    return {
        "id": run.id,
        "actId": stable_id("actor", run.brand),
        "userId": USER_ID,
        "actorTaskId": run.task_id,
        "startedAt": timestamp(run.started_at),
        "finishedAt": timestamp(run.ends_at) if ended else None,
        "status": status,
        "statusMessage": _message(status, item_count),
        "isStatusMessageTerminal": ended,
        "meta": {"origin": "API", "clientIp": run.client_ip, "userAgent": run.user_agent},
        "stats": {
            "inputBodyLen": run.body_bytes,
            "migrationCount": 0,
            "restartCount": 0,
            "resurrectCount": 0,
            "durationMillis": round(seconds * 1000),
            "runTimeSecs": round(seconds, 3),
            "computeUnits": round(seconds / 3600, 6),
        },
        "options": {"build": "latest", "timeoutSecs": 21600, "memoryMbytes": 1024, "diskMbytes": 2048},
        "buildId": stable_id("build", run.brand),
        "exitCode": {"SUCCEEDED": 0, "FAILED": 1}.get(status),
        "defaultKeyValueStoreId": stable_id("kv", run.id),
        "defaultDatasetId": run.dataset_id,
        "defaultRequestQueueId": stable_id("queue", run.id),
        "buildNumber": "0.1.1",
        "usageTotalUsd": round(item_count * 0.0005, 4),
    }


def run_in_list(full: dict[str, Any]) -> dict[str, Any]:
    """Returns a run as in lists: some of the fields of `run`."""
    return {name: full[name] for name in _LIST_FIELDS}


def page(items: list[dict[str, Any]], total: int, offset: int, limit: int, desc: bool) -> dict[str, Any]:
    """Returns a page of a list with its pagination fields."""
    return {
        "data": {
            "total": total,
            "count": len(items),
            "offset": offset,
            "limit": limit,
            "desc": desc,
            "items": items,
        }
    }


def task(brand: str, total_runs: int) -> dict[str, Any]:
    """Returns an actor task: a preset run of the brand's actor."""
    return {
        "id": TASK_IDS[brand],
        "userId": USER_ID,
        "actId": stable_id("actor", brand),
        "name": f"{brand}-dubai",
        "username": "sandbox",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "modifiedAt": "2026-01-01T00:00:00.000Z",
        "removedAt": None,
        "stats": {"totalRuns": total_runs},
        "options": {"build": "latest", "timeoutSecs": 21600, "memoryMbytes": 1024},
        "input": {"region": "ae/en", "maxItems": 20000},
    }


def dataset(run: Run, now: float, item_count: int, *, count_lags: bool) -> dict[str, Any]:
    """Returns a run's default dataset; with `count_lags` its item count is too low for a while after the run's end."""
    lag = min(MAX_COUNT_LAG, run.ends_at - run.started_at) if count_lags else 0.0
    if run.ends_at <= now < run.ends_at + lag:
        item_count = item_count * 4 // 5
    modified = timestamp(min(now, run.ends_at))
    return {
        "id": run.dataset_id,
        "name": None,
        "userId": USER_ID,
        "createdAt": timestamp(run.started_at),
        "modifiedAt": modified,
        "accessedAt": timestamp(now),
        "itemCount": item_count,
        "cleanItemCount": item_count,
        "actId": stable_id("actor", run.brand),
        "actRunId": run.id,
        "fields": [],
        "consoleUrl": f"https://console.apify.com/storage/datasets/{run.dataset_id}",
        "stats": {"readCount": 0, "writeCount": item_count, "storageBytes": 0},
    }


def user() -> dict[str, Any]:
    """Returns the account of the token."""
    return {
        "id": USER_ID,
        "username": "sandbox",
        "profile": {"name": "Sandbox"},
        "email": "sandbox@example.com",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "isPaying": False,
    }


_LIST_FIELDS = (
    "id",
    "actId",
    "userId",
    "actorTaskId",
    "status",
    "startedAt",
    "finishedAt",
    "buildId",
    "buildNumber",
    "meta",
    "usageTotalUsd",
    "defaultKeyValueStoreId",
    "defaultDatasetId",
    "defaultRequestQueueId",
)


def _message(status: str, item_count: int) -> str:
    messages = {
        "READY": "Waiting for a free worker",
        "RUNNING": f"Scraped {item_count} products so far",
        "SUCCEEDED": f"Finished with {item_count} products",
        "FAILED": f"The website stopped responding after {item_count} products",
        "TIMED-OUT": f"Timed out after {item_count} products",
        "ABORTED": f"Aborted after {item_count} products",
    }
    return messages[status]
