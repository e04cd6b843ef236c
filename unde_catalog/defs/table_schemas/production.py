"""The columns of the production table of products and what they mean.

The table is created by `stores/production/migrations/`; a test compares the two.
"""

from unde_catalog.defs.table_schemas.table import Table

_COPIED = (
    "source", "external_id", "brand", "name", "description", "price", "currency", "category", "colour", "sizes",
    "composition", "image_urls", "collage_url",
)  # fmt: skip

CATALOG_PRODUCTS = Table(
    "production",
    "catalog_products",
    (
        ("source", "varchar(50) not null", "As in staging; unique together with external_id."),
        ("external_id", "varchar(100) not null", "The product's id at its source."),
        ("brand", "varchar(50) not null", "The brand's key, which is the partition."),
        ("name", "text not null", "As the source writes it."),
        ("description", "text", "As the source writes it."),
        ("price", "numeric(10,2) not null", "In `currency`, in its main unit; the price passed verification."),
        ("currency", "varchar(10) not null", "One of `PUBLISH_CURRENCIES`."),
        ("category", "text not null", "As the source names it."),
        ("colour", "varchar(100)", "Names of the colours."),
        ("sizes", "jsonb", "As in staging."),
        ("composition", "text", "JSON text, as in staging."),
        ("image_urls", "jsonb not null", "URLs of the stored photos, in order; at least one."),
        ("collage_url", "text", "URL of the collage; null while there is none."),
        (
            "active",
            "boolean not null",
            "On sale. Nothing is deleted: a product that is not on sale keeps its last verified values.",
        ),
        ("inactive_reason", "text", "`left_the_shop`, or the rule that the product breaks."),
        ("publication_id", "bigint not null", "The publication that last changed it."),
        ("published_at", "timestamptz not null", "When it was first published."),
        ("updated_at", "timestamptz not null", "When it last changed here."),
    ),
    {
        **{column: [f"raw_products.{column}"] for column in _COPIED},
        "image_urls": ["raw_products.image_urls", "originals.key"],
        "collage_url": ["raw_products.collage_url", "collages.key"],
        "active": ["raw_products.active"],
    },
)
