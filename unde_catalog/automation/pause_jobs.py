"""The jobs `pause` and `resume`, for whoever has the UI and no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from unde_catalog.brands import BRANDS
from unde_catalog.materialization import one_sentence
from unde_catalog.pipeline import STAGES
from unde_catalog.resources import WorkplaceResource
from unde_catalog.upkeep import pausing


class What(dg.Config):
    """A brand and a stage."""

    brand: str | None = Field(None, description=f"One of {', '.join(BRANDS)}; all if not given.")
    stage: str | None = Field(None, description=f"One of {', '.join(STAGES)}; all if not given.")


class WhatAndWhy(What):
    """The same with a reason."""

    why: str = Field("", description="Shown to whoever wonders.")


@dg.op(name="what_to_pause")  # a job's name is its own
def _pause(context: dg.OpExecutionContext, config: WhatAndWhy, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    with _one_sentence("nothing is paused"), workplace.open() as place:
        _tell(context, pausing.pause(place.db, config.brand, config.stage, config.why))


@dg.op(name="what_to_resume")
def _resume(context: dg.OpExecutionContext, config: What, workplace: dg.ResourceParam[WorkplaceResource]) -> None:
    with _one_sentence("nothing is resumed"), workplace.open() as place:
        _tell(context, pausing.resume(place.db, config.brand, config.stage))


@dg.job(name="pause", description="Holds up a brand, a stage, one of the other, or everything, until resume.")
def pause_job() -> None:
    """One op; what to pause is in its config."""
    _pause()


@dg.job(name="resume", description="Ends what pause began, also of a part of what is named.")
def resume_job() -> None:
    """One op; what to resume is in its config."""
    _resume()


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    try:
        with one_sentence(what):
            yield
    except ValueError as error:  # a name that is none
        raise dg.Failure(f"{what}: {error}", allow_retries=False) from error


def _tell(context: dg.OpExecutionContext, sentence: str) -> None:
    context.log.info(sentence)
    context.add_output_metadata({"told": sentence})
