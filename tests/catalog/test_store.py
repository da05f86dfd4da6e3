"""The catalog on real files, and on a real PostgreSQL where there is one."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.catalog.crawl import PriceChange
from lookalike.catalog.product import Product, SetAside, View
from lookalike.catalog.store import Contents, Counts, ImportRecord, PriceSeen, StockSeen, merged, open_store
from lookalike.catalog.tables import TABLES
from lookalike.settings import DataError, DiskFullError

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


def view(letter="a", **facts):
    told = {"sha256": letter * 64, "format": "JPEG", "width": 640, "height": 480, "size": 12_345}
    return View(**{**told, "fingerprint": b"\x00\xff" + letter.encode(), "source": "feed.xml, item 1", **facts})


def boot(product="boot-1", **facts):
    told = {"shop": "acme", "style": "boot", "brand": "Acme", "category": "boots", "color": "black", "name": "Boot"}
    return Product(**{"product": product, "price": Decimal("120.00"), "currency": "USD", **told, **facts})


@pytest.fixture
def file(tmp_path):
    return tmp_path / "catalog.db"


def test_a_product_comes_back_as_it_was_told_with_its_views_in_order(store):
    told = boot(
        rating=4.5,
        stock=7,
        url="https://acme.example/1",
        attributes={"material": "Leder & Kork", "größe": "42"},
        views=(view("b", view="outside", role="query", split="test"), view("a", view="pair")),
    )
    assert store.upsert([told], seen=MONDAY) == Counts(new=1, views_new=2)
    assert store.products() == [told]


def test_what_a_source_does_not_say_stays_unsaid(store):
    store.upsert([Product(product="1")], seen=MONDAY)
    assert store.products() == [Product(product="1")]


@pytest.mark.parametrize("price", ["0.10", "19.99", "1234567890123456789.0123456789", "0", "1E+3", "15.00"])
def test_prices_are_kept_to_the_digit(store, price):
    store.upsert([boot(price=Decimal(price))], seen=MONDAY)
    assert store.products()[0].price == Decimal(price)


def test_telling_the_same_twice_changes_nothing_but_the_last_moment(store):
    told = [boot(views=(view(),)), boot("boot-2")]
    store.upsert(told, seen=MONDAY)
    assert store.upsert(told, seen=MONDAY + WEEK) == Counts(same=2)
    assert store.products() == told
    assert moments(store, "products") == [(MONDAY, MONDAY + WEEK)] * 2
    assert moments(store, "views") == [(MONDAY, MONDAY + WEEK)]
    assert store.prices("acme", "boot-1") == [PriceSeen(seen=MONDAY, price=Decimal("120.00"), currency="USD")]


def test_a_field_that_comes_empty_erases_nothing(store):
    known = boot(rating=4.0, url="https://acme.example/1", attributes={"sole": "cork"}, views=(view(view="pair"),))
    store.upsert([known], seen=MONDAY)
    silent = Product(shop="acme", product="boot-1", attributes={"sole": ""}, views=(view(view="", source=""),))
    assert store.upsert([silent], seen=MONDAY + WEEK) == Counts(same=1)
    assert store.products() == [known]


def test_a_rating_of_zero_is_told_and_not_empty():
    assert merged(boot(rating=4.0), boot(rating=0.0)).rating == 0.0


def test_a_currency_without_a_price_does_not_turn_dollars_into_euros():
    assert merged(boot(), boot(price=None, currency="EUR")).currency == "USD"
    assert merged(boot(price=None, currency=""), boot(price=None, currency="EUR")).currency == "EUR"


def test_what_is_told_anew_wins_and_attributes_add_up(store):
    store.upsert([boot(attributes={"sole": "cork", "lining": "wool"})], seen=MONDAY)
    change = boot(name="Boot II", attributes={"sole": "rubber"})
    assert store.upsert([change], seen=MONDAY + WEEK) == Counts(changed=1)
    assert store.products() == [boot(name="Boot II", attributes={"sole": "rubber", "lining": "wool"})]


def test_a_new_picture_is_added_beside_the_known_one(store):
    store.upsert([boot(views=(view("a"),))], seen=MONDAY)
    assert store.upsert([boot(views=(view("b"),))], seen=MONDAY + WEEK) == Counts(same=1, views_new=1)
    assert store.products()[0].views == (view("a"), view("b"))
    assert sorted(moments(store, "views")) == [(MONDAY, MONDAY), (MONDAY + WEEK, MONDAY + WEEK)]


def test_the_same_picture_told_twice_of_one_product_is_one_view(store):
    assert store.upsert([boot(views=(view("a"), view("a")))], seen=MONDAY).views_new == 1


def test_one_picture_may_belong_to_two_products(store):
    store.upsert([boot("1", views=(view(),)), boot("2", views=(view(),))], seen=MONDAY)
    assert [product.views for product in store.products()] == [(view(),), (view(),)]


def test_a_product_told_twice_in_one_call_is_one_product(store):
    told = [boot(color="", views=(view("a"),)), boot(brand="", views=(view("b"),))]
    assert store.upsert(told, seen=MONDAY) == Counts(new=1, changed=1, views_new=2)
    assert store.products() == [boot(views=(view("a"), view("b")))]


def test_the_same_number_in_two_shops_is_two_products(store):
    store.upsert([boot("1", shop="zeta"), boot("1", shop="acme")], seen=MONDAY)
    assert [product.key for product in store.products()] == ["acme:1", "zeta:1"]


def test_a_price_is_noted_each_time_it_changes(store):
    weeks = [("120.00", "USD"), ("120.0", "USD"), ("99.50", "USD"), (None, ""), ("99.50", "EUR"), ("120.00", "USD")]
    for week, (price, currency) in enumerate(weeks):
        told = boot(price=price and Decimal(price), currency=currency)
        store.upsert([told], seen=MONDAY + week * WEEK)
    noted = [(row.seen, row.price, row.currency) for row in store.prices("acme", "boot-1")]
    assert noted == [
        (MONDAY, Decimal("120.00"), "USD"),
        (MONDAY + 2 * WEEK, Decimal("99.50"), "USD"),
        (MONDAY + 4 * WEEK, Decimal("99.50"), "EUR"),
        (MONDAY + 5 * WEEK, Decimal("120.00"), "USD"),
    ]


def test_a_stock_is_noted_each_time_it_changes_and_sold_out_is_a_stock(store):
    for week, pieces in enumerate([None, 3, 3, None, 0, 3]):
        store.upsert([boot(stock=pieces)], seen=MONDAY + week * WEEK)
    noted = [(row.seen, row.stock) for row in store.stocks("acme", "boot-1")]
    assert noted == [(MONDAY + WEEK, 3), (MONDAY + 4 * WEEK, 0), (MONDAY + 5 * WEEK, 3)]
    assert store.prices("acme", "boot-1") == [PriceSeen(seen=MONDAY, price=Decimal("120.00"), currency="USD")]


def test_the_stock_of_a_product_without_a_price_is_noted_too(store):
    store.upsert([boot(price=None, currency="", stock=2)], seen=MONDAY)
    assert store.prices("acme", "boot-1") == []
    assert store.stocks("acme", "boot-1") == [StockSeen(seen=MONDAY, stock=2)]


def test_what_was_seen_later_is_believed_in_whichever_order_it_is_told(store):
    store.upsert([boot(price=Decimal(99), rating=None)], seen=MONDAY + WEEK)
    late = boot(price=Decimal(120), rating=4.0, views=(view(),))
    assert store.upsert([late], seen=MONDAY) == Counts(changed=1, views_new=1)
    assert store.products() == [boot(price=Decimal(99), rating=4.0, views=(view(),))]
    assert moments(store, "products") == [(MONDAY + WEEK, MONDAY + WEEK)]
    assert store.prices("acme", "boot-1") == [PriceSeen(seen=MONDAY + WEEK, price=Decimal(99), currency="USD")]


def test_price_changes_are_told_newest_first_each_beside_what_it_had_been(store):
    weeks = [
        ("1", "120.00", 5),
        ("2", "80", None),
        ("1", "120.0", 4),
        ("1", "99.50", 4),
        ("2", "90", None),
        ("1", "9", 0),
    ]
    for week, (product, price, pieces) in enumerate(weeks):
        store.upsert([boot(product, price=Decimal(price), stock=pieces)], seen=MONDAY + week * WEEK)
    told = {"shop": "acme", "name": "Boot", "currency": "USD"}
    changes = [
        PriceChange(product="1", seen=MONDAY + 5 * WEEK, before=Decimal("99.50"), after=Decimal(9), **told),
        PriceChange(product="2", seen=MONDAY + 4 * WEEK, before=Decimal(80), after=Decimal(90), **told),
        PriceChange(product="1", seen=MONDAY + 3 * WEEK, before=Decimal("120.0"), after=Decimal("99.50"), **told),
    ]
    assert store.price_changes() == store.price_changes(shop="acme") == changes
    assert store.price_changes(limit=2) == changes[:2]
    assert store.price_changes(shop="zeta") == []


def test_dollars_that_become_euros_are_no_price_change_and_neither_is_a_first_price(store):
    for week, (price, currency) in enumerate([(None, ""), ("120", "USD"), ("100", "EUR"), ("90", "EUR")]):
        store.upsert([boot(price=price and Decimal(price), currency=currency)], seen=MONDAY + week * WEEK)
    assert [(one.before, one.after) for one in store.price_changes()] == [(Decimal(100), Decimal(90))]


def test_products_without_a_picture_are_left_out_where_pictures_are_asked_for(store):
    store.upsert([boot("1"), boot("2", views=(view(),))], seen=MONDAY)
    assert names(store.products()) == ["1", "2"]
    assert names(store.products(pictured=True)) == ["2"]


def test_products_are_asked_for_by_category_shop_and_brand(store):
    told = [boot("1"), boot("2", category="bags"), boot("3", shop="zeta"), boot("4", brand="Zeta")]
    store.upsert(told, seen=MONDAY)
    assert names(store.products("boots")) == ["1", "4", "3"]
    assert names(store.products("boots", shop="acme")) == ["1", "4"]
    assert names(store.products(brand="Zeta")) == ["4"]
    assert store.products("hats") == []


@pytest.mark.parametrize("asked", ["Jacken für Übergang", "JACKEN FÜR ÜBERGANG", "jacken für übergang"])
def test_a_capital_more_or_less_does_not_matter_in_any_script(store, asked):
    store.upsert([boot("1", category="Jacken für Übergang")], seen=MONDAY)
    assert names(store.products(asked)) == ["1"]


def test_what_a_shop_no_longer_shows_is_gone_until_it_is_back(store):
    store.upsert([boot("1"), boot("2"), boot("3", shop="zeta")], seen=MONDAY)
    store.upsert([boot("1")], seen=MONDAY + WEEK)
    assert store.mark_gone("acme", before=MONDAY + WEEK) == 1
    assert names(store.products(with_gone=False)) == ["1", "3"]
    assert store.counts() == Contents(products=3, gone=1, views=0, set_aside=0, imports=0)
    assert store.mark_gone("acme", before=MONDAY + WEEK) == 0
    store.upsert([boot("2")], seen=MONDAY + 2 * WEEK)
    assert names(store.products(with_gone=False)) == ["1", "2", "3"]


def test_a_row_set_aside_again_is_not_doubled(store):
    row = SetAside(where="feed.xml, item 3", picture="a.jpg", product="3", reason="truncated", text="cut short" * 999)
    assert store.set_aside([row, row], seen=MONDAY) == 1
    assert store.set_aside([row, replace(row, reason="no id")], seen=MONDAY + WEEK) == 1
    assert store.quarantined() == [replace(row, reason="no id"), row]


def test_an_import_is_noted_when_it_begins_and_when_it_ends(store):
    first = store.begin_import("feed", "acme.xml", started=MONDAY)
    second = store.begin_import("crawl", "zappos", started=MONDAY + WEEK)
    store.end_import(first, ended=MONDAY + WEEK, status="done", counts={"new": 3})
    assert store.imports() == [
        ImportRecord(
            id=first,
            kind="feed",
            source="acme.xml",
            started=MONDAY,
            ended=MONDAY + WEEK,
            status="done",
            counts={"new": 3},
        ),
        ImportRecord(
            id=second,
            kind="crawl",
            source="zappos",
            started=MONDAY + WEEK,
            ended=None,
            status="running",
            counts={},
        ),
    ]


def test_an_import_that_never_began_cannot_end(store):
    with pytest.raises(KeyError, match="no import 7"):
        store.end_import(7, ended=MONDAY, status="done", counts={})


def test_moments_are_kept_in_utc(store):
    kolkata = timezone(timedelta(hours=5, minutes=30))
    store.begin_import("crawl", "zappos", started=MONDAY.astimezone(kolkata))
    assert store.imports()[0].started == MONDAY
    assert store.imports()[0].started.tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused(store):
    with pytest.raises(ValueError, match="has no time zone"):
        store.upsert([boot()], seen=datetime(2026, 3, 2))
    assert store.products() == []


def test_an_error_half_way_leaves_all_as_it_was(store):
    store.upsert([boot("known")], seen=MONDAY)

    def told():
        yield from (boot(f"new-{number}", views=(view(),)) for number in range(1200))  # more than two chunks
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        store.upsert(told(), seen=MONDAY + WEEK)
    assert names(store.products()) == ["known"]
    assert store.counts().views == 0


def test_thousands_of_products_are_taken_in_whole(store):
    told = [boot(f"{number:05}", views=(view(),)) for number in range(1501)]
    assert store.upsert(iter(told), seen=MONDAY) == Counts(new=1501, views_new=1501)
    assert store.products() == told


def test_what_was_written_is_there_when_the_catalog_is_opened_again(address):
    with open_store(address) as store:
        store.upsert([boot(views=(view(),))], seen=MONDAY)
    with open_store(address) as store:
        assert store.products() == [boot(views=(view(),))]


def test_a_reader_is_not_held_up_by_a_writer_half_way(address):
    with open_store(address) as writer, open_store(address) as reader:
        seen_meanwhile = []

        def told():
            yield boot("1")
            seen_meanwhile.append(reader.products())

        writer.upsert(told(), seen=MONDAY)
        assert seen_meanwhile == [[]]
        assert names(reader.products()) == ["1"]


KILLED = """
    import sys, time
    from datetime import UTC, datetime
    from lookalike.catalog.product import Product
    from lookalike.catalog.store import open_store

    def told():
        for number in range(5000):
            if number == 1100:  # two chunks are with the database, not committed
                print("half way", flush=True)
                time.sleep(60)
            yield Product(product=str(number))

    open_store(sys.argv[1]).upsert(told(), seen=datetime.now(UTC))
"""


def test_a_writer_killed_half_way_leaves_a_whole_catalog_without_its_half(file):
    with open_store(f"sqlite:///{file}") as store:
        store.upsert([boot("known", views=(view(),))], seen=MONDAY)
    command = [sys.executable, "-c", textwrap.dedent(KILLED), f"sqlite:///{file}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "half way\n"
        writer.send_signal(signal.SIGKILL)
    with open_store(f"sqlite:///{file}") as store:
        assert store.products() == [boot("known", views=(view(),))]
        assert store.upsert([boot("after")], seen=MONDAY) == Counts(new=1)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


letters = st.sampled_from("abc")
a_view = st.builds(view, letters, view=st.sampled_from(["", "pair"]), split=st.sampled_from(["", "test"]))
some_products = st.lists(
    st.builds(
        boot,
        st.sampled_from("12345678"),
        shop=st.sampled_from(["", "acme"]),
        price=st.none() | st.decimals(min_value=0, max_value=10**6, places=2),
        rating=st.none() | st.floats(0, 5),
        attributes=st.dictionaries(letters, letters),
        views=st.lists(a_view, max_size=3, unique_by=lambda each: each.sha256).map(tuple),
    ),
    unique_by=lambda product: product.key,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(told=some_products, data=st.data())
def test_the_order_in_which_products_are_told_makes_no_difference(told, data):
    shuffled = data.draw(st.permutations(told))
    with open_store("sqlite://") as one, open_store("sqlite://") as other:
        assert one.upsert(told, seen=MONDAY) == other.upsert(shuffled, seen=MONDAY)
        for product in shuffled:
            other.upsert([product], seen=MONDAY)
        assert one.products() == other.products()
        assert one.counts() == other.counts()


def test_a_folder_that_is_not_there_yet_is_made(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/new/deep/catalog.db") as store:
        assert store.products() == []
    assert (tmp_path / "new/deep/catalog.db").is_file()


def test_a_catalog_in_memory_needs_no_file():
    with open_store("sqlite://") as store:
        store.upsert([boot()], seen=MONDAY)
        assert store.products() == [boot()]


def test_a_file_that_is_no_database_is_refused_and_left_alone(file):
    file.write_text("product,image\n" * 200)
    with pytest.raises(DataError, match=r"catalog.db: .*file is not a database\. Name another file"):
        open_store(f"sqlite:///{file}")
    assert file.read_text() == "product,image\n" * 200


def test_a_damaged_catalog_is_named_as_such(file):
    with open_store(f"sqlite:///{file}") as store:
        store.upsert([boot(str(number)) for number in range(2000)], seen=MONDAY)
    data = bytearray(file.read_bytes())
    data[8192:] = b"\x5a" * (len(data) - 8192)
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"catalog.db: .*malformed.*restore it from a copy"):  # noqa: SIM117
        with open_store(f"sqlite:///{file}") as store:
            store.products()


def test_somebody_elses_database_is_refused(file):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE cookies (name)")
    connection.close()
    with pytest.raises(DataError, match=r"not a catalog: it holds cookies\. Name an empty database"):
        open_store(f"sqlite:///{file}")


@pytest.mark.parametrize("other", [1, 3])
def test_an_older_or_newer_catalog_is_refused(file, other):
    open_store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE lookalike_schema SET version = ?", (other,))
    connection.close()
    with pytest.raises(DataError, match=f"a catalog of schema {other}, and this lookalike reads schema 2. Use"):
        open_store(f"sqlite:///{file}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(
        DataError, match=r"occupied/deep/catalog.db: no catalog can be made there .*folder that you may"
    ):
        open_store(f"sqlite:///{tmp_path}/occupied/deep/catalog.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match=r"catalog.db: .*unable to open.*folder that you may write to"):
        open_store(f"sqlite:///{tmp_path}/catalog.db")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"unable to open database file\. Name a file in a folder"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_full_disk_is_told_and_nothing_half_written_is_kept(file):
    with open_store(f"sqlite:///{file}") as store:
        store.upsert([boot("known")], seen=MONDAY)

        def full(connection, _):
            connection.execute("PRAGMA max_page_count = 30").close()

        sa.event.listen(store.engine, "connect", full)
        store.engine.dispose()
        with pytest.raises(DiskFullError, match="disk is full; nothing half-written"):
            store.upsert([boot(str(number), name="x" * 999) for number in range(999)], seen=MONDAY)
        assert names(store.products()) == ["known"]


def test_two_writers_wait_for_each_other_and_say_so_when_it_takes_too_long(address, monkeypatch):
    monkeypatch.setattr("lookalike.catalog.database.WAIT", 0.05)
    with open_store(address) as one, open_store(address) as other:

        def told():
            yield boot("1")
            other.upsert([boot("2")], seen=MONDAY)

        with pytest.raises(DataError, match=r"lock.*\. Another process is writing"):
            one.upsert(told(), seen=MONDAY)
        assert one.products() == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("data/catalog.db", "a text without ://.* Give sqlite:///data/catalog.db"),
        ("", "a text without ://"),
        ("postgresql://me:hunter2@host:port/db", r"you gave postgresql://\.\.\."),
        ("mysql://me:hunter2@host/db", r"mysql://host/db: .*sqlite:/// or postgresql.*not in mysql"),
        ("nosuch://me:hunter2@host/db", "not in nosuch"),
        (
            "postgresql+pg8001://me:hunter2@host/db",
            r"postgresql://host/db: the database driver pg8001 is not installed\. pip install",
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url, said):
    with pytest.raises(DataError, match=said) as refused:
        open_store(url)
    assert "hunter2" not in str(refused.value)


def test_a_database_that_does_not_answer_is_named_without_its_password():
    pytest.importorskip("psycopg")
    with pytest.raises(DataError, match=r"postgresql://127\.0\.0\.1/shop: the catalog cannot be used") as refused:
        open_store("postgresql+psycopg://me:hunter2@127.0.0.1:1/shop?passfile=hunter2")
    assert "hunter2" not in str(refused.value)


def names(products):
    return [product.product for product in products]


def moments(store, table):
    with store.engine.connect() as connection:
        columns = TABLES.tables[table].c
        return [tuple(row) for row in connection.execute(sa.select(columns.first_seen, columns.last_seen))]
