"""Which pictures are the same photograph: a fingerprint of each picture, and the pairs among many fingerprints.

In: decoded pixels, then fingerprints. Out: pairs of positions, each with a distance and a kind.
Never: reads or decodes a file, or knows which product a picture shows.

Product photographs are one object on plain ground, so a perceptual hash of the whole frame calls very different shoes
the same, and a crop of two percent changes it. Three steps mend that:

1. `fingerprint` cuts out the object (ground = the median of the border; center and extent = moments of what differs
   from it), so that crops, margins and sizes fall away, and keeps a 64-bit DCT hash and a small color thumbnail of it.
2. `near_duplicates` proposes the pairs whose hashes differ in few bits, by looking them up in four bands (pigeonhole).
3. The thumbnails dispose: two pictures are one photograph if *nowhere* do they differ by more than `NEAR` of the
   object's contrast. The worst place counts, not the mean: a colorway or a sole of another kind is a local difference.

Measured on 5,010 photographs of four shops. Copies that are found: re-encoded (JPEG 60: 98 %, JPEG 30: 95 %), half or
double the size (100 %, of 80 pixels 88 %), cropped by 2 % on all sides (100 %, of 80 pixels 90 %), with new margins
(99 %), darkened by 10 % (100 %); brightened by 3 % only 75 %, as a pale shoe then burns into its white ground and the
pixels that could tell are gone. The closest different photographs (two black colorways of one sneaker) are at 0.25, in
80-pixel gray (two models on one last) at 0.20. A mirrored copy is the same photograph and makes a pair too; the inside
of a shoe is not its outside mirrored (the closest of 467: 0.165), so true second views stay apart.
100,000 pictures: 42 s on one core and 60 MB beside the fingerprints, 9 million of 5,000 million pairs compared.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lookalike.settings import DataError

Kind = Literal["exact_pixels", "near", "mirrored"]
Colors = NDArray[np.float32]
Table = NDArray[Any]  # rows of _RECORD

ENOUGH = 256  # pixels of the shorter side: a fingerprint needs no more, and large JPEGs decode faster at a fraction
NEAR = 0.15  # the largest difference in any place of two near duplicates, as a share of the fainter one's contrast
RADIUS = 5  # bits of 64 in which their hashes may differ; up to 7, one of the four bands differs in one bit at most
BLANK = 4.0  # gray levels of standard deviation: a picture with less shows nothing, and is nobody's duplicate
BRIGHTER = 1.12  # one may be the other brightened by so much
BURNT = 250  # from this level on a brighter copy tells nothing of the original

VERSION = 1
_BANDS = 4  # of 16 bits
_SIDE = 16  # pixels of a thumbnail
_RECORD = np.dtype(
    [
        ("version", "u1"),
        ("digest", "S16"),
        ("contrast", "<f4"),
        ("hash", "<u2", (_BANDS,)),
        ("mirrored", "<u2", (_BANDS,)),  # the hash of the mirrored picture
        ("thumbnail", "u1", (_SIDE, _SIDE, 3)),
    ]
)
_TERMS = np.array(sorted((i + j, i, j) for i in range(12) for j in range(12) if i + j)[: 16 * _BANDS])  # coarse first
_CHUNK = 1 << 15  # proposed pairs that are compared at a time: bounds the memory
_NO_MORE_THAN_ONE_BIT = (0, *(1 << bit for bit in range(16)))


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pictures that are one photograph, by their positions (first < second) in what was compared."""

    first: int
    second: int
    distance: float  # 0.0 where all pixels are equal, at most NEAR
    kind: Kind


def fingerprint(pixels: NDArray[np.uint8]) -> bytes:
    """Sum up a picture (H, W, 3) RGB in a record of fixed length, opaque to all but `near_duplicates`."""
    cut = _object(pixels)
    thumbnail = _thumbnail(cut)
    record = np.zeros((), _RECORD)
    record["version"] = VERSION
    record["digest"] = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest()
    record["contrast"] = thumbnail.std((0, 1), dtype=np.float64).mean()
    record["hash"] = _hash(cut)
    record["mirrored"] = _hash(cut[:, ::-1])
    record["thumbnail"] = thumbnail
    return record.tobytes()


def near_duplicates(fingerprints: Sequence[bytes]) -> list[Pair]:
    """Find all pairs that are one photograph, sorted by position.

    Pictures with equal pixels are each paired with the first of them only, and that one stands for all in the search:
    n copies make n - 1 pairs, which link as much as n * (n - 1) / 2. A picture on which nothing can be seen is in no
    pair. Time grows with the number of look-alikes, not with all pairs; memory with the number of pictures.
    """
    table = _table(fingerprints)
    shown = np.flatnonzero(table["contrast"] >= BLANK)
    alone, pairs = _exact(table["digest"], shown)
    kept = table[alone]
    found = {(pair.first, pair.second): pair for pair in pairs}
    sides: tuple[tuple[Kind, Table], ...] = (("near", kept), ("mirrored", _mirrored(kept)))
    for kind, other in sides:
        for first, second, distance in _confirmed(kept, other):
            here, there = int(alone[first]), int(alone[second])
            found.setdefault((here, there), Pair(first=here, second=there, distance=distance, kind=kind))
    return sorted(found.values(), key=lambda pair: (pair.first, pair.second))


def shows_nothing(fingerprint: bytes) -> bool:
    """Whether the picture is blank: all one color, or so faint that nothing can be told from it."""
    return bool(_table([fingerprint])["contrast"][0] < BLANK)


def tints(fingerprints: Sequence[bytes]) -> NDArray[np.float32]:
    """The mean color of each picture's object (N, 3), in CIELAB, where a distance of 10 is plain to see."""
    thumbnails = _table(fingerprints)["thumbnail"].astype(np.float32)
    ground = np.median(thumbnails[:, [0, 0, -1, -1], [0, -1, 0, -1]], axis=1)
    weight = np.abs(thumbnails - ground[:, None, None]).max(3, keepdims=True) + 1e-3
    means = (thumbnails * weight).sum((1, 2)) / weight.sum((1, 2))
    return np.asarray(cv2.cvtColor(means[None] / 255, cv2.COLOR_RGB2LAB)[0] if len(means) else means, np.float32)


# One picture


def _object(pixels: NDArray[np.uint8], *, size: int = 96, spread: float = 2.2, noise: float = 6.0) -> Colors:
    """Cut out what differs from the ground, stretched to a square (size, size, 3): the same for a crop or a margin.

    Center and extent are the first and second moments of the difference, which a few pixels of noise do not move, as
    they would move a bounding box. `spread` standard deviations to each side hold nearly all of any object.
    """
    frame = cv2.resize(pixels, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32)
    ground = np.median(np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]]), axis=0)
    weight = np.clip(np.abs(frame - ground).max(2) - noise, 0, None)
    if not weight.any():
        return np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    (x, width), (y, height) = (_moments(weight.sum(axis)) for axis in (0, 1))
    across, down = 2 * spread * width / size, 2 * spread * height / size  # source pixels in a pixel of the cut
    to_source = np.array(
        [[across, 0, x + across * (1 - size) / 2], [0, down, y + down * (1 - size) / 2]], dtype=np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, to_source, (size, size), flags=flags, borderValue=ground.tolist())
    return np.asarray(cut, np.float32)


def _moments(weight: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and standard deviation of a position, weighted; the latter at least one pixel."""
    places = np.arange(len(weight))
    mean = float(np.average(places, weights=weight))
    return mean, max(1.0, float(np.sqrt(np.average((places - mean) ** 2, weights=weight))))


def _thumbnail(cut: Colors) -> NDArray[np.uint8]:
    """Shrink to (16, 16, 3), each pixel the mean of 3 x 3: a shift of a hair's breadth no longer matters."""
    small = cv2.resize(cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.rint(cv2.blur(small, (3, 3), borderType=cv2.BORDER_REPLICATE)).clip(0, 255).astype(np.uint8)


def _hash(cut: Colors, *, noise: float = 8.0) -> NDArray[np.uint16]:
    """Ask of the 64 lowest DCT terms of the lightness which are positive; bit n goes to band n % 4 of (4,).

    Positive means above the noise: of a symmetric object all odd terms are next to nothing, and their signs chance.
    """
    light = cv2.cvtColor(cv2.resize(cut, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    bits = cv2.dct(light)[_TERMS[:, 1], _TERMS[:, 2]] > noise
    return np.asarray((bits.reshape(16, _BANDS).T << np.arange(16)).sum(1), np.uint16)


# Many pictures


def _mirrored(table: Table) -> Table:
    """The records that the mirrored pictures would have."""
    other = table.copy()
    other["hash"], other["mirrored"] = table["mirrored"], table["hash"]
    other["thumbnail"] = table["thumbnail"][:, :, ::-1]
    return other


def _table(fingerprints: Sequence[bytes]) -> Table:
    """Lay the records out as one table, refusing what another version of this file made."""
    for place, record in enumerate(fingerprints):
        if len(record) != _RECORD.itemsize or record[0] != VERSION:
            raise DataError(
                f"fingerprint {place} has {len(record)} bytes and begins with {record[:1].hex() or 'nothing'}; "
                f"this lookalike reads {_RECORD.itemsize} bytes that begin with {VERSION:02x}. "
                "Another release made it: import the pictures again."
            )
    return np.frombuffer(b"".join(fingerprints), _RECORD)


def _exact(digests: NDArray[np.bytes_], shown: NDArray[np.intp]) -> tuple[NDArray[np.intp], list[Pair]]:
    """The first of each set of pictures with equal pixels, and every other one's pair with it."""
    _, first, which = np.unique(digests[shown], return_index=True, return_inverse=True)
    stands_for = shown[first[which]]
    pairs = [
        Pair(first=int(one), second=int(copy), distance=0.0, kind="exact_pixels")
        for one, copy in zip(stands_for, shown, strict=True)
        if one != copy
    ]
    return np.sort(shown[first]), pairs


def _confirmed(table: Table, other: Table) -> Iterator[tuple[int, int, float]]:
    """The pairs first < second of which `table[first]` and `other[second]` are one photograph."""
    for first, second in _proposed(table["hash"], other["hash"]):
        distance = _distance(table[first], other[second])
        near = np.flatnonzero(distance <= NEAR)
        yield from zip(first[near].tolist(), second[near].tolist(), distance[near].tolist(), strict=True)


def _distance(one: Table, two: Table) -> NDArray[np.float32]:
    """The worst place of each pair (N,), in contrasts of the fainter, after the darker is brightened to the other."""
    a, b = (side["thumbnail"].reshape(-1, 3 * _SIDE * _SIDE).astype(np.float32) for side in (one, two))
    telling = np.minimum(a, b) < BURNT
    gain = (a * b * telling).sum(1) / np.maximum((b * b * telling).sum(1), 1)
    gain = gain.clip(1 / BRIGHTER, BRIGHTER)[:, None]
    a, b = np.minimum(a * np.maximum(1 / gain, 1), 255), np.minimum(b * np.maximum(gain, 1), 255)
    worst: NDArray[np.float32] = np.abs(a - b).max(1) / np.minimum(one["contrast"], two["contrast"])
    return worst


def _proposed(
    hashes: NDArray[np.uint16], others: NDArray[np.uint16]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """All pairs first < second whose hashes (N, 4) differ in at most RADIUS bits, each once, in chunks.

    So few bits spread over four bands leave one band with at most one of them: it is enough to look each band up as
    it is and with every single bit turned. A pair that several bands would propose is left to the first of them.
    """
    wide, wide_others = (np.ascontiguousarray(side).view(np.uint64).ravel() for side in (hashes, others))
    for band in range(_BANDS):
        order = np.argsort(others[:, band], kind="stable")
        starts = np.searchsorted(others[order, band], np.arange((1 << 16) + 1))
        for turned in _NO_MORE_THAN_ONE_BIT:
            keys = (hashes[:, band] ^ np.uint16(turned)).astype(np.intp)
            for first, rank in _expanded(starts[keys], starts[keys + 1]):
                second = order[rank]
                fits = (first < second) & (np.bitwise_count(wide[first] ^ wide_others[second]) <= RADIUS)
                first, second = first[fits], second[fits]
                earlier = np.bitwise_count(hashes[first, :band] ^ others[second, :band]) <= 1
                new = ~earlier.any(1)
                yield first[new], second[new]


def _expanded(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Write ranges out as pairs (row, place in its range), some _CHUNK or one row's worth at a time."""
    rows = np.flatnonzero(ends > starts)
    counts = (ends - starts)[rows]
    sums = np.cumsum(counts)
    cuts = np.flatnonzero(np.diff(sums // _CHUNK)) + 1
    for some in np.split(np.arange(len(rows)), cuts):
        row = np.repeat(rows[some], counts[some])
        offset = np.arange(len(row)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some])
        yield row, np.repeat(starts[rows[some]], counts[some]) + offset
