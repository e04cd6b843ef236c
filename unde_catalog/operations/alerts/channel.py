"""What a channel is, and the error of a notice that did not get through. The channels have a file each."""

from typing import Protocol

from unde_catalog.operations.alerts.message import Message


class SendFailed(RuntimeError):
    """A notice did not arrive, or nobody knows; one sentence says why, without secrets."""


class Channel(Protocol):
    """A way to people. `name` is kept in the database, `where` is shown."""

    name: str
    where: str

    def send(self, message: Message, attempt: int) -> None:
        """Send it once; `SendFailed` where it did not arrive, or may not have. `attempt` counts from 1."""
        ...
