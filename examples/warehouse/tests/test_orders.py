from warehouse.orders import fill, receipt, total
from warehouse.stock import Stock

PRICES = {"nut": 25, "bolt": 110}


def test_totals():
    assert total([("nut", 4), ("bolt", 1), ("nut", 0)], PRICES) == 210
    assert total([("bolt", 10)], PRICES, percent=15) == 935


def test_orders_are_filled_as_far_as_possible():
    stock = Stock({"nut": 3, "bolt": 5})
    assert fill([("nut", 5), ("bolt", 2), ("cog", 1)], stock) == {"nut": 2, "cog": 1}
    assert stock.amount("bolt") == 3
    assert stock.amount("nut") == 0


def test_receipts():
    assert receipt([("nut", 2), ("bolt", 1)], PRICES) == "\n".join(
        ["nut    2     0.50", "bolt   1     1.10", "             1.60".rjust(17)]
    )
