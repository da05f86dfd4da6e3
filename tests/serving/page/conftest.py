"""A search box over a small drawn shop, on a free port, and a real browser to open its page in, where there is one."""

import shutil
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOLD = {"size": 64, "resize": "squash", "interpolation": "bicubic"}
SIDE = 128  # pixels of a drawn picture


def look(squares):
    """Shape as blurred gray: no network, and yet the same thing from another side is near."""
    import cv2

    gray = np.stack(
        [cv2.resize(one.mean(2).astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA) for one in squares]
    )
    flat = 255 - gray.reshape(len(gray), -1)
    return (flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)).astype(np.float32)


@pytest.fixture(scope="session")
def drawn():
    """Rows of the toy shop, each with its picture."""
    from lookalike.toy.catalog import rows

    return [(row.fields, row.read()) for row in rows(styles=12, colorways=3, views=2, size=SIDE)]


@pytest.fixture(scope="session")
def box(drawn):
    """A release of it: real vectors, an exact search; nothing that needs a network."""
    from lookalike.catalog.prices import price
    from lookalike.features.color_histogram import color_histogram
    from lookalike.release import looking
    from lookalike.retrieval import scan
    from lookalike.retrieval.scan import Vectors
    from lookalike.serving.box import Box, Sight
    from lookalike.serving.goods import goods
    from lookalike.serving.naming import namer

    def sight(data, crop):
        pixels = looking.pixels_of(data, TOLD, crop or looking.WHOLE)
        proposal = None if crop else looking.proposal(pixels)
        return Sight(
            square=looking.squared(pixels, TOLD, crop or looking.WHOLE), proposal=proposal, sides=pixels.shape[1::-1]
        )

    squares = np.stack([looking.square(data, TOLD) for _, data in drawn])
    ids = np.arange(len(drawn))
    vectors = Vectors(
        shape=look(squares).astype(np.float16), color=color_histogram(squares).astype(np.float16), ids=ids
    )
    pictures = pl.DataFrame(
        {"id": ids, "product": [one["product"] for one, _ in drawn], "view": [one["view"] for one, _ in drawn]}
    )
    facts = [one | {"price": str(price(one["price"], one["currency"]).amount)} for one, _ in drawn]
    products = pl.DataFrame(facts).drop("view").unique("product", keep="first", maintain_order=True)
    shop = goods(pictures, products.with_columns(pl.lit("Toy shop").alias("shop")))
    return Box(
        label="toy/000000000001",
        catalog="toy@1",
        sight=sight,
        look=look,
        tint=color_histogram,
        search=partial(scan.exact, vectors),
        vectors=vectors,
        goods=shop,
        thumbnail=lambda picture: drawn[picture][1],
        weight=0.3,
        namer=namer(vectors.shape, shop.owner, shop.codes["brand"], shop.values["brand"]),
        facts={"model": "float32", "index": "exact", "made": "2026-03-02", "commit": "0" * 40, "lookalike": "0.1.0"},
    )


class Served:
    """A running search box: where it is, and what was asked of it."""

    def __init__(self, box, fetch=None, **rules):
        import uvicorn

        from lookalike.serving import api, guard
        from lookalike.serving.meters import Meters
        from lookalike.serving.watch import Counter

        self.counter = Counter(latest=lambda: box.label, opened=lambda _: box, rolled_back=lambda: None)
        self.counter.swap(lambda: box)
        told = {"body_bytes": 2_000_000, "body_seconds": 20.0, "seconds": 20.0, "at_once": 4, "waiting": 16}
        limits, meters = guard.Rules(**{**told, **rules}), Meters()
        app = guard.guarded(api.app(self.counter, limits, meters, fetch), limits, meters)
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def swap(self, label, **changed):
        """Another release of the same shop."""
        self.counter.swap(lambda: replace(self.counter.box, label=label, **changed))

    def stop(self):
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)


@pytest.fixture(scope="session")
def serve(box):
    """Starts search boxes: `serve(key=...).url`, or `serve(other_box)`."""
    running = []

    def start(of=box, **rules):
        running.append(Served(of, **rules))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def house(serve):
    """One search box for the tests that neither swap its release nor stop it."""
    return serve()


@pytest.fixture(scope="module")  # no longer: its event loop runs in this thread, and other rooms' tests have their own
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu", *fake])
        yield browser
        browser.close()


class Visit:
    """A page in a browser of its own, what it asked of the server, and what its console said."""

    def __init__(self, browser, url, **said):
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", "base_url": url, **said}
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.posts, self.console = [], []
        self.page.on("request", lambda one: self.posts.append(one) if one.method == "POST" else None)
        self.page.on(
            "console",
            lambda one: self.console.append(f"{one.type}: {one.text}") if one.type in ("error", "warning") else None,
        )
        self.page.on(
            "response", lambda one: self.console.append(f"{one.status} {one.url}") if one.status >= 500 else None
        )
        self.page.on("pageerror", lambda wrong: self.console.append(f"thrown: {wrong}"))

    @property
    def uploads(self):
        """Questions that a picture was sent with."""
        return [one for one in self.posts if one.headers.get("content-type", "").startswith("multipart")]

    def names(self):
        """The products that are shown, in order."""
        return self.page.locator("#cards .card:not(.skeleton) h3").all_inner_texts()

    def settled(self):
        """Wait until an answer is shown."""
        self.page.locator("#cards[aria-busy='false'] .card:not(.skeleton)").first.wait_for()
        return self

    def ids(self):
        return self.page.locator("#cards .card:not(.skeleton)").evaluate_all("all => all.map(one => one.dataset.id)")

    def asked(self, press):
        """The question that a press asks, and its answer."""
        with self.page.expect_response(lambda one: one.url.endswith("/v1/search")) as came:
            press()
        self.settled()
        return came.value.request.post_data_json if came.value.request.headers[
            "content-type"
        ] == "application/json" else None, came.value.json()

    def until(self, said):
        """Wait until an expression is true. Playwright's own waits by eval, which the page's policy forbids."""
        last = time.monotonic() + 15
        while not self.page.evaluate(said):
            assert time.monotonic() < last, said
            self.page.wait_for_timeout(30)

    def upload(self, data, name="photo.jpg", kind="image/jpeg"):
        self.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
        return self


@pytest.fixture
def visit(browser, house):
    """Open the page: `visit().page`. The console must have stayed silent, but for words that are `expected`."""
    visits = []

    def open_(server=house, *, path="/", expected=(), **said):
        one = Visit(browser, server.url, **said)
        visits.append((one, expected))
        one.page.goto(path)
        one.page.locator("#version", has_text="toy/").or_(one.page.locator("#key[open]")).wait_for()
        return one

    yield open_
    said = [line for one, expected in visits for line in one.console if not any(word in line for word in expected)]
    for one, _ in visits:
        one.context.close()
    assert said == []


@pytest.fixture(scope="session")
def photo(drawn):
    """A picture of the shop, as somebody might send it."""
    return drawn[0][1]


@pytest.fixture(scope="session")
def lonely(drawn):
    """The same with much white around it, so that cutting it out is worth while."""
    import io

    from PIL import Image

    wide = Image.new("RGB", (480, 320), "white")
    wide.paste(Image.open(io.BytesIO(drawn[0][1])), (40, 120))
    kept = io.BytesIO()
    wide.save(kept, "jpeg", quality=92)
    return kept.getvalue()
