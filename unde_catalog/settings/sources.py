"""Where settings come from: the environment, the project's `.env`, and the sandbox that the state remembers.

The settings themselves are in `environment.py` and in a file a topic.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from unde_catalog.settings.project import project_folder
from unde_catalog.settings.secret_files import SUFFIX

if TYPE_CHECKING:
    from unde_catalog.sandbox.own import OwnSandbox

STATE_FOLDER = ".unde"
_FIRST_DAY = "first_day"  # a file of the state
# With one of these, products come from real services or go to a database that others may use.
_REAL = ("APIFY_TOKEN", "APIFY_TOKEN_FILE", "STAGING_DB_URL", "STAGING_DB_URL_FILE", "POSTGRES_HOST")


def settings_file() -> Path:
    """The file `.env` of the project; it may not exist."""
    return project_folder() / ".env"


def from_file() -> dict[str, str | None]:
    """The variables in `.env`."""
    return dotenv_values(settings_file())


def variables() -> Mapping[str, str | None]:
    """All variables by their names as they are written: those of the environment win over `.env`."""
    return {**from_file(), **os.environ}


def state_folder(unde_home: Path) -> Path:
    """`UNDE_HOME`, absolute: a relative one begins where one stands, and one from `.env` in the project."""
    beginning = Path.cwd() if os.environ.get("UNDE_HOME") else project_folder()
    return beginning / unde_home.expanduser()


def remember_first_day(home: Path, today: date) -> None:
    """Remember the UTC day on which a state is made, for `first_day` of the settings."""
    (home / _FIRST_DAY).write_text(f"{today}\n")


def remembered_first_day(home: Path) -> date | None:
    """The day on which the state was made; None if it was not remembered."""
    try:
        return date.fromisoformat((home / _FIRST_DAY).read_text().strip())
    except FileNotFoundError:
        return None


def sandbox_folder(home: Path) -> Path:
    """The folder of the state's own sandbox."""
    return home / "sandbox"


def sandbox_of(home: Path) -> "OwnSandbox | None":
    """The state's own sandbox, running or not; None if it was made without one."""
    folder = sandbox_folder(home)
    if not folder.is_dir():
        return None
    from unde_catalog.sandbox.own import own_sandbox  # a real system does not load it

    return own_sandbox(folder)


def sandbox_variables() -> dict[str, str]:
    """The variables that point at the state's own sandbox, by name; empty if it has none or services are configured.

    They win over others, so that a key of a real service that is set already is not used beside the sandbox.
    """
    known = {name.upper(): value for name, value in variables().items() if value}
    if any(known.get(name) for name in _REAL):
        return {}
    home = state_folder(Path(known.get("UNDE_HOME") or STATE_FOLDER))
    found = sandbox_of(home)
    if found is None:
        return {}
    chosen = {name: known[name] for name in ("ZARA_INDEX_SCOPE", "NATS_URL") if name in known}
    own_nats = home / "nats" / "address"  # of the server that `up` starts
    nats = {"NATS_URL": own_nats.read_text().strip()} if own_nats.is_file() else {}
    return {**sandbox_settings(found), **nats, **chosen}


def sandbox_settings(sandbox: "OwnSandbox") -> dict[str, str]:
    """The variables that point at a sandbox, and the index scope with which `ximilar_index` has work."""
    return {"ZARA_INDEX_SCOPE": "pilot", **sandbox.environment()}


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process in any folder: `.env`, this process's, and `extra`; later ones win."""
    known = {name: value for name, value in from_file().items() if value is not None}
    return {**known, **os.environ, **extra}


def publish(extra: Mapping[str, str]) -> None:
    """Set variables for this process and its children, for libraries that read the environment themselves (Dagster).

    A secret's file that is named beside them no longer counts.
    """
    known = {name.upper() for name in variables()}
    os.environ.update(extra)
    os.environ.update({f"{name}{SUFFIX}": "" for name in extra if f"{name}{SUFFIX}" in known})
