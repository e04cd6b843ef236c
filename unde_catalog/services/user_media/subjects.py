"""The NATS subjects of user media, with the stream and the consumer behind each of them.

`streams.py` declares them at a server; `messages.py` defines what the messages contain.
"""

from dataclasses import dataclass

from unde_catalog.services.user_media.messages import Header

TRAIN, INFERENCE = "photo_upload_train", "photo_upload_inf"
BATCH_RESULT, INFERENCE_RESULT, ERROR = "photo_upload_result", "inference_result", "photo_upload_error"
DEAD = "photo_upload_dead"


@dataclass(frozen=True, slots=True)
class Queue:
    """A request subject with its own durable consumer, so that batches and single photos do not wait for each other.

    `concurrency`: requests at once in one process. `ack_pending`: unacknowledged requests in all processes together.
    `tries`: attempts before a request is given up.
    """

    header: Header
    subject: str
    concurrency: int
    ack_pending: int
    tries: int

    @property
    def durable(self) -> str:
        """The consumer's name."""
        return self.subject


QUEUES = (
    Queue("train", TRAIN, concurrency=4, ack_pending=100, tries=5),
    Queue("inf", INFERENCE, concurrency=10, ack_pending=500, tries=3),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream to create for the subjects that no other stream holds.

    `keep_days`: retention in days, None to delete a message when it is acknowledged. `window`: seconds in which a
    second message with the same id is dropped.
    """

    name: str
    subjects: tuple[str, ...]
    keep_days: int | None
    window: float


STREAMS = (
    Stream("PHOTO_REQUESTS", (TRAIN, INFERENCE), None, 600),
    Stream("PHOTO_RESULTS", (BATCH_RESULT, INFERENCE_RESULT, ERROR), 7, 3_600),
    Stream("PHOTO_DEAD", (DEAD,), 30, 3_600),
)
