import pytest
from warehouse.stock import OutOfStock, Stock


def test_goods_go_in_and_out():
    stock = Stock({"nut": 2})
    assert stock.add("nut", 3) == 5
    assert stock.take("nut") == 4
    assert stock.amount("nut") == 4
    assert stock.take("nut", 4) == 0
    assert stock.amount("nut") == 0


def test_more_than_there_is_cannot_be_taken():
    with pytest.raises(OutOfStock):
        Stock({"nut": 1}).take("nut", 2)


def test_nothing_cannot_be_added():
    with pytest.raises(ValueError, match="positive"):
        Stock().add("nut", 0)


def test_scarce_goods_are_listed():
    assert Stock({"nut": 9, "bolt": 2, "cog": 1, "pin": 3}).scarce() == ["cog", "bolt"]
