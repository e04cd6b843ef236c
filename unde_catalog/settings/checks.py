"""What can be set for the checks of data and house, each limit with its reason. Read by `environment.py` alone.

How they are applied is in `quality/`; the limits of publishing are `publishing.py`'s.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

Share = Annotated[float, Field(ge=0, le=1)]


class CheckFields(BaseModel):
    """From where on a check says that something is wrong."""

    # Some products of every shop have no photo that can be had.
    check_min_coverage: Share = Field(default=0.95, description="a share from 0 to 1")
    # As many may fail at once for reasons of their own.
    check_max_failing_share: Share = Field(default=0.05, description="a share from 0 to 1")
    # The last days of a sale take off four fifths.
    check_price_factor: Annotated[float, Field(gt=1)] = Field(default=5, description="a factor above 1")
    # Shops list some garments twice, under another colour or category.
    check_max_same_photo_share: Share = Field(default=0.05, description="a share from 0 to 1")
    backup_folder: Path | None = Field(default=None, description="the folder that unde-catalog backup writes into")
    # A daily backup that takes its time.
    backup_max_age_hours: Annotated[float, Field(gt=0, le=8_760)] = Field(default=26, description="hours, up to 8760")
