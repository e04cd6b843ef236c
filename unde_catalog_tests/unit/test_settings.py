import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from unde_catalog.brands import BRANDS
from unde_catalog.local.processes import dagster_home
from unde_catalog.settings.environment import Settings, SettingsError, load_settings

SECRETS = {
    "STAGING_DB_URL": "postgresql://role:planted-1@host:6432/unde_staging",
    "PRODUCTION_DB_URL": "postgresql://role:planted-2@host:6432/unde_main",
    "DAGSTER_DB_URL": "postgresql://role:planted-3@host:5432/dagster",
    "REDIS_URL": "redis://:planted-4@host:6379/0",
    "APIFY_TOKEN": "planted-5",
    "PROXY_URL": "http://user:planted-6@host:33335",
    "S3_ACCESS_KEY": "planted-7",
    "S3_SECRET_KEY": "planted-8",
    "XIMILAR_API_TOKEN": "planted-9",
}


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env file and no variables of the settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_with_nothing_configured_the_defaults_apply() -> None:
    settings = load_settings()
    zara = settings.brands["zara"]
    assert settings.automation == "off"
    assert (zara.concurrent_downloads, zara.download_timeout, zara.product_timeout, zara.max_retries) == (
        10,
        30,
        120,
        3,
    )
    assert (zara.download_delay_min, zara.download_delay_max) == (0.5, 2.0)
    assert (settings.batch_size_of("originals"), settings.batch_size_of("collages")) == (200, 100)
    assert settings.collage_quality == 95
    assert settings.scrape_min_share == 0.7
    assert all(brand.apify_task is None for brand in settings.brands.values())
    assert settings.home.is_absolute()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DOWNLOAD_TIMEOUT", "soon", "seconds for one photo"),
        ("CONCURRENT_DOWNLOADS", "0", "1 to 100000"),
        ("AUTOMATION", "perhaps", "on or off"),
        ("SCHEDULE_TIMEZONE", "Dubai", "the time zone of schedules, such as UTC"),
        ("STAGING_DB_URL", "mysql://planted@host/db", "postgresql://role:password@host"),
        ("PROXY_URL", "planted:33335", "http://user:password@host:port"),
        ("APIFY_API_URL", "nowhere", "the URL of Apify's API"),
        ("BATCH_SIZE", "-1", "products leased at once, 1 to 10000"),
        ("COLLAGE_QUALITY", "101", "1 to 100"),
        ("ZARA_MAX_RETRIES", "many", "repeated requests for one photo, 0 to 10"),
        ("DUBAI_OYSHO_STORES", "12, x", "comma-separated store ids"),
        ("BERSHKA_INDEX_SCOPE", "all", "pilot, pgvector or off"),
        ("DOWNLOAD_DELAY_MIN", "3", "at most DOWNLOAD_DELAY_MAX"),
        ("EMBEDDED_POSTGRES_MAJOR", "17", "16 or 18"),
        ("AVAILABILITY_FIRST_DAY", "today", "the first UTC day of availability's partitions"),
    ],
)
def test_an_invalid_value_names_its_variable_and_what_is_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert name in message
    assert expected in message
    assert "planted" not in message


def test_all_invalid_values_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATION", "perhaps")
    monkeypatch.setenv("MAX_RETRIES", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "AUTOMATION" in str(caught.value)
    assert "MAX_RETRIES" in str(caught.value)


def test_no_secret_is_in_a_repr_or_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("S3_ENDPOINT", "https://hel1.your-objectstorage.com")
    settings = load_settings()
    shown = (
        f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.brands} {settings.s3}"
    )
    assert "planted" not in shown
    assert settings.proxy_url is not None
    assert settings.proxy_url.get_secret_value() == SECRETS["PROXY_URL"]


def test_a_brand_can_have_its_own_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOWNLOAD_TIMEOUT", "20")
    monkeypatch.setenv("ZARA_DOWNLOAD_TIMEOUT", "10")
    monkeypatch.setenv("APIFY_TASK_ZARA", "task-of-zara")
    monkeypatch.setenv("DUBAI_ZARA_STORES", "4483, 12013,")
    brands = load_settings().brands
    assert (brands["zara"].download_timeout, brands["oysho"].download_timeout) == (10, 20)
    assert (brands["zara"].apify_task, brands["oysho"].apify_task) == ("task-of-zara", None)
    assert brands["zara"].stores == (4483, 12013)


def test_a_brand_can_be_excluded_from_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_URL", SECRETS["PROXY_URL"])
    monkeypatch.setenv("ZARA_USE_PROXY", "false")
    brands = load_settings().brands
    assert brands["zara"].proxy_url is None
    assert brands["oysho"].proxy_url is not None


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_DB_URL", "")
    monkeypatch.setenv("MAX_RETRIES", "")
    settings = load_settings()
    assert settings.staging_db_url is None
    assert settings.max_retries == 3


@pytest.mark.parametrize("value", ["AED", "AED:5", "AED:20000-5", "aed:5-20000", "AED:-5-9", "AED:5-20000;KGS:1-2"])
def test_a_price_band_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLISH_PRICE_BANDS", value)
    with pytest.raises(SettingsError, match="PUBLISH_PRICE_BANDS: .*expected bands like AED:5-20000"):
        load_settings()
    monkeypatch.setenv("PUBLISH_PRICE_BANDS", "AED:5-20000, KGS:50-2000000.50")
    assert load_settings().publish_price_bands["KGS"] == (Decimal(50), Decimal("2000000.50"))


def test_a_batch_size_of_a_stage_overrides_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "50")
    monkeypatch.setenv("COLLAGES_BATCH_SIZE", "7")
    settings = load_settings()
    assert (settings.batch_size_of("originals"), settings.batch_size_of("collages")) == (50, 7)


def test_env_example_names_every_setting_with_valid_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    for name in [*Settings.model_fields, "apify_task_zara", "dubai_zara_stores", "zara_user_agent"]:
        assert name.upper() in example, f".env.example does not name {name.upper()}"
    every_line_set = re.sub(r"^# (?=[A-Z0-9_]+=)", "", example, flags=re.MULTILINE)
    Path(".env").write_text(every_line_set)
    settings = load_settings()
    assert settings.brands["zara"].apify_task == "z1psVOTyIKFdU5N9n"
    assert set(settings.brands) == set(BRANDS)


def test_a_new_state_remembers_the_day_with_which_availability_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDE_HOME", str(tmp_path / "new"))
    assert load_settings().first_day == date(2026, 1, 1)  # of a state that was made by an older version
    dagster_home(load_settings())
    assert load_settings().first_day == datetime.now(UTC).date()
    monkeypatch.setenv("AVAILABILITY_FIRST_DAY", "2026-03-04")
    assert load_settings().first_day == date(2026, 3, 4)


def test_a_state_of_an_older_version_keeps_the_first_day_of_its_partitions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNDE_HOME", str(tmp_path))
    (tmp_path / "dagster").mkdir()
    dagster_home(load_settings())
    assert load_settings().first_day == date(2026, 1, 1)
