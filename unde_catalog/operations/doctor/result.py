"""What a look at a service found, and the line that people and programs are shown of it. Nothing is asked here."""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.user_media import UserMediaSettings

State = Literal["green", "yellow", "red"]

# What may be set for one brand alone, by the part of its name that all brands share.
_OF_A_BRAND = {
    "APIFY_TASK_": "the id of the brand's Apify task",
    "_USE_PROXY": "true or false",
    "DUBAI_": "shop ids with commas between",
    "_STOCK_API_URL": "the address of the shop's stock API",
    "_SHOP_FINDER_URL": "the address of the brand's site, where shops are looked for",
    "_STOCK_CHANNEL": "the number of the brand's store in its own APIs",
    "_USER_AGENT": "the shop app's User-Agent, e.g. ZaraApp/15.10.0 ...",
    "_PHOTO_HOSTS": "host names with commas between, each like static.zara.net, *.zara.net or with :port",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Green: it works; yellow: worth knowing, and work goes on; red: what needs it can't work.

    `settings`: what to set; `asked`: whether there was anything to ask.
    """

    state: State
    said: str
    settings: tuple[str, ...] = ()
    asked: bool = True


def green(said: str) -> Finding:
    """It works."""
    return Finding("green", said)


def yellow(said: str, *settings: str) -> Finding:
    """It works in a way that is worth knowing, or a stand-in works; nothing stops for it."""
    return Finding("yellow", said, settings)


def not_configured(said: str, *settings: str) -> Finding:
    """Nothing was asked, as nothing is set."""
    return Finding("yellow", f"not configured: {said}", settings, asked=False)


def red(said: str, *settings: str) -> Finding:
    """What needs it can't work."""
    return Finding("red", said, settings)


@dataclass(frozen=True, slots=True)
class Line:
    """A service's line: `wants` by setting what it should hold; `milliseconds` None where there was nothing to ask."""

    service: str
    state: State
    said: str
    wants: dict[str, str] = field(default_factory=dict)
    milliseconds: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "service": self.service,
            "state": self.state,
            "said": self.said,
            "set": self.wants,
            "milliseconds": self.milliseconds,
        }


def wanted(setting: str) -> str:
    """What a setting, named as in the environment, should hold."""
    known = Settings.model_fields.get(setting.lower()) or UserMediaSettings.model_fields.get(setting.lower())
    if known is not None:
        return known.description or ""
    return next((wants for part, wants in _OF_A_BRAND.items() if part in setting), "")


def host_of(url: str) -> str:
    """`host:port` of a URL, or the host alone; never its credentials, also where they make it unreadable."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "an unreadable address"
