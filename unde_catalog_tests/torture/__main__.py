"""`make torture`: kills every process in turn at seeded moments and compares the result with an undisturbed run.

Prints a table of figures at the end. On differences it prints them with the seed and exits with code 1.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from unde_catalog_tests.support import pgbouncer
from unde_catalog_tests.support.s3_servers import BUCKET, running_rclone, s3_environment
from unde_catalog_tests.support.servers import REAL_DATA, Server, wheel_server
from unde_catalog_tests.torture import dagster_dies, migrating, servers_die, trials
from unde_catalog_tests.torture.assortment import create_assortment
from unde_catalog_tests.torture.trial_system import running_system
from unde_catalog_tests.torture.trials import Figures

_ROUNDS = 3
_PRODUCTS = 27  # of each brand
_FILLERS = 1_200  # so that collecting has two pages to read and two chunks to merge
_KILLS = {"raw_products": 2, "originals": 4, "collages": 2}  # of each stage in each round
_FEW = {
    "raw_products": 1,
    "originals": 1,
    "collages": 1,
}  # the embedded server's supervisor gives up at the fifth crash within a minute
_PARTS = ("stages", "between", "postgres", "pgbouncer", "store", "migrate", "dagster")


def main() -> int:
    """Run the selected parts."""
    parser = argparse.ArgumentParser("python -m unde_catalog_tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices")
    parser.add_argument("--kills", type=int, default=60, help="minimum number of killed stage runs")
    parser.add_argument("--only", choices=_PARTS, action="append", help="these parts only")
    options = parser.parse_args()
    console, figures, began = Console(), Figures(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="unde-torture-"))
    with ExitStack() as stack:
        program = pgbouncer.program()
        if program is None:
            console.print(pgbouncer.ABSENT)
        server = stack.enter_context(wheel_server(18))
        if program is not None:
            server.use_pgbouncer(stack.enter_context(pgbouncer.pgbouncer(program, server.admin_url)))
        _run(options, folder, server, stack, figures, lambda message: console.print(message, highlight=False))
    _print(console, figures, time.monotonic() - began)
    if not figures.wrong:
        shutil.rmtree(folder, ignore_errors=True)
        console.print(f"Nothing lost, nothing stored differently, nothing paid for twice (seed {options.seed}).")
        return 0
    console.print(f"\n{len(figures.wrong)} differences with seed {options.seed}; the files are in {folder}:")
    for sentence in figures.wrong:
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
    return 1


def _run(
    options: argparse.Namespace, folder: Path, server: Server, stack: ExitStack, figures: Figures,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    seed, parts = options.seed, options.only or _PARTS
    real = REAL_DATA / "photos"
    catalogue = create_assortment(folder / "data", _PRODUCTS, _FILLERS, real if real.is_dir() else None)

    def open_system(name: str):
        return running_system(server, catalogue, folder / name)

    def trial(name: str, disturb: trials.Disturb, rounds: int = _ROUNDS, open_system=open_system) -> None:
        trials.disturbed(name, open_system, rounds, disturb, expected[rounds], figures)
        say(f"{name}: {figures.seconds[name]:.0f} s")

    expected = {_ROUNDS: trials.undisturbed(open_system, _ROUNDS, figures)}
    say(f"undisturbed: {figures.seconds['undisturbed']:.0f} s")
    number = 0
    while ("stages" in parts or "between" in parts) and figures.kills[trials.STAGE_RUN] < options.kills and number < 12:
        number += 1
        if "between" in parts and (number % 3 == 0 or "stages" not in parts):
            disturb = trials.killing_between_scrapes(seed + number, _KILLS, figures, _ROUNDS)
            trial(f"stages killed, next scrape before they are done ({seed + number})", disturb)
        else:
            trial(f"stages killed ({seed + number})", trials.killing_stages(seed + number, _KILLS, figures))
    if "migrate" in parts:
        migrating.kill_migrations(server, folder, seed, 6, figures)
        say(f"migrate: {figures.seconds['migrate']:.0f} s")
    if "pgbouncer" in parts and server.pgbouncer is not None:
        trial("PgBouncer", servers_die.killing("PgBouncer", servers_die.kill_pgbouncer, seed, _FEW, figures))
    if "store" in parts:
        store = stack.enter_context(running_rclone(folder / "rclone"))

        def open_on_s3(name: str):
            for old in (folder / "rclone" / BUCKET).iterdir():
                old.rename(folder / f"old-{old.name}")
            return running_system(
                server, catalogue, folder / name, folder / "rclone" / BUCKET, s3_environment(store.url)
            )

        kills = {**_FEW, "raw_products": 0, "originals": 2}
        disturb = servers_die.killing("object store", servers_die.kill_store(store), seed, kills, figures)
        trial("object store", disturb, open_system=open_on_s3)
    if "dagster" in parts:
        trial("Dagster", dagster_dies.killing_dagster(seed, list(dagster_dies.VICTIMS), figures))
    if "postgres" in parts:  # last, because it changes a setting of the server
        servers_die.lose_recent_commits(server)
        trial("PostgreSQL", servers_die.killing("PostgreSQL", servers_die.kill_postgres, seed, _FEW, figures))


def _print(console: Console, figures: Figures, seconds: float) -> None:
    table = Table("killed during", "kills", title="Some kills hit several phases")
    for (stage, phase), count in trials.in_order(figures.phases):
        table.add_row(f"{stage}: {phase}", str(count))
    console.print(table)
    table = Table("victim", "kills")
    for victim, count in figures.kills.most_common():
        table.add_row(victim, str(count))
    console.print(table)
    table = Table("trial", "seconds", "photo requests")
    for name, took in figures.seconds.items():
        table.add_row(name, f"{took:.0f}", str(figures.requests.get(name, "-")))
    console.print(table)
    console.print(
        f"{figures.kills.total()} kills, {figures.restarts} runs to completion after them, {seconds:.0f} s",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())
