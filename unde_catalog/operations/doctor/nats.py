"""NATS, over which people's photos are asked for: whether it takes us, and keeps messages (JetStream)."""

import asyncio
from urllib.parse import urlsplit

from unde_catalog.operations.doctor.result import Finding, green, not_configured, red
from unde_catalog.settings.user_media import UserMediaSettings

_SECONDS = 8


def look_at_nats(people: UserMediaSettings) -> Finding:
    """Connect as the service does, and ask what JetStream keeps for our account."""
    if "nats_url" not in people.model_fields_set and people.telegram_bot_token is None:
        return not_configured("people's photos are not served", "NATS_URL")
    servers = [one.strip() for one in people.nats_url.get_secret_value().split(",")]
    try:
        from nats.errors import Error as NatsError
    except ImportError:
        return red("the extra user-media is wanted: pip install 'unde-catalog[user-media]'", "NATS_URL")
    where = ", ".join(map(_host, servers))
    try:
        streams, messages = asyncio.run(asyncio.wait_for(_kept(servers), 2 * _SECONDS))
    except (NatsError, OSError, TimeoutError) as error:
        return red(f"{where}: {_words(error)}", "NATS_URL")
    return green(f"{where} takes us, and JetStream keeps {streams:,} streams with {messages:,} bytes")


async def _kept(servers: list[str]) -> tuple[int, int]:
    """Streams and bytes of our account."""
    import nats

    async def heard(_: Exception) -> None:
        """Errors are raised where they matter; without this, each is logged."""

    client = await nats.connect(
        servers,
        name="unde-catalog doctor",
        connect_timeout=_SECONDS,
        allow_reconnect=False,
        max_reconnect_attempts=1,  # for the first connection, too; 0 is for ever
        reconnect_time_wait=0,
        error_cb=heard,
    )
    try:
        account = await client.jetstream(timeout=_SECONDS).account_info()
        return account.streams, account.storage
    finally:
        await client.close()


def _host(server: str) -> str:
    """Where a server is, never its credentials."""
    try:
        parts = urlsplit(server)
        return f"{parts.hostname}:{parts.port or 4222}"
    except ValueError:
        return "an unreadable address"


def _words(error: Exception) -> str:
    """What went wrong, without what the server wrote: it may repeat what was sent."""
    said = str(error).lower()
    if "authorization" in said or "authentication" in said or "permissions" in said:
        return "it does not take these credentials"
    if type(error).__name__ in ("NoStreamResponseError", "NoRespondersError", "ServiceUnavailableError"):
        return "it runs without JetStream: start it with -js"
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS} s"
    return f"it can't be reached ({type(error).__name__})"
