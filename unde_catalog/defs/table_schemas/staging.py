"""The columns of those staging tables that belong to an asset, and what they mean.

The tables are created by `stores/staging/migrations/`; a test compares the two.
"""

from unde_catalog.defs.table_schemas.table import Table

RAW_PRODUCTS = Table(
    "staging",
    "raw_products",
    (
        ("id", "bigint not null", "The product's number in this catalogue."),
        ("source", "varchar(50) not null", "`apify_<brand>`; unique together with external_id."),
        ("external_id", "varchar(100) not null", "The product's id at its source, as text."),
        ("brand", "varchar(50) not null", "The brand's key, such as `zara`, which is the partition."),
        ("name", "text", "As the source writes it."),
        ("description", "text", "As the source writes it."),
        ("price", "numeric(10,2)", "In `currency`, in its main unit (699.00); null where the source has none or 0."),
        ("currency", "varchar(10)", "AED."),
        ("category", "text", "As the source names it, such as `woman-outerwear-padded`."),
        ("colour", "varchar(100)", "Names of the colours."),
        ("sizes", "jsonb", 'The value of the item\'s `sizes`, such as "XS, S, M, L".'),
        ("composition", "text", "`detailedComposition` as JSON text."),
        (
            "original_image_urls",
            "jsonb",
            "URLs of the photos at the brand: the first 5 of each colour, 1920 px.",
        ),
        ("image_urls", "jsonb", "URLs of the stored photos, in order; written by `originals`."),
        ("collage_url", "text", "URL of the collage; written by `collages`."),
        ("raw_data", "jsonb", "The complete item of the source."),
        ("scraped_at", "timestamptz not null", "When a scrape last listed it."),
        (
            "image_status",
            "varchar(20)",
            "`pending` (retries left) -> `uploaded` -> `collage_ready`, or `error`: given up without a photo.",
        ),
        (
            "sync_status",
            "varchar(20)",
            "`pending` -> `synced`, `skipped` (fails verification) or `error`; written by `production_catalog`.",
        ),
        (
            "ximilar_status",
            "varchar(20)",
            "`pending` -> `partial` -> `synced`, or `error` (Ximilar could not read a photo); by `ximilar_index`.",
        ),
        ("ximilar_synced_at", "timestamptz", "When Ximilar last accepted a photo of it."),
        (
            "index_scope",
            "text",
            "`pilot`: in Ximilar and in the visual index; `pgvector`: only in the visual index; `off`: in none.",
        ),
        ("ximilar_synced_urls", "jsonb", "URLs of the photos that are in the collection."),
        ("ximilar_target_count", "smallint", "How many photos the collection should contain; 2 by default."),
        ("synced_at", "timestamptz", "When it was last published."),
        ("error_message", "text", "The last reason why photos or the collage are missing."),
        ("created_at", "timestamptz", "When it was first seen."),
        ("updated_at", "timestamptz", "When the row last changed."),
        (
            "active",
            "boolean not null",
            "On sale: the last complete scrape listed it. Other rows are never deleted.",
        ),
        ("last_scrape_id", "bigint", "The scrape that last listed it."),
        ("published_price", "numeric(10,2)", "The last published price, with which a new one is compared."),
        ("published_currency", "varchar(10)", "The currency of `published_price`."),
    ),
    {
        "external_id": ["apify_task.id"],
        "name": ["apify_task.name"],
        "description": ["apify_task.description"],
        "price": ["apify_task.price"],
        "category": ["apify_task.category"],
        "colour": ["apify_task.colors"],
        "sizes": ["apify_task.sizes"],
        "composition": ["apify_task.detailedComposition"],
        "original_image_urls": ["apify_task.colorsSizesImagesJSON"],
    },
)

_OBJECT = (
    ("key", "text", "The object's key: `originals/<brand>/<external_id>/<n>.jpg`."),
    ("sha256", "text", "SHA-256 of the object's bytes, in hexadecimal."),
    ("width", "integer", "Pixels."),
    ("height", "integer", "Pixels."),
    ("bytes", "integer", "Size of the object."),
)
_OBJECT_COLUMNS = tuple(name for name, _, _ in _OBJECT)

PRODUCT_PHOTOS = Table(
    "staging",
    "product_photos",
    (
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("n", "smallint not null", "The photo's position in original_image_urls, from 1."),
        ("source_url", "text not null", "Where it was downloaded from."),
        (
            "state",
            "text not null",
            "`stored`, `gone` (404, 410), `refused` (no valid image) or `failed` (retry later).",
        ),
        ("reason", "text", "Reason code where it is not stored."),
        *_OBJECT,
        ("fetched_at", "timestamptz not null", "When it was last requested."),
    ),
    dict.fromkeys(("source_url", *_OBJECT_COLUMNS), ["raw_products.original_image_urls"]),
)

PRODUCT_COLLAGES = Table(
    "staging",
    "product_collages",
    (
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("key", "text not null", "The object's key: `collages/<brand>/<external_id>.jpg`."),
        *((name, f"{type} not null", meaning) for name, type, meaning in _OBJECT[1:]),
        ("made_at", "timestamptz not null", "When the collage was made."),
    ),
    dict.fromkeys(_OBJECT_COLUMNS[1:], ["originals.key"]),
)

XIMILAR_RECORDS = Table(
    "staging",
    "ximilar_records",
    (
        ("collection", "text not null", "`XIMILAR_COLLECTION_ID`."),
        ("record_id", "text not null", "The record's `_id`, made from source, external_id, position and content."),
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("n", "smallint not null", "The photo's position."),
        ("sha256", "text not null", "SHA-256 of the photo's bytes: a changed photo is another record."),
        ("url", "text not null", "The photo's URL, as it was sent."),
        ("metadata", "jsonb not null", "sku_id, brand, name, category and price, as they were sent."),
        ("state", "text not null", "`intended` (recorded before sending, not confirmed) or `there` (confirmed)."),
        ("intended_at", "timestamptz not null", "When it was recorded, before it was sent."),
        ("inserted_at", "timestamptz", "When Ximilar confirmed it."),
    ),
    {
        "record_id": ["raw_products.source", "raw_products.external_id", "originals.n", "originals.sha256"],
        "n": ["originals.n"],
        "sha256": ["originals.sha256"],
        "url": ["originals.key"],
        "metadata": [f"raw_products.{column}" for column in ("external_id", "brand", "name", "category", "price")],
    },
)

PRODUCT_EMBEDDINGS = Table(
    "staging",
    "product_embeddings",
    (
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("n", "smallint not null", "The photo's position."),
        ("model", "text not null", "The model with its version: `descriptor@1`, `clip@...`."),
        ("slot", "smallint not null", "Which of the two HNSW indexes it is in; a new model is built in the other one."),
        ("sha256", "text not null", "SHA-256 of the photo's bytes: changed content is embedded again."),
        ("embedded_at", "timestamptz not null", "When it was embedded."),
        ("embedding", "halfvec(512) not null", "512 numbers of length 1 (`real[]` on a server without pgvector)."),
    ),
    {"n": ["originals.n"], "sha256": ["originals.sha256"], "embedding": ["originals.key"]},
)

RAW_STORES = Table(
    "staging",
    "raw_stores",
    (
        ("id", "integer not null", "The row's number."),
        ("brand", "varchar(50) not null", "The brand's key, which is the partition."),
        ("store_id", "integer not null", "The store's id, one of `DUBAI_<BRAND>_STORES`."),
        (
            "name",
            "text",
            "As the store finder names it. Zara's stores have no names: theirs is the brand and the mall.",
        ),
        ("address", "text", "The address lines."),
        ("mall_name", "text", "The mall, where the address contains one."),
        ("city", "varchar(100)", "Dubai."),
        ("country", "varchar(10)", "AE."),
        ("latitude", "numeric(10,7)", "Degrees."),
        ("longitude", "numeric(10,7)", "Degrees."),
        ("created_at", "timestamptz", "When it was first found."),
        ("seen_at", "timestamptz", "When the store finder last listed it."),
    ),
)

RAW_AVAILABILITY = Table(
    "staging",
    "raw_availability",
    (
        ("id", "bigint not null", "The row's number."),
        ("brand", "varchar(50) not null", "The brand's key."),
        ("store_id", "integer not null", "The store, as in `raw_stores`."),
        ("product_id", "varchar(100) not null", "The product's external_id."),
        ("sizes_in_stock", "jsonb not null", "Names of the sizes in stock, [] for none. Unknown stock has no row."),
        (
            "fetched_at",
            "timestamptz not null",
            "When it was last checked; one row for each store, product and UTC day.",
        ),
        ("created_at", "timestamptz", "When it was first checked that day."),
    ),
    {
        "store_id": ["raw_stores.store_id"],
        "product_id": ["raw_products.external_id"],
        "sizes_in_stock": ["raw_products.raw_data"],  # the colours and sizes that are checked
    },
)
