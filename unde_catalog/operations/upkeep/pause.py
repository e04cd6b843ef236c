"""Holding up brands and stages by an operator's word: what is named is checked, and what follows is told.

How a pause is kept is in `stores/staging/due_work/pauses.py`.
"""

from unde_catalog.brands import brand_for
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.due_work.pauses import ALL


def pause(db: Database, brand: str | None, stage: str | None, why: str) -> str:
    """Hold up a stage of a brand, None for all of them; what that means. ValueError for a name that is none."""
    named = _named(brand, stage)
    db.run(pauses.pause, *named, why.strip())
    return f"{_told(*named)} is paused: no run is asked for, and one that is at it begins nothing more."


def resume(db: Database, brand: str | None, stage: str | None) -> str:
    """End the pauses of what is named, and of a part of it; what still holds. ValueError for a name that is none."""
    named = _named(brand, stage)
    ended = db.run(pauses.resume, *named)
    left = [f"{_told(one.brand, one.stage)} is {one.sentence()}" for one in db.run(pauses.all_pauses)]
    what = f"{ended} {'pause' if ended == 1 else 'pauses'} ended" if ended else "nothing of that was paused"
    return f"{what}; {'; '.join(['still: ' + left[0], *left[1:]])}" if left else f"{what}."


def _named(brand: str | None, stage: str | None) -> tuple[str, str]:
    if brand is not None:
        brand_for(brand)
    if stage is not None and stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGES)}")
    return brand or ALL, stage or ALL


def _told(brand: str, stage: str) -> str:
    what = "every stage" if stage == ALL else stage
    return f"{what} of {'every brand' if brand == ALL else brand}"
