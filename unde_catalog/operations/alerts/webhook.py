"""The webhook: a notice as JSON, signed, in one POST. When it is tried again is the outbox's business."""

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

SECONDS = 10.0  # for everything from looking up the name to the answer's headers


class Webhook:
    """Posts to one address, which is never shown: it is a secret itself."""

    name = "webhook"

    def __init__(
        self, url: str, secret: str | None, seconds: float = SECONDS, wall: Callable[[], float] = time.time
    ) -> None:
        """`secret` signs; `wall` is the time in seconds since 1970, which is signed, too."""
        self._url, self._secret, self._seconds, self._wall = url, secret, seconds, wall
        try:
            parts = urlsplit(url)
            self.where = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        except ValueError:
            self.where = "an unreadable address"

    def send(self, message: Message, attempt: int) -> None:
        """Send it; `SendFailed` says why it did not arrive, or may not have."""
        body = json.dumps({"text": message.chat, **message.fields}).encode()
        moment = str(int(self._wall()))
        headers = {
            "Content-Type": "application/json", "User-Agent": "unde-catalog", "Idempotency-Key": message.fields["id"],
            "X-Notice-Attempt": str(attempt), "X-Notice-Timestamp": moment,
        }  # fmt: skip
        if self._secret is not None:
            headers["X-Notice-Signature"] = signature(self._secret, moment, body)
        try:
            status = asyncio.run(self._post(body, headers))
        except TimeoutError:
            raise SendFailed(f"{self.where} did not answer within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a ValueError of a URL that can't be one
            raise SendFailed(f"{self.where}: {_said(error)}") from None
        if 300 <= status < 400:
            raise SendFailed(f"{self.where} answers {status}, a redirect: set NOTICE_WEBHOOK_URL to where it leads")
        if not 200 <= status < 300:
            raise SendFailed(f"{self.where} answers {status}: check NOTICE_WEBHOOK_URL and the receiver")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        # trust_env stays off: neither a proxy nor a .netrc of this machine's has to do with it.
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds), connector=aiohttp.TCPConnector(ssl=tls_context())
            ) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status  # the body is not read: it may be anything


def signature(secret: str, moment: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body."""
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def _said(error: Exception) -> str:
    """Chosen words: an error of aiohttp's may hold the whole address."""
    if not isinstance(error, aiohttp.ClientError):
        return f"can't be reached ({type(error).__name__})"
    failed: DownloadFailed = interpret_error(error)
    return f"{failed.reason}, {failed.detail}" if failed.detail else failed.reason
