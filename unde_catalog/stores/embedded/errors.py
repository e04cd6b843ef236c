"""The errors of this package."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL is unavailable; the message says what is wrong, where, and what to do."""


class EmbeddedNatsError(RuntimeError):
    """The embedded NATS server is unavailable; the message says what to do."""
