"""What webhooks of sources are signed with, for all or for one brand.

Read from the environment by `environment.py` alone.

How a signature is made and checked is in `services/search/routes/webhook_signatures.py`.
"""

from pydantic import BaseModel, Field, SecretStr, field_validator

_SHORTEST = 16


class WebhookFields(BaseModel):
    """The secret; more than one, with commas between, while it is changed."""

    webhook_secret: SecretStr | None = Field(
        default=None, description=f"a secret of {_SHORTEST} characters or more, or several with commas between"
    )

    @field_validator("webhook_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(one) < _SHORTEST for one in _each(value)):
            raise ValueError(f"one of them has less than {_SHORTEST} characters")
        return value

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Each of them; () where none is set."""
        return () if self.webhook_secret is None else tuple(_each(self.webhook_secret))


def _each(secrets: SecretStr) -> list[str]:
    return [one.strip() for one in secrets.get_secret_value().split(",")]
