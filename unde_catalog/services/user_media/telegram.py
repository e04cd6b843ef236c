"""Fetches a person's photo from Telegram: getFile, the file, and a look whether it is a whole image (spec 6).

What an answer means is `telegram_errors.py`, what a photo must be `content.py`; redelivery is the service's.
The token stands in every URL, so no URL, and no error of a library that may hold one, leaves this file.
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
from unde_catalog.services.user_media import telegram_errors as meaning
from unde_catalog.services.user_media.content import image_type
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.telegram_errors import MAX_BYTES, FilePath, TelegramError
from unde_catalog.settings.redaction import HIDDEN
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget

WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before the tries after the first, a fifth more or less
_AT_ONCE = 32  # requests of the bot; how many photos of a batch are in hand at once is the service's to say
_MAX_ANSWER = 100_000  # bytes of a JSON answer
_DECODED_BYTES = 400_000_000  # at once, of all photos that are looked at


class Telegram:
    """The bot's files; an async context manager. All fetches share its connections, and a 429 holds all of them up.

    `api_url` is the Bot API's address; `try_seconds` is the longest that one request may take.
    """

    def __init__(self, token: SecretStr, api_url: str, try_seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._token, self._api_url, self._try_seconds = token, api_url.rstrip("/"), try_seconds
        self._clock = clock
        self._gate = HostLimiter(_AT_ONCE, 0, 0, clock=clock)
        self._memory = MemoryBudget(_DECODED_BYTES)

    def __repr__(self) -> str:
        return f"Telegram({self._api_url})"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=CleanConnector(limit=0, ssl=tls_context()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # ours is around the whole of it
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "unde-catalog"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def fetch(self, file_id: str, deadline_seconds: float) -> FetchedPhoto | FetchFailed:
        """The photo of that id, tried again and again within so many seconds; never raises for Telegram's faults."""
        deadline = self._clock.now() + deadline_seconds
        waits, asked_for_new_path = iter(WAITS), False
        trouble = meaning.no_time(deadline_seconds)
        while True:
            outcome = await self._try(file_id, deadline)
            if isinstance(outcome, FetchedPhoto):
                return outcome
            if outcome is None:  # no more time for a try: what went wrong before says why
                return self._failed(trouble)
            trouble = outcome
            if not trouble.repeat:
                return self._failed(trouble)
            if trouble.pause is not None:
                self._gate.pause(self._clock.now() + trouble.pause)
            elif trouble.expired and not asked_for_new_path:
                asked_for_new_path = True
            else:
                wait = next(waits, None)
                if wait is None or self._clock.now() + wait >= deadline:
                    return self._failed(trouble)
                await self._clock.sleep(wait * random.uniform(0.8, 1.2))

    def _failed(self, trouble: TelegramError) -> FetchFailed:
        token = self._token.get_secret_value()
        detail = trouble.detail
        for secret in filter(None, (token, quote(token, safe=""), token.partition(":")[2])):
            detail = detail.replace(secret, HIDDEN)
        return FetchFailed(trouble.code, detail, trouble.again)

    async def _try(self, file_id: str, deadline: float) -> FetchedPhoto | TelegramError | None:
        """One getFile and one download; None where Telegram's pause or the time left leaves none for it."""
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
        wanted = await asyncio.to_thread(working_bytes, data)
        async with self._memory.reserve(wanted):
            kind = await asyncio.to_thread(image_type, data)
        if isinstance(kind, Refused):
            return meaning.of_content(kind, len(data), found.size)
        return FetchedPhoto(data, kind.content_type, kind.extension, found.file_unique_id)

    async def _request(
        self, method: str, url: URL, deadline: float, body: bytes | None = None
    ) -> FilePath | bytes | TelegramError | None:
        """One request through the gate: a path for a body that is sent (getFile), else the file's bytes."""
        async with self._gate.slot(deadline) as in_time:
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
                    answer = await _read(response, _MAX_ANSWER)
                    return meaning.of_get_file(response.status, answer or b"", response.headers)
            except TimeoutError:
                return meaning.out_of_time(seconds)
            except aiohttp.ClientError as error:
                return meaning.of_error(error, "DOWNLOAD_HTTP_ERROR" if body is None else "TELEGRAM_API_ERROR")

    def _secret(self) -> str:
        return self._token.get_secret_value()

    def _url(self, path: str) -> URL:
        return URL(f"{self._api_url}/{path}", encoded=True)


async def _file(response: aiohttp.ClientResponse) -> bytes | TelegramError:
    refusal = await _read(response, _MAX_ANSWER) if response.status == 429 else None
    meant = meaning.of_file(response.status, response.headers, refusal or b"")
    if meant is not None:
        return meant
    data = await _read(response, MAX_BYTES)
    return meaning.too_big() if data is None else data


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The whole body, None for one of more than so many bytes: the rest is not read, it may be endless."""
    body = bytearray()
    if (response.content_length or 0) <= most:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most:
                break
        else:
            return bytes(body)
    response.close()
    return None
