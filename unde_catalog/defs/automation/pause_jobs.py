"""The jobs `pause` and `resume`, for operators who use the UI instead of a terminal.

What a pause does is in `operations/upkeep/pause.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from unde_catalog.brands import BRANDS
from unde_catalog.defs.resources import BackendsResource
from unde_catalog.defs.run_metadata import fail_in_one_sentence
from unde_catalog.operations.upkeep import pause
from unde_catalog.stage_specs import STAGES

EVERYTHING = "all"


class PauseTarget(dg.Config):
    """A brand and a stage; both are empty in the scaffold that the launchpad shows."""

    brand: str = Field(
        "", description=f"One of {', '.join(BRANDS)}, or `{EVERYTHING}`. Empty means all if a stage is set."
    )
    stage: str = Field(
        "", description=f"One of {', '.join(STAGES)}, or `{EVERYTHING}`. Empty means all if a brand is set."
    )

    def selection(self) -> tuple[str | None, str | None]:
        """The brand and the stage, None for all. ValueError where both are empty: nothing was filled in."""
        if not self.brand and not self.stage:
            raise ValueError(f"set a brand or a stage in the launchpad; `brand: {EVERYTHING}` means everything")
        return self._name(self.brand), self._name(self.stage)

    @staticmethod
    def _name(value: str) -> str | None:
        return None if value in ("", EVERYTHING) else value


class PauseConfig(PauseTarget):
    """The same with a reason."""

    why: str = Field("", description="The reason, which status, the report and skipped ticks show.")


@dg.op(name="what_to_pause")  # a job and an op cannot share a name
def _pause(context: dg.OpExecutionContext, config: PauseConfig, backends: dg.ResourceParam[BackendsResource]) -> None:
    with _fail_in_one_sentence("nothing was paused"), backends.open() as opened:
        _report(context, pause.pause(opened.db, *config.selection(), config.why))


@dg.op(name="what_to_resume")
def _resume(context: dg.OpExecutionContext, config: PauseTarget, backends: dg.ResourceParam[BackendsResource]) -> None:
    with _fail_in_one_sentence("nothing was resumed"), backends.open() as opened:
        _report(context, pause.resume(opened.db, *config.selection()))


# In the run's own process: starting another one would take longer than the op.
@dg.job(
    name="pause",
    executor_def=dg.in_process_executor,
    description="Pauses a brand, a stage, a stage of one brand, or everything, until it is resumed.",
)
def pause_job() -> None:
    """One op; its configuration selects what to pause."""
    _pause()


@dg.job(
    name="resume",
    executor_def=dg.in_process_executor,
    description="Ends the pauses of a brand, a stage, a stage of one brand, or everything.",
)
def resume_job() -> None:
    """One op; its configuration selects what to resume."""
    _resume()


@contextmanager
def _fail_in_one_sentence(failure: str) -> Iterator[None]:
    try:
        with fail_in_one_sentence(failure):
            yield
    except ValueError as error:  # an unknown name
        raise dg.Failure(f"{failure}: {error}", allow_retries=False) from error


def _report(context: dg.OpExecutionContext, sentence: str) -> None:
    context.log.info(sentence)
    context.add_output_metadata({"result": sentence})
