"""The service process: assembles its parts, serves health and metrics over HTTP, and shuts down cleanly.

`unde-catalog user-media serve` calls `serve`; `handler.py` does the work of a request.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from unde_catalog.backends import Backends
from unde_catalog.services.user_media.connection import Connection
from unde_catalog.services.user_media.consumer import UserMediaConsumer
from unde_catalog.services.user_media.handler import HandlerLimits, PhotoBucket, RequestHandler
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog.settings.user_media import UserMediaSettings

SHUTDOWN_SECONDS = 30.0  # for requests that are being processed

_log = logging.getLogger(__name__)


async def serve(settings: UserMediaSettings, backends: Backends, bucket: PhotoBucket, ack_wait: float) -> None:
    """Serve until SIGTERM or SIGINT. While NATS or the database is unavailable, the service waits for it."""
    metrics = UserMediaMetrics()
    servers = [part.strip() for part in settings.nats_url.get_secret_value().split(",")]
    connection = Connection(servers, ack_wait, metrics)
    limits = HandlerLimits(
        settings.download_timeout_seconds,
        settings.batch_processing_timeout,
        settings.max_batch_size,
        settings.max_concurrent_downloads,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_http(settings.user_media_host, settings.user_media_port, connection, metrics))
        telegram = await stack.enter_async_context(
            Telegram(settings.bot_token(), str(settings.telegram_api_url), settings.download_timeout_seconds)
        )
        keep_metadata = settings.user_media_metadata == "keep"
        handler = RequestHandler(telegram, bucket, Records(backends.db), limits, keep_metadata=keep_metadata)
        consumer = UserMediaConsumer(connection, handler, metrics)
        connecting = asyncio.create_task(connection.keep_open())
        consuming = asyncio.create_task(consumer.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, connecting, consuming], return_when=asyncio.FIRST_COMPLETED)
        _log.info("shutting down, requests being processed have %g s", SHUTDOWN_SECONDS)
        await consumer.stop(SHUTDOWN_SECONDS)
        for task in (stopping, connecting):
            task.cancel()
        ended = await asyncio.gather(connecting, consuming, stopping, return_exceptions=True)
        await connection.close()
    for error in ended:
        if isinstance(error, Exception):  # a bug: outages are retried, not raised
            raise error


@asynccontextmanager
async def _http(host: str, port: int, connection: Connection, metrics: UserMediaMetrics) -> AsyncIterator[None]:
    """`/health`: 200 while requests can be pulled, else 503. `/metrics`: for Prometheus."""

    async def health(_: web.Request) -> web.Response:
        body = {"taking": connection.ready, "nats": connection.address}
        return web.json_response(body, status=200 if connection.ready else 503)

    async def metrics_text(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/metrics", metrics_text)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ValueError(
                f"cannot serve health and metrics on {host}:{port}: {error.strerror}; set USER_MEDIA_PORT"
            ) from error
        yield
    finally:
        await runner.cleanup()
