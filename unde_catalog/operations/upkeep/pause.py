"""Pauses and resumes brands and stages for an operator: validates the names and describes the effect.

Pauses are stored by `stores/staging/due_work/pauses.py`.
"""

from unde_catalog.brands import brand_for
from unde_catalog.stage_specs import STAGES
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import pauses
from unde_catalog.stores.staging.due_work.pauses import ALL
from unde_catalog.text import quantity


def pause(db: Database, brand: str | None, stage: str | None, why: str) -> str:
    """Pause a stage of a brand, None for all. Returns a sentence about the effect; ValueError for an unknown name."""
    target = _target(brand, stage)
    db.run(pauses.pause, *target, why.strip())
    return f"Paused {_describe(*target)}: no run is requested, and a run in progress starts no more products."


def resume(db: Database, brand: str | None, stage: str | None) -> str:
    """End all pauses within a brand and a stage, None for all. Returns what was ended and which pauses remain.

    ValueError for an unknown name.
    """
    target = _target(brand, stage)
    ended = db.run(pauses.resume, *target)
    result = f"{quantity(ended, 'pause')} ended." if ended else f"There was no pause of {_describe(*target)}."
    remaining = [f"{_describe(one.brand, one.stage)} is {one.sentence()}" for one in db.run(pauses.all_pauses)]
    return " ".join([result, *(f"Still in effect: {pause}." for pause in remaining)])


def _target(brand: str | None, stage: str | None) -> tuple[str, str]:
    if brand is not None:
        brand_for(brand)
    if stage is not None and stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGES)}")
    return brand or ALL, stage or ALL


def _describe(brand: str, stage: str) -> str:
    what = "every stage" if stage == ALL else stage
    return f"{what} of {'every brand' if brand == ALL else brand}"
