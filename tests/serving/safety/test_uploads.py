"""Two thousand uploads that are no good picture, or an odd one, against the whole server: each is told why, or answered right.

Each kind says what must come: a refusal with words that name the fault, or the very hits of the same picture sent plainly.
Nothing of it may fail the server, hold it, fill its memory, or bring out a word of this machine.
"""

import gzip
import io
import json
import random
import re
import select
import struct
import tarfile
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from http.client import HTTPResponse
from itertools import cycle

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageCms

SEED = 20_260_214
LEAST = 2_000  # uploads
CLIENTS = 4
SECONDS = 30  # for one answer, on a machine that has much else to do
GROWTH = 16  # megabytes that the second half may leave behind beyond the first; it was 5 at most
LIMIT = 4_000_000
SHAPE = {"type", "title", "status", "detail", "request"}
NO_PICTURE, BROKEN, TOO_LARGE = (
    r"which is not taken|not a p\w+|without a picture",
    r"pixels|end|promise|checksum|header",
    r"more than the",
)
MACHINE = re.compile(  # what no answer says: words of the machine, and where things lie on it
    r"traceback|\.py\b|line \d+, in |0x[0-9a-f]{8}|site-packages|/(tmp|home|usr|root|work|proc|var)\b|index out of range"
    r"|unpack requires|nonetype|not subscriptable|positional|codec|errno|[a-z](Error|Exception)\b|broadcast|reshape|buffer is",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Case:
    """An upload, and what must come of it."""

    name: str
    body: bytes
    type: str
    may: frozenset  # of statuses
    words: str = "."  # that a refusal has
    finds: str | None = None  # which plain picture's hits a 200 has; None: such as the damaged pixels give
    near: bool = False  # it was packed with loss: the same product first, with nearly the same score


class Paint:
    """What uploads are made of."""

    def __init__(self, drawn, encoded, multipart):
        self.red, self.blue, self.encoded, self.form = drawn("red"), drawn("blue"), encoded, multipart
        self.drawn, self.chance = drawn, random.Random(SEED)
        gray = np.array(Image.fromarray(self.red).convert("L"))
        self.plain = {
            "red": self.red,
            "gray": np.repeat(gray[..., None], 3, 2),
            "black": drawn((0, 0, 0)),
        }
        self.files = {
            "JPEG": encoded(self.red, "JPEG", quality=95, subsampling=0),
            "progressive JPEG": encoded(self.red, "JPEG", quality=95, subsampling=0, progressive=True),
            "PNG": encoded(self.red, "PNG"),
            "GIF": encoded(self.red, "GIF"),
            "WEBP": encoded(self.red, "WEBP", lossless=True),
            "lossy WEBP": encoded(self.red, "WEBP", quality=95),
        }

    def noise(self, count):
        """So many bytes of nothing."""
        return self.chance.randbytes(count)

    def refused(self, what, data, may, words, **how):
        return Case(what, *self.form(data, **how), frozenset(may), words)

    def right(self, what, data, finds="red", near=False, **how):
        return Case(what, *self.form(data, **how), frozenset({200}), finds=finds, near=near)


@pytest.fixture(scope="module")
def paint(drawn, encoded, multipart):
    return Paint(drawn, encoded, multipart)


@pytest.fixture(scope="module")
def house(serving):
    with serving() as one:
        yield one


# Files by hand


def chunk(name, body):
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))


def png(size, depth, color, stream, *, more=(), interlaced=False):
    """A PNG of a packed stream. more: (name, body) of chunks between header and pixels."""
    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, interlaced)
    parts = [(b"IHDR", header), *more, (b"IDAT", stream), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def rows(values):
    """Rows of bytes (H, n) as PNG has them, unfiltered and packed."""
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))


@cache
def packed(count):
    """So many zeros, packed."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    return b"".join(packer.compress(block) for _ in range(count // 2**20 + 1)) + packer.flush()


def by_png(pixels, more=()):
    """RGB pixels (H, W, 3) as a PNG with chunks of our own."""
    height, width, _ = pixels.shape
    return png((width, height), 8, 2, rows(pixels.reshape(height, -1)), more=more)


def with_segment(jpeg, marker, body):
    """A JPEG with one more segment at its beginning."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def gif_head(screen, frame=None):
    """A GIF as far as its first frame's place."""
    left, top, width, height = frame or (0, 0, *screen)
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\xff\xff\xff\0\0\0"
    return head + b"," + struct.pack("<HHHHB", left, top, width, height, 0)


def webp(*chunks):
    """A WEBP of (name, body)."""
    parts = b"".join(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for name, body in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts


def turned(turn, order="<", kind=3, tag=0x0112, count=1, start=8):
    """EXIF that says nothing but an orientation."""
    begin = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    return begin + struct.pack(order + "HHHIHHI", 1, tag, kind, count, turn, 0, 0)


# Kinds


def bombs(paint):
    """More pixels than are taken, by a header alone or with all the bytes they need."""
    sides = [
        (30_000, 30_000),
        (20_001, 1),
        (1, 20_001),
        (2**31 - 1, 1),
        (2**31 - 1, 2**31 - 1),
        (7_072, 7_072),
        (19_999, 2_501),
    ]
    zeros = packed(30_000 * 3_751)
    whole = [png((30_000, 30_000), 1, 0, zeros), png((30_000, 30_000), 1, 0, zeros, more=[(b"tEXt", b"a\0b")])]
    start = paint.files["JPEG"].index(b"\xff\xc0") + 5
    small = [one for one in sides if max(one) < 2**16]
    jpegs = [
        paint.files["JPEG"][:start] + struct.pack(">HH", *one[::-1]) + paint.files["JPEG"][start + 4 :]
        for one in [*small, (65_535, 65_535)]
    ]
    gifs = [gif_head(one) + b"\x02\x02\x4c\x01\0;" for one in [*small, (65_535, 65_535)]]
    gifs += [
        gif_head((9, 9), (60_000, 60_000, 9, 9)) + b"\x02\x02\x4c\x01\0;",
        gif_head((9, 9), (0, 0, 9_000, 9_000)) + b"\x02",
    ]
    canvas = [b"\x10\0\0\0" + (one - 1).to_bytes(3, "little") * 2 for one in (2**24, 30_000, 16_384)]
    webps = [webp((b"VP8X", one), (b"ANIM", bytes(6))) for one in canvas]
    webps += [
        webp((b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF))),
        webp((b"VP8 ", bytes(6) + b"\xff\x3f\xff\x3f" + bytes(9))),
    ]
    headers = [png(one, 8, 2, packed(99)) for one in sides]
    return [
        paint.refused(f"bomb {place}", data, {413}, TOO_LARGE)
        for place, data in enumerate([*headers, *whole, *jpegs, *gifs, *webps])
    ]


def promises(paint):
    """As many pixels as are taken, and then next to none; or far more bytes than pixels."""
    said = [
        paint.refused(f"no pixels {one}", png((one, one), 8, 2, packed(one)), {422}, BROKEN)
        for one in range(1_000, 2_000, 125)
    ]
    endless = png((64, 64), 8, 2, rows(paint.red.reshape(64, -1))[:-4] + packed(10**8))
    said += [Case("endless pixels", *paint.form(endless), frozenset({200, 422}), BROKEN, finds="red")]
    many = paint.files["progressive JPEG"]
    scan = many.rindex(b"\xff\xda")
    said += [
        paint.refused(f"{count} scans", many[:scan] + many[scan:-2] * count + b"\xff\xd9", {422}, "scans")
        for count in (101, 999, 9_999)
    ]
    return said


def swollen(paint):
    """Sound pixels beside texts and profiles that swell when unpacked: those are left as they are."""
    bomb = packed(10**8)
    parts = [(b"iCCP", b"p\0\0"), (b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")]
    said = [
        paint.right(f"swollen {name.decode()} {n}", by_png(paint.red, [(name, head + bomb)]))
        for name, head in parts
        for n in (1, 2)
    ]
    said += [
        paint.right(f"{n} texts", by_png(paint.red, [(b"zTXt", parts[1][1] + packed(2**20))] * n)) for n in (10, 100)
    ]
    big = b"RGB ".rjust(20, b"\0") + bytes(4_000_000)
    said += [
        paint.right(
            f"big profile {n}", by_png(paint.red, [(b"iCCP", b"p\0\0" + zlib.compress(n.to_bytes(4) + big[4:], 1))])
        )
        for n in range(70)
    ]
    return said


def truncated(paint):
    """Cut at every place of the beginning, and at many of the rest."""
    return [one for kind, data in paint.files.items() for one in cuts(paint, kind, data)]


def cuts(paint, kind, data):
    unnamed = {"PNG": 8, "GIF": 6}.get(kind, 3 if "JPEG" in kind else 20)  # bytes before it is plain what this is
    whole = len(data) - {"GIF": 8}.get(kind, 1 if "WEBP" in kind else 0)  # from here on all pixels are there
    places = sorted(
        {*range(2, 34), *np.linspace(34, len(data) - 3, 40).astype(int).tolist(), len(data) - 2, len(data) - 1}
    )
    for at in places:
        may, words = ({415}, NO_PICTURE) if at < unnamed else ({422}, BROKEN)
        may = may | {200} if at >= whole else may
        yield Case(f"{kind} cut at {at}", *paint.form(data[:at]), frozenset(may), words, "red", "lossy" in kind)


def flipped(paint):
    """One bit of each of many places. What a format has no sum for may decode to other pixels; a PNG never may."""
    return [one for kind, data in paint.files.items() for one in flips(paint, kind, data)]


def flips(paint, kind, data):
    may = {413, 415, 422} if kind == "PNG" else {200, 413, 415, 422}
    for _ in range(85):
        at, bit = paint.chance.randrange(len(data)), paint.chance.randrange(8)
        changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        yield paint.refused(f"{kind} with bit {bit} of {at} flipped", changed, may, ".")


def polyglots(paint):
    """Pictures that are something else too: what follows or hides in a sound one is left alone; what begins names the file."""
    script, page = b"*/=1;alert(document.domain)//", b"<html><script>alert(1)</script>"
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("../../evil.py", "import os")
    files = paint.files
    behind = [
        (f"{kind} + {what}", files[kind] + more)
        for kind in files
        for what, more in tails(script, page, kept.getvalue())
    ]
    inside = [
        ("HTML in a JPEG's comment", with_segment(files["JPEG"], 0xFE, page)),
        ("PHP in a JPEG's comment", with_segment(files["JPEG"], 0xFE, b"<?php system($_GET[0]); ?>")),
        ("HTML in a PNG's text", by_png(paint.red, [(b"tEXt", b"Comment\0" + page)])),
        ("script in a PNG's profile", by_png(paint.red, [(b"iCCP", b"p\0\0" + zlib.compress(script))])),
    ]
    said = [paint.right(name, data, near="lossy" in name or "JPEG" in name) for name, data in [*behind, *inside]]
    fronts = [
        (b"%PDF-1.7\n", "PDF"),
        (kept.getvalue(), "ZIP"),
        (page, "HTML"),
        (b"\n", "line"),
        (b"GIF", "GIF"),
        (b"#!/bin/sh\n", "sh"),
    ]
    said += [
        paint.refused(f"{what} before {kind}", head + data, {415}, NO_PICTURE)
        for head, what in fronts
        for kind, data in files.items()
    ]
    starts = [b"GIF89a/*" + b"\0" * n + script for n in range(8)] + [b"GIF89a=1;" + script * n for n in range(1, 8)]
    said += [paint.refused(f"script as GIF {n}", data, {413, 415, 422}, ".") for n, data in enumerate(starts)]
    return said


def tails(script, page, archive):
    return [
        ("script", script),
        ("HTML", page),
        ("ZIP", archive),
        ("another picture", b"\xff\xd8\xff\xd9"),
        ("zeros", bytes(9_999)),
    ]


def strangers(paint):
    """Files of another type, under names and types that say picture."""
    kinds = {
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "SVG with a head": b'\xef\xbb\xbf<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "HTML": b"<!doctype html><title>shoe</title>",
        **{
            kind: paint.encoded(paint.red, kind)
            for kind in ("BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "DDS", "SGI", "PDF", "EPS")
        },
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
        "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(99),
        "MP4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + bytes(99),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
        "JPEG XL": b"\xff\x0a" + bytes(99),
        "PSD": b"8BPS\0\1" + bytes(99),
        "ZIP": zipped(b"a"),
        "gzip of a picture": gzip.compress(paint.files["JPEG"]),
        "tar": tarred(paint.files["JPEG"]),
        "ELF": b"\x7fELF\2\1\1" + bytes(99),
        "EXE": b"MZ\x90\0" + bytes(99),
        "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(99),
        "text": b"a red shoe",
        "JSON": b'{"product": "red-1"}',
        "base64": b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBD",
        "data URL": b"data:image/png;base64,iVBORw0KGgo=",
        "zeros": bytes(4_096),
        "noise": b"\0" + paint.noise(4_096),
    }
    names = [
        ("shoe.jpg", "image/jpeg"),
        ("shoe.png", "image/png"),
        ("shoe", "application/octet-stream"),
        ("a.webp", "text/html"),
    ]
    return [
        paint.refused(f"{what} as {name}", data, {415}, NO_PICTURE, name=name, kind=kind)
        for what, data in kinds.items()
        for name, kind in names
    ]


def zipped(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("shoe.jpg", data)
    return out.getvalue()


def tarred(data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        told = tarfile.TarInfo("shoe.jpg")
        told.size = len(data)
        archive.addfile(told, io.BytesIO(data))
    return out.getvalue()


def tiny(paint):
    """No byte, each one byte, and first bytes that promise a picture."""
    said = [
        paint.refused(f"empty {n}", b"", {422}, "empty", name=name) for n, name in enumerate(["a.jpg", "a.png", "a"])
    ]
    said += [paint.refused(f"the byte {one}", bytes([one]), {415}, NO_PICTURE) for one in range(256)]
    begins = [
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"GIF87a",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    ]
    said += [paint.refused(f"nothing but {one!r}", one, {422}, BROKEN) for one in begins]
    return [*said, paint.refused("nothing but RIFF", b"RIFF\0\0\0\0WEBP", {415}, "without a picture")]


def animated(paint):
    """Of a picture that moves the first frame is asked."""
    said = []
    for frames in range(2, 12):
        films = [Image.fromarray(paint.blue)] * (frames - 1)
        for kind, how in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
            film = paint.encoded(paint.red, kind, save_all=True, append_images=films, duration=40, **how)
            said.append(paint.right(f"{kind} of {frames} frames", film))
    return said


def odd(paint):
    """Sound pictures of rare kinds."""
    red = Image.fromarray(paint.red)
    gray, black = red.convert("L"), Image.fromarray(paint.drawn((0, 0, 0))).convert("1")
    paper = np.asarray(gray) == 255
    alpha = Image.fromarray(np.where(paper, 0, 255).astype(np.uint8))
    see_through = Image.merge("RGBA", [*red.split()[:3], alpha])
    light = Image.merge("LA", [gray, alpha])
    palette = paint.files["GIF"]
    inks = np.dstack([paint.red, np.full((64, 64, 1), 255, np.uint8)])
    files = paint.encoded
    deep = np.asarray(gray).astype(np.uint16) * 257
    lossless = {
        "RGBA": (files(see_through, "PNG"), "red"),
        "RGBA WEBP": (files(see_through, "WEBP", lossless=True, exact=True), "red"),
        "palette with transparency": (files(Image.open(io.BytesIO(palette)).convert("P"), "PNG", transparency=0), None),
        "gray": (files(gray, "PNG"), "gray"),
        "gray + alpha": (files(light, "PNG"), "gray"),
        "1 bit": (files(black, "PNG"), "black"),
        "1 bit GIF": (files(black, "GIF"), "black"),
        "16 bits gray": (png((64, 64), 16, 0, rows(deep.astype(">u2"))), "gray"),
        "16 bits RGB": (
            png((64, 64), 16, 2, rows((paint.red.astype(np.uint16) * 257).astype(">u2").reshape(64, -1))),
            "red",
        ),
        "interlaced": (png((64, 64), 8, 2, by_seven(paint.red), interlaced=True), "red"),
        "interlaced GIF": (files(red, "GIF", interlace=1), "red"),
        "3 pixels to one": (by_png(paint.red.repeat(3, 0).repeat(3, 1)), None),
    }
    said = [paint.right(name, data, finds) for name, (data, finds) in lossless.items()]
    lossy = {
        "CMYK": files(red.convert("CMYK"), "JPEG", quality=98),
        "YCCK": simplejpeg.encode_jpeg(inks, 98, "CMYK", "444"),
        "restarts": files(red, "JPEG", quality=98, restart_marker_blocks=2),
        "lossy WEBP": files(red, "WEBP", quality=98),
        **{
            f"subsampling {one}": simplejpeg.encode_jpeg(paint.red, 98, "RGB", one)
            for one in ("444", "422", "420", "440", "411")
        },
        **{f"progressive {one}": files(red, "JPEG", quality=one, progressive=True) for one in (90, 95, 100)},
    }
    said += [paint.right(name, data, near=True) for name, data in lossy.items()]
    return [*said, paint.right("gray JPEG", files(gray, "JPEG", quality=98), "gray", near=True)]


def by_seven(pixels):
    """Pixels (H, W, 3) in the seven passes of an interlaced PNG, packed."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [pixels[y::down, x::across] for x, y, across, down in passes]
    return zlib.compress(b"".join(b"\0" + row.tobytes() for part in parts for row in part))


def rotated(paint):
    """A picture that lies on its side, and says so: the same answer as the upright one."""
    said = []
    for turn in range(1, 9):
        laid = paint.drawn("red", turn)
        jpeg = paint.encoded(laid, "JPEG", quality=98, subsampling=0)
        for order in "<>":
            exif = turned(turn, order)
            said.append(paint.right(f"PNG turned {turn}{order}", by_png(laid, [(b"eXIf", exif)])))
            said.append(
                paint.right(f"WEBP turned {turn}{order}", paint.encoded(laid, "WEBP", lossless=True, exif=exif))
            )
            said.append(
                paint.right(f"JPEG turned {turn}{order}", with_segment(jpeg, 0xE1, b"Exif\0\0" + exif), near=True)
            )
    return said


def nonsense(paint):
    """EXIF and profiles that mean nothing change nothing."""
    exifs = [
        turned(0), turned(9), turned(65_535), turned(6, kind=4), turned(6, tag=0x0113), turned(6, start=2**32 - 1),
        turned(6, start=0), turned(6)[:-9], b"", b"II", b"II*\0", b"MM\0*\xff\xff\xff\xff", bytes(64),
    ]  # fmt: skip
    exifs += [b"II*\0\x08\0\0\0\xff\xff" + paint.noise(paint.chance.randrange(60)) for _ in range(15)]
    exifs += [paint.noise(paint.chance.randrange(200)) for _ in range(15)]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiles = [
        srgb,
        srgb[:100],
        srgb[:300],
        b"",
        bytes(128),
        srgb[:16] + b"GRAY" + srgb[20:],
        srgb[:16] + b"CMYK" + srgb[20:],
    ]
    profiles += [b"RGB ".rjust(20, b"\xff") + paint.noise(paint.chance.randrange(900)) for _ in range(15)]
    profiles += [paint.noise(paint.chance.randrange(900)) for _ in range(15)]
    jpeg = paint.files["JPEG"]
    said = [
        paint.right(f"EXIF {n} of a JPEG", with_segment(jpeg, 0xE1, b"Exif\0\0" + one), near=True)
        for n, one in enumerate(exifs)
    ]
    said += [paint.right(f"EXIF {n} of a PNG", by_png(paint.red, [(b"eXIf", one)])) for n, one in enumerate(exifs)]
    for n, one in enumerate(profiles):
        said.append(
            paint.right(f"profile {n} of a JPEG", with_segment(jpeg, 0xE2, b"ICC_PROFILE\0\1\1" + one), near=True)
        )
        said.append(paint.right(f"profile {n} of a PNG", by_png(paint.red, [(b"iCCP", b"p\0\0" + zlib.compress(one))])))
    for head in [b"", b"\0", b"\0\0", b"\5\2", b"\1\xff", b"\xff\xff", b"\2\1"]:
        numbered = with_segment(jpeg, 0xE2, b"ICC_PROFILE\0" + head + srgb)
        said.append(paint.right(f"profile numbered {head!r}", numbered, near=True))
    broken = [b"p", b"p\0\0" + zlib.compress(srgb)[:-9], b"p\0\0" + paint.noise(99)]
    return [
        *said,
        *(paint.right(f"broken profile {n}", by_png(paint.red, [(b"iCCP", one)])) for n, one in enumerate(broken)),
    ]


# Kinds of bodies


def forms(paint):
    """A sound picture in a damaged form."""
    body, kind = paint.form(paint.files["PNG"])
    return [
        *cut_forms(body, kind),
        *wrong_forms(paint, body, kind),
        *flipped_forms(paint, body, kind),
        *named_forms(paint),
    ]


def cut_forms(body, kind):
    for at in range(0, len(body) - 3, 5):
        yield Case(f"form cut at {at}", body[:at], kind, frozenset({400}), r"multipart/form-data|part \d+ of the form")


def flipped_forms(paint, body, kind):
    head = body.index(b"\r\n\r\n")
    for _ in range(80):
        at, bit = paint.chance.randrange(head), paint.chance.randrange(8)
        changed = body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]
        yield Case(f"form with bit {bit} of {at} flipped", changed, kind, frozenset({200, 400}), finds="red")


def wrong_forms(paint, body, kind):
    data = paint.files["PNG"]
    part = body[: -len(b"--edge--\r\n")]
    field = b'--edge\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    end, form = b"--edge--\r\n", "multipart/form-data"
    mixed = (
        b'--edge\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n'
        + body
        + end
    )
    saying = [
        ("no boundary", body, form, 400, "boundary"),
        ("empty boundary", body, f"{form}; boundary=", 400, "boundary"),
        ("another boundary", body, f"{form}; boundary=ridge", 400, form),
        ("endless boundary", body, f"{form}; boundary={'e' * 9_999}", 400, form),
        ("half a boundary", body, f"{form}; boundary=edg", 400, form),
        ("two files", part + body, kind, 400, "two files"),
        ("a form in a form", part.replace(data, body) + end, kind, 415, NO_PICTURE),
        ("parts in a part", mixed, kind, 400, "."),
        ("long header", b"--edge\r\nX-Long: " + b"x" * 99_999 + b"\r\n" + body[8:], kind, 400, form),
        ("many headers", b"--edge\r\n" + b"X-More: 1\r\n" * 999 + body[8:], kind, 400, form),
        ("10,000 parts", field % (b"brand", b"red") * 10_000 + body, kind, 400, "fields"),
        ("10,000 nameless parts", b"--edge\r\n\r\n\r\n" * 10_000 + body, kind, 400, "name"),
        ("no disposition", b"--edge\r\n\r\n" + data + b"\r\n" + end, kind, 400, "name"),
        ("an attachment", body.replace(b"form-data;", b"attachment;"), kind, 400, "name"),
        ("a file elsewhere", body.replace(b'name="file"', b'name="photo"'), kind, 400, "photo"),
        ("a text for a file", field % (b"file", b"shoe.jpg") + end, kind, 400, "text"),
        ("a NUL in a name", field % (b"bra\0nd", b"red") + body, kind, 400, "."),
        ("a line end in a name", field % (b"bra\r\nnd", b"red") + body, kind, 400, "."),
        ("a NUL in a value", field % (b"brand", b"r\0d") + body, kind, 400, "NUL"),
        ("no UTF-8 in a name", field % (b"br\xffnd", b"red") + body, kind, 400, "UTF-8"),
        ("no UTF-8 in a value", field % (b"brand", b"r\xff") + body, kind, 400, "UTF-8"),
        ("a name of 10,000 signs", field % (b"b" * 10_000, b"red") + body, kind, 400, "."),
        ("a field nobody knows", field % (b"brnad", b"red") + body, kind, 422, "did you mean brand"),
        ("a field twice", field % (b"k", b"3") * 2 + body, kind, 422, "more than once"),
        ("a long value", field % (b"brand", b"r" * 99_999) + body, kind, 422, "long"),
        ("k that is no number", field % (b"k", b"many") + body, kind, 422, "k: "),
        ("half a crop", field % (b"crop", b"0,0,1") + body, kind, 422, "crop"),
        ("crop of NaN", field % (b"crop", b"nan,0,1,1") + body, kind, 422, "crop"),
        ("a product beside the file", field % (b"product", b"red-1") + body, kind, 422, "exactly one"),
        ("an empty form", end, kind, 422, "exactly one"),
        ("fields without a file", field % (b"k", b"3") + end, kind, 422, "exactly one"),
        ("bare line feeds", body.replace(b"\r\n", b"\n"), kind, 400, form),
        ("no type", body, "", 415, "Content-Type"),
        ("a form of the other kind", b"product=red-1", "application/x-www-form-urlencoded", 415, "Content-Type"),
        ("a bare picture", data, "image/png", 415, "Content-Type"),
        ("a type of 9,999 signs", data, "x" * 9_999, 415, "Content-Type"),
        ("base64", body.replace(data, b"iVBORw0KGgo="), kind, 415, NO_PICTURE),
        ("more than is taken", body.replace(data, data + bytes(LIMIT)), kind, 413, "larger than"),
    ]
    return [Case(name, said, told, frozenset({status}), words) for name, said, told, status, words in saying]


def named_forms(paint):
    """Names of files are nobody's: whatever they say, the picture is answered. A header may be too long for them."""
    data = paint.files["PNG"]
    names = [
        "../../../etc/passwd",
        "C:\\\\boot.ini",
        "shoe.php",
        "<img src=x onerror=alert(1)>",
        "%00",
        "a;b=c",
        "сапог.png",
        ".",
    ]
    said = [paint.right(f"file called {name!r}", data, name=name) for name in [*names, "s" * 1_000]]
    long = Case("file called by 10,000 signs", *paint.form(data, name="s" * 10_000), frozenset({200, 400}), finds="red")
    body, kind = paint.form(data)
    around = [
        ("an epilogue", body + b"and more\r\n"),
        ("no last line end", body[:-2]),
        ("a first line end", b"\r\n" + body),
    ]
    return [*said, long, *(Case(name, one, kind, frozenset({200, 400}), finds="red") for name, one in around)]


def texts(_paint):
    """JSON that is none, or that says what cannot be asked."""
    return [*damaged_texts(), *wrong_texts(), *cut_texts()]


def damaged_texts():
    good = b'{"product": "red-1", "k": 3}'
    no_text = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\t", b"\\x41"]
    no_number = [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9" * 100_000,
        b"0x10",
        b"01",
        b".5",
        b"1e",
        b"+1",
        b"[" * 5_000 + b"]" * 5_000,
    ]
    no_json = [b"", b" ", b"[" * 100_000, b'{"a":' * 100_000, b'{"product": "a", "product": "b"}', b'{"k": 1, "k": 1}']
    no_json += [
        good + good,
        good + b"\0",
        good.replace(b'"', b"'"),
        good[:-1] + b",}",
        b"// hello\n" + good,
        b"\xef\xbb\xbf" + good,
    ]
    no_json += [good.decode().encode("utf-16"), good.decode().encode("utf-32")]
    no_object = [b"[]", b'"red-1"', b"7", b"null", b"true"]
    no_question = [b"{}", b'{"": 1}', b'{"__proto__": {}}', b'{"$where": "1"}', b'{"file": "a"}', b'{"\\ud800": 1}']
    no_question += [b'{"%b": "\\ud800"}' % field for field in (b"product", b"url", b"query", b"cursor")]
    no_question += [b'{"brand": ["\\ud800"], "product": "red-1"}', b'{"x": ' + b"[" * 400 + b"]" * 400 + b"}"]
    no_question += [
        b'{"%b": 1e400, "product": "red-1"}' % field for field in (b"k", b"color_weight", b"min_score", b"price_min")
    ]
    no_question += [b'{"product": "' + b"a" * 2_000 + b'"}', b'{"liked": [], "disliked": ["red-1"]}']
    no_question += [b'{"brand": [' + b'"a",' * 99 + b'"a"], "product": "red-1"}']
    nobody = [b"nobody", b"red-1\\u0000", b"../../etc/passwd", b"' OR 1=1 --", b"red-1 "]
    saying = [
        (400, "JSON|UTF-8|twice", no_json),
        (400, "JSON|UTF-8", [b'{"product": "%b"}' % one for one in no_text]),
        (400, "JSON", [b'{"product": "red-1", "k": %b}' % one for one in no_number]),
        (400, "fetches no addresses", [b'{"url": "http://x.example/a.jpg"}']),
        (404, "no product", [b'{"product": "%b"}' % one for one in nobody]),
        (413, "bytes", [b'{"product": "' + b"a" * 2_000_000 + b'"}']),
        (422, "not an object", no_object),
        (422, "cannot be asked", no_question),
    ]
    return [
        Case(f"JSON {one[:60]!r}", one, "application/json", frozenset({status}), words)
        for status, words, ones in saying
        for one in ones
    ]


def wrong_texts():
    """Each field with values that it cannot have."""
    texts, lists = [7, True, [], {}, ""], ["red", 7, {}, [7], [None], [[]], [""]]
    number = ["1", True, [], {}, -2, 10**30, 1e300, -(10**400)]
    values = {
        **dict.fromkeys(("product", "url", "query", "cursor", "order", "group_by"), texts),
        **dict.fromkeys(("brand", "category", "color", "style", "shop", "liked", "disliked"), lists),
        **dict.fromkeys(("k", "color_weight", "min_score", "rating_min"), number),
        "k": [*number, 0, 101, 2.5, None],
        "in_stock": ["yes", "true", 1, [], None],
        "crop": ["0,0,1,1", [0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 1, "1"], 7, {}],
    }
    for field, wrong in values.items():
        for value in wrong:
            said = json.dumps({"product": "red-1", field: value}).encode()
            yield Case(
                f"JSON {said[:80]!r}", said, "application/json", frozenset({400, 422}), "cannot be asked|too long"
            )


def cut_texts():
    good = b'{"product": "red-1", "k": 3, "color_weight": 0.5, "brand": ["red"]}'
    for at in range(1, len(good)):
        yield Case(f"JSON cut at {at}", good[:at], "application/json", frozenset({400}), "no JSON")


KINDS = (
    bombs, promises, swollen, truncated, flipped, polyglots, strangers, tiny, animated, odd, rotated, nonsense, forms, texts,
)  # fmt: skip


# What comes back


def judged(case, answer, plain):
    """What is wrong with an answer; None where nothing is."""
    said = answer.body.decode("utf-8", "replace")
    if answer.status not in case.may:
        return f"{answer.status} where one of {sorted(case.may)} must be: {said[:300]}"
    if answer.seconds > SECONDS:
        return f"an answer after {answer.seconds:.1f} seconds"
    return misfound(case, answer, plain) if answer.status == 200 else misworded(case, answer)


def misfound(case, answer, plain):
    hits = answer.hits
    if not hits or not all(-1.001 <= score <= 1.001 for _, score in hits):
        return f"scores that are none: {hits[:3]}"
    if case.finds is None:
        return None
    wanted = plain[case.finds]
    same = hits[0][0] == wanted[0][0] and abs(hits[0][1] - wanted[0][1]) < 0.05 if case.near else hits == wanted
    return None if same else f"{hits[:3]} where {wanted[:3]} must be"


def misworded(case, answer):
    said = answer.said
    if answer.type != "application/problem+json" or not set(said) >= SHAPE or said["status"] != answer.status:
        return f"no problem of our shape: {answer.type} {said}"
    if MACHINE.search(json.dumps(said)):
        return f"words of the machine: {said['detail'][:300]}"
    if not 20 <= len(said["detail"]) <= 2_500 or not re.search(case.words, said["detail"]):
        return f"words that do not tell {case.words!r}: {said['detail'][:300]}"
    return None


def sent(house, cases):
    """What each case got, one after the other on a line that is kept."""
    line = house.line()
    try:
        return [(case, house.ask(case.body, case.type, line)) for case in cases]
    finally:
        line.close()


def all_sent(house, cases):
    """... by a few clients at once."""
    hands = [[case for case, hand in zip(cases, cycle(range(CLIENTS))) if hand == mine] for mine in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        return [pair for pairs in clients.map(lambda hand: sent(house, hand), hands) for pair in pairs]


def plain_hits(house, paint):
    """What the plain pictures find."""
    return {name: house.ask(*paint.form(by_png(pixels))).hits for name, pixels in paint.plain.items()}


def test_whatever_is_sent_is_answered_right_or_refused_in_words_and_leaves_no_memory_behind(serving, paint):
    cases = [case for kind in KINDS for case in kind(paint)]
    assert len(cases) >= LEAST
    paint.chance.shuffle(cases)
    with serving() as house:
        plain = plain_hits(house, paint)
        assert plain["red"][0][0] == "red-1"
        first = all_sent(house, cases[::2])
        halfway = house.megabytes()
        second = all_sent(house, cases[1::2])
        grown = house.megabytes() - halfway
        wrong = [f"{case.name}: {told}" for case, answer in first + second if (told := judged(case, answer, plain))]
        if plain_hits(house, paint) != plain:
            wrong.append("a good picture has other hits than before")
        if grown >= GROWTH:
            wrong.append(f"the second half left {grown:.0f} MB behind")
        if (
            said := house.words()
        ):  # nothing failed: nothing is told to the operator, whose log strangers could fill else
            wrong.append(f"the server's log has {said.count(chr(10))} lines: {said[:300]!r}")
    assert not wrong, "\n".join([f"{len(wrong)} wrong of {len(cases)}", *wrong])


def test_neither_uploads_nor_the_profiles_in_them_are_kept(serving, paint):
    """Each is another one, as large as a body may be, and of no use to anybody."""
    with serving() as house:
        before = large_ones(house, paint, range(40))  # by then the C library has all that it will ever ask for
        assert large_ones(house, paint, range(40, 80)) - before < GROWTH


def large_ones(house, paint, numbers):
    """Send a sound picture and a bad one of each number; what the server holds in the end."""
    canvas = b"\x20\0\0\0" + (63).to_bytes(3, "little") * 2
    pixels = paint.files["WEBP"][12:]
    for number in numbers:
        more = number.to_bytes(4) + bytes(LIMIT - 500_000)
        picture = webp((b"VP8X", canvas), (b"ICCP", b"RGB ".rjust(20, b"\0") + more), (pixels[:4], pixels[8:]))
        assert house.ask(*paint.form(picture)).hits[0][0] == "red-1"
        assert house.ask(*paint.form(more)).status == 415
    return house.megabytes()


# What is too large to be sent


def poured(house, head, pieces):
    """Send until an answer comes: ((status, body), bytes sent by then, seconds)."""
    began, count = time.perf_counter(), 0
    line = house.line()
    line.connect()
    with line.sock as wire:
        wire.sendall(head)
        for piece in pieces:
            if select.select([wire], [], [], 0)[0]:
                break
            wire.sendall(piece)
            count += len(piece)
        answer = HTTPResponse(wire)
        answer.begin()
        with answer:
            return (answer.status, answer.read()), count, time.perf_counter() - began


HEAD = b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
PART = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
PIECE = bytes(65_536)
CHUNK = b"10000\r\n" + PIECE + b"\r\n"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100000000", b"Transfer-Encoding: chunked"], ids=["length", "chunks"]
)
def test_a_hundred_megabytes_are_refused_before_they_are_sent(house, framing):
    piece = CHUNK if b"chunked" in framing else PIECE
    begin = b"%x\r\n%b\r\n" % (len(PART), PART) if b"chunked" in framing else PART
    house.forget_peak()
    before = house.megabytes()
    (status, body), count, seconds = poured(house, HEAD + framing + b"\r\n\r\n" + begin, (piece for _ in range(1_600)))
    assert status == 413
    assert b"larger than the 4,000,000 bytes" in body
    assert count < LIMIT + 16_000_000, "what the system's buffers of both sides hold, and no more"
    assert seconds < SECONDS
    assert house.megabytes("VmHWM") - before < 3 * LIMIT / 1e6 + 8


def test_a_length_that_is_too_large_is_refused_at_its_word(house):
    (status, _), count, _ = poured(house, HEAD + b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n", [])
    assert status == 413
    assert count == 0


def test_a_bomb_is_refused_without_making_room_for_it(house, paint):
    house.forget_peak()
    before = house.megabytes()
    for case in bombs(paint):
        assert house.ask(case.body, case.type).status == 413
    assert house.megabytes("VmHWM") - before < 16


def test_the_largest_picture_that_is_taken_is_answered_right(house, paint):
    """7,000 x 7,000: not all of what looks like a bomb is one."""
    side, found = 7_000, house.ask(*paint.form(by_png(paint.plain["black"]))).hits
    row = np.asarray(
        Image.fromarray(paint.drawn((0, 0, 0))).convert("1").resize((side, side), Image.Resampling.NEAREST)
    )
    stream = zlib.compress(np.hstack([np.zeros((side, 1), np.uint8), np.packbits(row, axis=1)]).tobytes(), 1)
    answer = house.ask(*paint.form(png((side, side), 1, 0, stream)))
    assert answer.status == 200
    assert answer.hits[0][0] == found[0][0]
