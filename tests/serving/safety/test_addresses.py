"""A picture by its address, against the whole server: whoever writes the address reaches nothing that only the server can.

Two servers fetch. `narrow` takes a list of hosts; `wide` takes any public host and even the secret's port, so that only the
check of addresses stands between. A shop on loopback, trusted by its name and port, gives pictures and leads astray; a
secret on loopback counts who comes: nobody may. What the servers ask and where they go is written down by themselves.
"""

import gzip
import re
import threading
import time
import unicodedata
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

SECONDS = 2.0  # for a fetch
BYTES = 300_000
PATIENCE = 30
PUBLIC = "93.184.216.34"
TREASURE = "treasure"
NUMBERED = ("127.0.0.1", "127.0.0.2", "10.0.0.7", "169.254.169.254", "::1", "64:ff9b")
MACHINE = re.compile(
    r"traceback|\.py\b|\b_?\w+\.c:\d+|\[ssl|errno|object at|[a-z](Error|Exception)\b|site-packages", re.IGNORECASE
)


def each(text):
    """The words of a text."""
    return text.split()


SCHEMES = each("""
    file:///etc/passwd file://127.0.0.1/etc/passwd FILE:///etc/passwd ftp://127.0.0.1:{p}/a.jpg gopher://127.0.0.1:{p}/_GET
    dict://127.0.0.1:{p}/stat ldap://127.0.0.1:{p}/ jar:http://127.0.0.1:{p}!/a ws://127.0.0.1:{p}/ about:blank
    javascript:alert(1)
    data:image/png;base64,iVBORw0KGgo= blob:http://127.0.0.1:{p}/a view-source:http://127.0.0.1:{p}/ netdoc:/etc/passwd
    //127.0.0.1:{p}/ /etc/passwd 127.0.0.1:{p}/ localhost:{p} http:127.0.0.1:{p}/ http:/127.0.0.1:{p}/ http:///127.0.0.1:{p}/
    :// http:// http://:{p}/ url:http://127.0.0.1:{p}/ http+unix://%2Fvar%2Frun%2Fdocker.sock/ \\\\127.0.0.1\\share
""")
PASSWORDS = each("""
    http://user:hunter2@127.0.0.1:{p}/ http://pictures.example@127.0.0.1:{p}/ http://127.0.0.1:{p}@pictures.example/
    http://@127.0.0.1:{p}/ http://user:hunter2@pictures.example:{s}/good.png http://:hunter2@pictures.example:{s}/good.png
    http://pictures.example:{s}@127.0.0.1:{p}/ http://a@b@127.0.0.1:{p}/ http://pictures.example%2f@127.0.0.1:{p}/
""")
NUMBERS = each("""
    127.0.0.1 127.0.0.2 2130706433 0x7f000001 0x7f.0.0.1 0X7F.1 0177.0.0.1 017700000001 127.1 127.0.1 127.0.0.1. 127.0.0.1..
    127.000.000.001 0 0.0.0.0 00000000 1.1 999.1.1.1 256.0.0.1 127.0.0.1.1 4294967297 10.0.0.7 172.16.0.1 192.168.1.1
    169.254.169.254 100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 2852039166 0xa9fea9fe
""")
SIXES = each("""
    ::1 :: 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 ::ffff:0:127.0.0.1 fc00::1 fd12:3456::1 fe80::1 fe80::1%25lo
    ::1%25lo ::1%lo 64:ff9b::7f00:1 64:ff9b::127.0.0.1 64:ff9b::a00:7 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 ff02::1
    fec0::1 127.0.0.1 ::ffff:169.254.169.254 0000:0000:0000:0000:0000:ffff:7f00:0001 v1.127.0.0.1
""")
NAMES = each("""
    localhost LOCALHOST localhost. LocalHost.. loop.example loop.example. LOOP.EXAMPLE inner.example meta.example six.example
    mapped.example zero.example mixed.example mixed6.example nat.example nobody.example
""")
SIGNS = each("""
    ①②⑦.⓪.⓪.① 127。0。0。1 127．0．0．1 127｡0｡0｡1 １２７.0.0.1 ｌｏｃａｌｈｏｓｔ ⓛⓞⓒⓐⓛⓗⓞⓢⓣ loca\u00adlhost loop。example
    127.0.0.1\u200b \u2060127.0.0.1 ٠.٠.٠.٠ 𝟏𝟐𝟕.𝟎.𝟎.𝟏 ℓocalhost [::①] loop.example／ ﹒127.0.0.1 127.0.0.1\u2100
""")
ODDITIES = [
    "http://pictures.example\\@127.0.0.1:{p}/", "http:\\\\127.0.0.1:{p}\\", "http://127.0.0.1:{p}\\.pictures.example/",
    "http://127.0.0.1:{p}#@pictures.example:{s}/", "http://127.0.0.1:{p}?@pictures.example:{s}/",
    "http://127.0.0.1%00.pictures.example:{p}/",
    "http://127.0.0.1 .pictures.example:{p}/", "http://%31%32%37.0.0.1:{p}/", "http://127.0.0.1\r\nHost:x:{p}/", "http://127.0.\t0.1:{p}/",
    "ht\ntp://127.0.0.1:{p}/", " http://127.0.0.1:{p}/ ", "http://127.0.0.1:{p}:80/", "http://127.0.0.1:80:{p}/", "http://127.0.0.1:+{p}/",
    "http://127.0.0.1:-1/", "http://127.0.0.1:99999/", "http://127.0.0.1:0{p}/", "http://127.0.0.1:８０/",
    "http://127.0.0.1:{p} /",
    "http://127.0.0.1:0x50/", "http://[::1]@pictures.example:{s}/", "http://[::1].pictures.example:{p}/", "http://pictures.example[::1]:{p}/",
    "http://[pictures.example]:{p}/", "http://[::1:{p}/", "http://::1]:{p}/", "http://*.shop.example:{p}/", "http://.:{p}/", "http://..:{p}/",
    "http://-.example:{p}/", "http://" + "a" * 300 + ".example:{p}/", "http://127.0.0.1:{p}/\0", "http://\x7f127.0.0.1:{p}/", "\x01http://127.0.0.1:{p}/",
    "http://pictures.example:{s}\r\nX: y@127.0.0.1:{p}/", "http://pictures.example;127.0.0.1:{p}/", "http://pictures.example,127.0.0.1:{p}/",
]  # fmt: skip
UNLISTED = each("""
    http://elsewhere.example/a.jpg http://pictures.example.elsewhere.example/a.jpg http://evilpictures.example/a.jpg
    http://shop.example/a.jpg http://notshop.example/a.jpg http://a.shop.example.elsewhere.example/ https://elsewhere.example/
    http://pictures.example:22/ http://pictures.example:0/ http://pictures.example:6379/ http://pictures.example:{p}/
    http://a.shop.example:{p}/ http://a.shop.example:{s}/ http://intranet.example/ http://elsewhere.example:{s}/good.png
""")
KNOWN = {
    **{name: [["127.0.0.1"]] for name in ("pictures.example", "loop.example", "intranet.example", "a.shop.example")},
    **{name: [[PUBLIC]] for name in ("elsewhere.example", "evilpictures.example", "shop.example", "notshop.example")},
    "inner.example": [["10.0.0.7"]],
    "meta.example": [["169.254.169.254"]],
    "six.example": [["::1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "nat.example": [["64:ff9b::7f00:1"]],
    "zero.example": [["0.0.0.0"]],  # noqa: S104 - an answer, nobody listens there
    "mixed.example": [[PUBLIC, "127.0.0.1"]],
    "mixed6.example": [["2606:4700::1111", "::1"]],
    "nobody.example": [[]],
    "rebind.example": [[PUBLIC], ["127.0.0.1"]],
    "turncoat.example": [["127.0.0.1"], ["127.0.0.2"]],
}


# Who is there


class Shop(BaseHTTPRequestHandler):
    """Answers each path by the function of that name in the server's `pages`."""

    def do_GET(self):
        self.server.asked.append(self.path)
        with suppress(OSError):  # whoever asks hangs up on most of what is said here
            self.server.pages[self.path](self)

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the tests print no access log."""


class Secret(BaseHTTPRequestHandler):
    """What nobody may see."""

    def do_GET(self):
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + TREASURE.encode())


class Listening(ThreadingHTTPServer):
    """Counts whoever connects, whatever they say."""

    daemon_threads = True

    def __init__(self, place, handler):
        super().__init__(place, handler)
        self.pages, self.asked, self.visitors = {}, [], 0

    def get_request(self):
        self.visitors += 1
        return super().get_request()

    def handle_error(self, *_):
        """Nothing: hanging up early is what these tests are about."""


@contextmanager
def listening(handler, host="127.0.0.1", port=0):
    server = Listening((host, port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def street():
    """The shop and the secrets: one on the shop's own port, on loopback's other address."""
    with (
        listening(Shop) as shop,
        listening(Secret) as secret,
        listening(Secret, "127.0.0.2", shop.server_port) as other,
    ):
        yield SimpleNamespace(shop=shop, secret=secret, other=other, s=shop.server_port, p=secret.server_port)
        assert secret.visitors == 0
        assert other.visitors == 0


def rules(street, **more):
    trusted = [f"{name}:{street.s}" for name in ("pictures.example", "turncoat.example")]
    return {"max_bytes": BYTES, "max_seconds": SECONDS, "allow_private": [*trusted, "intranet.example:8080"], **more}


@pytest.fixture(scope="module")
def narrow(serving, street):
    hosts = ["pictures.example", "turncoat.example", "intranet.example", "*.shop.example"]
    with serving(rules(street, hosts=hosts), KNOWN) as house:
        yield house


@pytest.fixture(scope="module")
def wide(serving, street):
    with serving(rules(street, ports=[80, 443, street.p, street.s]), KNOWN) as house:
        yield house


@pytest.fixture(scope="module", params=["narrow", "wide"])
def house(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def good(street, drawn, encoded):
    """A picture of the shop, and its address there."""
    data = encoded(drawn("red"), "PNG")
    street.shop.pages["/good.png"] = lambda it: it.answer(data, Content_Type="image/png")
    return SimpleNamespace(data=data, url=f"http://pictures.example:{street.s}/good.png")


# What must come back


def told(house, url, words=".", may=(422,)):
    """What is wrong with the answer to an address that must be refused; None where nothing is."""
    answer = house.fetch(url)
    said = answer.body.decode()
    if answer.status not in may or answer.type != "application/problem+json":
        return f"{url!r}: {answer.status} {answer.type} {said[:300]}"
    if answer.seconds > PATIENCE or MACHINE.search(said) or not re.search(words, answer.said["detail"]):
        return f"{url!r}: after {answer.seconds:.1f} s, for {words!r}: {said[:400]}"
    return None


def leaked(house, url, inside):
    """What of the inside the answer tells that its address does not."""
    said = house.fetch(url).body.decode()
    known = unicodedata.normalize("NFKC", url).lower()
    return [f"{url!r} tells {one}: {said[:400]}" for one in inside if one in said.lower() and one not in known]


def refused(house, street, urls, words="."):
    """All of these are refused, and nobody went anywhere for it."""
    before = len(house.steps("went"))
    wrong = [one for url in urls if (one := told(house, url.format(p=street.p, s=street.s), words))]
    assert not wrong, "\n".join(wrong)
    assert house.steps("went")[before:] == []
    assert (street.secret.visitors, street.other.visitors) == (0, 0)


def test_no_address_is_fetched_where_none_is_allowed(serving, street, good):
    with serving() as house:
        asked = list(street.shop.asked)
        for url in (good.url, "file:///etc/passwd", "http://127.0.0.1/"):
            assert (
                told(
                    house,
                    url,
                    r"fetches no addresses; send the picture as a file .* or start the server with",
                    may=(400,),
                )
                is None
            )
    assert street.shop.asked == asked


@pytest.mark.parametrize("name", ["narrow", "wide"])
def test_a_picture_by_its_address_is_answered_as_its_upload(request, name, good, multipart):
    house = request.getfixturevalue(name)
    answer = house.fetch(good.url)
    assert answer.status == 200
    assert answer.hits == house.ask(*multipart(good.data)).hits
    assert answer.hits[0][0] == "red-1"


def test_other_schemes_are_refused(house, street):
    refused(house, street, SCHEMES)


def test_names_and_passwords_are_refused_and_not_repeated(house, street):
    refused(house, street, PASSWORDS)
    assert b"hunter2" not in house.fetch("http://user:hunter2@pictures.example/").body


@pytest.mark.parametrize(
    "where", ["http://{}:{{p}}/", "http://{}/", "https://{}/latest/meta-data/"], ids=["port", "http", "https"]
)
def test_no_number_that_is_not_public_is_gone_to_however_it_is_written(house, street, where):
    refused(house, street, [where.format(one) for one in [*NUMBERS, *(f"[{six}]" for six in SIXES)]])


@pytest.mark.parametrize("where", ["http://{}:{{p}}/", "http://{}/"], ids=["port", "http"])
def test_no_name_of_the_inside_is_gone_to_in_whatever_signs_it_is_written(house, street, where):
    refused(house, street, [where.format(one) for one in [*NAMES, *SIGNS]])


def test_addresses_that_two_programs_read_differently_are_refused(house, street):
    refused(house, street, ODDITIES)


def test_hosts_and_ports_that_are_not_on_the_list_are_not_even_asked_for(narrow, street):
    before = Counter(host for (host,) in narrow.steps("asked"))
    refused(narrow, street, UNLISTED)
    asked = Counter(host for (host,) in narrow.steps("asked")) - before
    assert set(asked) <= {"intranet.example"}, "that one is on the list, and then no public host"


# Names that change their mind


def test_a_name_that_turns_private_at_the_second_look_gains_nothing(wide, street):
    url, before = f"http://rebind.example:{street.p}/", len(wide.steps("went"))
    assert told(wide, url, "not on the public internet") is None
    assert wide.steps("asked").count(("rebind.example",)) == 1
    assert wide.steps("went")[before:] == [(PUBLIC, street.p)], "to the address that was checked, and to no other"
    assert told(wide, url, "not on the public internet") is None
    assert len(wide.steps("went")) == before + 1
    assert street.secret.visitors == 0


def test_a_trusted_name_is_looked_up_once_and_that_is_where_it_is_fetched(narrow, street, good):
    assert narrow.fetch(good.url.replace("pictures", "turncoat")).hits[0][0] == "red-1"
    assert narrow.steps("asked").count(("turncoat.example",)) == 1
    assert narrow.steps("went")[-1] == ("127.0.0.1", street.s)
    assert street.other.visitors == 0


# Redirects


def leading(street, targets):
    """Addresses in the shop that lead to these; they do not tell where."""
    for number, target in enumerate(targets):
        place = target.format(p=street.p, s=street.s)
        street.shop.pages[f"/lead{number}"] = lambda it, to=place: it.answer(status=302, Location=to)
    return [f"http://pictures.example:{street.s}/lead{number}" for number in range(len(targets))]


ASTRAY = [
    "http://127.0.0.1:{p}/", "//127.0.0.1:{p}/", "http://2130706433:{p}/", "http://[::1]:{p}/", "http://[::ffff:7f00:1]:{p}/",
    "http://localhost:{p}/", "http://loop.example:{p}/", "http://inner.example/", "http://10.0.0.7/", "http://10.0.0.7:8443/admin",
    "http://169.254.169.254/latest/meta-data/", "http://mixed.example/", "http://pictures.example:6379/", "http://pictures.example/",
    "file:///etc/passwd", "gopher://127.0.0.1:{p}/_", "ftp://127.0.0.1:{p}/", "data:image/png;base64,iVBORw0KGgo=",
    "\\\\127.0.0.1:{p}\\",
    "http://u:p@127.0.0.1:{p}/", "http://pictures.example\\@127.0.0.1:{p}/", "http://127.0.0.2:{s}/good.png", "", "http://", "https://",
]  # fmt: skip


def test_a_redirect_leads_nowhere_that_an_address_may_not(house, street):
    urls, before = leading(street, ASTRAY), len(house.steps("went"))
    wrong = [one for url in urls if (one := told(house, url, "the picture cannot be fetched"))]
    assert not wrong, "\n".join(wrong)
    assert set(house.steps("went")[before:]) == {("127.0.0.1", street.s)}, "to the shop, and from there nowhere"
    assert (street.secret.visitors, street.other.visitors) == (0, 0)


def test_three_redirects_are_followed_and_a_fourth_or_a_circle_is_not(house, street, good):
    place = f"http://pictures.example:{street.s}"
    street.shop.pages["/hop0"] = street.shop.pages["/good.png"]
    for hop in range(1, 6):
        street.shop.pages[f"/hop{hop}"] = lambda it, to=hop - 1: it.answer(status=307, Location=f"/hop{to}")
    street.shop.pages["/circle"] = lambda it: it.answer(status=301, Location="/circle")
    assert house.fetch(f"{place}/hop3").hits == house.fetch(good.url).hits
    wrong = [told(house, f"{place}/{path}", "redirects") for path in ("hop4", "hop5", "circle")]
    assert wrong == [None] * 3


# Servers that mean no good


def drip(it):
    it.answer(b"\x89PNG", Content_Type="image/png", Content_Length="9999")
    patiently(it, b"\0")


def drip_headers(it):
    it.wfile.write(b"HTTP/1.1 200 OK\r\n")
    patiently(it, b"X-More: 1\r\n")


def patiently(it, piece):
    for _ in range(200):
        it.wfile.write(piece)
        time.sleep(0.1)


def endless(it):
    it.answer(Content_Type="image/png", Content_Length=None)
    while True:
        it.wfile.write(bytes(65_536))


def endless_chunks(it):
    it.answer(Transfer_Encoding="chunked", Content_Length=None)
    while True:
        it.wfile.write(b"10000\r\n" + bytes(65_536) + b"\r\n")


def endless_headers(it):
    it.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        it.wfile.write(b"X-More: " + b"x" * 9_999 + b"\r\n")


def saying(body, **headers):
    return lambda it: it.answer(body, **headers)


def bare(words):
    return lambda it: it.wfile.write(words)


BOMB = gzip.compress(bytes(20_000_000))
WICKED = {  # path -> what is said there, and the words that tell of it
    "text": (saying(b"a shoe", Content_Type="image/jpeg"), "else than a picture"),
    "page": (saying(b"<html>a shoe</html>", Content_Type="image/jpeg"), "web page"),
    "svg": (saying(b"<svg/>", Content_Type="image/svg+xml"), "not taken|not a photograph"),
    "packed": (saying(BOMB, Content_Type="image/png"), "else than a picture"),
    "packed, it says": (saying(BOMB, Content_Encoding="gzip"), "packed"),
    "packed twice": (saying(gzip.compress(BOMB), Content_Encoding="gzip, gzip"), "packed"),
    "packed with br": (saying(b"\x1b", Content_Encoding="br"), "packed"),
    "packed chunks": (
        saying(b"1\r\n\0\r\n0\r\n\r\n", Transfer_Encoding="gzip, chunked", Content_Length=None),
        "packed|HTTP",
    ),
    "empty": (saying(b""), "empty"),
    "nothing new": (saying(b"", status=204), "something else than a picture"),
    "cut short": (saying(b"\x89PNG", Content_Length="999"), "promised|HTTP"),
    "cut chunks": (saying(b"999\r\n\x89PNG", Transfer_Encoding="chunked", Content_Length=None), "HTTP|promised"),
    "no chunks": (saying(b"zebra\r\n", Transfer_Encoding="chunked", Content_Length=None), "HTTP"),
    "less than nothing": (saying(b"\x89PNG", Content_Length="-1"), "HTTP|else than a picture"),
    "too large": (saying(b"\x89PNG", Content_Length=str(10**12)), "more than"),
    "lost": (saying(b"no", status=404), "something else than a picture"),
    "broken": (saying(b"no", status=500), "something else than a picture"),
    "part": (saying(b"\x89PNG", status=206), "something else than a picture"),
    "teapot": (saying(b"no", status=418), "something else than a picture"),
    "no HTTP": (bare(b"SSH-2.0-OpenSSH_9.6\r\n"), "HTTP"),
    "silence": (bare(b""), "HTTP|answers there"),
    "no status": (bare(b"HTTP/1.1 abc OK\r\n\r\n"), "HTTP"),
    "one long line": (bare(b"HTTP/1.1 200 " + b"x" * 200_000), "HTTP"),
    "nowhere": (saying(b"", status=302), "HTTP"),
    "endless": (endless, "more than"),
    "endless chunks": (endless_chunks, "more than"),
    "endless headers": (endless_headers, "HTTP|more than"),
    "drip": (drip, "seconds"),
    "drip of headers": (drip_headers, "seconds|HTTP"),
}


def test_a_server_that_trickles_floods_packs_or_lies_is_refused_in_time_and_in_bounds(narrow, street, good):
    for number, (page, _) in enumerate(WICKED.values()):
        street.shop.pages[f"/wicked{number}"] = page
    assert narrow.fetch(good.url).status == 200
    narrow.forget_peak()
    before = narrow.megabytes()
    place = f"http://pictures.example:{street.s}/wicked"
    wrong = [
        f"{name}: {one}"
        for number, (name, (_, words)) in enumerate(WICKED.items())
        if (one := told(narrow, f"{place}{number}", words, may=(413, 415, 422)))
    ]
    assert not wrong, "\n".join(wrong)
    assert narrow.megabytes("VmHWM") - before < 16
    assert narrow.fetch(good.url).hits[0][0] == "red-1"


def test_a_place_that_speaks_no_tls_is_refused_in_words(narrow, street, good):
    assert told(narrow, good.url.replace("http:", "https:"), "safe") is None


# What strangers learn


def test_no_answer_tells_which_addresses_the_names_of_the_inside_have(house, street):
    urls = [
        f"http://{name}{port}/"
        for name in NAMES
        for port in ("", f":{street.p}")
        if not name.lower().startswith("localhost")
    ]
    wrong = [one for url in urls for one in leaked(house, url, NUMBERED)]
    assert not wrong, "\n".join(wrong)


def test_no_answer_tells_where_a_redirect_of_the_inside_leads(house, street):
    wrong = [one for url in leading(street, ASTRAY) for one in leaked(house, url, (*NUMBERED, "inner.example"))]
    assert not wrong, "\n".join(wrong)


def test_no_answer_tells_what_was_found_where_no_picture_was(narrow, street):
    """Else whoever may name an address of the inside reads of all that is there the first words."""
    words = TREASURE.encode()
    pages = {
        "/text": saying(words),
        "/wire": bare(words + b"\r\n"),
        "/packing": saying(b"x", Content_Encoding=TREASURE),
    }
    pages |= {"/status": bare(b"HTTP/1.1 500 " + words + b"\r\n\r\n"), "/length": saying(b"x", Content_Length=TREASURE)}
    street.shop.pages |= pages
    place = f"http://pictures.example:{street.s}"
    wrong = [one for path in pages for one in leaked(narrow, f"{place}{path}", (TREASURE,))]
    assert not wrong, "\n".join(wrong)


def test_no_answer_tells_which_places_of_the_inside_are_trusted(narrow):
    urls = ("http://elsewhere.example/", "http://pictures.example:22/")
    wrong = [one for url in urls for one in leaked(narrow, url, ("intranet.example", "turncoat.example"))]
    assert not wrong, "\n".join(wrong)


def test_all_this_time_nobody_came_to_the_secret_and_the_operator_was_told_of_no_failure(narrow, wide, street):
    assert (street.secret.visitors, street.other.visitors) == (0, 0)
    gone = {
        host
        for house in (narrow, wide)
        for host, port in house.steps("went")
        if (host, port) != ("127.0.0.1", street.s)
    }
    assert gone <= {PUBLIC}
    assert narrow.words() + wide.words() == ""
