"""The requests of the four stock protocols and the meaning of their responses, with the documented examples first."""

from typing import Any

import pytest

from unde_catalog.stages.availability.item import StockItem, parse_stock_item
from unde_catalog.stages.availability.protocols import (
    AvailableSizesProtocol,
    CampaignProtocol,
    SkusProtocol,
    StockProtocol,
    StockRequest,
    UnexpectedResponse,
    ZaraProtocol,
    merge_sizes,
    protocol_for,
)

STORES = (16884, 4483)
COLOURS = [
    {
        "id": "800",
        "name": "Black",
        "productId": 512918856,
        "sizes": [{"name": "S", "sku": 123}, {"name": "M", "sku": 124}, {"name": "M", "sku": 124}],
    },
    {
        "id": "401",
        "name": "Blue",
        "productId": 512918857,
        "sizes": [{"name": "S", "sku": 223}, {"name": 34, "sku": "224"}],
    },
]


@pytest.fixture
def item() -> StockItem:
    return parse_stock_item("512913640", "02086797-V2026", COLOURS)


def parse(shape: StockProtocol, item: StockItem, body: Any, stores: tuple[int, ...] = STORES) -> dict[int, set[str]]:
    request = shape.requests(item, stores)[0]
    return {store: set(sizes) for store, sizes in shape.parse(request, item, stores, body).items()}


def test_an_item_contains_the_ids_for_stock_requests(item: StockItem) -> None:
    assert (item.digits, item.campaign, item.sizes) == ("02086797", "V2026", ("S", "M", "34"))
    assert [dict(colour.sizes_by_sku) for colour in item.colours] == [{123: "S", 124: "M"}, {223: "S", 224: "34"}]


def test_by_campaign_requests_each_colours_part_number_for_all_stores(item: StockItem) -> None:
    stores = (("physicalStoreId", "16884"), ("physicalStoreId", "4483"))
    assert CampaignProtocol().requests(item, STORES) == [
        StockRequest("common/1/stock/campaign/V2026/product/part-number/02086797800", stores),
        StockRequest("common/1/stock/campaign/V2026/product/part-number/02086797401", stores),
    ]


def test_by_available_sizes_sends_one_request_per_product(item: StockItem) -> None:
    (request,) = AvailableSizesProtocol("45009578").requests(item, STORES)
    assert request.path == "api/storefront/1/stores/45009578/products/512913640/available-sizes"
    assert request.query == (
        ("appId", "1"), ("physicalStoreIds", "16884"), ("physicalStoreIds", "4483"),
        ("sizeIds", "S"), ("sizeIds", "M"), ("sizeIds", "34"),
    )  # fmt: skip


def test_by_skus_sends_one_request_for_all_colours(item: StockItem) -> None:
    (request,) = SkusProtocol("45009578").requests(item, STORES)
    assert request.path == "api/storefront/1/stores/45009578/skus-availability-in-stores/actions/filter"
    assert request.body == {"physicalStoreIds": [16884, 4483], "skus": [123, 124, 223, 224]}


def test_zara_requests_use_the_product_id_of_each_colour(item: StockItem) -> None:
    first, second = ZaraProtocol("ae/en").requests(item, STORES)
    assert first.path == "ae/en/store-product-availability"
    assert first.query == (
        ("productId", "512918856"), ("physicalStoreIds", "16884"), ("physicalStoreIds", "4483"), ("ajax", "true"),
    )  # fmt: skip
    assert second.query[0] == ("productId", "512918857")


@pytest.mark.parametrize(
    ("shape", "reference", "colours"),
    [
        (CampaignProtocol(), None, COLOURS),
        (CampaignProtocol(), "not a reference", COLOURS),
        (CampaignProtocol(), "02086797-V2026", [*COLOURS, {"name": "no id"}]),
        (SkusProtocol("1"), "02086797-V2026", [{"id": "800", "sizes": [{"name": "S"}, {"name": "M", "sku": 1}]}]),
        (ZaraProtocol("ae/en"), "02086797-V2026", [*COLOURS, {"id": "9", "productId": "none"}]),
        (CampaignProtocol(), "02086797-V2026", []),
        (SkusProtocol("1"), "02086797-V2026", "not a list"),
        (ZaraProtocol("ae/en"), "02086797-V2026", [1, None, "x"]),
    ],
)
def test_no_request_is_sent_if_its_response_would_be_incomplete(
    shape: StockProtocol, reference: Any, colours: Any
) -> None:
    assert shape.requests(parse_stock_item("1", reference, colours), STORES) == []


def test_sizes_are_matched_by_size_not_by_size_id(item: StockItem) -> None:
    stocks = [{"physicalStoreId": 16884, "sizeStocks": [{"sizeId": 1, "size": 34, "quantity": 5}]}]
    assert parse(CampaignProtocol(), item, {"stocks": stocks}) == {16884: {"34"}, 4483: set()}


def test_an_empty_list_of_stocks_is_unknown(item: StockItem) -> None:
    with pytest.raises(UnexpectedResponse, match="`stocks` is empty"):
        parse(CampaignProtocol(), item, {"stocks": []})


def test_a_missing_store_means_no_stock_in_shapes_that_say_so(item: StockItem) -> None:
    sizes = [{"sizeId": "36", "size": "36", "stock": 3}, {"sizeId": "38", "size": "38", "stock": 0}]
    listed = [{"physicalStoreId": 16884, "sizesAvailability": sizes}]
    body = {"productId": 512913640, "sizesAvailableByPhysicalStores": listed}
    assert parse(AvailableSizesProtocol("1"), item, body) == {16884: {"36"}, 4483: set()}
    assert parse(AvailableSizesProtocol("1"), item, body | {"sizesAvailableByPhysicalStores": []}) == {
        16884: set(),
        4483: set(),
    }
    assert parse(ZaraProtocol("ae/en"), item, {"sizesAvailableAndLocationsByPhysicalStores": listed}) == {
        16884: {"36"},
        4483: set(),
    }


def test_a_response_for_another_product_is_unknown(item: StockItem) -> None:
    with pytest.raises(UnexpectedResponse, match="about product 1"):
        parse(AvailableSizesProtocol("1"), item, {"productId": 1, "sizesAvailableByPhysicalStores": []})


def test_skus_get_their_size_names_from_the_item(item: StockItem) -> None:
    body = {"16884": {"124": {"size": "medium", "stock": 2}, "223": {"size": "S", "stock": 0}, "999": {"stock": 1}}}
    assert parse(SkusProtocol("1"), item, body) == {16884: {"M"}, 4483: set()}


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (CampaignProtocol(), None),
        (CampaignProtocol(), []),
        (CampaignProtocol(), {"stocks": {"0": {}}}),
        (CampaignProtocol(), {"stocks": ["16884"]}),
        (CampaignProtocol(), {"stocks": [{"sizeStocks": []}]}),
        (CampaignProtocol(), {"stocks": [{"physicalStoreId": 16884}]}),
        (CampaignProtocol(), {"stocks": [{"physicalStoreId": 4483, "sizeStocks": [{"size": 34, "quantity": "many"}]}]}),
        (CampaignProtocol(), {"stocks": [{"physicalStoreId": 4483, "sizeStocks": [{"size": 34}]}]}),
        (AvailableSizesProtocol("1"), {}),
        (AvailableSizesProtocol("1"), {"sizesAvailableByPhysicalStores": None}),
        (SkusProtocol("1"), {"status": "denied"}),
        (SkusProtocol("1"), {"16884": []}),
        (SkusProtocol("1"), {"16884": {"124": {"size": "M"}}}),
        (SkusProtocol("1"), "denied"),
        (ZaraProtocol("ae/en"), {"sizesAvailableAndLocationsByPhysicalStores": [{"physicalStoreId": True}]}),
        (ZaraProtocol("ae/en"), {"sizesAvailableAndLocationsByPhysicalStores": [
            {"physicalStoreId": 16884, "sizesAvailability": [{"size": None, "stock": 1}]}]}),
    ],
)  # fmt: skip
def test_unreadable_stock_is_unknown_and_never_empty(shape: StockProtocol, body: Any, item: StockItem) -> None:
    with pytest.raises(UnexpectedResponse):
        parse(shape, item, body)


def test_colours_are_merged_if_every_response_contains_the_store(
    item: StockItem,
) -> None:
    first = {16884: frozenset({"34", "S"}), 4483: frozenset({"M"})}
    second = {16884: frozenset({"M", "XXL"})}
    assert merge_sizes(item, STORES, [first, second]) == {16884: ["S", "M", "34", "XXL"]}


@pytest.mark.parametrize("name", ["available-sizes", "skus"])
def test_a_missing_channel_is_reported(name: Any) -> None:
    with pytest.raises(ValueError, match=f"the stock protocol {name} requires a channel"):
        protocol_for(name, None, "ae/en")
