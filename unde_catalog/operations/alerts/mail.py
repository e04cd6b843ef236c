"""The mail channel: sends an alert as plain text, and a password over TLS only. The outbox decides about retries."""

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

SECONDS = 20.0  # time-out of the whole session
_PORTS = {"smtp": 587, "smtps": 465}


class Mail:
    """Sends to a list of addresses through one server."""

    name = "mail"

    def __init__(self, url: str, to: Sequence[str], sender: str | None = None, seconds: float = SECONDS) -> None:
        """`url`: smtp://user:password@host:587 or smtps://..."""
        self._to, self._from, self._seconds = list(to), sender or to[0], seconds
        try:
            parts = urlsplit(url)
            self._tls, self._host = parts.scheme == "smtps", parts.hostname or ""
            self._port = parts.port or _PORTS[parts.scheme]
        except ValueError:  # its message may contain a part of the password
            self._tls, self._host, self._port = False, "", 0
            parts = urlsplit("")
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self.where = f"{self._host}:{self._port}" if self._host else "an invalid URL"

    def send(self, message: Message, attempt: int) -> None:
        """Send the message once; `SendFailed` if it was not, or possibly not, delivered."""
        mail = self._mail(message, attempt)
        with self._send_failed(), self._session() as smtp:
            smtp.send_message(mail)

    def check(self) -> None:
        """Log in without sending a mail; `SendFailed` as for `send`."""
        with self._send_failed(), self._session() as smtp:
            smtp.noop()

    def _mail(self, message: Message, attempt: int) -> EmailMessage:
        mail = EmailMessage()
        # A line break would begin a new header; the sanitizer has removed it already.
        mail["Subject"] = "".join(char if char.isprintable() else " " for char in f"[unde_catalog] {message.subject}")
        mail["From"], mail["To"] = self._from, ", ".join(self._to)
        mail["Message-ID"] = f"<{message.fields['id']}@unde-catalog>"  # the same in every attempt
        mail["Auto-Submitted"] = "auto-generated"  # suppresses out-of-office replies
        mail["X-Notice-Attempt"] = str(attempt)
        mail.set_content(message.text)
        return mail

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A logged-in session, which is cut off at the time-out even if the server keeps sending."""
        if not self._host:
            raise SendFailed("NOTICE_SMTP_URL is not a valid URL: it must look like smtp://user:password@host:587")
        context, name = tls_context(), socket.gethostname()
        if self._tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=name, timeout=self._seconds, context=context)
        else:
            smtp = smtplib.SMTP(local_hostname=name, timeout=self._seconds)
        # The name in the certificate; smtplib sets it only if the constructor connects, before the time-out starts.
        smtp._host = self._host  # pyright: ignore[reportAttributeAccessIssue]
        timeout = threading.Timer(self._seconds, _shut_down, (smtp,))
        timeout.daemon = True
        timeout.start()
        try:
            code, _ = smtp.connect(self._host, self._port)
            if code != 220:
                raise SendFailed(f"{self.where} returned {code}")
            smtp.ehlo_or_helo_if_needed()
            if not self._tls and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                smtp.ehlo()
            elif not self._tls and (self._user or self._password):
                raise SendFailed(
                    f"{self.where} does not offer STARTTLS, and a password is sent over TLS only: use smtps:// in"
                    " NOTICE_SMTP_URL"
                )
            if self._user or self._password:
                smtp.login(self._user, self._password)
            yield smtp
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # the mail is accepted, so an error no longer matters
        finally:
            timeout.cancel()
            smtp.close()

    @contextmanager
    def _send_failed(self) -> Iterator[None]:
        """Turn every error into `SendFailed`, without the server's words, which may repeat what was sent."""
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise SendFailed(f"{self.where} refused the user or the password ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
            raise SendFailed(f"{self.where} refused the addresses in NOTICE_MAIL_TO ({codes})") from None
        except smtplib.SMTPResponseException as error:
            raise SendFailed(f"{self.where} returned {error.smtp_code}") from None
        except TimeoutError:
            raise SendFailed(f"{self.where} did not respond within {self._seconds:g} s") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise SendFailed(f"{self.where}: {_reason(error)}") from None


def _shut_down(smtp: smtplib.SMTP) -> None:
    connection = smtp.sock
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return f"{type(error).__name__}, {reason}" if isinstance(reason, str) and reason else type(error).__name__
