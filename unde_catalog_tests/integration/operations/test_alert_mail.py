"""Alerts by mail, to an SMTP server on real sockets."""

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.mail import Mail
from unde_catalog.operations.alerts.message import Message, plain_message
from unde_catalog_tests.support.proxies import Authority, authority
from unde_catalog_tests.support.receivers import mail_server

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "smtp-planted/1f"
TO = ("on-call@shop.test", "operators@shop.test")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority") / "mail")


@pytest.fixture
def trusted(certificates: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The certificate authority, trusted by this machine."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.certificate))
    return certificates


def alert(subject: str = "originals is failing: 1 run", detail: str = "the proxy returned 407") -> Message:
    return plain_message("cause-first-0", "first", subject, detail, NOW, "http://ui.test:3000")


def body(mail: EmailMessage) -> str:
    return mail.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("implicit", [False, True])
def test_a_mail_arrives_over_tls_and_the_password_only_there(trusted: Authority, implicit: bool) -> None:
    with mail_server(trusted.server(), implicit=implicit) as server:
        scheme = "smtps" if implicit else "smtp"
        url = f"{scheme}://someone:smtp-planted%2F1f@localhost:{server.port}"
        Mail(url, TO, "catalogue@shop.test").send(alert(), 2)
        (mail,) = server.mails
        assert (mail["From"], mail["To"]) == ("catalogue@shop.test", ", ".join(TO))
        assert mail["Subject"] == "[unde_catalog] originals is failing: 1 run"
        assert (mail["Message-ID"], mail["X-Notice-Attempt"]) == ("<cause-first-0@unde-catalog>", "2")
        assert body(mail).startswith("originals is failing: 1 run\nthe proxy returned 407\n")
        commands = [line.split()[0] for line in server.lines]
        assert ("STARTTLS" in commands) != implicit
        assert any(one.startswith("AUTH PLAIN") for one in server.lines)
        if not implicit:
            assert commands.index("STARTTLS") < commands.index("AUTH")


def test_no_password_is_sent_without_tls() -> None:
    with mail_server() as server:
        with pytest.raises(SendFailed, match="does not offer STARTTLS"):
            Mail(f"smtp://someone:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{server.port}", TO).send(alert(), 1)
        assert not [line for line in server.lines if "AUTH" in line]
        assert server.mails == []
        Mail(f"smtp://127.0.0.1:{server.port}", TO).send(alert(), 1)  # a relay without login
        assert [mail["From"] for mail in server.mails] == [TO[0]]


@pytest.mark.parametrize("implicit", [False, True])
def test_an_untrusted_certificate_or_one_of_another_name_is_refused(
    certificates: Authority, monkeypatch: pytest.MonkeyPatch, implicit: bool
) -> None:
    scheme = "smtps" if implicit else "smtp"
    with mail_server(certificates.server(), implicit=implicit) as server:
        with pytest.raises(SendFailed, match="SSLCertVerificationError"):
            Mail(f"{scheme}://someone:x@localhost:{server.port}", TO).send(alert(), 1)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.certificate))
        with pytest.raises(SendFailed, match="SSLCertVerificationError"):
            Mail(f"{scheme}://someone:x@127.0.0.1:{server.port}", TO).send(alert(), 1)
        assert not [line for line in server.lines if "AUTH" in line]


@pytest.mark.parametrize(
    ("command", "response", "error"),
    [
        ("AUTH", b"535 no, smtp-planted/1f is wrong", r"refused the user or the password \(535\)"),
        ("RCPT", b"550 nobody of that name", r"refused the addresses in NOTICE_MAIL_TO \(550\)"),
        ("MAIL", b"451 later, smtp-planted/1f", "returned 451"),
        ("DATA", b"554 no", "returned 554"),
        ("DATA", b"not smtp at all", "SMTP|returned -1"),
        ("MAIL", None, "did not respond within 1 s|SMTPServerDisconnected"),
    ],
)
def test_an_error_of_the_server_is_reported_without_secrets(
    trusted: Authority, command: str, response: bytes | None, error: str
) -> None:
    with mail_server(trusted.server()) as server:
        server.responses[command] = response
        url = f"smtp://someone:smtp-planted%2F1f@localhost:{server.port}"
        with pytest.raises(SendFailed, match=error) as failed:
            Mail(url, TO, seconds=1 if response is None else 20).send(alert(), 1)
        assert "planted" not in str(failed.value)
        assert server.mails == []


def test_a_hostile_text_adds_no_header_and_no_recipient() -> None:
    hostile = "failed\r\nBcc: everyone@elsewhere.test\r\n\r\n.\r\nQUIT"
    with mail_server() as server:
        Mail(f"smtp://127.0.0.1:{server.port}", TO).send(alert(subject=hostile, detail=hostile), 1)
        (mail,) = server.mails
        assert mail["Bcc"] is None and mail["To"] == ", ".join(TO)
        assert {line for line in server.lines if line.startswith("rcpt")} == {f"rcpt TO:<{one}>" for one in TO}
        assert "\n..\nQUIT" in body(mail)  # SMTP escapes a line with a single full stop


def test_an_invalid_url_is_refused_with_an_example() -> None:
    for url in ("smtp://", "smtp://user:planted@host:no-port", "smtp://[planted"):
        with pytest.raises(SendFailed, match="NOTICE_SMTP_URL is not a valid URL") as failed:
            Mail(url, TO).send(alert(), 1)
        assert "planted" not in str(failed.value)
