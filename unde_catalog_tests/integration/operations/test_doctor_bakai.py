"""`unde-catalog doctor` and BakaiMarket's API and bucket: latency, examples, and incomplete settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.operations.doctor import bakai
from unde_catalog.settings.environment import load_settings
from unde_catalog_tests.support.bakai_responses import HEALTH, ITEM, json_response, page
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.upstream import RemoteHost


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("bakai-doctor")) as sandbox:
        yield sandbox


@pytest.fixture
def market(running: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.chdir(tmp_path)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.control(bakai={"size": 40})
    return running


def test_the_api_is_reported_with_its_latency_and_an_example(market: Sandbox) -> None:
    found = bakai.check_api(load_settings())
    assert found.state == "green"
    assert " is healthy (" in found.message
    assert " ms) and accepts the keys, 40 products, for example bakai_1" in found.message
    assert len(market.log("bakai.products")) == 1, "only one page with one product is requested"


def test_the_bucket_is_reported_with_its_latency_and_an_example(market: Sandbox) -> None:
    found = bakai.check_bucket(load_settings())
    assert found.state == "green"
    assert found.message.startswith("the bucket bakai-images can be listed (")
    assert found.message.endswith("/1.jpg")


def test_photos_that_cannot_be_read_are_yellow(market: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKAI_IMAGE_BASE_URL", f"{market.url}/nowhere")
    found = bakai.check_bucket(load_settings())
    assert (found.state, found.settings) == ("yellow", ("BAKAI_IMAGE_BASE_URL",))
    assert "status 404" in found.message


def test_an_empty_market_is_yellow(market: Sandbox) -> None:
    market.control(bakai={"size": 0})
    settings = load_settings()
    assert bakai.check_api(settings).message.endswith(", but it lists no products")
    assert bakai.check_bucket(settings).message.endswith(", but it is empty")


@pytest.mark.parametrize(
    ("unset", "state", "named"),
    [
        (["CDN_ACCESS_KEY", "CDN_SECRET_KEY"], "yellow", ("BAKAI_CDN_ACCESS_KEY", "BAKAI_CDN_SECRET_KEY")),
        (["CDN_SECRET_KEY"], "red", ("BAKAI_CDN_SECRET_KEY",)),
        (["S3_BUCKET"], "red", ("BAKAI_S3_BUCKET",)),
    ],
)
def test_no_settings_are_not_configured_and_incomplete_ones_are_red(
    market: Sandbox, unset: list[str], state: str, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in unset:
        monkeypatch.setenv(f"BAKAI_{name}", "")
    check = bakai.check_bucket if unset == ["S3_BUCKET"] else bakai.check_api
    found = check(load_settings())
    assert (found.state, found.settings) == (state, named)


def test_an_example_is_shortened_and_printable(
    market: Sandbox, host: RemoteHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKAI_CDN_API_URL", host.url(""))
    host.respond("/health", json_response(HEALTH))
    host.respond("/v1/products?limit=1", page([{**ITEM, "name": "\x1b[31mred\n" + "x" * 500}]))
    found = bakai.check_api(load_settings())
    assert found.state == "green" and found.message.isprintable() and len(found.message) < 300
    host.respond("/v1/products?limit=1", page([{"name": "no id"}]))
    found = bakai.check_api(load_settings())
    assert (found.state, "the first product is invalid" in found.message) == ("yellow", True)
