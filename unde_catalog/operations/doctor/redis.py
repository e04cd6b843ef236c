"""Checks Redis with a PING, if it is configured."""

import socket
from urllib.parse import unquote, urlsplit

from unde_catalog.net.tls import tls_context
from unde_catalog.operations.doctor.result import Finding, green, host_of, red
from unde_catalog.text import first_line

_SECONDS = 8.0
_PORT = 6379
_INVALID = "REDIS_URL is not the URL of a Redis server"


def check_redis(url: str) -> Finding:
    """Redis accepts the credentials and answers a PING."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:  # its message may contain a part of the password
        return red(_INVALID, "REDIS_URL")
    if host is None or parts.scheme not in ("redis", "rediss"):
        return red(_INVALID, "REDIS_URL")
    commands = [["PING"]]
    if parts.password:
        user = [unquote(parts.username)] if parts.username else []
        commands.insert(0, ["AUTH", *user, unquote(parts.password)])
    try:
        with _connect(host, port, tls=parts.scheme == "rediss") as connection:
            for command in commands:
                connection.sendall(_encode(command))
                response = connection.makefile("rb").readline(1_000).decode("utf-8", "replace").strip()
                if not response.startswith("+"):
                    reason = response.lstrip("-") or "it closed the connection"
                    return red(f"{host_of(url)} refused {command[0]}: {reason}", "REDIS_URL")
    except OSError as error:  # also TLS errors and time-outs
        return red(f"{host_of(url)} is unreachable: {first_line(error)}", "REDIS_URL")
    return green(f"{host_of(url)} answers PING")


def _connect(host: str, port: int, *, tls: bool) -> socket.socket:
    plain = socket.create_connection((host, port), timeout=_SECONDS)
    return tls_context().wrap_socket(plain, server_hostname=host) if tls else plain


def _encode(command: list[str]) -> bytes:
    parts = [part.encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
