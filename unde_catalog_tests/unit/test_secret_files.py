from pathlib import Path

import pytest

from unde_catalog.settings.environment import (
    Settings,
    SettingsError,
    load_settings,
    load_user_media_settings,
    unknown_variables,
)
from unde_catalog.settings.redaction import Secrets
from unde_catalog.settings.secret_files import is_secret
from unde_catalog.settings.sources import publish
from unde_catalog.settings.user_media import UserMediaSettings

URL = "postgresql://role:planted@host:6432/unde_staging"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*Settings.model_fields, *UserMediaSettings.model_fields]:
        monkeypatch.delenv(name.upper(), raising=False)


def secret(folder: Path, content: bytes, name: str = "secret") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGING_DB_URL_FILE", secret(tmp_path, f"{URL}\n".encode()))
    settings = load_settings()
    assert settings.staging_db_url is not None and settings.staging_db_url.get_secret_value() == URL
    assert Secrets(settings).hide("it is planted") == "it is ***"
    assert unknown_variables() == []


def test_each_settings_class_reads_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NATS_URL_FILE", secret(tmp_path, b"nats://user:planted@host:4222"))
    monkeypatch.setenv("ZARA_WEBHOOK_SECRET_FILE", secret(tmp_path, b"planted-planted-planted", "other"))
    assert load_user_media_settings().nats_url.get_secret_value().startswith("nats://user:planted@")
    assert load_settings().brands["zara"].webhook_secrets == ("planted-planted-planted",)


def test_a_file_named_in_dotenv_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"APIFY_TOKEN_FILE={secret(tmp_path, b'planted')}\n")
    token = load_settings().apify_token
    assert token is not None and token.get_secret_value() == "planted"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file or directory"), (b"\n", "it is empty"), (b"planted\xff", "it is not text")],
)
def test_a_file_that_cannot_be_used_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = str(tmp_path / "planted-path") if content is None else secret(tmp_path, content)
    monkeypatch.setenv("APIFY_TOKEN_FILE", path)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"APIFY_TOKEN_FILE: the file cannot be used ({reason})"


def test_a_secret_that_is_set_twice_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "planted")
    monkeypatch.setenv("APIFY_TOKEN_FILE", secret(tmp_path, b"planted"))
    with pytest.raises(SettingsError, match=r"^APIFY_TOKEN and APIFY_TOKEN_FILE are both set: remove one of them$"):
        load_settings()


def test_the_sandbox_replaces_a_secret_that_is_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"XIMILAR_API_TOKEN_FILE={secret(tmp_path, b'planted')}\n")
    for name in ("XIMILAR_API_TOKEN", "XIMILAR_API_TOKEN_FILE"):
        monkeypatch.setenv(name, "former")  # so that the end of the test takes back what `publish` sets
        monkeypatch.delenv(name)
    publish({"XIMILAR_API_TOKEN": "sandbox"})
    token = load_settings().ximilar_api_token
    assert token is not None and token.get_secret_value() == "sandbox"


def test_an_invalid_value_in_a_file_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGING_DB_URL_FILE", secret(tmp_path, b"mysql://planted@host"))
    with pytest.raises(SettingsError, match="STAGING_DB_URL: expected postgresql://") as caught:
        load_settings()
    assert "planted" not in str(caught.value)


def test_only_secrets_are_read_from_files() -> None:
    assert is_secret(Settings.model_fields["proxy_url"]) and is_secret(Settings.model_fields["redis_url"])
    assert not is_secret(Settings.model_fields["backup_folder"])
