"""Addresses of databases: what is wrong with one is said, and nothing of it is shown."""

import pytest

from unde_catalog.settings.environment import SettingsError, load_settings
from unde_catalog.settings.values import normalized_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:planted@host/db",
        "postgresql://user:plan%40ted@host:6432/db?sslmode=require&application_name=x",
        "postgresql:///db?host=/run/postgresql",
        "postgresql://user@[::1]:5432/db",
        "postgresql://a:planted@h1:1,h2:2/db?target_session_attrs=read-write",
    ],
)
def test_a_valid_address_stays_as_it_is(url: str) -> None:
    assert normalized_url(url) == url


def test_the_short_scheme_becomes_the_one_that_every_library_knows() -> None:
    assert normalized_url("postgres://user:p@host/db") == "postgresql://user:p@host/db"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:planted@planted@host/db", "more than one @: write an @ of the password as %40"),
        ("postgresql://user:planted/planted@host/db", "more than one @|a / as %2F"),
        ("postgresql://user:planted@host:planted/db", "a port that is not a number"),
        ("postgresql://user:planted@host:99999/db", "a port that is not a number"),
        ("postgresql://user:plan%ted@host/db", "write it as %25"),
        ("postgresql://user:planted@host/db?pgbouncer=true", r"client does not know \(pgbouncer\): remove it"),
        ("postgresql://user:planted@host/db?schema=public&sslmode=require", r"\(schema\)"),
        ("postgresql://user:planted@host/db?planted-secret%20=1", "one that is no name"),
        ("postgresql://user:plan planted@host/db", "write a space as %20"),
        ("postgresql://user:planted%00@host/db", "contains %00"),
        ("postgresql://user:planted@host/db?options=-csearch_path=a", "each parameter is name=value"),
        ("postgresql://user:planted@host/db&sslmode=require", "without a [?] before"),
        ("postgres://", "names no database"),
        ("postgresql://user:planted@host:5432", "names no database"),
        ("mysql://planted@host/db", "does not begin with postgresql://"),
    ],
)
def test_a_malformed_address_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("DAGSTER_DB_URL", url)
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings()
    assert "DAGSTER_DB_URL: " in str(refused.value)
    assert "planted" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3_ENDPOINT", "http://user:planted@host:abc"),
        ("QDRANT_URL", "http://u:planted@@:x"),
        ("APIFY_API_URL", "u:planted@host"),
        ("XIMILAR_API_URL", "planted"),
        ("SCHEDULE_TIMEZONE", "planted"),
        ("ZARA_STOCK_API_URL", "planted"),
        ("OBJECT_BASE_URL", "planted:planted"),
    ],
)
def test_no_text_in_a_setting_is_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: expected ") as refused:
        load_settings()
    assert "planted" not in str(refused.value)


def test_a_number_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAGE_QUALITY", "101")
    with pytest.raises(SettingsError, match="COLLAGE_QUALITY: expected .*, got '101'"):
        load_settings()
