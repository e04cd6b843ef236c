"""A remote host for tests. It sends configured responses byte for byte and records the requests."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request: its connection (counted from 0), its first line, and its headers with names in lower case."""

    connection: int
    line: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.line.split()[1]


@dataclass(slots=True)
class RemoteHost:
    """A running host. `responses` are sent per path in order, the last one repeatedly; any other path gets a 404."""

    port: int = 0
    scheme: str = "http"
    responses: dict[str, list[bytes | Act]] = field(default_factory=dict)
    requests: list[ReceivedRequest] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def respond(self, path: str, *responses: bytes | Act) -> str:
        """Set the responses of a path. Returns its URL."""
        self.responses[path] = list(responses)
        return self.url(path)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        try:
            while line := (await reader.readline()).decode().strip():
                headers = {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                request = ReceivedRequest(connection, line, headers)
                self.requests.append(request)
                responses = self.responses.get(request.path) or [reply(b"no such photo", "404 Not Found")]
                response = responses.pop(0) if len(responses) > 1 else responses[0]
                if isinstance(response, bytes):
                    writer.write(response)
                else:
                    await response(writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A response. Its Content-Length is correct unless `Content_Length` or `Transfer_Encoding` is passed."""
    if not {"Content_Length", "Transfer_Encoding"} & set(headers):
        headers["Content_Length"] = str(len(body))
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never respond."""
    await asyncio.sleep(3600)


def cut_after(data: bytes) -> Act:
    """Send this and close the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return act


def repeat(head: bytes, piece: bytes, every: float = 0.0) -> Act:
    """Send a head, then the same piece again and again, `every` so many seconds."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return act


@contextmanager
def listening(serve: Callable[..., Awaitable[None]], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server in its own thread on a free port of 127.0.0.1. Yields the port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:

        async def end() -> None:
            server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def remote_host(tls: ssl.SSLContext | None = None) -> Iterator[RemoteHost]:
    """A host on a free port of 127.0.0.1."""
    host = RemoteHost(scheme="https" if tls else "http")
    with listening(host.serve, tls) as host.port:
        yield host
