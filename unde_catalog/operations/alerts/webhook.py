"""The webhook channel: posts an alert as JSON, with an optional signature. The outbox decides about retries."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from unde_catalog.net.responses import DownloadFailed, interpret_error
from unde_catalog.net.tls import tls_context
from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.message import Message

SECONDS = 10.0  # time-out of the whole request, from the DNS lookup to the response headers


class Webhook:
    """Posts to one URL, which is a secret itself and never shown."""

    name = "webhook"

    def __init__(
        self, url: str, secret: str | None, seconds: float = SECONDS, wall: Callable[[], float] = time.time
    ) -> None:
        """`secret` signs the body and the time, which `wall` returns in seconds since 1970."""
        self._url, self._secret, self._seconds, self._wall = url, secret, seconds, wall
        try:
            parts = urlsplit(url)
            self.where = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        except ValueError:
            self.where = "an invalid URL"

    def send(self, message: Message, attempt: int) -> None:
        """Send the message once; `SendFailed` if it was not, or possibly not, delivered."""
        body = json.dumps({"text": message.chat, **message.fields}).encode()
        timestamp = str(int(self._wall()))
        headers = {
            "Content-Type": "application/json", "User-Agent": "unde-catalog", "Idempotency-Key": message.fields["id"],
            "X-Notice-Attempt": str(attempt), "X-Notice-Timestamp": timestamp,
        }  # fmt: skip
        if self._secret is not None:
            headers["X-Notice-Signature"] = signature(self._secret, timestamp, body)
        try:
            status = asyncio.run(self._post(body, headers))
        except TimeoutError:
            raise SendFailed(f"{self.where} did not respond within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: an invalid URL
            raise SendFailed(f"{self.where}: {_reason(error)}") from None
        if 300 <= status < 400:
            raise SendFailed(f"{self.where} returned {status}, a redirect: set NOTICE_WEBHOOK_URL to its target")
        if not 200 <= status < 300:
            raise SendFailed(f"{self.where} returned {status}: check NOTICE_WEBHOOK_URL and the receiver")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        # trust_env stays off, so that neither a proxy nor a .netrc of this machine is used.
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds), connector=aiohttp.TCPConnector(ssl=tls_context())
            ) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status  # the body is not read, it may be anything


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 of the timestamp, a full stop and the body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def _reason(error: Exception) -> str:
    """Selected words only, because an error of aiohttp may contain the whole URL."""
    if not isinstance(error, aiohttp.ClientError):
        return f"unreachable ({type(error).__name__})"
    failed: DownloadFailed = interpret_error(error)
    return f"{failed.reason}, {failed.detail}" if failed.detail else failed.reason
