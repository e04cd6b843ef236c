"""Removes secrets from texts, also where a remote host or a library repeats them."""

import re
from base64 import b64encode
from collections.abc import Iterator
from os.path import commonprefix
from urllib.parse import quote, quote_plus, unquote

from pydantic import AnyUrl, BaseModel, SecretStr

from unde_catalog.settings.environment import Settings

HIDDEN = "***"
_SHORT = 4  # characters; a shorter secret is hidden only as a whole word, or parts of many words would be
_CUT = 8  # characters: the beginning of a truncated secret is hidden, too, if it has this many and half of it
_BREAKS = re.compile(r"[@:/?#\[\]%&=\s]+")  # where a URL with an unquoted password is split


class Secrets:
    """The secrets among settings, and those of `more` settings."""

    def __init__(self, settings: Settings, *more: BaseModel) -> None:
        found = {form for value in _values(settings, *more) for form in _forms(value) if form.strip()}
        self._found = sorted(found, key=len, reverse=True)  # a secret that is part of another one comes after it

    def __repr__(self) -> str:
        return f"Secrets({len(self._found)})"

    def hide(self, text: str) -> str:
        """The text with `***` for every secret, its usual encodings, and long beginnings of one."""
        for secret in self._found:
            if len(secret) < _SHORT:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
            else:
                text = text.replace(secret, HIDDEN)
        for secret in self._found:
            text = _without_beginnings(text, secret)
        return text


def _without_beginnings(text: str, secret: str) -> str:
    head = secret[: max(_CUT, (len(secret) + 1) // 2)]
    at = text.find(head)
    while at >= 0:
        end = at + len(commonprefix([text[at:], secret]))
        if not text[end : end + 1].isalnum():  # else it is another word with the same beginning
            text = text[:at] + HIDDEN + text[end:]
        at = text.find(head, at + 1)
    return text


def _values(settings: Settings, *more: BaseModel) -> Iterator[str]:
    models: list[BaseModel] = [settings, *settings.brands.values(), *more]
    for model in models:
        for _, value in model:
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
            elif isinstance(value, AnyUrl):
                yield from _of_url(str(value))


def _forms(value: str) -> Iterator[str]:
    """A secret in all encodings; of a URL, its secret parts."""
    secrets = list(_of_url(value)) if "://" in value else [value]
    for secret in secrets:
        yield from (secret, quote(secret, safe=""), quote_plus(secret), b64encode(secret.encode()).decode())


def _of_url(url: str) -> Iterator[str]:
    """Passwords and query values of a URL, also of one that cannot be parsed."""
    _, _, rest = url.partition("://")
    for credentials in {rest.rpartition("@")[0], rest.partition("@")[0] if "@" in rest else ""}:
        user, _, password = credentials.partition(":")
        if password:
            yield from _spellings(password)
            yield f"{unquote(user)}:{unquote(password)}"  # Basic authentication is its base64
            yield from (piece for piece in _BREAKS.split(password) if len(piece) >= _SHORT)
    query = re.search(r"\?([^#]*)", rest)
    for part in query[1].split("&") if query else ():
        name, _, value = part.partition("=")
        if name.lower() not in ("host", "port", "sslmode", "connect_timeout", "application_name", "dbname", "user"):
            yield from _spellings(value)


def _spellings(text: str) -> Iterator[str]:
    yield from {text, unquote(text)} - {""}
