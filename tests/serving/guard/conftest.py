"""A real server on loopback, and raw words to say to it."""

import contextlib
import socket
import threading
import time

import numpy as np
import polars as pl
import pytest
import uvicorn

from lookalike.retrieval.scan import Vectors
from lookalike.serving.box import Box
from lookalike.serving.goods import goods
from lookalike.serving.guard import Impatient, Rules, guarded
from lookalike.serving.meters import Meters

ROOMY = {"body_bytes": 100_000, "body_seconds": 5.0, "seconds": 5.0, "at_once": 2, "waiting": 8}


class Served:
    """A guarded app behind uvicorn."""

    def __init__(self, server, port, meters):
        self._server, self.port, self.meters = server, port, meters

    def line(self, source="127.0.0.1"):
        """A connection of its own; closing it is hanging up."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10, source_address=(source, 0))

    def lines(self):
        """How many connections it holds."""
        return len(self._server.server_state.connections)

    def sockets(self):
        """Those of the connections that it holds."""
        return [one.transport.get_extra_info("socket") for one in self._server.server_state.connections]

    def say(self, words, *more):
        """Say these words, and then more of them; all that was answered until the server hung up."""
        with self.line() as line:
            for one in (words, *more):
                line.sendall(one)
            return heard(line)

    def post(self, path="/v1/search", body=b"", **headers):
        said = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{said}\r\n"
        return self.say(head.encode() + body)

    def get(self, path, method="GET", **headers):
        said = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return self.say(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{said}\r\n".encode())

    def counted(self, name):
        """What /metrics says under this name and labels; 0 where nothing."""
        lines = (line.rpartition(" ") for line in self.meters.text()[0].decode().splitlines())
        return next((float(value) for told, _, value in lines if told == name), 0.0)


def heard(line):
    """All that comes until the other side hangs up."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65_536):
            said += piece
    return said


@pytest.fixture
def serve():
    """`serve(app, at_once=1, ...)` answers a `Served`; all of them are stopped at the end."""
    running = []

    def begin(app, *, proxies=(), **rules):
        meters = Meters()
        behind = guarded(app, Rules(**{**ROOMY, **rules}), meters)
        config = uvicorn.Config(
            behind,
            http=Impatient,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
        )
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        return Served(server, listener.getsockname()[1], meters)

    yield begin
    for server, _, _ in running:
        server.should_exit = True
    for _, thread, listener in running:
        thread.join(20)
        listener.close()


@pytest.fixture
def until():
    """Wait for a thing to be so: `until(lambda: ...)`."""

    def wait(is_so, seconds=10.0):
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, "it did not become so"
            time.sleep(0.002)

    return wait


@pytest.fixture
def box():
    """`box(label)` is a release with so many products of one picture each, which answers nothing."""

    def make(label="boots/1", catalog="boots@1", products=2):
        keys = [f"p{number}" for number in range(products)]
        vectors = np.ones((products, 2), np.float16)
        return Box(
            label=label,
            catalog=catalog,
            vectors=Vectors(shape=vectors, color=vectors, ids=np.arange(products)),
            goods=goods(
                pl.DataFrame({"id": range(products), "product": keys, "view": ["front"] * products}),
                pl.DataFrame({"product": keys, "name": keys, "price": [1.0] * products}),
            ),
            **dict.fromkeys(("sight", "look", "tint", "search", "thumbnail"), print),
        )

    return make
