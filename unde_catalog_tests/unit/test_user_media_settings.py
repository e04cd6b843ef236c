import re
from pathlib import Path

import pytest

from unde_catalog.settings.environment import SettingsError, load_settings, load_user_media_settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog_tests.support.user_media import nothing_set, private_environment

SECRETS = {
    "NATS_URL": "nats://user:planted-1@host:4222",
    "TELEGRAM_BOT_TOKEN": "12345:planted-2",
    "S3_ACCESS_KEY_ID": "planted-3",
    "S3_SECRET_ACCESS_KEY": "planted-4",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


def test_with_nothing_set_the_defaults_apply() -> None:
    settings = load_user_media_settings()
    assert settings.nats_url.get_secret_value() == "nats://localhost:4222"
    assert str(settings.telegram_api_url) == "https://api.telegram.org/"
    assert (settings.download_timeout_seconds, settings.max_concurrent_downloads) == (30, 5)
    assert (settings.max_batch_size, settings.batch_processing_timeout) == (100, 300)
    assert (settings.s3_region, settings.log_level, settings.bucket()) == ("us-east-1", "INFO", None)
    with pytest.raises(ValueError, match="^TELEGRAM_BOT_TOKEN: required"):
        settings.bot_token()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NATS_URL", "planted:4222", "nats://host:4222"),
        ("NATS_URL", "nats://a:4222,http://planted", "nats://host:4222"),
        ("TELEGRAM_BOT_TOKEN", "planted", "the bot's token from BotFather"),
        ("TELEGRAM_BOT_TOKEN", "12:planted/../x", "the bot's token from BotFather"),
        ("TELEGRAM_BOT_TOKEN", "12:planted?x", "the bot's token from BotFather"),
        ("TELEGRAM_API_URL", "http://api.telegram.org", "the bot's token would be sent unencrypted"),
        ("TELEGRAM_API_URL", "https://u:p@api.telegram.org", "the URL of Telegram's Bot API"),
        ("S3_ENDPOINT_URL", "http://store.example.com", "https://host of the private bucket's store"),
        ("S3_BUCKET_NAME", "No Bucket", "the name of the private bucket"),
        ("DOWNLOAD_TIMEOUT_SECONDS", "0", "seconds for one photo"),
        ("MAX_CONCURRENT_DOWNLOADS", "0", "1 to 100"),
        ("MAX_BATCH_SIZE", "many", "1 to 10000"),
        ("BATCH_PROCESSING_TIMEOUT", "-1", "seconds for one batch"),
        ("LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR"),
        ("USER_MEDIA_PORT", "70000", "the port on which"),
    ],
)
def test_an_invalid_value_names_its_variable_and_what_it_expects(
    name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: expected .*({expected})") as refused:
        load_user_media_settings()
    assert "planted" not in str(refused.value)


def test_no_secret_appears_in_any_form_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = private_environment("https://hel1.example.com") | SECRETS
    for name, value in everything.items():
        monkeypatch.setenv(name, value)
    settings = load_user_media_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.bucket()!r}"
    assert "planted" not in shown


def test_the_region_is_shared_and_each_bucket_has_its_own_default(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = {"S3_ENDPOINT": "https://hel1.example.com", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "s"}
    for name, value in {**private_environment("https://hel1.example.com"), **catalogue}.items():
        monkeypatch.setenv(name, value)
    regions = [bucket.region for bucket in (load_settings().s3, load_user_media_settings().bucket()) if bucket]
    assert regions == ["hel1", "us-east-1"]
    monkeypatch.setenv("S3_REGION", "fsn1")
    regions = [bucket.region for bucket in (load_settings().s3, load_user_media_settings().bucket()) if bucket]
    assert regions == ["fsn1", "fsn1"]


def test_a_public_endpoint_uses_the_buckets_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in private_environment("https://hel1.example.com").items():
        monkeypatch.setenv(name, value)
    bucket = load_user_media_settings().bucket()
    assert bucket is not None
    assert bucket.base_url == "https://unde-people.hel1.example.com"


def test_an_endpoint_that_contains_the_bucket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in private_environment("https://unde-people.hel1.example.com").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        SettingsError, match=r"^S3_ENDPOINT_URL: expected the host without the bucket, hel1\.example\.com"
    ):
        load_user_media_settings()


def test_env_example_names_every_setting_of_the_service() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    for name in UserMediaSettings.model_fields:
        assert re.search(rf"^# {name.upper()}=", example, re.MULTILINE), f".env.example does not name {name.upper()}"
