"""A small release of drawn pictures, and servers of it: real decoder, features and search; no network but loopback."""

import io
import socket
import threading
import time
from contextlib import contextmanager
from functools import partial

import httpx
import numpy as np
import polars as pl
import pytest
import uvicorn
from PIL import Image

from lookalike.catalog.images import decode
from lookalike.features.color_histogram import color_histogram
from lookalike.features.foreground import bounds
from lookalike.features.grayscale import grayscale
from lookalike.features.resize import resize
from lookalike.retrieval.scan import Vectors, exact
from lookalike.serving.api import app
from lookalike.serving.box import Box, Sight
from lookalike.serving.goods import goods
from lookalike.serving.guard import Rules, guarded
from lookalike.serving.meters import Meters
from lookalike.serving.naming import namer
from lookalike.serving.watch import Counter

SIZE = 32
INK = {"red": (190, 30, 40), "blue": (30, 60, 180), "green": (40, 140, 60)}
FORMS = {"tall": (24, 44), "wide": (44, 20), "small": (20, 20), "full": (48, 48)}
RULES = Rules(body_bytes=2_000_000, body_seconds=10, seconds=30, at_once=4, waiting=32)


def drawn(form, color, shift=0):
    """A block of one color on white (64, 64, 3)."""
    width, height = FORMS[form]
    left, top = (64 - width) // 2 + shift, (64 - height) // 2 + shift
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[top : top + height, left : left + width] = INK[color]
    return pixels


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def gray(squares):
    """Shape, as small gray pixels about their mean; never of no length."""
    small = grayscale(squares).reshape(len(squares), 8, 4, 8, 4).mean((2, 4)).reshape(len(squares), -1)
    about = np.column_stack([small - small.mean(1, keepdims=True), np.full(len(small), 5.0)])
    return (about / np.linalg.norm(about, axis=1, keepdims=True)).astype(np.float32)


def sight(data, crop):
    pixels = decode(data)
    height, width, _ = pixels.shape
    left, top, right, bottom = crop or (0, 0, 1, 1)
    seen = pixels[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    square = resize(np.ascontiguousarray(seen), SIZE, "squash")
    return Sight(square=square, proposal=None if crop else bounds(square), sides=(width, height))


def catalog():
    """12 products in two views each: a style of each form, a brand of each color."""
    products, pictures, files = [], [], []
    for row, (form, color) in enumerate((form, color) for form in FORMS for color in INK):
        key = f"drawn:{form}/{color}"
        products.append(
            {
                "product": key, "name": f"{color} {form}", "brand": f"House of {color}", "category": "blocks", "color": color,
                "style": form, "shop": "drawn", "price": 10.0 * row, "currency": "EUR", "rating": 1 + row / 3,
                "url": "javascript:alert(1)" if row == 0 else f"https://shop.example/{form}/{color}",
                "attributes": f'{{"stock": {row % 2}}}',
            }
        )  # fmt: skip
        for view, shift in (("front", 0), ("side", 2)):
            pictures.append({"id": 1000 + 7 * len(pictures), "product": key, "view": view})
            files.append(drawn(form, color, shift))
    return pl.DataFrame(pictures), pl.DataFrame(products), files


def made(label="drawn/0123456789ab"):
    """A release of the drawn catalog."""
    pictures, products, files = catalog()
    squares = np.stack([resize(one, SIZE, "squash") for one in files])
    vectors = Vectors(
        shape=gray(squares).astype(np.float16),
        color=color_histogram(squares).astype(np.float16),
        ids=pictures["id"].to_numpy(),
    )
    of = goods(pictures, products)
    search = partial(exact, vectors)
    thumbnails = {picture: encoded(one, "JPEG") for picture, one in zip(pictures["id"], files, strict=True)}
    return Box(
        label=label,
        catalog="drawn@1",
        sight=sight,
        look=gray,
        tint=color_histogram,
        search=search,
        vectors=vectors,
        goods=of,
        thumbnail=thumbnails.__getitem__,
        weight=0.3,
        namer=namer(vectors.shape, of.owner, of.codes["brand"], of.values["brand"]),
        facts={"model": "float32", "index": "exact", "lookalike": "0.1.0", "commit": "0" * 40},
    )


@pytest.fixture(scope="session")
def box():
    return made()


@pytest.fixture(scope="session")
def picture():
    """Draw an upload: `picture("tall", "red")` is a PNG."""
    return lambda form, color, shift=1, kind="PNG": encoded(drawn(form, color, shift), kind)


@pytest.fixture(scope="session")
def counting():
    """A counter with releases on it: `counting(box)`; `counting()` has none."""

    def counted(*boxes):
        left = list(boxes)
        counter = Counter(latest=lambda: "meant", opened=lambda _: left.pop(0), rolled_back=lambda: None)
        if boxes:
            assert counter.look() is None
        return counter

    return counted


@pytest.fixture(scope="session")
def serving(counting):
    """Serve an app on a free port of loopback: `with serving(counter, fetch=..., key="...") as client`."""

    @contextmanager
    def served(counter, fetch=None, *, guard=False, **ruled):
        rules, meters = Rules(**{**vars(RULES), **ruled}), Meters()
        bare = app(counter, rules, meters, fetch)
        one = guarded(bare, rules, meters) if guard else bare
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(one, log_config=None, lifespan="off", ws="none"))
            thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
            thread.start()
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as client:
                    yield client
            finally:
                server.should_exit = True
                thread.join(10)

    return served


@pytest.fixture(scope="session")
def client(serving, counting, box):
    """A bare app over the drawn release."""
    with serving(counting(box)) as one:
        yield one
