"""What can be set for notices: where they go, and where links lead.

Read from the environment by `environment.py` alone.

What a notice says and when one is sent is in `notices/`.
"""

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import NoDecode

# One address, nothing that could end a header or begin a second address.
MailAddress = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;:\"\\()\[\]]+@[^\s@<>,;:\"\\()\[\]]+$")]


class NoticeFields(BaseModel):
    """Where notices of failed runs and checks go; with nothing set, nowhere."""

    # The whole address is a secret: whoever knows it can post there.
    notice_webhook_url: SecretStr | None = Field(
        default=None, description="https://host/path that takes a POST of JSON"
    )
    notice_webhook_secret: SecretStr | None = Field(default=None, description="a secret that notices are signed with")
    notice_mail_to: Annotated[tuple[MailAddress, ...], NoDecode] = Field(
        default=(), description="mail addresses with commas between"
    )
    notice_mail_from: MailAddress | None = Field(
        default=None, description="a mail address; the first of NOTICE_MAIL_TO"
    )
    notice_smtp_url: SecretStr | None = Field(
        default=None, description="smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465"
    )
    notice_digest_hour: Annotated[int, Field(ge=0, le=23)] = Field(
        default=8, description="an hour from 0 to 23: warnings are told together then"
    )
    dagster_ui_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:3000"), description="the address of Dagster's UI, for links in notices"
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
