"""Values of settings: addresses of databases, checked before anything connects, and which values may be shown.

What libpq makes of a malformed address is misleading, and its message may contain a part of the password.
"""

from urllib.parse import parse_qsl, urlsplit

_SCHEMES = ("postgresql://", "postgres://")


def normalized_url(url: str) -> str:
    """The address with the scheme `postgresql`; ValueError, which says what is wrong and quotes nothing of it."""
    scheme = next((scheme for scheme in _SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        raise ValueError("does not begin with postgresql://")
    url = _SCHEMES[0] + url.removeprefix(scheme)
    authority, _, rest = url.removeprefix(_SCHEMES[0]).partition("/")
    if authority.count("@") > 1 or "@" in rest.partition("?")[0]:
        raise ValueError("contains more than one @: write an @ of the password as %40, a / as %2F and a : as %3A")
    _check_percents(url)
    for host in authority.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2] if "]" in host else host.partition(":")[2]
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError("has a port that is not a number from 1 to 65535; write a : of the password as %3A")
    _check_characters(url)
    unknown = sorted({name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)} - _parameters())
    if unknown:
        names = ", ".join(name for name in unknown if name.isidentifier()) or "one that is no name"
        raise ValueError(f"has a parameter that PostgreSQL's client does not know ({names}): remove it")
    if "dbname" not in _parsed(url):
        raise ValueError("names no database: write its name after the host, as in host:5432/name")
    return url


def is_harmless(annotation: object) -> bool:
    """Whether any value that somebody gives a setting of this type may be shown, also a wrong one.

    A number may. A text may not: an address can hold a password, and anything can stand in the wrong variable.
    """
    return not any(name in str(annotation) for name in ("SecretStr", "Url", "str", "Path", "PhotoHost"))


def _check_percents(url: str) -> None:
    for part in url.split("%")[1:]:
        if len(part) < 2 or not all(digit in "0123456789abcdefABCDEF" for digit in part[:2]):
            raise ValueError("contains a % that is not followed by two hexadecimal digits: write it as %25")


def _check_characters(url: str) -> None:
    """What libpq refuses with a message that quotes the password."""
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("contains a space or a control character: write a space as %20")
    if "%00" in url:
        raise ValueError("contains %00, which no address may")
    if "&" in url.partition("?")[0].rpartition("@")[2]:
        raise ValueError("has parameters without a ? before the first of them")


def _parsed(url: str) -> set[str]:
    """The names of what the address sets, as libpq reads it; ValueError without libpq's message, which quotes it."""
    from psycopg import OperationalError, pq

    try:
        return {option.keyword.decode() for option in pq.Conninfo.parse(url.encode()) if option.val is not None}
    except OperationalError:
        raise ValueError("is no address that PostgreSQL's client can read: each parameter is name=value") from None


def _parameters() -> set[str]:
    """The parameters that the installed libpq knows; imported here, as most addresses have none."""
    from psycopg import pq

    return {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
