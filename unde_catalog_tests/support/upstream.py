"""A host of somebody else's for tests: it answers, byte for byte, what it was told, and remembers what it was asked."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: which connection it came over (counted from 0), its first line and its headers in lower case."""

    connection: int
    line: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.line.split()[1]


@dataclass(slots=True)
class FarSide:
    """A running host. `answers` by path: one after the other, the last for all further requests; others get 404."""

    port: int = 0
    scheme: str = "http"
    answers: dict[str, list[bytes | Act]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def answer(self, path: str, *answers: bytes | Act) -> str:
        """Answer a path so from now on; its URL."""
        self.answers[path] = list(answers)
        return self.url(path)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        try:
            while line := (await reader.readline()).decode().strip():
                headers = {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                one = Asked(connection, line, headers)
                self.asked.append(one)
                told = self.answers.get(one.path) or [reply(b"no such photo", "404 Not Found")]
                answer = told.pop(0) if len(told) > 1 else told[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer with its right Content-Length, unless `Content_Length` or `Transfer_Encoding` is given."""
    if not {"Content_Length", "Transfer_Encoding"} & set(headers):
        headers["Content_Length"] = str(len(body))
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(3600)


def cut_after(data: bytes) -> Act:
    """Send this and close the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return act


def for_ever(head: bytes, piece: bytes, every: float = 0.0) -> Act:
    """Send a head, and then a piece again and again, so many seconds apart."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return act


@contextmanager
def listening(serve: Callable[..., Awaitable[None]], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server of one's own on a free port of 127.0.0.1, in a thread of its own; the port."""
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
def far_side(tls: ssl.SSLContext | None = None) -> Iterator[FarSide]:
    """A host on a free port of 127.0.0.1."""
    host = FarSide(scheme="https" if tls else "http")
    with listening(host.serve, tls) as host.port:
        yield host
