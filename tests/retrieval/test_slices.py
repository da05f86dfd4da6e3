"""Slices of a table: which there are, what they are called, what is left out."""

import numpy as np
import polars as pl
import pytest

from lookalike.retrieval.slices import LEAST, MOST, present, sliced
from lookalike.settings import DataError


def cut(column, **columns):
    table = pl.DataFrame(columns)
    return sliced(table, column, np.arange(len(table)))


def sizes(found):
    return {label: int((found.labels == label).sum()) for label in found.kept}


def test_values_come_with_most_queries_first_and_equals_by_name():
    found = cut("color", color=["red"] * 2 + ["blue"] * 3 + ["ash"] * 2)
    assert list(sizes(found).items()) == [("blue", 3), ("ash", 2), ("red", 2)]
    assert found.left_out == {"values": 0, "queries": 0, "untold": 0}


def test_few_values_are_shown_however_few_their_queries():
    assert sizes(cut("view", view=["top", "top", "side", "side"])) == {"side": 2, "top": 2}


def test_of_many_values_the_largest_are_shown_and_the_rest_is_counted():
    brands = [f"b{number:02d}" for number in range(MOST + 3) for _ in range(LEAST + number)]
    found = cut("brand", brand=brands)
    assert found.kept[0] == f"b{MOST + 2:02d}"
    assert len(found.kept) == MOST
    assert found.left_out == {"values": 3, "queries": LEAST + LEAST + 1 + LEAST + 2, "untold": 0}


def test_of_many_values_those_with_few_queries_are_left_out():
    brands = ["big"] * LEAST + [f"b{number}" for number in range(MOST) for _ in range(LEAST - 1)]
    assert sizes(cut("brand", brand=brands)) == {"big": LEAST}


def test_a_value_of_one_cluster_has_no_interval_and_so_no_slice():
    table = pl.DataFrame({"brand": ["solo", "solo", "duo", "duo"]})
    found = sliced(table, "brand", np.array([0, 0, 1, 2]))
    assert (found.kept, found.left_out) == (["duo"], {"values": 1, "queries": 2, "untold": 0})


def test_queries_that_tell_nothing_are_counted():
    assert cut("color", color=["red", "red", "", None]).left_out == {"values": 0, "queries": 0, "untold": 2}


def test_prices_fall_into_bands_with_as_many_queries_each_told_in_words():
    found = cut("price", price=["20", "40", "60", "80", "110", "109.99", "150", "900"], currency=["USD"] * 8)
    assert list(sizes(found).items()) == [
        ("up to 40 USD", 2),
        ("40 to 80 USD", 2),
        ("80 to 110 USD", 2),
        ("over 110 USD", 2),
    ]


def test_a_price_at_the_end_of_a_band_belongs_to_it():
    found = cut("price", price=["10", "10", "10", "10", "20", "20"], currency=["EUR"] * 6)
    assert sizes(found) == {"up to 10 EUR": 4, "over 10 EUR": 2}


def test_each_currency_has_bands_of_its_own_the_most_used_first():
    found = cut("price", price=["1", "2", "3", "100", "100"], currency=["USD", "USD", "USD", "JPY", "JPY"])
    assert found.kept == ["up to 100 JPY"]  # each dollar band has one query alone
    assert found.left_out == {"values": 3, "queries": 3, "untold": 0}


def test_one_price_for_all_is_one_band():
    assert sizes(cut("price", price=[59.5, 59.5], currency=["USD", "USD"])) == {"up to 59.50 USD": 2}


@pytest.mark.parametrize("prices", [["", ""], [None, None], ["ask us", "nan"]])
def test_no_price_is_no_slice(prices):
    found = cut("price", price=pl.Series(prices, dtype=pl.String), currency=["USD", "USD"])
    assert (found.kept, found.left_out["untold"]) == ([], 2)


def test_a_price_without_a_currency_is_told_without():
    assert sizes(cut("price", price=["5", "5"])) == {"up to 5": 2}


def test_the_usual_columns_may_be_missing_and_a_named_one_may_not():
    table = pl.DataFrame({"category": ["a"], "gender": ["b"]})
    assert present(table, ("category", "price", "gender")) == ["category", "gender"]
    with pytest.raises(DataError, match=r"slices=season: .*there are category, gender"):
        present(table, ("category", "season"))
