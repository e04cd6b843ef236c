"""Delivery of alerts: each one arrives once, whatever the receiver or a crash does."""

import hmac
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unde_catalog.operations.alerts.grouping import failed_step
from unde_catalog.operations.alerts.message import plain_message
from unde_catalog.operations.alerts.sender import send_pending
from unde_catalog.operations.alerts.webhook import Webhook
from unde_catalog.settings.environment import SettingsError, load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.alerts import incidents, outbox
from unde_catalog.stores.staging.alerts.incidents import FailureEvent, Recovery
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.receivers import HANG, MailServer, WebhookReceiver, mail_server, webhook_receiver
from unde_catalog_tests.support.servers import Server

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "signing-planted-77bb12"
UI = "http://ui.test:3000"


def write(db: Database, *ids: str) -> None:
    """Write alerts with these ids for the webhook."""
    for id in ids:
        message = plain_message(id, "test", f"about {id}", "nothing", NOW, UI)
        db.run(outbox.write, id, message.as_dict(), ["webhook"])


def later(db: Database, minutes: int) -> None:
    """Let minutes pass for everything in the outbox."""
    execute(db, "UPDATE notices SET next_at = next_at - make_interval(mins => %s)", minutes)


def webhook(receiver: WebhookReceiver, seconds: float = 10) -> Webhook:
    return Webhook(receiver.url, SECRET, seconds)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, "returned 500: check NOTICE_WEBHOOK_URL and the receiver"),
        (403, "returned 403"),
        (302, "returned 302, a redirect: set NOTICE_WEBHOOK_URL to its target"),
        (HANG, "did not respond within 0.5 s"),
    ],
)
def test_alerts_that_a_receiver_refused_arrive_later_in_order(db: Database, status: int, error: str) -> None:
    with webhook_receiver(status) as receiver:
        write(db, "first", "second", "third")
        summary = send_pending(db, [webhook(receiver, 0.5)])
        assert summary.sent == 0 and error in summary.errors[0]
        assert len(receiver.posted) == 1, "it was retried at once, or followed a redirect"
        assert send_pending(db, [webhook(receiver)]).errors == [], "it did not wait"
        (channel,) = db.run(outbox.pending, ["webhook"])
        assert (channel.pending, error in (channel.error or "")) == (3, True)
        receiver.statuses[:] = [200]
        later(db, 1)
        assert send_pending(db, [webhook(receiver)]).sent == 3
        later(db, 600)
        assert send_pending(db, [webhook(receiver)]).sent == 0
        assert [one["id"] for one in receiver.messages()] == ["first", "first", "second", "third"]
        assert [one.headers["x-notice-attempt"] for one in receiver.posted] == ["1", "2", "1", "1"]
        assert {one.path for one in receiver.posted} == {"/services/planted-path"}


def test_an_unreachable_receiver_gets_its_alerts_later(db: Database) -> None:
    with webhook_receiver() as receiver:
        port = receiver.port
    write(db, "only")
    (error,) = send_pending(db, [Webhook(f"http://127.0.0.1:{port}/services/planted-path", None)]).errors
    assert f"127.0.0.1:{port}: no_connection" in error and "planted" not in error
    with webhook_receiver() as receiver:
        later(db, 1)
        assert send_pending(db, [webhook(receiver)]).sent == 1


def test_an_alert_whose_sender_died_is_sent_again_with_the_same_id(db: Database) -> None:
    with webhook_receiver() as receiver:
        write(db, "only")
        claimed = db.run(outbox.claim, "webhook")
        assert claimed is not None
        webhook(receiver).send(plain_message("only", "test", "about only", "nothing", NOW, UI), claimed.attempt)
        assert send_pending(db, [webhook(receiver)]).sent == 0
        later(db, 1)
        assert send_pending(db, [webhook(receiver)]).sent == 1
        assert {one.headers["idempotency-key"] for one in receiver.posted} == {"only"}
        assert [one.headers["x-notice-attempt"] for one in receiver.posted] == ["1", "2"]


def test_parallel_senders_send_nothing_twice(db: Database, database_url: str) -> None:
    ids = [f"alert-{n}" for n in range(12)]
    write(db, *ids)

    def send(receiver: WebhookReceiver) -> int:
        with Database(database_url, max_connections=1) as own:
            return send_pending(own, [webhook(receiver)]).sent

    with webhook_receiver() as receiver, ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(send, [receiver] * 4)) == 12
        assert sorted(one["id"] for one in receiver.messages()) == sorted(ids)


def test_a_refused_alert_stops_blocking_others_and_expires_in_three_days(db: Database) -> None:
    with webhook_receiver(400) as receiver:
        write(db, "poison", "fine")
        for _ in range(4):
            send_pending(db, [webhook(receiver)])
            execute(db, "UPDATE notices SET next_at = unde_now() WHERE id = 'poison'")
        execute(db, "UPDATE notices SET next_at = unde_now() + interval '1 hour' WHERE id = 'poison'")
        receiver.statuses[:] = [200, 400]
        assert send_pending(db, [webhook(receiver)]).sent == 1
        assert receiver.messages()[-1]["id"] == "fine"
        execute(db, "UPDATE notices SET next_at = unde_now(), written_at = unde_now() - interval '4 days'")
        assert send_pending(db, [webhook(receiver)]).errors[0].endswith("; given up after three days")
        (channel,) = db.run(outbox.pending, ["webhook"])
        assert (channel.pending, channel.given_up) == (0, 1)


def test_the_signature_authenticates_an_alert(db: Database) -> None:
    with webhook_receiver() as receiver:
        write(db, "only")
        send_pending(db, [webhook(receiver)])
        (posted,) = receiver.posted
    signed = posted.headers["x-notice-timestamp"].encode() + b"." + posted.body
    assert posted.headers["x-notice-signature"] == "sha256=" + hmac.digest(SECRET.encode(), signed, "sha256").hex()
    assert posted.headers["content-type"] == "application/json"
    assert SECRET not in json.dumps(posted.headers) + posted.body.decode()


def failure(run: str, brand: str = "zara", minutes: int = 0, message: str = "the proxy returned 407") -> FailureEvent:
    return failed_step(run, "originals", brand, message, NOW + timedelta(minutes=minutes), str)


def recovery(brand: str = "zara", minutes: int = 0) -> Recovery:
    return Recovery(("run",), "originals", "", brand, NOW + timedelta(minutes=minutes))


def test_a_failure_that_is_read_twice_counts_once(db: Database, server: Server) -> None:
    server.set_now(db.url, NOW.isoformat())
    events = [failure("1", minutes=1), failure("2", "oysho", 2), failure("3", "oysho", 3), recovery("zara", 4)]
    assert db.run(incidents.record, events) == 3
    assert db.run(incidents.record, events) == 0
    (one,) = db.run(incidents.open_incidents)
    assert (one.runs, one.brands, one.failing, one.run_id) == (3, ("oysho", "zara"), ("oysho",), "3")
    assert (one.first_at, one.last_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=3))


def test_a_success_resolves_only_the_failures_before_it(db: Database) -> None:
    other = failure("2", minutes=3, message="disk full")
    db.run(incidents.record, [recovery(minutes=1), failure("1", minutes=2), other])
    assert [one.failing for one in db.run(incidents.open_incidents)] == [("zara",), ("zara",)]
    db.run(incidents.record, [recovery(minutes=2)])
    assert [one.failing for one in db.run(incidents.open_incidents)] == [(), ("zara",)]


def test_an_incident_that_returns_within_a_day_is_the_same_one(db: Database, server: Server) -> None:
    server.set_now(db.url, NOW.isoformat())

    def fail_at(moment: datetime, run: str) -> tuple[str, int]:
        server.set_now(db.url, moment.isoformat())
        with Database(db.url) as own:
            own.run(incidents.record, [failure(run)])
            (incident,) = own.run(incidents.open_incidents)
            own.run(incidents.mark_alerted, incident)
            own.run(incidents.mark_resolved, incident)
        return incident.id, incident.returned

    first, again = fail_at(NOW, "1"), fail_at(NOW + timedelta(hours=20), "2")
    other = fail_at(NOW + timedelta(days=5), "3")
    assert (first[1], again, other[1]) == (0, (first[0], 1), 0)
    assert other[0] != first[0]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.mark.slow
def test_the_command_sends_a_test_alert_and_prints_the_results(tmp_path: Path, mail: MailServer) -> None:
    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **environment}
        command = [PROGRAM, "notices", "test"]
        return subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=60)

    by_mail = {"NOTICE_SMTP_URL": f"smtp://127.0.0.1:{mail.port}", "NOTICE_MAIL_TO": "on-call@shop.test"}
    with webhook_receiver(200, 500) as receiver:
        url = {"NOTICE_WEBHOOK_URL": receiver.url}
        done = run(**url, **by_mail, DAGSTER_UI_URL="https://dagster.shop.test")
        assert (done.returncode, done.stdout.count("sent to 127.0.0.1")) == (0, 2), done.stdout + done.stderr
        (message,) = receiver.messages()
        assert "test alert" in message["text"] and message["link"] == "https://dagster.shop.test"
        assert mail.mails[0]["Subject"] == "[unde_catalog] test alert"
        done = run(**url, NOTICE_MAIL_TO="on-call@shop.test")
        assert done.returncode == 1
        assert "mail: not sent: set NOTICE_SMTP_URL" in done.stdout and "webhook: not sent: 127.0.0.1" in done.stdout
        assert "planted" not in done.stdout + done.stderr
    done = run()
    assert done.returncode == 1 and "set NOTICE_WEBHOOK_URL" in done.stderr


def test_unsafe_settings_are_refused(configured_with: Callable[[str, str], str]) -> None:
    assert "NOTICE_MAIL_TO: expected comma-separated mail addresses" in configured_with(
        "NOTICE_MAIL_TO", "a@b.test\nBcc: c@d.test"
    )
    assert "planted" not in configured_with("NOTICE_SMTP_URL", "http://user:planted@host")
    assert "NOTICE_WEBHOOK_URL: expected https://" in configured_with("NOTICE_WEBHOOK_URL", "file:///etc/planted")


@pytest.fixture
def configured_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], str]:
    monkeypatch.chdir(tmp_path)

    def refuse(name: str, value: str) -> str:
        with monkeypatch.context() as patch, pytest.raises(SettingsError) as refused:
            patch.setenv(name, value)
            load_settings()
        return str(refused.value)

    return refuse
