"""Makes text of other systems safe to send: no control characters, no secrets, no active content, limited length.

`message.py` writes the alerts around it.
"""

import html
import re
from collections.abc import Callable

from unde_catalog.settings.environment import Settings
from unde_catalog.settings.redaction import HIDDEN, Secrets
from unde_catalog.text import shorten

Sanitizer = Callable[[str], str]

MAX_REASON = 600  # characters
_MAX_INPUT = 5_000  # characters; an error can contain a whole page
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")  # in any URL, also one that no setting contains
_MIN_SECRET_SEGMENT = 8  # characters of a part of the webhook's path that is hidden on its own


def sanitizer(settings: Settings) -> Sanitizer:
    """A function that turns a text into one line of at most `MAX_REASON` characters without the settings' secrets."""
    secrets, webhook_secrets = Secrets(settings), _webhook_secrets(settings)

    def sanitize(text: str) -> str:
        # Control characters first, because one inside a secret would hide the secret from the search.
        line = re.sub(r" +", " ", "".join(char if char.isprintable() else " " for char in text[:_MAX_INPUT])).strip()
        line = secrets.hide(_CREDENTIALS.sub(f"{HIDDEN}@", line))
        for secret in webhook_secrets:
            line = line.replace(secret, HIDDEN)
        return shorten(line, MAX_REASON)

    return sanitize


def harmless(text: str) -> str:
    """For a chat that renders HTML entities and Markdown: disables mentions, links, images and tags."""
    text = html.escape(text, quote=False)  # <!channel>, <script>
    # An invisible space breaks mentions, links and images.
    return text.replace("@", "@\u200b").replace("](", "]\u200b(").replace("://", ":\u200b//")


def _webhook_secrets(settings: Settings) -> list[str]:
    """The webhook's URL, its path and the longer parts of the path, longest first: knowing them is enough to post."""
    if settings.notice_webhook_url is None:
        return []
    url = settings.notice_webhook_url.get_secret_value()
    path = url.partition("://")[2].partition("/")[2]
    parts = {url, path, *re.split(r"[/?&=#]", path)}
    return sorted((part for part in parts if len(part) >= _MIN_SECRET_SEGMENT), key=len, reverse=True)
