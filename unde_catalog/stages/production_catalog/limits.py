"""The limits that hold for one brand: the general ones, but for what is set for it alone."""

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.publishing import PublishFields


def limits_of(brand: str, settings: Settings) -> PublishFields:
    """Its limits; no currencies: any will do."""
    general = {name: getattr(settings, name) for name in PublishFields.model_fields}
    return PublishFields.model_validate(general | {"publish_currencies": settings.brands[brand].publish_currencies})
