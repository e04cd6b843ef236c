"""Apify's token is revoked during collection. Credentials of buckets and databases are in their own files."""

import logging

import pytest

from unde_catalog_tests.support.apify_brand import ApifyBrand, item

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("kind", "status"), [("apify.items", "401"), ("apify.dataset", "403")])
def test_a_token_revoked_after_the_start_costs_no_second_apify_run(
    apify_brand: ApifyBrand, caplog: pytest.LogCaptureFixture, kind: str, status: str
) -> None:
    caplog.set_level(logging.DEBUG)
    apify_brand.set_items(
        [item(n) for n in range(1, 1201)]
    )  # two pages, the second empty; the dataset is counted after them
    apify_brand.sandbox.control(next_faults={kind: [status]})
    sentence = apify_brand.stop_message()
    assert f"Apify responded {status}" in sentence and "dataset" in sentence and "token" in sentence.lower()
    assert "\n" not in sentence and "sandbox-token" not in sentence + caplog.text
    assert (apify_brand.paid_runs(), apify_brand.last_scrape()["state"], apify_brand.last_scrape()["lease_token"]) == (
        1,
        "running",
        None,
    )
    apify_brand.collect("another run")
    assert (len(apify_brand.rows()), apify_brand.paid_runs(), apify_brand.last_scrape()["state"]) == (
        1200,
        1,
        "complete",
    )
