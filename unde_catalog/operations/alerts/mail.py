"""Mail: a notice as plain text, over TLS wherever a password is sent. The outbox says when again."""

import contextlib
import smtplib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from unde_catalog.net.tls import tls_context
from unde_catalog.operations.alerts.channel import SendFailed
from unde_catalog.operations.alerts.message import Message

SECONDS = 20.0  # for a whole mail
_PORTS = {"smtp": 587, "smtps": 465}


class Mail:
    """Sends to some addresses through one server."""

    name = "mail"

    def __init__(self, url: str, to: Sequence[str], sender: str | None = None, seconds: float = SECONDS) -> None:
        """`url`: smtp://user:password@host:587 or smtps://..."""
        self._to, self._from, self._seconds = list(to), sender or to[0], seconds
        try:
            parts = urlsplit(url)
            self._tls, self._host = parts.scheme == "smtps", parts.hostname or ""
            self._port = parts.port or _PORTS[parts.scheme]
        except ValueError:  # its words may be a part of the password
            self._tls, self._host, self._port = False, "", 0
            parts = urlsplit("")
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self.where = f"{self._host}:{self._port}" if self._host else "an unreadable address"

    def send(self, message: Message, attempt: int) -> None:
        """Send it; `SendFailed` says why it did not arrive, or may not have."""
        mail = self._mail(message, attempt)
        with self._told(), self._session() as smtp:
            smtp.send_message(mail)

    def look(self) -> None:
        """Log in and send nothing; `SendFailed` as for `send`."""
        with self._told(), self._session() as smtp:
            smtp.noop()

    def _mail(self, message: Message, attempt: int) -> EmailMessage:
        mail = EmailMessage()
        # Nothing of a hostile text may begin a new header; there should be no such character any more.
        mail["Subject"] = "".join(char if char.isprintable() else " " for char in f"[unde_catalog] {message.subject}")
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Message-ID"] = f"<{message.fields['id']}@unde-catalog>"  # the same at a repeat: mail programs show one
        mail["Auto-Submitted"] = "auto-generated"  # nobody's "I am on holiday" answers it
        mail["X-Notice-Attempt"] = str(attempt)
        mail.set_content(message.text)
        return mail

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A session that is logged in; a server that dawdles is cut off when the time is over."""
        if not self._host:
            raise SendFailed("NOTICE_SMTP_URL is no address: it wants smtp://user:password@host:587")
        context, name = tls_context(), socket.gethostname()
        if self._tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=name, timeout=self._seconds, context=context)
        else:
            smtp = smtplib.SMTP(local_hostname=name, timeout=self._seconds)
        # Whose certificate is wanted: it learns that only where it connects at once, before the time runs.
        smtp._host = self._host  # pyright: ignore[reportAttributeAccessIssue]
        overdue = threading.Timer(self._seconds, _cut, (smtp,))
        overdue.daemon = True
        overdue.start()
        try:
            code, _ = smtp.connect(self._host, self._port)
            if code != 220:
                raise SendFailed(f"{self.where} answers {code}")
            smtp.ehlo_or_helo_if_needed()
            if not self._tls and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                smtp.ehlo()
            elif not self._tls and (self._user or self._password):
                raise SendFailed(f"{self.where} offers no STARTTLS, and no password is sent without it: set smtps://")
            if self._user or self._password:
                smtp.login(self._user, self._password)
            yield smtp
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # it has the mail: what it answers now does not matter
        finally:
            overdue.cancel()
            smtp.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise SendFailed(f"{self.where} refuses the user or the password ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
            raise SendFailed(f"{self.where} takes no mail for NOTICE_MAIL_TO ({codes})") from None
        except smtplib.SMTPResponseException as error:  # its words may repeat what was sent
            raise SendFailed(f"{self.where} answers {error.smtp_code}") from None
        except TimeoutError:
            raise SendFailed(f"{self.where} did not answer within {self._seconds:g} s") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise SendFailed(f"{self.where}: {_said(error)}") from None


def _cut(smtp: smtplib.SMTP) -> None:
    connection = smtp.sock
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return f"{type(error).__name__}, {reason}" if isinstance(reason, str) and reason else type(error).__name__
