"""Which URLs we ask for: http(s) without credentials, on a web port, and behind a proxy only of listed hosts.

What a name resolves to is not known here: without a proxy the address is checked at the socket (`resolver.py`).
"""

from dataclasses import dataclass
from typing import Literal

from yarl import URL

_WEB_PORTS = (80, 443)


class RefusedUrl(ValueError):
    """A URL that we don't ask for: a reason code and a sentence."""

    def __init__(self, reason: Literal["bad_url", "refused_host"], detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What may be asked for.

    `hosts`: the only ones, None for any; each as `static.zara.net`, `*.zara.net` (all below it) or either with
    `:port` (without, 80 and 443 are meant). `anywhere`: any host, name or address, on any port, for the sandbox.
    """

    hosts: tuple[str, ...] | None = None
    anywhere: bool = False

    def parse(self, text: str, base: URL | None = None) -> URL:
        """The URL in `text`, which a redirect may give relative to `base`; `RefusedUrl` says why not."""
        try:
            url = base.join(URL(text)) if base else URL(text)
            scheme, host, port = url.scheme, (url.host or "").lower(), url.port
        except (ValueError, TypeError):
            raise RefusedUrl("bad_url", "not a URL") from None
        if scheme not in ("http", "https") or not _could_be_a_host(host):
            raise RefusedUrl("bad_url", "not an http or https URL")
        if url.user is not None or url.password is not None:
            raise RefusedUrl("bad_url", "the URL carries credentials")
        if self.anywhere:
            return url
        if self.hosts is None:
            if port not in _WEB_PORTS:
                raise RefusedUrl("refused_host", f"port {port} is not a web server's")
        elif not any(_matches(entry, host, port) for entry in self.hosts):
            raise RefusedUrl("refused_host", f"{host[:100]} (port {port}) is not in the list of photo hosts")
        return url


def _could_be_a_host(host: str) -> bool:
    """Whether resolving it is worth a try: Python's resolver raises odd errors where a label is empty or too long."""
    return 0 < len(host) <= 253 and all(0 < len(label) <= 63 for label in host.removesuffix(".").split("."))


def _matches(entry: str, host: str, port: int | None) -> bool:
    name, _, own_port = entry.partition(":")
    named = host.endswith(name[1:]) if name.startswith("*.") else host == name
    return named and (port == int(own_port) if own_port else port in _WEB_PORTS)
