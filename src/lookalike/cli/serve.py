"""`lookalike serve`: the search box over a release, until it is stopped.

In: settings, keys from the environment. Out: a server; exit 2, 3 or 4 where there can be none. Never: writes an upload down, or
takes a release that is not whole.

Each worker opens the release itself, without torch, and looks every few seconds whether another one is meant by now. What a
release is, the room of releases knows; what a search box is, that of serving: here one is made of the other.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from lookalike.catalog.addresses import FetchRules
from lookalike.catalog.fetch import fetch
from lookalike.catalog.images import look
from lookalike.cli import show
from lookalike.cli.main import keep_memory
from lookalike.cli.rollback import rolled_back
from lookalike.features.foreground import around
from lookalike.release import looking, registry, shelf
from lookalike.release.cutout import Cutter, cutter, on_white
from lookalike.release.opened import Release, open_release
from lookalike.release.shelf import Shelf, open_shelf
from lookalike.serving import api, guard
from lookalike.serving.box import Box, Crop, Sight
from lookalike.serving.goods import goods
from lookalike.serving.meters import Meters
from lookalike.serving.naming import namer
from lookalike.serving.watch import Counter
from lookalike.settings import ConfigError, DataError, PlaceError, Serve

KEY: Final = "LOOKALIKE_KEY"
ADMIN_KEY: Final = "LOOKALIKE_ADMIN_KEY"
METERS: Final = "PROMETHEUS_MULTIPROC_DIR"  # where the processes of one server add up what they count
BELL: Final = "reload"
TURNED: Final = 5  # of EXIF's turns: from this one on width is height
PICTURE_BYTES: Final = 20_000_000  # fetched by address, at most
PICTURE_SECONDS: Final = 10.0


def run(settings: Serve) -> int:
    """Open once to say what is wrong before anybody asks; then serve."""
    releases = Path(settings.paths.releases)
    with show.progress("opening the release"):
        box = opened(settings, _meant(settings.release, releases))
    _refuse_short_keys()
    with _listening(settings) as listener, tempfile.TemporaryDirectory() as counted:
        if settings.workers > 1:
            os.environ.setdefault(METERS, counted)
        port = listener.getsockname()[1]
        show.facts(f"{box.label} on the counter", _facts(settings, box, port))
        del box
        _serve(settings, listener, Path(counted) / BELL)
    return 0


def _facts(settings: Serve, box: Box, port: int) -> dict[str, Any]:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    return {
        "page": f"http://{host}:{port}/",
        "API": f"http://{host}:{port}/openapi.json",
        "catalog": f"{box.catalog}: {len(box.goods.keys):,} products, {len(box.goods.ids):,} pictures",
        "processes": settings.workers,
        "keys": f"API {_is_set(KEY)}, admin {_is_set(ADMIN_KEY)}",
        "pictures by address": ", ".join(settings.image_hosts + settings.image_private) or "no",
        "to end it": "Ctrl-C",
    }


def _is_set(name: str) -> str:
    return "set" if os.environ.get(name) else "none"


def _refuse_short_keys() -> None:
    for name in (KEY, ADMIN_KEY):
        if 0 < len(os.environ.get(name, "")) < guard.SHORTEST_KEY:
            raise ConfigError(
                f"{name}: a key of fewer than {guard.SHORTEST_KEY} signs can be guessed; give a longer one"
            )


def _listening(settings: Serve) -> socket.socket:
    """A socket that listens, so that a taken port is told before any process starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as wrong:
        raise PlaceError(
            f"cannot listen on {settings.host}:{settings.port}: {wrong.strerror or wrong}; give another: port=0 takes a free one"
        ) from None


def _serve(settings: Serve, listener: socket.socket, bell: Path) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config(
        partial(application, settings, bell),
        factory=True,
        workers=settings.workers,
        http=guard.Impatient,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        timeout_worker_healthcheck=60,  # a process that opens a large release holds its breath
        timeout_graceful_shutdown=int(settings.seconds) + 1,
    )
    if settings.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)


def application(settings: Serve, bell: Path) -> Any:
    """What one process answers with. bell: by which a reload in one of them reaches all."""
    keep_memory()
    releases, meters = Path(settings.paths.releases), Meters()
    counter = Counter(
        latest=partial(_meant, settings.release, releases),
        opened=partial(opened, settings),
        rolled_back=partial(_back, settings.release, releases),
        seconds=settings.look_every,
        told=meters.told,
        bell=bell,
    )
    counter.look()
    counter.start()
    rules = guard.Rules(
        body_bytes=int(settings.body_megabytes * 1e6),
        body_seconds=settings.body_seconds,
        seconds=settings.seconds,
        at_once=settings.at_once,
        waiting=settings.waiting,
        key=os.environ.get(KEY, ""),
        admin_key=os.environ.get(ADMIN_KEY, ""),
    )
    return guard.guarded(api.app(counter, rules, meters, _fetcher(settings)), rules, meters)


def _meant(said: str, releases: Path) -> str:
    """Which release that is by now: NAME/ID, or the folder where it lies elsewhere."""
    folder = registry.resolve(said, releases)
    try:
        return registry.label_of(folder, releases)
    except DataError:
        return str(folder.resolve())


def _fetcher(settings: Serve) -> Callable[[str], bytes] | None:
    """Pictures by their address, where any host is allowed."""
    if not settings.image_hosts and not settings.image_private:
        return None
    rules = FetchRules(
        hosts=(*settings.image_hosts, *(place.rpartition(":")[0] for place in settings.image_private)),
        allow_private=tuple(settings.image_private),
        max_bytes=PICTURE_BYTES,
        max_seconds=PICTURE_SECONDS,
    )
    return lambda url: fetch(url, rules=rules).body


def _back(said: str, releases: Path) -> None:
    """The previous champion again, by the same move as `lookalike rollback`."""
    if said != "champion":
        raise DataError(f"this server serves {said}, whatever is the champion; roll back where the registry is")
    rolled_back(releases, why="rolled back by the server's admin")


# From a release to a box


def opened(settings: Serve, label: str) -> Box:
    """A release on the counter. label: as `_meant` told it."""
    releases = Path(settings.paths.releases)
    outside = Path(label).is_absolute()
    release = open_release(Path(label)) if outside else registry.opened(releases / label, releases)
    catalog = open_shelf(release)
    products = goods(catalog.pictures, catalog.products)
    return Box(
        label=release.label,
        rough=catalog.ann is not None,
        catalog=str(release.manifest["indexed"]),
        sight=partial(_sight, release.preprocessing, _cutter(settings)),
        look=release.shape(threads=settings.threads),
        tint=release.color(),
        search=catalog.search,
        vectors=catalog.vectors,
        goods=products,
        thumbnail=partial(shelf.thumbnail, catalog),
        weight=release.color_weight,
        namer=namer(catalog.vectors.shape, products.owner, products.codes["brand"], products.values["brand"]),
        facts=_told(release, catalog),
    )


def _cutter(settings: Serve) -> Cutter | None:
    return cutter(Path(settings.background), threads=settings.threads) if settings.background else None


def _sight(told: dict[str, Any], cut: Cutter | None, data: bytes, crop: Crop | None) -> Sight:
    header = look(data)
    pixels = looking.pixels_of(data, told, crop or looking.WHOLE)
    mask = cut(pixels) if cut else None
    seen = pixels if mask is None else on_white(pixels, mask)
    sides = (header.height, header.width) if header.turn >= TURNED else (header.width, header.height)
    return Sight(
        square=looking.squared(seen, told, crop or looking.WHOLE),
        proposal=None if crop else looking.proposal(pixels) if mask is None else around(mask),
        sides=sides,
    )


def _told(release: Release, catalog: Shelf) -> dict[str, Any]:
    """What a version label says."""
    return {
        "lookalike": version("lookalike"),
        "model": release.manifest["serves"],
        "index": catalog.ann.kind if catalog.ann else "exact",
        "made": release.manifest["made"],
        "commit": release.manifest["commit"],
    }
