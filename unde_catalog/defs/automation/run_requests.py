"""Decides which runs a tick requests, from plain values; used by schedules and sensors.

The caller looks up what is due, in flight or paused. Nothing here reads a database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from unde_catalog.defs.automation.in_flight import BRAND_TAG, STAGE_TAG
from unde_catalog.stage_specs import STAGE_SPECS, Trigger
from unde_catalog.stores.staging.due_work.pauses import PausedWork, why_paused


@dataclass(frozen=True, slots=True)
class RunTemplate:
    """What the runs of one tick have in common. `moment` starts the period they stand for (quarter, hour, day).

    `config` is the stage's run configuration; `tags` are added to those that every run has.
    """

    stage: str
    moment: datetime
    trigger: Trigger
    config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] | None = None

    def request(self, brand: str, partition: str | None = None, number: int = 1) -> dg.RunRequest:
        """The run of a brand. The run key contains the moment, because Dagster never repeats a run key.

        `number` counts several runs of a brand at the same moment.
        """
        suffix = f":{number}" if number > 1 else ""
        return dg.RunRequest(
            run_key=f"{self.stage}:{brand}:{self.moment.astimezone(UTC):%Y-%m-%dT%H:%M}{suffix}",
            partition_key=partition or brand,
            tags={
                BRAND_TAG: brand, STAGE_TAG: self.stage, "trigger": self.trigger, "lane": STAGE_SPECS[self.stage].lane,
                **(self.tags or {}),
            },
            run_config={"ops": {self.stage: {"config": dict(self.config)}}} if self.config else {},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunRequestPlan:
    """The runs to request, and the reason for each brand that gets none."""

    requests: list[dg.RunRequest]
    skipped: dict[str, str]

    def reasons(self) -> str:
        """The skipped brands, grouped by reason: `zara, oysho: nothing is due; bershka: a run is in flight`."""
        brands: dict[str, list[str]] = {}
        for brand, reason in self.skipped.items():
            brands.setdefault(reason, []).append(brand)
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in brands.items())


def plan_runs(
    template: RunTemplate,
    brands: Iterable[str],
    pauses: Sequence[PausedWork],
    *skip_reasons: Mapping[str, str],
    partitions: Mapping[str, str] | None = None,
    numbers: Mapping[str, Sequence[int]] | None = None,
) -> RunRequestPlan:
    """A run for each brand that is not paused and has no entry in any of `skip_reasons` (brand -> reason).

    `partitions`: the partition key by brand, where it is not the brand itself. `numbers`: the runs of a brand by their
    numbers, where it is not one alone.
    """
    requests, skipped = [], {}
    for brand in brands:
        reason = why_paused(pauses, template.stage, brand)
        reason = reason or next((reasons[brand] for reasons in skip_reasons if brand in reasons), None)
        if reason is not None:
            skipped[brand] = reason
        else:
            for number in (numbers or {}).get(brand, [1]):
                requests.append(template.request(brand, (partitions or {}).get(brand), number))
    return RunRequestPlan(requests, skipped)
