"""Deletes what is past its retention time: database rows, manifests, unfinished files. Ends the rows of killed runs.

The SQL is in `stores/staging/admin/old_rows.py`. Dagster's runs are pruned in `defs/automation/run_pruning.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.photos import manifest
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.objects import ObjectInfo, ObjectStore
from unde_catalog.stores.staging.admin import old_rows
from unde_catalog.stores.staging.due_work import stage_runs

_UNFINISHED_AGE = timedelta(days=1)  # a put takes a minute at most


def delete_old_rows(db: Database, settings: Settings) -> dict[str, int]:
    """Delete rows that are past their retention time; returns the number of deleted rows by table."""
    rules: Sequence[tuple[str, old_rows.DeleteChunk, int]] = (
        ("raw_availability", old_rows.delete_availability, settings.availability_keep_days),
        ("scraper_logs", old_rows.delete_logs, settings.log_keep_days),
        ("user_media_requests", old_rows.delete_user_media_requests, settings.log_keep_days),
        ("rejected_items", old_rows.delete_rejected_items, settings.scrape_keep_days),
        ("scrapes", old_rows.delete_scrapes, settings.scrape_keep_days),
        ("webhook_deliveries", old_rows.delete_webhook_deliveries, settings.log_keep_days),
    )
    deleted = dict.fromkeys((table for table, _, _ in rules), 0)
    for table, rule, days in rules:
        while (chunk := db.run(rule, timedelta(days=days))) > 0:
            deleted[table] += chunk
            if chunk < old_rows.CHUNK:
                break
    return deleted


def end_killed_runs(db: Database) -> int:
    """End the rows of `scraper_logs` whose process was killed; returns their number."""
    return db.run(stage_runs.end_killed)


def delete_old_manifests(store: ObjectStore, settings: Settings, now: datetime | None = None) -> int:
    """Delete manifests older than `MANIFEST_KEEP_DAYS`, except the newest of each partition; returns their number."""
    before = (now or datetime.now(UTC)) - timedelta(days=settings.manifest_keep_days)
    deleted = 0
    for asset in store.folders("manifests"):
        for brand in store.folders(f"manifests/{asset}"):
            newest = manifest.newest_key(store, asset, brand)
            for month in store.folders(f"manifests/{asset}/{brand}"):
                if month <= f"{before:%Y-%m}":
                    old = [info for info in store.list(f"manifests/{asset}/{brand}/{month}") if _is_old(info, before)]
                    keys = [info.key for info in old if info.key != newest]
                    store.delete(keys)
                    deleted += len(keys)
    return deleted


def remove_unfinished_files(store: ObjectStore, now: datetime | None = None) -> int:
    """Remove files that interrupted writers of photos and collages left unfinished; returns their number."""
    return store.remove_leftovers((now or datetime.now(UTC)) - _UNFINISHED_AGE)


def _is_old(info: ObjectInfo, before: datetime) -> bool:
    """By the time in its name: in a copied store, modification times are those of the copy."""
    return info.key.rpartition("/")[2] < f"{before:%Y%m%dT%H%M%S}" and info.key.endswith(".parquet")
