"""Words of others made fit to be sent on: no control characters, no secrets, no harm, and never long.

What a notice says with them is `message.py`'s.
"""

import html
import re
from collections.abc import Callable

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import HIDDEN, Secrets
from unde_catalog.text import shorten

Sanitizer = Callable[[str], str]

LONGEST_REASON = 600  # characters
_READ = 5_000  # characters of an error that are looked at: one can hold a whole page
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")  # of anybody's URL, also those that no setting holds
_SEGMENT = 8  # letters from which a part of the webhook's path is hidden where it stands alone


def sanitizer(settings: Settings) -> Sanitizer:
    """What makes a sentence of others fit: one line, at most 600 characters, without the settings' secrets."""
    secrets, more = Secrets(settings), _of_the_webhook(settings)

    def fit(text: str) -> str:
        # Control characters first: else they would tear a secret apart until it is found no more.
        line = re.sub(r" +", " ", "".join(char if char.isprintable() else " " for char in text[:_READ])).strip()
        line = secrets.hide(_CREDENTIALS.sub(f"{HIDDEN}@", line))
        for secret in more:
            line = line.replace(secret, HIDDEN)
        return shorten(line, LONGEST_REASON)

    return fit


def harmless(text: str) -> str:
    """For a chat that reads HTML entities and Markdown: no mention, link, picture or tag comes of it."""
    text = html.escape(text, quote=False)  # <!channel>, <script>
    # What follows an invisible space is no mention, and no link or picture either.
    return text.replace("@", "@\u200b").replace("](", "]\u200b(").replace("://", ":\u200b//")


def _of_the_webhook(settings: Settings) -> list[str]:
    """Its address is a secret as a whole, and its path is what makes it one."""
    if settings.notice_webhook_url is None:
        return []
    url = settings.notice_webhook_url.get_secret_value()
    path = url.partition("://")[2].partition("/")[2]
    found = {url, path, *(part for part in re.split(r"[/?&=#]", path) if len(part) >= _SEGMENT)}
    return sorted((one for one in found if len(one) >= _SEGMENT), key=len, reverse=True)
