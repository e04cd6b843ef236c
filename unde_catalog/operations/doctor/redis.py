"""Redis, where one is configured: a PING in its own protocol."""

import socket
from urllib.parse import unquote, urlsplit

from unde_catalog.net.tls import tls_context
from unde_catalog.operations.doctor.result import Finding, green, host_of, red
from unde_catalog.text import first_line

_SECONDS = 8.0
_PORT = 6379
_NO_ADDRESS = "is no address of a Redis"


def look_at_redis(url: str) -> Finding:
    """Whether it answers PONG to us."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:  # its words may be a part of the password
        return red(_NO_ADDRESS, "REDIS_URL")
    if host is None or parts.scheme not in ("redis", "rediss"):
        return red(_NO_ADDRESS, "REDIS_URL")
    commands = [["PING"]]
    if parts.password:
        user = [unquote(parts.username)] if parts.username else []
        commands.insert(0, ["AUTH", *user, unquote(parts.password)])
    try:
        with _connected(host, port, tls=parts.scheme == "rediss") as connection:
            for command in commands:
                connection.sendall(_as_sent(command))
                answer = connection.makefile("rb").readline(1_000).decode("utf-8", "replace").strip()
                if not answer.startswith("+"):
                    said = answer.lstrip("-") or "it hung up"
                    return red(f"{host_of(url)} refuses {command[0]}: {said}", "REDIS_URL")
    except OSError as error:  # also TLS and time-outs
        return red(f"{host_of(url)} can't be reached: {first_line(error)}", "REDIS_URL")
    return green(f"{host_of(url)} answers PONG")


def _connected(host: str, port: int, *, tls: bool) -> socket.socket:
    plain = socket.create_connection((host, port), timeout=_SECONDS)
    return tls_context().wrap_socket(plain, server_hostname=host) if tls else plain


def _as_sent(command: list[str]) -> bytes:
    parts = [part.encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
