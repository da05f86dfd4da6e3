"""A comparison in words: what is said of two and of many, what is bold, and that Markdown shows names as they are."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lookalike.reporting import leaderboard
from lookalike.retrieval.comparison import Comparison, Entry, Row, compare
from lookalike.retrieval.significance import Difference


def entry(name, hits, *, seeds=1, learns=True, label="", **cost):
    """`hits`: of 20 products with a query each, how many find their twin, the same in each seed."""
    images = [f"i{at:02d}" for at in range(20)]
    found = [float(at < hits) for at in range(20)]
    table = pl.DataFrame({"image": images, "product": images, "style": images, "recall@1": found})
    return Entry(
        name=name,
        label=label or name,
        tables=(table,) * seeds,
        seeds=tuple(range(seeds)),
        dataset="toy@abc",
        protocol={"match": "product", "split": "test"},
        cost=cost,
        learns=learns,
    )


def test_two_that_are_not_distinguishable_are_told_in_one_sentence():
    said = leaderboard.answer(compare([entry("a", 11, seeds=2), entry("b", 10, seeds=2)]))
    # one of 20 differs: its sign is all there is to be flipped, so that every draw is as large
    assert said == (
        "not distinguishable: difference +0.050 (0.000 to +0.150), p = 1.00 by permutation (recall@1 of a less that of b)."
    )


def test_two_that_differ_say_which_is_better():
    said = leaderboard.answer(compare([entry("b", 2, learns=False), entry("A", 18, learns=False)]))
    assert said.startswith("A is better: difference +0.800 (+0.")
    assert said.endswith("p < 0.001 by permutation (recall@1 of A less that of b).")


def test_of_many_the_winner_is_told_or_those_that_share_the_top():
    rest = [entry("low", 1, learns=False), entry("lower", 0, learns=False)]
    won = leaderboard.verdict(compare([*rest, entry("top", 19, learns=False)]))
    assert (won.level, won.head) == ("good", "top is better than every other")
    assert won.text.startswith("Its recall@1 is 0.950; less that of the next, low, +0.900 (+0.")
    assert won.text.endswith("Beside top: 2 worse.")
    shared = leaderboard.verdict(compare([*rest, entry("top", 19, learns=False), entry("next", 18, learns=False)]))
    assert (shared.level, shared.head) == ("plain", "No entry is better than every other")
    assert shared.text == (
        "At the top, none of them distinguishable from the first by recall@1: top, next. "
        "Beside top: 2 worse, 1 not distinguishable."
    )


def test_one_entry_alone_is_listed_and_not_judged():
    alone = compare([entry("a", 3)])
    assert leaderboard.answer(alone).startswith("One entry alone. There is nothing to compare it with.")
    (line,) = leaderboard.lines(alone)
    assert (line.value, line.difference, line.p, line.word) == ("0.150", "-", "-", "the reference")
    assert "**" not in leaderboard.markdown(alone)


def test_what_learnt_once_is_marked_and_what_never_learns_is_not():
    compared = compare([entry("once", 9), entry("twice", 8, seeds=2), entry("never", 7, learns=False)])
    assert [line.seeds for line in leaderboard.lines(compared)] == ["1*", "2", "1"]
    assert leaderboard.cautions(compared) == [
        "One entry was learnt once (*): what another seed would give is not in these figures."
    ]
    assert leaderboard.cautions(compare([entry("a", 9, seeds=2), entry("b", 8, learns=False)])) == []


def test_better_and_worse_are_said_beside_the_reference_that_is_named():
    compared = compare(
        [entry(name, hits, learns=False) for name, hits in (("a", 19), ("b", 10), ("c", 1))], against="b"
    )
    assert [line.word for line in leaderboard.lines(compared)] == ["better", "the reference", "worse"]
    assert leaderboard.columns(compared)[5].title == "difference to b (95 % interval)"


def test_a_cost_that_was_not_measured_is_a_dash_and_a_small_one_keeps_its_digits():
    costs = {"training_minutes": 0, "milliseconds_per_image": 12.34, "megabytes": 0.0123, "dimensions": 1280.0}
    known, unknown = leaderboard.lines(compare([entry("a", 3, **costs), entry("b", 2, megabytes=None)]))
    assert known.costs == ("0", "12.3", "0.012", "1280")
    assert unknown.costs == ("-", "-", "-", "-")


@pytest.mark.parametrize(
    ("p", "written"),
    [(1.0, "1.00"), (0.612, "0.61"), (0.0512, "0.051"), (0.05, "0.050"), (0.0312, "0.031"), (0.001, "0.001")],
)
def test_a_p_as_it_is_written(p, written):
    assert leaderboard.p_value(p) == written


@given(st.floats(0, 1))
@example(0.04996)
@example(0.0009999)
def test_a_p_below_the_level_never_reads_as_one_that_is_not(p):
    written = leaderboard.p_value(p)
    assert (p < 0.05) == (written.startswith("<") or float(written) < 0.05)


def test_only_the_line_that_is_better_than_every_other_is_bold():
    entries = [entry("top", 20, learns=False), entry("mid", 6, learns=False), entry("low", 5, learns=False)]
    bold = [line for line in leaderboard.markdown(compare(entries)).splitlines() if "**" in line]
    assert len(bold) == 1
    assert bold[0].startswith("| **1** | **top** | **1** | **1.000 (0.832 to 1.000)** |")
    assert "**" not in leaderboard.markdown(compare(entries[1:]))


def test_markdown_shows_names_as_they_are():
    hostile = entry("x", 3, label="a|b\n`c` *d* <e> [f](g) \\")
    table = leaderboard.markdown(compare([hostile, entry("y", 2)]))
    assert r"| 1 | a\|b \`c\` \*d\* \<e\> \[f\](g) \\ |" in table
    assert {line.replace("\\|", "").count("|") for line in table.splitlines() if line.startswith("|")} == {13}


def test_the_figures_for_machines_hold_rows_pairs_and_where_the_runs_lie():
    compared = compare([entry("a", 11, seeds=2), entry("b", 10, megabytes=3.0)])
    told = leaderboard.told(compared, {"a": ["runs/a/1", "runs/a/2"], "b": ["runs/b/1"]})
    first, second = told["rows"]
    assert (first["place"], first["runs"], first["means"], first["spread"]) == (
        1,
        ["runs/a/1", "runs/a/2"],
        [0.55, 0.55],
        0.0,
    )
    assert (second["cost"], second["difference"]["value"]) == ({"megabytes": 3.0}, pytest.approx(-0.05))
    assert [(one["first"], one["second"]) for one in told["pairs"]] in (
        [("a", "b"), ("b", "a")],
        [("b", "a"), ("a", "b")],
    )
    assert (told["queries"], told["dataset"], told["against"], told["winner"]) == (20, "toy@abc", "a", "")


def test_a_difference_just_below_the_level_is_worse_and_at_it_is_not():
    def row(p):
        found = Difference(value=-0.1, low=-0.2, high=0.0, p=p, seeds=(1, 1))
        told = {"value": 0.5, "low": 0.4, "high": 0.6, "spread": None, "best": False, "on_front": False}
        return Row(entry=entry("a", 1), against=found, p_holm=p, **told)

    assert [leaderboard.word(row(p)) for p in (0.0499, 0.05)] == ["worse", "not distinguishable"]


def test_the_front_is_named_where_costs_are_known():
    cheap = {"milliseconds_per_image": 1.0, "megabytes": 1.0}
    dear = {"milliseconds_per_image": 9.0, "megabytes": 9.0}
    compared: Comparison = compare([entry("a", 9, **dear), entry("b", 8, **cheap), entry("c", 7, **dear)])
    assert (
        leaderboard.on_front(compared) == "On the Pareto front of recall@1, milliseconds an image and megabytes "
        "(costs within a quarter count as equal): a, b."
    )
    assert leaderboard.on_front(compare([entry("a", 9), entry("b", 8)])) == ""


def test_a_column_stands_over_every_cell_and_tells_its_group_and_its_side():
    compared = compare([entry("a", 9), entry("b", 8)])
    over, (line, _) = leaderboard.columns(compared), leaderboard.lines(compared)
    assert len(over) == len(line.cells)
    assert [one.title for one in over if one.left] == ["name", "so it is"]
    assert {one.group for one in over} == {"", *leaderboard.GROUPS}
    assert [one.title for one in over if not one.group] == ["place", "name"]
    rule = next(one for one in leaderboard.markdown(compared).splitlines() if one.startswith("| ---"))
    assert rule.split(" | ")[:3] == ["| ---:", "---", "---:"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(-0.0004, "0.000"), (0.0, "0.000"), (0.0004, "0.000"), (-0.0006, "-0.001"), (0.05, "+0.050")],
)
def test_a_difference_that_is_rounded_to_nothing_has_no_sign(value, written):
    assert leaderboard.signed(value) == written


def test_runs_that_are_left_out_are_told_in_markdown_and_for_machines():
    compared = compare([entry("a", 9), entry("b", 8)])
    note = "a: 2 older runs of this name left out: they differ in optimiser.head_lr"
    assert leaderboard.markdown(compared, [note]).endswith(
        "\n\n- a: 2 older runs of this name left out: they differ in optimiser.head\\_lr\n"
    )
    folders = {"a": ["x"], "b": ["y"]}
    assert leaderboard.told(compared, folders, [note])["notes"] == [note]
    assert leaderboard.told(compared, folders)["notes"] == []


def test_of_many_that_are_all_alike_it_is_said_once():
    alike = compare([entry(name, 11, learns=False) for name in "abcde"])
    assert leaderboard.answer(alike) == "No difference: all 5 are not distinguishable."
    # the last is worse than the first, so that not all are alike
    apart = compare([entry("a", 11, learns=False), entry("b", 11, learns=False), entry("c", 1, learns=False)])
    assert leaderboard.answer(apart).startswith("No entry is better than every other. At the top")


def test_where_only_pairs_further_down_differ_the_top_is_named_once():
    entries = [entry(name, hits, seeds=2) for name, hits in (("a", 12), ("b", 12), ("c", 12))]
    alike = compare(entries)
    second, third = alike.rows[1].entry.name, alike.rows[2].entry.name
    apart = {pair: replace(one, p=0.01) if "a" not in pair else one for pair, one in alike.pairs.items()}
    assert {second, third} == {"b", "c"}
    assert leaderboard.answer(replace(alike, pairs=apart)) == (
        "No entry is better than every other. None is distinguishable from a, the first, by recall@1; "
        "of all 3 pairs 1 can be told apart."
    )


def with_row(compared, **said):
    """The same comparison, its second line altered."""
    first, second, *rest = compared.rows
    return replace(compared, rows=(first, replace(second, **said), *rest))


def found(low, high, p=0.02):
    return Difference(value=(low + high) / 2, low=low, high=high, p=p, seeds=(1, 1))


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "told"),
    [
        (-0.3, -0.1, 0.13, True),
        (0.1, 0.3, 0.13, True),
        (-0.3, 0.1, 0.13, False),  # 0 lies within
        (-0.3, -0.0004, 0.13, False),  # it reads 0.000
        (-0.3, -0.1, 0.04, False),  # a difference is told
    ],
)
def test_an_interval_without_0_beside_not_distinguishable_is_explained_and_nothing_else(low, high, p_holm, told):
    three = compare([entry(name, hits, learns=False) for name, hits in (("a", 11), ("b", 10), ("c", 9))])
    said = leaderboard.puzzles(with_row(three, against=found(low, high), p_holm=p_holm))
    assert (said != "") == told
    if told:
        assert said.startswith("An interval leaves out 0 where no difference is told (b): ")
        assert (said in leaderboard.markdown(three)) is False
        assert leaderboard.puzzles(three) == ""


def test_what_p_is_corrected_for_is_counted():
    three = [entry(name, hits, learns=False) for name, hits in (("a", 16), ("b", 10), ("c", 4))]
    without = compare(three)  # all pairs of three
    odd = replace(without.rows[1].against, low=-0.4, high=-0.1)
    pairs = {**without.pairs, ("b", "a"): replace(without.pairs["b", "a"], p=0.13)}
    assert "corrected for 3 comparisons." in leaderboard.puzzles(
        replace(with_row(without, against=odd, p_holm=0.13), pairs=pairs)
    )
    named = replace(with_row(without, against=odd, p_holm=0.12), family=2)
    assert "corrected for 2 comparisons." in leaderboard.puzzles(named)
    two = compare(three[:2])
    said = leaderboard.puzzles(
        replace(with_row(two, against=odd, p_holm=0.13), pairs={("b", "a"): replace(odd, p=0.13), **{}})
    )
    assert said.endswith("p is by permutation.")


@pytest.mark.parametrize(
    ("match", "count", "said"), [("product", 20, []), ("style", 9, ["Only 9 styles: little can be found."])]
)
def test_few_that_carry_the_queries_are_a_caution(match, count, said):
    def of(name):
        one = entry(name, 9, learns=False)
        table = one.tables[0].with_columns(style=pl.Series([f"s{at % count}" for at in range(20)]))
        return replace(one, tables=(table,), protocol={"match": match, "split": "test"})

    assert leaderboard.cautions(compare([of("a"), of("b")])) == said
