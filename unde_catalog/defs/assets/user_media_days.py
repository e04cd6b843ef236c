"""What the service for people's photos did, day by day."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.user_media import media_days
from unde_catalog.stores.staging.user_media.media_days import MediaDay

_DAYS = 14
_HEAD = (
    "| day | batches | photos of them | stored | single photos | stored | errors | put aside | MB | batch s | single s"
    " | failures by code |"
)


@dg.asset(group_name="operations", kinds={"postgres", "nats"}, tags={"rhythm": "daily", "costs": "nothing"})
def user_media_days(
    context: dg.AssetExecutionContext, backends: dg.ResourceParam[BackendsResource]
) -> dg.MaterializeResult:
    """What `unde-catalog user-media serve` did on each of the last 14 UTC days, today among them; no person is named.

    The service is no stage: it works when messages come, and Dagster neither starts nor stops it. Daily at 00:15, and
    whenever somebody materializes it. `photo_upload_dead` holds what was put aside, each with its reason.

    When red: the database could not be read, as the message says; run it again.
    """
    with fail_in_one_sentence("the days could not be counted"), backends.open() as opened:
        days = opened.db.run(media_days.days, _DAYS)
    newest = days[0] if days else None
    counts: dict[str, int] = {}
    if newest is not None:
        stored = newest.batch_stored + newest.singles_stored
        counts = {"batches": newest.batches, "single_photos": newest.singles, "photos_stored": stored}
        counts |= {"errors": newest.errors, "put_aside": newest.dead, "bytes": newest.bytes}
    table = "\n".join([_HEAD, "|" + "---|" * 12, *map(_line, days)]) if days else "no request ended in these days"
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
