from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stages.production_catalog.brand_rules import BrandFigures, evaluate_rules
from unde_catalog.stages.production_catalog.product_rules import Candidate, is_plausible, violations

LIMITS = PublishFields()
GOOD = Candidate("SHIRT", "woman-shirts", Decimal("99.90"), "AED", Decimal("120.00"), 3, timedelta(days=2))
HEALTHY = BrandFigures(
    candidates=100, failing=5, reasons={"price_missing": 5}, compared=90, price_shift=Decimal("0.95"), published=96,
    last_scrape="complete", last_scrape_seen=100, active=104,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": None}, "price_missing"),
        ({"price": Decimal(0)}, "price_missing"),
        ({"price": Decimal("-1")}, "price_missing"),
        ({"price": Decimal("12.00")}, "price_implausible"),
        ({"price": Decimal("1200.00")}, "price_implausible"),
        ({"price": Decimal("4.99"), "former_price": None}, "price_unusual"),
        ({"price": Decimal("20000.01"), "former_price": None}, "price_unusual"),
        ({"currency": "USD"}, "currency_unknown"),
        ({"currency": None}, "currency_unknown"),
        ({"name": None}, "name_missing"),
        ({"name": " \t\n"}, "name_missing"),
        ({"category": ""}, "category_missing"),
        ({"photos": 0}, "photo_missing"),
        ({"unseen_for": timedelta(days=21, seconds=1)}, "not_seen"),
    ],
)
def test_each_violation_has_its_reason(changes: dict, reason: str) -> None:
    assert [one.reason for one in violations(replace(GOOD, **changes), LIMITS)] == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"former_price": None},
        {"former_price": None, "price": Decimal("5")},
        {"former_price": Decimal("4.50"), "price": Decimal("4.99")},
        {"price": Decimal("12.01")},
        {"price": Decimal("1199.99")},
        {"photos": 1},
        {"unseen_for": timedelta(days=21)},
        {"unseen_for": timedelta(days=-1)},
    ],
)
def test_a_product_within_all_limits_has_no_violation(changes: dict) -> None:
    assert list(violations(replace(GOOD, **changes), LIMITS)) == []


@pytest.mark.parametrize(
    ("currency", "allowed", "passes"),
    [
        ("KGS", ("AED",), False),
        ("KGS", ("AED", "KGS"), True),
        ("KGS", (), True),
        ("AED", (), True),
        ("XXX", (), False),
        ("", (), False),
        (None, (), False),
    ],
)
def test_only_allowed_currencies_pass_and_an_empty_list_allows_all(
    currency: str | None, allowed: tuple[str, ...], passes: bool
) -> None:
    violated = violations(replace(GOOD, currency=currency), PublishFields(publish_currencies=allowed))
    assert [one.reason for one in violated] == ([] if passes else ["currency_unknown"])


def test_all_violations_of_a_product_are_reported() -> None:
    worst = Candidate(None, None, None, None, None, 0, timedelta(days=99))
    violated = list(violations(worst, LIMITS))
    assert [one.reason for one in violated] == [
        "price_missing", "currency_unknown", "name_missing", "category_missing", "photo_missing", "not_seen",
    ]  # fmt: skip
    assert violated[-1].message == "no scrape has seen it for 99 days, PUBLISH_MAX_AGE_DAYS is 21"


PRICES = st.decimals(min_value="0.01", max_value="99999999.99", places=2)


@given(PRICES, PRICES, st.floats(min_value=1.01, max_value=1000))
def test_plausibility_is_symmetric(one: Decimal, other: Decimal, factor: float) -> None:
    assert is_plausible(one, other, factor) == is_plausible(other, one, factor)
    assert is_plausible(one, one, factor)


@given(PRICES)
def test_a_misplaced_decimal_point_is_never_plausible(price: Decimal) -> None:
    for factor in (10, 100):  # fils mistaken for dirhams are a factor of 100
        assert not is_plausible(price * factor, price, LIMITS.publish_max_price_change)
        assert not is_plausible(price, price * factor, LIMITS.publish_max_price_change)


def failed(brand: BrandFigures, **limits: float) -> list[str]:
    return [one.rule for one in evaluate_rules(brand, LIMITS.model_copy(update=limits)) if not one.passed]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"failing": 30}, []),
        ({"failing": 31}, ["products_verify"]),
        ({"price_shift": Decimal("100")}, ["prices_in_line"]),
        ({"price_shift": Decimal("0.01")}, ["prices_in_line"]),
        ({"price_shift": Decimal("0.272")}, ["prices_in_line"]),  # dollars mistaken for dirhams
        ({"price_shift": Decimal("0.5")}, []),  # a sale
        ({"price_shift": Decimal("0.01"), "compared": 9}, []),
        ({"price_shift": None, "compared": 0}, []),
        ({"published": 190}, []),
        ({"published": 191}, ["enough_products"]),
        ({"candidates": 0, "failing": 0, "published": 10}, ["enough_products"]),
        ({"candidates": 0, "failing": 0, "published": 9}, []),
        ({"last_scrape": "partial", "last_scrape_reason": "too_few_products"}, ["scrape_was_whole"]),
        ({"last_scrape": "partial", "last_scrape_reason": "dataset_changed"}, []),
        ({"last_scrape": None}, []),
    ],
)
def test_a_faulty_brand_fails_the_rule_that_its_figures_violate(changes: dict, rules: list[str]) -> None:
    assert failed(replace(HEALTHY, **changes)) == rules


def test_an_operator_can_raise_the_limits() -> None:
    sale = replace(HEALTHY, price_shift=Decimal("0.2"), failing=60)
    assert failed(sale) == ["prices_in_line", "products_verify", "enough_products"]
    allowed = {"publish_max_price_shift": 6, "publish_max_failing_share": 0.7, "publish_min_share": 0.3}
    assert failed(sale, **allowed) == []


def test_the_message_contains_the_figures_and_what_to_do() -> None:
    messages = {one.rule: one.message for one in evaluate_rules(replace(HEALTHY, failing=60, published=300), LIMITS)}
    assert messages["products_verify"] == (
        "60 of 100 products fail validation, 5 of them with price_missing; the limit is 30%: fix the source, or "
        "raise PUBLISH_MAX_FAILING_SHARE for one run"
    )
    assert "40 products would be on sale, 300 are now" in messages["enough_products"]


@pytest.mark.parametrize("shift", ["1e-8", "0.3333", "3.0001", "1e6"])
def test_any_price_shift_can_be_formatted(shift: str) -> None:
    assert failed(replace(HEALTHY, price_shift=Decimal(shift))) == ["prices_in_line"]
