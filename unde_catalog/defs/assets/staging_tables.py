"""What the columns of the staging database's tables mean, for those tables that are an asset.

How they are made is in `staging/migrations/`; a test compares the two.
"""

from unde_catalog.defs.assets.tables import Table

RAW_PRODUCTS = Table(
    "staging",
    "raw_products",
    (
        ("id", "bigint not null", "Our own number of the product."),
        ("source", "varchar(50) not null", "`apify_<brand>`; unique together with external_id."),
        ("external_id", "varchar(100) not null", "The shop's id of the product, as text."),
        ("brand", "varchar(50) not null", "The brand's key, such as `zara`; the partition."),
        ("name", "text", "As the shop writes it."),
        ("description", "text", "As the shop writes it."),
        ("price", "numeric(10,2)", "In `currency`, in its main unit (699.00); empty where missing or 0."),
        ("currency", "varchar(10)", "AED."),
        ("category", "text", "As the shop names it, such as `woman-outerwear-padded`."),
        ("colour", "varchar(100)", "Names of the colours."),
        ("sizes", "jsonb", 'What the item\'s `sizes` holds, such as "XS, S, M, L".'),
        ("composition", "text", "`detailedComposition` as JSON text."),
        ("original_image_urls", "jsonb", "Addresses of photos at the brand: of each colour the first 5, 1920 wide."),
        ("image_urls", "jsonb", "Our own addresses of the stored photos, in order; written by `originals`."),
        ("collage_url", "text", "Our own address of the collage; written by `collages`."),
        ("raw_data", "jsonb", "The whole dataset item."),
        ("scraped_at", "timestamptz not null", "When a scrape saw it last."),
        (
            "image_status",
            "varchar(20)",
            "`pending` (tries are left) -> `uploaded` -> `collage_ready`, or `error`: given up with no photo stored.",
        ),
        (
            "sync_status",
            "varchar(20)",
            "`pending` -> `synced`, `skipped` (fails verification) or `error`; written by `production_catalog`.",
        ),
        (
            "ximilar_status",
            "varchar(20)",
            "`pending` -> `partial` -> `synced`, or `error`: a photo could not be read; written by `ximilar_index`.",
        ),
        ("ximilar_synced_at", "timestamptz", "When Ximilar last took something of it."),
        ("index_scope", "text", "`pilot`: goes to Ximilar; `pgvector`: only into our own index; `off`: not indexed."),
        ("ximilar_synced_urls", "jsonb", "Addresses of the photos that are in the collection."),
        ("ximilar_target_count", "smallint", "How many photos shall be there; 2 unless set."),
        ("synced_at", "timestamptz", "When it was last published."),
        ("error_message", "text", "The last reason why its photos or its collage are not there."),
        ("created_at", "timestamptz", "When it was first seen."),
        ("updated_at", "timestamptz", "When something of it last changed."),
        ("active", "boolean not null", "On sale: the last complete scrape saw it. Others stay, and are never deleted."),
        ("last_scrape_id", "bigint", "The scrape that saw it last."),
        ("published_price", "numeric(10,2)", "The price that was last published: a new one is compared with it."),
        ("published_currency", "varchar(10)", "Its currency."),
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
    ("sha256", "text", "Of the object's bytes, in hex."),
    ("width", "integer", "Pixels."),
    ("height", "integer", "Pixels."),
    ("bytes", "integer", "Of the object."),
)
_OBJECT_COLUMNS = tuple(name for name, _, _ in _OBJECT)

PRODUCT_PHOTOS = Table(
    "staging",
    "product_photos",
    (
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("n", "smallint not null", "Its place in original_image_urls, from 1."),
        ("source_url", "text not null", "Where it was downloaded from."),
        (
            "state",
            "text not null",
            "`stored`, `gone` (404, 410), `refused` (no valid image) or `failed` (tried again).",
        ),
        ("reason", "text", "Why it is not stored, in a word."),
        *_OBJECT,
        ("fetched_at", "timestamptz not null", "When it was last asked for."),
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
        ("made_at", "timestamptz not null", "When it was glued."),
    ),
    dict.fromkeys(_OBJECT_COLUMNS[1:], ["originals.key"]),
)

XIMILAR_RECORDS = Table(
    "staging",
    "ximilar_records",
    (
        ("collection", "text not null", "`XIMILAR_COLLECTION_ID`."),
        ("record_id", "text not null", "Its `_id` there: made from source, external_id, place and content."),
        ("product_id", "bigint not null", "`raw_products.id`."),
        ("n", "smallint not null", "The photo's place."),
        ("sha256", "text not null", "Of the photo's bytes: a changed photo is another record."),
        ("url", "text not null", "The photo's address, as it was sent."),
        ("metadata", "jsonb not null", "sku_id, brand, name, category and price, as they were sent."),
        ("state", "text not null", "`intended` (written down, the answer is not known yet) or `there`."),
        ("intended_at", "timestamptz not null", "When it was written down, before it was sent."),
        ("inserted_at", "timestamptz", "When Ximilar said that it is there."),
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
        ("n", "smallint not null", "The photo's place."),
        ("model", "text not null", "What made it, with its version: `descriptor@1`, `clip@...`."),
        ("slot", "smallint not null", "Which of the two HNSW indexes it is in; a new model is built in the other one."),
        ("sha256", "text not null", "Of the photo's bytes: another content is embedded again."),
        ("embedded_at", "timestamptz not null", "When it was embedded."),
        ("embedding", "halfvec(512) not null", "512 numbers of length 1 (`real[]` on a server without pgvector)."),
    ),
    {"n": ["originals.n"], "sha256": ["originals.sha256"], "embedding": ["originals.key"]},
)

RAW_STORES = Table(
    "staging",
    "raw_stores",
    (
        ("id", "integer not null", "Our own number."),
        ("brand", "varchar(50) not null", "The brand's key; the partition."),
        ("store_id", "integer not null", "The shop's id, one of `DUBAI_<BRAND>_STORES`."),
        ("name", "text", "As the finder tells it; Zara's shops have none, and are called by the brand and their mall."),
        ("address", "text", "Its address lines."),
        ("mall_name", "text", "The mall, where the address names one."),
        ("city", "varchar(100)", "Dubai."),
        ("country", "varchar(10)", "AE."),
        ("latitude", "numeric(10,7)", "Degrees."),
        ("longitude", "numeric(10,7)", "Degrees."),
        ("created_at", "timestamptz", "When it was first found."),
        ("seen_at", "timestamptz", "When the finder named it last."),
    ),
)

RAW_AVAILABILITY = Table(
    "staging",
    "raw_availability",
    (
        ("id", "bigint not null", "Our own number."),
        ("brand", "varchar(50) not null", "The brand's key."),
        ("store_id", "integer not null", "The shop, as in `raw_stores`."),
        ("product_id", "varchar(100) not null", "The product's external_id."),
        ("sizes_in_stock", "jsonb not null", "Names of the sizes in stock, [] for none. Unknown stock is no row."),
        ("fetched_at", "timestamptz not null", "When it was last asked; one row a shop, product and UTC day."),
        ("created_at", "timestamptz", "When the day's first answer came."),
    ),
    {
        "store_id": ["raw_stores.store_id"],
        "product_id": ["raw_products.external_id"],
        "sizes_in_stock": ["raw_products.raw_data"],  # which colours and sizes are asked for
    },
)
