"""Reads the photo URLs of an item's colours, in every shape that scrapers give them, and counts what it leaves out.

Seen in datasets: URLs without a scheme, media as objects, as JSON text or as a single string, and videos among the
photos.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

PHOTOS_PER_COLOUR = 5
PHOTO_WIDTH = "1920"  # replaces the width placeholder of photo URLs
_MAX_URL = 2_000  # characters
_WIDTH_PLACEHOLDER = re.compile(r"\{width\}|:width:|%7Bwidth%7D", re.IGNORECASE)
_TIMESTAMP = re.compile(r"(?<=[?&])ts=[^&]*&?")
_VIDEO = re.compile(r"\.(mp4|m4v|mov|avi|webm|mkv|ogv|3gp|wmv|flv|m3u8|mpd)$", re.IGNORECASE)
_KIND_NAMES = ("type", "kind", "mediaType", "media_type", "mimeType", "mime_type", "contentType", "datatype")
_URL_NAMES = ("url", "deliveryUrl", "href", "src", "image_url", "imageUrl")  # of an object; also in its `extraInfo`

_CUT_JSON = ('["', "[{", '{"', '"')  # the beginning of JSON text that is no JSON

# Names of counts: what of an item's media is not among its photos.
VIDEOS, UNREADABLE, TOO_LONG = "videos_skipped", "media_unreadable", "photo_urls_too_long"
PHOTOS_CUT = "photos_cut"  # beyond the limit of a product


def photo_urls(colours: Any, notes: Counter[str]) -> tuple[str, ...]:
    """The first five photos of each colour, each photo once. What is no photo is counted in `notes`."""
    return tuple(_unique(url for colour in listed(colours) for url in _of_colour(colour, notes)))


def listed_colours(colours: Any) -> list[dict[str, Any]]:
    """The colours of an item, which may be a list, a single colour, or either as JSON text."""
    return [colour for colour in listed(colours) if isinstance(colour, dict)]


def _of_colour(colour: Any, notes: Counter[str]) -> list[str]:
    if not isinstance(colour, dict):  # JSON text that was cut, or something else in the place of a colour
        notes[UNREADABLE] += 1
        return []
    media = colour.get("xmedia")
    found = []
    for one in listed(media):
        url = photo_url(one, notes)
        if url is not None and len(found) < PHOTOS_PER_COLOUR:
            found.append(url)
    return found


def listed(value: Any) -> list[Any]:
    """A list as it is, one value as a list of one, JSON text as what it says."""
    if isinstance(value, str) and value.strip().startswith(("[", "{", '"')):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def photo_url(media: Any, notes: Counter[str]) -> str | None:
    """The photo's URL; None for what is not a photo, which is counted."""
    if isinstance(media, dict):
        kind = " ".join(str(media.get(name, "")) for name in _KIND_NAMES)
        if "video" in kind.lower():
            notes[VIDEOS] += 1
            return None
        extra = media.get("extraInfo")
        places = [media, extra] if isinstance(extra, dict) else [media]
        media = next((place[name] for place in places for name in _URL_NAMES if isinstance(place.get(name), str)), None)
    if not isinstance(media, str) or not media.strip() or media.strip().startswith(_CUT_JSON):
        notes[UNREADABLE] += 1
        return None
    url = _WIDTH_PLACEHOLDER.sub(PHOTO_WIDTH, media.strip())
    if url.startswith("//"):
        url = f"https:{url}"
    if len(url) > _MAX_URL:
        notes[TOO_LONG] += 1
        return None
    if _VIDEO.search(_path(url)):
        notes[VIDEOS] += 1
        return None
    return url


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # an address that is none, which the download says
        return url.partition("?")[0]


def _unique(urls: Iterator[str]) -> Iterator[str]:
    """Each photo once, by its first URL: brands list a photo twice with different timestamps (`ts`)."""
    seen = set()
    for url in urls:
        photo = _TIMESTAMP.sub("", url).rstrip("?&")
        if photo not in seen:
            seen.add(photo)
            yield url
