"""What several rooms' tests need: a small disk, to see what a full one does; a crawl, as the command does it."""

import os
import shutil
import subprocess
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

    def walk(open_shop, spider="plain", *, plan=None, week=0, start=None, **said):
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
            pictures=tmp_path / "images",
            pages=tmp_path / "pages",
            known=book.known_products("toy"),
            **said,
        )
        crawl(trip, retries=0)
        return trip

    return walk
