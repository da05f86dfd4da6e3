"""The book of crawls: begun, gone on with, killed half way; what a step brought is there once, whatever happens."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
    assert (book.staged(number), book.met(number)) == (2, 3)
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

    def listed(page):
        ids = [3 * page + n for n in range(3)]
        taken = [Taken(product=Product(product=str(n), name=f"listed {page}", price=Decimal(n))) for n in (*ids, 0)]
        more = [Step(kind="product", key=f"product {n}", url=f"https://acme.example/p/{n}") for n in ids]
        more += [Step(kind="listing", key=f"page {page + 1}", url="https://acme.example/")] * (page < 3)
        return Brought(taken=tuple(taken), more=tuple(more), generation="g")

    def shown(n):
        views = tuple(view(n, each) for each in range(2))
        pictures = tuple(PictureSeen(url=one.source, product=str(n), view=one) for one in views)
        return Brought(taken=(Taken(product=Product(product=str(n), stock=n, views=views)),), pictures=pictures)

    def crawl(address, kill_at):
        \"\"\"A crawl of four listings and twelve products; killed before a statement. Answers how many there were.\"\"\"
        store = open_store(address)
        book = Crawls(store)
        statements = 0

        def counted(*_):
            nonlocal statements
            statements += 1
            if statements == kill_at:
                os.kill(os.getpid(), 9)

        sa.event.listen(store._engine, "before_cursor_execute", counted)
        sa.event.listen(store._engine, "commit", counted)
        with book.alone("acme"):
            plan = Plan(shop="acme", scope="boots", complete=True)
            now = datetime(2026, 3, 2, tzinfo=UTC)
            begun, again = book.begin(plan, now=now, go_on_for=timedelta(days=1))
            book.first(begun.number, [Step(kind="listing", key="page 0", url="https://acme.example/")])
            while left := book.steps_left(begun.number):
                number = int(left[0].key.split()[1])
                read = listed if left[0].kind == "listing" else shown
                book.finish_step(begun.number, left[0], read(number))
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
    with open_store(address) as store, store._engine.connect() as connection:
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
