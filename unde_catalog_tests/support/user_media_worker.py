"""The service, killed (SIGKILL) at one step after the other: `python -m` this module with the arguments of the command.

The steps are the points where a crash could lose a result or a photo. When one service is dead, the next one is forked,
which saves the time for the imports. The exit code is the number of services that survived.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from nats.aio.msg import Msg

from unde_catalog.cli.app import main
from unde_catalog.services.user_media.bucket import PrivateBucket
from unde_catalog.services.user_media.connection import Connection
from unde_catalog.services.user_media.records import Records
from unde_catalog.services.user_media.server import serve  # noqa: F401  imported before the forks
from unde_catalog.services.user_media.telegram import Telegram

# step -> the awaited method, and whether the kill comes before it or after it
STEPS: dict[str, tuple[type[Any], str, bool]] = {
    "before a download": (Telegram, "fetch", False),
    "after a download": (Telegram, "fetch", True),
    "after a photo is stored": (PrivateBucket, "put", True),
    "after its row is recorded": (Records, "record_photo", True),
    "before the result is recorded": (Records, "settle", False),
    "after the result is recorded": (Records, "settle", True),
    "after the result is published": (Connection, "publish", True),
    "before the acknowledgement": (Msg, "ack_sync", False),
    "after the acknowledgement": (Msg, "ack_sync", True),
}


def kill_at(step: str) -> None:
    """Make this process kill itself at that step."""
    owner, name, after = STEPS[step]
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(original)
    async def killing(*args: Any, **kwargs: Any) -> Any:
        if after:
            await original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, killing)


def run() -> int:
    """Run a service for each step; returns the number of services that did not die by SIGKILL."""
    survived = 0
    for step in STEPS:
        child = os.fork()
        if child == 0:
            kill_at(step)
            main()
            os._exit(0)
        survived += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL
    return survived


if __name__ == "__main__":
    sys.exit(run())
