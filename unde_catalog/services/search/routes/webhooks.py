"""POST /api/v1/webhooks/products/{brand}: a source announces changed products, and their photos become due.

`webhook_signatures.py` verifies signatures. `stores/staging/products/webhook_deliveries.py` makes products due.
"""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool

from unde_catalog.services.search.context import ContextDep
from unde_catalog.services.search.routes.webhook_signatures import BadSignature, verify
from unde_catalog.services.search.schemas.problems import Problem
from unde_catalog.stages.raw_products.clean import clean_text
from unde_catalog.stores.staging.products import webhook_deliveries

router = APIRouter(tags=["webhooks"])

_ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(clean_text)]


class Announcement(BaseModel):
    """The external ids of a brand's changed products."""

    model_config = ConfigDict(extra="forbid")

    external_ids: Annotated[list[_ExternalId], Field(min_length=1, max_length=1_000)]
    event: Literal["changed"]


class AnnouncementResponse(BaseModel):
    """The effect of a delivery. The numbers count products."""

    repeated: bool = Field(
        description="Whether this delivery was received before. The numbers are those of the first time, and nothing "
        "was done this time."
    )
    known: int
    due: int = Field(description="Known products on sale: their photos are checked again.")
    unknown: int
    unknown_ids: list[str] = Field(description="The first twenty unknown ids.")


_BODY = {
    "requestBody": {
        "required": True, "content": {"application/json": {"schema": Announcement.model_json_schema()}},
    },
}  # fmt: skip


@router.post("/api/v1/webhooks/products/{brand}", summary="Announce changed products", openapi_extra=_BODY)
async def products_changed(
    brand: str,
    request: Request,
    context: ContextDep,
    x_unde_timestamp: Annotated[str | None, Header(description="Seconds since 1970.")] = None,
    x_unde_signature: Annotated[
        str | None, Header(description="v1= and the hex HMAC-SHA256 of `<timestamp>.<raw body>`.")
    ] = None,
    x_unde_delivery: Annotated[str | None, Header(description="The sender's own name of the delivery.")] = None,
) -> AnnouncementResponse:
    """Check the photos of changed products again. The later stages follow if a photo has changed.

    Names and prices are updated by the next collection. Deliveries are signed with WEBHOOK_SECRET or the brand's own
    secret. A repeated delivery has no effect.
    """
    settings = context.settings.brands.get(brand)
    if settings is None:
        raise Problem(404, "unknown_brand", "There is no brand with this key.")
    if not settings.webhook_secrets:
        raise Problem(
            503, "webhooks_not_configured", "This server does not accept webhooks for this brand: it has no secret."
        )
    body = await request.body()
    try:
        digest = verify(settings.webhook_secrets, x_unde_timestamp, x_unde_signature, body, time.time())
    except BadSignature as error:
        raise Problem(401, error.code, str(error)) from None
    announcement = _parse(body)
    result = await run_in_threadpool(
        context.db.run,
        webhook_deliveries.announce,
        digest,
        brand,
        clean_text(x_unde_delivery)[:200] if x_unde_delivery else None,
        list(dict.fromkeys(announcement.external_ids)),
    )
    return AnnouncementResponse(
        repeated=result.repeated,
        known=result.known,
        due=result.due,
        unknown=result.unknown,
        unknown_ids=list(result.unknown_ids),
    )


def _parse(body: bytes) -> Announcement:
    try:
        return Announcement.model_validate_json(body)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False, include_input=False)]
        raise RequestValidationError(errors) from None
