"""POST /api/v1/webhooks/products/{brand}: a source announces products that changed, and their photos become due.

Signatures are `webhook_signatures.py`'s, what is counted and made due is
`stores/staging/products/webhook_deliveries.py`'s.
"""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool

from unde_catalog.services.search.context import InContext
from unde_catalog.services.search.routes.webhook_signatures import BadSignature, checked
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.staging.products import webhook_deliveries

router = APIRouter(tags=["webhooks"])

_Id = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(clean_text)]


class Announcement(BaseModel):
    """Which products changed, by their external ids in that brand."""

    model_config = ConfigDict(extra="forbid")

    external_ids: Annotated[list[_Id], Field(min_length=1, max_length=1_000)]
    event: Literal["changed"]


class AnnouncementResponse(BaseModel):
    """What came of a delivery, in products."""

    repeated: bool = Field(
        description="this delivery was here before: it did then what the numbers say, and nothing now"
    )
    known: int
    due: int = Field(description="of them on sale: their photos are looked at anew")
    unknown: int
    unknown_ids: list[str] = Field(description="the first twenty of these")


_BODY = {
    "requestBody": {
        "required": True, "content": {"application/json": {"schema": Announcement.model_json_schema()}},
    },
}  # fmt: skip


@router.post("/api/v1/webhooks/products/{brand}", summary="Announce changed products", openapi_extra=_BODY)
async def products_changed(
    brand: str,
    request: Request,
    context: InContext,
    x_unde_timestamp: Annotated[str | None, Header(description="seconds since 1970")] = None,
    x_unde_signature: Annotated[
        str | None, Header(description="v1= and the hex HMAC-SHA256 of `<timestamp>.<raw body>`")
    ] = None,
    x_unde_delivery: Annotated[str | None, Header(description="the sender's name for this delivery")] = None,
) -> AnnouncementResponse:
    """Have the photos of changed products looked at anew; what is made of them follows.

    Name and price come with the next scrape. Signed with WEBHOOK_SECRET, or the brand's own; a delivery counts once.
    """
    settings = context.settings.brands.get(brand)
    if settings is None:
        raise Problem(404, "unknown_brand", "there is no brand of this key")
    if not settings.webhook_secrets:
        raise Problem(
            503, "webhooks_not_configured", "webhooks of this brand are not taken here: no secret is set for them"
        )
    body = await request.body()
    try:
        digest = checked(settings.webhook_secrets, x_unde_timestamp, x_unde_signature, body, time.time())
    except BadSignature as error:
        raise Problem(401, error.code, str(error)) from None
    announcement = _read(body)
    announced = await run_in_threadpool(
        context.db.run,
        webhook_deliveries.announce,
        digest,
        brand,
        clean_text(x_unde_delivery)[:200] if x_unde_delivery else None,
        list(dict.fromkeys(announcement.external_ids)),
    )
    return AnnouncementResponse(
        repeated=announced.repeated,
        known=announced.known,
        due=announced.due,
        unknown=announced.unknown,
        unknown_ids=list(announced.unknown_ids),
    )


def _read(body: bytes) -> Announcement:
    try:
        return Announcement.model_validate_json(body)
    except ValidationError as error:
        wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False, include_input=False)]
        raise RequestValidationError(wrong) from None
