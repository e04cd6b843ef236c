"""Requests and responses of searches.

A product's own shape is in `product.py`.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from typing_extensions import TypedDict

from unde_catalog.brands import BRANDS
from unde_catalog.services.search.schemas.product import Product
from unde_catalog.stores.staging.index.product_filters import Filters, StoreKey

MAX_RESULTS, DEFAULT_RESULTS = 100, 20
_MAX_VALUES = 50  # of one filter


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character")
    return text


def _known_brand(key: str) -> str:
    if key not in BRANDS:
        raise ValueError(f"unknown brand: the brands are {', '.join(BRANDS)}")
    return key


def _split_commas(values: object) -> object:
    """A list in one value, `zara,oysho`, as a repeated parameter: a brand's key has no comma. Blanks are unset."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values  # pydantic refuses it
    return [key.strip() for value in values for key in value.split(",") if key.strip()]


def _without_blanks(values: object) -> object:
    return [value for value in values if not _is_blank(value)] if isinstance(values, list) else values


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _of_known_brand(store: str) -> str:
    _known_brand(store.partition(":")[0])
    return store


Text = Annotated[str, AfterValidator(_storable)]
TopK = Annotated[int, Field(ge=1, le=MAX_RESULTS, description="The maximum number of products.")]
Threshold = Annotated[
    float | None, Field(ge=-1, le=1, allow_inf_nan=False, description="The minimum score of a product.")
]
BrandKey = Annotated[str, AfterValidator(_known_brand), Field(description="A brand's key, e.g. zara.")]
Category = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Brands = Annotated[list[BrandKey], BeforeValidator(_split_commas), Field(max_length=_MAX_VALUES)]
Categories = Annotated[
    list[Category],
    BeforeValidator(_without_blanks),
    Field(max_length=_MAX_VALUES, description="Any of these categories, exactly."),
]
Price = Annotated[
    Decimal | None, Field(ge=0, le=100_000_000, allow_inf_nan=False, description="In the catalogue's currency.")
]
StoreParam = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,50}:[0-9]{1,9}$"), AfterValidator(_of_known_brand)] | None,
    Field(
        description="A store as brand:store_id. Only products that were in stock there at its last check.",
        examples=["zara:16884"],
    ),
]
QueryText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)
]


def build_filters(
    brands: list[str], categories: list[str], price_from: Decimal | None, price_to: Decimal | None, store: str | None
) -> Filters:
    """The filters of a search. `store`: brand:store_id."""
    brand, _, store_id = store.partition(":") if store else ("", "", "")
    return Filters(brands, categories, price_from, price_to, StoreKey(brand, int(store_id)) if store else None)


class TextSearch(BaseModel):
    """A search by text."""

    model_config = ConfigDict(extra="forbid")

    query: QueryText = Field(examples=["a red summer dress"])
    top_k: TopK = DEFAULT_RESULTS
    threshold: Threshold = None
    brands: Brands = []
    categories: Categories = []
    price_from: Price = None
    price_to: Price = None
    shop: StoreParam = None

    @model_validator(mode="before")
    @classmethod
    def _blanks_are_unset(cls, body: object) -> object:
        """As in a query string; a blank query stays, and is refused."""
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if name == "query" or not _is_blank(value)}


class StockResponse(TypedDict):  # a plain dict: a response has hundreds of them
    """A store that had the product in stock at its last check."""

    brand: str
    store_id: int
    name: str
    sizes: list[str]


FoundBy = Literal["photo", "words"]


class Result(BaseModel):
    """A product. `photo` is its photo nearest to the query, from 1; its first photo if words found it."""

    score: float | None = Field(
        description="The cosine similarity of the two embeddings. 1: the same photo. Null for what only words found."
    )
    found_by: list[FoundBy] = Field(description="By its photo, by the words of its texts, or both.")
    missing: list[str] = Field(description="Words of the query that the product's texts lack.")
    photo: int
    photo_url: str
    product: Product
    in_stock: list[StockResponse]


class Timings(BaseModel):
    """The duration of each step, in milliseconds."""

    embed: float
    search: float
    enrich: float
    total: float


class ScoreMeaning(TypedDict):
    """The measured share (0 to 1) of photo pairs with at least this score that show the same garment."""

    at_least: float
    same_garment: float


class ReadTerm(TypedDict):
    """A word or phrase of a text query, what it names, and some other words that were searched, too."""

    text: str
    kind: str
    also: list[str]
    instead_of: str | None


class SearchResponse(BaseModel):
    """The products, best first, and the model that embedded the query; null if only words were searched."""

    model: str | None = Field(examples=["clip@1a2b3c4d5e6f", "descriptor@1"])
    answers_words: bool = Field(
        description="Whether the model knows words. The texts of products are searched by words in any case."
    )
    read_as: list[ReadTerm] = Field(description="How a text query was read. Empty for photos.")
    searched_for: str | None = Field(description="The query with its spelling corrected; null if nothing was.")
    left_out: list[str] = Field(description="Words of the query without meaning for a search.")
    total: int | None = Field(
        description="How many products have all words of the query, counted up to 20,000; null for photos."
    )
    score_meaning: list[ScoreMeaning] = Field(
        description="What the scores of photo pairs mean, highest score first. Empty for text searches and for models "
        "that have not been measured."
    )
    took_ms: Timings
    count: int
    results: list[Result]


class BrandResponse(BaseModel):
    """A brand: its key and its name."""

    key: str
    name: str


class StoreResponse(BaseModel):
    """A store of a brand."""

    brand: str
    store_id: int
    name: str


class FiltersResponse(BaseModel):
    """The values to filter by, and the model of the index. `model` is null if the index is empty."""

    model: str | None
    answers_words: bool = Field(description="Whether the model knows words. Texts are searched by words in any case.")
    photos: int | None = Field(description="The number of photos in the index.")
    brands: list[BrandResponse]
    categories: list[str]
    shops: list[StoreResponse]
    currency: str
