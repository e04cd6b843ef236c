"""What `unde-catalog doctor` says of BakaiMarket's API and bucket beyond that they answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unde_catalog.operations.doctor import bakai
from unde_catalog.settings.environment import load_settings
from unde_catalog_tests.support.bakai_answers import HEALTH, ITEM, answer, page
from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.upstream import FarSide


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


def test_the_api_is_told_with_its_latency_and_an_example(market: Sandbox) -> None:
    found = bakai.look_at_api(load_settings())
    assert found.state == "green"
    assert " is well (" in found.said and " ms) and takes the keys, 40 products, for example bakai_1" in found.said
    assert len(market.log("bakai.products")) == 1, "nothing but one page of one product is asked for"


def test_the_bucket_is_told_with_its_latency_and_an_example(market: Sandbox) -> None:
    found = bakai.look_at_bucket(load_settings())
    assert found.state == "green"
    assert found.said.startswith("the bucket bakai-images may be listed (")
    assert found.said.endswith("/1.jpg")


def test_photos_that_nobody_may_read_are_worth_a_look(market: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKAI_IMAGE_BASE_URL", f"{market.url}/nowhere")
    found = bakai.look_at_bucket(load_settings())
    assert (found.state, found.settings) == ("yellow", ("BAKAI_IMAGE_BASE_URL",))
    assert "it answers 404" in found.said


def test_an_empty_market_is_worth_a_look(market: Sandbox) -> None:
    market.control(bakai={"size": 0})
    settings = load_settings()
    assert bakai.look_at_api(settings).said.endswith("; but it lists none")
    assert bakai.look_at_bucket(settings).said.endswith("; but it is empty")


@pytest.mark.parametrize(
    ("unset", "state", "named"),
    [
        (["CDN_ACCESS_KEY", "CDN_SECRET_KEY"], "yellow", ("BAKAI_CDN_ACCESS_KEY", "BAKAI_CDN_SECRET_KEY")),
        (["CDN_SECRET_KEY"], "red", ("BAKAI_CDN_SECRET_KEY",)),
        (["S3_BUCKET"], "red", ("BAKAI_S3_BUCKET",)),
    ],
)
def test_nothing_set_is_not_configured_and_half_of_it_is_red(
    market: Sandbox, unset: list[str], state: str, named: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in unset:
        monkeypatch.setenv(f"BAKAI_{name}", "")
    look = bakai.look_at_bucket if unset == ["S3_BUCKET"] else bakai.look_at_api
    found = look(load_settings())
    assert (found.state, found.settings) == (state, named)


def test_an_example_in_somebodys_words_can_do_no_harm(
    market: Sandbox, host: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAKAI_CDN_API_URL", host.url(""))
    host.answer("/health", answer(HEALTH))
    host.answer("/v1/products?limit=1", page([{**ITEM, "name": "\x1b[31mred\n" + "x" * 500}]))
    found = bakai.look_at_api(load_settings())
    assert found.state == "green" and found.said.isprintable() and len(found.said) < 300
    host.answer("/v1/products?limit=1", page([{"name": "no id"}]))
    found = bakai.look_at_api(load_settings())
    assert (found.state, "the first can't be read" in found.said) == ("yellow", True)
