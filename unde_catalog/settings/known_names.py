"""Names of environment variables: those of services that this project replaces, and those that nobody reads.

`docs/migration.md` lists the replaced names. The settings themselves are in `environment.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from unde_catalog.brands import BRANDS
from unde_catalog.settings.sources import from_file, variables

# What to do about variables of the replaced services that have no meaning here.
_ADVICE = {
    "MAX_CONCURRENT_TASKS": "set CONCURRENT_DOWNLOADS for photos; requests for stock adapt by themselves",
    "DEMPER_INTERVAL": "not needed, as runs pace themselves; STOCK_REQUEST_GAP is the pause between two requests",
    "INSTANCE_COUNT": "not needed: start as many workers as you like",
}
_POSTGRES = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD")
_TRANSLATED = frozenset({*_POSTGRES, "CHECK_INTERVAL_SECONDS"})
# Names that begin so can only be settings of this project; S3_, NATS_ or REDIS_ are also other programs' names.
_OWN_PREFIXES = ("UNDE_", "XIMILAR_", "BAKAI_", "DUBAI_", *(f"{brand.upper()}_" for brand in BRANDS))
REPLACED = _TRANSLATED | _ADVICE.keys()  # all variables of replaced services
_MEANT = "did you mean"
_SIMILARITY = 0.84  # of a misspelt name and the right one; APIFY_TOKN and APIFY_TOKEN have 0.95


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A variable that is set and that nothing reads, with what to do about it."""

    name: str
    advice: str

    @property
    def is_probably_ours(self) -> bool:
        """Whether it resembles a setting, or only this project's settings begin so."""
        return self.advice.startswith(_MEANT) or self.name.startswith(_OWN_PREFIXES)


class ReplacedServicesSource(PydanticBaseSettingsSource):
    """Settings from the variables of replaced services; any variable of this project wins over them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: all values are read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The values, by field."""
        names, found = variables(), {}
        if names.get("POSTGRES_HOST"):
            user, password = (quote(names.get(name) or "", safe="") for name in _POSTGRES[3:])
            port, database = names.get("POSTGRES_PORT") or "5432", names.get("POSTGRES_DB") or "unde_staging"
            sign_in = f"{user}:{password}@" if password else f"{user}@" if user else ""
            found["staging_db_url"] = (
                f"postgresql://{sign_in}{names['POSTGRES_HOST']}:{port}/{quote(database, safe='')}"
            )
        if names.get("CHECK_INTERVAL_SECONDS"):
            found["availability_interval"] = names["CHECK_INTERVAL_SECONDS"]
        return {name: value for name, value in found.items() if name in self.settings_cls.model_fields}


class WithReplacedServices(BaseSettings):
    """Settings that are read from this project's variables, else from those of the replaced services."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The usual sources, and the replaced services last."""
        replaced = ReplacedServicesSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, replaced


def unknown_names(known: Iterable[str]) -> list[UnknownName]:
    """Variables that nothing reads: all of `.env`, and those of the environment that look like one of `known`."""
    names = {name.upper() for name in known} | _TRANSLATED
    in_file = {name.upper() for name in from_file()}
    found = []
    for name in sorted({name.upper() for name in variables()} - names):
        similar = get_close_matches(name, names, 1, _SIMILARITY)
        if name in _ADVICE:
            found.append(UnknownName(name, _ADVICE[name]))
        elif similar:
            found.append(UnknownName(name, f"{_MEANT} {similar[0]}?"))
        elif name in in_file or name.startswith(_OWN_PREFIXES):
            found.append(UnknownName(name, "no setting has this name"))
    return found
