"""The result of a check, and the line shown to people and programs. Nothing is requested here."""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.user_media import UserMediaSettings

State = Literal["green", "yellow", "red"]

# The settings of a single brand, by the part of the name that all brands share.
_BRAND_SETTINGS = {
    "APIFY_TASK_": "the id of the brand's Apify task",
    "_USE_PROXY": "true or false",
    "DUBAI_": "store ids, separated by commas",
    "_STOCK_API_URL": "the URL of the brand's stock API",
    "_SHOP_FINDER_URL": "the URL of the brand's site, whose store finder is used",
    "_STOCK_CHANNEL": "the number of the brand's online store in its own APIs",
    "_USER_AGENT": "the User-Agent of the brand's app, e.g. ZaraApp/15.10.0 ...",
    "_PHOTO_HOSTS": "host names, separated by commas, each like static.zara.net, *.zara.net or with :port",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Green: it works. Yellow: work continues, with a remark. Red: work that needs it fails.

    `settings`: the settings to change. `checked`: False if nothing is configured, so that there was nothing to check.
    """

    state: State
    message: str
    settings: tuple[str, ...] = ()
    checked: bool = True


def green(message: str) -> Finding:
    """It works."""
    return Finding("green", message)


def yellow(message: str, *settings: str) -> Finding:
    """It works with a remark, or something else is used instead."""
    return Finding("yellow", message, settings)


def not_configured(message: str, *settings: str) -> Finding:
    """Nothing was checked, because the settings are not set. `message`: the consequence."""
    return Finding("yellow", f"not configured: {message}", settings, checked=False)


def red(message: str, *settings: str) -> Finding:
    """Work that needs it fails."""
    return Finding("red", message, settings)


@dataclass(frozen=True, slots=True)
class Line:
    """One service. `expected`: what each setting should contain. `milliseconds`: None if nothing was checked."""

    service: str
    state: State
    message: str
    expected: dict[str, str] = field(default_factory=dict)
    milliseconds: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "service": self.service,
            "state": self.state,
            "said": self.message,
            "set": self.expected,
            "milliseconds": self.milliseconds,
        }


def expected_value(setting: str) -> str:
    """What a setting, named as in the environment, should contain."""
    known = Settings.model_fields.get(setting.lower()) or UserMediaSettings.model_fields.get(setting.lower())
    if known is not None:
        return known.description or ""
    return next((expected for part, expected in _BRAND_SETTINGS.items() if part in setting), "")


def host_of(url: str) -> str:
    """`host:port` of a URL, or the host alone, without its credentials even if they make the URL invalid."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "an invalid URL"
