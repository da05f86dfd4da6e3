"""Which queries are shown of very many: the best, the worst, and some that are usual."""

import polars as pl

from lookalike.reporting.neighbours import chosen


def queries(*rows):
    """Of each query: image, product, style, rank of its first twin, cosine of that."""
    return pl.DataFrame(rows, schema=["image", "product", "style", "rank", "score"], orient="row")


def test_the_best_and_the_worst_are_of_a_style_each_as_long_as_there_are_others():
    table = queries(
        ("a", "1", "runner", 1, 0.99),
        ("b", "2", "runner", 1, 0.98),
        ("c", "3", "slide", 1, 0.97),
        ("d", "4", "", 1, 0.96),
        ("e", "5", "", 7, 0.5),
        ("f", "6", "boot", 8, 0.5),
        ("g", "7", "boot", 9, 0.5),
    )
    first, _, last = (rows["image"].to_list() for _, rows in chosen(table, each=4))
    assert first == ["a", "c", "d", "e"]
    assert last == ["g", "e", "d", "c"]


def test_where_there_are_too_few_styles_their_other_queries_follow():
    table = queries(("a", "1", "runner", 1, 0.9), ("b", "2", "runner", 1, 0.8), ("c", "3", None, 2, 0.7))
    first, usual, last = (rows["image"].to_list() for _, rows in chosen(table, each=3))
    assert (first, last) == (["a", "c", "b"], ["c", "b", "a"])
    assert sorted(usual) == ["a", "b", "c"]
