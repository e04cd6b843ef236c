"""The check that user media requests are answered. What the service did is in the asset `user_media_days`."""

import dagster as dg

from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.stores.staging.user_media import media_days
from unde_catalog.text import quantity


@dg.asset_check(asset="user_media_days")
def requests_answered(backends: dg.ResourceParam[BackendsResource]) -> dg.AssetCheckResult:
    """Every user media request of the last day was answered, and none became a dead letter."""
    with fail_in_one_sentence("the check could not start"), backends.open() as opened:
        left = opened.db.run(media_days.unanswered)
    problems = []
    if left.silent:
        problems.append(
            f"{quantity(left.silent, 'request')} started more than an hour ago without an answer: check that "
            "unde-catalog user-media serve runs."
        )
    if left.dead:
        problems.append(
            f"{quantity(left.dead, 'request')} of the last day became dead letters (photo_upload_dead). The reason of "
            f"the newest one: {left.reason}."
        )
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(problems) or "Every request is answered.",
        metadata={"silent": left.silent, "dead_letters": left.dead},
    )
