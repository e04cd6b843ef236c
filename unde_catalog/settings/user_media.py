"""Settings of the user media service. Only `environment.py` reads them from the environment.

The names differ from the catalogue's, except `S3_REGION`: unset, it is `us-east-1` here, and taken from the endpoint
for the catalogue's bucket. The service itself is in `services/user_media/`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, Field, SecretStr

from unde_catalog.settings.s3 import BucketName, S3Endpoint, S3Fields, S3Settings, is_private

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
_NATS_SCHEMES = ("nats://", "tls://", "ws://", "wss://")


def _servers(value: SecretStr) -> SecretStr:
    if not all(part.strip().startswith(_NATS_SCHEMES) for part in value.get_secret_value().split(",")):
        raise ValueError("does not begin with nats://")
    return value


def _bot_token(value: SecretStr) -> SecretStr:
    bot, colon, rest = value.get_secret_value().partition(":")
    if not (colon and bot.isascii() and bot.isdigit() and rest.replace("_", "").replace("-", "").isalnum()):
        raise ValueError("a token is a number, a colon and letters")  # it is part of a URL's path
    return value


def _safe(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("has more than a scheme, a host, a port and a path")
    if url.scheme == "http" and not is_private(url.host or ""):
        raise ValueError("http is allowed for private addresses only, since the bot's token would be sent unencrypted")
    return url


class UserMediaSettings(BaseModel):
    """The fields; a field's name in capitals is its environment variable."""

    nats_url: Annotated[SecretStr, AfterValidator(_servers)] = Field(
        SecretStr("nats://localhost:4222"), description="nats://host:4222, or several, comma-separated"
    )
    telegram_bot_token: Annotated[SecretStr, AfterValidator(_bot_token)] | None = Field(
        None, description="the bot's token from BotFather"
    )
    telegram_api_url: Annotated[AnyHttpUrl, AfterValidator(_safe)] = Field(
        AnyHttpUrl("https://api.telegram.org"), description="the URL of Telegram's Bot API"
    )
    s3_endpoint_url: S3Endpoint | None = Field(
        None, description="https://host of the private bucket's store, without the bucket (http in a private network)"
    )
    s3_access_key_id: SecretStr | None = Field(None, description="the private bucket's access key")
    s3_secret_access_key: SecretStr | None = Field(None, description="the secret key of that access key")
    s3_bucket_name: BucketName | None = Field(None, description="the name of the private bucket")
    s3_region: str = Field("us-east-1", description="the store's region")
    download_timeout_seconds: Seconds = Field(30, description="seconds for one photo, up to 86400")
    max_concurrent_downloads: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="photos of batches downloaded at the same time, 1 to 100"
    )
    max_batch_size: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="the most photos in a batch, 1 to 10000"
    )
    batch_processing_timeout: Seconds = Field(300, description="seconds for one batch, up to 86400")
    user_media_metadata: Literal["remove", "keep"] = Field(
        "remove", description="remove or keep: what photos say of the place, time and camera they were taken with"
    )
    log_level: Annotated[LogLevel, BeforeValidator(lambda value: str(value).upper())] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR: the least severe log lines to write"
    )
    user_media_host: str = Field("127.0.0.1", description="the address on which health and metrics are served")
    user_media_port: Port = Field(8009, description="the port on which health and metrics are served")

    def bot_token(self) -> SecretStr:
        """The bot's token; ValueError if none is set."""
        if self.telegram_bot_token is None:
            raise ValueError("TELEGRAM_BOT_TOKEN: required to download photos")
        return self.telegram_bot_token

    def bucket(self, prefix: str = "") -> S3Settings | None:
        """The private bucket, None if no store is set; ValueError names missing variables."""
        needed = {
            "S3_ENDPOINT_URL": self.s3_endpoint_url,
            "S3_ACCESS_KEY_ID": self.s3_access_key_id,
            "S3_SECRET_ACCESS_KEY": self.s3_secret_access_key,
            "S3_BUCKET_NAME": self.s3_bucket_name,
        }
        there = [prefix + name for name, value in needed.items() if value is not None]
        if not there:
            return None
        if missing := [prefix + name for name, value in needed.items() if value is None]:
            raise ValueError(
                f"{', '.join(missing)}: required with {' and '.join(there)} (set all, or none to use a folder)"
            )
        try:
            return S3Fields.model_construct(
                s3_endpoint=self.s3_endpoint_url,
                s3_access_key=self.s3_access_key_id,
                s3_secret_key=self.s3_secret_access_key,
                s3_bucket=self.s3_bucket_name,
                s3_region=self.s3_region,
                s3_addressing="auto",
            ).bucket()
        except ValueError as error:
            raise ValueError(str(error).replace("S3_ENDPOINT:", "S3_ENDPOINT_URL:")) from None
