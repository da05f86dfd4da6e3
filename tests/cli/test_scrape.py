"""`lookalike scrape` and what stands before and behind it: permission, contact, the gate, the catalog, a data set."""

import re
from urllib.parse import urlsplit

import pytest

from lookalike.catalog.crawls import Crawls
from lookalike.catalog.store import open_store
from lookalike.toy.shop.faults import Fault
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

SHELF = stock(products=12, views=2, size=32, per_page=5, seed=0)


@pytest.fixture
def open_shop(drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures, layout="plain") as shop:
        yield shop


def crawls(at):
    with open_store(f"sqlite:///{at}/data/catalog.sqlite") as store:
        return [(one.shop, one.status) for one in Crawls(store).all()], store.products(with_gone=False)


def test_a_shop_becomes_a_data_set(lookalike, open_shop, tmp_path):
    said = lookalike("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy", at=tmp_path)
    assert re.search(r"the gate: \d+ checks passed", said)
    assert "new        12" in said
    said = lookalike("freeze", "name=toy", "of=toy", "shares={train: 0.5, val: 0.2, test: 0.3}", at=tmp_path)
    assert "12 of" in said
    assert "24 pictures" in said


def test_two_crawls_in_one_sweep_are_two_crawls(lookalike, open_shop, tmp_path):
    lookalike("scrape", "-m", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=one,two", at=tmp_path)
    told, products = crawls(tmp_path)
    assert told == [("one", "published"), ("two", "published")]
    assert len(products) == 24


def test_what_changed_between_two_crawls_is_told_exactly(lookalike, open_shop, tmp_path):
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy")
    lookalike(*words, at=tmp_path)
    open_shop.put(stock(products=12, views=2, size=32, per_page=5, seed=0, day=1, added=3, gone=2, repriced=4))
    said = lookalike(*words, at=tmp_path)
    for told in ("new        3", "gone       2", "repriced   4", "same       6"):
        assert told in said, said


def test_a_block_leaves_the_catalog_as_it_was_and_says_what_to_do(lookalike, open_shop, tmp_path):
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy")
    lookalike(*words, at=tmp_path)
    before = crawls(tmp_path)[1]
    open_shop.put(stock(products=12, views=2, size=32, per_page=5, seed=0, day=1, added=3, gone=2, repriced=4))
    open_shop.fail(Fault(name="429", after=4))
    said = lookalike(*words, at=tmp_path, code=1)
    assert "is blocked" in said
    assert "429" in said
    assert crawls(tmp_path) == ([("toy", "published"), ("toy", "blocked")], before)


def test_after_a_block_the_same_command_goes_on(lookalike, open_shop, tmp_path):
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy")
    open_shop.fail(Fault(name="429", after=6))
    lookalike(*words, at=tmp_path, code=1)
    open_shop.fail(None)
    before = len(open_shop.asked)
    said = lookalike(*words, at=tmp_path)
    assert "goes on with crawl 1" in said
    assert len(crawls(tmp_path)[1]) == 12
    assert not {one for one in open_shop.asked[before:] if "page=" in one} & set(
        open_shop.asked[:before]
    )  # no listing twice


def test_a_crawl_that_finds_too_little_is_suspect_and_not_published(lookalike, open_shop, tmp_path):
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy")
    lookalike(*words, at=tmp_path)
    open_shop.put(stock(products=5, views=2, size=32, per_page=5, seed=0))
    said = lookalike(*words, at=tmp_path, code=1)
    assert "the last good crawl brought 12" in said
    assert re.search(r"count +5 +at least 9 +FAILED", said)
    assert len(crawls(tmp_path)[1]) == 12
    said = lookalike(*words, "gate.count=0.3", at=tmp_path)
    assert "gone       7" in said


def test_farfetch_is_not_begun_without_permission_nor_any_shop_without_a_contact(lookalike, tmp_path):
    said = lookalike("scrape", "shop=farfetch", at=tmp_path, code=2)
    assert "forbid robots without written consent" in said
    assert "contact=" in said  # both faults at once
    said = lookalike("scrape", "shop=zappos", at=tmp_path, code=2)
    assert "contact=" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("shop=zappos", "shop.site=https://WWW.Farfetch.com.", "contact=mailto:me@shop.example"),
            "the terms of www.farfetch.com forbid robots without written consent",
        ),
        (
            ("shop=plain", "shop.site=http://127.0.0.1:8090", "shop.start=['https://www.farfetch.com/uk']"),
            "'https://www.farfetch.com/uk', which is not at shop.site=http://127.0.0.1:8090",
        ),
        (("shop=plain", "shop.site=http://127.0.0.1:99999"), "shop.site is 'http://127.0.0.1:99999'"),
        (("shop=plain", "shop.site='https://me:secret@shop.example'"), "shop.site is 'https://***@shop.example'"),
        (("shop=plain", "contact='me\u00e9'"), "plain ASCII"),
    ],
    ids=["another spider", "a start elsewhere", "no port", "a password", "a contact"],
)
def test_no_spider_and_no_start_leads_to_where_one_may_not_go(lookalike, tmp_path, words, told):
    said = lookalike("scrape", *words, at=tmp_path, code=2)
    assert told in said
    assert "secret" not in said
    assert not (tmp_path / "data").exists()


def test_a_shop_of_our_own_in_the_clothes_of_one_that_forbids_robots_needs_no_more_words(
    lookalike, drawn_pictures, tmp_path
):
    with serving(SHELF, pictures=drawn_pictures, layout="farfetch_listing") as shop:
        start = f"shop.start=['{shop.start}']"
        said = lookalike("scrape", "shop=farfetch", f"shop.site={shop.site}", start, "delay=0", at=tmp_path)
    assert "new        12" in said


def test_one_shop_is_crawled_once_at_a_time_whatever_it_is_called(lookalike, open_shop, tmp_path):
    (tmp_path / "data").mkdir()
    host = urlsplit(open_shop.site).netloc
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "max_items=1")
    with open_store(f"sqlite:///{tmp_path}/data/catalog.sqlite") as store:
        with Crawls(store).alone(host):
            said = lookalike(*words, "name=another", at=tmp_path, code=3)
        assert re.search(rf"{host} is being crawled by process \d+ on .*Wait for it to end", said)
        assert (open_shop.asked, Crawls(store).all()) == ([], [])
        with Crawls(store).alone("127.0.0.1:1"):  # another shop on this machine
            lookalike(*words, "name=another", at=tmp_path)


def test_a_shop_that_cannot_be_reached_any_more_leaves_the_crawl_open(lookalike, open_shop, tmp_path):
    words = ("scrape", "shop=plain", f"shop.site={open_shop.site}", "delay=0", "name=toy", "retries=0")
    open_shop.put(stock(products=12, views=2, size=32, per_page=12, seed=0))
    open_shop.fail(Fault(name="cut_short", of="product"))
    said = lookalike(*words, at=tmp_path, code=1)
    assert re.search(r"stopped: .*in a row", said)
    assert "not published: crawl 1 stays open" in said
    assert "within 3 days, the same command goes on with it" in said
    assert crawls(tmp_path) == ([("toy", "running")], [])
    open_shop.fail(None)
    said = lookalike(*words, at=tmp_path)
    assert "goes on with crawl 1" in said
    assert "new        12" in said


def test_what_could_not_be_told_for_sure_is_shown_with_what_was_published(lookalike, drawn_pictures, tmp_path):
    with serving(SHELF, pictures=drawn_pictures, layout="zappos") as shop:  # a page shows all colorways of a style
        start = f"shop.start=['{shop.start.removeprefix(shop.site)}']"
        words = ("scrape", "shop=zappos", f"shop.site={shop.site}", start, "delay=0", "name=toy")
        lookalike(*words, at=tmp_path)
        shop.put(stock(products=12, views=2, size=32, per_page=5, seed=0, day=1, added=0, gone=4, repriced=0))
        shop.fail(Fault(name="half_page"))
        lax = [f"gate.{name}=0" for name in ("count", "pages", "pictured", "pictures")]
        said = lookalike(*words, *lax, "gate.fall=1", at=tmp_path)
    assert re.search(r"published: products not met, and not marked as gone, .*: \d", said)


def test_a_shop_without_a_spider_is_named_with_those_that_have_one(lookalike, tmp_path):
    said = lookalike("scrape", "shop=zapos", at=tmp_path, code=2)
    assert "zappos" in said
    assert "farfetch" in said
