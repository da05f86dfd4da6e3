"""The page of a comparison: scales and fronts worked by hand, what is colored and what is bold, and how it reads on a phone."""

import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.reporting import plots
from lookalike.reporting.comparison_page import MOST_BESIDE, MOST_SLICES, breaks, pairs, render, slices, strips
from lookalike.reporting.plots import Point, Span, front, scale, scatter, strip
from lookalike.retrieval.comparison import Entry, compare

MADE = datetime(2026, 11, 20, 14, tzinfo=UTC)
RULES = {
    "match": "product",
    "split": "test",
    "twin": "a gallery picture with the query's product",
    "similarity": "cosine",
}


def entry(name, *hits, label="", learns=False, protocol=RULES, **cost):
    """`hits`: of 20 products with a query each, how many find their twin, seed by seed."""
    images = [f"i{at:02d}" for at in range(20)]
    told = pl.DataFrame({"image": images, "product": images, "style": images})
    return Entry(
        name=name,
        label=label or name,
        tables=tuple(told.with_columns(_found("recall@1", one), _found("map@r", one)) for one in hits),
        seeds=tuple(range(len(hits))),
        dataset="toy@abc",
        protocol=protocol,
        cost=cost,
        learns=learns,
    )


def _found(metric, hits):
    return pl.Series(metric, [float(at < hits) for at in range(20)])


def sliced(column="category", metric="recall@1", **values):
    """metrics.json with slices; `values`: (figure, queries)."""
    return {"slices": {column: {name: {metric: {"value": one, "queries": n}} for name, (one, n) in values.items()}}}


def page_of(entries, metrics=None, **said):
    compared = compare(entries, **said)
    metrics = metrics or {one.name: [{}] * len(one.tables) for one in entries}
    return render(compared, metrics, {one.name: [f"runs/{one.name}"] for one in entries}, made=MADE)


def words(page):
    """The page's text without its tags, its style sheet and what a plot says when it is pointed at."""
    bare = re.sub(r"(?s)<style>.*?</style>|<title>.*?</title>|<wbr>", "", page)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", bare)).split())


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether every tag that opens is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "br", "wbr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


FOUR = (
    entry("top", 19, 19, 20, milliseconds_per_image=10.0, megabytes=13.0),
    entry("mid", 7, milliseconds_per_image=5.0, megabytes=13.0),
    entry("near", 6, milliseconds_per_image=50.0, megabytes=90.0, learns=True),
    entry("low", 1),
)


# The page


def test_a_named_reference_has_fewer_comparisons_than_the_matrix_and_the_page_says_so():
    said = "Here that is over 6 comparisons, in the table above over the 3 with the reference, which was named before"
    assert said in words(page_of(FOUR, against="top"))
    assert "Here that is over" not in words(page_of(FOUR))


def test_the_page_needs_no_other_file_and_no_script():
    page = page_of(FOUR)
    tags = Tags(page)
    assert page.startswith("<!doctype html>")
    assert tags.open == []
    assert not {"script", "link", "iframe", "a", "img"} & {tag for tag, _ in tags.seen}
    assert re.search(r"https?:|url\(|@import", page) is None


def test_the_page_tells_the_answer_the_protocol_and_how_to_read_it():
    text = words(page_of(FOUR))
    assert (
        "4 entries by recall@1 on toy@abc , 20 queries, compared on 2026-11-20 14:00 UTC top is better than every other"
        in text
    )
    assert "One entry was learnt once (*)" in text
    assert "twin a gallery picture with the query's product" in text
    assert "Holm's correction raises each p" in text
    assert "runs/near" in text


def test_the_leaderboard_stands_in_its_order_with_a_dash_for_what_was_not_measured():
    text = words(page_of(FOUR))
    board = text[text.index("Leaderboard") : text.index("All pairs")]
    assert re.findall(r"(\d) (top|mid|near|low) ", board) == [("1", "top"), ("2", "mid"), ("3", "near"), ("4", "low")]
    assert re.search(r"top 3 0\.967 \(0\.\d+ to 1\.000\) 0\.029 - - the reference - 10\.0 13\.0 - ", board)
    assert re.search(r"low 1 0\.050 .* worse - - - - $", board)


def test_only_what_is_better_than_every_other_is_bold():
    won = [line for line in page_of(FOUR).splitlines() if '"won"' in line or ' won"' in line]
    assert len(won) == 2  # its strip and its line of the leaderboard
    assert all("top" in line for line in won)
    without = page_of(FOUR[1:])
    assert 'class="won"' not in without
    assert "Nothing is in bold: no entry is significantly better than every other" in words(without)


def test_two_entries_and_one_alone_have_a_page_too():
    assert "Not distinguishable difference +0.050" in words(page_of(FOUR[1:3]))
    alone = words(page_of(FOUR[:1]))
    assert "One entry alone" in alone
    assert "All pairs" not in alone


HOSTILE = "<script>alert('\"1\"')</script>"


def test_what_a_run_is_called_is_text_and_never_markup():
    rules = dict.fromkeys(RULES, HOSTILE)
    entries = [entry(HOSTILE, 9, label=HOSTILE, protocol=rules, megabytes=1.0), entry("b", 3, protocol=rules)]
    told = {one.name: [sliced(**{HOSTILE: (0.5, 9), "b": (0.1, 2)})] for one in entries}
    page = page_of(entries, told)
    tags = Tags(page)
    assert tags.open == []
    assert "script" not in {tag for tag, _ in tags.seen}
    assert {name for _, attributes in tags.seen for name in attributes if name.startswith("on")} == set()
    assert page.count("&lt;script&gt;") > 10


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways_and_the_console_is_silent(on_a_phone):
    long = [
        entry(f"{at}{'-long' * 40}", at, megabytes=1.0 + at, protocol=RULES | {"twin": "t" * 300}) for at in range(14)
    ]
    told = {one.name: [sliced(**{"c" * 200: (0.5, 9), "d" * 200: (0.1, 2)})] for one in long}
    said, console = on_a_phone(page_of(long, told))
    width, room, drawn = map(int, re.findall(r"\d+", said))
    assert width == room <= 380
    assert drawn == 2 * 14 + 2 + 1  # two strips an entry, their axes, one plot of costs
    assert console == []


# Strips


def test_a_scale_holds_all_values_and_has_round_numbers_along_it():
    told = scale([0.12, 0.88])
    assert told.low < 0.12
    assert told.high > 0.88
    assert told.ticks == (0.25, 0.5, 0.75)
    assert told.share(told.low) == 0
    assert told.share(0.5) == pytest.approx(0.5)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_whatever_the_values_each_lies_on_the_scale_and_there_is_something_to_read(values):
    told = scale(values)
    assert all(0 < told.share(one) < 1 for one in values)
    assert 1 <= len(told.ticks) <= plots.TICKS + 2


def test_a_strip_shows_the_interval_the_value_its_seeds_and_the_reference():
    along = plots.Scale(low=0.0, high=2.0, ticks=(1.0,))
    drawn = strip(Span(value=1.0, low=0.5, high=1.5, dots=(0.8, 1.2), tone="worse", says="a & b"), along, 0.2)
    assert re.findall(r'<line class="(\w+)" x1="([\d.]+)%" x2="([\d.]+)%"', drawn) == [
        ("grid", "50.00", "50.00"),
        ("mark", "10.00", "10.00"),
        ("whisker", "25.00", "75.00"),
    ]
    assert re.findall(r'<circle class="(\w+)" cx="([\d.]+)%"', drawn) == [
        ("seed", "40.00"),
        ("seed", "60.00"),
        ("dot", "50.00"),
    ]
    assert drawn.startswith('<svg class="strip worse"')
    assert "<title>a &amp; b</title>" in drawn


def test_of_one_seed_there_is_nothing_to_show_beside_its_value():
    told = strips(compare(FOUR))
    assert [drawn.count('class="seed"') for drawn in told.values] == [3, 0, 0, 0]
    assert "the reference" in told.differences[0]
    assert all("worse" in drawn for drawn in told.differences[1:])


# All pairs


def test_a_pair_is_the_row_less_the_column_and_colored_only_where_it_is_significant():
    compared = compare(FOUR)
    told = pairs(compared)
    assert [[cell.text for cell in row] for row in told] == [
        ["", "+0.617", "+0.667", "+0.917"],
        ["-0.617", "", "+0.050", "+0.300"],
        ["-0.667", "-0.050", "", "+0.250"],
        ["-0.917", "-0.300", "-0.250", ""],
    ]
    names = [row.entry.name for row in compared.rows]
    for row, ours in zip(told, names, strict=True):
        for cell, theirs in zip(row, names, strict=True):
            if ours != theirs:
                assert (cell.heat > 0) == (compared.pairs[ours, theirs].p < 0.05)
    assert (told[0][3].tone, told[3][0].tone, told[1][2].tone) == ("better", "worse", "")
    assert told[0][3].heat == told[3][0].heat > told[0][1].heat > 0
    assert told[0][3].says.startswith("top less low: +0.917 (")


def test_of_many_entries_the_first_stand_side_by_side():
    compared = compare([entry(f"e{at:02d}", at % 20) for at in range(MOST_BESIDE + 2)])
    assert (len(pairs(compared)), len(pairs(compared)[0])) == (MOST_BESIDE, MOST_BESIDE)


# Costs


def point(cost, value, label="1"):
    return Point(cost=cost, value=value, label=label)


def test_the_front_is_what_nothing_beats_in_both_the_cheapest_first():
    points = [point(10, 0.9), point(5, 0.7), point(20, 0.8), point(5, 0.6), point(1, 0.1), point(10, 0.9)]
    assert front(points) == [4, 1, 0]
    # 2.2 and 2.7 are one network timed twice (2.2 x 1.25 = 2.75), 2.2 and 2.8 are not
    assert front([point(2.2, 0.8), point(2.7, 0.9)]) == [1]
    assert front([point(2.2, 0.8), point(2.8, 0.9)]) == [0, 1]
    assert front([point(2.2, 0.8), point(2.7, 0.8)]) == [0]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=20))
def test_nothing_beats_a_point_of_the_front_and_something_is_as_good_as_any_other(told):
    points = [point(cost, value) for cost, value in told]
    kept = [points[at] for at in front(points)]
    for one in points:
        as_good = [by for by in points if by.cost <= 1.25 * one.cost and by.value >= one.value]
        better = [by for by in as_good if by.value > one.value]
        cheaper = [by for by in as_good if by.cost < one.cost]
        assert (one in kept) == (not better and not cheaper)


def test_costs_are_drawn_over_their_logarithm_with_the_front_as_steps():
    drawn = scatter([point(1, 0.1, "3"), point(10, 0.5, "2"), point(100, 0.4, "1")], "what", "below")
    at = [float(x) for x in re.findall(r'<circle class="dot[^"]*" cx="([\d.]+)"', drawn)]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1], abs=0.11)
    steps = re.search(r'class="front" d="([^"]*)"', drawn)[1]
    assert re.sub(r"[\d. ]+", "", steps) == "MHVH"  # from the first up to the second, and level to the edge
    assert re.findall(r">(\d+|below)</text>", drawn)[-4:] == ["3", "2", "1", "below"]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=8))
def test_no_label_lies_on_what_is_written_along_the_axes(told):
    drawn = scatter([point(cost, value, f"#{at}") for at, (cost, value) in enumerate(told)], "what", "below")
    for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle">#', drawn):
        assert float(x) > plots.LEFT
        assert float(y) < plots.HEIGHT - plots.BOTTOM


def test_costs_that_are_all_alike_are_a_sentence_and_no_chart():
    speeds = [1.0, 2.0, 3.0]
    alike = [entry(f"e{at}", at, megabytes=20.0 + at / 20, milliseconds_per_image=speeds[at]) for at in range(3)]
    text = words(page_of(alike))  # 20.0 to 20.1 is half a per cent
    assert "All have the same megabytes (20.1), so there is no chart of it." in text
    assert "against milliseconds an image" in text
    assert "against megabytes" not in text
    assert "against megabytes" in words(page_of([*alike, entry("more", 4, megabytes=20.3)]))
    old = entry("old", 4)
    assert "The 3 that were measured have the same megabytes" in words(page_of([*alike, old]))


def test_a_name_may_break_at_its_joints_and_a_long_word_every_few_letters():
    assert breaks("a_b-c/<d>") == "a_<wbr>b-<wbr>c/<wbr>&lt;d&gt;"
    assert breaks("gray_histogram_learnt") == "gray_<wbr>histogram_<wbr>learnt"
    assert breaks("x" * 20).split("<wbr>")[0] == "x" * 16
    assert re.sub("<wbr>", "", breaks("gray__histogram--learnt")) == "gray__histogram--learnt"


def test_an_interval_that_puzzles_is_explained_under_the_table_and_only_there():
    # 5 products differ, all one way: an interval above 0, and p = 2 / 2^5 = 0.06 at best
    page = words(page_of([entry("a", 9), entry("b", 4)]))
    assert "An interval leaves out 0 where no difference is told (b): intervals are" in page
    assert "An interval leaves out 0" not in words(page_of(FOUR))


def test_without_a_cost_there_is_no_plot_and_who_has_none_is_counted():
    assert scatter([], "what", "below") == ""
    assert "What it costs" not in words(page_of([entry("a", 9), entry("b", 3)]))
    assert "of weights; 1 not measured" in words(page_of(FOUR))


# Slices


def test_slices_stand_side_by_side_and_of_several_seeds_it_is_their_mean():
    entries = [entry("a", 9, 9), entry("b", 3)]
    told = {
        "a": [sliced(boots=(0.5, 9), heels=(1.0, 4)), sliced(boots=(0.7, 9), heels=(1.0, 4))],
        "b": [sliced(boots=(0.2, 9))],
    }
    (found,) = slices(compare(entries), told)
    assert (found.column, found.metric, found.more) == ("category", "recall@1", 0)
    assert [(value, queries, [cell.text for cell in cells]) for value, queries, cells in found.rows] == [
        ("boots", 9, ["0.600", "0.200"]),
        ("heels", 4, ["1.000", "-"]),
    ]
    assert "recall@1 by category" in words(page_of(entries, told))


def test_a_column_with_one_value_is_no_slice_and_the_rarer_values_are_counted():
    entries = [entry("a", 9), entry("b", 3)]
    one = sliced(boots=(0.5, 9))
    many = sliced(**{f"v{at:02d}": (0.5, 100 - at) for at in range(MOST_SLICES + 3)})
    assert slices(compare(entries), {"a": [one], "b": [one]}) == []
    (found,) = slices(compare(entries), {"a": [many], "b": [many]})
    assert (len(found.rows), found.more, found.rows[0][0]) == (MOST_SLICES, 3, "v00")


def test_a_slice_shows_the_metric_where_it_has_it_and_else_recall():
    entries = [entry("a", 9), entry("b", 3)]
    compared = compare(entries, metric="map@r")
    for metric in ("map@r", "recall@1"):
        told = {one.name: [sliced(metric=metric, boots=(0.5, 9), heels=(1.0, 4))] for one in entries}
        assert slices(compared, told)[0].metric == metric


def test_runs_that_are_left_out_are_told_on_the_page():
    compared = compare(FOUR)
    metrics = {one.name: [{}] * len(one.tables) for one in FOUR}
    page = render(compared, metrics, {one.name: ["x"] for one in FOUR}, made=MADE, notes=["top: <2> older runs"])
    assert "top: <2> older runs." in words(page)
    assert "older runs" not in words(page_of(FOUR))
