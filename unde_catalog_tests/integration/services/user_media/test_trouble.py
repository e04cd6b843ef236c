"""The service for people's photos while NATS or the database is not there, and when it is told to end."""

import asyncio
import signal
from pathlib import Path

import psycopg
import pytest
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
from unde_catalog_tests.support.user_media_service import TAKING, Media, answers, at, hashes, said, send, single, train

SINGLES = QUEUES[1]


def test_it_waits_for_nats_and_goes_on_after_a_restart_and_after_streams_were_lost(media: Media, db):
    url = media.nats.url
    media.nats.stop()
    with media.service() as service:
        service.wait_for("can't be used, and is tried again")
        assert service.page("/health")[0] == 503
        media.nats.start()
        service.wait_for(TAKING)
        send(url, INFERENCE, single("C1", user=1))
        answers(url, 1)
        media.nats.stop(kill=True)
        service.wait_for("is gone: it goes on when it is back")
        media.nats.start()
        service.wait_for(TAKING)
        send(url, INFERENCE, single("C2", user=2))
        assert len(answers(url, 2)) == 2
        media.nats.stop(kill=True)
        media.nats.wipe()
        media.nats.start()
        service.wait_for("made the stream PHOTO_REQUESTS")
        service.wait_for(TAKING)
        # A stream that is made anew begins at 1 again: that is no request which was answered before.
        send(url, INFERENCE, single("C3", user=3))
        assert [one.json["user_id"] for one in answers(url, 1)] == [3]
        assert service.end() == 0
    rows = execute(db, "SELECT sequence, user_id FROM user_media_requests ORDER BY user_id")
    assert [(row["sequence"], row["user_id"]) for row in rows] == [(1, 1), (2, 2), (1, 3)]
    assert len(media.photos()) == 3


def test_a_server_that_says_no_while_it_comes_back_is_asked_until_it_says_yes(
    media: Media, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(connection, "GIVE_UP_SECONDS", 1)

    async def refused_and_let_in() -> bytes:
        one = Connection([media.nats.url], 30, UserMediaMetrics())
        keeping = asyncio.create_task(one.open())
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
        keeping.cancel()
        await one.close()
        return message.body

    assert asyncio.run(refused_and_let_in()) == b"here"


def takes_writes(server: Server, url: str, yes: bool) -> None:
    """Whether a database may be written to by those who connect from now on, as after a failover."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_read_only = {'off' if yes else 'on'}".encode()
        )
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename <> current_user",
            (name,),
        )


def test_a_request_that_the_database_does_not_take_comes_again_and_no_try_is_counted(
    media: Media, server: Server, database_url: str
):
    url = media.nats.url
    with media.service() as service:
        service.wait_for(TAKING)
        takes_writes(server, database_url, False)
        send(url, TRAIN, train("A1", "A2"))
        service.wait_for("put off for 5 s", "can't be used")
        takes_writes(server, database_url, True)
        found = answers(url, 1)
        assert service.end() == 0
    assert media.photos() == hashes(found)
    with Database(database_url) as db:
        assert execute(db, "SELECT tries, state FROM user_media_requests") == [{"tries": 1, "state": "answered"}]


def test_what_is_not_through_when_time_is_up_goes_to_another_process_at_once(media: Media, db):
    url = media.nats.url
    media.sandbox.control(faults="telegram.file:timeout=1")

    async def begun_and_ended() -> None:
        metrics = UserMediaMetrics()
        nats = Connection([url], 3_600, metrics)
        token = SecretStr(media.environment["TELEGRAM_BOT_TOKEN"])
        async with Telegram(token, media.environment["TELEGRAM_API_URL"], 60) as telegram:
            bucket = PrivateBucket(directory_store(Path(media.environment["UNDE_HOME"]) / "people"))
            service = UserMediaConsumer(
                nats, RequestHandler(telegram, bucket, Records(db), HandlerLimits(60, 60, 100, 5)), metrics
            )
            keeping, running = asyncio.create_task(nats.open()), asyncio.create_task(service.run())
            while not await asyncio.to_thread(media.asked):
                pass
            await service.stop(0)
            keeping.cancel()
            await asyncio.gather(running, keeping, return_exceptions=True)
            await nats.close()

    at(url, lambda js: declare(js, 3_600))
    send(url, INFERENCE, single("C1"))
    asyncio.run(begun_and_ended())
    assert execute(db, "SELECT tries, state FROM user_media_requests") == [{"tries": 0, "state": "in_hand"}]
    media.sandbox.control(faults="")
    with media.service("--ack-wait", "3600") as service:  # an hour, was it not handed back
        assert len(answers(url, 1)) == 1
        assert service.end() == 0


def test_told_to_end_it_ends_what_it_has_in_hand_and_leaves_the_rest_to_others(media: Media):
    url = media.nats.url
    media.sandbox.control(faults="telegram.file:late-2=1")
    with media.service() as service:
        service.wait_for(TAKING)
        send(url, INFERENCE, single("C1"))
        while not media.asked():
            pass
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("ending: what is in hand")
        send(url, INFERENCE, single("C2"))
        assert service.process.wait(60) == 0
    assert [one.json["upload_result"]["file_id"] for one in said(url, INFERENCE_RESULT)] == ["C1"]
    assert media.left() == 1
