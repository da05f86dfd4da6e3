"""Who may come in, and for how long: bodies that arrive, places for those who are answered, and the time that takes.

In: an app and its limits. Out: an ASGI app. Never: gives a place to who only sends, lets one address take all there is, or gives
away the place of a request whose thread still works.

How many places are worked on at a time is the app's to say: a request may wait for an address to be fetched, and works no more
than one that waits. The counts are of one process and its event loop: with several workers each lets in as many.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Final

import anyio
from starlette._utils import (
    get_route_path,
)  # the path as the router will see it: any other reading is a way past a guard

from lookalike.serving.meters import Meters
from lookalike.serving.refusal import (
    AGAIN,
    App,
    Gone,
    Message,
    Receive,
    Refusal,
    Scope,
    Send,
    is_last,
    refuse,
    sends,
)

SENDERS: Final = 32  # bodies that may arrive from one address at a time
PLACE: Final = "lookalike.place"  # in a scope: what gives the place away
ADMIN: Final = "/v1/admin/"
FACETS: Final = "/v1/facets"
PRODUCTS, SIMILAR = "/v1/products/", "/similar"


def is_admin(scope: Scope) -> bool:
    """Whether it is the admin's."""
    return get_route_path(scope).startswith(ADMIN)


def takes_pictures(scope: Scope) -> bool:
    """Whether its body may be large."""
    return scope["method"] == "POST" and not is_admin(scope)


def is_costly(scope: Scope) -> bool:
    """Whether it embeds, searches or counts."""
    path = get_route_path(scope).rstrip("\n")  # the router's expressions end in $, which lets one pass
    return takes_pictures(scope) or path == FACETS or (path.startswith(PRODUCTS) and path.endswith(SIMILAR))


# Bodies that arrive


class Door:
    """Who is still sending: how many from each address, and how many bytes of theirs are held."""

    def __init__(self, room: int) -> None:
        self._room = room  # of which one address may have half
        self._senders: Counter[str] = Counter()
        self._held: Counter[str] = Counter()

    @contextmanager
    def sending(self, address: str) -> Iterator[Callable[[int], None]]:
        """Count somebody in while they send; what is given takes so many bytes of the room, or refuses."""
        if self._senders[address] >= SENDERS:
            detail = f"{SENDERS} bodies arrive from this address already; ask again when one has come"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "crowd", detail, unread=True)
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self._held.total() + size > self._room or self._held[address] + size > self._room // 2:
                raise busy(unread=True)
            self._held[address] += size
            mine += size

        self._senders[address] += 1
        try:
            yield take
        finally:
            self._senders -= Counter({address: 1})  # forgets who has none
            self._held -= Counter({address: mine})


def read(app: App, door: Door, seconds: float, most: Callable[[Scope], int]) -> App:
    """The app gets a body that has come whole, in time, and is not too large; so nobody works while a slow client sends."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        counted = door.sending(whose(scope.get("client"))) if sends(scope) else nullcontext(_taken_nowhere)
        try:
            with counted as take:
                async with asyncio.timeout(seconds):
                    whole = [await _body(receive, take, most(scope))]  # popped, or it is kept while it is worked on
        except TimeoutError:
            detail = f"the body did not arrive within {seconds:g} seconds; send a smaller picture"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "slow", detail, unread=True) from None

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await app(scope, replayed, send)

    return layer


def _taken_nowhere(size: int) -> None:
    """A request without a body needs no room."""


def whose(client: tuple[str, int] | None) -> str:
    """Who asks: of IPv6 the network, as one machine has as many addresses there as it likes."""
    host = str((client or ("",))[0])
    try:
        six = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(six.ipv4_mapped or six.exploded[:19])


async def _body(receive: Receive, take: Callable[[int], None], most: int) -> Message:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) + len(piece) > most:
            raise too_large(most, unread=more)
        take(len(piece))
        body += piece
    return {"type": "http.request", "body": bytes(body), "more_body": False}


def too_large(most: int, *, unread: bool) -> Refusal:
    """A body that has, or announces, more than so many bytes."""
    detail = f"the body is larger than the {most:,} bytes that are taken here; send a smaller picture"
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "large", detail, unread=unread)


def busy(*, unread: bool = False) -> Refusal:
    """There is no room or no place left."""
    detail = f"the server is busy; ask again in {AGAIN} second"
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "busy", detail, unread=unread)


# Places


class Line:
    """Places for those who are worked on and those who wait for it."""

    def __init__(self, places: int) -> None:
        self._free = places

    @property
    def is_full(self) -> bool:
        """Whether nobody else may come in."""
        return self._free == 0

    def enter(self) -> None:
        """Take a place, or be refused at once."""
        if self.is_full:
            raise busy()
        self._free -= 1

    def leave(self) -> None:
        """Give the place away."""
        self._free += 1


def turned_away(app: App, line: Line) -> App:
    """Who would find no place now is told so before they send."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if is_costly(scope) and line.is_full:
            raise busy(unread=True)
        await app(scope, receive, send)

    return layer


def in_line(app: App, line: Line) -> App:
    """Costly requests need a place, and hold it until their work has ended, even where that is after their answer."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if not is_costly(scope):
            return await app(scope, receive, send)
        with ExitStack() as place:
            line.enter()
            place.callback(line.leave)
            scope[PLACE] = place
            return await app(scope, receive, send)

    return layer


def leaving(app: App) -> App:
    """The place is free before the client has its answer and, as fast, asks again."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if is_last(message) and PLACE in scope:
                scope[PLACE].close()
            await send(message)

        await app(scope, receive, sent)

    return layer


# Time


def timed(app: App, seconds: float, meters: Meters) -> App:
    """Who waited long enough is answered, and for who hung up nothing more is done.

    A thread cannot be interrupted. So the answer goes out while it still works, and the request ends, and gives its place
    away, when that has ended: else a client could fill the processors with work that nobody waits for.
    """

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        first, answer = [await receive()], _Answer(send)
        work = anyio.CancelScope()  # its cancel waits for a thread, asyncio's would not

        async def replayed() -> Message:
            if not first:  # a client that hangs up is seen by the watch
                await anyio.sleep_forever()
            return first.pop()

        async def watch() -> None:
            late = await _is_late(receive, None if is_admin(scope) else seconds)  # opening a release takes its time
            if not answer.whole:
                answer.unwanted = True
                work.cancel()
                if late and not answer.begun:
                    await refuse(_too_late(seconds), scope, send, meters)

        watcher = asyncio.create_task(watch())
        try:
            with work:
                await app(scope, replayed, answer.send)
        finally:
            if not answer.unwanted:
                watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    return layer


class _Answer:
    """What goes to a client: how much of it went, and whether the rest is wanted."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.whole = self.unwanted = False

    async def send(self, message: Message) -> None:
        if not self.unwanted:
            self.begun, self.whole = True, is_last(message)
            await self._send(message)


async def _is_late(receive: Receive, seconds: float | None) -> bool:
    """Wait until the client hung up or has its answer (False), or for so many seconds (True)."""
    try:
        async with asyncio.timeout(seconds):
            await receive()
    except TimeoutError:
        return True
    return False


def _too_late(seconds: float) -> Refusal:
    detail = f"no answer was found within {seconds:g} seconds; ask again in {AGAIN} second"
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "late", detail)
