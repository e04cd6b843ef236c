"""The service's log format: one JSON object per line. Each module decides what it logs.

Secrets are removed here as well, because a library may put one into a message or traceback.
"""

import json
import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import urlsplit

from unde_catalog.services.user_media.messages import stamp
from unde_catalog.settings.user_media import UserMediaSettings

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
HIDDEN = "***"


class UserMediaLogFormatter(logging.Formatter):
    """time, level, logger, message, the fields of `extra` (avatar_id, batch_size, file_id, ...), and a traceback."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        fields: dict[str, object] = {
            "time": stamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        line = json.dumps(fields, default=str)
        for secret in self._secrets:
            line = line.replace(json.dumps(secret)[1:-1], HIDDEN)
        return line


def log_as_json(level: str, secrets: Collection[str]) -> None:
    """Make this process log to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(UserMediaLogFormatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for verbose in ("nats", "aiohttp.access", "alembic"):
        logging.getLogger(verbose).setLevel(logging.WARNING)


def secrets_of(settings: UserMediaSettings) -> list[str]:
    """The secrets in these settings: the bot's token, the bucket's keys, and passwords in NATS_URL."""
    secrets = [settings.telegram_bot_token, settings.s3_secret_access_key, settings.s3_access_key_id]
    found = [one.get_secret_value() for one in secrets if one is not None]
    servers = settings.nats_url.get_secret_value().split(",")
    return [*found, *(password for one in servers if (password := urlsplit(one.strip()).password))]
