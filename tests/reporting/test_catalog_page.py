"""The page of the catalog: counts worked by hand, charts, crawls in words, and what a shop wrote as text alone."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.catalog.crawl import Crawl, PriceChange
from lookalike.catalog.presence import SHELF
from lookalike.catalog.store import ImportRecord
from lookalike.reporting import charts
from lookalike.reporting.catalog_page import (
    SHOWN,
    SHOWN_ARRIVALS,
    Overview,
    Tally,
    arrivals,
    money,
    render,
    share,
    tally,
    verdict,
)
from lookalike.reporting.charts import Bin, Column, Span, bar, bins, columns, steps
from lookalike.reporting.tints import named

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def row(product, **facts):
    told = {"shop": "acme", "style": "s", "brand": "Acme", "category": "boots", "color": "Black", "name": "Boot"}
    rest = {"price": 120.0, "currency": "USD", "gone": False, "last_seen": MONDAY, "views": 2}
    return {"product": product, **told, **rest, **facts}


def shelf(*rows):
    return pl.DataFrame(list(rows), schema=SHELF)


def crawl(number=1, **facts):
    told = {"shop": "acme", "scope": "/boots", "complete": True, "permission": "", "status": "published"}
    moments = {"started": MONDAY + number * DAY, "ended": None, "counts": {"pages": 75, "new": 0}, "notes": ()}
    return Crawl(**{"number": number, **told, **moments, **facts})


def change(before, after, **facts):
    told = {"shop": "acme", "product": "1", "name": "Boot", "seen": MONDAY, "currency": "USD"}
    return PriceChange(**{"before": Decimal(before), "after": Decimal(after), **told, **facts})


def contents(*rows, crawls=(), imports=(), **facts):
    told = {"where": "data/catalog.sqlite", "made": MONDAY, "shop": "", "changes": (), "set_aside": 3}
    return Overview(**{"shelf": shelf(*rows), "arrivals": arrivals(crawls, imports), **told, **facts})


def words(page):
    """The page's text without its tags and its style sheet."""
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", "", page)).split())


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether every tag that opens is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# Counts


def test_a_tally_counts_products_those_gone_those_without_a_picture_and_views():
    rows = [
        row("1", views=3),
        row("2", views=0, gone=True),
        row("3", brand="Bolt", views=1),
        row("4", brand="", views=0),
    ]
    first, second, third = tally(shelf(*rows), "brand")
    assert first == Tally(name="Acme", products=2, gone=1, no_picture=1, pictures=3)
    assert first.views == 1.5
    assert (second.name, third.name) == ("no brand", "Bolt")  # of equal counts by name, and "" comes first
    assert [one.known for one in (first, second, third)] == [True, False, True]


def test_what_is_beyond_the_most_frequent_is_summed():
    rows = [row("1"), row("2"), row("3", brand="B", gone=True), row("4", brand="C", views=0)]
    first, rest = tally(shelf(*rows), "brand", 1)
    assert (first.name, first.products) == ("Acme", 2)
    assert rest == Tally(name="2 more", products=2, gone=1, no_picture=1, pictures=2, known=False)


@given(st.lists(st.sampled_from(["A", "B", "", "ß"]), max_size=30), st.integers(1, 5))
def test_a_tally_loses_nobody(brands, most):
    counted = tally(shelf(*(row(str(at), brand=brand) for at, brand in enumerate(brands))), "brand", most)
    assert sum(one.products for one in counted) == len(brands)
    assert len(counted) <= most + 1


def test_of_an_empty_catalog_the_tally_is_empty():
    assert tally(shelf(), "shop") == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [("100", "75.00", "-25.0 %"), ("80", "100", "+25.0 %"), ("0", "10", ""), ("3", "1", "-66.7 %")],
)
def test_a_price_change_in_per_cent(before, after, said):
    assert share(change(before, after)) == said


def test_an_amount_is_written_to_its_digit():
    assert money(Decimal("1234.50"), "USD") == "1,234.50 USD"
    assert money(Decimal("1E+3"), "") == "1,000"


def test_crawls_and_imports_are_one_list_newest_first():
    feed = ImportRecord(
        id=1, kind="feed", source="f.xml", started=MONDAY + 1.5 * DAY, ended=None, status="done", counts={"rows": 9}
    )
    told = arrivals([crawl(1), crawl(2, notes=("why",))], [feed])
    assert [(one.kind, one.source) for one in told] == [("crawl", "acme"), ("feed", "f.xml"), ("crawl", "acme")]
    assert told[0].notes == ("why",)
    assert told[0].told == "pages 75"  # what did not happen is not told


# The verdict


def test_an_empty_catalog_says_what_to_do_next():
    told = verdict(contents())
    assert told["head"] == "The catalog is empty"
    assert "lookalike scrape shop=zappos" in told["text"]
    assert "into=catalog" in told["text"]
    page = render(contents())
    assert "None yet." in words(page)
    assert "<svg" not in page


def test_a_catalog_whose_last_crawls_were_published_is_well():
    told = verdict(contents(row("1"), row("2", shop="bolt"), crawls=[crawl(1, status="failed"), crawl(2)]))
    assert told == {
        "level": "good",
        "head": "2 products of 2 shops",
        "text": "The last crawl of each shop was published.",
    }


def test_a_crawl_that_was_not_published_is_told_first_with_its_reasons():
    told = contents(row("1"), crawls=[crawl(1), crawl(2, status="suspect", notes=("too few", "no prices"))])
    assert verdict(told) == {
        "level": "bad",
        "head": "The last crawl of acme is suspect",
        "text": "Nothing was published: too few; no prices. The catalog keeps what it had: 1 product of 1 shop.",
    }
    assert '<section class="verdict bad">' in render(told)


def test_two_shops_that_said_no_are_both_told():
    bad = [crawl(1, status="suspect", notes=("too few",)), crawl(2, shop="bolt", status="blocked")]
    told = verdict(contents(crawls=bad))
    assert told["head"] == "The last crawl of bolt is blocked; the last crawl of acme is suspect"
    assert told["text"].startswith(
        "Nothing of bolt was published: no reason was kept. Nothing of acme was published: too few. Fill it"
    )


@pytest.mark.parametrize("status", ["running", "abandoned"])
def test_a_crawl_under_way_or_left_says_nothing_of_the_catalog(status):
    assert verdict(contents(row("1"), crawls=[crawl(1), crawl(2, status=status)]))["level"] == "good"
    assert verdict(contents(row("1"), crawls=[crawl(status=status)]))["text"] == "No crawl of a shop has ended yet."


# The page


def whole():
    rows = [row(str(at), brand=f"B{at % 20}", price=10.0 * at, views=at % 5, gone=at % 9 == 0) for at in range(60)]
    rows += [row("e", currency="EUR"), row("n", price=None, currency="", color="")]
    return contents(
        *rows,
        crawls=[crawl(1), crawl(2, status="suspect", notes=("too few",))],
        changes=[change("100", "80", name="Boot «Größe»"), change("80", "100")],
    )


def test_the_page_needs_no_other_file_and_no_script():
    page = render(whole())
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe", "a", "img"} & {tag for tag, _ in tags.seen}
    assert re.search(r"https?:|url\(|@import", page) is None
    assert len(page) < 60_000


def test_the_page_tells_the_main_counts_crawls_and_price_changes():
    text = words(render(whole()))
    assert "62 products 7 of these gone" in text
    assert "3 rows set aside" in text
    assert "2026-03-04 08:30 crawl of acme /boots suspect pages 75 too few" in text
    assert "Boot «Größe» acme:1 100 USD 80 USD -20.0 %" in text
    assert "Times are UTC" in text


@pytest.mark.parametrize("count", [0, 1, SHOWN_ARRIVALS + 10])
def test_a_page_with_any_number_of_crawls(count):
    page = render(contents(row("1"), crawls=[crawl(number) for number in range(1, count + 1)]))
    assert f"Crawls and imports {count} " in words(page)
    assert page.count("crawl of acme") == min(count, SHOWN_ARRIVALS)


def test_prices_of_two_currencies_never_share_an_axis():
    text = words(render(whole()))
    assert "Prices in USD 53 products, 10.00 to 590.00, half below" in text  # 60 without 7 that are gone
    assert "Prices in EUR 1 products, 120.00 to 120.00" in text


def test_prices_without_a_currency_are_told_as_such():
    assert "Prices in no currency 1 products" in words(render(contents(row("1", currency=""))))


def test_a_color_is_drawn_in_itself_and_two_of_them_in_stripes():
    page = render(contents(row("1", color="Black Suede"), row("2", color="Black"), row("3", color="White/Navy")))
    assert "black 2" in words(page)
    assert "white / navy 1" in words(page)
    drawn = re.findall(r'x="([\d.]+)%" width="([\d.]+)%" height="10" style="fill: (#\w+)"', page)
    assert drawn == [("0.00", "100.00", "#1f1e20"), ("0.00", "25.00", "#f4f4f2"), ("25.00", "25.00", "#202c49")]


def test_the_gone_are_the_pale_end_of_a_bar_and_the_rest_has_none():
    rows = [row(str(at), brand="Acme", gone=at == 0, category="", color="") for at in range(4)]
    rows += [row(f"b{at}", brand=f"B{at}", category="", color="") for at in range(SHOWN + 2)]
    page = render(contents(*rows))
    drawn = re.findall(r'x="([\d.]+)%" width="([\d.]+)%" height="10" style="fill: (var\(--\w+\))"', page)
    assert drawn[:3] == [
        ("0.00", "75.00", "var(--bar)"),
        ("75.00", "25.00", "var(--gone)"),
        ("0.00", "25.00", "var(--bar)"),
    ]
    assert len(drawn) == 1 + SHOWN  # 3 brands are summed, no category is no bar
    assert "3 more 3" in words(page)


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways_and_the_console_is_silent(on_a_phone):
    told = whole()
    long = crawl(3, scope="https://shop.example/" + "a" * 200, status="suspect", notes=("x" * 300,))
    wide = [row("w", name="W" * 300, brand="B" * 300, color="C" * 300, shop="S" * 100)]
    page = render(contents(*wide, *told.shelf.to_dicts(), crawls=[long], changes=told.changes, where="/data" * 50))
    said, console = on_a_phone(page)
    width, room, drawn = map(int, re.findall(r"\d+", said))
    assert width == room <= 380
    assert drawn == 18  # bars of 12 brands, 1 category, 2 colors; prices in 2 currencies; views
    assert console == []


HOSTILE = "<script>alert('\"1\"')</script>"


def test_what_a_shop_wrote_is_text_and_never_markup():
    facts = dict.fromkeys(("shop", "product", "brand", "category", "color", "name", "currency"), HOSTILE)
    page = render(
        contents(
            row("1") | facts,
            crawls=[crawl(shop=HOSTILE, scope=HOSTILE, status="suspect", notes=(HOSTILE,), counts={HOSTILE: 1})],
            changes=[change("1", "2", shop=HOSTILE, name=HOSTILE, currency=HOSTILE)],
            where=HOSTILE,
            shop=HOSTILE,
        )
    )
    tags = Tags(page)
    assert tags.open == []
    assert {tag for tag, _ in tags.seen}.isdisjoint({"script"})
    assert {name for _, attributes in tags.seen for name in attributes if name.startswith("on")} == set()
    assert page.count("&lt;script&gt;") > 10


def test_one_shop_alone_is_said_and_counts_no_rows_set_aside():
    page = words(render(contents(row("1"), shop="acme", set_aside=None)))
    assert "of acme alone" in page
    assert "rows set aside" not in page


# Charts


def test_a_histogram_has_round_ends_and_the_few_largest_share_its_last_bin():
    values = [*(float(at) for at in range(100)), 5000.0]  # 98 of 100 lie below 99: bins of 10
    told = bins(values)
    assert told[0] == Bin(low=0.0, high=10.0, count=10)
    assert told[-1] == Bin(low=90.0, high=None, count=11)
    assert len(told) == 10


def empty(low, high):
    """Bins of 2 that nothing lies in."""
    return [Bin(low=at, high=at + 2.0, count=0) for at in range(low, high, 2)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], []),
        ([0.0, 0.0], [Bin(low=0.0, high=1.0, count=2)]),
        ([139.95], [Bin(low=130.0, high=140.0, count=1)]),
        ([10.0, 30.0, 31.0], [Bin(low=10.0, high=12.0, count=1), *empty(12, 30), Bin(low=30.0, high=32.0, count=2)]),
    ],
)
def test_a_histogram_of_few_or_equal_values(values, told):
    assert bins(values) == told


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_a_histogram_loses_no_value_and_stays_small(values):
    told = bins(values)
    assert sum(one.count for one in told) == len(values)
    assert len(told) <= charts.MOST_BINS + 2


@given(st.floats(1e-6, 1e9))
def test_a_round_step_is_not_smaller_and_less_than_three_times_as_large(step):
    assert step * (1 - 1e-6) <= charts.round_up(step) < 2.51 * step


def test_steps_hold_until_the_next_and_leave_a_gap_where_nothing_held():
    spans = [
        Span(start=MONDAY, end=MONDAY + DAY, value=10.0, shown="10"),
        Span(start=MONDAY + DAY, end=MONDAY + 2 * DAY, value=20.0, shown="20"),
        Span(start=MONDAY + 3 * DAY, end=MONDAY + 4 * DAY, value=10.0, shown="10"),
    ]
    line = re.search(r'class="line" d="([^"]*)"', steps(spans, "price"))[1]
    assert re.sub(r"[\d. ]+", "", line) == "MHLHMH"
    assert re.findall(r"H([\d.]+)", line) == ["87.0", "170.0", "336.0"]  # a quarter, a half, all of 4 to 336


def test_one_price_that_never_changed_is_a_level_line():
    drawn = steps([Span(start=MONDAY, end=MONDAY, value=10.0, shown="10 €")], "price")
    assert drawn.count("10 €") == 2  # beside the line, and on its dot
    assert drawn.count("2026-03-02") == 2  # one date below, and on its dot
    assert steps([], "price") == ""


def test_no_column_and_columns_of_nothing_can_be_drawn():
    assert "<rect" not in columns([], "none")
    assert 'height="0.0"' in columns([Column(label="0", count=0)], "none")
    assert "<rect" not in bar([])


@pytest.mark.parametrize(
    ("said", "colors"),
    [
        ("Black Smooth Leather", ("black",)),
        ("GRAY/white", ("grey", "white")),
        ("Rose Gold Metallic", ("rose gold", "metallic")),
        ("rose-gold", ("rose gold",)),
        ("Redwood", ()),
        ("Black/White/Red/Navy", ("black", "white", "red")),
        ("", ()),
        ("Größe 42", ()),
    ],
)
def test_the_colors_that_are_named(said, colors):
    assert named(said) == colors
