"""The result of a trial (rows, objects and requests), for comparing two trials. Every exception has its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import urlsplit

from unde_catalog_tests.torture.trial_system import TrialSystem

_PRODUCT: LiteralString = "(SELECT p.brand || '/' || p.external_id FROM raw_products p WHERE p.id = t.product_id)"
_SCRAPE: LiteralString = (
    "(SELECT count(*) FROM scrapes s WHERE s.brand = t.brand AND s.state = 'complete' AND s.id <= {})"
)

# table -> (name of a row, what is compared in addition to the columns, columns that may differ)
_TABLES: dict[str, tuple[LiteralString, LiteralString, str]] = {
    # ids have gaps after a lost transaction; the others are times
    "raw_products": (
        "t.brand || '/' || t.external_id", _SCRAPE.format("t.last_scrape_id"),
        "id last_scrape_id scraped_at created_at updated_at",
    ),
    "product_words": (_PRODUCT, "''", "product_id"),
    "product_photos": (f"{_PRODUCT} || ' ' || t.n", "''", "product_id fetched_at"),
    "product_collages": (_PRODUCT, "''", "product_id made_at"),
    # wanted and taken count changes, and a photo whose row was lost counts twice
    "due_work": (
        f"{_PRODUCT} || ' ' || t.stage", "t.due_at IS NULL",
        "product_id wanted taken done_at due_at failing_since forced_at asked_by leased_until",
    ),
    "price_history": (
        f"{_PRODUCT} || ' ' || (SELECT count(*) FROM price_history h WHERE h.product_id = t.product_id"
        " AND h.seen_at <= t.seen_at)", "''", "product_id seen_at",
    ),
    # an item that is read again counts as repeated if its product was merged already
    "scrapes": (
        f"t.brand || ' ' || {_SCRAPE.format('t.id')}", "t.counts - 'repeated'",
        "id apify_run_id dataset_id asked_by started_at finished_at leased_until counts",
    ),
    "rejected_items": (
        f"t.brand || ' ' || {_SCRAPE.format('t.scrape_id')} || ' ' || t.position", "''", "id scrape_id created_at",
    ),
    "raw_availability": ("t.product_id", "''", "id created_at"),
    "raw_stores": ("t.brand || t.store_id", "''", "id created_at"),
    "alembic_version": ("''", "''", ""),
    "photo_intents": (f"{_PRODUCT} || ' ' || t.n", "''", ""),
    "scraped_items": ("t.external_id", "''", ""),
    "ximilar_records": ("t.record_id", "''", "product_id intended_at inserted_at"),
    "ximilar_credits": ("t.day::text", "''", ""),
    "product_embeddings": (f"{_PRODUCT} || ' ' || t.n || ' ' || t.model", "''", "product_id embedded_at"),
    "embedding_models": ("t.model", "''", "began_at serving_since"),
    "pauses": ("t.brand || t.stage", "''", ""),
    "outside_writes": ("t.brand || t.stage", "''", "minute"),
    "ximilar_listing": ("t.record_id", "''", "listed_at"),
    "revoked_rights": ("t.role || t.table_name || t.privilege", "''", "revoked_at"),
}  # fmt: skip
_MANIFESTS = "manifests/"  # one per Dagster run, and there were more runs
_NOT_COMPARED = {
    "scraper_logs",  # there were more runs
    *("ximilar_pace", "host_pace", "host_holds"),  # times
    *("object_checks", "stored_objects", "object_findings"),  # written by no stage, ...
    *("catalog_days", "notices", "notice_causes", "notice_failures"),  # ... nor these, ...
    *("user_media_requests", "user_media_photos"),  # ... nor these, which belong to user media, ...
    *("api_keys", "webhook_deliveries", "price_releases"),  # ... nor these, which people and other systems write
}


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Rows by table and name, SHA-256 of objects by key, photo requests by path, and the number of Apify runs."""

    rows: Mapping[tuple[str, str], Any]
    objects: Mapping[str, str]
    requests: Counter[str]
    starts: int


def read_result(system: TrialSystem) -> TrialResult:
    """Read the result of a trial."""
    requests = Counter(_photo(line) for line in system.sandbox.log("photo"))
    objects = {key: digest for key, digest in system.stored().items() if not key.startswith(_MANIFESTS)}
    return TrialResult(_rows(system), objects, requests, len(system.sandbox.log("apify.start")))


def differences(expected: TrialResult, found: TrialResult) -> list[str]:
    """The differences from the undisturbed trial, one sentence each."""
    findings = [
        f"{table} {name}: {found.rows.get((table, name))} instead of {expected.rows.get((table, name))}"
        for table, name in sorted(expected.rows.keys() | found.rows.keys())
        if expected.rows.get((table, name)) != found.rows.get((table, name))
    ]
    findings += [
        f"object {key}: {found.objects.get(key)} instead of {expected.objects.get(key)}"
        for key in sorted(expected.objects.keys() | found.objects.keys())
        if expected.objects.get(key) != found.objects.get(key)
    ]
    if expected.starts != found.starts:
        findings.append(f"{found.starts} Apify runs were paid for instead of {expected.starts}")
    return findings


def unfinished_work(system: TrialSystem) -> list[str]:
    """What must not exist when all work is done: due or leased work, intents, staged items, photos set aside."""
    queries = {
        "{} rows of due_work are due": "SELECT count(*) AS n FROM due_work WHERE due_at IS NOT NULL"
        " AND stage NOT IN ('ximilar_index', 'visual_index', 'production_catalog')",
        "{} rows of due_work are leased": "SELECT count(*) AS n FROM due_work WHERE lease_token IS NOT NULL",
        "{} photo_intents are left": "SELECT count(*) AS n FROM photo_intents",
        "{} scraped_items are left": "SELECT count(*) AS n FROM scraped_items",
    }
    counts = {sentence: system.query(sql)[0]["n"] for sentence, sql in queries.items()}
    findings = [sentence.format(count) for sentence, count in counts.items() if count]
    return findings + [f"{key} is left" for key in system.stored() if "/aside-" in key]


def repeated_requests(system: TrialSystem, hashes: Mapping[str, tuple[str, str]]) -> list[str]:
    """Photos that were requested although they were stored before the command began, or twice by one command.

    `hashes`: URL path -> (product's folder, SHA-256 of the stored photo).
    """
    findings = []
    downloaded: set[tuple[int, str]] = set()
    for line in system.sandbox.log("photo"):
        address = _photo(line)
        number = sum(one.began <= line["time"] for one in system.invocations) - 1
        if hashes.get(address) in system.invocations[number].stored:
            findings.append(f"{address} was requested although it was stored")
        if (number, address) in downloaded:
            findings.append(f"{address} was requested twice by one command")
        if line["status"] == 200:
            downloaded.add((number, address))
    return findings


def stored_photos(system: TrialSystem) -> dict[str, tuple[str, str]]:
    """The photos that rows record as stored: URL path -> (product's folder, SHA-256)."""
    rows = system.query(
        "SELECT f.source_url, p.brand || '/' || p.external_id AS folder, f.sha256"
        " FROM product_photos f JOIN raw_products p ON p.id = f.product_id WHERE f.state = 'stored'"
    )
    return {_address(row["source_url"]): (row["folder"], row["sha256"]) for row in rows}


def _rows(system: TrialSystem) -> dict[tuple[str, str], Any]:
    tables = {
        row["table_name"]
        for row in system.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    }
    unknown = tables - _TABLES.keys() - _NOT_COMPARED
    assert not unknown, f"define how to compare {', '.join(unknown)}"
    found = {}
    for table, (name, beside, may_differ) in _TABLES.items():
        columns = "{" + ",".join(may_differ.split()) + "}"
        rows = system.query(
            f"SELECT {name} AS name, {beside} AS beside,"
            f" replace((to_jsonb(t) - '{columns}'::text[])::text, '{system.sandbox.url}', '') AS row FROM {table} t"
        )
        for row in rows:
            name = row["name"]
            while (table, name) in found:  # a duplicate, such as a scrape that was paid for twice
                name += " again"
            found[table, name] = (row["row"], row["beside"])
    return found


def _photo(line: Mapping[str, Any]) -> str:
    return f"{line['path']}?{line['query']}"


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
