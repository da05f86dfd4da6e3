"""The one way to fetch an address that a stranger wrote: only from the public internet, only so much, only so long.

In: a URL. Out: the bytes of its answer, or the answer whatever its status. Never: connects to an address that it did not
check, asks for a name twice, follows a redirect unchecked, sends a password or a cookie, obeys a proxy setting, or reads
on past its limits.

Whoever writes the URL must not reach what only this machine can: its own ports, its neighbours, the cloud's metadata.
So the host's name is resolved here, every address it has must be public, and the connection goes to the very address
that was checked; a name that answers differently the next time gains nothing.
"""

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urljoin

from lookalike.catalog.addresses import SAFE_IN_TARGET, FetchError, FetchRules, Place, check_public, place_of, shown

__all__ = ["Answer", "FetchError", "FetchRules", "Fetched", "ask", "fetch", "resolve_host"]

Resolve = Callable[[str, int], list[str]]  # host, port -> its addresses, as text

MOVED: Final = frozenset({301, 302, 303, 307, 308})
PIECE: Final = 2**16  # bytes read at once
RULES: Final = FetchRules()

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = re.compile(  # headers that frame a request, or would tell of the user
    r"host|user-agent|accept-encoding|(set-)?cookie2?|authorization|(content|proxy)-.*"
    r"|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect"
)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What an address answered. The content type is what the server says: nobody checked it."""

    body: bytes
    content_type: str
    final_url: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request brought, whatever its status. The body is already out of its chunks."""

    status: int
    headers: tuple[tuple[str, str], ...]  # as they came, in order, each in one line
    body: bytes
    url: str  # the address that was asked, in its plainest form


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver knows for a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def fetch(
    url: str,
    *,
    rules: FetchRules = RULES,
    resolve: Resolve = resolve_host,
    trust: ssl.SSLContext | None = None,
) -> Fetched:
    """Fetch `url` by GET, following redirects that obey the rules too. `trust` replaces the system's certificates."""
    deadline = time.monotonic() + rules.max_seconds
    trail = [url]
    with _told(trail, rules):
        while len(trail) <= rules.max_redirects + 1:
            place = place_of(trail[-1], rules)
            with _asked(place, {}, rules, resolve, trust, deadline) as answer:
                if answer.status not in MOVED:
                    return _fetched(answer, place, rules)
                trail.append(_next_url(place, answer))
        raise FetchError("too_many_redirects", f"redirects more than {rules.max_redirects} times")


def ask(
    url: str,
    *,
    rules: FetchRules = RULES,
    resolve: Resolve = resolve_host,
    trust: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one GET, with `headers` beside our own, and take whatever whole answer comes: a redirect is not followed.

    One connection a request: it is closed after the answer, as the next one's name is to be looked up and checked anew.
    """
    deadline = time.monotonic() + rules.max_seconds
    with _told([url], rules):
        place = place_of(url, rules)
        with _asked(place, _checked(headers or {}), rules, resolve, trust, deadline) as answer:
            told = tuple((name, _one_line(value)) for name, value in answer.getheaders())
            return Answer(status=answer.status, headers=told, body=_whole(answer, rules), url=place.url)


@contextmanager
def _asked(
    place: Place,
    extra: Mapping[str, str],
    rules: FetchRules,
    resolve: Resolve,
    trust: ssl.SSLContext | None,
    deadline: float,
) -> Iterator[http.client.HTTPResponse]:
    """The answer to one request, its head read and its body not yet."""
    addresses = _addresses(place, rules, resolve, deadline)
    connection = _connect(place, addresses, trust, deadline)
    with closing(_Wire(connection, rules, deadline)) as wire, closing(wire.answer()) as answer:
        wire.send(_request(place, extra, rules))
        answer.begin()
        yield answer


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """The caller's headers, if they can do no more than ask: names in one spelling, values of one plain line."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise FetchError(
                "bad_header", f"{ascii(name)[:50]} is no name of a header; give one such as Accept-Language"
            )
        if _OURS.fullmatch(name.lower()):
            raise FetchError("bad_header", f"the header {name} is not the caller's to set; leave it out")
        if not value.isascii() or not value.isprintable():
            raise FetchError("bad_header", f"{name} is {ascii(value)[:50]}; give one line of plain ASCII")
    return {name.title(): value for name, value in headers.items()}


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
    raise FetchError(reason, f"{' -> '.join(map(shown, trail))}: {text}")


def _addresses(place: Place, rules: FetchRules, resolve: Resolve, deadline: float) -> list[str]:
    """All addresses of the place's host, if it may be gone to."""
    found = list(dict.fromkeys(_in_time(lambda: resolve(place.host, place.port), deadline)))
    check_public(place, found, rules)
    return found


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


def _connect(place: Place, addresses: list[str], trust: ssl.SSLContext | None, deadline: float) -> socket.socket:
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


def _one_line(value: str) -> str:
    """A header's value without line ends: it may go on in the next line, as was once allowed."""
    return " ".join(line.strip() for line in value.splitlines())


def _request(place: Place, extra: Mapping[str, str], rules: FetchRules) -> bytes:
    """The request's head. Target, host and `extra` hold no line end: `place_of` and `_checked` saw to it."""
    head = {"Host": place.shown_host, "User-Agent": rules.agent, "Accept": "*/*", "Accept-Encoding": "identity"}
    told = [f"{name}: {value}" for name, value in {**head, **extra}.items()]
    lines = [f"GET {place.target} HTTP/1.1", *told, "Connection: close"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _next_url(place: Place, answer: http.client.HTTPResponse) -> str:
    """Where a redirect leads. It is checked when it is gone to; here only that it is no step from https to http."""
    told = answer.getheader("Location", "").encode("latin-1")  # the bytes as they came
    if not told:
        raise FetchError("bad_answer", f"redirects (status {answer.status}) to nowhere")
    url = urljoin(place.url, quote(told, safe=SAFE_IN_TARGET + "#"))
    if place.scheme == "https" and url.lower().startswith("http:"):
        raise FetchError("downgrade", f"redirects from https to {shown(url)}")
    return url


def _fetched(answer: http.client.HTTPResponse, place: Place, rules: FetchRules) -> Fetched:
    """The answer, if it is the file itself."""
    if answer.status != http.client.OK:
        raise FetchError("status", f"answers {answer.status} {http.client.responses.get(answer.status, '')}".rstrip())
    body = _whole(answer, rules)
    return Fetched(body=body, content_type=answer.getheader("Content-Type", ""), final_url=place.url)


def _whole(answer: http.client.HTTPResponse, rules: FetchRules) -> bytes:
    """The body as it is: neither packed nor more than allowed nor less than promised."""
    if answer.length == 0:
        return b""  # nothing to unpack: a 304 may tell how the body would have come
    for header, plain in (("Content-Encoding", {"", "identity"}), ("Transfer-Encoding", {"", "identity", "chunked"})):
        if (packed := answer.getheader(header, "").strip().lower()) not in plain:
            raise FetchError(
                "encoding", f"comes packed ({ascii(packed)[:50]}), which was not asked for and is not unpacked"
            )
    return _body(answer, rules)


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
