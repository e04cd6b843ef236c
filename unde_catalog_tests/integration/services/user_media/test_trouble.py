"""The user media service while NATS or the database is unavailable, and its shutdown."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import nats
import psycopg
import pytest
from nats.aio.client import Client
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from unde_catalog.services.user_media import connection
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.connection import Connection
from unde_catalog.services.user_media.consumer import UserMediaConsumer
from unde_catalog.services.user_media.handler import HandlerLimits, RequestHandler
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.streams import declare
from unde_catalog.services.user_media.subjects import INFERENCE, INFERENCE_RESULT, QUEUES, TRAIN
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.user_media_service import (
    READY,
    Media,
    expected_photos,
    published,
    send,
    single,
    train,
    wait_for_results,
    with_jetstream,
)

pytestmark = pytest.mark.slow

SINGLES = QUEUES[1]


def test_it_waits_for_nats_and_survives_restarts_and_lost_streams(media: Media, db):
    url = media.nats.url
    media.nats.stop()
    with media.service() as service:
        service.wait_for("NATS error at", "retrying")
        assert service.page("/health")[0] == 503
        media.nats.start()
        service.wait_for(READY)
        send(url, INFERENCE, single("C1", user=1))
        wait_for_results(url, 1)
        media.nats.stop(kill=True)
        service.wait_for("disconnected from NATS at", "reconnecting")
        media.nats.start()
        service.wait_for(READY)
        send(url, INFERENCE, single("C2", user=2))
        assert len(wait_for_results(url, 2)) == 2
        media.nats.stop(kill=True)
        media.nats.wipe()
        media.nats.start()
        service.wait_for("created the stream PHOTO_REQUESTS")
        service.wait_for(READY)
        # A new stream begins at sequence 1 again, which must not look like the first request.
        send(url, INFERENCE, single("C3", user=3))
        assert [one.json["user_id"] for one in wait_for_results(url, 1)] == [3]
        assert service.end() == 0
    rows = execute(db, "SELECT sequence, user_id FROM user_media_requests ORDER BY user_id")
    assert [(row["sequence"], row["user_id"]) for row in rows] == [(1, 1), (2, 2), (1, 3)]
    assert len(media.photos()) == 3


def test_it_reconnects_after_a_restarting_server_refused_it(media: Media, caplog: pytest.LogCaptureFixture):
    async def refuse_and_accept() -> bytes:
        one = Connection([media.nats.url], 30, UserMediaMetrics())
        connecting = asyncio.create_task(one.keep_open())
        while not one.ready:
            await one.next_message(SINGLES, 0.1)
        await asyncio.to_thread(media.nats.stop)
        await asyncio.to_thread(media.nats.start, "--user", "other", "--pass", "word")
        while "Authorization Violation" not in caplog.text:
            await one.next_message(SINGLES, 0.1)
        await asyncio.to_thread(media.nats.stop)
        await asyncio.to_thread(media.nats.start)
        await asyncio.to_thread(send, media.nats.url, INFERENCE, b"here")
        while (message := await one.next_message(SINGLES, 1)) is None:
            pass
        connecting.cancel()
        await one.close()
        return message.data

    assert asyncio.run(refuse_and_accept()) == b"here"


@pytest.mark.parametrize("outage", [False, True], ids=["closed by the server", "disconnected for too long"])
def test_a_lost_client_is_replaced(media: Media, monkeypatch: pytest.MonkeyPatch, outage: bool):
    monkeypatch.setattr(connection, "REPLACE_SECONDS", 1)
    clients, connect = [], nats.connect

    async def remembering(*args: Any, **options: Any) -> Client:
        client = await connect(*args, **options)
        if "name" in options:  # not the clients of this test
            clients.append(client)
        return client

    monkeypatch.setattr(nats, "connect", remembering)

    async def lose_and_receive() -> bytes:
        one = Connection([media.nats.url], 30, UserMediaMetrics())
        connecting = asyncio.create_task(one.keep_open())
        while not one.ready:
            await one.next_message(SINGLES, 0.1)
        if outage:
            await asyncio.to_thread(media.nats.stop)
        else:
            await clients[0].close()  # what the client does after a server error
        while not clients[0].is_closed:
            await one.next_message(SINGLES, 0.1)
        if outage:
            await asyncio.to_thread(media.nats.start)
        await asyncio.to_thread(send, media.nats.url, INFERENCE, b"here")
        while (message := await one.next_message(SINGLES, 1)) is None:
            pass
        connecting.cancel()
        await one.close()
        return message.data

    assert asyncio.run(lose_and_receive()) == b"here"
    assert len(clients) == 2


def set_writable(server: Server, url: str, writable: bool) -> None:
    """Make a database writable or read-only for new connections, and close the existing ones, as a failover does."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_read_only = {'off' if writable else 'on'}".encode()
        )
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename <> current_user",
            (name,),
        )


def test_a_request_is_redelivered_when_the_database_refuses_writes(media: Media, server: Server, database_url: str):
    url = media.nats.url
    with media.service() as service:
        service.wait_for(READY)
        set_writable(server, database_url, False)
        send(url, TRAIN, train("A1", "A2"))
        service.wait_for("redelivery in 5 s", '"level": "ERROR"')
        set_writable(server, database_url, True)
        results = wait_for_results(url, 1)
        assert service.end() == 0
    assert media.photos() == expected_photos(results)
    with Database(database_url) as db:
        assert execute(db, "SELECT tries, state FROM user_media_requests") == [{"tries": 1, "state": "answered"}]


def test_a_request_that_is_not_finished_at_shutdown_is_released(media: Media, db):
    url = media.nats.url
    media.sandbox.control(faults="telegram.file:timeout=1")

    async def start_and_stop() -> None:
        metrics = UserMediaMetrics()
        one = Connection([url], 3_600, metrics)
        token = SecretStr(media.environment["TELEGRAM_BOT_TOKEN"])
        async with Telegram(token, media.environment["TELEGRAM_API_URL"], 60) as telegram:
            bucket = PrivateBucket(directory_store(Path(media.environment["UNDE_HOME"]) / "people"))
            consumer = UserMediaConsumer(
                one, RequestHandler(telegram, bucket, Records(db), HandlerLimits(60, 60, 100, 5)), metrics
            )
            connecting, consuming = asyncio.create_task(one.keep_open()), asyncio.create_task(consumer.run())
            while not await asyncio.to_thread(media.requested):
                pass
            await consumer.stop(0)
            connecting.cancel()
            await asyncio.gather(consuming, connecting, return_exceptions=True)
            await one.close()

    with_jetstream(url, lambda js: declare(js, 3_600))
    send(url, INFERENCE, single("C1"))
    asyncio.run(start_and_stop())
    assert execute(db, "SELECT tries, state FROM user_media_requests") == [{"tries": 0, "state": "in_hand"}]
    media.sandbox.control(faults="")
    with media.service("--ack-wait", "3600") as service:  # an unreleased request would wait an hour
        assert len(wait_for_results(url, 1)) == 1
        assert service.end() == 0


def test_sigterm_finishes_the_running_request_and_leaves_the_rest(media: Media):
    url = media.nats.url
    media.sandbox.control(faults="telegram.file:late-2=1")
    with media.service() as service:
        service.wait_for(READY)
        send(url, INFERENCE, single("C1"))
        while not media.requested():
            pass
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("shutting down")
        send(url, INFERENCE, single("C2"))
        assert service.process.wait(60) == 0
    assert [one.json["upload_result"]["file_id"] for one in published(url, INFERENCE_RESULT)] == ["C1"]
    assert media.unacknowledged() == 1
