"""The one guarded decoder: untrusted bytes in, checked upright RGB pixels out.

In: the bytes of a JPEG, PNG, WEBP or GIF from anywhere. Out: (H, W, 3) uint8 sRGB, turned as EXIF asks, transparency
on white; or a PictureError with its reason. Never: decodes before the header's size was checked, guesses pixels that
are not there, changes a global switch of Pillow, or lets one of Pillow's own errors or warnings out.

JPEG goes to simplejpeg (libjpeg-turbo, strict: a broken stream is an error, not a half-gray picture), the rest to
Pillow, one plugin each. What goes where is read off the header. Safe to call from many threads.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from lookalike.catalog import png
from lookalike.catalog.headers import Header, PictureError, bare_jpeg, read_header
from lookalike.catalog.profiles import to_srgb

__all__ = ["LIMITS", "Header", "Limits", "PictureError", "Pixels", "decode", "look"]

Pixels: TypeAlias = NDArray[np.uint8]

JPEG_SCANS = 100  # a progressive picture has about ten
COMMON_SAMPLINGS = {0x11, 0x21, 0x12, 0x22, 0x41, 0x14}  # of the luma, beside chroma of 1 x 1: what simplejpeg reads


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a picture may ask for. The largest decodes to 150 MB, and takes up to 1.2 GB and 2 s on the way."""

    bytes: int = 20_000_000
    pixels: int = 50_000_000
    side: int = 20_000


LIMITS = Limits()


def look(data: bytes, *, limits: Limits = LIMITS) -> Header:
    """Read the header alone and check it against the limits. No pixel is decoded: a bomb costs microseconds."""
    if not data:
        raise PictureError("empty", "no bytes: the file is empty")
    if len(data) > limits.bytes:
        raise PictureError("too_many_bytes", f"{len(data):,} bytes, more than the {limits.bytes:,} allowed")
    header = read_header(data)
    if header.width < 1 or header.height < 1:
        raise PictureError("not_a_picture", f"its header tells a size of {header.width} x {header.height} pixels")
    if header.width * header.height > limits.pixels or max(header.width, header.height) > limits.side:
        raise PictureError(
            "too_many_pixels",
            f"{header.width:,} x {header.height:,} pixels, more than the {limits.pixels:,} in all "
            f"or {limits.side:,} a side allowed",
        )
    return header


def decode(data: bytes, *, limits: Limits = LIMITS, at_least: int | None = None) -> Pixels:
    """Decode a picture into upright RGB pixels (H, W, 3), contiguous and the caller's own, of the header's size.

    at_least: the pixels are wanted for a size of this many. A larger JPEG may then come smaller, at a fraction of the
    cost, no side shorter than `at_least` (or than it was).
    """
    header = look(data, limits=limits)
    read = _by_simplejpeg if _is_common_jpeg(header) else _by_pillow
    try:
        stored = read(data, header, at_least or 0)
    except PictureError:
        raise
    except MemoryError:
        raise PictureError("no_memory", f"no memory for {header.width:,} x {header.height:,} pixels") from None
    except Exception as wrong:  # a decoder fails on a hostile file in any way there is; all say the same of the file
        raise _broken(header, wrong) from wrong
    return np.ascontiguousarray(_TURNS[header.turn](to_srgb(stored, header.profile)))


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {  # EXIF orientation -> the turn that makes the picture upright
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


def _is_common_jpeg(header: Header) -> bool:
    """Whether simplejpeg can read it: its library names a handful of samplings and knows no others."""
    if header.format != "JPEG":
        return False
    luma, *others = header.sampling
    chroma, black = set(others[:2]), set(others[2:])
    return not others or (luma in COMMON_SAMPLINGS and chroma == {0x11} and black <= {luma})


def _by_simplejpeg(data: bytes, header: Header, at_least: int) -> Pixels:
    _refuse_scans(data)
    space = "CMYK" if len(header.sampling) == 4 else "RGB"
    bare = bare_jpeg(data)  # simplejpeg refuses a picture for a profile that is numbered wrongly
    pixels: Pixels = simplejpeg.decode_jpeg(bare, space, min_height=at_least, min_width=at_least)
    if space == "CMYK":
        pixels = _from_inks(pixels)
    if at_least:
        return _without_padding(pixels, header)
    _check_size(pixels.shape[1::-1], header)
    return pixels


def _without_padding(pixels: Pixels, header: Header) -> Pixels:
    """Of a picture that was scaled while decoding, exactly the picture.

    The library scales by eighths and rounds the sides up, so up to 7/8 of the last column and row are padding. Left in,
    it shifts the picture by as much: 32 dB from a full decode at 224, where this has 45.
    """
    size = pixels.shape[1::-1]
    scaled = ([side * eighths / 8 for side in header.stored] for eighths in range(8, 0, -1))
    exact = next(((width, height) for width, height in scaled if (math.ceil(width), math.ceil(height)) == size), None)
    if exact is None:
        raise _lie(header, size)
    if exact == size:
        return pixels
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=(0, 0, *exact)))


def _refuse_scans(data: bytes) -> None:
    """Each scan goes over all the pixels, even one of three bytes: refuse a JPEG of thousands before it is begun."""
    scans = data.count(b"\xff\xda")
    if scans > JPEG_SCANS:
        raise PictureError("too_many_scans", f"a JPEG of {scans:,} scans, more than the {JPEG_SCANS} allowed")


def _from_inks(inks: Pixels) -> Pixels:
    """Printing inks (H, W, 4) to RGB. JPEG files hold them inverted (";I", as Adobe began): 255 is no ink."""
    picture = Image.frombuffer("CMYK", inks.shape[1::-1], inks, "raw", "CMYK;I", 0, 1)
    return np.array(picture.convert("RGB"))


_PILLOW: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}


def _by_pillow(data: bytes, header: Header, _: int) -> Pixels:
    """Decode the first frame by the plugin of this one format: no other parser of Pillow's ever sees the bytes."""
    with _PILLOW[header.format](io.BytesIO(_bare(data, header))) as picture:
        _check_size(picture.size, header)  # before load(), which makes room for it
        picture.load()
        if header.format == "PNG":
            _refuse_short_png(picture, data)
        return _on_white(picture)


def _bare(data: bytes, header: Header) -> bytes:
    """The bytes without what Pillow would read, and warn of, beside the pixels."""
    if header.format == "JPEG":
        _refuse_scans(data)
        return bare_jpeg(data)
    if header.format == "PNG":
        return _bare_png(data)
    return data


def _bare_png(data: bytes) -> bytes:
    parts = png.of_pixels(data)
    if not parts or parts[-1].name != b"IEND":
        raise PictureError("truncated", "the PNG ends before its last chunk")
    if broken := [part.name.decode() for part in parts if not part.is_whole]:
        raise PictureError("damaged", f"checksums of the PNG do not fit its {', '.join(broken)}")
    return png.joined(parts)


def _on_white(picture: Image.Image) -> Pixels:
    """Any mode of Pillow's to RGB (H, W, 3); 16 bits keep their upper 8, transparency lies on white."""
    if picture.mode.startswith("I"):
        gray = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if not picture.has_transparency_data:
        return np.array(picture.convert("RGB"))
    layer = picture.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return np.array(white)


def _refuse_short_png(picture: Image.Image, data: bytes) -> None:
    """Pillow leaves rows black that a well-formed but short stream does not fill.

    A last row with anything in it was filled; only a picture that ends in zeros needs its bytes counted.
    """
    parts = png.of_pixels(data)
    header = parts[0].body
    last_row = picture.crop((0, picture.height - 1, picture.width, picture.height))
    if not png.is_interlaced(header) and np.asarray(last_row).any():
        return
    promised = png.promised(header)
    there = png.present(parts, promised)
    if there < promised:
        raise PictureError("lying", f"its header promises {promised:,} bytes of pixels, but {there:,} are there")


def _broken(header: Header, wrong: Exception) -> PictureError:
    ends = isinstance(wrong, IndexError) or isinstance(wrong.__cause__, IndexError)  # read past the end of the bytes
    cut = ends or {"premature", "truncated"} & set(str(wrong).lower().split())
    words = f": {wrong}" if isinstance(wrong, OSError | ValueError) else ""  # others speak to programmers
    return PictureError("truncated" if cut else "damaged", f"its {header.format} pixels cannot be decoded{words}")


def _check_size(found: tuple[int, ...], header: Header) -> None:
    if found != header.stored:
        raise _lie(header, found)


def _lie(header: Header, found: tuple[int, ...]) -> PictureError:
    told = "{} x {}".format(*header.stored)
    return PictureError("lying", f"its header tells {told} pixels, but {found[0]} x {found[1]} are there")
