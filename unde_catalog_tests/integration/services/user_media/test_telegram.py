"""The Telegram client against the sandbox's Bot API: retries, permanent errors, and that the token never leaks."""

import asyncio
import gc
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from unde_catalog.sandbox.identity import DEFAULT_CREDENTIALS
from unde_catalog.sandbox.telegram.photos import content, sent_file
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog.stages.photos import decode
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

T = TypeVar("T")
ID = "AgADBAADq6cxG"
_SECRET = DEFAULT_CREDENTIALS.telegram.partition(":")[2]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_faults(bot: Sandbox) -> None:
    bot.control(faults="", next_faults={"telegram.getFile": [], "telegram.file": []})


def test_a_photo_has_its_original_bytes_and_the_id_of_its_content(bot: Sandbox) -> None:
    photo, other = _with(bot, lambda telegram: _both(telegram, ID, f"{ID}-again"))
    assert photo == FetchedPhoto(content(ID), "image/jpeg", "jpg", sent_file(ID).unique_id)
    assert other == photo  # another id of the same file


@pytest.mark.parametrize(("kind", "content_type"), [("png", "image/png"), ("webp", "image/webp"), ("gif", "image/gif")])
def test_type_and_extension_come_from_the_content(bot: Sandbox, kind: str, content_type: str) -> None:
    photo = _fetched(bot, f"{kind}-1")
    assert isinstance(photo, FetchedPhoto)
    assert (photo.content_type, photo.extension, photo.data) == (content_type, kind, content(f"{kind}-1"))


def test_a_photo_of_an_iphone_is_taken_as_it_is_if_the_extra_is_installed(
    bot: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = _fetched(bot, "heic-1")
    assert isinstance(photo, FetchedPhoto) and photo.data == content("heic-1")
    assert (photo.content_type, photo.extension) == ("image/heic", "heic")
    monkeypatch.setattr(decode, "has_heif", lambda: False)
    refused = _fetched(bot, "heic-1")
    assert isinstance(refused, FetchFailed) and (refused.code, refused.temporary) == ("UNEXPECTED_ERROR", False)
    assert "pip install 'unde-catalog[heif]'" in refused.detail


def test_twenty_mebibytes_are_downloaded_and_one_byte_more_is_refused(bot: Sandbox) -> None:
    photo, refused = _fetched(bot, "large-20971520"), _fetched(bot, "large-20971521")
    assert isinstance(photo, FetchedPhoto) and len(photo.data) == 20_971_520
    assert isinstance(refused, FetchFailed) and "file is too big" in refused.detail and not refused.temporary


@pytest.mark.parametrize(
    ("file_id", "code", "detail"),
    [
        ("pdf-1", "UNEXPECTED_ERROR", "not_an_image"),
        ("../../x", "TELEGRAM_API_ERROR", "invalid file_id"),
        ("", "TELEGRAM_API_ERROR", "invalid file_id"),
    ],
)
def test_a_file_that_is_not_a_photo_is_not_retried(bot: Sandbox, file_id: str, code: str, detail: str) -> None:
    failed = _fetched(bot, file_id)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.temporary) == (code, False)
    assert detail in failed.detail


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        *[("getFile", [fault]) for fault in ("502", "html", "not-json", "wrong-types", "lost", "reset", "truncated")],
        *[("getFile", [fault]) for fault in ("no-path", "no-size", "wrong-size", "no-unique-id")],
        ("getFile", ["unavailable", "unavailable", "500", "lost"]),
        *[("file", [fault]) for fault in ("404", "410", "500", "502", "truncated", "reset", "lost", "half", "empty")],
        *[("file", [fault]) for fault in ("html", "html-as-jpeg", "length-long", "length-short")],
        ("file", ["502", "truncated", "html", "503"]),
    ],
)
def test_a_temporary_failure_is_retried_until_the_photo_is_complete(bot: Sandbox, kind: str, faults: list[str]) -> None:
    bot.control(next_faults={f"telegram.{kind}": faults})
    photo = _fetched(bot, ID)
    assert isinstance(photo, FetchedPhoto)
    assert photo.data == content(ID)
    assert photo.file_unique_id == (None if faults == ["no-unique-id"] else sent_file(ID).unique_id)


def test_excess_bytes_of_a_response_never_reach_the_next_photo(bot: Sandbox) -> None:
    """On the same connection, bytes after a response would look like the photo of the next user."""
    bot.control(next_faults={"telegram.file": ["length-short"]})

    async def in_sequence(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return [await telegram.fetch(file_id, 60) for file_id in (ID, "AgADother", "AgADthird")]

    photos = _with(bot, in_sequence)
    assert [photo.data for photo in photos if isinstance(photo, FetchedPhoto)] == [
        content(ID), content("AgADother"), content("AgADthird"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fault", "code", "temporary"),
    [
        ("getFile", "invalid-file-id", "TELEGRAM_API_ERROR", False),
        ("getFile", "file-too-big", "TELEGRAM_API_ERROR", False),
        ("getFile", "unavailable", "TELEGRAM_API_ERROR", True),
        ("getFile", "401", "TELEGRAM_API_ERROR", True),
        ("getFile", "502", "TELEGRAM_API_ERROR", True),
        ("getFile", "lost", "TELEGRAM_API_ERROR", True),
        ("getFile", "no-path", "INVALID_TELEGRAM_URL", True),
        ("getFile", "odd-path", "INVALID_TELEGRAM_URL", False),
        ("getFile", "redirect-loop", "TELEGRAM_API_ERROR", True),
        ("file", "to-private", "INVALID_TELEGRAM_URL", False),
        ("file", "redirect-loop", "INVALID_TELEGRAM_URL", False),
        ("file", "404", "DOWNLOAD_HTTP_ERROR", True),
        ("file", "403", "DOWNLOAD_HTTP_ERROR", False),
        ("file", "502", "DOWNLOAD_HTTP_ERROR", True),
        ("file", "truncated", "DOWNLOAD_HTTP_ERROR", True),
        ("file", "html-as-jpeg", "DOWNLOAD_HTTP_ERROR", True),
        ("file", "too-large", "DOWNLOAD_HTTP_ERROR", False),
        ("file", "endless", "DOWNLOAD_HTTP_ERROR", False),
        ("file", "bomb", "UNEXPECTED_ERROR", False),
    ],
)
def test_a_lasting_failure_has_its_code(bot: Sandbox, kind: str, fault: str, code: str, temporary: bool) -> None:
    bot.control(faults=f"telegram.{kind}:{fault}=1")
    failed = _fetched(bot, ID)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.temporary) == (code, temporary)


def test_an_expired_path_is_requested_again_at_once(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.file": ["404"]})
    assert isinstance(_fetched(bot, ID, time=time), FetchedPhoto)
    assert time.slept == []


def test_the_delays_between_tries_grow_and_respect_the_deadline(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(faults="telegram.getFile:502=1")
    assert isinstance(_fetched(bot, ID, time=time), FetchFailed)
    assert [round(slept / wait) for slept, wait in zip(time.slept, (0.5, 1, 2, 4), strict=True)] == [1, 1, 1, 1]
    time.slept.clear()
    assert isinstance(_fetched(bot, ID, seconds=2.5, time=time), FetchFailed)
    assert len(time.slept) == 2


def test_a_429_pauses_every_fetch_of_the_bot_for_its_retry_after(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.getFile": ["429-in-8"]})
    started = time.time

    async def in_parallel(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return list(await asyncio.gather(*(telegram.fetch(f"AgAD{n}", 60) for n in range(6))))

    photos = _with(bot, in_parallel, time)
    assert all(isinstance(photo, FetchedPhoto) for photo in photos)
    assert time.time == started + 8


def test_a_pause_beyond_the_deadline_fails_every_fetch_at_once(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.getFile": ["429-in-3600"]})

    async def in_sequence(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return [await telegram.fetch(f"AgAD{n}", 30) for n in range(3)]

    before = len(bot.log("telegram.getFile"))
    failed = _with(bot, in_sequence, time)
    assert [(one.code, one.temporary) for one in failed if isinstance(one, FetchFailed)] == [
        ("TELEGRAM_API_ERROR", True)
    ] * 3
    assert time.slept == []
    assert len(bot.log("telegram.getFile")) == before + 1


@pytest.mark.parametrize("fault", ["timeout", "drip"])
def test_a_request_that_never_ends_is_a_temporary_timeout(bot: Sandbox, fault: str) -> None:
    bot.control(faults=f"telegram.file:{fault}=1")
    failed = _fetched(bot, ID, seconds=0.5)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.temporary) == ("DOWNLOAD_TIMEOUT", True)


def test_an_unreachable_bot_api_is_a_temporary_failure(bot: Sandbox) -> None:
    async def fetch() -> FetchedPhoto | FetchFailed:
        async with Telegram(
            SecretStr(DEFAULT_CREDENTIALS.telegram), "http://127.0.0.1:1", 5, clock=FakeTime().clock
        ) as telegram:
            return await telegram.fetch(ID, 60)

    failed = asyncio.run(fetch())
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.temporary) == ("TELEGRAM_API_ERROR", True)


def test_a_wrong_token_names_the_settings_to_check(bot: Sandbox) -> None:
    async def fetch() -> FetchedPhoto | FetchFailed:
        async with Telegram(SecretStr("123:planted-token"), bot.url, 5) as telegram:
            return await telegram.fetch(ID, 60)

    failed = asyncio.run(fetch())
    assert isinstance(failed, FetchFailed)
    assert "TELEGRAM_BOT_TOKEN" in failed.detail
    assert "planted" not in failed.detail


@pytest.mark.filterwarnings("always")
def test_the_token_appears_only_in_requests(
    bot: Sandbox, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG)
    details: list[str] = []

    async def with_all_faults(telegram: Telegram) -> None:
        asyncio.get_running_loop().set_debug(True)
        details.append(repr(telegram) + str(telegram))
        for kind in ("getFile", "file"):
            for fault in (
                "lost",
                "reset",
                "401",
                "404",
                "502",
                "html",
                "not-json",
                "redirect-loop",
                "too-large",
                "endless",
            ):
                bot.control(faults=f"telegram.{kind}:{fault}=1")
                details.append(repr(await telegram.fetch(ID, 60)))
        bot.control(faults="telegram.file:timeout=1")
        details.append(repr(await telegram.fetch(ID, 0.2)))

    _with(bot, with_all_faults, FakeTime())
    gc.collect()  # unclosed resources would warn now
    texts = [*details, caplog.text, *(str(warning.message) for warning in recwarn)]
    assert len(details) == 22
    assert not [text for text in texts if _SECRET in text]


def test_the_sandbox_logs_file_ids_without_the_token(bot: Sandbox, tmp_path: Path) -> None:
    _fetched(bot, "AgADlogged")
    lines = [line for line in bot.log("telegram") if line.get("file_id") == "AgADlogged"]
    assert [line["kind"] for line in lines] == ["telegram.getFile", "telegram.file"]
    assert lines[0]["path"] == "/bot***/getFile"
    assert re.fullmatch(r"/file/bot\*\*\*/photos/file_\d+\.jpg", lines[1]["path"])


def _with(bot: Sandbox, work: Callable[[Telegram], Awaitable[T]], time: FakeTime | None = None) -> T:
    """Call `work` with a client of the sandbox that sleeps in fake time."""

    async def run() -> T:
        clock = (time or FakeTime()).clock
        async with Telegram(SecretStr(DEFAULT_CREDENTIALS.telegram), bot.url, 30, clock=clock) as telegram:
            return await work(telegram)

    return asyncio.run(run())


def _fetched(
    bot: Sandbox, file_id: str, seconds: float = 60, time: FakeTime | None = None
) -> FetchedPhoto | FetchFailed:
    return _with(bot, lambda telegram: telegram.fetch(file_id, seconds), time)


async def _both(telegram: Telegram, first: str, second: str) -> tuple[FetchedPhoto | FetchFailed, ...]:
    return await telegram.fetch(first, 60), await telegram.fetch(second, 60)
