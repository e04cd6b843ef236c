"""What `unde-catalog doctor` says of NATS, Telegram and the private bucket beyond that they answer."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.operations.doctor.nats import look_at_nats
from unde_catalog.operations.doctor.private_bucket import look_at_private_bucket
from unde_catalog.operations.doctor.telegram import look_at_bot
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
    ("arguments", "user", "state", "said"),
    [
        ((), "", "green", "JetStream keeps 0 streams"),
        (("--user", "me", "--pass", "planted"), "me:planted@", "green", "JetStream keeps 0 streams"),
        (("--user", "me", "--pass", "planted"), "me:planted-wrong@", "red", "it does not take these credentials"),
        (("no JetStream",), "", "red", "it runs without JetStream: start it with -js"),
    ],
)
def test_nats_takes_us_and_keeps_messages_or_it_is_told_why_not(
    arguments: tuple[str, ...], user: str, state: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = NatsServer(tmp_path / "nats")
    if arguments == ("no JetStream",):
        server._command.remove("-js")
    else:
        server._command += arguments
    server.start()
    try:
        monkeypatch.setenv("NATS_URL", server.url.replace("//", f"//{user}"))
        found = look_at_nats(load_user_media_settings())
    finally:
        server.stop()
    assert (found.state, said in found.said, "planted" in found.said) == (state, True, False), found


def test_nothing_set_is_not_configured_and_nothing_is_asked() -> None:
    people, settings = load_user_media_settings(), load_settings()
    for found in (look_at_nats(people), look_at_bot(people), look_at_private_bucket(people, settings)):
        assert (found.state, found.asked, found.said.startswith("not configured: ")) == ("yellow", False, True)


def test_the_bot_is_told_by_its_name(bot: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, bot.environment)
    found = look_at_bot(load_user_media_settings())
    assert (found.state, found.said) == ("green", f"127.0.0.1:{bot.port} knows the bot @sandbox_bot")


@pytest.mark.parametrize(
    ("fault", "state", "said", "named"),
    [
        ("401", "red", "does not know the token (401)", ("TELEGRAM_BOT_TOKEN",)),
        ("429-in-9", "yellow", "asks this bot to wait", ()),
        ("502", "red", "answers 502", ("TELEGRAM_API_URL",)),
        ("html", "red", "not as the Bot API does", ("TELEGRAM_API_URL",)),
        ("to-private", "red", "answers 302", ("TELEGRAM_API_URL",)),
        ("lost", "red", "can't be reached: ConnectionError", ("TELEGRAM_API_URL",)),
    ],
)
def test_what_is_wrong_with_telegram_is_told_without_the_token(
    bot: Sandbox, fault: str, state: str, said: str, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, bot.environment)
    bot.control(next_faults={"telegram.getMe": [fault]})
    found = look_at_bot(load_user_media_settings())
    assert (found.state, found.settings) == (state, named)
    assert said in found.said
    assert "sandbox-telegram-token" not in found.said


def test_a_bucket_that_strangers_may_list_or_read_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{PRIVATE_BUCKET}/*",
    }
    with running_moto() as moto:  # without a policy it lets anyone list
        moto.client.create_bucket(Bucket=PRIVATE_BUCKET)
        _set(monkeypatch, private_environment(moto.url))
        listed = look_at_private_bucket(load_user_media_settings(), load_settings())
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        moto.client.put_bucket_policy(Bucket=PRIVATE_BUCKET, Policy=policy)
        read = look_at_private_bucket(load_user_media_settings(), load_settings())
    assert (listed.state, listed.settings, read.state) == ("red", ("S3_BUCKET_NAME",), "red")
    assert "anyone can list people's photos: let its policy allow nobody but its keys" in listed.said
    assert "anyone can read people's photos: let its policy allow nobody but its keys" in read.said


def test_the_catalogues_bucket_is_red_under_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_rclone(tmp_path / "s3") as rclone:
        _set(monkeypatch, private_environment(rclone.url, BUCKET))
        (rclone.folder / BUCKET / "collages").mkdir()
        (rclone.folder / BUCKET / "collages" / "1.jpg").write_bytes(b"x")
        unknown = look_at_private_bucket(load_user_media_settings(), load_settings())
        _set(monkeypatch, s3_environment(rclone.url))
        known = look_at_private_bucket(load_user_media_settings(), load_settings())
    assert (unknown.state, "holds a catalogue's collages" in unknown.said) == ("red", True)
    assert (known.state, "is the catalogue's bucket" in known.said) == ("red", True)


def test_a_folder_that_stands_in_is_tried_and_left_clean(tmp_path: Path) -> None:
    people, settings = load_user_media_settings(), load_settings()
    (tmp_path / "people" / ".unfinished").mkdir(parents=True)
    found = look_at_private_bucket(people, settings)
    assert (found.state, found.said.endswith("stands in, and works")) == ("yellow", True)
    assert [path for path in (tmp_path / "people").rglob("*") if path.is_file()] == []


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
