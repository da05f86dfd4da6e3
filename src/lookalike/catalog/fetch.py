"""The one way to fetch an address that a stranger wrote: only from the public internet, only so much, only so long.

In: a URL. Out: the bytes of its answer. Never: connects to an address that it did not check, asks for a name twice,
follows a redirect unchecked, sends a password or a cookie, obeys a proxy setting, or reads on past its limits.

Whoever writes the URL must not reach what only this machine can: its own ports, its neighbours, the cloud's metadata.
So the host's name is resolved here, every address it has must be public, and the connection goes to the very address
that was checked; a name that answers differently the next time gains nothing.
"""

import http.client
import io
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from lookalike.catalog.product import RowError
from lookalike.settings import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]  # host, port -> its addresses, as text

PORTS: Final = {"http": 80, "https": 443}
MOVED: Final = frozenset({301, 302, 303, 307, 308})
PIECE: Final = 2**16  # bytes read at once
LONGEST: Final = 8_000  # characters of a URL
SHOWN: Final = 200  # characters of it in a message

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NETLOC = re.compile(r"[^\[\]]*|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")  # brackets only round an IPv6 address, and all of it
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")  # a last label like this makes the whole host a number to some resolvers
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_USER = re.compile(r"^([a-z][a-z0-9+.-]*:[/\\]*)?[^/\\?#]*@", re.IGNORECASE)
_SAFE_IN_TARGET = "!$%&'()*+,/:;=?@[]~|^{}`\"<>"  # quoted is only what cannot stand in a request line

# What the standard library takes for global, and is not somebody's host: old relays, and reserved for protocols.
_OF_NOBODY: Final = ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
_NOBODYS: Final = tuple(map(ipaddress.ip_network, _OF_NOBODY))
_UNICAST: Final = ipaddress.ip_network("2000::/3")  # all of IPv6 that is given to hosts of the public internet
_V4_INSIDE: Final = tuple(map(ipaddress.ip_network, ("::ffff:0:0/96", "64:ff9b::/96")))  # mapped, and behind NAT64


class FetchError(RowError):
    """This address was not fetched. `reason` is one of the words that this module raises, the text says it in full."""


@dataclass(frozen=True, kw_only=True)
class FetchRules:
    """What may be fetched."""

    schemes: tuple[str, ...] = ("https", "http")
    ports: tuple[int, ...] = (80, 443)
    hosts: tuple[str, ...] = ()  # only these, "*.shop.example" for all below one; empty: any public host
    allow_private: tuple[str, ...] = ()  # "host:port" that is trusted wherever it is: an intranet's feed, a test
    max_bytes: int = 20_000_000
    max_seconds: float = 30.0  # for all of it: names, redirects, and the last byte
    max_redirects: int = 3
    contact: str = ""  # whom a shop may write to: an address or a page, sent with every request

    def __post_init__(self) -> None:
        if not self.contact.isascii() or not self.contact.isprintable():
            raise ConfigError(
                f"contact is {self.contact!r}; give one line of plain ASCII, such as mailto:you@shop.example"
            )

    @property
    def agent(self) -> str:
        """How a request calls itself."""
        return f"lookalike/0.1 (+{self.contact})" if self.contact else "lookalike/0.1"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What an address answered. The content type is what the server says: nobody checked it."""

    body: bytes
    content_type: str
    final_url: str


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a URL leads, taken apart and checked, all but the addresses of its host."""

    scheme: str
    host: str  # lower case, ASCII, without a trailing dot; an IPv6 address without its brackets
    port: int
    target: str  # path and query, fit for a request line

    @property
    def netloc(self) -> str:
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def shown_host(self) -> str:
        """The host as a request names it: with the port only where it is not the scheme's own."""
        return self.bracketed if self.port == PORTS[self.scheme] else self.netloc

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.shown_host}{self.target}"


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver knows for a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def fetch(
    url: str,
    *,
    rules: FetchRules = FetchRules(),
    resolve: Resolve = resolve_host,
    trust: ssl.SSLContext | None = None,
) -> Fetched:
    """Fetch `url` by GET, following redirects that obey the rules too. `trust` replaces the system's certificates."""
    deadline = time.monotonic() + rules.max_seconds
    trail = [url]
    with _told(trail, rules):
        while len(trail) <= rules.max_redirects + 1:
            place = _place(trail[-1], rules)
            addresses = _addresses(place, rules, resolve, deadline)
            connection = _connect(place, addresses, trust, deadline)
            with closing(_Wire(connection, rules, deadline)) as wire, closing(wire.answer()) as answer:
                wire.send(_request(place, rules))
                answer.begin()
                if answer.status not in MOVED:
                    return _fetched(answer, place, rules)
                trail.append(_next_url(place, answer))
        raise FetchError("too_many_redirects", f"redirects more than {rules.max_redirects} times")


@contextmanager
def _told(trail: Sequence[str], rules: FetchRules) -> Iterator[None]:
    """Turn whatever goes wrong into a FetchError whose text begins with the addresses that were gone through."""
    try:
        yield
    except FetchError as wrong:
        reason, text = wrong.reason, str(wrong)
    except TimeoutError:
        reason, text = "too_slow", f"is not done after {rules.max_seconds:g} seconds"
    except ssl.SSLError as wrong:
        reason, text = "not_safe", f"makes no safe connection: {wrong}"
    except OSError as wrong:
        reason, text = "unreachable", f"cannot be reached: {wrong}"
    except (http.client.HTTPException, ValueError) as wrong:  # a bad answer may surface as either
        reason, text = "bad_answer", f"does not answer as HTTP should: {type(wrong).__name__} {ascii(str(wrong))[:200]}"
    else:
        return
    raise FetchError(reason, f"{' -> '.join(map(_shown, trail))}: {text}")


def _shown(url: str) -> str:
    """A URL as a message may show it: one line, not endless, and without a password."""
    plain = _USER.sub(r"\1***@", url.strip())
    return "".join(sign if sign.isprintable() else "?" for sign in plain[:SHOWN])


def _place(url: str, rules: FetchRules) -> _Place:
    """Take a URL apart; refuse one that is not plain, or that the rules do not allow."""
    parts, port = _parts(url.strip())
    if parts.scheme not in PORTS or parts.scheme not in rules.schemes:
        raise FetchError("scheme", f"only {' and '.join(rules.schemes)} addresses are fetched")
    if "@" in parts.netloc:
        raise FetchError("credentials", "holds a user name or a password, and none is ever sent")
    place = _Place(
        scheme=parts.scheme,
        host=_host(parts.hostname or ""),
        port=PORTS[parts.scheme] if port is None else port,
        target=_target(parts),
    )
    _check_rules(place, rules)
    return place


def _parts(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > LONGEST:
        raise FetchError("bad_url", f"has {len(url)} characters, more than {LONGEST}")
    if _UNSAFE.search(url):
        raise FetchError("bad_url", "holds a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
        if not _NETLOC.fullmatch(parts.netloc):
            raise ValueError
    except ValueError:  # its text may repeat a password
        raise FetchError("bad_url", "is not a well-formed address") from None
    return parts, port


def _target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote(f"{parts.path or '/'}{query}", safe=_SAFE_IN_TARGET)


def _host(given: str) -> str:
    """The host in ASCII, or a plain IP address; refused is what one resolver may read otherwise than another."""
    if ":" in given:
        return _number(given)
    try:
        host = given.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise FetchError("bad_url", f"{given!r} is no host name") from None
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _number(host)
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise FetchError("bad_url", f"{given!r} is no host name")
    return host


def _number(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise FetchError("bad_url", f"{host!r} is not a plain IP address") from None
    if "%" in host:
        raise FetchError("bad_url", f"{host!r} names an interface of this machine")
    return str(address)


def _check_rules(place: _Place, rules: FetchRules) -> None:
    if _is_trusted(place, rules):
        return
    if place.port not in rules.ports:
        raise FetchError("port", f"port {place.port} is not among {', '.join(map(str, rules.ports))}")
    if rules.hosts and not any(_matches(place.host, name.lower()) for name in rules.hosts):
        raise FetchError("host", f"{place.host} is not among the hosts allowed: {', '.join(rules.hosts)}")


def _is_trusted(place: _Place, rules: FetchRules) -> bool:
    return place.netloc in map(str.lower, rules.allow_private)


def _matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _addresses(place: _Place, rules: FetchRules, resolve: Resolve, deadline: float) -> list[str]:
    """All addresses of the place's host; refused whole if one is not public, as any of them might be the one used."""
    found = list(dict.fromkeys(_in_time(lambda: resolve(place.host, place.port), deadline)))
    inside = [address for address in found if not is_public(address)]
    if inside and not _is_trusted(place, rules):
        raise FetchError(
            "not_public",
            f"{place.host} is {inside[0]}, not a host of the public internet; "
            f"if you trust it, put {place.netloc} into allow_private",
        )
    return found


def is_public(address: str) -> bool:
    """Whether an IP address is a host's on the public internet: not of this machine, of its networks, or of nobody."""
    ip: Address = ipaddress.ip_address(address)
    if any(ip in network for network in _V4_INSIDE):
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if any(ip in network for network in _NOBODYS):
        return False
    return ip.is_global and not ip.is_multicast and (ip.version == 4 or ip in _UNICAST)


def _in_time(work: Callable[[], list[str]], deadline: float) -> list[str]:
    """What `work` answers. The system's resolver knows no time limit: a thread asks it, and is left behind if slow."""
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result(work())
        except BaseException as wrong:
            answer.set_exception(wrong)  # raised where the answer is awaited

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(timeout=_left(deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(place: _Place, addresses: list[str], trust: ssl.SSLContext | None, deadline: float) -> socket.socket:
    """A connection to one of the addresses that were checked: nobody asks for the name a second time."""
    plain = _first_open(addresses, place.port, deadline)
    if place.scheme == "http":
        return plain
    try:
        plain.settimeout(_left(deadline))
        return (trust or _system_trust()).wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _first_open(addresses: list[str], port: int, deadline: float) -> socket.socket:
    failed = OSError("its name has no address")
    for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return socket.create_connection((address, port), timeout=_left(deadline) / waiting)
        except OSError as wrong:
            failed = wrong
    raise failed


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads all of the system's certificates: once is enough


class _Wire(io.RawIOBase):
    """A connection that gives no byte after the deadline and not many more than the rules allow.

    http.client waits anew for every byte, and reads without a limit in some corners (a chunk of size -1): not here.
    """

    def __init__(self, connection: socket.socket, rules: FetchRules, deadline: float) -> None:
        self._connection, self._rules, self._deadline = connection, rules, deadline
        self._room = 2 * rules.max_bytes + 2**20  # the body, and for headers and the sizes of chunks as much again

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(buffer)
        self._room -= count
        if self._room < 0:
            raise _too_big(self._rules)
        return count

    def send(self, data: bytes) -> None:
        self._connection.settimeout(_left(self._deadline))
        self._connection.sendall(data)

    def answer(self) -> http.client.HTTPResponse:
        """What reads the answer off this wire."""
        return http.client.HTTPResponse(self)  # type: ignore[arg-type]  # of a socket it asks makefile and no more

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, PIECE)

    def close(self) -> None:
        self._connection.close()
        super().close()


def _request(place: _Place, rules: FetchRules) -> bytes:
    """The request's head. Target and host hold neither a blank nor a line end: `_place` saw to it."""
    head = {"Host": place.shown_host, "User-Agent": rules.agent, "Accept": "*/*", "Accept-Encoding": "identity"}
    lines = [f"GET {place.target} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "Connection: close"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _next_url(place: _Place, answer: http.client.HTTPResponse) -> str:
    """Where a redirect leads. It is checked when it is gone to; here only that it is no step from https to http."""
    told = answer.getheader("Location", "").encode("latin-1")  # the bytes as they came
    if not told:
        raise FetchError("bad_answer", f"redirects (status {answer.status}) to nowhere")
    url = urljoin(place.url, quote(told, safe=_SAFE_IN_TARGET + "#"))
    if place.scheme == "https" and url.lower().startswith("http:"):
        raise FetchError("downgrade", f"redirects from https to {_shown(url)}")
    return url


def _fetched(answer: http.client.HTTPResponse, place: _Place, rules: FetchRules) -> Fetched:
    """The whole answer, if it is the file itself: neither packed nor more than allowed nor less than promised."""
    if answer.status != http.client.OK:
        raise FetchError("status", f"answers {answer.status} {http.client.responses.get(answer.status, '')}".rstrip())
    for header, plain in (("Content-Encoding", {"", "identity"}), ("Transfer-Encoding", {"", "identity", "chunked"})):
        if (packed := answer.getheader(header, "").strip().lower()) not in plain:
            raise FetchError(
                "encoding", f"comes packed ({ascii(packed)[:50]}), which was not asked for and is not unpacked"
            )
    return Fetched(body=_body(answer, rules), content_type=answer.getheader("Content-Type", ""), final_url=place.url)


def _body(answer: http.client.HTTPResponse, rules: FetchRules) -> bytes:
    promised = answer.length  # None where the server does not say, or sends in chunks
    if promised is not None and promised > rules.max_bytes:
        raise _too_big(rules)
    body = bytearray()
    while piece := answer.read(PIECE):
        body += piece
        if len(body) > rules.max_bytes:
            raise _too_big(rules)
    if promised is not None and len(body) != promised:
        raise FetchError("cut_short", f"gives {len(body)} bytes where it promised {promised}")
    return bytes(body)


def _too_big(rules: FetchRules) -> FetchError:
    return FetchError("too_big", f"gives more than the {rules.max_bytes} bytes allowed")
