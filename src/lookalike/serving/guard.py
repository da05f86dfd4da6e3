"""What stands between strangers and the app: keys, sizes, headers, and errors that tell nothing of the house.

In: an ASGI app and the rules. Out: an ASGI app. Never: lets a body through before it is known to be small enough, waits for who
does not send or does not read, or shows a trace.

Each layer below is one function that takes an app and gives an app; `guarded` puts them in order, with those of `line`, which
count. Refusals are raised as `Refusal` on the way in and become problem+json in one place.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Final

import h11
from starlette._utils import get_route_path  # the path as the router will see it: any other reading is a way past a key
from uvicorn.middleware.proxy_headers import _TrustedHosts  # as it reads proxies= for whose word is taken
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from lookalike.serving.line import (
    Door,
    Line,
    in_line,
    is_admin,
    leaving,
    read,
    takes_pictures,
    timed,
    too_large,
    turned_away,
    whose,
)
from lookalike.serving.meters import Meters
from lookalike.serving.refusal import (
    BODY,
    CLOSE,
    App,
    Gone,
    Message,
    Receive,
    Refusal,
    Scope,
    Send,
    headed,
    header,
    problem,
    refuse,
    request_id,
)

SHORTEST_KEY: Final = 16
SMALL: Final = 65_536  # bytes of a body where no picture is sent; uvicorn holds as many before anybody asks for them
LINGER: Final = 5.0  # seconds, and
LINGERED: Final = 2**27  # bytes, that are still taken from a client who was refused while sending
LONGEST_LENGTH: Final = 18  # digits of a Content-Length that is worth reading
READ: Final = 16_384  # bytes of an answer that a client takes in Impatient's time, or all that is left of it
GONE: Final = 499  # what the meters call a client that hung up
KEYED: Final = ("/v1/", "/predict/")

HEADERS: Final = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(self), microphone=(), geolocation=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a client may ask of the house."""

    body_bytes: int
    body_seconds: float  # for a body to arrive
    seconds: float  # for the answer, from then on: waiting in line and work
    at_once: int  # costly requests that are worked on
    waiting: int  # that may wait for that, or for a picture that is fetched
    key: str = field(default="", repr=False)  # "" asks for none
    admin_key: str = field(default="", repr=False)  # "" hides the admin's routes


def guarded(app: App, rules: Rules, meters: Meters) -> App:
    """The app behind all guards."""
    places = rules.at_once + rules.waiting
    line, door = Line(places), Door(rules.body_bytes * (places + 1))
    inner = in_line(timed(leaving(app), rules.seconds, meters), line)
    whole = read(inner, door, rules.body_seconds, partial(_most, rules))
    answered = _answered(_keyed(_sized(turned_away(whole, line), rules), rules), meters)
    return _of_http(app, _lingering(_named(_metered(answered, meters))))


# From the outermost layer to the innermost


def _of_http(app: App, guards: App) -> App:
    """Requests go through the guards, the server's own start and end go to the app, websockets nowhere."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await (guards if scope["type"] == "http" else app)(scope, receive, send)

    return layer


def _lingering(app: App) -> App:
    """Who is refused while sending gets to read why: what they still send is thrown away for a while before the line is cut."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        closing = False

        async def sent(message: Message) -> None:
            nonlocal closing
            closing = closing or CLOSE in message.get("headers", ())
            last = closing and message["type"] == BODY
            await send({**message, "more_body": True} if last else message)

        await app(scope, receive, sent)
        if closing:
            if header(scope, b"expect") is None:  # or nothing is on its way, as it was never asked for
                await _thrown_away(receive)
            await send({"type": BODY, "body": b"", "more_body": False})

    return layer


async def _thrown_away(receive: Receive) -> None:
    taken, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while more and taken < LINGERED:
                message = await receive()
                taken, more = taken + len(message.get("body", b"")), message.get("more_body", False)


def _named(app: App) -> App:
    """Every request has a name, and every answer carries it and the headers that bind the browser."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        name = secrets.token_hex(8)
        scope.setdefault("state", {})["request"] = name
        ours = {**HEADERS, b"x-request-id": name.encode()}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0] not in ours]
                message = {**message, "headers": [*kept, *ours.items()]}
            await send(message)

        await app(scope, receive, sent)

    return layer


def _metered(app: App, meters: Meters) -> App:
    """Every answer is counted, and timed to its last byte."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        begun, ended, status = perf_counter(), 0.0, GONE

        async def sent(message: Message) -> None:
            nonlocal ended, status
            status = message.get("status", status)
            await send(message)
            ended = perf_counter()

        with meters.in_flight():
            try:
                await app(scope, receive, sent)
            finally:
                route = getattr(scope.get("route"), "path", None)
                meters.answered(route, scope["method"], status, (ended or perf_counter()) - begun)

    return layer


def _answered(app: App, meters: Meters) -> App:
    """Refusals become answers; so do failures, of which the log has the trace and the client its name there."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        started = failed = False

        async def sent(message: Message) -> None:
            nonlocal started, failed
            # frameworks have a page of their own for that, which may show the trace
            failed = failed or message.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR
            started = started or not failed
            if not failed:
                await send(message)

        try:
            await app(scope, receive, sent)
        except Refusal as refusal:
            await refuse(refusal, scope, send, meters)
        except Gone:
            return
        except Exception:
            log.exception("request %s failed: %s %r", request_id(scope), scope["method"], scope["path"])
            failed = True
        if failed and not started:
            await refuse(_failure(scope), scope, send, meters)

    return layer


def _failure(scope: Scope) -> Refusal:
    words = f"the server failed at this request; its log tells why, under {request_id(scope)}"
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "failure", words)


def _keyed(app: App, rules: Rules) -> App:
    """Who has no key is sent away, before anything is taken from them."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if is_admin(scope) and not rules.admin_key:
            detail = "there is nothing here; the admin's routes need a server that was started with an admin key"
            raise Refusal(HTTPStatus.NOT_FOUND, "admin", detail, unread=True)
        wanted = rules.admin_key if is_admin(scope) else rules.key if get_route_path(scope).startswith(KEYED) else ""
        if wanted and not any(secrets.compare_digest(one, wanted.encode()) for one in _keys(scope)):
            detail = "this needs a key, and it was given none or a wrong one; send X-API-Key or Authorization: Bearer"
            raise Refusal(HTTPStatus.UNAUTHORIZED, "key", detail, unread=True)
        await app(scope, receive, send)

    return layer


def _sized(app: App, rules: Rules) -> App:
    """Who says that they will send too much is sent away before they do."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        lengths = {value for name, value in scope["headers"] if name == b"content-length"}
        framings = len(lengths) + (header(scope, b"transfer-encoding") is not None)
        if framings > 1 or not all(one.isdigit() for one in lengths):
            detail = "the headers tell no one length of the body; send one Content-Length or Transfer-Encoding: chunked"
            raise Refusal(HTTPStatus.BAD_REQUEST, "length", detail, unread=True)
        most = _most(rules, scope)
        if any(len(one) > LONGEST_LENGTH or int(one) > most for one in lengths):
            raise too_large(most, unread=True)
        await app(scope, receive, send)

    return layer


# Before there is a request


class Impatient(H11Protocol):
    """uvicorn's own HTTP, for which it waits without end: here who does not send, or does not read, is cut off.

    For `uvicorn.Config(http=Impatient)`. A request's headers are there in time. What follows them is in the layers' hands, a
    silence after an answer in those of uvicorn's timeout_keep_alive; but as a line is closed only when all that was written to it
    went out, whoever reads too slowly is cut off here too. One address has half of the lines at most, but for a proxy
    whose word is taken.
    """

    most = 512  # lines at a time; the next one is told to come back
    each = 256  # of one address
    whose = ""
    seconds = 10.0  # for headers
    breath = 20.0  # seconds in which READ bytes of an answer are taken
    _cut: asyncio.TimerHandle | None = None
    _seen: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait, if there is room."""
        super().connection_made(transport)
        self._watch(0, None)
        self.whose = whose(self.client)
        if why := self._is_one_too_many():
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, why)
            self.transport.close()
        else:
            self._wait()
        # asyncio does so for sockets that say they are TCP, which one that is handed over does not: each answer on a line that
        # is kept open would wait 40 ms until the client says that it has the headers
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Go on waiting while headers are not whole; whatever trickles in does not begin the time anew."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._wait_no_more()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What is no HTTP is answered as any error is; in the middle of an answer, there is only the line to cut."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._say(HTTPStatus.BAD_REQUEST, "this is no HTTP request that can be read")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        if self._seen is not None:
            self._seen.cancel()
        super().connection_lost(exc)

    def _is_one_too_many(self) -> str:
        """What is too much of it, "" where nothing is."""
        if len(self.connections) > self.most:
            return "the server has as many connections as it takes; try again soon"
        alike = sum(isinstance(one, Impatient) and one.whose == self.whose for one in self.connections)
        if alike <= self.each or self._is_trusted():
            return ""
        return f"this address has {self.each} connections already; try again soon. A proxy that proxies= names may have more"

    def _is_trusted(self) -> bool:
        """Whether it is a proxy whose word is taken, and all lines are its own."""
        return self.config.proxy_headers and (self.client or ("",))[0] in _TrustedHosts(self.config.forwarded_allow_ips)

    def _say(self, status: HTTPStatus, detail: str) -> None:
        name = secrets.token_hex(8)
        body = problem(status, detail, name)
        headers = [*headed(status, body), CLOSE, *HEADERS.items(), (b"x-request-id", name.encode())]
        response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _watch(self, before: int, of: RequestResponseCycle | None) -> None:
        """Look how much of what was written is still here. before, of: at the last look, and which answer that was."""
        left = self.transport.get_write_buffer_size()
        if before and of is self.cycle and left > max(0, before - READ):
            self.transport.abort()  # a close would wait until it is read
        else:
            self._seen = self.loop.call_later(self.breath, self._watch, left, self.cycle)

    def _wait(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(self.seconds, self.timeout_keep_alive_handler)

    def _wait_no_more(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


# What a request is


def _most(rules: Rules, scope: Scope) -> int:
    """Bytes of a body that this request may have; who sends no picture may not fill the memory either."""
    return rules.body_bytes if takes_pictures(scope) else min(rules.body_bytes, SMALL)


def _keys(scope: Scope) -> Iterator[bytes]:
    for name, value in scope["headers"]:
        scheme, _, key = value.partition(b" ")
        if name == b"x-api-key":
            yield value
        elif name == b"authorization" and scheme.lower() == b"bearer":
            yield key.strip()
