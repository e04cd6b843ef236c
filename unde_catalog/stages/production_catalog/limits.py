"""A brand's publishing limits: the general settings with the brand's own currencies."""

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.publishing import PublishFields


def limits_of(brand: str, settings: Settings) -> PublishFields:
    """The brand's limits. An empty list of currencies allows all of them."""
    general = {name: getattr(settings, name) for name in PublishFields.model_fields}
    return PublishFields.model_validate(general | {"publish_currencies": settings.brands[brand].publish_currencies})
