"""From a crawl to the catalog: what is new, changed, gone and back is told exactly, and the order of arrival tells nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.catalog.crawl import GONE, ROBOTS, Brought, Plan, PriceChange, Published, Step, Taken
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import PriceSeen, StockSeen
from lookalike.catalog.tables import HISTORY, PRODUCTS, TABLES, VERSION, VIEWS
from lookalike.settings import DataError

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
BOOTS = Plan(shop="acme", scope="boots", complete=True)
BAGS = Plan(shop="acme", scope="bags", complete=True)


@pytest.fixture
def book(store):
    return Crawls(store)


def listing(name):
    return Step(kind="listing", key=name, url=f"https://acme.example/{name}")


def page(name):
    return Step(kind="product", key=f"product {name}", url=f"https://acme.example/p/{name}")


def view(letter="a", **facts):
    told = {"format": "JPEG", "width": 640, "height": 480, "size": 12_345, "source": "s", "fingerprint": b"\0\xff"}
    return View(sha256=letter * 64, **{**told, **facts})


def boot(product="1", price="120.00", **facts):
    told = {"shop": "acme", "name": f"Boot {product}", "currency": "USD", "stock": 3}
    return Product(product=product, price=price and Decimal(price), **{**told, **facts})


def brought(*products, more=(), page_keys=None):
    keys = page_keys or {}
    taken = tuple(Taken(product=one, page_key=keys.get(one.product, "")) for one in products)
    return Brought(taken=taken, more=tuple(more))


def begun(book, *steps, plan=BOOTS, week=0):
    crawl, _ = book.begin(plan, now=MONDAY + week * WEEK, go_on_for=timedelta(days=3))
    book.first(crawl.number, steps or [listing("p0")])
    return crawl.number


def crawled(book, *products, plan=BOOTS, week=0):
    """A crawl of one page that tells these products, published."""
    number = begun(book, plan=plan, week=week)
    book.finish_step(number, listing("p0"), brought(*products))
    return book.publish(number, now=MONDAY + week * WEEK)


def names(products):
    return [product.product for product in products]


def shown(store):
    return names(store.products(with_gone=False))


# What a crawl does to the catalog


def test_a_first_crawl_is_all_new_and_pictureless_products_are_taken_too(book, store):
    told = [boot("1", views=(view("a"), view("b"))), boot("2")]
    assert crawled(book, *told) == Published(new=2, views_new=2)
    assert store.products() == told
    assert store.prices("acme", "2") == [PriceSeen(seen=MONDAY, price=Decimal("120.00"), currency="USD")]
    assert store.stocks("acme", "2") == [StockSeen(seen=MONDAY, stock=3)]


def test_nothing_is_in_the_catalog_before_it_is_published(book, store):
    number = begun(book)
    book.finish_step(number, listing("p0"), brought(boot(views=(view(),))))
    assert (store.products(), book.known_products("acme"), store.counts().views) == ([], frozenset(), 0)


def test_what_changed_is_told_exactly_each_by_its_kind(book, store):
    first = [boot(str(n), views=(view("a"),)) for n in range(1, 9)]
    assert crawled(book, *first) == Published(new=8, views_new=8)
    second = [
        boot("1", views=(view("a"),)),  # same
        boot("2", views=(view("a"), view("b"))),  # same, with one more picture
        boot("3", price="99.50"),
        boot("4", stock=0),
        boot("5", name="Boot V"),
        boot("6", price="130", stock=2, name="Boot VI"),
        boot("9"),  # new; 7 and 8 are not met
    ]
    assert crawled(book, *second, week=1) == Published(
        new=1, changed=2, same=2, repriced=2, restocked=2, gone=2, back=0, views_new=1
    )
    assert shown(store) == ["1", "2", "3", "4", "5", "6", "9"]
    assert names(store.products()) == [str(n) for n in range(1, 10)]
    changes = [(one.product, one.before, one.after, one.seen) for one in store.price_changes()]
    assert changes == [
        ("3", Decimal("120.00"), Decimal("99.50"), MONDAY + WEEK),
        ("6", Decimal("120.00"), Decimal("130"), MONDAY + WEEK),
    ]
    assert store.stocks("acme", "4") == [StockSeen(seen=MONDAY, stock=3), StockSeen(seen=MONDAY + WEEK, stock=0)]
    third = [*second[1:], boot("7"), boot("1", views=(view("a"),))]
    assert crawled(book, *third, week=2) == Published(same=8, back=1)
    assert shown(store) == ["1", "2", "3", "4", "5", "6", "7", "9"]


def test_25_added_10_gone_and_40_repriced_are_found_exactly(book, store):
    first = [boot(f"{n:03}", price=str(100 + n)) for n in range(300)]
    crawled(book, *first)
    second = [replace(one, price=one.price - 1 if n < 40 else one.price) for n, one in enumerate(first[10:])]
    added = [boot(f"{n:03}") for n in range(300, 325)]
    assert crawled(book, *second, *added, week=1) == Published(new=25, same=250, repriced=40, gone=10)
    assert crawled(book, *second, *added, week=2) == Published(same=315)
    assert store.counts().products == 325
    assert store.price_changes(limit=1) == [
        PriceChange(
            shop="acme",
            product="010",
            name="Boot 010",
            seen=MONDAY + WEEK,
            before=Decimal(110),
            after=Decimal(109),
            currency="USD",
        )
    ]


def test_a_published_crawl_tells_what_it_did_and_published_again_does_nothing(book, store):
    number = begun(book)
    book.finish_step(number, listing("p0"), brought(boot("1"), boot("2")))
    did = book.publish(number, now=MONDAY + timedelta(hours=2))
    crawl = book.of(number)
    assert (crawl.status, crawl.ended, crawl.notes) == ("published", MONDAY + timedelta(hours=2), ())
    assert crawl.counts == {"pages": 1, "pages_left": 0, "products": 2, "pictures": 0} | vars(did)
    store.upsert([boot("1", price="1")], seen=MONDAY + WEEK)
    before = rows(store)
    assert book.publish(number) == did == Published(new=2)
    assert rows(store) == before
    assert book.of(number) == crawl == book.last_published("acme", "boots")


def test_the_clock_says_when_a_crawl_ended_that_does_not_say_so(book):
    number = begun(book)
    before = datetime.now(UTC)
    book.fail_step(number, listing("p0"), "gone", "410")
    book.publish(number)
    assert before <= book.of(number).ended <= datetime.now(UTC)


@pytest.mark.parametrize("status", ["blocked", "suspect", "failed"])
def test_what_was_not_to_be_published_is_not(book, store, status):
    crawled(book, boot("1"), boot("2"))
    before = rows(store)
    number = begun(book, week=1)
    book.finish_step(number, listing("p0"), brought(boot("1", price="1"), boot("3")))
    book.end(number, status, now=MONDAY + WEEK, notes=["why"])
    with pytest.raises(DataError, match=f"crawl {number} of acme is {status}, and nothing is"):
        book.publish(number)
    assert rows(store) == before
    assert book.last_published("acme", "boots").number != number


def test_a_crawl_that_is_to_tell_what_is_gone_must_have_asked_for_every_page(book, store):
    number = begun(book)
    book.finish_step(number, listing("p0"), brought(boot("1"), more=[page("1"), page("2")]))
    with pytest.raises(DataError, match="2 of its pages were not asked for. Go on with it"):
        book.publish(number)
    assert store.products() == []
    part = begun(book, plan=replace(BOOTS, complete=False))
    book.finish_step(part, listing("p0"), brought(boot("1"), more=[page("1"), page("2")]))
    assert book.publish(part) == Published(new=1)


# Merging


def test_parts_of_a_product_are_merged_in_the_walks_order_whenever_they_came(book, store):
    number = begun(book, listing("p0"), listing("q0"))
    book.finish_step(
        number, listing("q0"), brought(boot("1", name="at q0", category="boots", stock=None), more=[page("1")])
    )
    book.finish_step(number, page("1"), brought(boot("1", price=None, currency="", name="", brand="Acme", stock=5)))
    book.finish_step(
        number, listing("p0"), brought(boot("1", name="at p0", color="red", price="99"), more=[listing("p1")])
    )
    book.finish_step(number, listing("p1"), brought(boot("1", name="", stock=4, price=None, currency="")))
    book.publish(number)  # p0, q0, then what p0 leads to, then what q0 leads to
    assert store.products() == [boot("1", name="at q0", color="red", category="boots", brand="Acme", stock=5)]


def test_a_product_whose_page_is_no_more_is_not_taken_unless_another_page_tells_it(book, store):
    crawled(book, boot("1"), boot("2"))
    number = begun(book, week=1)
    keys = {"1": "product 1", "2": "product 2", "3": "product 3"}
    told = brought(
        boot("1"), boot("2"), boot("3"), more=[page("1"), page("2"), page("3"), listing("p1")], page_keys=keys
    )
    book.finish_step(number, listing("p0"), told)
    book.fail_step(number, page("1"), "gone", "410")
    book.fail_step(number, page("2"), "gone", "410")
    book.fail_step(number, page("3"), "too_slow", "30 seconds")  # the listing still tells it
    book.finish_step(number, listing("p1"), brought(boot("2", stock=1)))
    assert book.tables(number).products["product"].to_list() == ["2", "3"]
    assert book.publish(number) == Published(new=1, restocked=1, gone=1)
    assert shown(store) == ["2", "3"]


# Gone


def test_what_a_part_of_a_shop_did_not_show_is_not_gone(book, store):
    crawled(book, boot("1"), boot("2"))
    assert crawled(book, boot("1"), plan=replace(BOOTS, complete=False), week=1).gone == 0
    assert shown(store) == ["1", "2"]
    assert crawled(book, boot("1"), week=2).gone == 1


def test_products_of_another_scope_shop_or_source_are_never_marked(book, store):
    crawled(book, boot("1"))
    crawled(book, boot("2"), plan=BAGS)
    crawled(book, boot("3", shop="zeta"), plan=replace(BOOTS, shop="zeta"))
    store.upsert([boot("4")], seen=MONDAY)
    assert crawled(book, boot("5"), week=1) == Published(new=1, gone=1)
    assert {product.key for product in store.products(with_gone=False)} == {"acme:2", "zeta:3", "acme:4", "acme:5"}


def test_a_product_that_a_later_crawl_or_import_told_stays(book, store):
    crawled(book, boot("1"), boot("2"), boot("3"))
    crawled(book, boot("2"), plan=BAGS, week=1)
    store.upsert([boot("3")], seen=MONDAY + WEEK)
    assert crawled(book, boot("9"), week=2) == Published(new=1, gone=1)
    assert shown(store) == ["2", "3", "9"]
    assert crawled(book, boot("8"), plan=BAGS, week=3) == Published(new=1, gone=1)
    assert shown(store) == ["3", "8", "9"]


def test_it_is_the_order_of_publishing_that_counts_not_of_beginning(book, store):
    old = begun(book)
    book.finish_step(old, listing("p0"), brought(boot("1", price="50")))
    book.end(old, "blocked", now=MONDAY)
    crawled(book, boot("1"), boot("2"), plan=BAGS, week=1)
    book.begin(BOOTS, now=MONDAY, go_on_for=WEEK)
    assert book.publish(old, now=MONDAY + WEEK) == Published(same=1)  # its price is older than the one known
    assert crawled(book, plan=BOOTS, week=2) == Published(gone=1)
    assert shown(store) == ["2"]
    assert store.price_changes() == []
    assert book.last_published("acme", "boots").number == 3


def test_a_listing_that_failed_may_have_shown_what_was_not_met(book, store):
    crawled(book, boot("1"), boot("2"))
    number = begun(book, week=1)
    book.finish_step(number, listing("p0"), brought(boot("1"), more=[listing("p1"), listing("p2")]))
    book.fail_step(number, listing("p1"), "status", "500")
    book.fail_step(number, listing("p2"), "gone", "404")
    assert book.publish(number) == Published(same=1)
    assert book.of(number).notes == ("products not met: 1, none of them marked as gone, as listing pages failed: 1",)
    assert shown(store) == ["1", "2"]


def test_a_product_whose_page_failed_or_was_misread_is_not_gone(book, store):
    first = begun(book)
    book.finish_step(first, listing("p0"), brought(more=[page(str(n)) for n in range(1, 5)]))
    for n in range(1, 5):
        book.finish_step(first, page(str(n)), brought(boot(str(n))))
    book.publish(first)
    second = begun(book, week=1)
    book.finish_step(second, listing("p0"), brought(more=[page(str(n)) for n in range(1, 5)]))
    book.fail_step(second, page("1"), "too_slow", "30 seconds")
    book.fail_step(second, page("2"), "gone", "410")
    book.finish_step(second, page("3"), replace(brought(), odd=(("3", "no_price", "why"),)))
    book.finish_step(second, page("4"), brought())
    assert book.publish(second) == Published(gone=2)
    assert book.of(second).notes == ("products not met, and not marked as gone, as their pages could not be read: 2",)
    assert shown(store) == ["1", "3"]


def hidden(book):
    """A crawl whose listing shows six of eight boots; the other two, 7 and 8, stand on one page that it did not name."""
    both = page("both")
    first = begun(book)
    book.finish_step(first, listing("p0"), brought(*(boot(n) for n in "123456"), more=[both]))
    book.finish_step(first, both, brought(boot("7"), boot("8")))
    book.publish(first, now=MONDAY)
    second = begun(book, week=1)
    book.finish_step(second, listing("p0"), brought(*(boot(n) for n in "123456")))
    assert book.missing(second) == [both]
    book.first(second, book.missing(second))
    return second, both


def test_what_is_still_on_its_page_is_there_though_no_listing_showed_it(book, store):
    number, both = hidden(book)
    with pytest.raises(DataError, match="1 of its pages were not asked for"):
        book.publish(number)
    book.finish_step(number, both, brought(boot("7", price="99"), boot("8")))
    assert book.publish(number) == Published(same=7, repriced=1)
    assert (shown(store), book.of(number).notes) == ([*"12345678"], ())


def test_a_page_that_tells_the_others_but_no_longer_this_one_lets_it_go(book, store):
    number, both = hidden(book)
    book.finish_step(number, both, brought(boot("8")))
    assert book.publish(number) == Published(same=7, gone=1)
    assert (shown(store), book.of(number).notes) == ([*"1234568"], ())


def test_a_page_that_is_no_more_lets_all_go_that_stood_on_it(book, store):
    number, both = hidden(book)
    book.fail_step(number, both, GONE, "410")
    assert book.publish(number) == Published(same=6, gone=2)
    assert (shown(store), book.of(number).notes) == ([*"123456"], ())


@pytest.mark.parametrize("reason", ["too_slow", ROBOTS])
def test_a_page_that_could_not_be_asked_spares_all_that_stood_on_it(book, store, reason):
    number, both = hidden(book)
    book.fail_step(number, both, reason, "why")
    assert book.publish(number) == Published(same=6)
    notes = ("products not met, and not marked as gone, as their pages could not be read: 2",)
    assert (shown(store), book.of(number).notes) == ([*"12345678"], notes)


# Whatever the order, and however often


LISTINGS = [listing("p0"), listing("p1"), listing("q0")]
PAGES = [page(str(n)) for n in range(4)]
some_facts = st.fixed_dictionaries(
    {
        "product": st.sampled_from("0123"),
        "name": st.sampled_from(["", "A", "B"]),
        "price": st.sampled_from([None, "1", "2"]),
        "currency": st.sampled_from(["", "USD", "EUR"]),
        "stock": st.sampled_from([None, 0, 1]),
        "views": st.lists(
            st.builds(view, st.sampled_from("abc"), view=st.sampled_from(["", "x", "y"])), max_size=2
        ).map(tuple),
    }
)
some_products = st.lists(st.builds(lambda facts: boot(**facts), some_facts), max_size=3)
some_keys = st.dictionaries(st.sampled_from("0123"), st.sampled_from([one.key for one in PAGES]))


@st.composite
def shops(draw):
    """What each page of a shop brings: listings lead to pages and listings, some of the pages are no more."""
    told = {
        step: brought(*draw(some_products), more=draw(st.permutations([*LISTINGS, *PAGES])), page_keys=draw(some_keys))
        for step in LISTINGS
    }
    return told | {step: draw(st.none() | st.builds(lambda some: brought(*some), some_products)) for step in PAGES}


def walked(book, shop, choose):
    """Crawl the shop, each time with the step that is chosen, and now and then one that was done."""
    number = begun(book, *LISTINGS[::2])
    done = []
    while left := book.steps_left(number):
        at, again = choose(len(left)), choose(2)
        for step in [left[at], *done[:again]]:
            if shop[step] is None:
                book.fail_step(number, step, "gone", "410")
            else:
                book.finish_step(number, step, shop[step])
        done = [left[at], *done]
    book.publish(number, now=MONDAY)


def rows(store, but=()):
    """The catalog's own tables, row by row."""
    tables = (PRODUCTS, VIEWS, HISTORY)
    with store.engine.connect() as connection:
        told = [[name for name in table.columns if name.name not in but] for table in tables]
        return [sorted(map(repr, connection.execute(sa.select(*columns)))) for columns in told]


def emptied(store):
    with store.engine.begin() as connection:
        for table in reversed(TABLES.sorted_tables):
            if table is not VERSION:
                connection.execute(sa.delete(table))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shop=shops(), data=st.data())
def test_any_order_and_repetition_of_the_same_steps_publishes_the_same(store, book, shop, data):
    emptied(store)
    walked(book, shop, lambda _: 0)
    straight = rows(store, but=["met_by"])
    emptied(store)
    walked(book, shop, lambda many: data.draw(st.integers(0, many - 1)))
    assert rows(store, but=["met_by"]) == straight
