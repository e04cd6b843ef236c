"""What this room raises; its causes are described where they are found."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be had; the message says what was wrong, where, and what to do."""


class EmbeddedNatsError(RuntimeError):
    """The embedded NATS server cannot be had; the message says what to do."""
