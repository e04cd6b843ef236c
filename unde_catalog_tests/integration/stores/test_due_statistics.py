"""The figures of recurring work, in SQL and as `status` shows them."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta

from unde_catalog.cli import status as reading
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import spreading, work_queue
from unde_catalog.stores.staging.due_work.statistics import DueFigures, alarms, figures
from unde_catalog.stores.staging.due_work.work_queue import LeaseOutcome
from unde_catalog_tests.support.due import BRAND, LEASE, add_products, execute
from unde_catalog_tests.support.servers import Sandbox
from unde_catalog_tests.torture.trial_system import PROGRAM

STAGE = "availability"
HOUR = timedelta(hours=1)


def figures_of(db: Database) -> DueFigures:
    return db.run(figures, STAGE, BRAND, HOUR)


def test_never_checked_products_count_until_they_have_a_slot(each_db: Database) -> None:
    add_products(each_db, 120)
    add_products(each_db, 5, active=False, first=1_000)
    add_products(each_db, 7, "oysho")
    found = figures_of(each_db)
    assert (found.active, found.never_checked, found.in_time) == (120, 120, 0.0)
    spreading.spread(each_db, STAGE, BRAND, HOUR)
    found = figures_of(each_db)
    assert (found.active, found.never_checked, found.due, found.oldest_due, found.in_time) == (120, 0, 0, 0.0, 1.0)
    assert (found.share, found.fullest, found.emptiest) == (2.0, 2, 2)


def test_each_product_is_counted_in_its_state(each_db: Database) -> None:
    products = add_products(each_db, 6)
    spreading.spread(each_db, STAGE, BRAND, HOUR)
    late = "UPDATE due_work SET due_at = unde_now() - %s * interval '1 minute' WHERE stage = %s AND product_id = %s"
    for minutes, product in zip((2, 10, 11, 12, 90), products, strict=False):
        execute(each_db, late, minutes, STAGE, product)
    oldest = each_db.run(work_queue.take, STAGE, BRAND, 3, LEASE)
    kinds = [("given_up", "broken"), ("done", None)]
    outcomes = [LeaseOutcome(lease, kind, why) for lease, (kind, why) in zip(oldest, kinds, strict=False)]  # type: ignore[arg-type]
    each_db.run(work_queue.finish, STAGE, outcomes, HOUR)
    found = figures_of(each_db)
    assert (found.active, found.given_up, found.never_checked) == (6, 1, 0)
    assert (found.due, found.in_hand, found.checked_last_hour) == (2, 1, 1)
    assert 600 <= found.oldest_due < 1_200  # the leased one is not checked yet
    assert found.in_time == 0.6  # two of the five with a slot are too late


def test_status_shows_figures_and_alarms_of_recurring_work(
    db: Database, sandbox: Sandbox, configured: Callable[..., dict[str, str]]
) -> None:
    add_products(db, 150)
    configured(sandbox, DUBAI_ZARA_STORES="1,2", ZARA_STOCK_API_URL="http://127.0.0.1:1")
    output = subprocess.run(
        [PROGRAM, "status", "--json"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    state = json.loads(output)
    stage = state["brands"]["zara"][STAGE]
    assert stage["checks"]["never_checked"] == 150 and stage["checks"]["interval"] == 3600.0
    assert stage["alarms"] == alarms(figures_of(db)) and len(stage["alarms"]) == 1
    shown = reading.status_view(state).plain
    assert "0.0% on time, 0 checked within the last hour, 150 never checked; 0 to 0 per minute, average 0" in shown
    assert stage["alarms"][0] in shown
