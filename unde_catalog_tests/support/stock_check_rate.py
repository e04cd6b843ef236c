"""Assertions about the checks that worker processes recorded in simulated time (`minute_workers.py`)."""

from datetime import timedelta

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.due import execute
from unde_catalog_tests.support.minute_workers import BEGIN, MINUTE, WorkerGroup

# The work of a minute is done at its end, so that minute 1 is the first.
_NUMBERED = f"(SELECT product_id, extract(epoch FROM at - '{BEGIN.isoformat()}')::int / 60 - 1 AS minute FROM checked)"


def assert_one_check_per_interval(db: Database, products: int, interval: timedelta, intervals: int) -> None:
    """Every product was checked once per interval, and every check counted."""
    each = (
        f"SELECT product_id, minute / {interval // MINUTE} AS n, count(*) AS times FROM {_NUMBERED} AS c GROUP BY 1, 2"
    )
    assert execute(
        db, f"SELECT n, min(times) AS least, max(times) AS most, count(*) AS products FROM ({each}) AS t"
            " GROUP BY n ORDER BY n"
    ) == [{"n": n, "least": 1, "most": 1, "products": products} for n in range(intervals)]  # fmt: skip
    counts = "SELECT (SELECT count(*) FROM checked) AS checked, (SELECT count(*) FROM counted) AS counted"
    assert execute(db, counts) == [{"checked": products * intervals, "counted": products * intervals}]


def assert_even_minutes(db: Database, products: int, interval: timedelta, intervals: int) -> None:
    """Every minute has its share of products, within a tenth, from the first interval on."""
    minutes = interval // MINUTE * intervals
    loads = execute(db, f"SELECT minute, count(*) AS products FROM {_NUMBERED} AS c GROUP BY minute ORDER BY minute")
    assert [row["minute"] for row in loads] == list(range(minutes))
    share = products / (interval / MINUTE)
    uneven = [row for row in loads if abs(row["products"] - share) > share / 10]
    assert not uneven, f"the share is {share:g}: {uneven}"


def assert_only_timing_changed(
    db: Database, workers: WorkerGroup, products: int, interval: timedelta, intervals: int
) -> None:
    """Kills lost no check and skipped no interval. Only products leased by killed workers were checked twice.

    Those were checked late and have moved in their interval, so that the last check of some falls behind the end.
    """
    counted = "SELECT product_id, count(*) AS times FROM counted GROUP BY product_id"
    rows = execute(db, f"SELECT times, count(*) AS products FROM ({counted}) AS t GROUP BY times")
    by_times = {row["times"]: row["products"] for row in rows}
    assert by_times.keys() <= {intervals - 1, intervals} and sum(by_times.values()) == products
    assert by_times[intervals] > 0.9 * products, by_times
    uncounted = execute(
        db,
        "SELECT worker FROM checked c"
        " WHERE NOT EXISTS (SELECT 1 FROM counted d WHERE (d.product_id, d.token) = (c.product_id, c.token))",
    )
    assert uncounted
    assert {row["worker"] for row in uncounted} <= set(workers.killed)
    waits = "SELECT at - lag(at) OVER (PARTITION BY product_id ORDER BY at) AS wait FROM counted"
    assert execute(db, f"SELECT max(wait) AS wait FROM ({waits}) AS t")[0]["wait"] < 2 * interval
    assert execute(db, "SELECT 1 FROM due_work WHERE stage = 'availability' AND due_at IS NULL") == []
