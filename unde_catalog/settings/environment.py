"""All settings, typed: the only module that reads or writes the environment.

What differs by brand without a setting is in `brands.py`. docs/reference/settings.md lists every variable.
"""

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from unde_catalog.brands import BRANDS, IndexScope, StockProtocolName
from unde_catalog.settings.bakai import BakaiFields
from unde_catalog.settings.known_names import (
    UnknownName,
    WithReplacedServices,
    unknown_names,
)
from unde_catalog.settings.notices import NoticeFields
from unde_catalog.settings.orchestration import DagsterFields
from unde_catalog.settings.photos import BatchSize, Count, PhotoFields, PhotoHost, Retries, Seconds
from unde_catalog.settings.publishing import Currency, PublishFields
from unde_catalog.settings.retention import UpkeepFields
from unde_catalog.settings.s3 import S3Fields, S3Settings
from unde_catalog.settings.search import SearchFields
from unde_catalog.settings.secret_files import SUFFIX, SecretFilesError, from_secret_files, is_secret
from unde_catalog.settings.sources import (
    STATE_FOLDER,
    remembered_first_day,
    sandbox_of,
    sandbox_variables,
    settings_file,
    state_folder,
    variables,
)
from unde_catalog.settings.stock import StockFields, StockOfBrand
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog.settings.values import is_harmless, normalized_url
from unde_catalog.settings.webhooks import WebhookFields
from unde_catalog.settings.ximilar import XimilarFields
from unde_catalog.stage_specs import STAGE_SPECS

if TYPE_CHECKING:
    from unde_catalog.sandbox.own import OwnSandbox

PostgresMajor = Annotated[Literal[16, 18], BeforeValidator(lambda value: {"16": 16, "18": 18}.get(value, value))]

_FIRST_DAY = date(2026, 1, 1)

_SOURCES = SettingsConfigDict(
    env_ignore_empty=True,  # `PROXY_URL=` means unset
    extra="ignore",
    frozen=True,
    hide_input_in_errors=True,  # the input may be a secret
)


class SettingsError(ValueError):
    """Invalid settings; each line names a variable, what is expected and (unless secret) the value."""


class Settings(  # pyright: ignore[reportIncompatibleVariableOverride]  _SOURCES is the whole configuration
    BakaiFields,
    DagsterFields,
    S3Fields,
    NoticeFields,
    PhotoFields,
    PublishFields,
    SearchFields,
    StockFields,
    UpkeepFields,
    WebhookFields,
    XimilarFields,
    WithReplacedServices,
):
    """Everything an operator can set. A field's name in capitals is its environment variable."""

    model_config = _SOURCES

    unde_home: Path = Field(Path(STATE_FOLDER), description="the folder for everything that is kept on this machine")

    staging_db_url: SecretStr | None = Field(
        None, description="postgresql://role:password@host:6432/unde_staging, the staging database"
    )
    production_db_url: SecretStr | None = Field(
        None, description="postgresql://role:password@host:6432/unde_main, the app's database"
    )
    dagster_db_url: SecretStr | None = Field(
        None, description="postgresql://role:password@host:5432/dagster, Dagster's own database, without a pooler"
    )
    backup_db_url: SecretStr | None = Field(
        None,
        description="postgresql://owner:password@host:5432/unde_staging, without a pooler, as the tables' owner",
    )
    embedded_postgres_major: PostgresMajor = Field(18, description="16 or 18, the version of the embedded PostgreSQL")
    redis_url: SecretStr | None = Field(
        None, description="redis://host:6379/0, the broker of Celery; required with EXECUTOR=celery"
    )

    object_base_url: AnyHttpUrl | None = Field(
        None, description="the base URL of objects for readers, if it is not the store's own"
    )

    apify_token: SecretStr | None = Field(None, description="the Apify account's API token")
    apify_api_url: AnyHttpUrl = Field(AnyHttpUrl("https://api.apify.com"), description="the URL of Apify's API")
    apify_run_timeout: Seconds = Field(7_200, description="seconds to wait for a task run, 0 to 86400")
    scrape_interval_hours: Annotated[float, Field(ge=0, le=8_760)] = Field(
        156,  # half a day less than a week: last week's scrape is always old enough for a weekly schedule
        description="hours in which a complete scrape is not repeated, 0 to 8760; daily collection: at most 12",
    )
    scrape_min_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.7, description="the smallest share of active products that a scrape must see to mark others inactive, 0 to 1"
    )

    batch_size: BatchSize | None = Field(
        None, description="products leased at once, 1 to 10000; default: each stage's own"
    )
    ximilar_index_batch_size: BatchSize | None = Field(
        None, description="products of ximilar_index leased at once, 1 to 10000; default: BATCH_SIZE, else 1000"
    )

    @field_validator("staging_db_url", "production_db_url", "dagster_db_url", "backup_db_url", "search_db_url")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(normalized_url(value.get_secret_value())) if value else value

    @cached_property
    def home(self) -> Path:
        """`UNDE_HOME`, absolute."""
        return state_folder(self.unde_home)

    @cached_property
    def sandbox(self) -> "OwnSandbox | None":
        """The state's own sandbox, running or not; None if these settings are not for it."""
        found = sandbox_of(self.home)
        token = found and found.environment()["APIFY_TOKEN"]
        return found if self.apify_token and self.apify_token.get_secret_value() == token else None

    @cached_property
    def first_day(self) -> date:
        """The UTC day on which checking stock begins: `AVAILABILITY_FIRST_DAY`, else the day that the state remembers.

        A state that was made elsewhere, or by an older version, remembers none.
        """
        return self.availability_first_day or remembered_first_day(self.home) or _FIRST_DAY

    @property
    def objects_folder(self) -> Path:
        """The folder of objects while no S3 is configured."""
        return self.home / "objects"

    @cached_property
    def s3(self) -> S3Settings | None:
        """The configured bucket, None while objects are in a folder; `SettingsError` for incomplete settings."""
        return _bucket(self)

    def copy_s3(self, side: Literal["from", "to"], bucket: str) -> S3Settings:
        """The bucket that objects are copied from or to: `COPY_TO_S3_...` if set, else `S3_...`."""
        found = _bucket(_own_of_copy(side).model_copy(update={"s3_bucket": bucket}), f"COPY_{side}_".upper())
        if found is None and self.s3 is not None:
            found = _bucket(self.model_copy(update={"s3_bucket": bucket}))
        if found is None:
            raise SettingsError(f"S3_ENDPOINT or COPY_{side.upper()}_S3_ENDPOINT: required for s3://{bucket}")
        return found

    @cached_property
    def brands(self) -> dict[str, "BrandSettings"]:
        """The settings of each brand: its own if set (`ZARA_...`), else the general ones."""
        return {key: _brand_settings(self, key) for key in BRANDS}

    def batch_size_of(self, stage: str) -> int:
        """How many products one take leases at most: `<STAGE>_BATCH_SIZE`, else `BATCH_SIZE`, else the stage's default.

        `ValueError` for a stage that leases none.
        """
        size = getattr(self, f"{stage}_batch_size", None) or self.batch_size or STAGE_SPECS[stage].batch_size
        if size is None:
            raise ValueError(f"{stage} leases no products")
        return size


class BrandSettings(StockOfBrand, WebhookFields):
    """The settings in force for one brand. `apify_task`, `proxy_url` and URLs are None if unset."""

    apify_task: str | None
    stock_shape: StockProtocolName
    index_scope: IndexScope
    publish_currencies: tuple[str, ...]
    proxy_url: SecretStr | None
    photo_hosts: tuple[str, ...]
    concurrent_downloads: int
    download_timeout: float
    product_timeout: float
    download_delay_min: float
    download_delay_max: float
    max_retries: int


class _OwnOfBrand(StockOfBrand, WebhookFields, BaseSettings):  # pyright: ignore[reportIncompatibleVariableOverride]
    """Settings of one brand alone; None: the general setting applies."""

    apify_task: str | None = Field(None, description="the id of the brand's Apify task")
    stock_shape: StockProtocolName | None = Field(
        None, description="campaign, available-sizes, skus or zara: the protocol of the brand's stock API"
    )
    index_scope: IndexScope | None = Field(None, description="pilot, pgvector or off: the index scope of new products")
    publish_currencies: Annotated[tuple[Currency, ...], NoDecode] | None = Field(
        None, description="comma-separated currencies like AED that may be published"
    )
    use_proxy: bool | None = Field(None, description="true or false: whether photos are downloaded through PROXY_URL")
    photo_hosts: Annotated[tuple[PhotoHost, ...], NoDecode] | None = Field(
        None,
        description="comma-separated photo hosts for the proxy, each like static.zara.net, *.zara.net or host:port",
    )
    concurrent_downloads: Count | None = Field(None, description="concurrent downloads from one host, 1 to 100000")
    download_timeout: Seconds | None = Field(None, description="seconds for one photo, 0 to 86400")
    product_timeout: Seconds | None = Field(None, description="seconds for all photos of a product, 0 to 86400")
    download_delay_min: Seconds | None = Field(
        None, description="the shortest pause between two requests of a connection slot, in seconds"
    )
    download_delay_max: Seconds | None = Field(
        None, description="the longest pause between two requests of a connection slot, in seconds"
    )
    max_retries: Retries | None = Field(None, description="repeated requests for one photo, 0 to 10")

    @field_validator("photo_hosts", "publish_currencies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _own_of(key: str) -> _OwnOfBrand:
    irregular = {"apify_task": f"apify_task_{key}", "stores": f"dubai_{key}_stores"}

    class Own(_OwnOfBrand):
        model_config = {**_SOURCES, "alias_generator": lambda field: irregular.get(field, f"{key}_{field}")}

    return _read(Own)


def _brand_settings(settings: Settings, key: str) -> BrandSettings:
    own, brand = _own_of(key).model_dump(exclude_none=True), BRANDS[key]
    use_proxy = own.pop("use_proxy", brand.use_proxy)
    general = {name: value for name, value in settings if name in BrandSettings.model_fields}
    merged: dict[str, Any] = dict.fromkeys(BrandSettings.model_fields) | general
    merged |= {"index_scope": brand.index_scope, "photo_hosts": brand.photo_hosts, "stock_shape": brand.stock_shape}
    if brand.download_delay is not None:
        merged |= dict.fromkeys(("download_delay_min", "download_delay_max"), brand.download_delay)
    if brand.any_currency:
        merged["publish_currencies"] = ()
    merged |= own
    if not use_proxy:
        merged["proxy_url"] = None
    if merged["download_delay_min"] > merged["download_delay_max"]:
        raise SettingsError(
            f"DOWNLOAD_DELAY_MIN (or {key.upper()}_DOWNLOAD_DELAY_MIN): expected at most DOWNLOAD_DELAY_MAX, "
            f"which is {merged['download_delay_max']:g}, got {merged['download_delay_min']:g}"
        )
    return BrandSettings(**merged)


def _bucket(fields: S3Fields | UserMediaSettings, prefix: str = "") -> S3Settings | None:
    try:
        return fields.bucket(prefix)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _own_of_copy(side: str) -> S3Fields:
    config = {**_SOURCES, "alias_generator": lambda field: f"copy_{side}_{field}"}
    return _read(type("Own", (S3Fields, BaseSettings), {"model_config": config}))


def _read(model: type[Any]) -> Any:
    """Read one settings model from the environment; `SettingsError` names invalid variables and what is expected."""
    names = {info.validation_alias or name for name, info in model.model_fields.items()}
    from_sandbox = {name: value for name, value in sandbox_variables().items() if name.lower() in names}
    try:
        values = from_secret_files(model, variables()) | {name.lower(): value for name, value in from_sandbox.items()}
        return model(_env_file=settings_file(), **values)
    except SecretFilesError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        lines = []
        for wrong in error.errors(include_url=False):
            by_alias = {info.validation_alias or name: info for name, info in model.model_fields.items()}
            info = by_alias[wrong["loc"][0]]  # type: ignore[index]
            # Only what can't hold a password is quoted: an address may, and so may any text in the wrong variable.
            got = f", got {wrong['input']!r}" if is_harmless(info.annotation) else ""
            why = wrong["msg"].removeprefix("Value error, ")
            lines.append(f"{str(wrong['loc'][0]).upper()}: expected {info.description}{got} ({why})")
        raise SettingsError("\n".join(lines)) from None


def load_settings() -> Settings:
    """The settings in force, from the environment and `.env`; `SettingsError` for invalid ones."""
    settings = _read(Settings)
    settings.brands  # noqa: B018  an invalid value of one brand fails now, not in the middle of the night
    settings.s3  # noqa: B018  and so does an incomplete configuration
    return settings


def load_user_media_settings() -> UserMediaSettings:
    """The settings of the user media service; `SettingsError` for invalid ones."""
    settings = _read(type("Own", (UserMediaSettings, BaseSettings), {"model_config": _SOURCES}))
    _bucket(settings)
    return settings


def misspelt_variables() -> list[UnknownName]:
    """The unknown variables that were probably meant for this project."""
    return [one for one in unknown_variables() if one.is_probably_ours]


def unknown_variables() -> list[UnknownName]:
    """Variables that are set, look like a setting, and are read by nothing."""
    own_of_brands = {
        str(info.validation_alias or name): info
        for key in BRANDS
        for name, info in type(_own_of(key)).model_fields.items()
    }
    of_copies = {f"copy_{side}_{name}": info for side in ("from", "to") for name, info in S3Fields.model_fields.items()}
    known = {**Settings.model_fields, **UserMediaSettings.model_fields, **own_of_brands, **of_copies}
    return unknown_names([*known, *(f"{name}{SUFFIX}" for name, info in known.items() if is_secret(info))])
