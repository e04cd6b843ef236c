"""Settings of Dagster: its home, automation, owners of assets. Only `environment.py` reads them from the environment.

The instance's own settings are in `dagster.yaml`.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

from unde_catalog.settings.s3 import BucketName

Owner = Annotated[str, StringConstraints(pattern=r"^(team:[\w .-]+|[\w.+-]+@[\w-]+(\.[\w-]+)+)$")]


class DagsterFields(BaseModel):
    """The fields; a field's name in capitals is its environment variable."""

    dagster_home: Path | None = Field(default=None, description="the folder with dagster.yaml, or a link to it")
    automation: Literal["on", "off"] = Field(default="off", description="on or off: whether schedules and sensors run")
    executor: Literal["multiprocess", "celery"] = Field(
        default="multiprocess",
        description="multiprocess or celery: steps run on the machine of their run, or on workers of Celery queues",
    )
    # A bucket of its own, since anybody may read the bucket of photos.
    compute_logs_bucket: BucketName | None = Field(
        default=None,
        description="a private bucket for the output of steps, at S3_ENDPOINT; default: a folder of DAGSTER_HOME",
    )
    schedule_timezone: str = Field(default="UTC", description="the time zone of schedules, such as UTC or Asia/Dubai")
    availability_first_day: date | None = Field(
        default=None,
        description="the first UTC day of availability's partitions, such as 2026-01-01; default: the day on which "
        "demo or up made the state, else 2026-01-01",
    )
    asset_owners: Annotated[tuple[Owner, ...], NoDecode] = Field(
        default=("team:catalogue",), description="comma-separated owners of assets, as team:name or mail addresses"
    )

    @field_validator("schedule_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("no such time zone") from None
        return value

    @field_validator("asset_owners", mode="before")
    @classmethod
    def _split_owners(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
