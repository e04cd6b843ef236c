"""Secrets that sign webhooks of sources, general or by brand. Only `environment.py` reads them from the environment.

Signatures are checked in `services/search/routes/webhook_signatures.py`.
"""

from pydantic import BaseModel, Field, SecretStr, field_validator

_SHORTEST = 16


class WebhookFields(BaseModel):
    """The secret; several, comma-separated, while it is changed."""

    webhook_secret: SecretStr | None = Field(
        default=None,
        description=f"a secret of {_SHORTEST} characters or more that signs webhooks, or several, comma-separated",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(one) < _SHORTEST for one in _each(value)):
            raise ValueError(f"a secret has fewer than {_SHORTEST} characters")
        return value

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """All secrets; () if none is set."""
        return () if self.webhook_secret is None else tuple(_each(self.webhook_secret))


def _each(secrets: SecretStr) -> list[str]:
    return [one.strip() for one in secrets.get_secret_value().split(",")]
