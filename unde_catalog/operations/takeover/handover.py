"""Who does which stage of which brand, this project or a deployed service, and switching from one to the other.

A stage that a deployed service does is paused here. What other programs write is noted by the database.
"""

from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.brands import BRANDS, brand_for
from unde_catalog.stage_specs import STAGE_SPECS
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.admin import takeover
from unde_catalog.stores.staging.admin.takeover import LastWrite
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.text import duration, quantity

DEPLOYED_STAGES = ("raw_products", "originals", "collages", "ximilar_index")  # each has a deployed service
DEPLOYED_WHY = "a deployed service does this; unde-catalog handover switches"
_ALWAYS_QUIET = timedelta(hours=1)  # a service that runs more rarely than this can't be seen to have stopped


class HandoverRefused(ValueError):
    """The stage can't be switched now; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StageOwner:
    """Who does a stage of a brand. `ours`: this project, also while an operator paused it for another reason.

    `last_write`: of another program, None if there was none.
    """

    brand: str
    stage: str
    ours: bool
    last_write: LastWrite | None
    paused: bool = False

    def sentence(self) -> str:
        """E.g. `deployed service, wrote 3 minutes ago`."""
        who = "deployed service" if not self.ours else "unde_catalog, paused" if self.paused else "unde_catalog"
        if self.last_write is None:
            return who
        wrote = f"wrote {duration(self.last_write.age)} ago"
        return f"{who}, {wrote}" if not self.ours else f"{who}; another program {wrote}"


def owners(db: Database) -> list[StageOwner]:
    """Who does each stage that has a deployed service, for every brand."""
    paused = db.read(pauses.all_pauses)
    writes = {(one.brand, one.stage): one for one in db.read(takeover.last_writes)}
    found = []
    for brand in BRANDS:
        for stage in DEPLOYED_STAGES:
            reasons = [one.why for one in paused if one.covers(stage, brand)]
            ours = DEPLOYED_WHY not in reasons
            found.append(StageOwner(brand, stage, ours, writes.get((brand, stage)), paused=bool(reasons)))
    return found


def take(db: Database, stage: str, brand: str, *, stopped: bool = False) -> str:
    """Let this project do a stage of a brand from now on; returns a sentence.

    `HandoverRefused` while products of the brand wait for adoption, while the other program still writes, or where that
    can't be seen because it runs rarely and nobody says that it is `stopped`.
    """
    _check(stage, brand)
    waiting = db.read(takeover.unadopted).get(brand, 0)
    if waiting:
        raise HandoverRefused(f"{brand} has {quantity(waiting, 'product')} to adopt: run unde-catalog adopt")
    last = db.read(takeover.last_write, brand, stage)
    interval = STAGE_SPECS[stage].interval
    if last is not None and not stopped and last.age < 2 * interval:
        if interval > _ALWAYS_QUIET:
            raise HandoverRefused(
                f"another program did {stage} of {brand} {duration(last.age)} ago and may only run every "
                f"{duration(interval)}: stop it, then repeat with --stopped"
            )
        raise HandoverRefused(
            f"another program did {stage} of {brand} {duration(last.age)} ago: stop it, and repeat when it has been "
            f"quiet for {duration(2 * interval)}, or with --stopped"
        )
    _split_pause(db, stage)
    db.run(pauses.resume, brand, stage)
    still = db.run(pauses.paused, stage, brand)
    if still:
        return f"unde_catalog does {stage} of {brand} when it is resumed: {still}"
    return f"unde_catalog does {stage} of {brand} from now on."


def give_back(db: Database, stage: str, brand: str) -> str:
    """Leave a stage of a brand to the deployed service; returns a sentence.

    `HandoverRefused` while workers are busy with it: it is paused then, and they finish.
    """
    _check(stage, brand)
    db.run(pauses.pause, brand, stage, DEPLOYED_WHY)
    busy = db.read(takeover.leased, brand, [stage])
    if busy:
        raise HandoverRefused(
            f"{stage} of {brand} is paused, and {quantity(busy, 'product')} are still being worked on: "
            "start the deployed service when a repetition of this command finds none"
        )
    return f"{stage} of {brand} is paused here: the deployed service may do it."


def _check(stage: str, brand: str) -> None:
    brand_for(brand)
    if stage not in DEPLOYED_STAGES:
        raise ValueError(f"{stage!r} has no deployed service; those that have one: {', '.join(DEPLOYED_STAGES)}")


def _split_pause(db: Database, stage: str) -> None:
    """Turn a pause of the stage for all brands into one a brand, so that a single brand can be resumed."""
    for pause in db.read(pauses.all_pauses):
        if pause.stage == stage and pause.brand == pauses.ALL:
            for brand in BRANDS:
                db.run(pauses.pause, brand, stage, pause.why)
            db.run(pauses.end_one, pauses.ALL, stage)
