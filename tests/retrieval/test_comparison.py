"""A leaderboard that only says what it can prove, and refuses what cannot be held against each other."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval import comparison
from lookalike.retrieval.comparison import Entry, compare, front
from lookalike.retrieval.protocol import Protocol, protocol_for
from lookalike.retrieval.significance import interval, paired
from lookalike.settings import DataError

QUERIES = 90


def table(hits, *, metric="recall@1"):
    """Ninety queries of thirty products, of six styles."""
    number = np.arange(QUERIES)
    return pl.DataFrame(
        {
            "image": [f"{one:03d}.jpg" for one in number],
            "product": [f"product {one // 3}" for one in number],
            "style": [f"style {one // 15}" for one in number],
            "score": np.full(QUERIES, 0.5),
            metric: np.asarray(hits, float),
        }
    )


def some(share, of=0):
    """Hits of about that share of queries."""
    return np.random.default_rng(of).random(QUERIES) < share


def first(many):
    """Hits of exactly the first so many queries."""
    return np.arange(QUERIES) < many


def entry(name, *hits, learns=True, protocol=Protocol(), dataset="shoes-1", **cost):  # noqa: B008, it is frozen
    return Entry(
        name=name,
        label=name.title(),
        tables=tuple(table(one) for one in hits),
        seeds=tuple(range(len(hits))),
        dataset=dataset,
        protocol=protocol.told(),
        cost=cost,
        learns=learns,
    )


def test_the_best_comes_first_and_each_row_tells_how_sure_it_is():
    found = compare([entry("low", first(30)), entry("high", first(60), first(70), first(80))])
    high, low = found.rows
    assert (high.entry.name, high.value) == ("high", pytest.approx(70 / 90))
    assert (low.entry.name, low.value) == ("low", pytest.approx(30 / 90))
    assert high.spread == pytest.approx(10 / 90)  # of 60, 70 and 80 of 90
    assert low.spread is None
    assert (low.low, low.high) == interval(
        first(30).astype(float), np.unique([f"product {n // 3}" for n in range(90)], return_inverse=True)[1]
    )
    assert (found.metric, found.dataset, found.queries) == ("recall@1", "shoes-1", QUERIES)
    assert found.protocol["match"] == "product"


def test_equals_are_ordered_by_name():
    found = compare([entry(name, some(0.5)) for name in ("b", "c", "a")])
    assert [row.entry.name for row in found.rows] == ["a", "b", "c"]


def test_two_that_do_the_same_are_both_best_and_neither_wins():
    found = compare([entry("one", some(0.6)), entry("other", some(0.6))])
    assert [row.best for row in found.rows] == [True, True]
    assert found.winner == ""
    assert found.pairs["one", "other"].p == 1.0


def test_who_beats_every_other_wins_and_is_alone_best():
    found = compare([entry("gray", first(85)), entry("random", some(0.1)), entry("color", some(0.4, 1))])
    assert found.winner == "gray"
    assert [row.best for row in found.rows] == [True, False, False]
    assert found.rows[-1].p_holm < 0.001


def test_who_beats_only_the_last_does_not_win():
    found = compare([entry("gray", some(0.8, 1)), entry("also", some(0.8, 2)), entry("random", some(0.1, 3))])
    assert found.winner == ""
    assert [row.best for row in found.rows] == [True, True, False]


def test_one_entry_is_its_own_leaderboard():
    found = compare([entry("only", some(0.5))])
    (row,) = found.rows
    assert (row.best, row.against, row.p_holm, found.winner, found.against) == (True, None, None, "", "only")
    assert found.pairs == {}


def test_pairs_go_both_ways_and_carry_the_p_of_all_of_them_together(monkeypatch):
    every = [entry("a", some(0.8, 1)), entry("b", some(0.6, 2)), entry("c", some(0.5, 3))]
    found = compare(every)
    assert len(found.pairs) == 6
    assert all(found.pairs[b, a] == one.turned() for (a, b), one in found.pairs.items())
    monkeypatch.setattr(comparison, "holm", list)
    raw = compare(every).pairs
    least, middle, most = sorted(("ab", "ac", "bc"), key=lambda pair: raw[tuple(pair)].p)
    assert found.pairs[tuple(least)].p == pytest.approx(3 * raw[tuple(least)].p)
    assert found.pairs[tuple(middle)].p == pytest.approx(max(3 * raw[tuple(least)].p, 2 * raw[tuple(middle)].p))
    assert found.pairs[tuple(most)].p == pytest.approx(max(2 * raw[tuple(middle)].p, raw[tuple(most)].p))


def test_each_is_compared_with_the_top_unless_another_is_named():
    every = [entry("a", some(0.8, 1)), entry("b", some(0.6, 2)), entry("c", some(0.5, 3))]
    by_top = compare(every)
    assert by_top.against == "a"
    assert [row.against is None for row in by_top.rows] == [True, False, False]
    assert by_top.rows[2].against.value == pytest.approx(by_top.rows[2].value - by_top.rows[0].value)
    by_name = compare(every, against="b")
    assert [row.against is None for row in by_name.rows] == [False, True, False]
    assert by_name.rows[0].against.value > 0 > by_name.rows[2].against.value


def test_a_reference_named_beforehand_asks_for_fewer_corrections_than_the_top_found_by_looking():
    """Of three entries: two comparisons with the named one, all three pairs otherwise."""
    every = [entry("a", first(80)), entry("b", some(0.5, 2)), entry("c", some(0.45, 3))]
    named, looked = compare(every, against="a"), compare(every)
    raw = sorted(row.against.p for row in named.rows[1:])
    assert sorted(row.p_holm for row in named.rows[1:]) == pytest.approx([2 * raw[0], max(2 * raw[0], raw[1])])
    assert [row.p_holm for row in looked.rows[1:]] == [looked.pairs["a", "b"].p, looked.pairs["a", "c"].p]
    assert looked.pairs == named.pairs


def test_a_named_reference_at_the_top_is_best_by_the_comparisons_with_it_alone():
    """Seven products more than each of three equals: p 2 / 2^7, three times that below the level and six times above."""
    every = [entry("a", first(81)), entry("b", first(60)), entry("c", first(60)), entry("d", first(60))]
    named, looked = compare(every, against="a"), compare(every)
    assert (named.family, looked.family) == (3, 6)
    assert 0.04 < named.rows[1].p_holm < 0.05 < looked.rows[1].p_holm < 0.1
    assert (named.winner, looked.winner) == ("a", "")
    assert [row.best for row in named.rows] == [True, False, False, False]
    assert all(row.best for row in looked.rows)
    assert compare(every, against="b").winner == ""  # the top was found by looking then


def test_a_row_and_its_differences_do_not_depend_on_the_company():
    a, b, c = entry("a", some(0.8, 1), some(0.7, 2)), entry("b", some(0.6, 3)), entry("c", some(0.3, 4), some(0.4, 5))
    two, three = compare([a, b]), compare([a, b, c])
    for row, same in zip(two.rows, three.rows[:2], strict=True):
        assert (row.value, row.low, row.high) == (same.value, same.low, same.high)
        assert row.against == same.against
    clusters = table(some(0))["product"].to_numpy()
    ours = np.stack([one["recall@1"].to_numpy() for one in a.tables])
    theirs = np.stack([one["recall@1"].to_numpy() for one in b.tables])
    assert two.pairs["a", "b"] == paired(ours, theirs, clusters)


def test_styles_are_drawn_again_where_styles_are_matched():
    """Six styles are less evidence than thirty products, so the interval is of six."""
    by_style = entry("a", some(0.5), protocol=protocol_for("style"))
    (row,) = compare([by_style]).rows
    styles = table(some(0))["style"].to_numpy()
    assert (row.low, row.high) == interval(some(0.5).astype(float), styles)


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(QUERIES)), st.permutations(["a", "b", "c"]))
def test_neither_the_order_of_entries_nor_of_their_rows_matters(rows, names):
    every = {"a": entry("a", some(0.8, 1)), "b": entry("b", some(0.6, 2)), "c": entry("c", some(0.5, 3))}
    shuffled = [replace(every[name], tables=(every[name].tables[0][list(rows)],)) for name in names]
    expected, found = compare(list(every.values())), compare(shuffled)
    assert found.pairs == expected.pairs
    told = [[(row.entry.name, row.low, row.high, row.p_holm) for row in one.rows] for one in (found, expected)]
    assert told[0] == told[1]


def test_what_learns_and_has_one_seed_says_nothing_of_another_training():
    assert entry("trained", some(0.5)).one_seed
    assert not entry("trained thrice", *[some(0.5, of) for of in range(3)]).one_seed
    assert not entry("pretrained", some(0.5), learns=False).one_seed


def test_an_interval_of_two_seeds_that_disagree_ends_where_shares_end():
    (row,) = compare([entry("unsure", some(0.3, 1), some(0.9, 2))]).rows
    assert (row.low, row.high) == (0.0, 1.0)


def test_many_entries_can_still_differ_significantly():
    """Forty entries are 780 pairs: with ten thousand turns Holm would make even the smallest p 780 / 10,001 = 0.08."""
    good = entry("good", first(90))
    found = compare([good, *[entry(f"bad {number:02d}", some(0.2, number)) for number in range(39)]])
    assert found.winner == "good"


def test_another_figure_can_order_them():
    one = replace(entry("a", some(0.5)), tables=(table(np.full(QUERIES, 0.25), metric="map@r"),))
    (row,) = compare([one], metric="map@r").rows
    assert (row.value, row.low, row.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("points", "on"),
    [
        (
            [(0.9, 10, 40), (0.8, 5, 20), (0.7, 8, 30)],
            [True, True, False],
        ),  # the third: worse and dearer than the second
        ([(0.9, 10, 40), (0.9, 10, 40)], [True, True]),  # equals do not beat each other
        ([(0.9, 10, 40), (0.9, 10, 31)], [False, True]),  # 31 x 1.25 = 38.75: smaller by more than a quarter
        ([(0.9, 10, 40), (0.9, 10, 33)], [True, True]),  # 33 x 1.25 = 41.25: as large
        ([(0.9, 10, 40), (0.8, 10, 40), (0.8, 7, 50)], [True, False, True]),  # to be quicker is a way to be on it
        ([(0.9, 2.7, 13), (0.8, 2.2, 13)], [True, False]),  # one network timed twice is no cheaper than itself
        ([(0.9, 2.8, 13), (0.8, 2.2, 13)], [True, True]),  # 2.2 x 1.25 = 2.75
        ([(0.9, 12.5, 40), (0.8, 10, 40)], [True, False]),  # a quarter itself is still alike
        ([(0.9, None, 1), (0.5, 10, 40)], [False, True]),  # untold costs neither stand on it nor push off it
        ([(0.9, float("nan"), 1), (0.5, 10, 40)], [False, True]),
    ],
)
def test_on_the_front_is_whom_nobody_beats(points, on):
    costs = [{"milliseconds_per_image": speed, "megabytes": size} for _, speed, size in points]
    assert front([value for value, _, _ in points], costs) == on


def test_costs_that_older_runs_do_not_tell_leave_them_off_the_front():
    new = entry("new", some(0.4), milliseconds_per_image=5.0, megabytes=9.0)
    found = compare([entry("old", some(0.9, 1)), new])
    assert {row.entry.name: row.on_front for row in found.rows} == {"old": False, "new": True}


def test_every_field_that_differs_is_said_with_who_says_what():
    styles, views = protocol_for("style"), Protocol(query_view="side")
    with pytest.raises(DataError) as caught:
        compare(
            [
                entry("a", some(0.5)),
                entry("b", some(0.5), protocol=styles, dataset="shoes-2"),
                entry("c", some(0.5), protocol=views),
            ]
        )
    told = str(caught.value)
    assert "data set: 'shoes-1' in a, c; 'shoes-2' in b" in told
    assert "match: 'product' in a, c; 'style' in b" in told
    assert "left_out" not in told  # it follows from the match
    assert "query_view: '' in a, b; 'side' in c" in told
    assert "split" not in told


def test_a_methods_own_way_to_search_may_differ():
    one, other = entry("a", some(0.5)), entry("b", some(0.5), protocol=Protocol(color_weight=0.3))
    other = replace(other, protocol={**other.protocol, "search": "k_reciprocal"})
    assert len(compare([one, other]).rows) == 2


def test_who_was_asked_other_queries_is_told_how_many_are_missing():
    short = replace(entry("short", some(0.5)), tables=(table(some(0.5))[:80],))
    other = table(some(0.5)).with_columns(pl.col("image").str.replace("000", "999"))
    swapped = replace(entry("swapped", some(0.5), some(0.5)), tables=(table(some(0.5)), other))
    with pytest.raises(DataError) as caught:
        compare([entry("whole", some(0.5)), short, swapped])
    told = str(caught.value)
    assert "short lacks 10 of the 90 of whole\n" in told
    assert "swapped (seed 1) lacks 1 of the 90 of whole, and has 1 that are not there" in told
    assert "swapped (seed 0)" not in told


def test_a_figure_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(DataError, match=r"metric=map@r: a has no such figure; there are recall@1"):
        compare([entry("a", some(0.5))], metric="map@r")
    with pytest.raises(DataError, match=r"metric=score: a has no such figure"):
        compare([entry("a", some(0.5))], metric="score")


def test_a_query_told_twice_or_not_at_all_is_refused():
    whole = table(some(0.5))
    twice = replace(entry("a", some(0.5)), tables=(pl.concat([whole, whole[:2]]),))
    with pytest.raises(DataError, match="a: 2 of 92 queries are there twice"):
        compare([twice])
    holes = whole.with_columns(pl.when(pl.col("image") == "004.jpg").then(None).otherwise("recall@1").alias("recall@1"))
    with pytest.raises(DataError, match="a: 1 of 90 queries have no recall@1"):
        compare([replace(twice, tables=(holes,))])
    with pytest.raises(DataError, match="a: no query was scored"):
        compare([replace(twice, tables=(whole[:0],))])


def test_names_must_be_there_and_once():
    one = entry("a", some(0.5))
    with pytest.raises(DataError, match="against=b: not among what is compared; there are a"):
        compare([one], against="b")
    with pytest.raises(DataError, match="a: two entries with one name"):
        compare([one, one])
    with pytest.raises(DataError, match="nothing to compare"):
        compare([])
