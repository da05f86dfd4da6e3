"""What the search box counts and times, told in Prometheus' words.

In: what happened. Out: the text of /metrics. Never: a label that a stranger can choose, or a metric outside its own registry.

Where PROMETHEUS_MULTIPROC_DIR is set (a folder, empty at the start, before prometheus_client is imported), every process of a
server counts into files there, and any of them tells the sums of all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from lookalike.serving.box import Box
from lookalike.serving.watch import Refused

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"  # one label for all that no route or method of ours is
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BYTES: Final = tuple(4.0**power * 1024 for power in range(8))  # 1 KiB to 16 MiB


class Meters:
    """The metrics of one server, or of one of its processes."""

    def __init__(self) -> None:
        self._registry = one = CollectorRegistry()
        self._together = values.ValueClass._multiprocess  # decided when prometheus_client was imported
        self._requests = Counter(
            "lookalike_requests", "Requests that were answered", ["route", "method", "status"], registry=one
        )
        self._seconds = Histogram(
            "lookalike_request_seconds",
            "From a request to its answer's last byte",
            ["route"],
            buckets=SECONDS,
            registry=one,
        )
        self._in_flight = Gauge(
            "lookalike_in_flight", "Requests that are not over", registry=one, multiprocess_mode="livesum"
        )
        self._refused = Counter("lookalike_refused", "Requests that never reached the app", ["reason"], registry=one)
        self._steps = Histogram(
            "lookalike_step_seconds", "Decoding, embedding, searching", ["step"], buckets=SECONDS, registry=one
        )
        self._uploads = Histogram("lookalike_upload_bytes", "Pictures that were sent", buckets=BYTES, registry=one)
        self._release = Gauge(
            "lookalike_release",
            "Processes that have this release on the counter",
            ["release", "catalog"],
            registry=one,
            multiprocess_mode="livesum",
        )
        self._products = Gauge("lookalike_products", "On the counter", registry=one, multiprocess_mode="livemostrecent")
        self._swaps = Counter("lookalike_swaps", "Releases put on the counter", registry=one)
        self._refused_swaps = Counter("lookalike_refused_swaps", "Releases that did not come there", registry=one)
        self._on_counter: tuple[str, str] | None = None

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while it lasts."""
        with self._in_flight.track_inprogress():
            yield

    def answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """A request is over. route: its template, None where it met none."""
        told = route or OTHER
        self._requests.labels(told, method if method in METHODS else OTHER, str(status)).inc()
        self._seconds.labels(told).observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was sent away."""
        self._refused.labels(reason).inc()

    def took(self, step: str, seconds: float) -> None:
        """A step of an answer: decode, embed or search."""
        self._steps.labels(step).observe(seconds)

    def uploaded(self, size: int) -> None:
        """A picture of so many bytes was sent."""
        self._uploads.observe(size)

    def told(self, what: Box | Refused) -> None:
        """What came onto the counter, or did not; for `Counter`'s `told`."""
        if isinstance(what, Refused):
            self._refused_swaps.inc()
            return
        if self._on_counter is not None:
            self._release.labels(*self._on_counter).set(0)
        self._on_counter = what.label, what.catalog
        self._release.labels(*self._on_counter).set(1)
        self._products.set(len(what.goods.keys))
        self._swaps.inc()

    def text(self) -> tuple[bytes, str]:
        """All of it, and its content type."""
        return generate_latest(self._all() if self._together else self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _all(self) -> CollectorRegistry:
        """The sums over all processes."""
        folder = os.environ[FOLDER]
        for process in {file.stem.rpartition("_")[2] for file in Path(folder).glob("gauge_live*.db")}:
            if not _is_alive(int(process)):
                with suppress(FileNotFoundError):  # another process was asked as well, and quicker
                    mark_process_dead(int(process), folder)  # type: ignore[no-untyped-call]
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return together


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
