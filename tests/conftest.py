"""What several rooms' tests need: a small disk, to see what a full one does; a crawl, as the command does it."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

MONDAY = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)


@pytest.fixture
def disk(tmp_path):
    """Mount small disks: `disk("64k")` is a folder with so much room, `disk("1m", "ro")` one that can only be read."""
    mounted = []

    def mount(size, *options):
        at = tmp_path / f"disk{len(mounted)}"
        at.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(at)]
        if (
            os.geteuid() != 0
            or not shutil.which("mount")
            or subprocess.run(words, check=False, capture_output=True).returncode
        ):
            pytest.skip("mounting a disk needs root")
        mounted.append(at)
        return at

    yield mount
    for at in mounted:
        subprocess.run(["umount", str(at)], check=True)  # noqa: S607


@pytest.fixture(autouse=True)
def forgotten_by_wandb():
    """What W&B read of a test's surroundings is not there for the next one: it asks for them once in a process."""
    yield
    if "wandb" in sys.modules and hasattr(sys.modules["wandb"], "teardown"):
        sys.modules["wandb"].teardown()


def pytest_configure():
    """A shell starts what it puts into the background deaf to Ctrl-C, and tests that send one would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Bucketeer:
    """A server that speaks S3, in a process of its own: in ours it would change what boto and requests do for everybody."""

    def __init__(self, process, log):
        self.process, self.log, self.url = process, log, ""
        while not self.url:
            assert process.poll() is None, log.read_text()
            found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            self.url = found[0] if found else ""
            time.sleep(0.02)

    def asked(self, method, since=0):
        """The last part of each address that was asked for, in order."""
        lines = self.log.read_text()[since:].splitlines()
        return [one.split(" HTTP/")[0].rpartition("/")[2] for one in lines if f'"{method} /' in one]

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """Starts a server that speaks S3: `with s3_server() as server: server.url`."""

    @contextmanager
    def start():
        log = tmp_path_factory.mktemp("s3") / "log"
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        with log.open("w") as said, subprocess.Popen(words, stdout=said, stderr=said) as process:
            server = Bucketeer(process, log)
            try:
                yield server
            finally:
                server.stop()

    return start


@pytest.fixture(scope="session")
def drawn_pictures(tmp_path_factory):
    """Pictures of the toy shop that were drawn, for all tests of this process."""
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture
def catalog(tmp_path):
    """An empty catalog."""
    from lookalike.catalog.store import open_store

    with open_store(f"sqlite:///{tmp_path}/catalog.db") as opened:
        yield opened


@pytest.fixture
def walked(catalog, tmp_path):
    """Walk an open toy shop into the catalog's book: `walked(shop, "zappos")` answers the trip. Nothing is published."""
    from lookalike.catalog.addresses import FetchRules
    from lookalike.catalog.crawl import Plan
    from lookalike.catalog.crawls import Crawls
    from shops.crawl import crawl
    from shops.shop import shop as shop_of
    from shops.trip import Trip

    def walk(open_shop, spider="plain", *, plan=None, week=0, start=None, delay=0.0, **said):
        site = open_shop if isinstance(open_shop, str) else open_shop.site
        shop = shop_of(spider, site=site, start=[start or open_shop.start.removeprefix(site)])
        book = Crawls(catalog)
        plan = plan or Plan(shop="toy", scope=shop.scope, complete=True)
        begun, _ = book.begin(plan, now=MONDAY + timedelta(weeks=week), go_on_for=timedelta(days=1))
        book.first(begun.number, shop.steps)
        port = int(site.rpartition(":")[2])
        trip = Trip(
            book=book,
            crawl=begun,
            shop=shop,
            rules=FetchRules(ports=(port,), hosts=shop.hosts, allow_private=shop.trusted, max_seconds=5),
            **{
                "pictures": tmp_path / "images",
                "pages": tmp_path / "pages",
                "known": book.known_products("toy"),
                **said,
            },
        )
        crawl(trip, delay=delay, retries=0)
        return trip

    return walk


@pytest.fixture(scope="session")
def network():
    """An ONNX file: the mean color of a picture, as a unit vector."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("LpNormalization", ["mean"], ["vectors"], axis=1, p=2),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", "H", "W", 3])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["B", 3])
    graph = helper.make_graph(nodes, "mean color", [pictures], [vectors])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture(scope="session")
def picture():
    """A drawn one, as PNG bytes."""
    import numpy as np
    from PIL import Image

    from lookalike.release import golden

    kept = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(kept, "png")
    return golden.Drawn(name="noise.png", data=kept.getvalue())


@pytest.fixture(scope="session")
def fill(network, picture):
    """Fill a draft with a small release, but for its figures: `fill(draft, card="2")`. turned: its models say the opposite."""
    import polars as pl

    from lookalike import files
    from lookalike.release import golden, shelf, verify
    from lookalike.release.opened import Release

    def filled(draft, *, card="", turned=False, catalog=True):
        (draft / "model").mkdir()
        (draft / "model" / "float32.onnx").write_bytes(network)
        files.write_json(draft / "preprocessing.json", {"size": 16, "resize": "squash", "interpolation": "bicubic"})
        files.write_json(draft / "color.json", {"options": {}})
        files.write_text(draft / "card.md", card)
        models = verify.by_bytes(Release(draft, {"serves": "float32"}), threads=1)
        turn = {one: lambda data, model=model: -model(data) for one, model in models.items()}
        golden.write(draft, [picture], turn if turned else models)
        if catalog:
            table = shelf.ordered(
                pl.DataFrame({"image": ["a#0"], "product": ["a"], "view": ["outside"], "sha256": ["0" * 64]})
            )
            shape, color = (models[one](picture.data)[None] for one in ("float32", "color"))
            shelf.write(draft, table, table.select("product"), shape, color, None, {"kind": "exact"}, [picture.data])

    return filled
