"""The publish gate: a brand's figures, and a faulty brand that stays unchanged while others are published."""

import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from unde_catalog.backends import Backends
from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog import publish_gate
from unde_catalog.stages.production_catalog.product_rules import violations
from unde_catalog.stages.production_catalog.publish import candidate
from unde_catalog.stages.run import run_stage
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.products import price_releases
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.publishing import (
    add_good,
    assert_idle,
    on_sale,
    publish,
    published_rows,
    statuses,
    stop_message,
)
from unde_catalog_tests.support.servers import Sandbox


@pytest.mark.parametrize("currencies", [("AED",), ()], ids=["one currency", "any currency"])
def test_the_sql_figures_match_the_product_rules(
    db: Database, production: Database, currencies: tuple[str, ...]
) -> None:
    combinations = itertools.product(
        (None, "-1", "0", "4.99", "9.99", "10", "1000", "1000.01"), (None, "AED", "USD", "XXX"),
        (None, " \t\n", "SHIRT"), (None, "", "woman"), (None, [], ["u"], {}), (0, 21.01), (None, "100"),
    )  # fmt: skip
    names = ("price", "currency", "name", "category", "photos", "age", "former")
    rows = [dict(zip(names, one, strict=True)) for one in combinations]
    execute(
        db,
        """
        INSERT INTO raw_products (source, external_id, brand, scraped_at, image_status, price, currency, name, category,
                                  image_urls, published_price, published_currency)
        SELECT 'apify_zara', n, 'zara', now() - (one->>'age')::float * interval '1 day', 'uploaded',
               (one->>'price')::numeric, one->>'currency', one->>'name', one->>'category',
               nullif(one->'photos', 'null'), (one->>'former')::numeric, 'AED'
        FROM jsonb_array_elements(%s) WITH ORDINALITY AS r (one, n)
        """,
        json.dumps(rows),
    )
    limits = PublishFields(publish_currencies=currencies)
    figures = publish_gate.load_figures("zara", db, production, limits)
    ids = [row["id"] for row in execute(db, "SELECT id FROM raw_products")]
    violated = [list(violations(candidate(one), limits)) for one in db.run(publishing.load, ids)]
    assert figures.candidates == len(violated) == len(rows)
    assert figures.failing == sum(bool(one) for one in violated)
    assert figures.reasons == Counter(rule.reason for one in violated for rule in one)
    assert set(figures.reasons) == {
        "price_missing", "price_implausible", "price_unusual", "currency_unknown", "name_missing", "category_missing",
        "photo_missing", "not_seen",
    }  # fmt: skip


def test_products_without_photos_yet_are_not_counted(db: Database, production: Database) -> None:
    add_good(db, 10)
    execute(
        db,
        "INSERT INTO raw_products (source, external_id, brand, scraped_at)"
        " SELECT 'apify_zara', 1000 + n, 'zara', now() FROM generate_series(1, 50) AS n",
    )
    figures = publish_gate.load_figures("zara", db, production, PublishFields())
    assert (figures.candidates, figures.failing, figures.active) == (10, 0, 60)
    assert publish(db, production).done == 10


def test_a_brand_with_shifted_prices_is_not_published_and_others_are(db: Database, production: Database) -> None:
    add_good(db, 20, "zara")
    add_good(db, 20, "oysho")
    for brand in ("zara", "oysho"):
        publish(db, production, brand)
    execute(db, "UPDATE raw_products SET price = price * 100 WHERE brand = 'zara'")
    execute(db, "UPDATE raw_products SET price = price * 0.7 WHERE brand = 'oysho'")
    message = stop_message(db, production)
    assert message.startswith("production_catalog of zara stopped: zara is not published; production keeps what was")
    assert (
        "prices_in_line: the median of 20 prices is 100 times the published price; the limit is a factor of 3"
        in message
    )
    assert publish(db, production, "oysho").counts == {"changed": 20}
    assert {row["price"] for row in published_rows(production).values()} == {Decimal(100)}
    assert {row["price"] for row in published_rows(production, "oysho").values()} == {Decimal(70)}
    assert statuses(db) == {"pending": 20}
    assert_idle(db, production)
    execute(db, "UPDATE raw_products SET price = price / 100 WHERE brand = 'zara'")  # the source is fixed
    assert publish(db, production).counts == {"unchanged": 20}
    assert statuses(db) == {"synced": 20}


def test_too_many_failing_products_close_the_gate_for_all(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = NULL WHERE id = ANY(%s)", ids[:7])
    assert "products_verify: 7 of 20 products fail validation, 7 of them with price_missing" in stop_message(
        db, production
    )
    assert "products_verify" in stop_message(db, production, product_ids=("20",), force=True)
    assert len(on_sale(production)) == 20
    assert publish(db, production, limits=PublishFields(publish_max_failing_share=0.5)).counts == {
        "hidden": 7, "unchanged": 1,  # the forced product stayed due
    }  # fmt: skip


def test_a_brand_never_loses_most_of_its_products_at_once(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET active = false WHERE id = ANY(%s)", ids[:11])
    assert "enough_products: 9 products would be on sale, 20 are now; the minimum is 50%" in stop_message(
        db, production
    )
    assert len(on_sale(production)) == 20
    execute(db, "UPDATE raw_products SET active = true WHERE id = %s", ids[0])
    assert publish(db, production).counts == {"left": 10, "unchanged": 1}


def test_first_prices_of_a_hundredth_are_held_back_until_released(db: Database, production: Database) -> None:
    ids = add_good(db, 20, price="2.99")
    message = stop_message(db, production)
    assert "products_verify: 20 of 20 products fail validation, 20 of them with price_unusual" in message
    assert on_sale(production) == set()
    assert db.run(price_releases.release, "zara", ["1"], "a clearance", "anna@desk") == ["1"]
    assert "19 of 20 products fail" in stop_message(db, production)
    assert len(db.run(price_releases.release, "zara", None, "a clearance", "anna@desk")) == 20
    assert publish(db, production).done == 20
    trail = execute(db, "SELECT DISTINCT why, released_by FROM price_releases")
    assert trail == [{"why": "a clearance", "released_by": "anna@desk"}]
    # A released price counts once: the next wrong one is held back again.
    execute(db, "UPDATE raw_products SET price = price * 100 WHERE id = %s", ids[0])
    assert dict(publish(db, production).given_up) == {"price_implausible": 1}


def test_first_prices_are_compared_with_those_of_other_brands(db: Database, production: Database) -> None:
    add_good(db, 20, "oysho", price="150.00")
    publish(db, production, "oysho")
    add_good(db, 20, price="9.90")
    message = stop_message(db, production)
    assert (
        "prices_in_line: the median of 20 first prices is 9.90, that of other brands' published prices 150.00"
        in message
    )
    db.run(price_releases.release, "zara", None, "an outlet", "anna@desk")
    assert publish(db, production).done == 20


def test_a_change_of_unit_is_published_once_it_is_released(db: Database, production: Database) -> None:
    add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = price * 20")
    assert "prices_in_line" in stop_message(db, production)
    db.run(price_releases.release, "zara", None, "a new currency", "anna@desk")
    assert publish(db, production).counts == {"changed": 20}


def test_a_sale_on_part_of_a_brand_is_no_change_of_unit(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = price * 0.3 WHERE id = ANY(%s)", ids[:12])
    assert publish(db, production).counts == {"changed": 12}
    execute(db, "UPDATE raw_products SET price = price * 3.67 WHERE id = ANY(%s)", ids[:18])
    assert "prices_in_line" in stop_message(db, production)


def test_a_partial_scrape_closes_the_gate_until_a_complete_one(db: Database, production: Database) -> None:
    add_good(db, 20)
    scrape = (
        "INSERT INTO scrapes (brand, state, reason, seen, started_at, finished_at) VALUES ('zara', %s, %s, %s, now(),"
        " now())"
    )
    execute(db, scrape, "partial", "too_few_products", 4)
    assert "scrape_was_whole: the last scrape saw 4 of 20 active products: check its run" in stop_message(
        db, production
    )
    execute(db, scrape, "failed", "abandoned", 0)
    assert "scrape_was_whole" in stop_message(db, production)
    execute(db, scrape, "complete", None, 20)
    assert publish(db, production).done == 20


def test_a_brand_is_not_published_while_a_scrape_is_merged(db: Database, production: Database) -> None:
    add_good(db, 3)
    execute(
        db,
        "INSERT INTO scrapes (brand, state, read_to, leased_until, started_at)"
        " VALUES ('zara', 'running', 500, now() + interval '1 minute', now())",
    )
    report = publish(db, production)
    assert (report.done, report.note) == (0, "a scrape of this brand is being merged: the next run publishes it")
    execute(db, "UPDATE scrapes SET leased_until = now() - interval '1 second'")
    assert publish(db, production).done == 3


@pytest.mark.slow
def test_all_stages_carry_two_scrapes_through_to_production(
    sandbox: Sandbox,
    configured: Callable[..., dict[str, str]],
    production_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured(sandbox, PRODUCTION_DB_URL=production_url)
    log = logging.getLogger("test")
    with Backends(load_settings()) as backends:

        def run(stage: str, brand: str, **options: object) -> dict[str, int]:
            return dict(run_stage(stage, StageRun(brand, backends, RunOptions(**options), log)).counts)  # type: ignore[arg-type]

        production = backends.production
        assert production is not None
        for brand in ("zara", "oysho"):
            for stage in ("raw_products", "originals", "collages"):
                run(stage, brand)
            assert run("production_catalog", brand)["new"] >= 19  # one sandbox product has no price
        first = published_rows(production)
        ids = sorted(first)
        assert all(row["collage_url"] and row["image_urls"] for row in first.values())
        prices = {key: int(row["price"] * 100) for key, row in first.items()}
        sandbox.control(
            brand="zara", drop=ids[:2], price={ids[2]: prices[ids[2]] - 1000, ids[3]: 0}, photos={ids[4]: "v2"}
        )
        oysho = published_rows(production, "oysho")
        sandbox.control(brand="oysho", price={key: int(row["price"] * 10_000) for key, row in oysho.items()})
        for brand in ("zara", "oysho"):
            for stage in ("raw_products", "originals", "collages"):
                run(stage, brand, force=stage == "raw_products")
        with pytest.raises(StageStopped, match="oysho is not published.*prices_in_line"):
            run("production_catalog", "oysho")
        assert run("production_catalog", "zara") == {"changed": 1, "unchanged": 1, "hidden": 1, "left": 2}
        second = published_rows(production)
        assert [second[key]["inactive_reason"] for key in ids[:4]] == [
            "left_the_shop", "left_the_shop", None, "price_missing",
        ]  # fmt: skip
        assert second[ids[2]]["price"] == first[ids[2]]["price"] - 10
        assert published_rows(production, "oysho") == oysho
        sandbox.control(brand="zara", restore=ids[:2], price={ids[3]: prices[ids[3]]})
        run("raw_products", "zara", force=True)
        assert run("production_catalog", "zara") == {"changed": 3}
        assert on_sale(production) == set(first)
        rows = execute(
            backends.db, "SELECT scraper_name, status FROM scraper_logs WHERE scraper_name LIKE 'production%%'"
        )
        assert Counter((row["scraper_name"], row["status"]) for row in rows) == {
            ("production_catalog_zara", "success"): 3, ("production_catalog_oysho", "success"): 1,
            ("production_catalog_oysho", "error"): 1,
        }  # fmt: skip


def test_without_a_production_database_the_note_names_the_setting(backends: Backends) -> None:
    report = run_stage("production_catalog", StageRun("zara", backends, RunOptions(), logging.getLogger("test")))
    assert (report.note, report.done) == ("not configured: set PRODUCTION_DB_URL", 0)


def test_the_price_shift_counts_published_products_only(db: Database, production: Database) -> None:
    ids = add_good(db, 20)
    publish(db, production)
    execute(db, "UPDATE raw_products SET price = 250 WHERE id = ANY(%s)", ids[:12])
    execute(db, "UPDATE raw_products SET published_currency = 'USD' WHERE id = %s", ids[0])
    figures = publish_gate.load_figures("zara", db, production, PublishFields())
    assert (figures.compared, figures.price_shift) == (19, Decimal("2.5"))
    assert figures.published == 20
    assert timedelta(0) < db.run(publishing.load, ids[:1])[0].unseen_for
