"""The book of crawls: begun, gone on with, killed half way; what a step brought is there once, whatever happens."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from lookalike.catalog.crawl import Brought, PictureSeen, Plan, Step, Taken
from lookalike.catalog.crawls import Crawls
from lookalike.catalog.product import Product, View
from lookalike.catalog.store import open_store
from lookalike.catalog.tables import TABLES
from lookalike.settings import DataError

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PLAN = Plan(shop="acme", scope="https://acme.example/boots", complete=True, settings={"since": False, "start": (1, 2)})


@pytest.fixture
def book(store):
    return Crawls(store)


def listing(name):
    return Step(kind="listing", key=name, url=f"https://acme.example/{name}")


def page(name):
    return Step(kind="product", key=f"product {name}", url=f"https://acme.example/p/{name}")


def view(letter="a", **facts):
    told = {
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "size": 12_345,
        "source": f"https://cdn.example/{letter}.jpg",
    }
    return View(sha256=letter * 64, fingerprint=b"\x00\xff" + letter.encode(), **{**told, **facts})


def boot(product="1", **facts):
    return Product(shop="acme", product=product, **facts)


def seen(letter, product="1", **facts):
    return PictureSeen(url=f"https://cdn.example/{letter}.jpg", product=product, view=view(letter, **facts))


def missed(letter, reason, product="1"):
    return PictureSeen(url=f"https://cdn.example/{letter}.jpg", product=product, reason=reason, text="why")


def brought(*products, **facts):
    return Brought(taken=tuple(Taken(product=one) for one in products), **facts)


def begun(book, plan=PLAN, now=MONDAY):
    crawl, _ = book.begin(plan, now=now, go_on_for=3 * DAY)
    return crawl.number


def started(book, *steps):
    number = begun(book)
    book.first(number, steps or [listing("p0")])
    return number


# Beginning, and going on


def test_a_crawl_begins_as_it_was_planned(book):
    crawl, again = book.begin(PLAN, now=MONDAY, go_on_for=DAY)
    assert not again
    assert (crawl.shop, crawl.scope, crawl.complete, crawl.permission) == ("acme", PLAN.scope, True, "")
    assert (crawl.status, crawl.started, crawl.ended, crawl.counts, crawl.notes) == ("running", MONDAY, None, {}, ())
    assert book.all() == [crawl] == [book.of(crawl.number)]


@pytest.mark.parametrize("ended", [None, "blocked"])
def test_an_unfinished_crawl_of_an_equal_plan_is_gone_on_with(book, ended):
    number = begun(book)
    if ended:
        book.end(number, ended, now=MONDAY, notes=["the shop says 429"])
    crawl, again = book.begin(PLAN, now=MONDAY + 2 * DAY, go_on_for=2 * DAY)
    assert again
    assert (crawl.number, crawl.status, crawl.started, crawl.ended, crawl.notes) == (
        number,
        "running",
        MONDAY,
        None,
        (),
    )


@pytest.mark.parametrize("ended", ["suspect", "failed"])
def test_a_crawl_that_came_to_its_end_is_left_as_it_is_and_another_begins(book, ended):
    number = begun(book)
    book.end(number, ended, now=MONDAY)
    assert begun(book) != number
    assert book.of(number).status == ended


@pytest.mark.parametrize(
    ("other", "now"),
    [
        ({}, MONDAY + 4 * DAY),
        ({"permission": "by mail of 1 March"}, MONDAY),
        ({"complete": False}, MONDAY),
        ({"settings": {"since": True}}, MONDAY),
    ],
)
def test_a_crawl_that_is_too_old_or_of_another_plan_is_abandoned(book, other, now):
    number = started(book)
    crawl, again = book.begin(Plan(**{**vars(PLAN), **other}), now=now, go_on_for=3 * DAY)
    assert not again
    assert crawl.number != number
    left = book.of(number)
    assert (left.status, left.ended, left.counts["pages_left"]) == ("abandoned", now, 1)


@pytest.mark.parametrize("other", [{"shop": "zeta"}, {"scope": "https://acme.example/bags"}])
def test_crawls_of_another_shop_or_scope_are_none_of_its_business(book, other):
    number = begun(book)
    begun(book, Plan(**{**vars(PLAN), **other}))
    assert book.of(number).status == "running"


def test_a_crawl_that_has_ended_takes_nothing_more(book):
    number = started(book)
    book.end(number, "blocked", now=MONDAY, notes=["429"])
    for late in (
        lambda: book.finish_step(number, listing("p0"), brought(boot())),
        lambda: book.fail_step(number, listing("p0"), "status", "500"),
        lambda: book.first(number, [listing("p1")]),
        lambda: book.end(number, "failed", now=MONDAY),
    ):
        with pytest.raises(DataError, match=f"crawl {number} of acme is blocked, and nothing is added"):
            late()
    assert book.counts(number) == {"pages": 0, "pages_left": 1, "products": 0, "pictures": 0}
    assert book.of(number).notes == ("429",)


def test_what_is_not_in_the_book_is_named(book):
    number = started(book)
    with pytest.raises(KeyError, match="no crawl 99"):
        book.of(99)
    with pytest.raises(KeyError, match="has no step 'p7'"):
        book.finish_step(number, listing("p7"), brought())
    with pytest.raises(ValueError, match="does not end as published"):
        book.end(number, "published", now=MONDAY)


# Steps


def test_steps_are_left_in_the_order_in_which_they_became_known_each_key_once(book):
    number = started(book, listing("p0"), listing("q0"))
    book.first(number, [listing("p0"), listing("q0")])
    book.finish_step(number, listing("p0"), brought(more=(page("2"), page("1"), listing("p1"), page("2"))))
    book.finish_step(number, listing("p1"), brought(more=(page("3"), page("1"), listing("p0"))))
    assert book.steps_left(number) == [listing("q0"), page("2"), page("1"), page("3")]
    assert book.keys(number) == {"p0", "q0", "p1", "product 1", "product 2", "product 3"}


def test_a_step_done_again_changes_nothing(book):
    number = started(book)
    first = brought(boot(views=(view(),)), pictures=(seen("a"),), odd=(("x", "no_id", "why"),), more=(page("1"),))
    book.finish_step(number, listing("p0"), first)
    told = said(book.tables(number))
    book.finish_step(number, listing("p0"), first)
    book.finish_step(number, listing("p0"), brought(boot("2"), more=(page("2"),)))
    book.fail_step(number, listing("p0"), "status", "500")
    assert said(book.tables(number)) == told
    assert book.steps_left(number) == [page("1")]


def test_a_step_that_failed_is_not_left_and_may_yet_end(book):
    number = started(book)
    book.fail_step(number, listing("p0"), "too_slow", "30 seconds")
    book.fail_step(number, listing("p0"), "status", "500")
    assert book.steps_left(number) == []
    assert book.counts(number) == {"pages": 0, "pages_left": 0, "products": 0, "pictures": 0, "too_slow": 1}
    book.finish_step(number, listing("p0"), brought(boot()))
    assert book.counts(number) == {"pages": 1, "pages_left": 0, "products": 1, "pictures": 0}


def test_an_error_in_the_middle_of_a_step_leaves_none_of_it(book):
    number = started(book)
    broken = boot("2", attributes={"not": object()})
    with pytest.raises((sa.exc.StatementError, TypeError), match="not JSON serializable"):
        book.finish_step(number, listing("p0"), brought(boot("1"), broken, pictures=(seen("a"),), more=(page("1"),)))
    assert book.counts(number) == {"pages": 0, "pages_left": 1, "products": 0, "pictures": 0}
    assert book.known_pictures(["https://cdn.example/a.jpg"]) == {}


def test_products_and_pictures_are_counted_once_and_failures_by_reason(book):
    number = started(book, listing("p0"), listing("p1"), listing("p2"), listing("p3"))
    book.finish_step(number, listing("p0"), brought(boot("1"), boot("2"), pictures=(missed("a", "too_big"), seen("b"))))
    again = (seen("a"), seen("b"), seen("b", "2"), missed("c", "too_big"), missed("d", "robots"))
    odd = (("advert", "no_id", "x"), ("item 3", "too_big", "y"))
    book.finish_step(number, listing("p1"), brought(boot("1"), pictures=again, odd=odd))
    book.fail_step(number, listing("p2"), "robots", "robots.txt does not allow it")
    told = {"pages": 2, "pages_left": 1, "products": 2, "pictures": 3, "too_big": 2, "robots": 2, "no_id": 1}
    assert book.counts(number) == told
    assert (book.staged(number), book.in_full(number), book.met(number)) == (2, 2, 3)
    assert book.end(number, "failed", now=MONDAY).counts == told


def test_an_address_longer_than_any_index_and_signs_no_database_holds_are_kept(book):
    url = "https://acme.example/" + "é" * 7000
    number = started(book, Step(kind="listing", key=url, url=url), Step(kind="listing", key="a\0b", url="half \ud83d"))
    assert [step.url for step in book.steps_left(number)] == [url, "half ?"]
    book.finish_step(number, Step(kind="listing", key="a\0b", url=""), brought(odd=(("\0", "odd", "\ud83d"),)))
    assert book.tables(number).odd.rows() == [("?", "odd")]


# What is known already


def test_pictures_are_known_by_their_address_from_any_crawl_as_last_fetched(book):
    number = started(book)
    book.finish_step(
        number, listing("p0"), brought(pictures=(seen("a", view="PAIR"), seen("b"), missed("c", "too_big")))
    )
    book.end(number, "blocked", now=MONDAY)
    begun(book, Plan(shop="zeta", scope="", complete=False))
    asked = [f"https://cdn.example/{letter}.jpg" for letter in "dcba"] * 400
    assert book.known_pictures(asked) == {asked[3]: view("a", view="PAIR"), asked[2]: view("b")}
    later = started(book)
    moved = PictureSeen(url=asked[3], product="1", view=view("e"))
    book.first(later, [listing("p9")])
    book.finish_step(later, listing("p9"), brought(pictures=(moved,)))
    assert book.known_pictures(asked[3:4]) == {asked[3]: view("e")}


def test_products_are_known_that_are_in_the_catalog_and_not_gone(book, store):
    store.upsert([boot("1"), boot("2"), Product(shop="zeta", product="3")], seen=MONDAY)
    store.mark_gone("zeta", before=MONDAY + DAY)
    assert book.known_products("acme") == {"1", "2"}
    assert book.known_products("zeta") == frozenset()


# What may be missing


def crawled(book, *steps, week=0, **plan):
    """A crawl whose one listing leads to these pages, each of which tells a product of its name; published."""
    number = begun(book, replace(PLAN, **plan), MONDAY + week * 7 * DAY)
    book.first(number, [listing("p0")])
    book.finish_step(number, listing("p0"), told_of(*steps))
    for step in steps:
        book.finish_step(number, step, brought(boot(step.key.split()[1])))
    book.publish(number, now=MONDAY)
    return number


def told_of(*steps):
    """What a listing brings that tells the products of these pages."""
    taken = tuple(Taken(product=boot(step.key.split()[1]), page_key=step.key) for step in steps)
    return Brought(taken=taken, more=steps)


def listed(book, *steps, week=1, **plan):
    """A crawl that is not done, of one listing that leads to these pages."""
    number = begun(book, replace(PLAN, **plan), MONDAY + week * 7 * DAY)
    book.first(number, [listing("p0")])
    book.finish_step(number, listing("p0"), told_of(*steps))
    return number


def test_the_pages_of_what_was_not_met_are_to_be_asked_by_key(book):
    crawled(book, *map(page, "5142637"))
    number = listed(book, *map(page, "12567"))
    assert book.missing(number) == [page("3"), page("4")]
    book.first(number, book.missing(number))
    assert book.missing(number) == []
    assert book.steps_left(number) == [*map(page, "1256734")]
    assert (book.met(number), book.counts(number)["pages_left"]) == (5, 7)


def test_a_first_crawl_misses_nothing(book):
    assert book.missing(listed(book, *map(page, "123"))) == []


@pytest.mark.parametrize(("met", "missing"), [("123456", "789"), ("12345", "")])
def test_where_more_is_missing_than_half_of_what_was_met_no_page_is_asked(book, met, missing):
    crawled(book, *map(page, "123456789"))
    assert book.missing(listed(book, *map(page, met))) == [*map(page, missing)]  # of 5 met, 4 are more than half


def test_only_a_crawl_of_all_misses_anything_and_only_of_its_scope_and_shop(book, store):
    crawled(book, *map(page, "123"))
    crawled(book, *map(page, "4"), scope="bags")
    crawled(book, *map(page, "5"), shop="zeta")
    store.upsert([boot("6")], seen=MONDAY)
    assert book.missing(listed(book, *map(page, "12"), complete=False)) == []
    assert book.missing(listed(book, *map(page, "12"))) == [page("3")]


def test_a_page_that_tells_several_products_is_asked_once_and_a_product_without_one_never(book):
    first = begun(book)
    book.first(first, [listing("p0")])
    style, other = page("style"), page("other")
    told = brought(boot("0"), boot("1"), boot("2"), boot("3"), boot("4"), boot("5"), more=(style, other))
    book.finish_step(first, listing("p0"), told)
    book.finish_step(first, style, brought(boot("1"), boot("2")))
    book.finish_step(first, other, brought(boot("3")))
    book.publish(first)
    second = listed(book)
    book.first(second, [listing("q0")])
    book.finish_step(second, listing("q0"), brought(boot("0"), boot("3"), boot("4"), boot("8"), boot("9"), boot("7")))
    assert book.missing(second) == [style]  # for 1 and 2; no page ever told 5


def test_a_page_that_a_listing_named_is_asked_though_it_could_not_be_read_the_last_time(book):
    first = listed(book, *map(page, "123"), week=0)
    for name in "12":
        book.finish_step(first, page(name), brought())
    book.fail_step(first, page("3"), "too_slow", "30 seconds")
    book.publish(first, now=MONDAY)
    assert book.missing(listed(book, *map(page, "12"))) == [page("3")]


def test_a_product_is_asked_for_where_it_was_met_last(book):
    crawled(book, *map(page, "123"))
    moved = Step(kind="product", key="product 3", url="https://acme.example/moved/3")
    crawled(book, page("1"), page("2"), moved, week=1)
    assert book.missing(listed(book, page("1"), page("2"), week=2)) == [moved]
    assert book.missing(listed(book, page("1"), moved, week=3)) == [page("2")]


def test_a_product_that_was_met_by_asking_for_it_is_asked_for_again_the_next_time(book):
    crawled(book, *map(page, "123"))
    second = listed(book, page("1"), page("2"))
    book.first(second, book.missing(second))
    for name in "123":
        book.finish_step(second, page(name), brought(boot(name)))
    assert book.publish(second, now=MONDAY).gone == 0
    assert book.missing(listed(book, page("1"), page("2"), week=2)) == [page("3")]


def test_what_would_not_be_marked_as_gone_is_not_asked_for(book):
    crawled(book, *map(page, "12345"))
    number = listed(book, *map(page, "123"))
    book.finish_step(number, page("1"), replace(brought(boot("1")), odd=(("4", "no_price", "why"),)))
    assert book.missing(number) == [page("5")]
    book.first(number, [listing("p1")])
    book.fail_step(number, listing("p1"), "status", "500")
    assert book.missing(number) == []


def test_a_page_that_this_crawl_read_is_not_asked_again_for_what_it_no_longer_tells(book):
    crawled(book, *map(page, "123"))
    number = listed(book, *map(page, "12"))
    book.first(number, [page("3")])
    book.finish_step(number, page("3"), brought())
    assert book.missing(number) == []


def test_a_crawl_that_was_not_to_walk_all_is_no_measure_though_it_was_published_last(book):
    first = crawled(book, *map(page, "123"))
    assert crawled(book, page("1"), week=1, complete=False, settings={"max_items": 1}) != first
    assert book.last_published("acme", PLAN.scope).number == first


# Tables for the gate


def said(tables):
    return {name: table.to_dicts() for name, table in vars(tables).items()}


def test_the_tables_tell_each_product_once_with_what_all_steps_told(book):
    number = started(book)
    short = boot("1", name="Boot", price=Decimal("120.50"), currency="USD", rating=4.5)
    book.finish_step(
        number,
        listing("p0"),
        brought(
            short,
            boot("2", attributes={"price_as_given": "ask us"}),
            more=(page("1"), page("2"), page("3")),
            generation="g1",
        ),
    )
    whole = boot(
        "1", name="Boot II", brand="Acme", category="boots", color="black", style="s", stock=0, url="https://a/1"
    )
    pictures = (seen("a", view="PAIR"), seen("b"), missed("c", "too_big"))
    whole = replace(whole, views=(view("a", view="PAIR"), view("b")))
    book.finish_step(
        number, page("1"), brought(whole, pictures=pictures, odd=(("9", "no_name", "why"),), generation="g2")
    )
    book.fail_step(number, page("3"), "gone", "410")
    tables = said(book.tables(number))
    nothing = dict.fromkeys(("style", "brand", "category", "color", "name", "url", "currency"), "")
    told = {
        "style": "s",
        "brand": "Acme",
        "category": "boots",
        "color": "black",
        "name": "Boot II",
        "url": "https://a/1",
    }
    assert tables["products"] == [
        {"product": "1", **told, "price": 120.5, "currency": "USD", "rating": 4.5, "stock": 0, "views": 2, "told": 3}
        | {"price_as_given": "", "steps": 2},
        {"product": "2", **nothing, "price": None, "rating": None, "stock": None, "views": 0, "told": 0}
        | {"price_as_given": "ask us", "steps": 1},
    ]
    at = "https://cdn.example/{}.jpg".format
    assert tables["pictures"] == [
        {"url": at("a"), "product": "1", "view": "PAIR", "sha256": "a" * 64, "reason": ""},
        {"url": at("b"), "product": "1", "view": "", "sha256": "b" * 64, "reason": ""},
        {"url": at("c"), "product": "1", "view": "", "sha256": "", "reason": "too_big"},
    ]
    assert [(row["key"], row["status"], row["generation"], row["reason"]) for row in tables["pages"]] == [
        ("p0", "done", "g1", ""),
        ("product 1", "done", "g2", ""),
        ("product 2", "left", "", ""),
        ("product 3", "failed", "", "gone"),
    ]
    assert tables["odd"] == [{"item": "9", "reason": "no_name"}]


def test_tables_of_a_crawl_that_found_nothing_have_their_columns(book):
    tables = book.tables(begun(book))
    assert {name: (table.height, table.width) for name, table in vars(tables).items()} == {
        "products": (0, 15),
        "pictures": (0, 5),
        "pages": (0, 6),
        "odd": (0, 2),
    }


# One process at a time, and kills


def test_a_second_crawler_of_a_shop_is_refused_and_told_who_is_there(address, monkeypatch):
    monkeypatch.setattr("lookalike.catalog.database.NOTICED", 0.01)
    with open_store(address) as one, open_store(address) as other:
        first, second = Crawls(one), Crawls(other)
        who = rf"acme is being crawled by process {os.getpid()} on .* since 20.* UTC\. Wait for it to end, or stop it"
        with first.alone("acme"):
            with pytest.raises(DataError, match=who), second.alone("acme"):
                pass
            with pytest.raises(DataError, match=who):
                begun(second)
            with second.alone("zeta"):
                begun(first)


def test_who_is_alone_may_begin_and_be_alone_again(book):
    with book.alone("acme"), book.alone("acme"):
        begun(book)
    with book.alone("acme"):
        pass


def test_a_catalog_in_memory_has_no_other_process():
    with open_store("sqlite://") as store, Crawls(store).alone("acme"):
        begun(Crawls(store))


def cut(address):
    """Take the lock from whoever holds it, as a lost connection or a tidy hand would."""
    if address.startswith("sqlite"):
        [lock] = Path(sa.make_url(address).database).parent.glob("*.lock")
        lock.unlink()
        return
    with open_store(address) as store, store.engine.connect() as connection:
        asked = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = {}"
        name = "(hashtext('crawl of acme')::bigint & 4294967295)::oid"
        space = " AND classid = (hashtext(current_schema())::bigint & 4294967295)::oid"
        assert connection.exec_driver_sql(asked.format(name) + space).all() == [(True,)]


def test_a_process_that_lost_its_lock_adds_nothing_once_another_has_come(address):
    with open_store(address) as one, open_store(address) as other:
        first, second = Crawls(one), Crawls(other)
        with pytest.raises(
            DataError, match="the connection was lost, and meanwhile another process came to crawl acme"
        ):
            lose_to(second, first, address)
        assert second.staged(1) == 2


def lose_to(second, first, address):
    """The first goes on as long as it is the only one."""
    with first.alone("acme"):
        number = begun(first)
        first.first(number, [listing("p0"), listing("p1"), listing("p2")])
        cut(address)
        first.finish_step(number, listing("p0"), brought(boot("1")))
        with second.alone("acme"):
            assert begun(second) == number
            for late in (
                lambda: first.first(number, [listing("p9")]),
                lambda: first.fail_step(number, listing("p1"), "status", "500"),
                lambda: first.end(number, "failed", now=MONDAY),
                lambda: first.publish(number),
            ):
                with pytest.raises(DataError, match="When it has ended, the same command goes on"):
                    late()
            second.finish_step(number, listing("p1"), brought(boot("2")))
        first.finish_step(number, listing("p2"), brought(boot("3")))


HELD = """
    import sys, time
    from lookalike.catalog.crawls import Crawls
    from lookalike.catalog.store import open_store

    with Crawls(open_store(sys.argv[1])).alone("acme"):
        print("held", flush=True)
        time.sleep(60)
"""


def process(code, *words):
    command = [sys.executable, "-c", textwrap.dedent(code), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_lets_go_of_its_shop(address, monkeypatch):
    with open_store(address) as store:
        book = Crawls(store)
        with process(HELD, address) as other:
            assert other.stdout.readline() == "held\n"
            with monkeypatch.context() as short:
                short.setattr("lookalike.catalog.database.NOTICED", 0.01)
                with pytest.raises(DataError, match=f"crawled by process {other.pid} on"):
                    begun(book)
            other.send_signal(signal.SIGKILL)
        begun(book)


CRAWLED = """
    import os, sys
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    import sqlalchemy as sa

    from lookalike.catalog.crawl import Brought, PictureSeen, Plan, Step, Taken
    from lookalike.catalog.crawls import Crawls
    from lookalike.catalog.product import Product, View
    from lookalike.catalog.store import open_store

    def view(product, n):
        name = f"{product:032x}{n:032x}"
        return View(sha256=name, format="PNG", width=9, height=9, size=9, fingerprint=b"x", source=name)

    def listed(page, hidden):
        ids = [3 * page + n for n in range(3) if 3 * page + n not in hidden]
        taken = [Taken(product=Product(product=str(n), name=f"listed {page}", price=Decimal(n))) for n in (*ids, 0)]
        more = [Step(kind="product", key=f"product {n}", url=f"https://acme.example/p/{n}") for n in ids]
        more += [Step(kind="listing", key=f"page {page + 1}", url="https://acme.example/")] * (page < 3)
        return Brought(taken=tuple(taken), more=tuple(more), generation="g")

    def shown(n):
        views = tuple(view(n, each) for each in range(2))
        pictures = tuple(PictureSeen(url=one.source, product=str(n), view=one) for one in views)
        return Brought(taken=(Taken(product=Product(product=str(n), stock=n, views=views)),), pictures=pictures)

    def crawl(address, kill_at):
        \"\"\"Two crawls of four listings and twelve products; killed before a statement. Answers how many there were.

        The second one's listings hide the products 4 and 7, of which 7 is gone. It is killed too when it knows of them.
        \"\"\"
        store = open_store(address)
        book = Crawls(store)
        statements = 0

        def counted(*_):
            nonlocal statements
            statements += 1
            if statements == kill_at:
                os.kill(os.getpid(), 9)

        sa.event.listen(store.engine, "before_cursor_execute", counted)
        sa.event.listen(store.engine, "commit", counted)
        def left(crawl):
            if not book.steps_left(crawl) and (missing := book.missing(crawl)):
                book.first(crawl, missing)
                if kill_at:
                    os.kill(os.getpid(), 9)
            return book.steps_left(crawl)

        with book.alone("acme"):
            for week in range(sum(one.status == "published" for one in book.all()), 2):
                plan = Plan(shop="acme", scope="boots", complete=True)
                now = datetime(2026, 3, 2 + 7 * week, tzinfo=UTC)
                begun, again = book.begin(plan, now=now, go_on_for=timedelta(days=1))
                book.first(begun.number, [Step(kind="listing", key="page 0", url="https://acme.example/")])
                while steps := left(begun.number):
                    number = int(steps[0].key.split()[1])
                    if steps[0].kind == "listing":
                        book.finish_step(begun.number, steps[0], listed(number, {4, 7} if week else {}))
                    elif week and number == 7:
                        book.fail_step(begun.number, steps[0], "gone", "410")
                    else:
                        book.finish_step(begun.number, steps[0], shown(number))
                book.publish(begun.number, now=now)
        return statements

    def killed(address, kill_at):
        \"\"\"Whether the crawl, in a process of its own, was killed before it was through.\"\"\"
        child = os.fork()
        if not child:
            crawl(address, kill_at)
            os._exit(0)
        ended = os.waitpid(child, 0)[1]
        assert ended in {0, 9}, ended
        return ended == 9

    whole, address = sys.argv[1:]
    statements = crawl(whole, 0)
    kills = 0
    while killed(address, statements // 4 + 11 * kills):  # each time somewhere else
        kills += 1
    print(kills)
"""


def contents(address):
    """Every row of the catalog, but who held the lock."""
    with open_store(address) as store, store.engine.connect() as connection:
        tables = [table for table in TABLES.sorted_tables if table.name != "crawl_holders"]
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in tables}


def test_a_crawl_killed_again_and_again_ends_as_one_that_was_not(address, tmp_path):
    whole = f"sqlite:///{tmp_path}/whole.db"
    with process(CRAWLED, whole, address) as crawls:
        kills = int(crawls.stdout.read())
    assert crawls.returncode == 0
    assert kills >= 3
    rows = contents(whole)
    assert (len(rows["products"]), len(rows["views"]), len(rows["history"])) == (12, 24, 12)
    assert contents(address) == rows
    with open_store(address) as store:
        assert len(store.products(with_gone=False)) == 11
        assert [(one.counts["gone"], one.counts["pages"]) for one in Crawls(store).all()] == [(0, 16), (1, 15)]
