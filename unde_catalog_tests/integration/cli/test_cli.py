"""`unde-catalog` as a process, with the sandbox as the outside world."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unde_catalog.stores.db.database import Database
from unde_catalog_tests.support.servers import Sandbox

PROGRAM = str(Path(sys.executable).parent / "unde-catalog")


@pytest.fixture
def cli(sandbox: Sandbox, configured: Callable[..., dict[str, str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `unde-catalog ...` as a process of its own, against the test's sandbox and database."""
    configured(sandbox)

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PROGRAM, *arguments], env={**os.environ, **extra}, capture_output=True, text=True)

    return run


def test_status_counts_by_brand_stage_and_status(cli, db: Database) -> None:
    assert cli("run", "raw_products", "--brand", "zara").returncode == 0
    assert cli("run", "originals", "--brand", "zara", "--limit", "4").returncode == 0
    done = cli("status", "--json")
    assert done.returncode == 0, done.stderr
    brands = json.loads(done.stdout)["brands"]
    assert set(brands) == {"zara", "bershka", "pullandbear", "stradivarius", "massimodutti", "oysho", "bakai"}
    assert brands["zara"]["raw_products"]["active"] == 20
    assert {name: brands["zara"]["originals"][name] for name in ("done", "due", "given_up")} == {
        "done": 4, "due": 16, "given_up": 0,
    }  # fmt: skip
    assert brands["zara"]["image_status"] == {"pending": 16, "uploaded": 4}
    assert brands["oysho"]["originals"]["done"] == 0
    table = cli("status").stdout
    assert "4 done, 16 due" in table
    assert "last scrape complete, 20 active" in table


@pytest.mark.slow
def test_show_prints_everything_about_one_product(cli, db: Database) -> None:
    for stage in ("raw_products", "originals", "collages"):
        assert cli("run", stage, "--brand", "oysho").returncode == 0
    with db.transaction() as cursor:
        cursor.execute("SELECT external_id, name FROM raw_products ORDER BY id LIMIT 1")
        product = cursor.fetchone()
    assert product is not None
    shown = cli("show", f"oysho/{product['external_id']}").stdout
    key = f"originals/oysho/{product['external_id']}/1.jpg"
    for fact in (product["name"], "collage_ready", key, "stage originals: done", "collages_oysho  success", "sha256"):
        assert fact in shown
    Path(os.environ["UNDE_HOME"], "objects", key).unlink()
    assert "missing" in cli("show", f"oysho/{product['external_id']}").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "zara"), "'zara' is not BRAND/EXTERNAL_ID"),
        (("show", "zara/none"), "zara has no product none"),
        (("run", "nothing"), "unknown stage 'nothing'; the stages are raw_products, raw_stores, originals, collages"),
        (("run", "originals", "--brand", "gap"), "unknown brand 'gap'; the brands are zara"),
        (("run", "originals", "--brand", "zara", "--product-ids", "7"), "zara has no product 7"),
        (("requeue", "--stage", "raw_products"), "--stage must be one of originals, collages"),
        (("requeue", "--stage", "originals", "--brand", "gap"), "--brand must be one of zara"),
    ],
)
def test_a_wrong_argument_is_explained_in_one_sentence(cli, arguments: tuple[str, ...], message: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_invalid_setting_is_named(cli) -> None:
    done = cli("status", DOWNLOAD_TIMEOUT="soon")
    assert done.returncode == 1
    assert done.stderr.startswith("DOWNLOAD_TIMEOUT: expected seconds for one photo")


def test_an_unmigrated_database_says_what_to_do(cli, server, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = server.new_database(migrated=False)
    done = cli("status", STAGING_DB_URL=empty)
    assert done.returncode == 1
    assert "run unde-catalog migrate" in done.stderr
    assert cli("migrate", STAGING_DB_URL=empty).stdout.startswith("staging: ran 0001")
    assert cli("migrate", STAGING_DB_URL=empty).stdout.startswith("staging: already at")
    assert cli("status", STAGING_DB_URL=empty).returncode == 0
    server.drop(empty)


@pytest.mark.slow
def test_requeue_makes_products_due_by_their_reason(cli, db: Database) -> None:
    assert cli("run", "raw_products", "--brand", "zara").returncode == 0
    with db.transaction() as cursor:
        cursor.execute(
            "UPDATE raw_products SET original_image_urls = '[]' WHERE id <= (SELECT min(id) + 1 FROM raw_products)"
        )
    assert cli("run", "originals", "--brand", "zara").returncode == 0
    assert json.loads(cli("status", "--json").stdout)["brands"]["zara"]["originals"]["failures"] == {"no_photos": 2}
    assert cli("requeue", "--stage", "originals", "--brand", "zara", "--reason", "http_404").stdout.startswith("0 ")
    assert cli("requeue", "--stage", "originals", "--brand", "zara", "--reason", "no_photos").stdout.startswith("2 ")
    state = json.loads(cli("status", "--json").stdout)["brands"]["zara"]
    assert state["originals"]["due"] == 2
    assert state["image_status"]["pending"] == 2


def test_a_failing_brand_does_not_stop_the_others(cli) -> None:
    done = cli("run", "raw_products", APIFY_TASK_ZARA="no-such-task")
    assert done.returncode == 1
    assert (
        "raw_products of zara stopped: listing the runs of task no-such-task failed: Apify responded 404" in done.stderr
    )
    assert "check the task ID" in done.stderr
    assert "raw_products oysho: 20 done" in done.stdout


def test_a_misspelt_setting_is_named_once_without_its_value(cli) -> None:
    done = cli("status", APIFY_TOKN="planted-value")
    assert done.returncode == 0
    assert done.stderr == "APIFY_TOKN is not a setting: did you mean APIFY_TOKEN?\n"
    assert "planted-value" not in done.stdout


def test_run_ends_with_2_where_a_setting_is_missing(cli) -> None:
    """A script must not take a stage that did nothing for a success."""
    done = cli("run", "raw_products", "--brand", "zara", APIFY_TASK_ZARA="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "not configured: set APIFY_TASK_ZARA" in done.stderr
    done = cli("run", "raw_products", APIFY_TASK_ZARA="")  # the other brands are collected
    assert done.returncode == 0
    assert "raw_products oysho: 20 done" in done.stdout and "set APIFY_TASK_ZARA" in done.stderr
