"""Checks NATS, which carries the requests of user media: the login, and whether JetStream is enabled."""

import asyncio
from urllib.parse import urlsplit

from unde_catalog.operations.doctor.result import Finding, green, not_configured, red
from unde_catalog.settings.user_media import UserMediaSettings

_SECONDS = 8


def check_nats(user_media: UserMediaSettings, own_address: str | None) -> Finding:
    """Connects as the service does, and reads JetStream's usage for the account.

    `own_address`: of the NATS server of this state, which need not run.
    """
    if "nats_url" not in user_media.model_fields_set and user_media.telegram_bot_token is None:
        return not_configured("the user media service does not run", "NATS_URL")
    servers = [part.strip() for part in user_media.nats_url.get_secret_value().split(",")]
    try:
        from nats.errors import Error as NatsError
    except ImportError:
        return red("the extra user-media is not installed: pip install 'unde-catalog[user-media]'", "NATS_URL")
    hosts = ", ".join(map(_host, servers))
    try:
        streams, size = asyncio.run(asyncio.wait_for(_usage(servers), 2 * _SECONDS))
    except (NatsError, OSError, TimeoutError) as error:
        if user_media.nats_url.get_secret_value() == own_address:
            return not_configured(f"the NATS server of this state, {hosts}, runs only with unde-catalog up", "NATS_URL")
        return red(f"{hosts}: {_reason(error)}", "NATS_URL")
    return green(f"connected to {hosts}, JetStream has {streams:,} streams with {size:,} bytes")


async def _usage(servers: list[str]) -> tuple[int, int]:
    """Streams and bytes of the account."""
    import nats

    async def ignore(_: Exception) -> None:
        """Errors are raised as well; without this callback, nats-py logs each of them."""

    client = await nats.connect(
        servers,
        name="unde-catalog doctor",
        connect_timeout=_SECONDS,
        allow_reconnect=False,
        max_reconnect_attempts=1,  # also for the first connection; 0 would retry without end
        reconnect_time_wait=0,
        error_cb=ignore,
    )
    try:
        account = await client.jetstream(timeout=_SECONDS).account_info()
        return account.streams, account.storage
    finally:
        await client.close()


def _host(server: str) -> str:
    """The host and port of a server, without credentials."""
    try:
        parts = urlsplit(server)
        return f"{parts.hostname}:{parts.port or 4222}"
    except ValueError:
        return "an invalid URL"


def _reason(error: Exception) -> str:
    """The reason without the server's own text, which may repeat what was sent."""
    text = str(error).lower()
    if "authorization" in text or "authentication" in text or "permissions" in text:
        return "the server refused the credentials"
    if type(error).__name__ in ("NoStreamResponseError", "NoRespondersError", "ServiceUnavailableError"):
        return "JetStream is not enabled: start the server with -js"
    if isinstance(error, TimeoutError):
        return f"no response within {_SECONDS} s"
    return f"unreachable ({type(error).__name__})"
