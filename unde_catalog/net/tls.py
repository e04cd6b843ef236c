"""The TLS context of all clients: certificates are always verified, against the system's certificate authorities.

A proxy that re-signs traffic needs its own authority (PROXY_CA_BUNDLE). It is trusted in addition, never instead.
"""

import ssl
from pathlib import Path


class UnusableBundle(ValueError):
    """The file of certificate authorities cannot be used."""


def tls_context(extra_authorities: Path | None = None) -> ssl.SSLContext:
    """A verifying context. `UnusableBundle` names a file that is unreadable or holds no certificate."""
    context = ssl.create_default_context()
    if extra_authorities is not None:
        try:
            context.load_verify_locations(cafile=extra_authorities)
        except OSError as error:  # also ssl.SSLError
            raise UnusableBundle(
                f"PROXY_CA_BUNDLE {extra_authorities} is not a file of PEM certificates: {error}"
            ) from None
    return context
