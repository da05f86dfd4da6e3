"""Which release is on the counter, and how another one takes its place while people are being served.

In: what says which release is meant, and what opens it. Out: the box on the counter; why a release was refused.
Never: lets a request wait for an opening, opens two at a time, takes a box away before another one is ready, or tells strangers
why one was refused.

A request takes `counter.box` once and keeps it to its end, so it sees one release and no mixture of two. Putting another box on
the counter is one assignment; the old one's memory is free when the last request that took it has ended, but for its small
pictures, which are on people's screens: of the release before they can still be asked for.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from lookalike import files
from lookalike.serving.box import Box
from lookalike.settings import LookalikeError

PATIENCE: Final = 10.0  # seconds that stop() waits for an opening to end; the thread dies with the process anyway
SOON, LATER = 30.0, 480.0  # seconds until a release that failed to open is tried again: at first, and at most
KEPT: Final = 2  # releases of which small pictures are to be had

log = logging.getLogger(__name__)


class NotReady(LookalikeError):  # noqa: N818 - a state that ends by itself, not a fault
    """No release is on the counter yet."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A release that did not come onto the counter."""

    label: str  # what the pointer said; "" where it could not be read
    words: str  # why

    @property
    def name(self) -> str:
        """The label without the folders before it: where it lies elsewhere, it is a path of this machine."""
        return "/".join(Path(self.label).parts[-2:])

    @property
    def told(self) -> str:
        """What strangers may know: nothing of what failed."""
        return f"{self.name} cannot be opened" if self.label else "which release is meant cannot be read"


Telling = Callable[[Box | Refused], None]


class Counter:
    """The box that people are served from. `latest` tells which release is meant, and `opened` opens what it told.

    Works without its thread too: `look()` does at once, and in the caller's time, what the thread does every few seconds.
    What `look`, `reload`, `rollback` and `swap` answer is None where all is well, and otherwise why the old box stayed.
    `bell` is a file that all processes of a server know: a reload in one of them rings it, and the others follow at
    their next look.
    """

    def __init__(
        self,
        *,
        latest: Callable[[], str],
        opened: Callable[[str], Box],
        rolled_back: Callable[[], object],
        seconds: float = 2.0,
        told: Telling = lambda _: None,
        bell: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._latest, self._opened, self._rolled_back = latest, opened, rolled_back
        self._seconds, self._told, self._bell, self._clock = seconds, told, bell, clock
        self._box: Box | None = None
        self._said: str | None = None  # by `latest`, when the box on the counter was opened
        self._thumbnails: Mapping[str, Callable[[int], bytes]] = {}
        self._broken: Refused | None = None  # what the pointer meant and could not be opened
        self._pause, self._tries_at = SOON, 0.0  # until it is tried again, and when that is
        self._rang = ""
        self._refused: Refused | None = None
        self._opening = threading.Lock()  # never taken by who only wants the box
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def box(self) -> Box:
        """What to serve from; NotReady where there is nothing yet."""
        if (box := self._box) is None:
            why = self._refused.told if self._refused else "it is being opened"
            raise NotReady(f"no release is on the counter yet ({why}); ask again in a moment")
        return box

    @property
    def thumbnails(self) -> Mapping[str, Callable[[int], bytes]]:
        """By release: what gives its small pictures. Of that on the counter and of the one before."""
        return self._thumbnails

    @property
    def refused(self) -> Refused | None:
        """The release that is meant and yet not on the counter, and why."""
        return self._refused

    def look(self) -> str | None:
        """Open what is meant, if that is another one than before, or the bell rang, or it failed and its time has come again."""
        with self._opening:
            return self._looked(again=False)

    def reload(self) -> str | None:
        """Open what is meant, here and in every other process, whether or not it was opened or refused before."""
        with self._opening:
            try:
                self._tell_others()
            except Exception as wrong:
                return _said("the other processes were not told, and nothing was reloaded", wrong)
            return self._looked(again=True)

    def rollback(self) -> str | None:
        """Move the pointer to the release before, then open that."""
        with self._opening:
            try:
                self._rolled_back()
            except Exception as wrong:
                return _said("the pointer was not moved", wrong)
            return self._looked(again=True)

    def swap(self, make: Callable[[], Box]) -> str | None:
        """Put what `make` makes on the counter, until the pointer moves."""
        with self._opening:
            return self._put(None, make)

    def start(self) -> None:
        """Look every few seconds, in a thread of its own."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._watched, name="counter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)
            self._thread = None

    def _watched(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Exception:  # whoever is told may fail; the next promotion must be seen all the same
                log.exception("a look at which release is meant failed")
            self._ended.wait(self._seconds)

    def _looked(self, *, again: bool) -> str | None:
        try:
            label = self._latest()
        except Exception as wrong:  # a file that is damaged for a moment is whole at the next look
            return self._refuse(Refused(label="", words=_said("which release is meant cannot be read", wrong)), wrong)
        rang, self._rang = self._rang, self._ring()
        broken = self._broken if self._broken and self._broken.label == label else None
        due = self._clock() >= self._tries_at if broken else label != self._said
        if again or due or rang != self._rang:
            return self._put(label, partial(self._opened, label))
        self._broken = self._refused = broken  # or the pointer moved on; if it comes back, that is a new try
        return broken.words if broken else None

    def _put(self, label: str | None, make: Callable[[], Box]) -> str | None:
        try:
            box = make()
        except Exception as wrong:  # whatever ails a release, the old one stays
            refused = Refused(label=label or "", words=_said(f"{label or 'a release'} cannot be opened", wrong))
            if label:
                self._postpone(refused)
            return self._refuse(refused, wrong)
        kept = {label: small for label, small in self._thumbnails.items() if label != box.label}
        self._thumbnails = dict([*kept.items(), (box.label, box.thumbnail)][-KEPT:])  # before the box, which names them
        self._box = box
        self._said, self._broken, self._refused = label or self._said, None, None
        log.info("%s is on the counter", box.label)
        self._told(box)
        return None

    def _postpone(self, refused: Refused) -> None:
        """What failed once is tried again, ever later: a disk that was full, or away, comes back by itself."""
        is_again = self._broken is not None and self._broken.label == refused.label
        self._pause = min(2 * self._pause, LATER) if is_again else SOON
        self._broken, self._tries_at = refused, self._clock() + self._pause

    def _tell_others(self) -> None:
        if self._bell is not None:
            files.write_text(self._bell, secrets.token_hex(8))

    def _ring(self) -> str:
        """What the last reload wrote; nothing new where that cannot be read."""
        with suppress(OSError):
            return self._bell.read_text("utf-8") if self._bell else ""
        return self._rang

    def _refuse(self, refused: Refused, wrong: Exception) -> str:
        """Told once, however often it is looked at; with its trace where it is nothing that a user is meant to mend."""
        if refused != self._refused:
            self._refused = refused
            log.error("%s", refused.words, exc_info=None if isinstance(wrong, LookalikeError) else wrong)
            self._told(refused)
        return refused.words


def _said(what: str, wrong: Exception) -> str:
    kind = "" if isinstance(wrong, LookalikeError) else f"{type(wrong).__name__}: "
    return f"{what}: {kind}{wrong}"
