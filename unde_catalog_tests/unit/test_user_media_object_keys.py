import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.services.user_media.object_keys import BadKey, app_folders, inference_key, train_key, user_folders
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


def test_a_chosen_name_goes_below_bot_user_and_avatar() -> None:
    assert made(bot=12345, user=67890, avatar="avatar_abc123", name="custom1.jpg") == (
        "12345/67890/avatar_abc123/custom1.jpg"
    )
    assert made(inference_key, name="custom1.jpg") == "uploads/inf/1/2/av/custom1.jpg"


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_generated_name_contains_the_message_time_and_the_file_id(name: str | None) -> None:
    assert made(name=name) == "1/2/av/photos/2/20260304T050607.891011Z/AgAD_-x.jpg"
    assert made(inference_key, name=name) == "uploads/inf/1/2/av/photos/2/20260304T050607.891011Z/AgAD_-x.jpg"


def test_the_key_does_not_depend_on_the_time_zone() -> None:
    east = AT.astimezone(timezone(timedelta(hours=4)))
    key = train_key(1, 2, "av", "", file_id="x", at=east, extension="png")
    assert key == "1/2/av/photos/2/20260304T050607.891011Z/x.png"
    with pytest.raises(ValueError, match="time zone"):
        train_key(1, 2, "av", "", file_id="x", at=AT.replace(tzinfo=None), extension="png")


@pytest.mark.parametrize("make", [train_key, inference_key])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_would_leave_its_folder_is_refused(make: Make, name: str) -> None:
    with pytest.raises(BadKey, match="^s3_key .* must be a bare name"):
        made(make, name=name)


@pytest.mark.parametrize("avatar", [*HOSTILE[:-1], ""])
def test_an_avatar_that_would_leave_its_folder_is_refused(avatar: str) -> None:
    with pytest.raises(BadKey, match="^avatar_id "):
        made(avatar=avatar)


@pytest.mark.parametrize(
    "number", ["", "photos", "inf", "uploads", "-1", "007", "1.5", "1/2", "²", "1\n", "9" * 21, True]
)
def test_bots_and_users_are_numbers_so_that_layouts_cannot_collide(number: object) -> None:
    with pytest.raises(BadKey, match="^bot_id "):
        made(bot=number)
    with pytest.raises(BadKey, match="^user_id "):
        made(user=number)
    with pytest.raises(BadKey, match="^user_id "):
        app_folders(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("file_id", ["", "../x", "a/b", "a.b", "x" * 181])
def test_an_invalid_file_id_is_refused_only_in_a_generated_name(file_id: str) -> None:
    with pytest.raises(BadKey, match="^file_id "):
        train_key(1, 2, "av", "", file_id=file_id, at=AT, extension="jpg")
    assert train_key(1, 2, "av", "named.jpg", file_id=file_id, at=AT, extension="jpg") == "1/2/av/named.jpg"


def test_an_error_shows_only_the_beginning_of_a_long_name() -> None:
    with pytest.raises(BadKey) as refused:
        made(name="x" * 10_000)
    assert len(str(refused.value)) < 200


@given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 10**20 - 1), st.integers(0, 10**20 - 1))
def test_any_input_is_refused_or_stays_in_the_users_folder(name: str, avatar: str, bot: int, user: int) -> None:
    for make, folder in zip((train_key, inference_key), user_folders(bot, user), strict=True):
        try:
            key = made(make, bot=bot, user=user, avatar=avatar, name=name)
        except BadKey:
            continue
        assert key.startswith(f"{folder}/")
        assert checked(key) == key
        assert len(key) <= 1024
        assert re.fullmatch(r"[A-Za-z0-9._=@+,/-]+", key)


def test_a_users_folders_cover_every_layout() -> None:
    assert user_folders(1, 2) == ("1/2", "uploads/inf/1/2")
    assert app_folders(2) == ("2/photos", "2/tryon", "2/saved")
