"""What can be set for Dagster itself: where its home is, what runs by itself, and who is asked about an asset.

Read from the environment by `environment.py` alone. The instance's own settings are in `dagster.yaml`.
"""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

Owner = Annotated[str, StringConstraints(pattern=r"^(team:[\w .-]+|[\w.+-]+@[\w-]+(\.[\w-]+)+)$")]


class DagsterFields(BaseModel):
    """The settings as they stand in the environment."""

    dagster_home: Path | None = Field(
        default=None, description="a folder that holds (a link to) the project's dagster.yaml"
    )
    automation: Literal["on", "off"] = Field(default="off", description="on or off: whether sensors and schedules run")
    schedule_timezone: str = Field(default="UTC", description="a time zone name such as UTC or Asia/Dubai")
    asset_owners: Annotated[tuple[Owner, ...], NoDecode] = Field(
        default=("team:catalogue",), description="team:name or mail addresses with commas between"
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
