"""Where the output of steps is kept: a bucket if COMPUTE_LOGS_BUCKET names one, else a folder of DAGSTER_HOME.

With a bucket, the web server, runs and workers need no shared disk. `dagster.yaml` names the class.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from unde_catalog.settings.environment import Settings, SettingsError, load_settings
from unde_catalog.settings.s3 import S3Settings

_PREFIX = "dagster"
_NO_VARIABLES = {"profile": (None, None, None, None), "ignore_configured_endpoint_urls": (None, None, True, None)}
_UPLOAD_SECONDS = 30  # so that the UI shows the output of a step that still runs


class CatalogueComputeLogManager(ComputeLogManager, ConfigurableClass):
    """Opens one of Dagster's own managers, for the folder or for the bucket; it has no instances itself."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """It has no configuration in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> ComputeLogManager:  # pyright: ignore[reportIncompatibleMethodOverride]  what Dagster needs
        """The manager that the settings choose. `SettingsError` for a bucket without a store or without the extra."""
        settings = load_settings()
        if settings.compute_logs_bucket is None:
            home = settings.dagster_home or settings.home / "dagster"
            return LocalComputeLogManager(str(home / "storage"), inst_data=inst_data)
        return _bucket_manager(logs_bucket(settings), settings.home / "compute-logs", inst_data)


def logs_bucket(settings: Settings) -> S3Settings:
    """The bucket of COMPUTE_LOGS_BUCKET; `SettingsError` if no store is configured or it is the bucket of photos."""
    bucket, store = settings.compute_logs_bucket, settings.s3
    if bucket is None or store is None:
        raise SettingsError("S3_ENDPOINT: required with COMPUTE_LOGS_BUCKET")
    if bucket == store.bucket:
        raise SettingsError(
            "COMPUTE_LOGS_BUCKET: expected another bucket than S3_BUCKET, whose objects anybody may read"
        )
    return store.model_copy(update={"bucket": bucket, "virtual_host": store.virtual_host and "." not in bucket})


def _bucket_manager(bucket: S3Settings, folder: Path, inst_data: ConfigurableClassData | None) -> ComputeLogManager:
    """`folder`: for output that is not uploaded yet, and what the web server has read."""
    if find_spec("dagster_aws") is None:
        raise SettingsError(
            "COMPUTE_LOGS_BUCKET: a bucket needs the extra [aws]; pip install 'unde-catalog[aws]' adds it"
        )
    from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

    _use_as_default(bucket)
    return S3ComputeLogManager(
        bucket.bucket, str(folder), inst_data, _PREFIX,
        endpoint_url=bucket.endpoint, skip_empty_files=True, upload_interval=_UPLOAD_SECONDS, region=bucket.region,
    )  # fmt: skip


def _use_as_default(bucket: S3Settings) -> None:
    """Set boto3's default session, which dagster-aws uses: by itself it reads AWS_... variables and files."""
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    session = Session(session_vars={**_NO_VARIABLES, "config_file": (None, None, os.devnull, None)})
    session.set_credentials(bucket.access_key.get_secret_value(), bucket.secret_key.get_secret_value())
    session.set_config_variable("region", bucket.region)
    session.set_default_client_config(
        Config(
            signature_version="s3v4",
            s3={"addressing_style": "virtual" if bucket.virtual_host else "path"},
            connect_timeout=5,
            read_timeout=20,
            retries={"total_max_attempts": 3},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
    )
    boto3.setup_default_session(botocore_session=session)
