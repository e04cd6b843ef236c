"""A Sunday morning of schedules and sensors in simulated time, a small version of the three-day benchmark."""

from datetime import timedelta
from pathlib import Path

import pytest

from unde_catalog_tests.support.servers import Server
from unde_catalog_tests.support.simulated_days import FAULTS, READ_ONLY, SUNDAY, pass_days

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_every_tick_of_a_sunday_morning_leaves_the_expected_catalogue(
    server: Server, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_environment(values: dict[str, str]) -> None:
        monkeypatch.chdir(tmp_path)  # where there is no .env file
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    figures = pass_days(
        server, tmp_path, SUNDAY + timedelta(hours=5, minutes=50), SUNDAY + timedelta(hours=8, minutes=10),
        real_data, FAULTS, frozenset({"massimodutti", "oysho"}), READ_ONLY, set_environment,
    )  # fmt: skip
    assert figures["differences"] == []
    assert figures["failures"] == []
    assert figures["products"] == 13
    assert figures["runs"]["raw_products succeeded"] == 2
    # From the hour of its collection on, each product is checked once an hour.
    assert figures["runs"]["availability succeeded"] == 2 * 3
    assert figures["stock known of"] + figures["stock unknown of"] == 13
    assert figures["stock known of"] >= 11  # a fault may last longer than these hours
    assert figures["on sale"] >= 10
