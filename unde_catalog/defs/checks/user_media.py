"""Whether people who sent photos are answered. What the service did is the asset `user_media_days`."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.user_media import media_days


@dg.asset_check(asset="user_media_days")
def requests_answered(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Whether every request for people's photos of the last day came to an end, and none was put aside."""
    with fail_in_one_sentence("the check could not begin"), backends.open() as opened:
        left = opened.db.run(media_days.unanswered)
    told = []
    if left.silent:
        told.append(
            f"{left.silent} requests were begun over an hour ago and are not answered: does user-media serve run?"
        )
    if left.dead:
        told.append(f"{left.dead} requests of the last day are in photo_upload_dead, the newest because {left.reason}")
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or "every request is answered",
        metadata={"silent": left.silent, "put_aside": left.dead},
    )
