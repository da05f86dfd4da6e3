"""Photographs of the toy shop, drawn when they are first asked for and kept on the disk.

In: a photo, and the side that is wanted. Out: a JPEG. Never: keeps what can be had again in a millisecond, that is the
smaller sizes; and two threads never draw the same photo at the same time.

The folder may be deleted at any time; it must be, once, after the drawing itself was changed.
"""

from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from lookalike.files import write_bytes
from lookalike.toy.catalog import QUALITY, Shot, jpeg
from lookalike.toy.shop.stock import Photo

LOCKS = 16  # photos that may be drawn at once


class Pictures:
    """The photographs under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks = [Lock() for _ in range(LOCKS)]

    def read(self, photo: Photo, side: int | None = None) -> bytes:
        """The photo as a JPEG: as it was drawn, or with that side where that is smaller."""
        data = self._original(photo.shot)
        return data if side is None or side >= photo.shot.size else smaller(data, side)

    def _original(self, shot: Shot) -> bytes:
        path = self._folder / place(shot)
        with self._locks[hash(shot) % LOCKS]:
            if not path.is_file():
                write_bytes(path, jpeg(shot))
            return path.read_bytes()


def place(shot: Shot) -> Path:
    """Where a photo lies under the folder."""
    return Path(f"seed-{shot.seed}-size-{shot.size}") / f"{shot.style:05d}-{shot.colorway}-{shot.view}.jpg"


def smaller(data: bytes, side: int) -> bytes:
    """The picture at `side` x `side` pixels, at least one."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    small = cv2.resize(pixels, (max(side, 1),) * 2, interpolation=cv2.INTER_AREA)
    done, written = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise RuntimeError(f"OpenCV could not write a JPEG of {side} x {side} pixels")
    return bytes(written)
