"""The Telegram client against the sandbox's Bot API: what heals, what is final, and that the token stays inside."""

import asyncio
import gc
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from unde_catalog.sandbox.identity import TELEGRAM_TOKEN
from unde_catalog.sandbox.telegram.photos import content, sent
from unde_catalog.services.user_media.fetch_result import FetchedPhoto, FetchFailed
from unde_catalog.services.user_media.telegram import Telegram
from unde_catalog_tests.support.fake_time import FakeTime
from unde_catalog_tests.support.servers import Sandbox, running_sandbox

T = TypeVar("T")
ID = "AgADBAADq6cxG"
_SECRET = TELEGRAM_TOKEN.partition(":")[2]


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_faults(bot: Sandbox) -> None:
    bot.control(faults="", next_faults={"telegram.getFile": [], "telegram.file": []})


def test_a_photo_comes_as_it_was_sent_with_the_id_of_its_content(bot: Sandbox) -> None:
    photo, again = _with(bot, lambda telegram: _both(telegram, ID, f"{ID}-again"))
    assert photo == FetchedPhoto(content(ID), "image/jpeg", "jpg", sent(ID).unique_id)
    assert again == photo  # another id of the same file


@pytest.mark.parametrize(("kind", "content_type"), [("png", "image/png"), ("webp", "image/webp"), ("gif", "image/gif")])
def test_type_and_extension_are_the_contents(bot: Sandbox, kind: str, content_type: str) -> None:
    photo = _fetched(bot, f"{kind}-1")
    assert isinstance(photo, FetchedPhoto)
    assert (photo.content_type, photo.extension, photo.data) == (content_type, kind, content(f"{kind}-1"))


@pytest.mark.parametrize(
    ("file_id", "code", "said"),
    [
        ("heic-1", "UNEXPECTED_ERROR", "HEIF is not read"),
        ("pdf-1", "UNEXPECTED_ERROR", "not_an_image"),
        ("../../x", "TELEGRAM_API_ERROR", "invalid file_id"),
        ("", "TELEGRAM_API_ERROR", "invalid file_id"),
    ],
)
def test_what_is_no_photo_is_final_after_one_try(bot: Sandbox, file_id: str, code: str, said: str) -> None:
    failed = _fetched(bot, file_id)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.again) == (code, False)
    assert said in failed.detail


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
def test_what_passes_is_asked_again_until_the_photo_is_whole(bot: Sandbox, kind: str, faults: list[str]) -> None:
    bot.control(next_faults={f"telegram.{kind}": faults})
    photo = _fetched(bot, ID)
    assert isinstance(photo, FetchedPhoto)
    assert photo.data == content(ID)
    assert photo.file_unique_id == (None if faults == ["no-unique-id"] else sent(ID).unique_id)


def test_a_photo_after_bytes_that_nobody_asked_for_is_its_own(bot: Sandbox) -> None:
    """What a server sends behind an answer's end would, on the same connection, pass as the next person's photo."""
    bot.control(next_faults={"telegram.file": ["length-short"]})

    async def one_after_the_other(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return [await telegram.fetch(file_id, 60) for file_id in (ID, "AgADother", "AgADthird")]

    photos = _with(bot, one_after_the_other)
    assert [photo.data for photo in photos if isinstance(photo, FetchedPhoto)] == [
        content(ID), content("AgADother"), content("AgADthird"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fault", "code", "again"),
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
def test_what_stays_wrong_is_told_by_its_code(bot: Sandbox, kind: str, fault: str, code: str, again: bool) -> None:
    bot.control(faults=f"telegram.{kind}:{fault}=1")
    failed = _fetched(bot, ID)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.again) == (code, again)


def test_an_expired_path_is_asked_for_anew_at_once(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.file": ["404"]})
    assert isinstance(_fetched(bot, ID, time=time), FetchedPhoto)
    assert time.slept == []


def test_waits_grow_and_end_with_the_time_there_is(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(faults="telegram.getFile:502=1")
    assert isinstance(_fetched(bot, ID, time=time), FetchFailed)
    assert [round(slept / wait) for slept, wait in zip(time.slept, (0.5, 1, 2, 4), strict=True)] == [1, 1, 1, 1]
    time.slept.clear()
    assert isinstance(_fetched(bot, ID, seconds=2.5, time=time), FetchFailed)
    assert len(time.slept) == 2


def test_a_429_holds_up_every_fetch_of_the_bot_for_as_long_as_it_says(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.getFile": ["429-in-8"]})
    began = time.time

    async def first_and_others(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return list(await asyncio.gather(*(telegram.fetch(f"AgAD{n}", 60) for n in range(6))))

    photos = _with(bot, first_and_others, time)
    assert all(isinstance(photo, FetchedPhoto) for photo in photos)
    assert time.time == began + 8


def test_a_pause_longer_than_the_time_there_is_is_handed_back_at_once_by_all(bot: Sandbox) -> None:
    time = FakeTime()
    bot.control(next_faults={"telegram.getFile": ["429-in-3600"]})

    async def one_after_the_other(telegram: Telegram) -> list[FetchedPhoto | FetchFailed]:
        return [await telegram.fetch(f"AgAD{n}", 30) for n in range(3)]

    asked = len(bot.log("telegram.getFile"))
    failed = _with(bot, one_after_the_other, time)
    assert [(one.code, one.again) for one in failed if isinstance(one, FetchFailed)] == [
        ("TELEGRAM_API_ERROR", True)
    ] * 3
    assert time.slept == []
    assert len(bot.log("telegram.getFile")) == asked + 1


@pytest.mark.parametrize("fault", ["timeout", "drip"])
def test_a_request_that_never_ends_is_a_timeout_and_worth_another_delivery(bot: Sandbox, fault: str) -> None:
    bot.control(faults=f"telegram.file:{fault}=1")
    failed = _fetched(bot, ID, seconds=0.5)
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.again) == ("DOWNLOAD_TIMEOUT", True)


def test_a_bot_api_that_is_not_there_is_told_without_its_address(bot: Sandbox) -> None:
    async def fetch() -> FetchedPhoto | FetchFailed:
        async with Telegram(SecretStr(TELEGRAM_TOKEN), "http://127.0.0.1:1", 5, clock=FakeTime().clock) as telegram:
            return await telegram.fetch(ID, 60)

    failed = asyncio.run(fetch())
    assert isinstance(failed, FetchFailed)
    assert (failed.code, failed.again) == ("TELEGRAM_API_ERROR", True)


def test_a_wrong_token_is_told_by_the_settings_to_look_at(bot: Sandbox) -> None:
    async def fetch() -> FetchedPhoto | FetchFailed:
        async with Telegram(SecretStr("123:planted-token"), bot.url, 5) as telegram:
            return await telegram.fetch(ID, 60)

    failed = asyncio.run(fetch())
    assert isinstance(failed, FetchFailed)
    assert "TELEGRAM_BOT_TOKEN" in failed.detail
    assert "planted" not in failed.detail


@pytest.mark.filterwarnings("always")
def test_the_token_is_nowhere_but_in_the_request(
    bot: Sandbox, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG)
    details: list[str] = []

    async def through_all_faults(telegram: Telegram) -> None:
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

    _with(bot, through_all_faults, FakeTime())
    gc.collect()  # what was not closed would warn now
    told = [*details, caplog.text, *(str(warning.message) for warning in recwarn)]
    assert len(details) == 22
    assert not [text for text in told if _SECRET in text]


def test_the_sandboxs_log_names_file_ids_and_no_token(bot: Sandbox, tmp_path: Path) -> None:
    _fetched(bot, "AgADlogged")
    lines = [line for line in bot.log("telegram") if line.get("file_id") == "AgADlogged"]
    assert [line["kind"] for line in lines] == ["telegram.getFile", "telegram.file"]
    assert lines[0]["path"] == "/bot***/getFile"
    assert re.fullmatch(r"/file/bot\*\*\*/photos/file_\d+\.jpg", lines[1]["path"])


def _with(bot: Sandbox, work: Callable[[Telegram], Awaitable[T]], time: FakeTime | None = None) -> T:
    """What `work` makes of a client of the sandbox, in whose time nobody really waits."""

    async def run() -> T:
        waiting = (time or FakeTime()).clock
        async with Telegram(SecretStr(TELEGRAM_TOKEN), bot.url, 30, clock=waiting) as telegram:
            return await work(telegram)

    return asyncio.run(run())


def _fetched(
    bot: Sandbox, file_id: str, seconds: float = 60, time: FakeTime | None = None
) -> FetchedPhoto | FetchFailed:
    return _with(bot, lambda telegram: telegram.fetch(file_id, seconds), time)


async def _both(telegram: Telegram, first: str, second: str) -> tuple[FetchedPhoto | FetchFailed, ...]:
    return await telegram.fetch(first, 60), await telegram.fetch(second, 60)
