"""Fetches a photo from Telegram's Bot API: getFile, then the file, then a check that it is a complete image.

`telegram_errors.py` interprets the responses, `content.py` checks the image; `consumer.py` redelivers requests.
Every URL contains the token, so no URL, and no library error that may contain one, leaves this file.
"""

import asyncio
import json
import random
from typing import Self
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr
from yarl import URL

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.net.connections import CleanConnector
from unde_catalog.net.host_limiter import HostLimiter
from unde_catalog.net.tls import tls_context
from unde_catalog.services.user_media import telegram_errors as errors
from unde_catalog.services.user_media.content import LIMITS, MAX_BYTES, image_type
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.telegram_errors import FilePath, TelegramError
from unde_catalog.settings.redaction import HIDDEN
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before the second try, the third, ...; each varies by a fifth
_CONCURRENCY = 32  # requests of the bot; the handler limits the photos of batches
_MAX_RESPONSE_BYTES = 100_000  # of a JSON response
_DECODED_BYTES = 400_000_000  # for all photos being checked at once


class Telegram:
    """The bot's files; an async context manager. All fetches share its connections, and a 429 pauses all of them.

    `api_url`: the Bot API's address. `try_seconds`: the time-out of one HTTP request.
    """

    def __init__(self, token: SecretStr, api_url: str, try_seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._token, self._api_url, self._try_seconds = token, api_url.rstrip("/"), try_seconds
        self._clock = clock
        self._limiter = HostLimiter(_CONCURRENCY, 0, 0, clock=clock)
        self._memory = MemoryBudget(_DECODED_BYTES)

    def __repr__(self) -> str:
        return f"Telegram({self._api_url})"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=CleanConnector(limit=0, ssl=tls_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `_request` sets its own
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "unde-catalog"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def fetch(self, file_id: str, deadline_seconds: float) -> FetchedPhoto | FetchFailed:
        """The photo with that id, retried within `deadline_seconds`; never raises for an error of Telegram's."""
        deadline = self._clock.now() + deadline_seconds
        delays, path_renewed = iter(RETRY_DELAYS), False
        error = errors.paused_too_long(deadline_seconds)
        while True:
            outcome = await self._try(file_id, deadline)
            if isinstance(outcome, FetchedPhoto):
                return outcome
            if outcome is None:  # no time left for a try: report the last error
                return self._failed(error)
            error = outcome
            if not error.retry:
                return self._failed(error)
            if error.pause is not None:
                self._limiter.pause(self._clock.now() + error.pause)
            elif error.expired and not path_renewed:
                path_renewed = True
            else:
                delay = next(delays, None)
                if delay is None or self._clock.now() + delay >= deadline:
                    return self._failed(error)
                await self._clock.sleep(delay * random.uniform(0.8, 1.2))

    def _failed(self, error: TelegramError) -> FetchFailed:
        token = self._token.get_secret_value()
        detail = error.detail
        for secret in filter(None, (token, quote(token, safe=""), token.partition(":")[2])):
            detail = detail.replace(secret, HIDDEN)
        return FetchFailed(error.code, detail, error.temporary)

    async def _try(self, file_id: str, deadline: float) -> FetchedPhoto | TelegramError | None:
        """One getFile and one download; None if Telegram's pause or the deadline leaves no time for it."""
        body = json.dumps({"file_id": file_id}).encode()
        found = await self._request("POST", self._url(f"bot{self._secret()}/getFile"), deadline, body)
        if found is None or isinstance(found, TelegramError):
            return found
        assert isinstance(found, FilePath)
        path = "/".join(quote(segment, safe="") for segment in found.path.split("/"))
        data = await self._request("GET", self._url(f"file/bot{self._secret()}/{path}"), deadline)
        if data is None or isinstance(data, TelegramError):
            return data
        assert isinstance(data, bytes)
        memory = await asyncio.to_thread(working_bytes, data, LIMITS)
        async with self._memory.reserve(memory):
            kind = await asyncio.to_thread(image_type, data)
        if isinstance(kind, Refused):
            return errors.of_content(kind, len(data), found.size)
        return FetchedPhoto(data, kind.content_type, kind.extension, found.file_unique_id)

    async def _request(
        self, method: str, url: URL, deadline: float, body: bytes | None = None
    ) -> FilePath | bytes | TelegramError | None:
        """One HTTP request in a slot of the limiter: with a body it is getFile, else it downloads the file."""
        async with self._limiter.slot(deadline) as in_time:
            if not in_time:
                return None
            seconds = min(self._try_seconds, deadline - self._clock.now())
            headers = {"Content-Type": "application/json"} if body is not None else {}
            try:
                async with (
                    asyncio.timeout(seconds),
                    self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
                ):
                    if body is None:
                        return await _file(response)
                    content = await _read(response, _MAX_RESPONSE_BYTES)
                    return errors.of_get_file(response.status, content or b"", response.headers)
            except TimeoutError:
                return errors.timed_out(seconds)
            except aiohttp.ClientError as error:
                return errors.of_client_error(error, "DOWNLOAD_HTTP_ERROR" if body is None else "TELEGRAM_API_ERROR")

    def _secret(self) -> str:
        return self._token.get_secret_value()

    def _url(self, path: str) -> URL:
        return URL(f"{self._api_url}/{path}", encoded=True)


async def _file(response: aiohttp.ClientResponse) -> bytes | TelegramError:
    body = await _read(response, _MAX_RESPONSE_BYTES) if response.status == 429 else None
    error = errors.of_file(response.status, response.headers, body or b"")
    if error is not None:
        return error
    data = await _read(response, MAX_BYTES)
    return errors.too_large() if data is None else data


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """The whole body, or None if it has more than `max_bytes`; the rest may be endless and is not read."""
    body = bytearray()
    if (response.content_length or 0) <= max_bytes:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                break
        else:
            return bytes(body)
    response.close()
    return None
