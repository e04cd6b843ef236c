"""The sandbox's shops at other times, with control requests, with faults, and with odd items."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from unde_catalog_tests.support.servers import running_sandbox
from unde_catalog_tests.support.stock_requests import BRANDS, NOON, Shops


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    with running_sandbox(tmp_path_factory.mktemp("state")) as sandbox:
        yield Shops(sandbox)


@pytest.fixture
def shops(running: Shops) -> Shops:
    """The shops at noon, without overrides, faults or logged requests."""
    empty: dict[str, list[str]] = {brand: [] for brand in BRANDS}
    running.sandbox.control(shops={"now": NOON, "sold_out": empty, "withhold": empty}, faults="")
    requests.delete(f"{running.sandbox.url}/_log", timeout=10)
    return running


def _control(shops: Shops, control: dict[str, Any]) -> requests.Response:
    return requests.post(f"{shops.url}/_control", json={"shops": control}, timeout=10)


def test_stock_depends_on_the_simulated_time(shops: Shops) -> None:
    noon = shops.truth("zara")
    assert noon == shops.truth("zara", at=NOON)
    later = shops.truth("zara", at="2026-03-01T17:00:00+04:00")
    assert later == shops.truth("zara", at="2026-03-01T13:00:00Z") != noon
    shops.sandbox.control(shops={"now": "2026-03-01T13:00:00Z"})
    assert shops.truth("zara") == later
    item, ids = shops.items("zara")[0], shops.all_ids("zara")
    response = shops.by_colour("zara", item, ids)
    assert {shop: set(sizes) for shop, sizes in later[str(item["id"])].items() if sizes} == response


def test_the_real_time_can_be_restored(shops: Shops) -> None:
    assert _control(shops, {"now": ""}).json()["shops"]["now"] == ""
    assert shops.truth("zara") != shops.truth("zara", at="1999-03-01T12:00:00Z")


def test_a_product_can_be_sold_out_everywhere_and_come_back(shops: Shops) -> None:
    item, other = shops.items("zara")[:2]
    before, ids = shops.truth("zara"), shops.all_ids("zara")
    shops.sandbox.control(shops={"sold_out": {"zara": [item["id"]]}})
    after = shops.truth("zara")
    assert after[str(item["id"])] == {shop: [] for shop in ids}
    assert after[str(other["id"])] == before[str(other["id"])]
    assert shops.by_colour("zara", item, ids) == shops.by_part("zara", item, ids) == {}
    assert set(shops.by_skus("zara", item, ids)) == set(ids) and not any(shops.by_skus("zara", item, ids).values())
    shops.sandbox.control(shops={"sold_out": {"zara": []}})
    assert shops.truth("zara") == before


def test_shape_a_omits_withheld_stock(shops: Shops) -> None:
    item, ids = shops.items("bershka")[0], shops.all_ids("bershka")
    stock = shops.by_part("bershka", item, ids)
    assert stock
    shops.sandbox.control(shops={"withhold": {"bershka": [str(item["id"])]}})
    assert shops.part("bershka", item, item["colorsSizesImagesJSON"][0], ids) == {"stocks": []}
    assert shops.by_item("bershka", item, ids) == stock
    assert any(shops.truth("bershka")[str(item["id"])].values())


@pytest.mark.parametrize(
    "control",
    [
        {"now": "2026-03-01T12:00:00"},
        {"now": "noon"},
        {"sold_out": {"mango": ["1"]}},
        {"sold_out": ["1"]},
        {"withhold": {"zara": "1"}},
        {"closed": True},
        {},
    ],
)
def test_an_invalid_control_request_for_shops_changes_nothing(shops: Shops, control: dict[str, Any]) -> None:
    before = shops.truth("zara")
    assert _control(shops, control).status_code == 400
    assert shops.truth("zara") == before


def test_the_log_contains_brand_product_and_shops_even_for_faults(shops: Shops) -> None:
    item, ids = shops.items("zara")[0], shops.all_ids("zara")[:3]
    shops.sandbox.control(next_faults={"stock": ["403", "526"]})
    for _ in range(3):
        shops.get("zara", _part(item), physicalStoreId=ids)
    shops.by_item("zara", item, ids)
    shops.by_skus("zara", item, ids)
    shops.by_colour("zara", item, ids)
    lines = shops.sandbox.log("stock")
    assert {(line["brand"], line["product"], line["shops"]) for line in lines} == {("zara", str(item["id"]), 3)}
    assert [line["status"] for line in lines][:3] == [403, 526, 200]
    assert [line.get("fault") for line in lines][:3] == ["403", "526", None]
    assert [line["kind"] for line in shops.sandbox.log("finder")] == ["finder"]


def test_the_log_names_every_product_whose_skus_were_requested(shops: Shops) -> None:
    first, second = shops.items("oysho")[:2]
    skus = [item["colorsSizesImagesJSON"][0]["sizes"][0]["sku"] for item in (second, first)]
    shops.skus("oysho", [1], [*skus, 5])
    shops.skus("oysho", [1], [5])
    several, none = shops.sandbox.log("stock")
    assert several["product"] == str(second["id"])
    assert several["products"] == [str(second["id"]), str(first["id"])]
    assert none["product"] is None and "products" not in none


def _part(item: dict[str, Any]) -> str:
    digits, campaign = item["reference"].split("-")
    return f"/common/1/stock/campaign/{campaign}/product/part-number/{digits}{item['colorsSizesImagesJSON'][0]['id']}"


@pytest.mark.parametrize("fault", ["403", "429", "503", "526"])
@pytest.mark.parametrize("kind", ["stock", "finder"])
def test_a_fault_can_be_a_status(shops: Shops, kind: str, fault: str) -> None:
    shops.sandbox.control(next_faults={kind: [fault]})
    assert [_request(shops, kind).status_code for _ in range(2)] == [int(fault), 200]


@pytest.mark.parametrize("fault", ["html", "empty", "not-json", "half", "brd-error"])
@pytest.mark.parametrize("kind", ["stock", "finder"])
def test_a_fault_can_be_an_unreadable_response(shops: Shops, kind: str, fault: str) -> None:
    shops.sandbox.control(next_faults={kind: [fault]})
    response = _request(shops, kind)
    assert response.status_code == 200
    with pytest.raises(ValueError):
        response.json()
    assert _request(shops, kind).json()


@pytest.mark.parametrize("fault", ["timeout", "late-30", "drip", "lost", "reset"])
def test_a_fault_can_be_a_missing_response(shops: Shops, fault: str) -> None:
    shops.sandbox.control(next_faults={"stock": [fault]})
    with pytest.raises((requests.RequestException, http.client.HTTPException)):
        body = b""
        with _request(shops, "stock", timeout=1, stream=True) as response:
            for byte in response.iter_content(1):
                body += byte
                if len(body) == 3:  # of a drip, which is enough
                    raise requests.Timeout
        json.loads(body)


def test_a_fault_can_be_wrong_types_or_an_endless_response(shops: Shops) -> None:
    shops.sandbox.control(next_faults={"stock": ["wrong-types", "endless"]})
    assert isinstance(_request(shops, "stock").json()["sizesAvailableByPhysicalStores"], dict)
    with _request(shops, "stock", stream=True) as response:
        assert len(response.raw.read(1_000_000)) == 1_000_000


def _request(shops: Shops, kind: str, *, timeout: float = 10, stream: bool = False) -> requests.Response:
    item = shops.items("zara")[0]
    if kind == "stock":
        path = f"/api/storefront/1/stores/1/products/{item['id']}/available-sizes?appId=1&physicalStoreIds=4480"
    else:
        path = "/itxrest/2/bam/store/1/physical-store?latitude=25&longitude=55&countryCode=AE&appId=1&radioMax=90"
    return requests.get(f"{shops.url}/shops/zara{path}", timeout=timeout, stream=stream)


def test_faults_affect_the_same_share_of_products_in_every_shape(shops: Shops) -> None:
    shops.sandbox.control(faults="stock:503=0.5")
    ids = shops.all_ids("zara")
    failed = []
    for item in shops.items("zara"):
        colour = item["colorsSizesImagesJSON"][0]
        query = {"productId": colour["productId"], "physicalStoreIds": ids, "ajax": "true"}
        by_colour = shops.get("zara", "/ae/en/store-product-availability", **query)
        by_part = shops.get("zara", _part(item), physicalStoreId=ids)
        assert by_colour.status_code == by_part.status_code
        failed.append(by_part.status_code == 503)
    assert 4 <= sum(failed) <= 16


def _item(id_: Any, colours: Any, **more: Any) -> dict[str, Any]:
    return {"id": id_, "reference": "02086797-V2026", "colorsSizesImagesJSON": colours, **more}


def test_items_of_a_file_are_found_by_any_number_and_odd_ones_skipped(tmp_path: Path) -> None:
    """A number may identify an item, a colour or a size. If two items share a number, the first one is found."""
    sizes = [{"name": "S", "sku": 1}, {"name": "M", "sku": 2}, {"name": "S", "sku": 1}, {"name": 38}, {"sku": 4}, 7]
    items = [
        _item(1, [{"id": "800", "productId": 2, "sizes": sizes}]),
        _item("2", [{"id": "801", "productId": 1, "sizes": [{"name": "L", "sku": 2}]}]),
        _item(3, [{"id": "800", "productId": 2, "sizes": [{"name": "XL", "sku": 3}]}]),
        *("text", None, {"name": "no id"}, {"id": None}, _item(4, None), _item(5, [None, {}]), _item(6, 8)),
        _item(1, [{"id": "800", "productId": 9, "sizes": [{"name": "XXL", "sku": 9}]}], name="repeated"),
        {"id": 7, "reference": None, "colorsSizesImagesJSON": [{"id": "1", "sizes": "S, M"}]},
    ]
    lines = [json.dumps(item) for item in items] + ['{"id": %s1}' % ("9" * 5000)]
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(lines))
    with running_sandbox(tmp_path / "state", "--items", f"zara={file}") as sandbox:
        shops = Shops(sandbox)
        ids = shops.all_ids("zara")
        found = [_names(shops.truth("zara", f"2026-03-{day:02}T10:00:00Z")) for day in range(1, 4)]
        assert {name for names in found for name in names["1"]} <= {"S", "M", "38"}
        assert list(found[0]) == ["1", "2", "3", "4", "5", "6", "7"]
        assert found[0]["4"] == found[0]["7"] == set()
        shops.sandbox.control(shops={"now": "2026-03-01T10:00:00Z"})
        truth = shops.truth("zara")
        by_colour = shops.by_colour("zara", {"colorsSizesImagesJSON": [{"productId": 2}]}, ids)
        by_part = shops.by_part("zara", items[0], ids)  # type: ignore[arg-type]
        assert by_colour == by_part == {shop: set(names) for shop, names in truth["1"].items() if names}
        response = shops.skus("zara", [int(shop) for shop in ids], [2, 3, 9])
        assert {sku: one["size"] for sku, one in response[ids[0]].items()} == {"2": "M", "3": "XL"}
        assert [line["product"] for line in shops.sandbox.log("stock")] == ["1", "1", "1"]


def _names(truth: dict[str, dict[str, list[str]]]) -> dict[str, set[str]]:
    return {product: {name for names in stock.values() for name in names} for product, stock in truth.items()}


def test_the_real_input_has_stock_for_all_of_its_products(tmp_path: Path, real_data: Path) -> None:
    with running_sandbox(tmp_path, "--data", str(real_data)) as sandbox:
        shops = Shops(sandbox)
        for brand in BRANDS:
            items = json.loads((real_data / "apify_items" / f"{brand}.json").read_text())
            truth, ids = shops.truth(brand, NOON), shops.all_ids(brand)
            assert list(truth) == [str(item["id"]) for item in items]
            shops.sandbox.control(shops={"now": NOON})
            for item in items[:5]:
                expected = {shop: set(names) for shop, names in truth[str(item["id"])].items() if names}
                assert shops.by_part(brand, item, ids) == shops.by_item(brand, item, ids) == expected
                assert shops.by_colour(brand, item, ids) == expected
