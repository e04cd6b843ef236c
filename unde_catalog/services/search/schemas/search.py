"""What searches are asked and what they answer, as it stands in OpenAPI. A product's own shape is `product.py`'s."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import TypedDict

from unde_catalog.brands import BRANDS
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.stores.staging.index.vectors import Filters, StoreKey

MOST_RESULTS, USUAL_RESULTS = 100, 20
_MOST_CHOSEN = 50


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a character 0 in it")
    return text


def _known_brand(key: str) -> str:
    if key not in BRANDS:
        raise ValueError(f"is none of {', '.join(BRANDS)}")
    return key


Text = Annotated[str, AfterValidator(_storable)]
TopK = Annotated[int, Field(ge=1, le=MOST_RESULTS, description="how many products at the most")]
Threshold = Annotated[
    float | None, Field(ge=-1, le=1, allow_inf_nan=False, description="no product below this score is wanted")
]
BrandKey = Annotated[str, AfterValidator(_known_brand), Field(description="a brand's key, like zara")]
Category = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Brands = Annotated[list[BrandKey], Field(max_length=_MOST_CHOSEN)]
Categories = Annotated[list[Category], Field(max_length=_MOST_CHOSEN, description="any of these, to the letter")]
Price = Annotated[
    Decimal | None, Field(ge=0, le=100_000_000, allow_inf_nan=False, description="in the catalogue's currency")
]
ShopName = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,50}:[0-9]{1,9}$")] | None,
    Field(
        description="brand:store_id of a shop: only what it had in stock when it was asked last",
        examples=["zara:16884"],
    ),
]
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)
]


def filters_of(
    brands: list[str], categories: list[str], price_from: Decimal | None, price_to: Decimal | None, shop: str | None
) -> Filters:
    """What a found product must be."""
    brand, _, store_id = shop.partition(":") if shop else ("", "", "")
    return Filters(brands, categories, price_from, price_to, StoreKey(brand, int(store_id)) if shop else None)


class TextSearch(BaseModel):
    """A search by words."""

    model_config = ConfigDict(extra="forbid")

    query: Words = Field(examples=["a red summer dress"])
    top_k: TopK = USUAL_RESULTS
    threshold: Threshold = None
    brands: Brands = []
    categories: Categories = []
    price_from: Price = None
    price_to: Price = None
    shop: ShopName = None


class StockResponse(TypedDict):  # a plain dict, as an answer has hundreds of them
    """A shop that had the product when it was asked last."""

    brand: str
    store_id: int
    name: str
    sizes: list[str]


class Result(BaseModel):
    """A found product; `photo` is the one of its photos that is nearest, counted from 1."""

    score: float = Field(description="the cosine of the angle between the two embeddings: 1 is the same photo")
    photo: int
    photo_url: str
    product: Product
    in_stock: list[StockResponse]


class Timings(BaseModel):
    """Milliseconds that the steps took."""

    embed: float
    search: float
    enrich: float
    total: float


class ScoreMeaning(TypedDict):
    """Of pairs of photos with at least this score, the measured share that show the same garment, from 0 to 1."""

    at_least: float
    same_garment: float


class SearchResponse(BaseModel):
    """The products that were found, the nearest first, and by which model."""

    model: str = Field(examples=["clip@1a2b3c4d5e6f", "descriptor@1"])
    answers_words: bool = Field(description="whether this model can be searched by words, too")
    score_meaning: list[ScoreMeaning] = Field(
        description="what scores between photos say, the highest first; empty by words, or for a model not measured"
    )
    took_ms: Timings
    count: int
    results: list[Result]


class BrandResponse(BaseModel):
    """A brand: its key, and its name for people."""

    key: str
    name: str


class StoreResponse(BaseModel):
    """A shop."""

    brand: str
    store_id: int
    name: str


class FiltersResponse(BaseModel):
    """What can be searched by, and which model answers; `model` is null while nothing is embedded."""

    model: str | None
    answers_words: bool
    photos: int | None = Field(description="photos that are searched")
    brands: list[BrandResponse]
    categories: list[str]
    shops: list[StoreResponse]
    currency: str
