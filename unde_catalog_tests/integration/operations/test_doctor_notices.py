"""What `unde-catalog doctor` finds of notices: half a setting, a mail server that refuses, notices that wait."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.backends import Backends
from unde_catalog.operations.doctor.databases import Databases
from unde_catalog.operations.doctor.notices import look_at_notices
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


def look() -> Finding:
    settings = load_settings()
    with Backends(settings) as backends:
        return look_at_notices(Databases(settings, backends))


def test_nothing_set_is_not_configured_and_half_a_setting_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (look().state, look().asked) == ("yellow", False)
    monkeypatch.setenv("NOTICE_MAIL_TO", "on-call@shop.test")
    assert (look().state, look().settings) == ("red", ("NOTICE_SMTP_URL",))


def test_the_mail_server_is_asked_and_gets_no_mail(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = look()
    assert (found.state, "nothing is sent while AUTOMATION is off" in found.said) == ("green", True)
    monkeypatch.setenv("AUTOMATION", "on")
    assert "AUTOMATION" not in look().said
    mail.responses["EHLO"] = mail.responses["HELO"] = b"554 go away"
    found = look()
    assert (found.state, found.settings) == ("red", ("NOTICE_SMTP_URL",)), found
    assert mail.mails == []


def test_what_waits_is_told_with_its_reason(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", "http://127.0.0.1:1/services/planted-path")
    db.run(outbox.write, "a-notice", {}, ["webhook"])
    assert look().state == "green"
    taken = db.run(outbox.claim, "webhook")
    assert taken is not None
    db.run(outbox.mark_not_sent, taken, "127.0.0.1:1 answers 500")
    found = look()
    assert (found.state, found.said) == ("yellow", "webhook: 1 notices wait: 127.0.0.1:1 answers 500")
    assert found.settings == ("NOTICE_WEBHOOK_URL",) and "planted" not in found.said
