"""The subjects of people's photos, which stream and consumer stand behind them, and their numbers.

Declaring them at a server is in `streams.py`; what is in the messages, in `messages.py`.
"""

from dataclasses import dataclass

from unde_catalog.services.user_media.messages import Header

TRAIN, INFERENCE = "photo_upload_train", "photo_upload_inf"
BATCH_RESULT, INFERENCE_RESULT, ERROR = "photo_upload_result", "inference_result", "photo_upload_error"
DEAD = "photo_upload_dead"


@dataclass(frozen=True, slots=True)
class Queue:
    """A subject that requests come on, with a durable consumer of its own, so that neither waits for the other.

    `in_hand`: requests at once in a process; `ack_pending`: in all processes together; `tries`: how often one is begun
    before it is given up.
    """

    header: Header
    subject: str
    result: str
    in_hand: int
    ack_pending: int
    tries: int

    @property
    def durable(self) -> str:
        """The consumer's name."""
        return self.subject


QUEUES = (
    Queue("train", TRAIN, BATCH_RESULT, in_hand=4, ack_pending=100, tries=5),
    Queue("inf", INFERENCE, INFERENCE_RESULT, in_hand=10, ack_pending=500, tries=3),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it is made where no other one has its subjects.

    `keep_days`: how long messages stay, None until they are acknowledged; `window`: seconds in which a message with an
    id that was there already is not kept again.
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
