"""`unde-catalog doctor` and the services of user media: NATS, Telegram and the private bucket."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.operations.doctor.nats import check_nats
from unde_catalog.operations.doctor.private_bucket import check_private_bucket
from unde_catalog.operations.doctor.telegram import check_bot
from unde_catalog.settings.environment import load_settings, load_user_media_settings
from unde_catalog_tests.support.nats_servers import NatsServer
from unde_catalog_tests.support.s3_servers import BUCKET, running_moto, running_rclone, s3_environment
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.user_media import PRIVATE_BUCKET, nothing_set, private_environment


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing_set(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("arguments", "user", "state", "message"),
    [
        ((), "", "green", "JetStream has 0 streams"),
        (("--user", "me", "--pass", "planted"), "me:planted@", "green", "JetStream has 0 streams"),
        (("--user", "me", "--pass", "planted"), "me:planted-wrong@", "red", "the server refused the credentials"),
        (("no JetStream",), "", "red", "JetStream is not enabled: start the server with -js"),
    ],
)
def test_nats_is_green_or_the_reason_is_reported(
    arguments: tuple[str, ...], user: str, state: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = NatsServer(tmp_path / "nats")
    if arguments == ("no JetStream",):
        server._command.remove("-js")
    else:
        server._command += arguments
    server.start()
    try:
        monkeypatch.setenv("NATS_URL", server.url.replace("//", f"//{user}"))
        found = check_nats(load_user_media_settings(), None)
    finally:
        server.stop()
    assert (found.state, message in found.message, "planted" in found.message) == (state, True, False), found


def test_without_settings_nothing_is_checked() -> None:
    user_media, settings = load_user_media_settings(), load_settings()
    for found in (check_nats(user_media, None), check_bot(user_media), check_private_bucket(user_media, settings)):
        assert (found.state, found.checked, found.message.startswith("not configured: ")) == ("yellow", False, True)


def test_the_bot_is_reported_with_its_name(bot: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, bot.environment)
    found = check_bot(load_user_media_settings())
    assert (found.state, found.message) == ("green", f"bot @sandbox_bot at 127.0.0.1:{bot.port}")


@pytest.mark.parametrize(
    ("fault", "state", "message", "named"),
    [
        ("401", "red", "refused the token (401)", ("TELEGRAM_BOT_TOKEN",)),
        ("429-in-9", "yellow", "limits the rate of this bot", ()),
        ("502", "red", "returned 502", ("TELEGRAM_API_URL",)),
        ("html", "red", "not a response of the Bot API", ("TELEGRAM_API_URL",)),
        ("to-private", "red", "returned 302", ("TELEGRAM_API_URL",)),
        ("lost", "red", "is unreachable: ConnectionError", ("TELEGRAM_API_URL",)),
    ],
)
def test_an_error_of_telegram_is_reported_without_the_token(
    bot: Sandbox, fault: str, state: str, message: str, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, bot.environment)
    bot.control(next_faults={"telegram.getMe": [fault]})
    found = check_bot(load_user_media_settings())
    assert (found.state, found.settings) == (state, named)
    assert message in found.message
    assert "sandbox-telegram-token" not in found.message


def test_a_bucket_that_the_public_can_list_or_read_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{PRIVATE_BUCKET}/*",
    }
    with running_moto() as moto:  # without a policy anyone can list
        moto.client.create_bucket(Bucket=PRIVATE_BUCKET)
        _set(monkeypatch, private_environment(moto.url))
        listed = check_private_bucket(load_user_media_settings(), load_settings())
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        moto.client.put_bucket_policy(Bucket=PRIVATE_BUCKET, Policy=policy)
        read = check_private_bucket(load_user_media_settings(), load_settings())
    assert (listed.state, listed.settings, read.state) == ("red", ("S3_BUCKET_NAME",), "red")
    assert "anyone can list user photos: restrict its policy to the access key" in listed.message
    assert "anyone can read user photos: restrict its policy to the access key" in read.message


def test_a_bucket_with_a_catalogue_is_red_whatever_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_rclone(tmp_path / "s3") as rclone:
        _set(monkeypatch, private_environment(rclone.url, BUCKET))
        (rclone.folder / BUCKET / "collages").mkdir()
        (rclone.folder / BUCKET / "collages" / "1.jpg").write_bytes(b"x")
        unknown = check_private_bucket(load_user_media_settings(), load_settings())
        _set(monkeypatch, s3_environment(rclone.url))
        known = check_private_bucket(load_user_media_settings(), load_settings())
    assert (unknown.state, "contains a catalogue's collages" in unknown.message) == ("red", True)
    assert (known.state, "is the catalogue's bucket" in known.message) == ("red", True)


def test_a_folder_is_checked_and_left_clean(tmp_path: Path) -> None:
    user_media, settings = load_user_media_settings(), load_settings()
    (tmp_path / "people" / ".unfinished").mkdir(parents=True)
    found = check_private_bucket(user_media, settings)
    assert (found.state, found.message.endswith("is used, and works")) == ("yellow", True)
    assert [path for path in (tmp_path / "people").rglob("*") if path.is_file()] == []


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
