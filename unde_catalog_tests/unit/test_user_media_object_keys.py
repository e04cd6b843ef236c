import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.services.user_media.object_keys import BadKey, app_folders, inference_key, person_folders, train_key
from unde_catalog.stores.objects.objects import checked

AT = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
HOSTILE = [
    *("..", ".", "../x.jpg", "a/b.jpg", "/etc/passwd", "a\\b.jpg", "a\0b", "a b", "%2e%2e", "a#1", "a?b", ".hidden"),
    *("ü.jpg", "платье", "👗", "a\nb", "x" * 151, "~", "C:x", "photos"),
]
Make = Callable[..., str]


def made(
    make: Make = train_key, *, bot: object = 1, user: object = 2, avatar: str = "av", name: str | None = ""
) -> str:
    return make(bot, user, avatar, name, file_id="AgAD_-x", at=AT, extension="jpg")


def test_a_name_of_the_senders_stands_below_bot_person_and_avatar() -> None:
    assert made(bot=12345, user=67890, avatar="avatar_abc123", name="custom1.jpg") == (
        "12345/67890/avatar_abc123/custom1.jpg"
    )
    assert made(inference_key, name="custom1.jpg") == "uploads/inf/1/2/av/custom1.jpg"


@pytest.mark.parametrize("name", ["", "  ", None])
def test_without_a_name_it_is_made_of_the_messages_time_and_the_file_id(name: str | None) -> None:
    assert made(name=name) == "1/2/av/photos/2/20260304T050607.891011Z/AgAD_-x.jpg"
    assert made(inference_key, name=name) == "uploads/inf/1/2/av/photos/2/20260304T050607.891011Z/AgAD_-x.jpg"


def test_the_same_moment_gives_the_same_key_whatever_its_time_zone() -> None:
    east = AT.astimezone(timezone(timedelta(hours=4)))
    key = train_key(1, 2, "av", "", file_id="x", at=east, extension="png")
    assert key == "1/2/av/photos/2/20260304T050607.891011Z/x.png"
    with pytest.raises(ValueError, match="time zone"):
        train_key(1, 2, "av", "", file_id="x", at=AT.replace(tzinfo=None), extension="png")


@pytest.mark.parametrize("make", [train_key, inference_key])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_would_leave_its_folder_is_refused(make: Make, name: str) -> None:
    with pytest.raises(BadKey, match="^s3_key .* wants a bare name"):
        made(make, name=name)


@pytest.mark.parametrize("avatar", [*HOSTILE[:-1], ""])
def test_an_avatar_that_would_leave_its_folder_is_refused(avatar: str) -> None:
    with pytest.raises(BadKey, match="^avatar_id "):
        made(avatar=avatar)


@pytest.mark.parametrize(
    "number", ["", "photos", "inf", "uploads", "-1", "007", "1.5", "1/2", "²", "1\n", "9" * 21, True]
)
def test_bots_and_people_are_numbers_so_that_no_layout_is_taken_for_another(number: object) -> None:
    with pytest.raises(BadKey, match="^bot_id "):
        made(bot=number)
    with pytest.raises(BadKey, match="^user_id "):
        made(user=number)
    with pytest.raises(BadKey, match="^user_id "):
        app_folders(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("file_id", ["", "../x", "a/b", "a.b", "x" * 181])
def test_a_file_id_that_is_none_is_refused_where_it_would_be_part_of_the_key(file_id: str) -> None:
    with pytest.raises(BadKey, match="^file_id "):
        train_key(1, 2, "av", "", file_id=file_id, at=AT, extension="jpg")
    assert train_key(1, 2, "av", "named.jpg", file_id=file_id, at=AT, extension="jpg") == "1/2/av/named.jpg"


def test_a_long_refused_part_is_told_in_its_beginning_only() -> None:
    with pytest.raises(BadKey) as refused:
        made(name="x" * 10_000)
    assert len(str(refused.value)) < 200


@given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 10**20 - 1), st.integers(0, 10**20 - 1))
def test_whatever_is_sent_a_key_is_refused_or_stays_in_the_persons_folder(
    name: str, avatar: str, bot: int, user: int
) -> None:
    for make, folder in zip((train_key, inference_key), person_folders(bot, user), strict=True):
        try:
            key = made(make, bot=bot, user=user, avatar=avatar, name=name)
        except BadKey:
            continue
        assert key.startswith(f"{folder}/")
        assert checked(key) == key
        assert len(key) <= 1024
        assert re.fullmatch(r"[A-Za-z0-9._=@+,/-]+", key)


def test_a_persons_folders_are_those_of_each_layout() -> None:
    assert person_folders(1, 2) == ("1/2", "uploads/inf/1/2")
    assert app_folders(2) == ("2/photos", "2/tryon", "2/saved")
