"""The gate after a crawl: each check at its very threshold, and each sentence as the shop's keeper reads it."""

import random
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lookalike.catalog.crawl import GONE, ROBOTS
from lookalike.catalog.crawls import CrawlTables
from lookalike.catalog.gate import judge
from lookalike.settings import Gate

PRODUCTS = {
    **dict.fromkeys(("product", "style", "brand", "category", "color", "name", "url"), pl.String),
    "price": pl.Float64,
    "currency": pl.String,
    "rating": pl.Float64,
    **dict.fromkeys(("stock", "views", "told"), pl.Int64),
    "price_as_given": pl.String,
    "steps": pl.Int64,
}
PICTURES = dict.fromkeys(("product", "url", "view", "sha256", "reason"), pl.String)
PAGES = dict.fromkeys(("kind", "key", "url", "status", "generation", "reason"), pl.String)
ODD = dict.fromkeys(("item", "reason"), pl.String)


def boot(number, **known):
    """A product with all that a product may have."""
    return {
        "product": f"{number:04}",
        "style": f"s{number}",
        "brand": "Acme",
        "category": "Boots",
        "color": "Black",
        "name": f"Boot {number}",
        "url": f"https://shop.example/p/{number}",
        "price": 120.0,
        "currency": "USD",
        "rating": 4.5,
        "stock": 7,
        "views": 1,
        "told": 1,
        "price_as_given": "$120.00",
        "steps": 1,
        **known,
    }


def picture(number, name="a", reason="", **known):
    """A picture of a product; one with a reason did not come."""
    return {
        "product": f"{number:04}",
        "url": f"https://cdn.example/{number}/{name}.jpg",
        "view": "",
        "sha256": "" if reason else f"{number:060}{ord(name):04}",
        "reason": reason,
        **known,
    }


def page(number, status="done", kind="product", reason=""):
    at = f"https://shop.example/{kind}/{number}"
    return {"kind": kind, "key": at, "url": at, "status": status, "generation": "plain", "reason": reason}


def crawl(products, *, pictures=None, pages=(), odd=()):
    """What a crawl brought: by default one picture of each product."""
    shown = [picture(int(one["product"])) for one in products] if pictures is None else pictures
    return CrawlTables(
        products=pl.DataFrame(products, schema=PRODUCTS, orient="row"),
        pictures=pl.DataFrame(shown, schema=PICTURES, orient="row"),
        pages=pl.DataFrame(pages, schema=PAGES, orient="row"),
        odd=pl.DataFrame(odd, schema=ODD, orient="row"),
    )


def boots(count, first=1, **known):
    return [boot(number, **known) for number in range(first, first + count)]


def some_without(count, without, **nothing):
    """So many boots, of which the first few lack something."""
    return [*boots(without, **nothing), *boots(count - without, first=without + 1)]


def check(name, now, before=None, *, complete=True, **gate):
    """The one check of that name."""
    verdict = judge(now, before, Gate(**gate), complete=complete)
    [found] = [one for one in verdict.checks if one.name == name]
    assert verdict.passed == all(one.passed for one in verdict.checks)
    return found


# All of it


def test_a_crawl_that_is_as_it_should_be_passes_with_nothing_noted():
    good = crawl(boots(20), pages=[page(0, kind="listing"), *map(page, range(1, 21))])
    verdict = judge(good, good, Gate(), complete=True)
    assert verdict.passed
    assert verdict.notes == ()
    assert [one.name for one in verdict.checks] == [
        *("schema: products", "schema: pictures", "schema: pages", "schema: odd"),
        *("fewest", "count", "pages", "listings", "left", "names", "prices", "pictured"),
        *("coverage: brand", "coverage: category", "coverage: color", "coverage: url", "coverage: rating"),
        *("coverage: stock", "odd", "twice", "pictures"),
    ]


def test_what_speaks_against_a_crawl_is_noted_in_the_order_of_the_checks():
    verdict = judge(crawl(boots(1, name="", price=None)), None, Gate(), complete=True)
    assert not verdict.passed
    assert verdict.notes == (
        "0 % of 1 product came with a name; 98 % are wanted. The first without: 0001.",
        "0 % of 1 product came with a price that was understood; 95 % are wanted. "
        "The first without: 0001 (given '$120.00').",
    )


@pytest.mark.parametrize("complete", [True, False])
def test_a_crawl_that_brought_nothing_fails_for_that_alone(complete):
    verdict = judge(crawl([]), None, Gate(), complete=complete)
    assert verdict.notes == ("0 products came; at least 1 must come.",)
    told = {one.name: one.says for one in verdict.checks}
    assert told["names"] == "There are no products to judge."
    assert told["pages"] == "There are no pages to judge."
    assert told["pictures"] == "There are no pictures to judge."
    assert told["twice"] == "0 % of 0 products came before under another id; at most 2 % may."


def test_a_crawl_that_brought_nothing_may_be_allowed():
    assert judge(crawl([]), crawl([]), Gate(fewest=0), complete=True).passed


def test_a_crawl_without_a_predecessor_is_judged_by_itself_and_says_so():
    verdict = judge(crawl(boots(3)), None, Gate(), complete=True)
    assert verdict.passed
    told = {one.name: one for one in verdict.checks}
    assert told["count"].says == "3 products came; there is no earlier crawl to compare with."
    assert told["count"].wanted == "anything"
    brand = "100 % of 3 products came with a brand; there is no earlier crawl to compare with."
    assert told["coverage: brand"].says == brand


# How much there is


@pytest.mark.parametrize(("count", "passed"), [(5, True), (4, False)])
def test_fewer_products_than_the_fewest_are_too_few_for_any_crawl(count, passed):
    found = check("fewest", crawl(boots(count)), complete=False, fewest=5)
    assert (found.passed, found.found, found.wanted) == (passed, count, "at least 5")
    assert found.says == f"{count} products came; at least 5 must come."


@pytest.mark.parametrize(
    ("now", "before", "share", "least"),
    [
        (7, 10, 0.7, 7),
        (8, 11, 0.7, 8),  # 7.7
        (7, 100, 0.07, 7),  # 0.07 * 100 is more than 7 in a machine's own numbers
        (1, 3, 0.3, 1),  # 0.9
    ],
)
def test_a_crawl_of_all_must_bring_its_share_of_the_last_good_one(now, before, share, least):
    enough, short = crawl(boots(now)), crawl(boots(now - 1))
    assert check("count", enough, crawl(boots(before)), count=share).passed
    found = check("count", short, crawl(boots(before)), count=share)
    assert (found.passed, found.found, found.wanted) == (False, now - 1, f"at least {least}")


def test_a_count_that_fell_is_told_with_both_numbers():
    found = check("count", crawl(boots(1)), crawl(boots(1500)))
    assert found.says == "1 product came; the last good crawl brought 1,500, and at least 1,050 must come."


def test_a_crawl_that_was_to_stop_early_is_not_counted_against_one_of_all():
    found = check("count", crawl(boots(1)), crawl(boots(100)), complete=False)
    assert (found.passed, found.wanted) == (True, "anything")
    says = "1 product came; the last good crawl is no measure, as this one was not to walk all of its scope."
    assert found.says == says


# Pages


def pages(done, failed, reason="status"):
    bad = [page(number, "failed", reason=reason) for number in range(failed)]
    return [*bad, *map(page, range(failed, failed + done))]


@pytest.mark.parametrize(("done", "failed", "passed"), [(19, 1, True), (18, 1, False)])
def test_nineteen_of_twenty_pages_are_enough(done, failed, passed):
    found = check("pages", crawl(boots(1), pages=pages(done, failed)))
    assert (found.passed, found.found) == (passed, done / (done + failed))
    assert found.wanted == "at least 0.95"


def test_pages_that_could_not_be_read_are_told_by_reason_with_the_first():
    reasons = ["status", "slow", "status", "layout", "half", "slow", "status"]
    failed = [page(number, "failed", reason=reason) for number, reason in enumerate(reasons)]
    found = check("pages", crawl(boots(1), pages=[*failed, page(7)]))
    assert found.says == (
        "12.5 % of 8 pages could be read; 95 % are wanted. What went wrong: status (3), slow (2), half (1), others (1); "
        "the first is https://shop.example/product/0 (status)."
    )


def test_a_page_of_a_product_that_is_gone_is_no_page_that_could_not_be_read():
    asked = [page(1), page(2, "failed", reason="gone"), page(3, "failed", reason="gone"), page(4, "left")]
    found = check("pages", crawl(boots(1), pages=asked))
    assert (found.passed, found.says) == (True, "100 % of 1 page could be read; 95 % are wanted.")


def test_pages_that_robots_txt_does_not_allow_are_told_and_not_held_against_a_crawl():
    kept_out = [page(number, "failed", reason=ROBOTS) for number in range(20, 1040)]
    found = check("pages", crawl(boots(1), pages=[*pages(19, 1), *kept_out]))
    assert (found.passed, found.found) == (True, 0.95)
    assert found.says == (
        "95 % of 20 pages could be read; 95 % are wanted. What went wrong: status (1); "
        "the first is https://shop.example/product/0 (status). Besides, robots.txt does not allow 1,020 pages."
    )
    assert not check("pages", crawl(boots(1), pages=[*pages(18, 1), *kept_out])).passed
    found = check("pages", crawl(boots(1), pages=kept_out[:1]))
    assert found.says == "There are no pages to judge. Besides, robots.txt does not allow 1 page."


@pytest.mark.parametrize("reason", ["status", GONE, ROBOTS])
def test_one_listing_page_that_could_not_be_read_fails_a_crawl_of_all_and_no_other(reason):
    asked = [*map(page, range(99)), page(1, kind="listing"), page(2, "failed", "listing", reason)]
    found = check("listings", crawl(boots(1), pages=asked))
    assert (found.passed, found.found, found.wanted) == (False, 1, "at most 0")
    says = f"1 listing page could not be read, and what lies behind was not seen: https://shop.example/listing/2 ({reason})."
    assert found.says == says
    found = check("listings", crawl(boots(1), pages=asked), complete=False)
    assert (found.passed, found.wanted) == (True, "anything")
    assert found.says == f"{says} This crawl was not to walk all of its scope, so that does not count."


def test_listings_that_could_be_read_are_told_too():
    found = check("listings", crawl(boots(1), pages=[page(1, kind="listing"), page(2, "failed", reason="status")]))
    assert (found.passed, found.says) == (True, "Each listing page that was asked for could be read.")


def test_a_crawl_of_all_leaves_no_page_and_any_other_may():
    asked = [page(1), page(3, "left"), page(2, "left")]
    found = check("left", crawl(boots(1), pages=asked))
    assert (found.passed, found.found, found.wanted) == (False, 2, "at most 0")
    says = "The walk ended with 2 pages still to read; the first is https://shop.example/product/2."
    assert found.says == says
    assert check("left", crawl(boots(1), pages=asked), complete=False).passed
    assert check("left", crawl(boots(1), pages=[page(1)])).says == "No page was left."


# What the products have


@pytest.mark.parametrize(
    ("name", "without", "setting"),
    [
        ("names", {"name": ""}, "names"),
        ("prices", {"price": None, "price_as_given": ""}, "prices"),
    ],
)
def test_a_name_and_a_price_have_a_share_of_their_own(name, without, setting):
    assert check(name, crawl(some_without(10, 3, **without)), **{setting: 0.7}).passed
    found = check(name, crawl(some_without(10, 4, **without)), **{setting: 0.7})
    assert (found.passed, found.found, found.wanted) == (False, 0.6, "at least 0.7")


def test_a_product_is_pictured_when_one_of_its_pictures_came():
    shown = [picture(1), picture(1, "b", "status"), picture(2), picture(3, "a", "status")]
    now = crawl(boots(4), pictures=shown)
    assert check("pictured", now, pictured=0.5).passed
    found = check("pictured", now, pictured=0.51)
    assert (found.passed, found.found) == (False, 0.5)
    assert found.says == "50 % of 4 products came with a picture; 51 % are wanted. The first without: 0003."


@pytest.mark.parametrize(("given", "told"), [("call us", "given 'call us'"), ("", "none given")])
def test_a_price_that_was_not_understood_is_told_as_it_was_given(given, told):
    products = [*boots(62), *boots(38, first=63, price=None, price_as_given=given)]
    assert check("prices", crawl(products)).says == (
        "62 % of 100 products came with a price that was understood; 95 % are wanted. "
        f"The first without: 0063 ({told})."
    )


def test_what_a_shop_writes_cannot_break_out_of_a_sentence():
    given = "\x1b[2J\n" + "9" * 500
    found = check("prices", crawl(boots(1, price=None, price_as_given=given)))
    assert found.says.isprintable()
    assert len(found.says) < 250


def test_a_share_that_just_misses_does_not_read_as_if_it_had_not():
    found = check("names", crawl(some_without(2001, 41, name="")))  # 1960 of 2001 is 0.97951
    assert not found.passed
    assert found.says.startswith("97.9 % of 2,001 products came with a name; 98 % are wanted.")


EMPTY = {"brand": "", "category": "", "color": "", "url": "", "rating": None, "stock": None}


@pytest.mark.parametrize(("field", "nothing"), EMPTY.items())
def test_a_field_may_fall_by_a_tenth_below_the_last_good_crawl_and_no_further(field, nothing):
    before = crawl(some_without(10, 2, **{field: nothing}))  # 0.8, and 0.8 - 0.1 is not 0.7 in a machine's own numbers
    name = f"coverage: {field}"
    assert check(name, crawl(some_without(10, 3, **{field: nothing})), before).passed
    found = check(name, crawl(some_without(10, 4, **{field: nothing})), before)
    assert (found.passed, found.found, found.wanted) == (False, 0.6, "at least 0.7")


def test_a_field_that_fell_is_told_with_what_it_was():
    before, now = crawl(boots(3)), crawl(some_without(3, 3, stock=None))
    found = check("coverage: stock", now, before)
    assert (
        found.says == "0 % of 3 products came with a stock count; 90 % are wanted. In the last good crawl it was 100 %."
    )


def test_a_price_of_nothing_and_a_stock_of_nothing_are_told_things():
    now = crawl(boots(2, price=0.0, stock=0, rating=0.0))
    assert judge(now, now, Gate(), complete=True).passed
    assert check("coverage: stock", now, now).found == 1


def test_a_field_that_the_shop_never_told_may_stay_untold():
    now = crawl(boots(3, **EMPTY, style=""), pictures=[picture(number) for number in (1, 2, 3)])
    assert judge(now, now, Gate(), complete=True).passed
    assert check("coverage: brand", now, now).wanted == "at least 0"


def test_an_empty_last_crawl_is_no_measure_of_a_field():
    assert "no earlier crawl" in check("coverage: brand", crawl(boots(1)), crawl([])).says


# Twice


def test_two_ids_with_one_style_color_and_address_are_one_product():
    again = boot(100, style="s1", url="https://shop.example/p/1")
    now = crawl([*boots(99), again])
    assert check("twice", now, twice=0.01).passed
    found = check("twice", now, twice=0.0099)
    assert (found.passed, found.found, found.wanted) == (False, 0.01, "at most 0.0099")
    assert found.says == (
        "1 % of 100 products came before under another id; at most 0.9 % may. "
        "The first: 0100 is 0001, by style, color and address."
    )


@pytest.mark.parametrize("other", [{"style": "s2"}, {"color": "Red"}, {"url": "https://shop.example/p/2"}])
def test_colorways_and_sizes_of_a_style_are_products_of_their_own(other):
    two = [boot(1), boot(2, **{"style": "s1", "url": "https://shop.example/p/1", **other})]
    assert check("twice", crawl(two)).found == 0


def test_products_without_an_address_are_not_one_for_that():
    assert check("twice", crawl(boots(5, style="s1", url=""))).found == 0


def test_two_ids_with_one_look_are_one_product_in_whatever_order_the_pictures_came():
    two = boots(2, name="Boot", told=2)
    shas = ["a" * 64, "b" * 64]
    shown = [picture(1, "a", sha256=shas[0]), picture(1, "b", sha256=shas[1])]
    shown += [picture(2, "a", sha256=shas[1]), picture(2, "b", sha256=shas[0]), picture(2, "c", "status")]
    found = check("twice", crawl(two, pictures=shown))
    assert (found.passed, found.found) == (False, 0.5)
    assert found.says.endswith("The first: 0002 is 0001, by name, brand, color and pictures.")
    assert check("twice", crawl(two, pictures=shown[:3])).found == 0  # the second shows less


@pytest.mark.parametrize("other", [{"name": "Shoe"}, {"brand": "Other"}, {"color": "Red"}])
def test_one_picture_of_two_that_are_called_otherwise_does_not_make_them_one(other):
    two = [boot(1, name="Boot"), boot(2, **{"name": "Boot", **other})]
    same = [picture(number, sha256="a" * 64) for number in (1, 2)]
    assert check("twice", crawl(two, pictures=same)).found == 0


def test_one_picture_of_two_without_a_name_does_not_make_them_one():
    same = [picture(number, sha256="a" * 64) for number in (1, 2)]
    assert check("twice", crawl(boots(2, name=""), pictures=same)).found == 0


def test_products_without_a_picture_are_not_one_for_that():
    assert check("twice", crawl(boots(5, name="Boot"), pictures=[])).found == 0


def test_a_product_that_is_another_by_page_and_by_look_counts_once():
    three = [boot(number, style="s", name="Boot", url="https://shop.example/p") for number in (1, 2, 3)]
    same = [picture(number, sha256="a" * 64) for number in (1, 2, 3)]
    assert check("twice", crawl(three, pictures=same)).found == pytest.approx(2 / 3)


def test_the_first_that_came_twice_is_told_wherever_it_stands():
    four = [boot(number, style="s", url=f"https://shop.example/p/{number % 2}") for number in (4, 3, 2, 1)]
    for products in (four, four[::-1]):
        assert check("twice", crawl(products)).says.endswith("The first: 0003 is 0001, by style, color and address.")


# Items that could not be read


@pytest.mark.parametrize(("odd", "passed"), [(1, True), (2, False)])
def test_one_item_of_twenty_may_be_beyond_reading(odd, passed):
    items = [{"item": f"label {number}", "reason": "odd_label"} for number in range(odd)]
    found = check("odd", crawl(boots(20 - odd), odd=items))
    assert (found.passed, found.found, found.wanted) == (passed, odd / 20, "at most 0.05")
    assert found.says == (
        f"{5 * odd} % of 20 items could not be read; at most 5 % may. What went wrong: odd_label ({odd})."
    )


# Pictures


@pytest.mark.parametrize(("failed", "passed"), [(1, True), (2, False)])
def test_nineteen_of_twenty_pictures_told_are_enough(failed, passed):
    names = "abcdefghijklmnopqrst"
    shown = [picture(1, name, "status" if at < failed else "") for at, name in enumerate(names)]
    found = check("pictures", crawl(boots(1, told=20), pictures=shown))
    assert (found.passed, found.found, found.wanted) == (passed, 1 - failed / 20, "at least 0.95")


def test_pictures_that_were_told_and_never_asked_for_did_not_come():
    shown = [picture(1), picture(1, "b", "not_an_image"), picture(2), picture(2, "b", "status")]
    found = check("pictures", crawl([boot(1, told=4), boot(2, told=4)], pictures=shown))
    assert (found.passed, found.found) == (False, 0.25)
    assert found.says == (
        "25 % of 8 pictures came and could be decoded; 95 % are wanted. "
        "What went wrong: not_an_image (1), status (1), told and never asked for (4)."
    )


def test_pictures_beyond_what_one_product_tells_do_not_make_up_for_those_another_lacks():
    now = crawl([boot(1, told=2), boot(2, told=0)], pictures=[picture(2), picture(2, "b")])
    assert check("pictures", now).found == 0.5


# The shape of the tables


@pytest.mark.parametrize(
    ("column", "value", "rule", "first"),
    [
        ("product", "", "each product must not be empty", "''"),
        ("price", -1.0, "each price must be a number, 0 or more", "'-1.0'"),
        ("price", float("nan"), "each price must be a number, 0 or more", "'NaN'"),
        ("price", float("inf"), "each price must be a number, 0 or more", "'inf'"),
        ("currency", "usd", "each currency must be three capitals, or empty", "'usd'"),
        ("currency", "US\n", "each currency must be three capitals, or empty", "'US\\n'"),
        ("rating", 5.1, "each rating must be from 0 to 5", "'5.1'"),
        ("stock", -1, "each stock must be 0 or more", "'-1'"),
        ("told", -1, "each told must be 0 or more", "'-1'"),
        ("name", None, "each name must be there", "'None'"),
        (
            "url",
            "javascript:alert(1)",
            "each url must begin with http:// or https://, or be empty",
            "'javascript:alert(1)'",
        ),
        ("product", "0002", "each product must come only once", "'0002'"),
    ],
)
def test_a_value_that_no_product_may_have_is_told_with_its_column_and_rule(column, value, rule, first):
    found = check(f"schema: products.{column}", crawl([boot(1, **{column: value}), *boots(2, first=2)], pictures=[]))
    assert not found.passed
    count = 2 if "once" in rule else 1
    assert found.found == count
    assert found.says == f"In the table products, {rule}: {count} of 3 do not hold to it, such as {first}."


@pytest.mark.parametrize(
    "known", [{"price": 0.0, "currency": "", "rating": 5.0, "stock": 0, "url": ""}, {"rating": 0.0}]
)
def test_values_at_the_very_edge_are_values(known):
    assert check("schema: products", crawl(boots(2, **known))).says == "Each column of products is as it should be."


@pytest.mark.parametrize(
    ("table", "column", "rows"),
    [
        ("pictures", "product", [picture(1, product="")]),
        ("pictures", "sha256", [picture(1, sha256="abc")]),
        ("pictures", "url", [picture(1, url="data:image/png;base64,AAAA")]),
        ("pages", "kind", [page(1, kind="home")]),
        ("pages", "status", [page(1, status="lost")]),
        ("pages", "key", [{**page(1), "key": ""}]),
        ("pages", "url", [{**page(1), "url": ""}]),
        ("odd", "reason", [{"item": "an advert", "reason": ""}]),
    ],
)
def test_the_other_tables_are_held_to_their_shape_too(table, column, rows):
    found = check(f"schema: {table}.{column}", crawl(boots(1), **{table: rows}))
    assert (found.passed, found.found) == (False, 1)


def test_a_picture_that_did_not_come_may_have_had_any_address():
    shown = [picture(1), picture(1, "b", "scheme", url="data:image/png;base64,AAAA")]
    assert check("schema: pictures", crawl(boots(1, told=2), pictures=shown)).passed


def test_several_rules_that_are_broken_are_told_one_by_one():
    verdict = judge(crawl([boot(1, price=-2.0, rating=9.0), boot(2, price=-1.0)]), None, Gate(), complete=True)
    assert verdict.notes == (
        "In the table products, each price must be a number, 0 or more: 2 of 2 do not hold to it, such as '-1.0', '-2.0'.",
        "In the table products, each rating must be from 0 to 5: 1 of 2 do not hold to it, such as '9.0'.",
    )


def test_tables_of_another_shape_are_told_and_not_looked_into():
    good = crawl(boots(1))
    other = CrawlTables(
        products=good.products.with_columns(price=pl.lit("cheap")),
        pictures=good.pictures.drop("sha256"),
        pages=pl.DataFrame(),
        odd=good.odd,
    )
    verdict = judge(other, good, Gate(), complete=True)
    assert verdict.notes == (
        "The column price of products holds String, not Float64.",
        "The table pictures has no column sha256.",
        *(f"The table pages has no column {name}." for name in sorted(PAGES)),
    )
    assert [one.name for one in verdict.checks if one.passed] == ["schema: odd"]


def test_tables_that_hold_nothing_but_nulls_are_judged_without_an_error():
    nothing = CrawlTables(
        **{
            name: pl.DataFrame({column: [None, None] for column in schema}, schema=schema)
            for name, schema in {"products": PRODUCTS, "pictures": PICTURES, "pages": PAGES, "odd": ODD}.items()
        }
    )
    assert not judge(nothing, nothing, Gate(), complete=True).passed


def test_whoever_imports_the_gate_does_not_wait_for_pandera():
    words = "import sys, lookalike.catalog.gate; print(any(name.startswith('pandera') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout == "False\n"


# Order


def rows(draw):
    number = st.integers(1, 9)
    known = st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["", "Boot"]),
            "price": st.sampled_from([None, -1.0, -2.0, 5.0]),
            "style": st.sampled_from(["s", "t"]),
            "url": st.sampled_from(["", "https://shop.example/p", "ftp://shop.example"]),
            "brand": st.sampled_from(["", "Acme"]),
            "price_as_given": st.sampled_from(["", "call us"]),
            "told": st.integers(0, 3),
        },
    )
    products = draw(st.lists(st.builds(lambda n, k: boot(n, **k), number, known), max_size=8))
    reasons = st.sampled_from(["", "status", "slow"])
    shas = st.sampled_from(["a" * 64, "b" * 64])
    one = st.builds(
        lambda n, name, reason, sha: picture(n, name, reason, sha256="" if reason else sha),
        *(number, st.sampled_from("abc"), reasons, shas),
    )
    pictures = draw(st.lists(one, max_size=8))
    status = st.sampled_from(["done", "failed", "left"])
    kind = st.sampled_from(["listing", "product"])
    pages = draw(st.lists(st.builds(page, number, status, kind, reasons | st.sampled_from([GONE, ROBOTS])), max_size=8))
    return {"products": products, "pictures": pictures, "pages": pages}


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.composite(rows)(), st.composite(rows)(), st.integers(0, 2**32), st.booleans())
def test_the_order_of_rows_changes_nothing(now, before, seed, complete):
    chance = random.Random(seed)
    mixed = [{name: chance.sample(rows, len(rows)) for name, rows in one.items()} for one in (now, before)]
    first = judge(crawl(**now), crawl(**before), Gate(), complete=complete)
    assert judge(crawl(**mixed[0]), crawl(**mixed[1]), Gate(), complete=complete) == first
