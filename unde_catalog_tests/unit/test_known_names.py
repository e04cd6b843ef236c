"""Variables of the services that this project replaces, and variables that nothing reads."""

from pathlib import Path

import pytest

from unde_catalog.operations.doctor.machine import check_names
from unde_catalog.settings.environment import Settings, load_settings, misspelt_variables, unknown_variables
from unde_catalog_tests.support.reference_pages import setting_names


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_deployed_database_variables_make_its_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "db.internal")
    monkeypatch.setenv("POSTGRES_PASSWORD", "a/b@c")
    (tmp_path / ".env").write_text("POSTGRES_USER=scraper\nPOSTGRES_PORT=6432\nPOSTGRES_DB=unde_staging\n")
    url = load_settings().staging_db_url
    assert url is not None
    assert url.get_secret_value() == "postgresql://scraper:a%2Fb%40c@db.internal:6432/unde_staging"


def test_a_setting_of_this_project_wins_over_a_deployed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "old")
    monkeypatch.setenv("STAGING_DB_URL", "postgresql://new/db")
    monkeypatch.setenv("CHECK_INTERVAL_SECONDS", "1800")
    settings = load_settings()
    assert settings.staging_db_url is not None and settings.staging_db_url.get_secret_value() == "postgresql://new/db"
    assert settings.availability_interval == 1800
    monkeypatch.setenv("AVAILABILITY_INTERVAL", "900")
    assert load_settings().availability_interval == 900


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("APIFY_TOKN", "did you mean APIFY_TOKEN?"),
        ("ZARA_STOCK_SHAP", "did you mean ZARA_STOCK_SHAPE?"),
        ("INSTANCE_COUNT", "not needed: start as many workers as you like"),
        ("MAX_CONCURRENT_TASKS", "set CONCURRENT_DOWNLOADS for photos; requests for stock adapt by themselves"),
    ],
)
def test_a_variable_that_nothing_reads_is_named(monkeypatch: pytest.MonkeyPatch, name: str, advice: str) -> None:
    monkeypatch.setenv(name, "planted-value")
    assert [(one.name, one.advice) for one in unknown_variables()] == [(name, advice)]
    finding = check_names()
    assert finding.state == "yellow" and f"{name} ({advice})" in finding.message
    assert "planted-value" not in finding.message


def test_names_of_other_programs_are_not_taken_for_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("REDIS_PORT_6379_TCP", "NATS_SERVICE_HOST", "COLOUR_OF_THE_SKY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ZARA_ANYTHING", "x")
    (tmp_path / ".env").write_text("APIFY_TOKN=planted-value\nINSTANCE_COUNT=2\nWEATHER=fine\n")
    assert [(one.name, one.advice) for one in misspelt_variables()] == [
        ("APIFY_TOKN", "did you mean APIFY_TOKEN?"), ("ZARA_ANYTHING", "no setting has this name"),
    ]  # fmt: skip


def test_any_other_name_in_the_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COLOUR_OF_THE_SKY=blue\nAPIFY_TOKEN=x\n")
    assert [one.name for one in unknown_variables()] == ["COLOUR_OF_THE_SKY"]


def test_every_documented_setting_is_known(tmp_path: Path) -> None:
    names = [name.replace("<BRAND>", "ZARA") for name in setting_names()]
    (tmp_path / ".env").write_text("".join(f"{name}=\n" for name in names))
    assert unknown_variables() == []
