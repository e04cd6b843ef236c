"""The interface of a channel that delivers alerts, and its error. Each channel has its own module."""

from typing import Protocol

from unde_catalog.operations.alerts.message import Message


class SendFailed(RuntimeError):
    """A message was not delivered, or possibly not; one sentence says why, without secrets."""


class Channel(Protocol):
    """A way to deliver messages. `name` identifies it in the database; `where` is its address for display."""

    name: str
    where: str

    def send(self, message: Message, attempt: int) -> None:
        """Send the message once; `SendFailed` if it was not, or possibly not, delivered. `attempt` counts from 1."""
        ...
