"""The guards, before a real server and over raw sockets: what strangers may send, and what they get to see."""

import asyncio
import json
import logging
import socket
import threading
import time

import pytest
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.serving.guard import HEADERS, Impatient, Rules, guarded
from lookalike.serving.line import SENDERS, Door, whose
from lookalike.serving.meters import Meters
from lookalike.serving.refusal import Refusal

KEY, ADMIN = "the key of the shop", "the key of the admin"
POST = b"POST /v1/search HTTP/1.1\r\nHost: x\r\n"
MANY = b"x" * 20_000_000  # more than the system takes for a client that does not read


class Shop:
    """An app whose search works in a thread until it is let go; it notes what came and how many work at a time."""

    def __init__(self, *, held=False, debug=False, at_once=2):
        self.app, self.go, self.lock = FastAPI(debug=debug), threading.Event(), threading.Lock()
        self.limiter = CapacityLimiter(at_once)
        self.working = self.most = 0
        self.bodies = []
        if not held:
            self.go.set()
        self.app.post("/v1/search")(self.search)
        self.app.post("/v1/admin/reload")(self.reload)
        self.app.post("/predict/image")(self.search)
        self.app.post("/v1/forever")(self.forever)
        self.app.get("/v1/products/{key:path}/similar")(self.search)
        self.app.get("/v1/products/{key:path}")(self.product)
        self.app.get("/v1/facets")(self.search)
        self.app.get("/many")(self.many)
        self.app.get("/healthz")(self.health)
        self.app.get("/boom")(self.boom)
        self.app.get("/cut")(self.cut)

    async def search(self, request: Request) -> int:
        body = await request.body()
        await to_thread.run_sync(self.work, body, limiter=self.limiter)
        return len(body)

    def work(self, body: bytes) -> None:
        with self.lock:
            self.bodies.append(body)
            self.working += 1
            self.most = max(self.most, self.working)
        self.go.wait(10)
        with self.lock:
            self.working -= 1

    async def forever(self) -> None:
        async with self.limiter:
            self.working += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.working -= 1

    def reload(self) -> str:
        self.go.wait(10)
        return "done"

    def health(self) -> str:
        return "alive"

    def many(self) -> Response:
        return Response(MANY)

    def product(self, key: str) -> str:
        return key

    def boom(self) -> None:
        raise RuntimeError("the secret of the house")

    def cut(self) -> StreamingResponse:
        def pieces():
            yield b"a beginning"
            raise RuntimeError("the secret of the house")

        return StreamingResponse(pieces())


def status(answer):
    return int(answer.split(b" ", 2)[1])


def told(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def hear(line):
    """One answer, to its last byte and no further, so that the line may stay open."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += line.recv(65_536) or pytest.fail(f"the line was cut after {said!r}")
    length = int(dict(heads(said)).get(b"content-length", 0))
    while len(said.partition(b"\r\n\r\n")[2]) < length:
        said += line.recv(65_536) or pytest.fail(f"the line was cut after {said!r}")
    return said


def heads(answer):
    lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces)


# What every answer is like


def test_every_answer_has_a_name_and_the_headers_that_bind_the_browser_once_each(serve):
    served = serve(Shop().app, key=KEY)
    answers = [
        served.get("/healthz"),
        served.get("/nowhere"),
        served.get("/boom"),
        served.get("/v1/products/7"),
        served.get("/v1/products/7", X_API_Key=KEY),
        served.get("/healthz", method="PUT"),
        served.post("/v1/admin/reload"),
        served.post(body=b"x" * 100_001, X_API_Key=KEY),
    ]
    assert [status(one) for one in answers] == [200, 404, 500, 401, 200, 405, 404, 413]
    for one in answers:
        for pair in HEADERS.items():
            assert heads(one).count(pair) == 1
    assert len({dict(heads(one))[b"x-request-id"] for one in answers}) == len(answers)


def test_the_page_may_load_nothing_from_elsewhere_and_nobody_may_frame_it():
    policy = HEADERS[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_an_error_is_one_problem_with_the_name_of_its_request(serve):
    answer = serve(Shop().app, key=KEY).post()
    assert (b"content-type", b"application/problem+json") in heads(answer)
    assert told(answer) == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "this needs a key, and it was given none or a wrong one; send X-API-Key or Authorization: Bearer",
        "request": dict(heads(answer))[b"x-request-id"].decode(),
    }


@pytest.mark.parametrize("debug", [False, True])
def test_a_failure_shows_its_trace_to_the_log_and_to_nobody_else(serve, caplog, debug):
    with caplog.at_level(logging.ERROR):
        answer = serve(Shop(debug=debug).app).get("/boom", Accept="text/html")
    assert status(answer) == 500
    assert b"secret" not in answer
    assert b"Traceback" not in answer
    named = [one for one in caplog.records if told(answer)["request"] in one.getMessage()]
    assert [str(one.exc_info[1]) for one in named] == ["the secret of the house"]


def test_a_failure_in_the_middle_of_an_answer_cuts_it_off(serve, caplog):
    with caplog.at_level(logging.ERROR):
        answer = serve(Shop().app).get("/cut")
    assert status(answer) == 200
    assert b"a beginning" in answer
    assert not answer.endswith(b"0\r\n\r\n")  # so a client knows that this is not all
    assert b"secret" not in answer


# How large, and how slow


def test_a_body_as_large_as_may_be_is_taken_and_one_byte_more_is_not(serve):
    shop = Shop()
    served = serve(shop.app, body_bytes=70_000)
    assert told(served.post(body=b"x" * 70_000)) == 70_000
    answer = served.post(body=b"x" * 70_001)
    assert status(answer) == 413
    assert "70,000 bytes" in told(answer)["detail"]
    assert [len(one) for one in shop.bodies] == [70_000]


def test_who_announces_too_much_is_refused_before_they_send_a_byte_of_it(serve):
    shop = Shop()
    with serve(shop.app).line() as line:
        line.sendall(POST + b"Content-Length: 1000000000\r\n\r\n")
        assert status(hear(line)) == 413
    assert not shop.bodies


def test_who_asks_whether_to_send_too_much_is_told_no_and_the_line_is_cut_at_once(serve):
    begun = time.monotonic()
    answer = serve(Shop().app).say(POST + b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
    assert status(answer) == 413
    assert b"100 Continue" not in answer
    assert time.monotonic() - begun < 3  # nobody waits for what is not on its way


def test_a_body_that_tells_no_length_is_cut_off_where_it_gets_too_large(serve):
    shop = Shop()
    served = serve(shop.app, body_bytes=1000)
    begin = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert told(served.say(begin + chunked(b"x" * 600, b"y" * 400, b""))) == 1000
    assert status(served.say(begin + chunked(b"x" * 600, b"y" * 401, b""))) == 413
    assert shop.bodies == [b"x" * 600 + b"y" * 400]


def test_who_sends_far_too_much_still_gets_to_read_why(serve):
    answer = serve(Shop().app, body_bytes=1000).post(body=b"x" * 20_000_000)
    assert status(answer) == 413
    assert (b"connection", b"close") in heads(answer)


def test_a_body_where_none_is_asked_for_may_be_small_only(serve):
    served = serve(Shop().app)
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert status(served.say(get + b"Content-Length: 3\r\n\r\nabc")) == 200
    assert status(served.say(get + b"Content-Length: 65537\r\n\r\n" + b"x" * 65_537)) == 413
    assert status(served.say(get + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 65_537, b""))) == 413


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 5.0",
        b"Content-Length: 0x5",
        b"Content-Length: five",
        b"Content-Length:",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: " + b"9" * 50,
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Content-Length: 5\r\nX-Evil: a\rb",
        b"Content-Length: 5\r\nX-Evil: a\x00b",
        b"Content-Length: 5\r\nX Evil: a",
        b"Content-Length: 5\r\nX-Evil : a",
    ],
    ids=str,
)
def test_headers_that_can_be_read_two_ways_are_refused_and_the_server_lives_on(serve, said):
    shop = Shop()
    served = serve(shop.app)
    with served.line() as line:
        line.sendall(POST + said + b"\r\nConnection: close\r\n\r\nhello")
        assert status(hear(line)) in {400, 413, 501}
    assert not shop.bodies
    assert told(served.post(body=b"hello")) == 5


def test_what_is_no_http_is_answered_like_any_error(serve):
    answer = serve(Shop().app).say(b"\x16\x03\x01 this is TLS\r\n\r\n")
    assert status(answer) == 400
    assert set(HEADERS.items()) < set(heads(answer))
    assert told(answer)["request"] == dict(heads(answer))[b"x-request-id"].decode()


def test_a_body_that_ceases_to_be_http_gives_its_place_away(serve, until):
    shop = Shop()
    served = serve(shop.app, at_once=1, waiting=0)
    broken = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"hello") + b"no chunk\r\n"
    assert status(served.say(broken)) == 400
    until(lambda: served.counted("lookalike_in_flight") == 0)
    assert status(served.post(body=b"hello")) == 200
    assert shop.bodies == [b"hello"]


def test_a_body_that_ceases_to_be_http_after_it_was_refused_is_cut_off_without_a_word(serve, caplog):
    served = serve(Shop().app, body_bytes=10)
    with served.line() as line:
        line.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 11))
        assert status(hear(line)) == 413
        line.sendall(b"no chunk\r\n")
        assert line.recv(65_536) == b""
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_headers_without_end_are_refused(serve):
    shop = Shop()
    assert status(serve(shop.app).say(POST + b"X-Long: " + b"a" * 70_000)) == 400
    assert not shop.bodies


def test_the_same_length_said_twice_is_one_length(serve):
    answer = serve(Shop().app).post(body=b"hello", Content_length="5")
    assert told(answer) == 5


def test_a_client_cannot_write_a_line_of_the_log_or_of_an_answer(serve, caplog):
    with caplog.at_level(logging.ERROR):
        answer = serve(Shop().app).get("/boom%0d%0aX-Evil:%20yes")
    assert status(answer) == 404
    assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]


def test_a_body_that_trickles_is_given_up_while_others_are_served(serve):
    shop = Shop()
    served = serve(shop.app, at_once=1, waiting=1, body_seconds=0.4)
    with served.line() as slow:
        slow.sendall(POST + b"Content-Length: 1000\r\n\r\nhel")
        assert told(served.post(body=b"hello")) == 5  # the one place to work is free while a body only arrives
        answer = hear(slow)
    assert status(answer) == 408
    assert "0.4 seconds" in told(answer)["detail"]
    assert shop.bodies == [b"hello"]


def test_headers_that_do_not_come_in_time_are_not_waited_for(serve, monkeypatch):
    monkeypatch.setattr(Impatient, "seconds", 0.3)
    served = serve(Shop().app)
    assert served.say(b"") == b""  # and that is all: this one says nothing
    assert served.say(POST + b"X-Slow: ") == b""
    with served.line() as line:
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            try:
                line.sendall(b"G")  # one byte after another does not make it wait longer
            except OSError:
                break
            time.sleep(0.05)
    assert 0.3 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("after", [b"", b"Connection: close\r\n"])
def test_who_does_not_read_the_answer_is_cut_off(serve, monkeypatch, until, after):
    monkeypatch.setattr(Impatient, "breath", 0.2)
    served = serve(Shop().app)
    with served.line() as line:
        line.sendall(b"GET /many HTTP/1.1\r\nHost: x\r\n" + after + b"\r\n")
        until(lambda: served.counted("lookalike_in_flight") == 0 and served.lines() == 1)
        until(lambda: served.lines() == 0)
    assert status(served.get("/healthz")) == 200


def test_who_reads_slowly_gets_it_all(serve, monkeypatch):
    monkeypatch.setattr(Impatient, "breath", 0.5)
    served, size = serve(Shop().app), 0
    with served.line() as line:
        line.sendall(b"GET /many HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while piece := line.recv(500_000):
            size += len(piece)
            time.sleep(0.03)
    assert size > len(MANY)


def test_more_lines_than_may_be_are_told_so_and_one_that_ends_makes_room(serve, monkeypatch, until):
    monkeypatch.setattr(Impatient, "most", 2)
    served = serve(Shop().app)
    with served.line(), served.line() as second:
        until(lambda: served.lines() == 2)
        answer = served.say(b"")
        assert status(answer) == 503
        assert set(HEADERS.items()) < set(heads(answer))
        assert (b"retry-after", b"1") in heads(answer)
        assert told(answer)["request"] == dict(heads(answer))[b"x-request-id"].decode()
        second.close()
        until(lambda: served.lines() == 1)
        assert status(served.get("/healthz")) == 200


def test_an_answer_does_not_wait_until_the_client_has_its_headers(serve, until):
    served = serve(Shop().app)
    with served.line() as line:
        until(lambda: served.lines() == 1)
        assert served.sockets()[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(hear(line)) == 200


def test_one_address_does_not_get_all_lines(serve, monkeypatch, until):
    monkeypatch.setattr(Impatient, "each", 1)
    served = serve(Shop().app)
    with served.line():
        until(lambda: served.lines() == 1)
        assert status(served.say(b"")) == 503
        with served.line(source="127.0.0.2") as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status(hear(other)) == 200
    until(lambda: served.lines() == 0)
    assert status(served.get("/healthz")) == 200


def test_a_proxy_whose_word_is_taken_gets_all_lines_and_nobody_else_does(serve, monkeypatch, until):
    monkeypatch.setattr(Impatient, "each", 1)
    served = serve(Shop().app, proxies=["127.0.0.0/31"])
    with served.line(), served.line(source="127.0.0.2"):
        until(lambda: served.lines() == 2)
        assert status(served.get("/healthz")) == 200
        with served.line(source="127.0.0.2") as other:
            answer = hear(other)
    assert status(answer) == 503
    assert "this address has 1 connections already" in told(answer)["detail"]


def test_headers_that_came_in_time_give_their_body_and_their_answer_the_time_they_have(serve, monkeypatch):
    monkeypatch.setattr(Impatient, "seconds", 0.3)
    shop = Shop(held=True)
    served = serve(shop.app)
    with served.line() as line:
        line.sendall(POST)
        time.sleep(0.1)
        line.sendall(b"Content-Length: 5\r\n\r\nhel")
        time.sleep(0.4)
        line.sendall(b"lo")
        time.sleep(0.4)
        shop.go.set()
        assert told(hear(line)) == 5
        time.sleep(0.4)
        line.sendall(POST + b"Content-Length: 2\r\n\r\nno")
        assert told(hear(line)) == 2
        line.sendall(b"GET /heal")
        assert line.recv(65_536) == b""


def test_an_answer_that_takes_too_long_is_given_up_in_time_but_its_place_is_held_while_its_thread_works(serve, until):
    shop = Shop(held=True)
    served = serve(shop.app, at_once=1, waiting=0, seconds=0.3)
    begun = time.monotonic()
    late = served.post()
    assert 0.3 <= time.monotonic() - begun < 3
    assert status(late) == 503
    assert (b"retry-after", b"1") in heads(late)
    assert shop.working == 1
    assert status(served.post()) == 429  # the thread still works, so there is no place
    shop.go.set()
    until(lambda: status(served.post()) == 200)
    assert served.counted('lookalike_refused_total{reason="late"}') == 1
    assert served.counted('lookalike_requests_total{method="POST",route="/v1/search",status="503"}') == 1


def test_who_waits_in_line_too_long_is_told_so_and_is_never_worked_on(serve, until):
    shop = Shop(held=True, at_once=1)
    served = serve(shop.app, at_once=1, waiting=1, seconds=0.5)
    with served.line() as first, served.line() as second:
        first.sendall(POST + b"Content-Length: 1\r\n\r\n1")
        until(lambda: shop.working == 1)
        second.sendall(POST + b"Content-Length: 1\r\n\r\n2")
        assert status(hear(first)) == 503
        assert status(hear(second)) == 503
    shop.go.set()
    until(lambda: served.counted("lookalike_in_flight") == 0)
    assert shop.bodies == [b"1"]


def test_an_admin_may_wait_as_long_as_it_takes_to_open_a_release(serve):
    shop = Shop(held=True)
    served = serve(shop.app, seconds=0.1, admin_key=ADMIN)
    threading.Timer(0.5, shop.go.set).start()
    assert status(served.post("/v1/admin/reload", X_API_Key=ADMIN)) == 200


# How many


def test_so_many_work_so_many_wait_and_everybody_else_is_told_at_once_when_to_come_back(serve, until):
    shop = Shop(held=True)
    served = serve(shop.app, at_once=2, waiting=3)
    lines = [served.line() for _ in range(5)]
    for number, line in enumerate(lines):
        line.sendall(POST + b"Connection: close\r\nContent-Length: 1\r\n\r\n%d" % number)
    until(lambda: shop.working == 2 and served.counted("lookalike_in_flight") == 5)
    with served.line() as sixth:
        sixth.sendall(POST + b"Content-Length: 90000\r\n\r\n")  # and nothing of it
        answer = hear(sixth)
    assert status(answer) == 429
    assert (b"retry-after", b"1") in heads(answer)
    assert status(served.get("/healthz")) == 200  # what costs nothing needs no place
    shop.go.set()
    assert [status(hear(line)) for line in lines] == [200] * 5
    assert shop.most == 2
    assert sorted(shop.bodies) == [b"0", b"1", b"2", b"3", b"4"]
    assert served.counted('lookalike_refused_total{reason="busy"}') == 1
    for line in lines:
        line.close()


@pytest.mark.parametrize(
    "path", ["/v1/facets", "/v1/products/a/b/similar", "/v1/facets%0A", "/v1/products/a/similar%0a"]
)
def test_what_searches_or_counts_needs_a_place_whatever_its_method_and_what_reads_does_not(serve, until, path):
    shop = Shop(held=True)
    served = serve(shop.app, at_once=1, waiting=0)
    with served.line() as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: shop.working == 1)
        assert [status(served.get(one)) for one in ("/v1/facets", "/v1/products/7/similar")] == [429, 429]
        assert status(served.post()) == 429
        assert status(served.get("/v1/products/7")) == 200
        shop.go.set()
        assert status(hear(line)) == 200
    assert status(served.get(path)) == 200


def test_who_only_sends_takes_nobodys_place(serve, until):
    served = serve(Shop().app, at_once=1, waiting=0)
    lines = [served.line() for _ in range(SENDERS - 1)]
    for line in lines:
        line.sendall(POST + b"Content-Length: 100\r\n\r\n")
    until(lambda: served.counted("lookalike_in_flight") == len(lines))
    assert status(served.post(body=b"hello")) == 200
    assert status(served.get("/v1/facets")) == 200
    for line in lines:
        line.close()


def test_one_address_may_send_so_many_bodies_at_a_time_and_no_other_is_kept_out_by_it(serve, until):
    served = serve(Shop().app)
    lines = [served.line() for _ in range(SENDERS)]
    for line in lines:
        line.sendall(POST + b"Content-Length: 100\r\n\r\n")
    until(lambda: served.counted("lookalike_in_flight") == len(lines))
    refused = served.post(body=b"hello")
    assert status(refused) == 429
    assert (b"retry-after", b"1") in heads(refused)
    assert served.counted('lookalike_refused_total{reason="crowd"}') == 1
    assert status(served.get("/v1/facets")) == 200  # which sends nothing
    with served.line("127.0.0.2") as other:
        other.sendall(POST + b"Content-Length: 5\r\n\r\nhello")
        assert status(hear(other)) == 200
    for line in lines:
        line.close()
    until(lambda: status(served.post(body=b"hello")) == 200)


def test_of_the_room_for_bodies_one_address_has_half_and_gets_it_back():
    door = Door(100)
    with door.sending("a") as first, door.sending("a") as second:
        first(30)
        second(20)
        with pytest.raises(Refusal, match="busy"):
            second(1)
        with door.sending("b") as third, door.sending("c") as fourth:
            third(49)
            fourth(1)
            with pytest.raises(Refusal, match="busy"):
                fourth(1)
        with door.sending("c") as fifth:
            fifth(50)
    with door.sending("a") as sixth:
        sixth(50)


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),  # of one network, which one machine may have
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("somebody", "somebody else", False),
    ],
)
def test_whose_body_it_is_is_told_by_address_and_of_ipv6_by_network(one, other, are_one):
    assert (whose((one, 1)) == whose((other, 2))) == are_one


def test_who_hangs_up_gives_the_place_away_waiting_or_worked_on(serve, until):
    shop = Shop(at_once=1)
    served = serve(shop.app, at_once=1, waiting=1)
    with served.line() as worked_on, served.line() as waiting:
        worked_on.sendall(b"POST /v1/forever HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        until(lambda: shop.working == 1)
        waiting.sendall(POST + b"Content-Length: 1\r\n\r\nx")
        until(lambda: status(served.post()) == 429)
        waiting.close()
        until(lambda: served.counted("lookalike_in_flight") == 1)
    until(lambda: shop.working == 0)
    assert status(served.post(body=b"last")) == 200
    assert b"x" not in shop.bodies


def test_a_thread_whose_client_hung_up_is_still_at_work_and_counts_as_such(serve, until):
    shop = Shop(held=True)
    served = serve(shop.app, at_once=1, waiting=0)
    with served.line() as line:
        line.sendall(POST + b"Content-Length: 0\r\n\r\n")
        until(lambda: shop.working == 1)
    for _ in range(20):
        assert status(served.post()) == 429
    assert shop.most == 1
    shop.go.set()
    until(lambda: status(served.post()) == 200)
    assert served.counted('lookalike_requests_total{method="POST",route="/v1/search",status="499"}') == 1


def test_a_line_that_is_kept_open_serves_one_request_after_another(serve):
    served = serve(Shop().app, at_once=1, waiting=0)
    with served.line() as line:
        for size in (1, 70_000, 3):
            line.sendall(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            answer = hear(line)
            assert status(answer) == 200
            assert told(answer) == size


# Keys


def test_a_key_opens_what_it_is_for_and_the_admins_nothing_else(serve):
    served = serve(Shop().app, key=KEY, admin_key=ADMIN)
    shop, admin = {"X_API_Key": KEY}, {"X_API_Key": ADMIN}
    assert [status(served.post(path, **shop)) for path in ("/v1/search", "/predict/image")] == [200, 200]
    assert [status(served.post(path, **admin)) for path in ("/v1/search", "/predict/image")] == [401, 401]
    assert [status(served.post("/v1/admin/reload", **key)) for key in ({}, shop, admin)] == [401, 401, 200]
    assert status(served.get("/healthz")) == 200
    assert (b"www-authenticate", b"Bearer") in heads(served.post())


@pytest.mark.parametrize(
    ("said", "opens"),
    [
        ({"X_API_Key": KEY}, True),
        ({"Authorization": f"Bearer {KEY}"}, True),
        ({"authorization": f"bearer   {KEY}"}, True),
        ({"Authorization": KEY}, False),
        ({"Authorization": f"Basic {KEY}"}, False),
        ({"X_API_Key": KEY[:-1]}, False),
        ({"X_API_Key": KEY + "x"}, False),
        ({"X_API_Key": KEY.upper()}, False),
        ({"X_API_Key": ""}, False),
        ({"X_API_Key": "schlüssel"}, False),
    ],
    ids=str,
)
def test_a_key_is_the_whole_key(serve, said, opens):
    assert status(serve(Shop().app, key=KEY).get("/v1/products/7", **said)) == (200 if opens else 401)


@pytest.mark.parametrize("path", ["/v1/%61dmin/reload", "/%761/admin/reload", "/v1/admin/reload?x=/healthz"])
def test_no_other_spelling_of_a_path_goes_past_its_key(serve, path):
    served = serve(Shop().app, admin_key=ADMIN)
    assert status(served.post(path)) == 401
    assert status(served.post(path, X_API_Key=ADMIN)) == 200


def test_who_has_no_key_takes_nobodys_place(serve, until):
    shop = Shop(held=True)
    served = serve(shop.app, key=KEY, at_once=1, waiting=0)
    with served.line() as line:
        line.sendall(POST + f"X-API-Key: {KEY}\r\nContent-Length: 0\r\n\r\n".encode())
        until(lambda: shop.working == 1)
        assert status(served.post()) == 401
        shop.go.set()
        assert status(hear(line)) == 200


def test_without_keys_all_is_open_but_what_is_the_admins_is_not_there(serve):
    served = serve(Shop().app)
    assert status(served.post()) == 200
    assert status(served.post("/v1/admin/reload", X_API_Key="")) == 404


def test_rules_do_not_show_their_keys():
    rules = Rules(body_bytes=1, body_seconds=1, seconds=1, at_once=1, waiting=1, key=KEY, admin_key=ADMIN)
    assert KEY not in repr(rules)
    assert ADMIN not in repr(rules)


# What is counted


def test_a_stranger_cannot_make_a_label(serve, until):
    served = serve(Shop().app)
    for number in range(3):
        served.get(f"/v1/products/boot/{number}")
        served.get(f"/nowhere/{number}")
        served.get("/healthz", method=f"EVIL{number}")
    until(lambda: served.counted("lookalike_in_flight") == 0)
    told = served.meters.text()[0].decode()
    assert served.counted('lookalike_requests_total{method="GET",route="/v1/products/{key:path}",status="200"}') == 3
    assert served.counted('lookalike_requests_total{method="GET",route="other",status="404"}') == 3
    assert served.counted('lookalike_requests_total{method="other",route="/healthz",status="405"}') == 3
    assert "nowhere" not in told
    assert "EVIL" not in told
    assert served.counted('lookalike_request_seconds_count{route="/v1/products/{key:path}"}') == 3


# What needs no server


def spoken(app, scope, messages):
    """An app called by hand: what it said."""
    said, left = [], list(messages)

    async def receive():
        return left.pop(0) if left else await asyncio.Event().wait()

    async def send(message):
        said.append(message)

    asyncio.run(app(scope, receive, send))
    return said


def echo():
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            message = await receive()
            return await send({"type": f"{message['type']}.complete"})
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"origin")]})
        return await send({"type": "http.response.body", "body": message["body"]})

    rules = Rules(body_bytes=10_000, body_seconds=1, seconds=1, at_once=1, waiting=0)
    return guarded(app, rules, Meters())


def test_the_servers_start_reaches_the_app_and_a_websocket_nobody():
    assert spoken(echo(), {"type": "lifespan"}, [{"type": "lifespan.startup"}]) == [
        {"type": "lifespan.startup.complete"}
    ]
    scope = {"type": "websocket", "path": "/v1/search", "headers": []}
    assert spoken(echo(), scope, [{"type": "websocket.connect"}]) == [{"type": "websocket.close", "code": 1008}]


def test_an_app_cannot_unbind_the_browser():
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "http_version": "1.1"}
    start, _ = spoken(echo(), scope, [{"type": "http.request", "body": b"", "more_body": False}])
    assert [value for name, value in start["headers"] if name == b"referrer-policy"] == [b"no-referrer"]


def test_the_place_is_free_before_the_last_byte_of_an_answer_goes_out():
    app, statuses = echo(), []
    scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": [], "http_version": "1.1"}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message, first=True):
        if first and message["type"] == "http.response.body":  # a client that asks again as soon as it may
            await app(dict(scope), receive, lambda again: send(again, first=False))
        statuses.append(message.get("status"))

    asyncio.run(app(dict(scope), receive, send))
    assert statuses == [200, 200, None, None]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=10))
def test_however_a_body_is_cut_it_arrives_whole_or_not_at_all(pieces):
    scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": [], "http_version": "1.1"}
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False
    start, *rest = spoken(echo(), scope, messages)
    body = b"".join(pieces)
    assert start["status"] == (200 if len(body) <= 10_000 else 413)
    if len(body) <= 10_000:
        assert b"".join(one["body"] for one in rest) == body
