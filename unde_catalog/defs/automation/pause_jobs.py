"""The jobs `pause` and `resume`, for whoever has the UI and no terminal.

What a pause is and does is in `operations/upkeep/pause.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from unde_catalog.brands import BRANDS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import first_sentence
from unde_catalog.operations.upkeep import pause
from unde_catalog.stage_specs import STAGES

EVERYTHING = "all"


class PauseTarget(dg.Config):
    """A brand and a stage; empty ones, as the launchpad writes them down for whoever fills them in."""

    brand: str = Field("", description=f"One of {', '.join(BRANDS)}; `{EVERYTHING}`, or empty beside a stage: all.")
    stage: str = Field("", description=f"One of {', '.join(STAGES)}; `{EVERYTHING}`, or empty beside a brand: all.")

    def named(self) -> tuple[str | None, str | None]:
        """The brand and the stage, None for all. ValueError where nothing is filled in: that is a slip of the hand."""
        if not self.brand and not self.stage:
            raise ValueError(f"fill in a brand or a stage in the launchpad; `brand: {EVERYTHING}` means everything")
        return self._one(self.brand), self._one(self.stage)

    @staticmethod
    def _one(name: str) -> str | None:
        return None if name in ("", EVERYTHING) else name


class PauseConfig(PauseTarget):
    """The same with a reason."""

    why: str = Field("", description="Shown to whoever wonders.")


@dg.op(name="what_to_pause")  # a job's name is its own
def _pause(context: dg.OpExecutionContext, config: PauseConfig, backends: dg.ResourceParam[BackendsResource]) -> None:
    with _one_sentence("nothing is paused"), backends.open() as opened:
        _tell(context, pause.pause(opened.db, *config.named(), config.why))


@dg.op(name="what_to_resume")
def _resume(context: dg.OpExecutionContext, config: PauseTarget, backends: dg.ResourceParam[BackendsResource]) -> None:
    with _one_sentence("nothing is resumed"), backends.open() as opened:
        _tell(context, pause.resume(opened.db, *config.named()))


# One op each, in the run's own process: another one would take longer than what it does.
@dg.job(
    name="pause",
    executor_def=dg.in_process_executor,
    description="Holds up a brand, a stage, one of the other, or everything, until resume.",
)
def pause_job() -> None:
    """One op; what to pause is in its config."""
    _pause()


@dg.job(
    name="resume",
    executor_def=dg.in_process_executor,
    description="Ends what pause began, also of a part of what is named.",
)
def resume_job() -> None:
    """One op; what to resume is in its config."""
    _resume()


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    try:
        with first_sentence(what):
            yield
    except ValueError as error:  # a name that is none
        raise dg.Failure(f"{what}: {error}", allow_retries=False) from error


def _tell(context: dg.OpExecutionContext, sentence: str) -> None:
    context.log.info(sentence)
    context.add_output_metadata({"told": sentence})
