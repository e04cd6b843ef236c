"""`unde-catalog doctor` and the alert channels: incomplete settings, a refusing mail server, waiting alerts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.notices import check_alerts
from unde_catalog.operations.doctor.result import Finding
from unde_catalog.settings.environment import load_settings
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.alerts import outbox
from unde_catalog_tests.support.receivers import MailServer, mail_server


@pytest.fixture(autouse=True)
def staging(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGING_DB_URL", database_url)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as running:
        monkeypatch.setenv("NOTICE_SMTP_URL", f"smtp://127.0.0.1:{running.port}")
        monkeypatch.setenv("NOTICE_MAIL_TO", "on-call@shop.test")
        yield running


def check() -> Finding:
    settings = load_settings()
    with Backends(settings) as backends:
        return check_alerts(Databases(settings, backends))


def test_no_settings_are_not_configured_and_incomplete_ones_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (check().state, check().checked) == ("yellow", False)
    monkeypatch.setenv("NOTICE_MAIL_TO", "on-call@shop.test")
    assert (check().state, check().settings) == ("red", ("NOTICE_SMTP_URL",))


def test_the_mail_server_is_checked_without_sending_a_mail(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check()
    assert (found.state, "no alerts are sent while AUTOMATION is off" in found.message) == ("green", True)
    monkeypatch.setenv("AUTOMATION", "on")
    assert "AUTOMATION" not in check().message
    mail.responses["EHLO"] = mail.responses["HELO"] = b"554 go away"
    found = check()
    assert (found.state, found.settings) == ("red", ("NOTICE_SMTP_URL",)), found
    assert mail.mails == []


def test_waiting_alerts_are_counted_with_the_last_error(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", "http://127.0.0.1:1/services/planted-path")
    db.run(outbox.write, "an-alert", {}, ["webhook"])
    assert check().state == "green"
    claimed = db.run(outbox.claim, "webhook")
    assert claimed is not None
    db.run(outbox.mark_not_sent, claimed, "127.0.0.1:1 returned 500")
    found = check()
    assert (found.state, found.message) == ("yellow", "webhook: 1 alert waiting: 127.0.0.1:1 returned 500")
    assert found.settings == ("NOTICE_WEBHOOK_URL",) and "planted" not in found.message
