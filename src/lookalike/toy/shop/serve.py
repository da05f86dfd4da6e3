"""The toy shop's door: an HTTP server on this machine that answers as a face says, with a fault where one is asked for.

In: a shelf, a layout, perhaps a fault. Out: an address, and what was asked for there. Never: listens beyond 127.0.0.1, knows a
layout, or tells a stack trace because a visitor hung up.
"""

import errno
import socket
import socketserver
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from lookalike.settings import ConfigError
from lookalike.toy.shop.answer import Answer, Face
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.faults import Fault, Question, Sent, refuse, spoilt
from lookalike.toy.shop.pictures import Pictures
from lookalike.toy.shop.stock import Stock

HOST = "127.0.0.1"
PIECE = b"<!-- and more, and more, and more, and more, and more, and more -->\n" * 1000
HEARS = 0.3  # seconds until Ctrl-C is heard, at most
IDLE = 60.0  # seconds that a visitor may keep a connection without a word
MISSING = Answer(status=404, body=b"<!doctype html><title>Not found</title><h1>There is no such page in this shop</h1>")


class ToyShop:
    """A shop that is open, until `close`. Safe to be asked and to be changed from several threads."""

    def __init__(
        self, stock: Stock, *, pictures: Path, layout: str = "plain", fault: Fault | None = None, port: int = 0
    ) -> None:
        self._stock, self._layout, self._face = stock, layout, _face(layout)
        self._pictures = Pictures(pictures)
        self._asked: list[str] = []
        self._count = 0  # answers so far of the kinds that the fault spoils
        self._failed: set[str] = set()  # pages asked for since the fault began
        self._lock = Lock()
        self.closing = Event()
        self.fail(fault)
        self._server = _listen(self, port)
        self.site = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def start(self) -> str:
        """The address of the first page of the listing."""
        return self.site + self._face.start(self._stock)

    @property
    def asked(self) -> list[str]:
        """Paths asked for so far, with their queries, in the order in which they came."""
        with self._lock:
            return list(self._asked)

    def put(self, stock: Stock) -> None:
        """Change what is on the shelf; the next question meets it."""
        self._stock = stock

    def fail(self, fault: Fault | None) -> None:
        """Let this go wrong from now on, counted anew; None is nothing."""
        if fault:
            refuse(fault, self._face, self._layout)
        with self._lock:
            self._fault = fault
            self._count = 0
            self._failed.clear()

    def wait(self) -> None:
        """Return when the shop is closed. Ctrl-C ends it too."""
        # A signal may be given to another thread, and then a wait without end would never hear of it.
        while not self.closing.wait(HEARS):
            pass

    def close(self) -> None:
        """Stop listening, hang up on whoever is still there, and free the port."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def answer(self, target: str) -> Sent:
        """What is sent to whoever asks for `target`, a path with its query."""
        written, _, words = target.partition("?")
        path, query = unquote(written), dict(parse_qsl(words, keep_blank_values=True))
        stock = self._stock
        right = self._right(stock, path, query)
        fault, again = self._note(target, right, stock)
        if not fault:
            return Sent(answer=right)
        asked = Question(
            right=right,
            face=self._face,
            stock=stock,
            path=path,
            query=query,
            site=self.site,
            fault=fault,
            again=again,
        )
        return spoilt(asked)

    def _note(self, target: str, right: Answer, stock: Stock) -> tuple[Fault | None, bool]:
        """Count the question; answer the fault that spoils it, and whether it spoiled the same one before."""
        with self._lock:
            self._asked.append(target)
            fault = self._fault
            if not fault or right.kind not in fault.spoils:
                return None, False
            self._count += 1
            if self._count <= fault.begins(stock):
                return None, False
            again = target in self._failed
            self._failed.add(target)
            return fault, again

    def _right(self, stock: Stock, path: str, query: dict[str, str]) -> Answer:
        if path == "/robots.txt":
            return Answer(content_type="text/plain; charset=utf-8", body=self._face.robots(self.site).encode())
        if path == "/":  # where somebody looks who was told no more than the address
            return Answer(status=302, headers={"Location": self.start})
        if wanted := self._face.photo(path):
            return self._picture(stock, *wanted)
        return self._face.answer(stock, path, query, self.site) or MISSING

    def _picture(self, stock: Stock, name: str, side: int | None) -> Answer:
        if name not in stock.by_photo:
            return MISSING
        _, photo = stock.by_photo[name]
        return Answer(content_type="image/jpeg", body=self._pictures.read(photo, side), kind="picture")


@contextmanager
def serving(
    stock: Stock, *, pictures: Path, layout: str = "plain", fault: Fault | None = None, port: int = 0
) -> Iterator[ToyShop]:
    """A shop that is open for as long as the block lasts."""
    with ToyShop(stock, pictures=pictures, layout=layout, fault=fault, port=port) as shop:
        yield shop


def _face(layout: str) -> Face:
    if layout in FACES:
        return FACES[layout]
    near = get_close_matches(layout, FACES, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"layout: there is no {layout!r}; {meant}There are {', '.join(FACES)}.")


def _listen(shop: ToyShop, port: int) -> "_Server":
    try:
        return _Server(shop, port)
    except OSError as wrong:
        why = "something else listens there" if wrong.errno == errno.EADDRINUSE else wrong.strerror
        raise ConfigError(
            f"port={port} on {HOST} cannot be had: {why}. Give another, such as port={port + 1}, or port=0 for a free one."
        ) from None


class _Server(socketserver.ThreadingTCPServer):
    """One thread a visitor; all of them are gone when it is closed."""

    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = False  # so that closing waits for them

    def __init__(self, shop: ToyShop, port: int) -> None:
        self.shop = shop
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End every connection, so that no thread waits for another word."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):  # the visitor was quicker
                    one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who hangs up, or is too slow, is no fault of ours; whatever else went wrong is told."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection, and writes what the shop answers."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ToyShop", ""
    disable_nagle_algorithm = True
    timeout = IDLE
    server: _Server

    def do_GET(self) -> None:
        self._send(self.server.shop.answer(self.path), body=True)

    def do_HEAD(self) -> None:
        self._send(self.server.shop.answer(self.path), body=False)

    def _send(self, sent: Sent, *, body: bool) -> None:
        if sent.wait:
            self.server.shop.closing.wait(sent.wait)
        told = sent.answer
        self.send_response(told.status)
        length = {"Connection": "close"} if sent.manner == "endless" else {"Content-Length": str(len(told.body))}
        for name, value in ({"Content-Type": told.content_type} | length | told.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self._write(sent)

    def _write(self, sent: Sent) -> None:
        data = sent.answer.body
        if sent.manner == "cut":
            self.close_connection = True
            data = data[: len(data) // 2]
        self.wfile.write(data)
        while sent.manner == "endless" and not self.server.shop.closing.is_set():
            self.wfile.write(PIECE)

    def log_message(self, *_: Any) -> None:
        """Say nothing: `ToyShop.asked` knows."""
