"""The database as it was deployed: what migrations keep, and what the deployed services' statements still do.

The schema and statements are this project's own description of them, and word for word those beside the project where
they lie there.
"""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog_tests.support import deployed
from unde_catalog_tests.support.servers import REAL_DATA, Server

TABLES = ("raw_products", "raw_availability", "raw_stores", "scraper_logs")
PRODUCT = "512913640"
URL = f"{deployed.BUCKET_URL}/originals/zara/{PRODUCT}/1.jpg"
# (role, statement): what each service sends.
STATEMENTS = [
    (
        "apify",
        "INSERT INTO raw_products (source, external_id, brand, name, price, currency, category, colour, sizes,"
        " composition, description, original_image_urls, image_status, raw_data, scraped_at) VALUES ('apify_zara',"
        f" '{PRODUCT}', 'zara', 'BLAZER', 699.00, 'AED', 'woman', 'Black', '\"XS, S\"', '{{}}', 'A blazer',"
        " '[\"https://static.zara.net/1.jpg\"]', 'pending', '{}', NOW()) ON CONFLICT (source, external_id) DO UPDATE"
        " SET name = EXCLUDED.name, price = EXCLUDED.price, original_image_urls = EXCLUDED.original_image_urls,"
        " raw_data = EXCLUDED.raw_data, scraped_at = EXCLUDED.scraped_at, updated_at = NOW()",
    ),
    (
        "downloader",
        "SELECT id, external_id, brand, original_image_urls FROM raw_products WHERE image_status = 'pending' LIMIT 200",
    ),
    (
        "downloader",
        f"UPDATE raw_products SET image_urls = '[\"{URL}\"]', image_status = 'uploaded', updated_at = NOW()"
        f" WHERE external_id = '{PRODUCT}'",
    ),
    (
        "downloader",
        "UPDATE raw_products SET image_status = 'error', error_message = 'TimeoutError', updated_at = NOW()"
        f" WHERE external_id = '{PRODUCT}'",
    ),
    (
        "ximilar",
        "SELECT id, external_id, brand, name, category, price, image_urls, ximilar_synced_urls, ximilar_target_count"
        " FROM raw_products WHERE image_status IN ('uploaded', 'collage_ready')"
        " AND ximilar_status IN ('pending', 'partial') AND index_scope = 'pilot' LIMIT 1000",
    ),
    (
        "ximilar",
        f"UPDATE raw_products SET ximilar_status = 'synced', ximilar_synced_urls = '[\"{URL}\"]',"
        f" ximilar_synced_at = NOW() WHERE external_id = '{PRODUCT}'",
    ),
    (
        "ximilar",
        f"UPDATE raw_products SET ximilar_status = 'error', error_message = '503' WHERE external_id = '{PRODUCT}'",
    ),
    (
        "collage",
        f"SELECT id, external_id, brand, image_urls FROM raw_products WHERE external_id = '{PRODUCT}'"
        " AND image_status = 'uploaded'",
    ),
    (
        "collage",
        f"UPDATE raw_products SET collage_url = '{deployed.BUCKET_URL}/collages/zara/{PRODUCT}.jpg',"
        f" image_status = 'collage_ready', updated_at = NOW() WHERE external_id = '{PRODUCT}'",
    ),
]


def in_words(name: str) -> str:
    """A file that lies beside the project."""
    file = REAL_DATA / "deployed" / name
    if not file.is_file():
        pytest.skip(f"there is no {file}: this test wants the schema and the statements as they were deployed")
    return file.read_text()


def statements_in(text: str) -> list[tuple[str, str]]:
    """(role, statement) of a file that names the role before its statements."""
    found, role = [], ""
    for part in re.split(r"^(-- role \w+)\n", text, flags=re.MULTILINE)[1:]:
        if part.startswith("-- role "):
            role = part.removeprefix("-- role ").strip()
        else:
            found += [(role, one.strip()) for one in re.split(r";\s*(?:\n|$)", part) if one.strip()]
    return found


@pytest.fixture(params=["described", "word for word"])
def system(request: pytest.FixtureRequest) -> tuple[str, list[tuple[str, str]]]:
    """Schema and statements."""
    if request.param == "described":
        return deployed.SCHEMA, STATEMENTS
    return in_words("staging.sql"), statements_in(in_words("services.sql"))


@pytest.fixture
def url(each_server: Server, system: tuple[str, list[tuple[str, str]]]) -> Iterator[str]:
    """A deployed database with a row of each status."""
    url = each_server.new_database(migrated=False)
    made = deployed.make_products(60, 40)
    deployed.fill_database(url, made, "http://photos.example", system[0])
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO raw_stores (brand, store_id, name) VALUES ('zara', 7, 'Mall')")
        connection.execute(
            "INSERT INTO raw_availability (brand, store_id, product_id, sizes_in_stock, fetched_at)"
            " VALUES ('zara', 7, '500000000', '[\"S\"]', '2026-11-01T10:00:00Z')"
        )
        connection.execute(
            "INSERT INTO scraper_logs (scraper_name, status, started_at) VALUES ('apify_zara', 'success', now())"
        )
    yield url
    each_server.drop(url)


def contract(url: str) -> dict[str, Any]:
    """What other systems rely on: columns with types and defaults, constraints, indexes, the function, all rows."""
    with psycopg.connect(url) as connection:

        def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode(), values).fetchall()

        columns = rows(
            "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,"
            " is_nullable, column_default FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = ANY(%s)",
            list(TABLES),
        )
        indexes = rows(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s)",
            list(TABLES),
        )
        names = [row[1] for row in columns if row[0] == "raw_products"]
        return {
            "columns": {row[:2]: row[2:] for row in columns},
            "indexes": dict(indexes),
            "function": rows(
                "SELECT proargnames, provolatile, pg_get_function_result(oid) FROM pg_proc"
                " WHERE proname = 'to_date_immutable'"
            ),
            "products": {
                name: rows(f"SELECT p.id, p.{name}::text FROM raw_products p ORDER BY p.id") for name in names
            },
            **{table: rows(f"SELECT t.id, t::text FROM {table} t ORDER BY t.id") for table in TABLES[1:]},
        }


def test_migrations_keep_names_types_indexes_and_rows(url: str) -> None:
    before = contract(url)
    assert STAGING.upgrade(url)[-1] == STAGING.newest_revision()
    after = contract(url)
    for part in ("columns", "indexes", "products"):
        assert {name: after[part].get(name) for name in before[part]} == before[part]
    assert after["function"] == before["function"] and before["function"][0][0] == ["ts"]
    assert [row[0] for table in TABLES[1:] for row in after[table]] == [
        row[0] for table in TABLES[1:] for row in before[table]
    ]
    defined = [re.sub(r"INDEX \w+ ON", "INDEX ON", text) for text in after["indexes"].values()]
    assert len(set(defined)) == len(defined), "two indexes on the same columns"
    assert STAGING.upgrade(url) == []


def test_a_deployed_service_may_send_its_statements(url: str, system: tuple[str, list[tuple[str, str]]]) -> None:
    STAGING.upgrade(url)
    sent = 0
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for role, statement in system[1]:
            with connection.transaction():
                connection.execute(f"SET LOCAL ROLE {role}".encode())
                connection.execute(statement.encode())
            sent += 1
    assert sent == 9


def test_what_a_service_writes_is_due_or_done_at_once(url: str, system: tuple[str, list[tuple[str, str]]]) -> None:
    STAGING.upgrade(url)
    apify, _, uploaded, failed, _, synced, refused, _, collage = (statement for _, statement in system[1])
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:

        def send(statement: str) -> set[str]:
            connection.execute(statement.encode())
            rows = connection.execute(
                "SELECT w.stage FROM due_work w JOIN raw_products p ON p.id = w.product_id"
                " WHERE p.external_id = %s AND w.due_at IS NOT NULL", (PRODUCT,)
            )  # fmt: skip
            return {row[0] for row in rows} - {"production_catalog"}

        assert send(apify) == {"originals"}
        assert send(f"UPDATE raw_products SET index_scope = 'pilot' WHERE external_id = '{PRODUCT}'") == {"originals"}
        assert send(uploaded) == {"adoption", "collages", "ximilar_index", "visual_index"}
        assert "originals" not in send(collage) and "collages" not in send(collage)
        connection.execute("UPDATE due_work SET due_at = NULL")
        assert send(synced) == {"ximilar_index"}  # finds its record, and sends nothing
        connection.execute("UPDATE due_work SET due_at = NULL")
        assert "ximilar_index" in send(refused)
        connection.execute("UPDATE due_work SET due_at = NULL")
        assert "originals" in send(failed)
