"""Receivers of alerts for tests: a real webhook and a real mail server, which record what they receive."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from unde_catalog_tests.support.upstream import listening

HANG = 0  # instead of a status: accepts the request and never responds


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request: its path, its headers in lower case and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(slots=True)
class WebhookReceiver:
    """A running webhook. `statuses`: of its responses in order; the last one is repeated."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [200])
    posted: list[WebhookRequest] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/planted-path"

    def messages(self) -> list[dict[str, Any]]:
        """The JSON of all requests."""
        return [request.json for request in self.posted]


@contextmanager
def webhook_receiver(*statuses: int) -> Iterator[WebhookReceiver]:
    """A webhook on a free port of 127.0.0.1."""
    receiver = WebhookReceiver(statuses=list(statuses) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posted.append(WebhookRequest(self.path, headers, body))
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            if status == HANG:
                receiver.stopped.wait()
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        receiver.port = running.server_port
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.stopped.set()
            running.shutdown()


@dataclass(slots=True)
class MailServer:
    """A running mail server with the lines and the mails it received.

    `responses` replaces the response to a command, e.g. {"DATA": b"451 try later"}; None never responds.
    """

    port: int = 0
    lines: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    responses: dict[str, bytes | None] = field(default_factory=dict)


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, *, implicit: bool = False) -> Iterator[MailServer]:
    """A mail server on a free port of 127.0.0.1. With `tls` it offers STARTTLS, or with `implicit` begins with TLS."""
    mail = MailServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await _serve_smtp(mail, reader, writer, None if implicit else tls)
        writer.close()

    with listening(serve, tls if implicit else None) as mail.port:
        yield mail


async def _serve_smtp(
    mail: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext | None
) -> None:
    secure = tls is None
    writer.write(b"220 mail.test\r\n")
    while line := (await reader.readline()).decode().strip():
        mail.lines.append(line)
        command = line.split()[0].upper()
        if command in mail.responses:
            response = mail.responses[command]
            if response is None:
                await asyncio.sleep(3600)
            writer.write(cast(bytes, response) + b"\r\n")
        elif command == "EHLO":
            writer.write(b"250-mail.test\r\n" + (b"" if secure else b"250-STARTTLS\r\n") + b"250 AUTH PLAIN\r\n")
        elif command == "STARTTLS" and tls is not None:
            writer.write(b"220 go on\r\n")
            await writer.start_tls(tls)
            secure = True
        elif command == "AUTH":
            writer.write(b"235 welcome\r\n")
        elif command == "DATA":
            writer.write(b"354 go on\r\n")
            raw = await reader.readuntil(b"\r\n.\r\n")
            mail.mails.append(cast(EmailMessage, message_from_bytes(raw[:-3], policy=policy.default)))
            writer.write(b"250 taken\r\n")
        else:
            writer.write(b"221 bye\r\n" if command == "QUIT" else b"250 fine\r\n")
        await writer.drain()
