"""Where alerts go, and where their links lead. Only `environment.py` reads these settings from the environment.

What an alert says and when one is sent is in `operations/alerts/`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import NoDecode

# One address, without characters that end a header or start a second address.
MailAddress = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;:\"\\()\[\]]+@[^\s@<>,;:\"\\()\[\]]+$")]


class NoticeFields(BaseModel):
    """The channels of alerts; without any, no alert is sent."""

    # The whole URL is a secret: whoever knows it can post to it.
    notice_webhook_url: SecretStr | None = Field(
        default=None, description="https://host/path, a URL that accepts a POST of JSON"
    )
    notice_webhook_secret: SecretStr | None = Field(
        default=None, description="the secret that signs requests to the webhook"
    )
    notice_mail_to: Annotated[tuple[MailAddress, ...], NoDecode] = Field(
        default=(), description="comma-separated mail addresses that alerts go to"
    )
    notice_mail_from: MailAddress | None = Field(
        default=None, description="the sender's mail address; default: the first of NOTICE_MAIL_TO"
    )
    notice_smtp_url: SecretStr | None = Field(
        default=None, description="smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465"
    )
    notice_digest_hour: Annotated[int, Field(ge=0, le=23)] = Field(
        default=8, description="the hour of the daily digest of warnings, 0 to 23"
    )
    dagster_ui_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:3000"), description="the URL of Dagster's UI, for links in alerts"
    )

    @field_validator("notice_mail_to", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("notice_webhook_url")
    @classmethod
    def _webhook_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("does not begin with https://")
        return value

    @field_validator("notice_smtp_url")
    @classmethod
    def _smtp_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("smtp://", "smtps://")):
            raise ValueError("does not begin with smtp:// or smtps://")
        return value
