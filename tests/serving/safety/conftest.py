"""The guarded app as it is served, in a process of its own: so its memory is read, and its steps are seen, from outside.

Run as a script this file is that process: `conftest.py SOCKET SETTINGS`. It holds a release of one letter in 8 turns and 2
colors, behind the real decoder, features, search, guards and HTTP.
"""

import http.client
import io
import json
import socket
import subprocess
import sys
import time
from collections import Counter as Counted
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import uvicorn
from PIL import Image

from lookalike.catalog.addresses import FetchRules
from lookalike.catalog.fetch import fetch, resolve_host
from lookalike.catalog.images import decode, look
from lookalike.cli.main import keep_memory
from lookalike.features.color_histogram import color_histogram
from lookalike.features.foreground import bounds
from lookalike.features.grayscale import grayscale
from lookalike.features.resize import resize
from lookalike.retrieval.scan import Vectors, exact
from lookalike.serving import api, guard
from lookalike.serving.box import Box, Sight
from lookalike.serving.goods import goods
from lookalike.serving.meters import Meters
from lookalike.serving.watch import Counter

SIZE = 32
LIMIT = 4_000_000  # bytes of a body
PATIENCE = 60  # seconds in which even a loaded machine has answered
INK = {"red": (190, 30, 40), "blue": (30, 60, 180)}
FLIP = Image.Transpose
LAID = {  # EXIF's orientation -> what lays an upright picture so that this orientation turns it upright again
    1: None, 2: FLIP.FLIP_LEFT_RIGHT, 3: FLIP.ROTATE_180, 4: FLIP.FLIP_TOP_BOTTOM,
    5: FLIP.TRANSPOSE, 6: FLIP.ROTATE_90, 7: FLIP.TRANSVERSE, 8: FLIP.ROTATE_270,
}  # fmt: skip


def letter(color, turn=1):
    """An F on white (64, 64, 3), laid as EXIF's orientation `turn` has it: no two of the 8 are alike."""
    pixels = np.full((64, 64, 3), 255, np.uint8)
    for rows, columns in ((slice(8, 56), slice(14, 24)), (slice(8, 18), slice(14, 50)), (slice(28, 38), slice(14, 40))):
        pixels[rows, columns] = color
    lay = LAID[turn]
    return pixels if lay is None else np.array(Image.fromarray(pixels).transpose(lay))


# The process


def gray(squares):
    """Shape, as 8 x 8 gray pixels about their mean; never of no length."""
    small = grayscale(squares).reshape(len(squares), 8, 4, 8, 4).mean((2, 4)).reshape(len(squares), -1)
    about = np.column_stack([small - small.mean(1, keepdims=True), np.full(len(small), 5.0)])
    return (about / np.linalg.norm(about, axis=1, keepdims=True)).astype(np.float32)


def sight(data, crop):
    """As a release looks at bytes: no larger than it must."""
    header = look(data)
    pixels = decode(data, at_least=SIZE)
    height, width, _ = pixels.shape
    left, top, right, bottom = crop or (0, 0, 1, 1)
    seen = pixels[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    square = resize(np.ascontiguousarray(seen), SIZE, "squash")
    return Sight(square=square, proposal=None if crop else bounds(square), sides=(header.width, header.height))


def release():
    """16 products of one picture each: `red-1` is the upright red letter."""
    keys = [(color, turn) for color in INK for turn in LAID]
    pictures = pl.DataFrame([{"id": row, "product": f"{c}-{t}", "view": "front"} for row, (c, t) in enumerate(keys)])
    products = pl.DataFrame([{"product": f"{c}-{t}", "name": f"{c} {t}", "brand": c} for c, t in keys])
    squares = np.stack([resize(letter(INK[color], turn), SIZE, "squash") for color, turn in keys])
    shape, color = gray(squares).astype(np.float16), color_histogram(squares).astype(np.float16)
    vectors = Vectors(shape=shape, color=color, ids=pictures["id"].to_numpy())
    return Box(
        label="letters/0123456789ab",
        catalog="letters@1",
        sight=sight,
        look=gray,
        tint=color_histogram,
        search=partial(exact, vectors),
        vectors=vectors,
        goods=goods(pictures, products),
        thumbnail=lambda _: b"",
        weight=0.3,
        namer=None,
        facts={},
    )


def resolver(names, note):
    """Names as a test has them, each asking the next answer, and the last again. Numbers and localhost are the system's."""
    asked = Counted()

    def resolve(host, port):
        note("asked", host)
        if host not in names:
            if host.startswith("localhost") or ":" in host or host.replace(".", "").isdigit():
                return resolve_host(host, port)
            raise socket.gaierror(socket.EAI_NONAME, "there is no such name")
        asked[host] += 1
        return names[host][min(asked[host], len(names[host])) - 1]

    return resolve


def note_steps(path):
    """Write down where this process goes; outside of this machine it may not go."""
    notes = Path(path).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open to the end

    def note(*said):
        notes.write(json.dumps(said) + "\n")

    def step(event, args):
        if event == "socket.connect":
            host, port = args[1][:2]
            note("went", host, port)
            if not host.startswith("127."):
                raise ConnectionRefusedError("not from here")

    sys.addaudithook(step)
    return note


def fetcher(told):
    """What fetches addresses, by the rules that a test wrote down; None where it wrote none."""
    if not told:
        return None
    resolve = resolver(told["names"], note_steps(told["notes"]))
    rules = FetchRules(**{name: tuple(v) if isinstance(v, list) else v for name, v in told["rules"].items()})
    return lambda url: fetch(url, rules=rules, resolve=resolve).body


def serve(listener, told):
    """Answer until ended."""
    keep_memory()
    box = release()
    counter = Counter(latest=lambda: box.label, opened=lambda _: box, rolled_back=lambda: None)
    counter.look()
    rules = guard.Rules(body_bytes=LIMIT, body_seconds=20, seconds=PATIENCE, at_once=2, waiting=32)
    meters = Meters()
    behind = guard.guarded(api.app(counter, rules, meters, fetcher(told)), rules, meters)
    config = uvicorn.Config(
        behind, http=guard.Impatient, ws="none", access_log=False, log_level="warning", timeout_keep_alive=PATIENCE
    )
    uvicorn.Server(config).run(sockets=[listener])


# Its clients


@dataclass(frozen=True)
class Answer:
    """What came back, and after how long."""

    status: int
    type: str
    body: bytes
    seconds: float

    @property
    def said(self):
        """The JSON of it."""
        return json.loads(self.body)

    @property
    def hits(self):
        """(id, score) of each, in order."""
        return [(hit["id"], hit["score"]) for hit in self.said["hits"]]


class House:
    """A server that runs."""

    def __init__(self, process, port, told, words):
        self._process, self.port, self._told, self._words = process, port, told, words

    def line(self):
        """A connection that is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, body, kind, line=None):
        """Search by a body of a content type."""
        began, one = time.perf_counter(), line or self.line()
        one.request("POST", "/v1/search", body, {"Content-Type": kind} if kind else {})
        answer = one.getresponse()
        said = answer.read()
        if line is None:
            one.close()
        return Answer(answer.status, answer.headers["content-type"], said, time.perf_counter() - began)

    def fetch(self, url):
        """Search by an address."""
        return self.ask(json.dumps({"url": url}).encode(), "application/json")

    def megabytes(self, what="VmRSS"):
        """Of memory that it holds; or held at most since `forget_peak` (VmHWM)."""
        told = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in told.splitlines() if line.startswith(f"{what}:"))

    def forget_peak(self):
        """Begin anew to look for the most memory it holds."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")

    def steps(self, kind):
        """What it `asked` the resolver, or where it `went`, in order."""
        path = Path(self._told["notes"])
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [tuple(said[1:]) for said in map(json.loads, lines) if said[0] == kind]

    def words(self):
        """What it said to its operator: nothing, while all goes well."""
        return self._words.read_text(encoding="utf-8")


@contextmanager
def run(folder, rules=None, names=None):
    told = {"rules": rules, "names": names or {}, "notes": str(folder / "steps")} if rules else {}
    words = folder / "words"
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, words.open("wb") as out:
        command = [sys.executable, __file__, str(listener.fileno()), json.dumps(told)]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=out, stderr=out)
        port = listener.getsockname()[1]
    try:
        house = House(process, port, told, words)
        assert house.ask(b"{}", "application/json").status == 422, house.words()
        yield house
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    """Run a server: `with serving(rules, names) as house`. rules: for what may be fetched."""
    return lambda rules=None, names=None: run(tmp_path_factory.mktemp("house"), rules, names)


@pytest.fixture(scope="session")
def drawn():
    """The letter: `drawn("red")`, `drawn((0, 0, 0), turn=6)`."""
    return lambda color, turn=1: letter(INK.get(color, color), turn)


@pytest.fixture(scope="session")
def multipart():
    """A form with a picture in it: `multipart(data)` is its body and its content type."""

    def form(data, name="shoe.jpg", kind="image/jpeg"):
        head = (
            f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        )
        return head.encode() + data + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"

    return form


@pytest.fixture(scope="session")
def encoded():
    """Pixels as a file: `encoded(pixels, "PNG")`."""

    def file(pixels, kind, **how):
        out = io.BytesIO()
        (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, kind, **how)
        return out.getvalue()

    return file


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2]))
