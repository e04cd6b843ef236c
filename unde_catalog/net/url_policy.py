"""Which URLs may be requested: http(s) without credentials, on a web port, and behind a proxy only on listed hosts.

Name resolution is not checked here: without a proxy, `resolver.py` checks the address at the socket.
"""

import re
from dataclasses import dataclass
from typing import Literal

from yarl import URL

_WEB_PORTS = (80, 443)
# What RFC 3986 does not allow anywhere in a URL, and a % that encodes nothing.
_ILLEGAL = re.compile(rb"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
_BARE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class RefusedUrl(ValueError):
    """A URL that the policy refuses: a reason code and a message."""

    def __init__(self, reason: Literal["bad_url", "refused_host"], detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """The URLs that may be requested.

    `hosts`: the allowed hosts, None for any. An entry is `static.zara.net`, `*.zara.net` (all subdomains) or either
    with `:port`; without a port, 80 and 443 are allowed. `any_host`: any host, name or address, on any port (sandbox).
    """

    hosts: tuple[str, ...] | None = None
    any_host: bool = False

    def parse(self, text: str, base: URL | None = None) -> URL:
        """Parse a URL, relative to `base` for a redirect; `RefusedUrl` says why it is refused."""
        try:
            url = base.join(_as_given(text)) if base else _as_given(text)
            scheme, host, port = url.scheme, (url.host or "").lower(), url.port
        except (ValueError, TypeError):
            raise RefusedUrl("bad_url", "not a URL") from None
        if scheme not in ("http", "https") or not _is_plausible_host(host):
            raise RefusedUrl("bad_url", "not an http or https URL")
        if url.user is not None or url.password is not None:
            raise RefusedUrl("bad_url", "the URL contains credentials")
        if self.any_host:
            return url
        if self.hosts is None:
            if port not in _WEB_PORTS:
                raise RefusedUrl("refused_host", f"port {port} is not a web server's port")
        elif not any(_matches(entry, host, port) for entry in self.hosts):
            raise RefusedUrl("refused_host", f"{host[:100]} (port {port}) is not a listed photo host")
        return url


def _as_given(text: str) -> URL:
    """The URL character by character, as a signed one must not change; only what no URL may have is encoded."""
    text = text.strip().partition("#")[0]
    scheme, slashes, rest = text.partition("//")
    authority = re.split(r"[/?\\]", rest, maxsplit=1)[0]
    if not authority.isascii():  # a host name in another script has one form that is sent
        text = f"{scheme}{slashes}{URL(f'//{authority}').raw_authority}{rest[len(authority) :]}"
    raw = text.encode("utf-8", "surrogateescape")
    legal = _BARE_PERCENT.sub(b"%25", _ILLEGAL.sub(lambda match: b"%%%02X" % match[0][0], raw))
    return URL(legal.decode("ascii"), encoded=True)


def _is_plausible_host(host: str) -> bool:
    """Whether to try resolving it: Python's resolver raises odd errors for labels that are empty or too long."""
    return 0 < len(host) <= 253 and all(0 < len(label) <= 63 for label in host.removesuffix(".").split("."))


def _matches(entry: str, host: str, port: int | None) -> bool:
    name, _, entry_port = entry.partition(":")
    host_matches = host.endswith(name[1:]) if name.startswith("*.") else host == name
    return host_matches and (port == int(entry_port) if entry_port else port in _WEB_PORTS)
