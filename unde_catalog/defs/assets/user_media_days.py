"""The asset of the user media service's daily figures."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.user_media import media_days
from unde_catalog.stores.staging.user_media.media_days import MediaDay

_HEAD = (
    "| day | batches | photos in batches | stored | single photos | stored | errors | dead letters | MB"
    " | seconds per batch | seconds per single photo | failures by code |"
)


@dg.asset(
    io_manager_key="table_io_manager",
    group_name="operations",
    kinds={"postgres", "nats"},
    tags={"runs": "daily", "costs": "nothing"},
)
def user_media_days(
    context: dg.AssetExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """What `unde-catalog user-media serve` did on each of the last 14 UTC days, including today, without user data.

    The service is not a stage: it works when messages arrive, and Dagster neither starts nor stops it. The asset is
    materialized daily at 00:15. Requests that could not be processed are on the subject `photo_upload_dead`, each with
    its reason.

    On failure: the database could not be read, as the message says; run it again.
    """
    with fail_in_one_sentence("the days could not be counted"), backends.open() as opened:
        days = opened.db.run(media_days.days, media_days.DAYS_SHOWN)
    newest = days[0] if days else None
    counts: dict[str, int] = {}
    if newest is not None:
        stored = newest.batch_stored + newest.singles_stored
        counts = {"batches": newest.batches, "single_photos": newest.singles, "photos_stored": stored}
        counts |= {"errors": newest.errors, "dead_letters": newest.dead, "bytes": newest.bytes}
    table = "\n".join([_HEAD, "|" + "---|" * 12, *map(_line, days)]) if days else "No request ended on these days."
    return dg.MaterializeResult(metadata={"days": dg.MetadataValue.md(table), **counts})


def _line(day: MediaDay) -> str:
    codes = ", ".join(f"{code} {count}" for code, count in sorted(day.codes.items()))
    cells = [
        day.day, day.batches, day.batch_photos, day.batch_stored, day.singles, day.singles_stored, day.errors, day.dead,
        f"{day.bytes / 1e6:.1f}", _seconds(day.mean_batch_seconds), _seconds(day.mean_single_seconds), codes,
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _seconds(mean: float | None) -> str:
    return "" if mean is None else f"{mean:.2f}"
