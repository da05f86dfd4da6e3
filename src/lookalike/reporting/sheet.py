"""A contact sheet: many pictures on one white page.

In: decoded pictures and captions. Out: the bytes of a PNG. Never: crops or stretches a picture, or writes a file.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

INK = (70, 74, 80)
PAPER = (255, 255, 255)
LETTERS = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"  # Pillow's own has no €


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str] | None = None, *, columns: int = 6, tile: int = 160
) -> bytes:
    """Lay pictures (H, W, 3) RGB out in rows, each fitted into a square of `tile` pixels, captions centered below.

    A caption may have several lines; what is too long for its tile ends in an ellipsis.
    """
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"{len(captions)} captions for {len(pictures)} pictures; give one for each, or None")
    font = ImageFont.truetype(str(LETTERS), max(10, tile // 15))
    texts = [_fitted(caption, font, tile) for caption in captions or [""] * len(pictures)]
    gap = max(4, tile // 10)
    line = math.ceil(font.size * 1.3) if captions else 0
    below = line * max((text.count("\n") + 1 for text in texts), default=0)
    columns = max(1, min(columns, len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    step = tile + gap, tile + gap + below
    sheet = Image.new("RGB", (columns * step[0] + gap, rows * step[1] + gap), PAPER)
    for place, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        corner = gap + place % columns * step[0], gap + place // columns * step[1]
        _paste(sheet, picture, corner, tile)
        _write(sheet, text, (corner[0], corner[1] + tile), font, tile, line)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _paste(sheet: Image.Image, picture: NDArray[np.uint8], corner: tuple[int, int], tile: int) -> None:
    """Put a picture into the middle of its square, as large as fits."""
    height, width = picture.shape[:2]
    factor = tile / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    fitted = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    sheet.paste(fitted, (corner[0] + (tile - size[0]) // 2, corner[1] + (tile - size[1]) // 2))


def _write(sheet: Image.Image, text: str, corner: tuple[int, int], font: FreeTypeFont, tile: int, line: int) -> None:
    """Write the lines of a caption, centered below their square."""
    pen = ImageDraw.Draw(sheet)
    for number, words in enumerate(text.split("\n") if text else []):
        pen.text((corner[0] + tile / 2, corner[1] + line * (number + 0.6)), words, INK, font, anchor="mm")


def _fitted(caption: str, font: FreeTypeFont, width: int) -> str:
    """The caption with each line cut to the width."""
    return "\n".join(_cut(words, font, width) for words in caption.split("\n"))


def _cut(words: str, font: FreeTypeFont, width: int) -> str:
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(words + "…") > width:
        words = words[:-1]
    return words.rstrip() + "…"
