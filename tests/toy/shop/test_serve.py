"""The shop's door, knocked at through real sockets."""

import http.client
import io
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, redirect_stdout
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import cv2
import numpy as np
import pytest

from lookalike.cli.shop import _says, run
from lookalike.settings import ConfigError, Paths, Shop
from lookalike.toy.catalog import jpeg
from lookalike.toy.shop.faults import Fault
from lookalike.toy.shop.pictures import Pictures, place
from lookalike.toy.shop.serve import ToyShop, serving


def number_of(shop):
    return urlsplit(shop.site).port


def image(photo, modifier=""):
    return f"/images/{photo.id}{modifier}.jpg"


def test_a_page_comes_with_its_length_and_its_type(opened, get):
    shop = opened()
    said = get(shop, "/shoes-and-bags?page=0")
    assert (said.status, said.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert int(said.headers["Content-Length"]) == len(said.body) > 1000
    assert b'<a class="product" href="/p/toy-00000-0">' in said.body


def test_head_tells_the_same_and_sends_no_body(opened, get):
    shop = opened()
    whole, head = get(shop, "/p/toy-00000-0"), get(shop, "/p/toy-00000-0", "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole.body)))


def test_one_connection_serves_many_questions(opened):
    shop = opened()
    with closing(http.client.HTTPConnection("127.0.0.1", number_of(shop), timeout=20)) as line:
        used = set()
        for path in ("/shoes-and-bags", "/nothing", "/p/toy-00001-0", "/robots.txt"):
            line.request("GET", path)
            assert line.getresponse().read()
            used.add(line.sock.getsockname())
    assert len(used) == 1


@pytest.mark.parametrize(
    "path", ["/nothing", "/p/toy-99999-0", "/images/31Qz7bKx2L.jpg", "//x", "http://other.example/"]
)
def test_what_the_shop_does_not_have_is_404_with_a_page(opened, get, path):
    said = get(opened(), path)
    assert said.status == 404
    assert b"no such page" in said.body


def test_who_knows_only_the_address_is_led_to_the_listing(opened, get):
    shop = opened()
    assert get(shop, "/").headers["Location"] == shop.start == f"{shop.site}/shoes-and-bags?page=0"


def test_robots_txt_is_the_faces(opened, get):
    said = get(opened(), "/robots.txt")
    assert said.headers["Content-Type"].startswith("text/plain")
    assert said.body == b"User-agent: *\nDisallow: /search\n"


def test_a_picture_is_the_one_that_is_drawn(opened, get, shelf):
    photo = shelf().items[3].photos[1]
    said = get(opened(), image(photo))
    assert said.headers["Content-Type"] == "image/jpeg"
    assert said.body == jpeg(photo.shot)


def test_a_plus_in_an_id_may_be_written_either_way(opened, get, shelf):
    photo = next(photo for name, (_, photo) in shelf().by_photo.items() if "+" in name)
    shop = opened()
    plain, quoted = get(shop, image(photo)), get(shop, quote(image(photo)))
    assert "%2B" in shop.asked[1]
    assert plain.status == quoted.status == 200
    assert plain.body == quoted.body


@pytest.mark.parametrize(("wanted", "given"), [(16, 16), (32, 32), (160, 32), (0, 1)])
def test_a_smaller_picture_is_made_and_a_larger_one_is_not(opened, get, shelf, wanted, given):
    said = get(opened(), image(shelf().items[0].photos[0], f"._SX{wanted}_"))
    assert cv2.imdecode(np.frombuffer(said.body, np.uint8), cv2.IMREAD_COLOR).shape == (given, given, 3)


def test_a_second_start_draws_nothing_anew(opened, get, shelf, tmp_path):
    photo = shelf().items[0].photos[0]
    get(opened(pictures=tmp_path), image(photo))
    kept = tmp_path / place(photo.shot)
    assert kept.read_bytes() == jpeg(photo.shot)
    kept.write_bytes(b"kept from the first start")
    assert get(opened(pictures=tmp_path), image(photo)).body == b"kept from the first start"


def test_several_threads_get_the_same_picture_and_leave_one_file(shelf, tmp_path):
    photo, pictures = shelf().items[1].photos[0], Pictures(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        every = set(pool.map(lambda _: pictures.read(photo), range(16)))
    assert every == {jpeg(photo.shot)}
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / place(photo.shot)]


def test_it_remembers_what_was_asked_in_order(opened, get):
    shop = opened()
    for path in ("/robots.txt", "/shoes-and-bags?page=1", "/nothing"):
        get(shop, path)
    asked = shop.asked
    assert asked == ["/robots.txt", "/shoes-and-bags?page=1", "/nothing"]
    asked.clear()
    assert len(shop.asked) == 3


def test_the_day_may_change_while_it_is_open(opened, get, shelf):
    shop, tomorrow = opened(), shelf(day=1)
    new = tomorrow.items[0].product
    assert get(shop, f"/p/{new}").status == 404
    shop.put(tomorrow)
    assert get(shop, f"/p/{new}").status == 200
    gone = next(product for product in shelf().by_product if product not in tomorrow.by_product)
    assert get(shop, f"/p/{gone}").status == 404


def test_who_waits_for_an_answer_holds_up_nobody_else(opened, get):
    shop = opened(fault=Fault(name="slow", slow=600, of="listing"))
    with closing(http.client.HTTPConnection("127.0.0.1", number_of(shop), timeout=20)) as line:
        line.request("GET", "/shoes-and-bags?page=0")
        while not shop.asked:
            time.sleep(0.01)
        assert get(shop, "/p/toy-00000-0").status == 200


def test_closing_hangs_up_on_those_who_wait_and_leaves_no_thread(shelf, drawn):
    before = set(threading.enumerate())
    with serving(shelf(), pictures=drawn, fault=Fault(name="slow", slow=600)) as shop:
        idle = http.client.HTTPConnection("127.0.0.1", number_of(shop), timeout=20)
        idle.request("GET", "/robots.txt")
        idle.getresponse().read()
        waiting = http.client.HTTPConnection("127.0.0.1", number_of(shop), timeout=20)
        waiting.request("GET", "/p/toy-00000-0")
        while len(shop.asked) < 2:
            time.sleep(0.01)
    assert set(threading.enumerate()) <= before
    idle.close()
    waiting.close()


def test_a_visitor_who_hangs_up_is_not_worth_a_word(shelf, drawn, capfd):
    with serving(shelf(), pictures=drawn, fault=Fault(name="too_big")) as shop:
        with socket.create_connection(("127.0.0.1", number_of(shop)), timeout=20) as line:
            line.sendall(b"GET /p/toy-00000-0 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert len(line.recv(1000)) > 0
        with socket.create_connection(("127.0.0.1", number_of(shop)), timeout=20) as line:
            line.sendall(b"GET /p/toy-00000-0 HT")  # and no more
        with socket.create_connection(("127.0.0.1", number_of(shop)), timeout=20) as line:
            line.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
            assert b" 400 " in line.recv(1000)
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_named_with_what_to_do(opened, shelf, drawn):
    taken = number_of(opened())
    with pytest.raises(ConfigError, match=rf"port={taken} on 127.0.0.1 .*something else listens.*port={taken + 1}"):
        ToyShop(shelf(), pictures=drawn, port=taken)


def test_a_layout_that_is_not_there_is_named_with_the_nearest(shelf, drawn):
    with pytest.raises(ConfigError, match="there is no 'plane'; did you mean 'plain'?"):
        ToyShop(shelf(), pictures=drawn, layout="plane")


@pytest.fixture
def interrupted():
    """Ctrl-C interrupts, however this process was started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_command_says_the_address_and_what_to_type_next_and_ends_at_ctrl_c(tmp_path, get, interrupted):
    said, met = io.StringIO(), []

    def visit():
        while "Ctrl-C" not in said.getvalue():
            time.sleep(0.01)
        try:
            at = re.search(r"shop\.site=(\S+)", said.getvalue())[1]
            met.extend(get(SimpleNamespace(site=at), "/shoes-and-bags?page=0").status for _ in range(3))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    told = Shop(products=3, size=32, port=0, fault="429", after=2, paths=Paths(data=str(tmp_path)))
    with redirect_stdout(said), pytest.raises(KeyboardInterrupt):
        run(told)
    visitor.join()
    assert met == [200, 200, 429]
    assert re.search(
        r"next +lookalike scrape shop=plain shop\.site=http://127\.0\.0\.1:\d+ \"shop\.start=\[\'/shoes",
        said.getvalue(),
    )
    assert "429: everything is answered 429, Too Many Requests; from the 3. request" in said.getvalue()


@pytest.mark.parametrize(("after", "told"), [(6, "from the 7. request for a listing on"), (7, "only 7: give after=0")])
def test_the_command_says_of_a_fault_that_comes_never(shelf, after, told):
    assert _says(Fault(name="empty", after=after), shelf(products=61)).endswith(told)


def test_the_command_refuses_a_fault_that_is_not_there_before_it_opens(tmp_path):
    with pytest.raises(ConfigError, match="there is no '428'; did you mean '42"):
        run(Shop(products=3, port=0, fault="428", paths=Paths(data=str(tmp_path))))
