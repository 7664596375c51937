import pytest
from warehouse.money import discounted, format_price, parse_price


@pytest.mark.parametrize(("text", "cents"), [("12.50", 1250), ("$3", 300), (" 0.005 ", 1)])
def test_prices_are_read(text, cents):
    assert parse_price(text) == cents


def test_a_negative_price_is_refused():
    with pytest.raises(ValueError, match="negative"):
        parse_price("-1")


def test_prices_are_written():
    assert format_price(1205) == "12.05"
    assert format_price(-5) == "-0.05"


def test_discounts_round_for_the_buyer():
    assert discounted(999, 10) == 899
    assert discounted(500, 100) == 0
    with pytest.raises(ValueError, match="between"):
        discounted(500, 101)
