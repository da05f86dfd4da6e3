"""A walk through a real shop on this machine: what is asked for, in which order, what is kept, and when it stops."""

import http.server
import threading

import pytest

from lookalike.catalog.crawl import Plan
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.faults import Fault
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

SHELF = stock(products=12, views=2, size=32, per_page=5, seed=0)  # three pages of a listing


def steps_of(shop):
    """Pages that were asked for, pictures left out."""
    return [one for one in shop.asked if not one.startswith("/images/")]


def test_every_product_and_picture_is_kept_as_it_was_drawn(walked, catalog, drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        trip = walked(shop)
    assert (trip.closed, trip.blocked) == ("finished", "")
    trip.book.publish(trip.number)
    found = {one.product: one for one in catalog.products()}
    face = FACES["plain"]
    assert set(found) == {item.product for item in SHELF.items}
    for item in SHELF.items:
        told = found[item.product]
        asked = (told.style, told.brand, told.category, told.color, told.name, told.price, told.currency, told.stock)
        assert asked == (
            *face.known_as(item)[1:],
            item.brand,
            item.category,
            item.color,
            item.name,
            item.price,
            item.currency,
            item.stock,
        )
        assert told.rating == (float(item.rating) if item.rating else None)
        assert {view.view for view in told.views} == {photo.view for photo in item.photos}


def test_it_walks_page_by_page_and_asks_for_the_rules_first(walked, drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        walked(shop)
        asked = steps_of(shop)
    listings = [one for one in asked if "page=" in one]
    assert asked[0] == "/robots.txt"
    assert asked.count("/robots.txt") == 1
    assert listings == [f"/shoes-and-bags?page={number}" for number in range(3)]
    assert len(asked) == len(set(asked)) == 1 + 3 + 12


def test_a_picture_that_is_here_is_not_asked_for_again(walked, drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        first = walked(shop)
        first.book.publish(first.number)
        pictures = sum(one.startswith("/images/") for one in shop.asked)
        second = walked(shop, week=1)
        again = sum(one.startswith("/images/") for one in shop.asked) - pictures
    did = second.book.publish(second.number)
    assert (pictures, again) == (24, 0)
    assert (did.new, did.same, did.views_new) == (0, 12, 0)


def test_it_stops_at_as_many_products_as_were_asked_for(walked, drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        plan = Plan(shop="toy", scope="some", complete=False)
        trip = walked(shop, plan=plan, max_items=7)
        asked = steps_of(shop)
    assert trip.book.staged(trip.number) == 7
    assert len(asked) == 1 + 2 + 7  # the rules, two listings, seven products


def test_a_refresh_stops_after_a_page_of_known_products(walked, drawn_pictures):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        first = walked(shop)
        first.book.publish(first.number)
        shop.put(stock(products=12, views=2, size=32, per_page=5, seed=0, day=1, added=3, gone=0, repriced=0))
        before = len(shop.asked)
        plan = Plan(shop="toy", scope="new", complete=False)
        trip = walked(shop, plan=plan, since=True, week=1)
        listings = [one for one in shop.asked[before:] if "page=" in one]
    assert len(listings) == 2  # three new ones on the first page, none on the second
    assert trip.book.publish(trip.number).new == 3


@pytest.mark.parametrize("name", ["429", "403", "challenge"])
def test_a_refusal_stops_the_walk_at_once(walked, drawn_pictures, name):
    with serving(SHELF, pictures=drawn_pictures, fault=Fault(name=name, after=3)) as shop:
        trip = walked(shop)
        asked = len(steps_of(shop))
    assert trip.closed == "blocked"
    assert shop.site in trip.blocked
    assert asked <= 6  # the rules, a listing, two products, the refusal, and one that was on its way
    assert trip.book.steps_left(trip.number)


def test_where_the_rules_cannot_be_had_nothing_is_asked_for(walked):
    class Broken(http.server.BaseHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def do_GET(self):
            self.asked.append((self.path, self.headers["User-Agent"], self.headers["Cookie"]))
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        site = f"http://127.0.0.1:{server.server_port}"
        trip = walked(site, start="/shoes")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert Broken.asked == [("/robots.txt", "lookalike/0.1", None)]
    (page,) = trip.book.tables(trip.number).pages.to_dicts()
    assert (page["status"], page["reason"]) == ("failed", "no_robots")
