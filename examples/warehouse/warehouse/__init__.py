"""Goods in a warehouse: amounts, prices, orders."""
