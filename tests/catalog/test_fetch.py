"""The guarded fetcher against real servers on loopback, and against every way we know to talk it into the house."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.catalog.fetch import FetchError, FetchRules, ask, fetch
from lookalike.settings import ConfigError

PICTURE = bytes(range(256)) * 40


class Shop(BaseHTTPRequestHandler):
    """Answers each path by the function of that name in the server's `pages`; notes the request's headers."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.pages[self.path](self)

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the tests print no access log."""


@contextmanager
def a_shop(pages, certificate=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.pages, server.asked, server.place = pages, [], f"127.0.0.1:{server.server_port}"
    server.handle_error = lambda *_: None  # a client that hangs up early is what many of these tests are about
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def a_wire(talk):
    """A server below HTTP: `talk` gets the connection, and says what it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            with closing(listener.accept()[0]) as connection:
                connection.recv(65536)
                talk(connection)
        except OSError:
            return  # the client hung up, as it should

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


def trusting(place, **rules):
    return FetchRules(allow_private=(place,), **{"max_seconds": 5, **rules})


def refused(reason, url, by=fetch, **how):
    with pytest.raises(FetchError) as wrong:
        by(url, **how)
    assert wrong.value.reason == reason, str(wrong.value)
    return str(wrong.value)


def nobody(_host, _port):
    raise AssertionError("no name may be asked for")


# What goes well


def test_a_picture_comes_with_its_type_and_its_address():
    with a_shop({"/a.jpg?w=640": lambda it: it.answer(PICTURE, Content_Type="image/jpeg")}) as shop:
        got = fetch(f"http://{shop.place}/a.jpg?w=640#top", rules=trusting(shop.place))
    assert (got.body, got.content_type) == (PICTURE, "image/jpeg")
    assert got.final_url == f"http://{shop.place}/a.jpg?w=640"


def test_a_request_says_who_asks_and_nothing_of_the_user():
    with a_shop({"/": lambda it: it.answer(b"ok")}) as shop:
        fetch(f"http://{shop.place}", rules=trusting(shop.place, contact="mailto:me@shop.example"))
    assert shop.asked[0][1] == {
        "Host": shop.place,
        "User-Agent": "lookalike/0.1 (+mailto:me@shop.example)",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def test_a_contact_that_would_forge_a_header_is_refused():
    with pytest.raises(ConfigError, match="one line of plain ASCII"):
        FetchRules(contact="me\r\nCookie: all")


def test_blanks_and_letters_of_any_language_in_a_path_are_sent_quoted():
    with a_shop({"/kn%C3%B6pf%20stiefel%2F1.jpg?a=b%20c": lambda it: it.answer(b"ok")}) as shop:
        assert fetch(f"http://{shop.place}/knöpf stiefel%2F1.jpg?a=b c", rules=trusting(shop.place)).body == b"ok"


def test_an_answer_in_chunks_or_without_a_length_is_read_whole():
    def chunked(it):
        it.protocol_version = "HTTP/1.1"
        it.send_response(200)
        it.send_header("Transfer-Encoding", "chunked")
        it.end_headers()
        it.wfile.write(b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n")

    def until_closed(it):
        it.send_response(200)
        it.end_headers()
        it.wfile.write(PICTURE)

    with a_shop({"/chunked": chunked, "/closed": until_closed}) as shop:
        assert fetch(f"http://{shop.place}/chunked", rules=trusting(shop.place)).body == b"hello world"
        assert fetch(f"http://{shop.place}/closed", rules=trusting(shop.place)).body == PICTURE


def test_three_redirects_are_followed_and_a_fourth_is_not():
    def to(path):
        return lambda it: it.answer(status=302, Location=path)

    pages = {"/4": to("3"), "/3": to("/2"), "/2": to("//{}/1"), "/1": to("/0"), "/0": lambda it: it.answer(b"here")}
    with a_shop(pages) as shop:
        pages["/2"] = to(f"//{shop.place}/1")
        got = fetch(f"http://{shop.place}/3", rules=trusting(shop.place))
        assert (got.body, got.final_url) == (b"here", f"http://{shop.place}/0")
        said = refused("too_many_redirects", f"http://{shop.place}/4", rules=trusting(shop.place))
    assert "/4 -> " in said
    assert "more than 3 times" in said


def test_a_redirect_loop_ends():
    with a_shop({"/": lambda it: it.answer(status=301, Location="/")}) as shop:
        refused("too_many_redirects", f"http://{shop.place}/", rules=trusting(shop.place))
    assert len(shop.asked) == 4


def test_a_name_is_asked_for_once_and_the_answer_is_where_the_connection_goes():
    asked = []

    def rebinding(host, port):
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.7"]

    with a_shop({"/": lambda it: it.answer(b"pinned")}) as shop:
        place = f"shop.invalid:{shop.server_port}"  # .invalid never resolves: a second question would fail
        assert fetch(f"http://{place}/", rules=trusting(place), resolve=rebinding).body == b"pinned"
    assert asked == [("shop.invalid", shop.server_port)]
    assert shop.asked[0][1]["Host"] == place


def test_an_address_that_does_not_answer_gives_way_to_the_next():
    with a_shop({"/": lambda it: it.answer(b"ok")}) as shop:
        place = f"shop.invalid:{shop.server_port}"
        two = ["127.0.0.2", "127.0.0.1"]  # the server listens on the second only
        assert fetch(f"http://{place}/", rules=trusting(place), resolve=lambda *_: two).body == b"ok"


@pytest.mark.parametrize(("asked", "host"), [("SHOP.invalid", "shop.invalid"), ("shop.invalid.", "shop.invalid")])
def test_a_host_is_one_host_however_it_is_written(asked, host):
    with a_shop({"/": lambda it: it.answer(b"ok")}) as shop:
        rules = trusting(f"{host}:{shop.server_port}")
        assert fetch(f"HTTP://{asked}:{shop.server_port}/", rules=rules, resolve=lambda *_: ["127.0.0.1"]).body == b"ok"


def test_a_name_in_another_script_is_asked_for_in_ascii():
    asked = []
    refused("unreachable", "http://bücher.example/", resolve=lambda host, _: asked.append(host) or [])
    assert asked == ["xn--bcher-kva.example"]


# What is refused before any byte is sent


@pytest.mark.parametrize(
    ("reason", "url"),
    [
        ("scheme", "file:///etc/passwd"),
        ("scheme", "ftp://shop.example/a.jpg"),
        ("scheme", "gopher://127.0.0.1:6379/_FLUSHALL"),
        ("scheme", "data:image/png;base64,AAAA"),
        ("scheme", "javascript:alert(1)"),
        ("scheme", "//shop.example/a.jpg"),
        ("scheme", "a.jpg"),
        ("scheme", ""),
        ("credentials", "http://user:secret@shop.example/"),
        ("credentials", "http://shop.example@127.0.0.1/"),
        ("credentials", "http://@shop.example/"),
        ("port", "http://shop.example:22/"),
        ("port", "http://shop.example:0/"),
        ("port", "https://shop.example:8443/"),
        ("bad_url", "http://shop.example:99999/"),
        ("bad_url", "http://shop.example:8o/"),
        ("bad_url", "http:///a.jpg"),
        ("bad_url", "http://"),
        ("bad_url", "http://[::1/"),
        ("bad_url", "http://[::1]x/"),
        ("bad_url", "http://[v1.x]/"),
        ("bad_url", "http://[fe80::1%25eth0]/"),
        ("bad_url", "http://x[::1]/"),
        ("bad_url", "http://[fe80::1%eth0]/"),
        ("bad_url", "http://[127.0.0.1]/"),
        ("bad_url", "http://shop..example/"),
        ("bad_url", "http://-shop.example/"),
        ("bad_url", "http://shop_example!/"),
        ("bad_url", "http://%31%32%37.0.0.1/"),
        ("bad_url", "http://sh op.example/"),
        ("bad_url", "http://" + "a" * 64 + ".example/"),
        ("bad_url", "http://" + "a." * 130 + "example/"),
        ("bad_url", "http://shop.example/" + "a" * 8000),
        ("bad_url", "http://shop.example/a\r\nHost: inside"),
        ("bad_url", "http://shop.example/a\tb"),
        ("bad_url", "http://shop.example\x00.inside/"),
        ("bad_url", "http://shop.example\\@127.0.0.1/"),
        ("bad_url", "http:\\\\127.0.0.1/"),
        ("bad_url", "http://shop.example℀/"),
        ("bad_url", "http://\ud800.example/"),
        # a number that is not a plain IPv4 address: resolvers read these as 127.0.0.1
        ("bad_url", "http://2130706433/"),
        ("bad_url", "http://0x7f000001/"),
        ("bad_url", "http://0x7f.1/"),
        ("bad_url", "http://127.1/"),
        ("bad_url", "http://0177.0.0.1/"),
        ("bad_url", "http://0127.0.0.1/"),
        ("bad_url", "http://127.0.0.1.1/"),
        ("bad_url", "http://256.0.0.1/"),
        ("bad_url", "http://shop.example.0x7f/"),
        ("bad_url", "http://①②⑦.1/"),
    ],
)
def test_an_address_that_is_not_plain_is_refused_unasked(reason, url):
    assert "secret" not in refused(reason, url, resolve=nobody)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.8.8", "127.0.0.1.", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),  # noqa: S104
        *("169.254.169.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "192.88.99.1", "１２７.０.０.１", "127。0。0。1"),
        *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[100::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]"),
        *("[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::ffff:10.0.0.1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[3fff::1]"),
    ],
)
def test_an_address_that_is_no_public_host_is_refused(host):
    def its_own(name, _port):
        return [name]

    assert "not a host of the public internet" in refused("not_public", f"http://{host}/", resolve=its_own)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["10.0.0.1", "93.184.216.34"], ["2606:4700::1111", "::1"]],
)
def test_one_private_address_among_public_ones_is_enough_to_refuse_a_name(addresses):
    said = refused("not_public", "https://shop.example/a.jpg", resolve=lambda *_: addresses)
    assert "put shop.example:443 into allow_private" in said


def test_the_names_of_this_machine_are_refused_by_what_the_system_makes_of_them():
    refused("not_public", "http://localhost/")
    refused("not_public", "http://LOCALHOST./")


def test_only_the_hosts_of_the_list_are_fetched():
    rules = FetchRules(hosts=("shop.example", "*.cdn.example"))

    def asked(*_):
        return []  # got as far as the name

    for host in ("shop.example", "SHOP.example.", "a.cdn.example", "b.a.cdn.example"):
        refused("unreachable", f"https://{host}/", rules=rules, resolve=asked)
    for host in ("other.example", "www.shop.example", "notshop.example", "cdn.example", "evilcdn.example"):
        refused("host", f"https://{host}/", rules=rules, resolve=nobody)


def test_trust_in_one_private_place_is_trust_in_that_port_alone():
    rules = FetchRules(allow_private=("127.0.0.1:8000",))
    refused("port", "http://127.0.0.1:8001/", rules=rules)
    refused("not_public", "http://127.0.0.1/", rules=rules)


def test_a_scheme_can_be_left_out_of_the_rules():
    refused("scheme", "http://shop.example/", rules=FetchRules(schemes=("https",)), resolve=nobody)


# Redirects


@pytest.mark.parametrize(
    ("reason", "location"),
    [
        ("scheme", "file:///etc/passwd"),
        ("scheme", "ftp://shop.example/"),
        ("not_public", "http://127.0.0.1/"),
        ("not_public", "http://169.254.169.254/latest/meta-data/"),
        ("not_public", "//[::1]/"),
        ("port", "http://127.0.0.1:1/"),
        ("credentials", "http://user:secret@127.0.0.1/"),
        ("bad_url", "http://0x7f.1/"),
        ("bad_answer", "http://[::1/"),
        ("bad_answer", ""),
    ],
)
def test_a_redirect_is_checked_like_the_first_address(reason, location):
    with a_shop({"/": lambda it: it.answer(status=307, Location=location)}) as shop:
        said = refused(reason, f"http://{shop.place}/", rules=trusting(shop.place))
    assert said.startswith(f"http://{shop.place}/")
    assert "secret" not in said


# Limits


def test_a_body_is_refused_by_what_it_promises_and_by_what_it_gives():
    def endless(it):
        it.send_response(200)
        it.end_headers()
        while True:
            it.wfile.write(b"x" * 65536)

    def endless_chunks(it):
        it.send_response(200)
        it.send_header("Transfer-Encoding", "chunked")
        it.end_headers()
        while True:
            it.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    pages = {
        "/exact": lambda it: it.answer(b"x" * 1000),
        "/promise": lambda it: it.answer(Content_Length="1001"),
        "/endless": endless,
        "/chunks": endless_chunks,
    }
    with a_shop(pages) as shop:
        rules = trusting(shop.place, max_bytes=1000)
        assert len(fetch(f"http://{shop.place}/exact", rules=rules).body) == 1000
        for path in ("promise", "endless", "chunks"):
            refused("too_big", f"http://{shop.place}/{path}", rules=rules)


def test_fewer_bytes_than_promised_are_no_picture():
    pages = {"/": lambda it: it.answer(b"half", Content_Length="8")}
    with a_shop(pages) as shop:
        assert "gives 4 bytes where it promised 8" in refused(
            "cut_short", f"http://{shop.place}/", rules=trusting(shop.place)
        )


def test_chunks_that_break_off_are_no_picture():
    with a_wire(lambda to: to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf")) as place:
        refused("bad_answer", f"http://{place}/", rules=trusting(place))


def drip(to):
    to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
    while True:
        to.sendall(b"x")
        time.sleep(0.02)


def drip_headers(to):
    to.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        to.sendall(b"x")
        time.sleep(0.02)


def endless_continue(to):
    while True:
        to.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def silence(to):
    to.recv(1)


@pytest.mark.parametrize("talk", [drip, drip_headers, endless_continue, silence])
def test_a_server_that_takes_its_time_is_left_when_the_time_is_over(talk):
    with a_wire(talk) as place:
        start = time.monotonic()
        said = refused("too_slow", f"http://{place}/", rules=trusting(place, max_seconds=0.3))
        assert time.monotonic() - start < 2
    assert "not done after 0.3 seconds" in said


def test_a_resolver_that_takes_its_time_is_left_too():
    done = threading.Event()
    refused(
        "too_slow", "https://shop.example/", rules=FetchRules(max_seconds=0.1), resolve=lambda *_: done.wait(10) or []
    )
    done.set()


def test_the_time_is_for_all_redirects_together():
    def slow(it):
        time.sleep(0.2)
        it.answer(status=302, Location="/")

    with a_shop({"/": slow}) as shop:
        refused("too_slow", f"http://{shop.place}/", rules=trusting(shop.place, max_seconds=0.3))


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 5_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: " + b"x" * 5_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 900_000,
    ],
    ids=["a chunk of -1", "one long header", "many headers", "continue for ever", "crumbs"],
)
def test_an_answer_that_tries_to_fill_the_memory_is_cut_off(said):
    with a_wire(lambda to: to.sendall(said)) as place, pytest.raises(FetchError) as wrong:
        fetch(f"http://{place}/", rules=trusting(place, max_bytes=1000))
    assert wrong.value.reason in {"too_big", "bad_answer"}


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate", "gzip, gzip", "zstd"])
def test_a_packed_answer_is_refused_unopened(packing):
    with a_shop({"/": lambda it: it.answer(b"\x1f\x8b", Content_Encoding=packing)}) as shop:
        refused("encoding", f"http://{shop.place}/", rules=trusting(shop.place))


def test_packed_chunks_are_refused_too():
    with a_wire(
        lambda to: to.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    ) as place:
        refused("encoding", f"http://{place}/", rules=trusting(place))


@pytest.mark.parametrize("status", [204, 206, 300, 304, 403, 404, 429, 500, 503])
def test_anything_but_a_whole_answer_is_refused_with_its_status(status):
    with a_shop({"/": lambda it: it.answer(b"sorry", status=status)}) as shop:
        assert f"answers {status}" in refused("status", f"http://{shop.place}/", rules=trusting(shop.place))


def test_a_port_where_nobody_listens_is_unreachable():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    refused("unreachable", f"http://{place}/", rules=trusting(place))


def test_a_name_that_nobody_knows_is_unreachable():
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert "Name or service not known" in refused("unreachable", "https://shop.example/", resolve=unknown)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200)
    | st.builds(
        lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body,
        st.sampled_from(
            [b"Transfer-Encoding: chunked", b"Content-Length: 9", b"Content-Length: -9", b"Content-Length: x"]
        ),
        st.lists(st.sampled_from([b"\r\n", b"5", b"-1", b"0", b"hello", b";", b"\x00", b"ffffffffffffffff"])).map(
            b"".join
        ),
    )
)
def test_whatever_a_server_says_the_answer_is_bytes_or_a_fetch_error(said):
    with a_wire(lambda to: to.sendall(said)) as place:
        try:
            came = len(fetch(f"http://{place}/", rules=trusting(place, max_bytes=100)).body)
        except FetchError:
            came = 0
    assert came <= 100


# Any answer, one request at a time


@pytest.mark.parametrize("status", [200, 206, 301, 302, 400, 403, 404, 410, 429, 500, 503])
def test_an_answer_comes_with_its_body_whatever_its_status(status):
    with a_shop({"/": lambda it: it.answer(b"all of it", status=status)}) as shop:
        got = ask(f"http://{shop.place}", rules=trusting(shop.place))
    assert (got.status, got.body, got.url) == (status, b"all of it", f"http://{shop.place}/")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_not_waited_for(status):
    with a_shop({"/": lambda it: it.answer(status=status, Content_Length="900", Content_Encoding="gzip")}) as shop:
        got = ask(f"http://{shop.place}/", rules=trusting(shop.place))
    assert (got.status, got.body) == (status, b"")


def test_a_redirect_is_an_answer_and_nobody_goes_there():
    with a_shop({"/": lambda it: it.answer(b"moved", status=301, Location="http://10.0.0.1/")}) as shop:
        got = ask(f"http://{shop.place}/", rules=trusting(shop.place))
    assert (got.status, got.body, dict(got.headers)["Location"]) == (301, b"moved", "http://10.0.0.1/")
    assert len(shop.asked) == 1


def test_headers_come_in_their_order_with_their_repetitions_and_each_in_one_line():
    said = b'HTTP/1.1 200 OK\r\nSet-Cookie: b=2\r\netag: "x y"\r\nSet-Cookie: a=1;\r\n\t path=/\r\nX: \xe9\r\n\r\nok'
    with a_wire(lambda to: to.sendall(said)) as place:
        got = ask(f"http://{place}/", rules=trusting(place))
    assert got.headers == (("Set-Cookie", "b=2"), ("etag", '"x y"'), ("Set-Cookie", "a=1; path=/"), ("X", "\xe9"))
    assert got.body == b"ok"


def test_a_caller_asks_with_headers_of_its_own():
    with a_shop({"/": lambda it: it.answer(b"ok")}) as shop:
        more = {"Accept-Language": "de;q=0.8", "if-none-match": 'W/"1"', "accept": "application/json"}
        ask(f"http://{shop.place}/", rules=trusting(shop.place), headers=more)
    assert shop.asked[0][1] == {
        "Host": shop.place,
        "User-Agent": "lookalike/0.1",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Accept-Language": "de;q=0.8",
        "If-None-Match": 'W/"1"',
        "Connection": "close",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "host", "HOST", "User-Agent", "Accept-Encoding", "Cookie", "Cookie2", "Authorization"),
        *("Proxy-Authorization", "Content-Length", "Content-Type", "content-anything", "Transfer-Encoding"),
        *("Connection", "Proxy-Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect"),
    ],
)
def test_a_header_that_frames_the_request_or_names_the_user_is_not_the_callers(name):
    said = refused("bad_header", "https://shop.example/", ask, headers={name: "secret"}, resolve=nobody)
    assert said == f"https://shop.example/: the header {name} is not the caller's to set; leave it out"


@pytest.mark.parametrize("name", ["", "Two Words", "A:B", "A\r\nHost", "Ä", "A\x00", "Host ", "\u212aeep-alive"])
def test_a_name_that_no_header_has_is_not_sent(name):
    said = refused("bad_header", "https://shop.example/", ask, headers={name: "1"}, resolve=nobody)
    assert said.endswith("is no name of a header; give one such as Accept-Language")
    assert said.isprintable()


@pytest.mark.parametrize("value", ["a\r\nCookie: all", "a\nb", "a\rb", "a\x00", "a\tb", "\x7f", "é", "a\u2028b"])
def test_a_value_that_would_end_its_line_or_is_not_plain_is_not_sent(value):
    said = refused("bad_header", "https://shop.example/", ask, headers={"If-None-Match": value}, resolve=nobody)
    assert "If-None-Match is " in said
    assert said.endswith("; give one line of plain ASCII")
    assert said.isprintable()


@pytest.mark.parametrize(
    ("reason", "url"),
    [
        ("scheme", "file:///etc/passwd"),
        ("credentials", "http://user:secret@shop.example/"),
        ("port", "http://shop.example:22/"),
        ("bad_url", "http://0x7f.1/"),
    ],
)
def test_whoever_asks_is_held_to_the_same_rules(reason, url):
    assert "secret" not in refused(reason, url, ask, resolve=nobody)


def test_a_private_host_is_not_asked_either():
    said = refused("not_public", "http://shop.example/", ask, resolve=lambda *_: ["93.184.216.34", "10.0.0.1"])
    assert "put shop.example:80 into allow_private" in said


def test_a_name_is_looked_up_once_for_each_request():
    looked = []
    with a_shop({"/": lambda it: it.answer(b"ok")}) as shop:
        place = f"shop.invalid:{shop.server_port}"
        for _ in range(2):
            ask(f"http://{place}/", rules=trusting(place), resolve=lambda *who: looked.append(who) or ["127.0.0.1"])
    assert looked == [("shop.invalid", shop.server_port)] * 2


def test_an_unwelcome_answer_has_the_limits_of_a_welcome_one():
    pages = {
        "/exact": lambda it: it.answer(b"x" * 1000, status=403),
        "/big": lambda it: it.answer(b"x" * 1001, status=403),
        "/half": lambda it: it.answer(b"half", status=400, Content_Length="8"),
        "/packed": lambda it: it.answer(b"\x1f\x8b", status=404, Content_Encoding="gzip"),
    }
    with a_shop(pages) as shop:
        rules = trusting(shop.place, max_bytes=1000)
        assert len(ask(f"http://{shop.place}/exact", rules=rules).body) == 1000
        refused("too_big", f"http://{shop.place}/big", ask, rules=rules)
        refused("cut_short", f"http://{shop.place}/half", ask, rules=rules)
        refused("encoding", f"http://{shop.place}/packed", ask, rules=rules)


@pytest.mark.parametrize("talk", [drip, drip_headers, endless_continue, silence])
def test_an_answer_that_takes_its_time_is_left_too(talk):
    with a_wire(talk) as place:
        said = refused("too_slow", f"http://{place}/", ask, rules=trusting(place, max_seconds=0.3))
    assert said == f"http://{place}/: is not done after 0.3 seconds"


# Safe connections


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for shop.invalid with its key, in one file, made on the spot: no key is kept in the project."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command to make a certificate")
    file = tmp_path_factory.mktemp("tls") / "shop.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shop.invalid -addext subjectAltName=DNS:shop.invalid"
    command = ["openssl", *asked.split(), "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + file.with_name("shop.pem.crt").read_bytes())
    return file


def test_a_safe_connection_checks_the_name_and_not_the_address(certificate):
    trust = ssl.create_default_context(cafile=certificate)
    here = {"trust": trust, "resolve": lambda *_: ["127.0.0.1"]}
    with a_shop({"/": lambda it: it.answer(b"safe")}, certificate) as shop:
        good, other = f"shop.invalid:{shop.server_port}", f"other.invalid:{shop.server_port}"
        assert fetch(f"https://{good}/", rules=trusting(good), **here).body == b"safe"
        assert "certificate" in refused("not_safe", f"https://{other}/", rules=trusting(other), **here)
        refused("not_safe", f"https://{good}/", rules=trusting(good), resolve=here["resolve"])
        assert ask(f"https://{good}/", rules=trusting(good), **here).body == b"safe"
        refused("not_safe", f"https://{good}/", ask, rules=trusting(good), resolve=here["resolve"])


def test_an_open_connection_may_be_left_for_a_safe_one_but_not_the_other_way(certificate):
    trust = ssl.create_default_context(cafile=certificate)
    here = {"trust": trust, "resolve": lambda *_: ["127.0.0.1"]}
    safe_pages, open_pages = {"/": lambda it: it.answer(b"safe")}, {}
    with a_shop(safe_pages, certificate) as safe, a_shop(open_pages) as plain:
        places = f"shop.invalid:{safe.server_port}", f"shop.invalid:{plain.server_port}"
        rules = FetchRules(allow_private=places, max_seconds=5)
        open_pages["/up"] = lambda it: it.answer(status=301, Location=f"https://{places[0]}/")
        safe_pages["/down"] = lambda it: it.answer(status=301, Location=f"http://{places[1]}/up")
        assert fetch(f"http://{places[1]}/up", rules=rules, **here).final_url == f"https://{places[0]}/"
        refused("downgrade", f"https://{places[0]}/down", rules=rules, **here)
        assert len(plain.asked) == 1


def test_a_server_that_speaks_no_tls_is_not_safe():
    with a_wire(lambda to: to.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as place:
        refused("not_safe", f"https://{place}/", rules=trusting(place))
