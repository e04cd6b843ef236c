"""The stages: what other modules need to know of a stage without importing it, once, in pipeline order.

What a stage does is in `stages/`; what differs by brand is in `brands.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from unde_catalog.brands import BRANDS

Lane = Literal["stock", "work"]  # the `lane` tag of its scheduled runs; dagster.yaml limits runs by lane
Trigger = Literal["schedule", "sensor"]

DEFAULT_QUEUE = "default"  # of steps that are no stage: checks in the run of a stage, and the report
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long a stage may go without a successful run: it is late after `warn`, urgent after `alert` (None: never).

    `only_while_due`: the stage is late only while a product has been due for that long.
    """

    warn: timedelta
    alert: timedelta | None
    only_while_due: bool = False


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage.

    `name` is the asset, the value of `due_work.stage` and the argument of `unde-catalog run`; `label` is for reports.
    `job` is the Dagster job that runs this stage alone, `description` what it does;
    `group` is the asset group; `upstream` are the stages it reads from.
    `counters` are the counts of its own that a run reports, also when they are 0.
    `interval` is the usual time between two runs of a brand; `active_for` is how long after a run the next one counts
    as near, so that an estimate of when its work is done makes sense.
    `batch_size` is the default number of products one take leases at most; None for a stage that leases none.
    `role` is the database role of a worker that runs only this stage; None where there is no such role.
    `queue` is the Celery queue of its step; `pool` is the Dagster pool; None for a stage that must start on time.
    `products_per_run`: for each so many due products, another run of a brand is worth its start where workers are free;
    None: one run of a brand at a time, as the stage sends requests to hosts of others.
    `memory_mb` is what its process needs at most, and `cpus` how many it can use; for Kubernetes.
    `due_work`: it works through rows of `due_work`. `recurs`: every product is due again after an interval.
    `syncs_removals`: it has to learn of products that are no longer on sale, so those stay due.
    `needs_stores`: it applies only to brands with stores.
    """

    name: str
    label: str
    job: str
    group: str
    description: str
    counters: tuple[str, ...]
    interval: timedelta
    lateness: Lateness
    upstream: tuple[str, ...] = ()
    trigger: Trigger = "schedule"
    queue: str = DEFAULT_QUEUE
    lane: Lane = "work"
    pool: str | None = None
    role: str | None = None
    batch_size: int | None = None
    products_per_run: int | None = None
    memory_mb: int = 1024
    cpus: int = 1
    active_for: timedelta = timedelta()
    due_work: bool = True
    recurs: bool = False
    syncs_removals: bool = False
    needs_stores: bool = False


# The limits of lateness leave each schedule an hour or a day of slack. Collecting alerts before PUBLISH_MAX_AGE_DAYS
# takes a brand off sale; stock and prices, which shoppers see, after half a working day; photos can wait until morning.
_PHOTO_WORK = Lateness(_HOUR, 12 * _HOUR, only_while_due=True)
_HOURLY = Lateness(2 * _HOUR, 6 * _HOUR)

STAGE_SPECS: Mapping[str, StageSpec] = {
    spec.name: spec
    for spec in (
        StageSpec(
            "raw_products", "Collecting", job="collect_products", group="collect",
            description="Collects the products of a brand from its source.",
            counters=("items", "new", "changed", "unchanged", "returned", "vanished", "repeated", "rejected",
                      "prices_not_understood"),
            queue="collect", interval=7 * _DAY, lateness=Lateness(8 * _DAY, 16 * _DAY),
            pool="apify", role="apify", memory_mb=2048, due_work=False,
        ),
        StageSpec(
            "raw_stores", "Stores", job="find_stores", group="stores",
            description="Finds the stores of a brand.",
            counters=("stores", "new", "changed", "unreadable"),
            queue="stock", interval=_DAY, lateness=Lateness(2 * _DAY, None), due_work=False, needs_stores=True,
        ),
        StageSpec(
            "originals", "Photos", job="download_originals", group="photos", upstream=("raw_products",),
            description="Downloads the photos of a brand's products.",
            counters=("photos_stored", "photos_kept", "photos_failed", "bytes"),
            queue="photos", interval=15 * _MINUTE, trigger="sensor", active_for=20 * _MINUTE, lateness=_PHOTO_WORK,
            pool="photo_hosts", role="downloader", batch_size=200, memory_mb=2048,
        ),
        StageSpec(
            "collages", "Collages", job="make_collages", group="photos", upstream=("originals",),
            description="Makes the collages of a brand's products.",
            counters=("collages_stored", "bytes"),
            queue="collage", interval=15 * _MINUTE, trigger="sensor", active_for=20 * _MINUTE, lateness=_PHOTO_WORK,
            pool="collages", role="collage", batch_size=100, products_per_run=2_000,
            memory_mb=4096, cpus=2,
        ),
        StageSpec(
            "ximilar_index", "Ximilar", job="sync_ximilar", group="search", upstream=("raw_products", "originals"),
            description="Sends new and changed photos of a brand to Ximilar and removes those that left the index.",
            counters=("records_inserted", "records_updated", "records_deleted"),
            queue="ximilar", interval=7 * _DAY, active_for=2 * _MINUTE,
            lateness=Lateness(8 * _DAY, None, only_while_due=True),
            pool="ximilar", role="ximilar", batch_size=1000, syncs_removals=True,
        ),
        StageSpec(
            "visual_index", "Visual index", job="embed_photos", group="search", upstream=("raw_products", "originals"),
            description="Embeds the photos of a brand for visual search.",
            counters=("photos_embedded", "photos_reused", "photos_removed"),
            queue="embeddings", interval=15 * _MINUTE, trigger="sensor", active_for=20 * _MINUTE,
            lateness=Lateness(_HOUR, None, only_while_due=True),
            pool="visual_index", batch_size=200, products_per_run=1_000, memory_mb=2048, cpus=2,
            syncs_removals=True,
        ),
        StageSpec(
            "availability", "Stock", job="check_availability", group="stores", upstream=("raw_products", "raw_stores"),
            description="Checks the availability of a brand's products in its stores.",
            counters=("in_stock", "sold_out", "unknown"),
            queue="stock", interval=_HOUR, lane="stock", active_for=70 * _MINUTE, lateness=_HOURLY,
            batch_size=200, recurs=True, needs_stores=True,
        ),
        StageSpec(
            "production_catalog", "Publishing", job="publish_catalog", group="publish",
            description="Publishes a brand to the production database.",
            upstream=("raw_products", "originals", "collages", "availability", "raw_stores"),
            counters=("new", "changed", "unchanged", "hidden", "left", "availability", "stores"),
            queue="publish", interval=_HOUR, active_for=70 * _MINUTE, lateness=_HOURLY, pool="production",
            syncs_removals=True,
        ),
    )
}  # fmt: skip

_DAILY_COLLECTION = Lateness(2 * _DAY, 8 * _DAY)

STAGES: tuple[str, ...] = tuple(STAGE_SPECS)
QUEUES: tuple[str, ...] = tuple(dict.fromkeys([*(spec.queue for spec in STAGE_SPECS.values()), DEFAULT_QUEUE]))
DUE_STAGES: tuple[str, ...] = tuple(name for name, spec in STAGE_SPECS.items() if spec.due_work)
STAGES_BY_ROLE: Mapping[str, str] = {spec.role: name for name, spec in STAGE_SPECS.items() if spec.role is not None}


def lateness_of(stage: str, brand: str) -> Lateness:
    """The limits for a stage of a brand: a brand that is collected daily is late sooner."""
    if stage == "raw_products" and BRANDS[brand].collected == "daily":
        return _DAILY_COLLECTION
    return STAGE_SPECS[stage].lateness
