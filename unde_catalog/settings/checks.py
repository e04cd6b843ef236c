"""Limits of the checks of data and system, each with its reason. Only `environment.py` reads them from the environment.

The rules that apply them are in `operations/quality/`; limits of publishing are in `publishing.py`.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

Share = Annotated[float, Field(ge=0, le=1)]


class CheckFields(BaseModel):
    """The limits at which checks fail."""

    # Some products of every brand have no photo that can be downloaded.
    check_min_coverage: Share = Field(
        default=0.95, description="the smallest share of products that must have a stage's result, 0 to 1"
    )
    # So many may fail at the same time for unrelated reasons.
    check_max_failing_share: Share = Field(
        default=0.05, description="the largest share of products that may fail in a stage, 0 to 1"
    )
    # The last days of a sale take four fifths off.
    check_price_factor: Annotated[float, Field(gt=1)] = Field(
        default=5, description="the factor by which a price may change in two weeks, above 1"
    )
    # Brands list some garments twice, under another colour or category.
    check_max_same_photo_share: Share = Field(
        default=0.05, description="the largest share of products that may have a photo in common, 0 to 1"
    )
    backup_folder: Path | None = Field(default=None, description="the folder that unde-catalog backup writes to")
    # A daily backup, and two hours for making it.
    backup_max_age_hours: Annotated[float, Field(gt=0, le=8_760)] = Field(
        default=26, description="hours after which the newest backup is too old, up to 8760"
    )
