"""Which runs to ask for: decided from plain values, for schedules and sensors alike.

What is due, in flight or paused is found out by whoever calls; nothing here looks anything up.
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
class RequestedRuns:
    """What a tick would have run. `moment` begins what it stands for (a quarter, an hour, a day), for the run keys.

    `config` is the stage's run configuration, `tags` are more than every run has.
    """

    stage: str
    moment: datetime
    trigger: Trigger
    config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] | None = None

    def request(self, brand: str, partition: str | None = None) -> dg.RunRequest:
        """The run of a brand. Dagster drops a run key that it has seen, for ever: so it holds the moment."""
        return dg.RunRequest(
            run_key=f"{self.stage}:{brand}:{self.moment.astimezone(UTC):%Y-%m-%dT%H:%M}",
            partition_key=partition or brand,
            tags={
                BRAND_TAG: brand, STAGE_TAG: self.stage, "trigger": self.trigger, "lane": STAGE_SPECS[self.stage].lane,
                **(self.tags or {}),
            },
            run_config={"ops": {self.stage: {"config": dict(self.config)}}} if self.config else {},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunRequestPlan:
    """The runs to ask for, and of each brand that is left out the reason."""

    requests: list[dg.RunRequest]
    left_out: dict[str, str]

    def reasons(self) -> str:
        """Brands with the same reason together: `zara, oysho: nothing is due; bershka: a run is in flight`."""
        brands: dict[str, list[str]] = {}
        for brand, why in self.left_out.items():
            brands.setdefault(why, []).append(brand)
        return "; ".join(f"{', '.join(named)}: {why}" for why, named in brands.items())


def ask(
    wanted: RequestedRuns,
    brands: Iterable[str],
    pauses: Sequence[PausedWork],
    *reasons: Mapping[str, str],
    partition: Mapping[str, str] | None = None,
) -> RunRequestPlan:
    """A run for each brand that is neither paused nor named by any of `reasons` (brand -> why not).

    `partition`: the partition key by brand, where it is not the brand.
    """
    requests, left_out = [], {}
    for brand in brands:
        paused = why_paused(pauses, wanted.stage, brand)
        why = paused or next((given[brand] for given in reasons if brand in given), None)
        if why is not None:
            left_out[brand] = why
        else:
            requests.append(wanted.request(brand, (partition or {}).get(brand)))
    return RunRequestPlan(requests, left_out)
