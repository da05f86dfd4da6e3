"""A walk through a real shop on this machine: what is asked for, in which order, what is kept, and when it stops."""

import http.server
import threading
import time
from itertools import pairwise

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
    assert asked <= 1 + 3 + 1  # the rules, what was answered well, and the refusal; not one more
    assert trip.book.steps_left(trip.number)


# A shop whose every answer is written here


def listing(*products, after=""):
    """A page of the plain shop's listing."""
    links = "".join(f'<li><a class="product" href="/p/{one}">{one}</a></li>' for one in products)
    following = f'<link rel="next" href="{after}">' if after else ""
    return page(f'<ul class="products">{links}</ul>', head=following)


def product(name, *pictures):
    """A product page of the plain shop."""
    facts = "".join(
        f"<dt>{term}</dt><dd>{said}</dd>" for term, said in {"product": name, "name": name, "price": "$9"}.items()
    )
    figures = "".join(f'<figure data-view="outside"><img src="{one}"></figure>' for one in pictures)
    return page(f'<dl class="facts">{facts}</dl>{figures}')


def page(body, head=""):
    return f"<!doctype html><html><head>{head}</head><body>{body}{'<!-- as long as a page is -->' * 12}</body></html>"


class Lab:
    """Answers what `answers` says of a path: a page, or a status, headers and a body; anything else is 404."""

    def __init__(self):
        self.answers, self.asked, self.times, self.agents = {}, [], [], set()
        self.under_way = self.most_under_way = 0
        lab = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                lab.note(self)
                told = lab.answers.get(self.path, (404, {}, page("nothing")))
                status, headers, body = (200, {}, told) if isinstance(told, (str, bytes)) else told
                data = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in ({"Content-Type": "text/html", "Content-Length": str(len(data))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
                lab.under_way -= 1

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.site = f"http://127.0.0.1:{self.server.server_port}"
        self.start = f"{self.site}/shoes"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def note(self, request):
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.asked.append(request.path)
        self.times.append(time.monotonic())
        self.agents.add((request.headers["User-Agent"], request.headers["Cookie"]))

    def close(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


@pytest.fixture
def lab():
    made = Lab()
    yield made
    made.close()


def outcome(trip):
    """What came of each page, by the end of its address."""
    return {
        one["url"].rpartition("/")[2]: one["reason"] or one["status"]
        for one in trip.book.tables(trip.number).pages.to_dicts()
    }


def test_where_the_rules_cannot_be_had_nothing_is_asked_for(walked, lab):
    lab.answers = {"/robots.txt": (500, {}, "")}
    trip = walked(lab)
    assert (lab.asked, lab.agents) == (["/robots.txt"], {("lookalike/0.1", None)})
    assert "/robots.txt: HTTP 500; without its rules nothing is asked" in trip.stopped
    assert outcome(trip) == {"shoes": "left"}


def test_a_shop_that_is_closed_is_told_as_that(walked, lab):
    lab.close()
    trip = walked(lab)
    assert "/robots.txt: cannot be reached: " in trip.stopped
    assert trip.stopped.endswith("Is the address right, and the shop open?")
    assert outcome(trip) == {"shoes": "left"}


@pytest.mark.parametrize("status", [403, 429])
def test_where_the_rules_are_refused_the_shop_refuses(walked, lab, status):
    lab.answers = {"/robots.txt": (status, {}, "no")}
    trip = walked(lab)
    assert f"the shop refuses (HTTP {status})" in trip.blocked
    assert lab.asked == ["/robots.txt"]
    assert outcome(trip) == {"shoes": "left"}


@pytest.mark.parametrize("status", [200, 403, 429])
def test_a_challenge_that_asks_to_be_reloaded_is_not_answered(walked, lab, status):
    challenge = page("bm-verify", head='<meta http-equiv="refresh" content="0; URL=/p/a?bm-verify=1">')
    lab.answers = {"/shoes": listing("a", "b"), "/p/a": (status, {}, challenge), "/p/a?bm-verify=1": product("a")}
    trip = walked(lab)
    assert trip.blocked
    assert lab.asked[-1] == "/p/a"  # neither its wish nor the next page
    assert outcome(trip) == {"shoes": "done", "a": "left", "b": "left"}


def test_after_429_for_a_picture_nothing_more_is_asked(walked, lab):
    names = "abcd"
    lab.answers = {"/shoes": listing(*names)} | {f"/p/{one}": product(one, f"/{one}.jpg") for one in names}
    lab.answers["/a.jpg"] = (429, {}, "")
    trip = walked(lab)
    assert "/a.jpg" in trip.blocked
    assert lab.asked[-1] == "/a.jpg"
    assert outcome(trip)["a"] == "left"


def test_pictures_that_are_refused_one_after_the_other_are_a_refusal(walked, lab):
    names = "abcdefgh"
    lab.answers = {"/shoes": listing(*names)} | {f"/p/{one}": product(one, f"/{one}.jpg") for one in names}
    lab.answers |= {f"/{one}.jpg": (403, {}, "") for one in names}
    trip = walked(lab)
    assert "HTTP 403" in trip.blocked
    assert sum(one.endswith(".jpg") for one in lab.asked) <= 6  # five, and one that was on its way


def test_a_challenge_instead_of_a_picture_is_a_refusal(walked, lab):
    lab.answers = {"/shoes": listing("a", "b"), "/p/a": product("a", "/1.jpg"), "/1.jpg": page("Just a moment...")}
    trip = walked(lab)
    assert "a challenge instead of a picture" in trip.blocked


def test_a_page_that_is_no_text_is_one_page_that_could_not_be_read(walked, lab):
    picture = (200, {"Content-Type": "image/png"}, b"\x89PNG\r\n\x1a\n" + bytes(300))
    lab.answers = {"/shoes": listing("a", "b"), "/p/a": picture, "/p/b": product("b")}
    assert outcome(walked(lab)) == {"shoes": "done", "a": "not_text", "b": "done"}


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("http://[bad", "bad_answer"),
        ("/p/b", "other_product"),
        ("/p/a", "redirects"),
        ("https://evil.example/", "host"),
    ],
)
def test_a_redirect_astray_is_told_as_what_it_is(walked, lab, where, reason):
    lab.answers = {"/shoes": listing("a", "b"), "/p/a": (302, {"Location": where}, ""), "/p/b": product("b")}
    trip = walked(lab)
    found = outcome(trip)
    assert found["b"] == "done"
    assert found["a"] in {reason, "no_robots"}  # the rules of a host that may not be asked cannot be had
    assert len(lab.asked) < 12
    assert trip.closed == "finished"


def test_a_shop_that_is_there_no_more_is_waited_for(walked, lab):
    names = "abcdefghij"
    lab.answers = {"/shoes": listing(*names)} | {f"/p/{one}": product(one) for one in names}
    lab.answers["/p/c"] = (503, {"Retry-After": "3600"}, "")
    lab.answers |= {f"/p/{one}": (503, {}, "") for one in "defghij"}
    trip = walked(lab)
    assert trip.stopped.startswith("5 requests in a row failed")
    assert lab.asked[-1] in {"/p/g", "/p/h"}  # at most the one that was on its way
    found = outcome(trip)
    assert {found[one] for one in "cdefghij"} == {"left"}
    lab.answers |= {f"/p/{one}": product(one) for one in names}
    again = walked(lab)
    assert (again.number, set(outcome(again).values())) == (trip.number, {"done"})


def test_one_page_that_fails_among_others_has_failed(walked, lab):
    lab.answers = (
        {"/shoes": listing("a", "b", "c")} | {f"/p/{one}": product(one) for one in "ac"} | {"/p/b": (500, {}, "")}
    )
    assert outcome(walked(lab)) == {"shoes": "done", "a": "done", "b": "status_500", "c": "done"}


def test_a_listing_that_never_ends_is_left(walked, lab):
    lab.answers = {f"/shoes?page={at}": listing("a", after=f"/shoes?page={at + 1}") for at in range(1, 99)}
    lab.answers |= {"/shoes": listing("a", after="/shoes?page=1"), "/p/a": product("a")}
    trip = walked(lab)
    assert sum("shoes" in one for one in lab.asked) == 12  # the first, ten with nothing new, and the one too many
    assert outcome(trip)["shoes?page=11"] == "endless"


def test_what_moved_to_a_page_that_was_read_before_is_not_called_gone(walked, lab, catalog):
    lab.answers = {"/shoes": listing(*"abef", after="/shoes?page=1"), "/shoes?page=1": listing("c", "d")}
    lab.answers |= {f"/p/{one}": product(one) for one in "abcdef"}
    first = walked(lab)
    first.book.publish(first.number)
    lab.answers["/shoes?page=1"] = listing()  # c moved to the first page after that was read, and d is sold no more
    del lab.answers["/p/d"]
    second = walked(lab, week=1)
    did = second.book.publish(second.number)
    assert {one.product for one in catalog.products(with_gone=False)} == set("abcef")
    assert did.gone == 1


def test_a_fault_of_ours_ends_the_walk_at_once(walked, lab, tmp_path):
    (tmp_path / "no_folder").write_text("a file")
    names = "abcdefgh"
    lab.answers = {"/shoes": listing(*names)} | {f"/p/{one}": product(one) for one in names}
    with pytest.raises(OSError, match="no_folder"):
        walked(lab, pages=tmp_path / "no_folder")
    assert len(lab.asked) <= 3


def test_pages_and_pictures_are_asked_for_one_after_the_other_no_faster_than_was_said(walked, lab):
    lab.answers = {"/shoes": listing("a", "b"), "/p/a": product("a", "/1.jpg"), "/p/b": product("b", "/2.jpg")}
    walked(lab, delay=0.15)
    gaps = [after - before for before, after in pairwise(lab.times)]
    assert (len(gaps), lab.most_under_way) == (5, 1)
    assert min(gaps) > 0.14


def test_the_rules_may_ask_for_more_time_than_we_leave(walked, lab):
    lab.answers = {"/robots.txt": "User-agent: *\nCrawl-delay: 0.2\n", "/shoes": listing("a", "b")}
    lab.answers |= {f"/p/{one}": product(one) for one in "ab"}
    walked(lab)
    gaps = [after - before for before, after in pairwise(lab.times[1:])]
    assert len(gaps) == 2
    assert min(gaps) > 0.19


def test_a_picture_that_was_damaged_here_is_asked_for_again(walked, drawn_pictures, tmp_path):
    with serving(SHELF, pictures=drawn_pictures) as shop:
        first = walked(shop)
        first.book.publish(first.number)
        damaged = next(one for one in (tmp_path / "images").glob("*/*") if one.is_file())
        whole = damaged.read_bytes()
        damaged.write_bytes(b"")
        walked(shop, week=1)
    assert damaged.read_bytes() == whole
