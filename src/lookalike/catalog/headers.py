"""What the bytes of a picture say of themselves, before a single pixel is decoded. Standard library only.

In: bytes from anywhere. Out: format, size, turn and colour profile, or a PictureError that names the reason.
Never: decodes pixels, allocates by what a header says, or trusts a length that runs past the end of the bytes.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lookalike.catalog import png
from lookalike.catalog.product import RowError

Format = Literal["JPEG", "PNG", "WEBP", "GIF"]

PROFILE_BYTES = 4_000_000  # the largest profiles of printing presses have 3 MB; a packed one may claim gigabytes
EXIF_ORIENTATION = 0x0112
START_OF_SCAN = 0xDA
COMMON_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # baseline, extended, progressive; the last two arithmetic
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # what lies between them is tables
MEND = "give a JPEG, PNG, WEBP or GIF picture"

# What also arrives where a photograph was promised. Named, so that the mend is plain.
STRANGERS = (
    (b"II*\0", "a TIFF file"),
    (b"MM\0*", "a TIFF file"),
    (b"8BPS", "a Photoshop file"),
    (b"BM", "a BMP file"),
    (b"%!PS", "a PostScript file"),
    (b"%PDF", "a PDF file"),
    (b"\0\0\1\0", "an icon file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x0a", "a JPEG XL file"),
)


class PictureError(RowError):
    """The bytes are not a picture that can be used. `reason` is one of:

    empty               no bytes at all
    too_many_bytes      more bytes than the limits allow
    too_many_pixels     a header that promises more pixels, or a longer side, than the limits allow
    not_a_picture       no picture format that is known by name, or one without the header it must have
    unsupported_format  a known file format that is not taken (TIFF, AVIF, SVG, a web page ...)
    truncated           the bytes end before the picture does
    damaged             the pixels cannot be decoded from start to end
    lying               the pixels are not those that the header promises
    too_many_scans      a JPEG that paints itself over so often that it can only mean to keep a decoder busy
    no_memory           the machine could not hold the decoded picture
    """


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture says of itself. `width` and `height` are those of the upright picture."""

    format: Format
    width: int
    height: int
    turn: int = 1  # EXIF orientation, 1 to 8: how the stored pixels lie
    sampling: tuple[int, ...] = ()  # JPEG only: the sampling factors of each channel, 0x21 for 2 across and 1 down
    profile: bytes = field(default=b"", repr=False)  # embedded ICC profile

    @property
    def stored(self) -> tuple[int, int]:
        """(width, height) as the pixels lie in the file."""
        return (self.height, self.width) if self.turn >= 5 else (self.width, self.height)


def read_header(data: bytes) -> Header:
    """Read the header of a JPEG, PNG, WEBP or GIF picture, told apart by their first bytes alone."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == png.SIGNATURE:
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:6] in {b"GIF87a", b"GIF89a"}:
            return _gif(data)
    except (struct.error, IndexError):
        raise PictureError("truncated", f"the bytes end within the header ({len(data)} bytes)") from None
    raise _stranger(data)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of the segments of a JPEG up to and with the first scan's header.

    Each starts at its 0xFF. Stops early where the bytes end or are no segment.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD9:  # stands alone
            at += 2
        else:
            end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
            if end > len(data):
                return
            yield marker, at, end
            if marker == START_OF_SCAN:
                return
            at = end


def bare_jpeg(data: bytes) -> bytes:
    """The JPEG without EXIF, profile and comments; JFIF (0xE0) and Adobe (0xEE) stay, they tell how colors are kept."""
    segments = list(jpeg_segments(data))
    aside = {*range(0xE1, 0xEE), 0xEF, 0xFE}
    kept = (data[start:end] for marker, start, end in segments if marker not in aside)
    return data[:2] + b"".join(kept) + data[segments[-1][2] :]


def _jpeg(data: bytes) -> Header:
    segments = [(marker, data[start + 4 : end]) for marker, start, end in jpeg_segments(data)]
    frames = [(marker, body) for marker, body in segments if marker in FRAMES]
    if not frames or segments[-1][0] != START_OF_SCAN:
        raise PictureError("truncated", f"a JPEG of {len(data)} bytes that ends, or breaks off, before its first pixel")
    marker, frame = frames[0]
    precision, height, width, channels = struct.unpack_from(">BHHB", frame)
    if marker not in COMMON_FRAMES or precision != 8:
        raise PictureError("unsupported_format", f"a JPEG of {precision} bits, process {marker - 0xC0}; {MEND}")
    exif = [body[6:] for marker, body in segments if marker == 0xE1 and body[:6] == b"Exif\0\0"]
    profile = [body[14:] for marker, body in segments if marker == 0xE2 and body[:12] == b"ICC_PROFILE\0"]
    sampling = tuple(frame[7 : 6 + 3 * channels : 3])
    if not sampling:
        raise PictureError("not_a_picture", "a JPEG without a color channel")
    return _header("JPEG", (width, height), exif=b"".join(exif[:1]), profile=b"".join(profile), sampling=sampling)


def _png(data: bytes) -> Header:
    name, width, height = struct.unpack_from(">4sII", data, 12)
    if name != b"IHDR":
        raise PictureError(
            "not_a_picture", f"a PNG file must begin with its header (IHDR), this one begins with {name!r}"
        )
    exif = profile = b""
    for chunk in png.chunks(data):
        if chunk.name == b"eXIf":
            exif = exif or chunk.body
        elif chunk.name == b"iCCP":
            profile = _unpacked(chunk.body.partition(b"\0")[2][1:])
    return _header("PNG", (width, height), exif=exif, profile=profile)


def _unpacked(packed: bytes) -> bytes:
    """A profile out of its zlib stream, read no further than any honest one goes; an unreadable one is none."""
    try:
        return zlib.decompressobj().decompress(packed, PROFILE_BYTES)
    except zlib.error:
        return b""


def _webp(data: bytes) -> Header:
    name, body = next(_riff_chunks(data), (b"", b""))
    if name == b"VP8X":
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
    elif name == b"VP8L":
        bits = struct.unpack_from("<xI", body)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif name == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<6xHH", body))
    else:
        raise PictureError("not_a_picture", "a WEBP file without a picture inside")
    extras = dict(_riff_chunks(data))
    exif = extras.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    return _header("WEBP", (width, height), exif=exif, profile=extras.get(b"ICCP", b""))


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, contents) of each chunk, a last one cut short as far as it goes."""
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _gif(data: bytes) -> Header:
    """A GIF is as large as its screen, or as its first frame where that reaches further."""
    screen_width, screen_height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette_bytes(flags)
    while data[at] == 0x21:  # extensions
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at] != 0x2C:
        raise PictureError("not_a_picture", "a GIF file without a picture inside")
    left, top, width, height = struct.unpack_from("<HHHH", data, at + 1)
    return _header("GIF", (max(screen_width, left + width), max(screen_height, top + height)))


def _palette_bytes(flags: int) -> int:
    return 3 << 1 + (flags & 7) if flags & 0x80 else 0


def _header(
    form: Format, stored: tuple[int, int], *, exif: bytes = b"", profile: bytes = b"", sampling: tuple[int, ...] = ()
) -> Header:
    turn = _orientation(exif)
    width, height = stored[::-1] if turn >= 5 else stored
    return Header(format=form, width=width, height=height, turn=turn, sampling=sampling, profile=profile)


def _orientation(exif: bytes) -> int:
    """The turn that EXIF asks for, 1 (upright) where it asks for none or cannot be read. exif: a TIFF directory."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(order + "I", exif, 4)[0]
        entries = struct.unpack_from(order + "H", exif, start)[0]
        for at in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, at)
            if tag == EXIF_ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # cut short: then it says nothing
        return 1
    return 1


def _stranger(data: bytes) -> PictureError:
    """The error for bytes that are none of the four formats, by name where they have one."""
    for start, name in STRANGERS:
        if data.startswith(start):
            return PictureError("unsupported_format", f"this is {name}, which is not taken; {MEND}")
    if data[4:8] == b"ftyp":
        return PictureError("unsupported_format", f"this is an AVIF, HEIC or video file, which is not taken; {MEND}")
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return PictureError("unsupported_format", f"this is a web page, SVG or other markup, not a photograph; {MEND}")
    return PictureError("not_a_picture", f"not a picture: it begins with {data[:8]!r}; {MEND}")
