"""Apify's token revoked in the middle of collecting; those of buckets and databases are in their own files."""

import logging

import pytest

from unde_catalog_tests.support.apify_brand import Shop, item


@pytest.mark.parametrize(("kind", "status"), [("apify.items", "401"), ("apify.dataset", "403")])
def test_a_token_that_is_revoked_after_the_start_stops_collecting_and_the_run_is_not_paid_for_again(
    shop: Shop, caplog: pytest.LogCaptureFixture, kind: str, status: str
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.sells([item(n) for n in range(1, 1201)])  # two pages, the second empty: the dataset is counted after them
    shop.sandbox.control(next_faults={kind: [status]})
    sentence = shop.stopped()
    assert f"Apify answered {status}" in sentence and "dataset" in sentence and "token" in sentence.lower()
    assert "\n" not in sentence and "sandbox-token" not in sentence + caplog.text
    assert (shop.starts(), shop.last_scrape()["state"], shop.last_scrape()["lease_token"]) == (1, "running", None)
    shop.collect("somebody else")
    assert (len(shop.rows()), shop.starts(), shop.last_scrape()["state"]) == (1200, 1, "complete")
