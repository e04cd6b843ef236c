"""Adopts a deployed database: migrates it, pauses what the deployed services still do, records what they stored.

Each step can be repeated and goes on where a killed run stopped. Products are adopted by `stages/adoption/`.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.takeover.handover import DEPLOYED_STAGES, DEPLOYED_WHY
from unde_catalog.stages.run import adopt_products
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.staging.admin import takeover
from unde_catalog.stores.staging.due_work import pauses, work_queue
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.worker.report import RunOptions, StageReport

Announce = Callable[[str], None]


@dataclass(slots=True)
class Adoption:
    """What was done: revisions that ran, stages that are left to deployed services, the report of each brand."""

    migrations: Sequence[str] = ()
    paused: list[str] = field(default_factory=list)
    reports: list[StageReport] = field(default_factory=list)

    def total(self, count: str) -> int:
        """The sum of a count over all reports."""
        return sum(report.counts[count] for report in self.reports)


def adopt(
    backends: Backends,
    options: RunOptions,
    log: logging.Logger,
    announce: Announce,
    *,
    pause: bool = True,
    trust_sizes: bool = False,
) -> Adoption:
    """Adopt all brands. `pause`: leave the stages that deployed services do to them, until each is handed over.

    `trust_sizes`: record photos as the bucket lists them; they are read and hashed later.

    `StageStopped` when the bucket or the database can't be used; what was adopted until then stays.
    """
    result = Adoption()
    announce("migrating the staging database")
    result.migrations = STAGING.upgrade(backends.staging_url())
    db = backends.db
    if pause and "0021" in result.migrations:  # later, only what an operator paused is paused
        for stage in DEPLOYED_STAGES:
            db.run(pauses.pause, pauses.ALL, stage, DEPLOYED_WHY)
    left = [one for one in db.read(pauses.all_pauses) if one.brand == pauses.ALL and one.why == DEPLOYED_WHY]
    if not pause:
        for one in left:
            db.run(pauses.end_one, pauses.ALL, one.stage)
    result.paused = [one.stage for one in left] if pause else []
    if not trust_sizes:
        db.run(adoption.bring_forward)
    brands = [brand for brand in db.read(takeover.unadopted) if brand in BRANDS]
    for brand in brands:
        announce(f"adopting {brand}")
        # A killed adoption holds its products for minutes. Whoever still works on one loses nothing but time.
        db.run(work_queue.release_all, adoption.STAGE, brand)
        result.reports.append(adopt_products(StageRun(brand, backends, options, log), trust_sizes=trust_sizes))
    return result
