"""The guarded decoder: whatever the bytes, out come upright RGB pixels of the header's size, or a PictureError."""

import io
import struct
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps

from lookalike.catalog.images import LIMITS, Limits, PictureError, decode, look

REAL = Path(__file__).parents[2] / ".." / "shared" / "data"
REASONS = {
    "empty", "too_many_bytes", "too_many_pixels", "not_a_picture", "unsupported_format",
    "truncated", "damaged", "lying", "too_many_scans", "no_memory",
}  # fmt: skip


def drawn(height=48, width=72):
    """A smooth picture (H, W, 3) in which every corner is another color, so that any turn shows."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([255 * down, 255 * across, 255 * (1 - down) * (1 - across)], axis=2).astype(np.uint8)


def encoded(picture, form, **options):
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def as_pillow_reads(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, rows, *, depth=8, color=2, interlaced=0, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def rows_of(pixels):
    """Bytes of PNG rows: a filter of 0 before each."""
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def reason_of(data, **options):
    with pytest.raises(PictureError) as caught:
        decode(data, **options)
    assert caught.value.reason in REASONS
    return caught.value.reason


def decibels(one, other):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((one.astype(float) - other) ** 2)))


SAMPLES = {
    "jpeg": encoded(drawn(), "JPEG", quality=90),
    "progressive": encoded(drawn(), "JPEG", progressive=True),
    "cmyk": encoded(Image.fromarray(drawn()).convert("CMYK"), "JPEG"),
    "png": encoded(drawn(), "PNG"),
    "palette": encoded(Image.fromarray(drawn()).quantize(16), "PNG"),
    "webp": encoded(drawn(), "WEBP", quality=90),
    "lossless webp": encoded(drawn(), "WEBP", lossless=True),
    "gif": encoded(Image.fromarray(drawn()).quantize(256), "GIF"),
}

FORMATS = {"progressive": "JPEG", "cmyk": "JPEG", "palette": "PNG", "lossless webp": "WEBP"}
JPEG = SAMPLES["jpeg"]
FRAME = JPEG.index(b"\xff\xc0")  # where its size is told


# What comes out


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_gives_the_pixels_that_went_in(name):
    pixels = decode(SAMPLES[name])
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert pixels.shape == drawn().shape
    assert decibels(pixels, drawn()) > {"palette": 20, "gif": 30}.get(name, 35)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_header_tells_format_and_size_without_decoding(name):
    header = look(SAMPLES[name])
    assert (header.width, header.height) == (72, 48)
    assert header.format == FORMATS.get(name, name.upper())


@pytest.mark.parametrize("name", SAMPLES)
def test_garbage_after_the_end_changes_nothing(name):
    np.testing.assert_array_equal(decode(SAMPLES[name] + b"\0" * 64 + b"<html>"), decode(SAMPLES[name]))


def test_padding_and_lone_markers_between_the_parts_of_a_jpeg_are_passed_over():
    odd = JPEG[:FRAME] + b"\xff\x01" + b"\xff\xff" + JPEG[FRAME:]
    np.testing.assert_array_equal(decode(odd), decode(JPEG))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_simplejpeg_and_pillow_read_one_jpeg_alike(subsampling, progressive, mode):
    picture = Image.fromarray(drawn(45, 67)).convert(mode)
    data = encoded(picture, "JPEG", subsampling=subsampling, progressive=progressive)
    difference = decode(data).astype(int) - as_pillow_reads(data)
    assert np.abs(difference).max() <= 1


def test_inks_kept_as_luma_and_chroma_are_read_as_pillow_reads_them():
    inks = np.ascontiguousarray(255 - np.asarray(Image.fromarray(drawn()).convert("CMYK")))
    data = simplejpeg.encode_jpeg(inks, colorspace="CMYK", colorsubsampling="420")  # this makes YCCK
    assert np.abs(decode(data).astype(int) - as_pillow_reads(data)).max() <= 1
    assert decibels(decode(data), drawn()) > 30


def test_a_sampling_that_simplejpeg_does_not_know_goes_to_pillow():
    """A flat 4:4:4 picture becomes one of 3 x 1 luma: its blocks written anew by the standard Huffman tables."""
    flat = encoded(np.full((8, 48, 3), 128, np.uint8), "JPEG", subsampling="4:4:4")
    start_of_frame, start_of_scan = flat.index(b"\xff\xc0"), flat.index(b"\xff\xda")
    luma, chroma = "00" + "1010", "00" + "00"  # no change of DC, end of block
    bits = (luma * 3 + chroma * 2) * 2  # two units of 24 pixels
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8)
    data = bytearray(flat[: start_of_scan + 14] + packed + b"\xff\xd9")
    data[start_of_frame + 11] = 0x31
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg(bytes(data))
    np.testing.assert_array_equal(decode(bytes(data)), np.full((8, 48, 3), 128))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_pictures_come_out_upright(form, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(drawn(), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    with Image.open(io.BytesIO(data)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    header = look(data)
    np.testing.assert_array_equal(decode(data), upright)
    assert (header.height, header.width) == upright.shape[:2]


@pytest.mark.parametrize("exif", [b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"nonsense" * 9])
def test_an_unreadable_exif_turns_nothing_and_warns_of_nothing(exif):
    data = encoded(drawn(), "JPEG", exif=b"Exif\0\0" + exif)
    assert look(data).turn == 1
    assert decode(data).shape == (48, 72, 3)


def test_transparency_lies_on_white():
    red = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    red.putpixel((1, 0), (255, 0, 0, 128))  # half of red and white: 255, 127, 127
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        np.testing.assert_allclose(decode(encoded(red, form, **options))[0], [[255, 255, 255], [255, 127, 127]], atol=1)


def test_transparency_of_gray_and_of_palettes_lies_on_white():
    gray = Image.new("LA", (1, 1), (0, 0))
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert decode(encoded(gray, "PNG")).tolist() == [[[255, 255, 255]]]
    assert decode(encoded(palette, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [40, 50, 60]]]
    assert decode(encoded(palette, "PNG", transparency=b"\xff\x00")).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert decode(encoded(palette, "GIF", transparency=0)).tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_sixteen_bits_are_scaled_and_never_clipped():
    steps = np.array([[0, 0x00FF, 0x0100, 0x7FFF, 0x8000, 0xFFFF]], ">u2")
    gray = decode(png(6, 1, rows_of(steps), depth=16, color=0))
    color = decode(png(6, 1, rows_of(np.repeat(steps[..., None], 3, 2)), depth=16, color=2))
    assert gray[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255]
    np.testing.assert_array_equal(gray, color)


def test_one_bit_and_gray_become_rgb():
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert decode(encoded(bits, "PNG")).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    gray = Image.fromarray(np.array([[7, 200]], np.uint8))
    assert decode(encoded(gray, "PNG")).tolist() == [[[7, 7, 7], [200, 200, 200]]]


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(form):
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(first, form, save_all=True, append_images=[second], duration=100, **options)
    np.testing.assert_array_equal(decode(data), np.full((4, 4, 3), (255, 0, 0)))


def test_a_broken_animation_warns_of_nothing():
    odd = chunk(b"acTL", struct.pack(">II", 0, 0)) * 2  # Pillow warns of such a PNG, and warnings are errors here
    np.testing.assert_array_equal(decode(png(72, 48, rows_of(drawn()), before=odd)), drawn())


# Colors of a profile


PRIMARIES_OF_P3 = {
    b"rXYZ": (0.51512, 0.2412, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.1571, 0.06657, 0.78407),
}


def display_p3():
    """An sRGB profile with the primaries of Display P3, and without the name of sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(struct.unpack_from(">I", profile, 128)[0]):
        name, at = struct.unpack_from(">4sI", profile, 132 + 12 * entry)
        if name in PRIMARIES_OF_P3:
            struct.pack_into(">iii", profile, at + 8, *(round(65536 * part) for part in PRIMARIES_OF_P3[name]))
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_colors_of_a_wide_profile_become_srgb(form):
    leather = np.full((16, 16, 3), (200, 30, 40), np.uint8)
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(form, {})
    pixels = decode(encoded(leather, form, icc_profile=display_p3(), **options))
    # by the two matrices (218, below 0, 27); what sRGB cannot show is cut off
    np.testing.assert_allclose(pixels[8, 8], (218, 0, 27), atol=6)


def test_an_srgb_profile_and_a_broken_one_change_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    broken = display_p3()[:150] + bytes(300)
    for profile in (srgb, broken, b"nonsense"):
        np.testing.assert_array_equal(decode(encoded(drawn(), "PNG", icc_profile=profile)), drawn())


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x05\x02" + b"odd", b"\x00\x00"])
def test_a_profile_that_is_numbered_wrongly_refuses_no_jpeg(body):
    marker = b"\xff\xe2" + struct.pack(">H", 2 + 12 + len(body)) + b"ICC_PROFILE\0" + body
    whole = SAMPLES["jpeg"]
    np.testing.assert_array_equal(decode(whole[:2] + marker + whole[2:]), decode(whole))


def test_a_large_profile_is_used_and_not_kept():
    pixels = np.full((16, 16, 3), (200, 30, 40), np.uint8)
    swollen = [display_p3() + bytes(1_000_000) + bytes([number]) for number in range(8)]
    pictures = [encoded(pixels, "WEBP", lossless=True, icc_profile=profile) for profile in swollen]
    del swollen
    tracemalloc.start()
    try:
        for data in pictures:
            np.testing.assert_allclose(decode(data)[8, 8], (218, 0, 27), atol=6)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


# Less than the full size


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1337, 1001), (1019, 763)])
def test_a_large_jpeg_may_come_smaller_and_is_the_same_picture(height, width):
    data = encoded(drawn(height, width), "JPEG", quality=95)
    small = decode(data, at_least=100)
    assert 100 <= min(small.shape[:2]) < min(height, width) / 2
    exact = Image.fromarray(decode(data)).resize(small.shape[1::-1], Image.Resampling.BICUBIC)
    assert decibels(small, np.asarray(exact)) > 44


def test_the_padding_of_a_scaled_jpeg_is_cut_off():
    """1,001 columns at one eighth are 125.125: of the 126 that come, the last is padding and would shift the rest."""
    stripes = np.zeros((1001, 1001, 3), np.uint8)
    stripes[:, ::2] = 255
    stripes[:, 500:] = 0
    small = decode(encoded(stripes, "JPEG", quality=95), at_least=112)
    assert small.shape == (126, 126, 3)
    assert np.argmin(np.abs(small[60, :, 0].astype(int) - 64)) == 62  # the edge at 500 of 1,001, here at 62.9 of 126


def test_small_and_narrow_jpegs_are_never_enlarged_nor_cut():
    assert decode(encoded(drawn(40, 30), "JPEG"), at_least=224).shape == (40, 30, 3)
    assert decode(encoded(drawn(900, 100), "JPEG"), at_least=224).shape == (900, 100, 3)


def test_a_turned_jpeg_comes_smaller_and_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    small = decode(encoded(drawn(640, 480), "JPEG", exif=exif), at_least=100)
    assert small.shape == (120, 160, 3)


# What is refused


def test_a_bomb_is_refused_in_milliseconds_and_kilobytes():
    data = png(30_000, 30_000, bytes(1000))
    tracemalloc.start()
    began = time.perf_counter()
    assert reason_of(data) == "too_many_pixels"
    assert time.perf_counter() - began < 0.1
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def patched(data, at, new):
    return data[:at] + new + data[at + len(new) :]


def test_every_format_is_measured_by_its_header():
    jpeg, gif, webp, lossless = (SAMPLES[name] for name in ("jpeg", "gif", "webp", "lossless webp"))
    huge = {
        "jpeg": patched(jpeg, jpeg.index(b"\xff\xc0") + 5, b"\xff\xff\xff\xff"),
        "gif": patched(gif, 6, b"\xff\xff\xff\xff"),
        "a gif frame beyond its screen": patched(gif, gif.index(b"\x2c\0\0\0\0"), b"\x2c\0\0\0\0\xff\xff\xff\xff"),
        "webp": patched(webp, 26, b"\xff\x3f\xff\x3f"),
        "lossless webp": patched(lossless, 21, b"\xff\xff\xff\x0f"),
    }
    assert {name: reason_of(data) for name, data in huge.items()} == dict.fromkeys(huge, "too_many_pixels")


def test_the_limits_are_settings():
    assert reason_of(SAMPLES["png"], limits=Limits(bytes=100)) == "too_many_bytes"
    assert reason_of(SAMPLES["png"], limits=Limits(pixels=72 * 48 - 1)) == "too_many_pixels"
    assert reason_of(SAMPLES["png"], limits=Limits(side=71)) == "too_many_pixels"
    assert decode(SAMPLES["png"], limits=Limits(pixels=72 * 48, side=72)).shape == (48, 72, 3)


def test_a_second_header_cannot_smuggle_in_another_size():
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 19_000, 19_000, 8, 2, 0, 0, 0))
    assert reason_of(png(72, 48, rows_of(drawn()), before=second)) in {"lying", "damaged"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_anywhere_is_refused_never_half_gray(name):
    data = SAMPLES[name]
    ends = len(data) - (3 if name == "gif" else 1)  # a GIF is whole before its last block's end and its trailer
    for length in range(1, ends, max(1, ends // 50)):
        assert reason_of(data[:length]) in {"truncated", "damaged", "not_a_picture"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_anywhere_is_told_of_in_words_for_its_owner(name):
    for length in range(1, min(200, len(SAMPLES[name]) - 3)):
        with pytest.raises(PictureError) as caught:
            decode(SAMPLES[name][:length])
        assert "index out of range" not in str(caught.value)


@pytest.mark.parametrize("name", ["jpeg", "progressive", "cmyk"])
def test_a_jpeg_cut_short_and_closed_again_is_refused(name):
    assert reason_of(SAMPLES[name][:-20] + b"\xff\xd9") in {"truncated", "damaged"}


def test_a_well_formed_png_with_too_few_rows_is_lying():
    assert reason_of(png(72, 48, rows_of(drawn()[:24]))) == "lying"


def adam7(gray):
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return b"".join(rows_of(gray[y::down, x::across]) for x, y, across, down in passes if gray[y::down, x::across].size)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (5, 9), (48, 72)])
def test_interlaced_pictures_are_counted_pass_by_pass(height, width):
    gray = np.ascontiguousarray(drawn(height + 1, width + 1)[1:, 1:, 1])
    rows = adam7(gray)
    whole = png(width, height, rows, color=0, interlaced=1)
    np.testing.assert_array_equal(decode(whole)[..., 0], gray)
    assert reason_of(png(width, height, rows[:-1], color=0, interlaced=1)) in {"lying", "truncated"}


@pytest.mark.parametrize(("depth", "color"), [(1, 0), (2, 3), (4, 0), (8, 4), (8, 6), (16, 6)])
def test_a_picture_that_is_black_to_its_end_is_a_picture(depth, color):
    width, height = 13, 5
    bits = depth * {0: 1, 3: 1, 4: 2, 6: 4}[color]
    row = bytes(1 + -(-width * bits // 8))
    palette = chunk(b"PLTE", bytes(3)) if color == 3 else b""
    assert decode(png(width, height, row * height, depth=depth, color=color, before=palette)).shape == (5, 13, 3)
    short = png(width, height, row * (height - 1), depth=depth, color=color, before=palette)
    assert reason_of(short) == "lying"


def test_a_checksum_that_does_not_fit_is_damage():
    data = SAMPLES["png"]
    at = data.index(b"IDAT") + 30
    assert reason_of(patched(data, at, bytes([data[at] ^ 1]))) == "damaged"


def test_a_jpeg_of_a_thousand_scans_is_refused_before_the_first():
    data = SAMPLES["progressive"]
    last = data.rindex(b"\xff\xda")
    assert reason_of(data[:-2] + data[last:-2] * 1000 + b"\xff\xd9") == "too_many_scans"


@pytest.mark.parametrize("form", ["TIFF", "BMP", "ICO", "AVIF", "PPM", "PDF", "EPS", "TGA", "SGI"])
def test_formats_that_pillow_knows_and_we_do_not_take_are_refused(form):
    picture = drawn()
    expected = {"PPM": "not_a_picture", "TGA": "not_a_picture", "SGI": "not_a_picture"}.get(form, "unsupported_format")
    assert reason_of(encoded(picture, form)) == expected


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (b"", "empty", "the file is empty"),
        (b"  \n<!DOCTYPE html><html>blocked</html>", "unsupported_format", "a web page"),
        (b"<svg xmlns='x'/>", "unsupported_format", "SVG"),
        (b"hello, I am no picture", "not_a_picture", "begins with b'hello, I'; give a JPEG, PNG, WEBP or GIF"),
        (b"\xff\xd8\xff", "truncated", "before its first pixel"),
        (b"\x89PNG\r\n\x1a\n", "truncated", "ends? within the header"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", bytes(20)), "not_a_picture", "begins with b'tEXt'"),
        (JPEG[: FRAME + 4] + b"\x0c" + JPEG[FRAME + 5 :], "unsupported_format", "a JPEG of 12 bits, process 0"),
        (JPEG[: FRAME + 9] + b"\0" + JPEG[FRAME + 10 :], "not_a_picture", "without a color channel"),
        (b"RIFF\0\0\0\0WEBP", "not_a_picture", "without a picture"),
        (b"GIF89a\1\0\1\0\0\0\0;", "not_a_picture", "without a picture"),
        (png(0, 5, b""), "not_a_picture", "0 x 5"),
    ],
)
def test_a_refusal_says_what_it_met(data, reason, said):
    with pytest.raises(PictureError, match=said) as caught:
        decode(data)
    assert caught.value.reason == reason


# Whatever comes


@settings(max_examples=150, deadline=2000)
@given(st.data())
@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_the_bytes_the_outcome_is_pixels_of_the_headers_size_or_a_picture_error(name, data):
    bytes_ = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    start, end = sorted(data.draw(st.lists(st.integers(0, len(bytes_)), min_size=2, max_size=2)))
    if data.draw(st.booleans()):
        del bytes_[start:end]
    result = outcome(bytes(bytes_))
    assert result in REASONS or result == shape_of(look(bytes(bytes_)))


def outcome(data):
    """The shape of the pixels, or why there are none."""
    try:
        return decode(data, limits=Limits(pixels=4_000_000)).shape
    except PictureError as wrong:
        return wrong.reason


def shape_of(header):
    return header.height, header.width, 3


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"GIF89a"]),
)
def test_bytes_that_only_begin_like_a_picture_are_refused(tail, start):
    assert reason_of(start + tail, limits=Limits(pixels=10_000)) in REASONS


def test_many_threads_decode_as_one():
    alone = {name: decode(data) for name, data in SAMPLES.items()}
    with ThreadPoolExecutor(8) as pool:
        for name, pixels in pool.map(lambda name: (name, decode(SAMPLES[name])), list(SAMPLES) * 20):
            np.testing.assert_array_equal(pixels, alone[name])


def test_no_switch_of_pillows_is_touched():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    for data in SAMPLES.values():
        decode(data)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert before[0] > LIMITS.pixels  # else Pillow would warn of pictures that we take


@pytest.mark.real
def test_real_photographs_decode_as_pillow_decodes_them():
    if not REAL.is_dir():
        pytest.skip("no real photographs beside the checkout")
    some = sorted(REAL.glob("*/images/*.jpg"))[::50]
    assert len(some) > 50
    for path in some:
        data = path.read_bytes()
        assert np.abs(decode(data).astype(int) - as_pillow_reads(data)).max() <= 1, path
