"""Settings for tests of user media: an environment with a private bucket, or with nothing set."""

from pathlib import Path

import pytest

from unde_catalog.services.user_media.bucket import PrivateBucket, private_bucket
from unde_catalog.settings.environment import load_settings, load_user_media_settings
from unde_catalog.settings.user_media import UserMediaSettings
from unde_catalog_tests.support.s3_servers import ACCESS_KEY, SECRET_KEY

PRIVATE_BUCKET = "unde-people"


def private_environment(endpoint: str, bucket: str = PRIVATE_BUCKET) -> dict[str, str]:
    """The environment of a service with a private bucket at this S3 server."""
    return {
        "S3_ENDPOINT_URL": endpoint, "S3_ACCESS_KEY_ID": ACCESS_KEY, "S3_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_BUCKET_NAME": bucket,
    }  # fmt: skip


def nothing_set(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Unset the service's variables, ignore a developer's .env, and set UNDE_HOME to `home`."""
    monkeypatch.chdir(home)
    for name in UserMediaSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("UNDE_HOME", str(home))


def configured_bucket() -> PrivateBucket:
    """The private bucket that the environment names."""
    return private_bucket(load_user_media_settings(), load_settings())
