"""TLS as we speak it: always verified, with the system's certificate authorities.

A proxy that re-signs brings one of its own (spec 6): in addition, never instead.
"""

import ssl
from pathlib import Path


class UnusableBundle(ValueError):
    """The file of certificate authorities can't be used."""


def tls_context(extra_authorities: Path | None = None) -> ssl.SSLContext:
    """A verifying context; `UnusableBundle` names a file that can't be read or holds no certificate."""
    context = ssl.create_default_context()
    if extra_authorities is not None:
        try:
            context.load_verify_locations(cafile=extra_authorities)
        except OSError as error:  # also ssl.SSLError
            raise UnusableBundle(
                f"PROXY_CA_BUNDLE {extra_authorities} is no file of PEM certificates: {error}"
            ) from None
    return context
