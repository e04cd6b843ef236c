"""The service as an AsyncAPI document: subjects, what comes and goes on them, who answers what.

These handlers only describe: requests are pulled in `connection.py` and handled in `handler.py`.
"""

import json

from faststream.nats import JStream, NatsBroker, PullSub
from faststream.specification import AsyncAPI

from unde_catalog.services.user_media.messages import (
    BatchResult,
    InferenceRequest,
    InferenceResult,
    TrainRequest,
    UploadError,
)
from unde_catalog.services.user_media.subjects import BATCH_RESULT, ERROR, INFERENCE_RESULT, QUEUES, STREAMS

_ABOUT = (
    "People's photos from Telegram to a private bucket. Every request is answered: with a result, or on "
    f"{ERROR} where it failed as a whole. An answer may come twice, word for word and with the same Nats-Msg-Id."
)


def document() -> str:
    """The document as JSON."""
    broker = NatsBroker("nats://localhost:4222", description="JetStream")
    train, inference = QUEUES
    requests = JStream(STREAMS[0].name, declare=False)
    pull = PullSub(batch_size=1)
    errors = broker.publisher(ERROR, schema=UploadError, title=ERROR, description="A request that failed as a whole.")

    @errors
    @broker.publisher(BATCH_RESULT, schema=BatchResult, title=BATCH_RESULT, description="What became of a batch.")
    @broker.subscriber(
        train.subject, stream=requests, durable=train.durable, pull_sub=pull, title=train.subject,
        description="A batch of photos.",
    )  # fmt: skip
    async def batch(request: TrainRequest) -> None: ...

    @errors
    @broker.publisher(
        INFERENCE_RESULT, schema=InferenceResult, title=INFERENCE_RESULT, description="A photo that is stored."
    )
    @broker.subscriber(
        inference.subject, stream=requests, durable=inference.durable, pull_sub=pull, title=inference.subject,
        description="One photo that somebody waits for.",
    )  # fmt: skip
    async def single(request: InferenceRequest) -> None: ...

    described = AsyncAPI(broker, title="People's photos", version="1.0.0", description=_ABOUT, schema_version="3.0.0")
    return json.dumps(json.loads(described.to_specification().to_json()), indent=2)
