import csv
import io
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.catalog import nearness
from lookalike.catalog.nearness import NEAR, RADIUS, fingerprint, near_duplicates
from lookalike.settings import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"

BROWN, NAVY, BLACK = (120, 70, 40), (30, 40, 90), (25, 25, 25)


def boot(color=BROWN, shaft=90, stripe=(230, 200, 60), noise=0):
    """A boot from polygons on white, (200, 220, 3); `shaft` is its height, the stripe tells models apart."""
    picture = np.full((200, 220, 3), 255, np.uint8)
    outline = [(60, 150 - shaft), (105, 150 - shaft), (110, 115), (180, 135), (190, 160), (58, 160)]
    cv2.fillPoly(picture, [np.array(outline, np.int32)], color)
    cv2.fillPoly(picture, [np.array([(58, 160), (190, 160), (190, 172), (58, 172)], np.int32)], (60, 50, 45))
    cv2.line(picture, (70, 110), (140, 150), stripe, 7)
    grain = np.random.default_rng(noise).normal(0, noise, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8) if noise else picture


def jpeg(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(picture, factor):
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def padded(picture, rows, columns):
    return np.pad(picture, ((rows, 0), (0, columns), (0, 0)), constant_values=255)


def kinds(*pictures):
    return {(pair.first, pair.second): pair.kind for pair in near_duplicates([fingerprint(one) for one in pictures])}


@pytest.mark.parametrize(
    "copy",
    [
        jpeg(boot(), 60),
        jpeg(boot(), 30),
        resized(boot(), 0.5),
        resized(boot(), 2),
        boot()[4:-4, 4:-4],
        boot()[4:, 4:],
        padded(boot(), 30, 70),
        (boot() * 0.92).astype(np.uint8),
        np.minimum(boot() * 1.05, 255).astype(np.uint8),
        boot(noise=3),
        jpeg(resized(boot()[2:, :-3], 0.7), 70),
    ],
    ids=[
        "JPEG 60",
        "JPEG 30",
        "half",
        "double",
        "cropped",
        "cropped at a corner",
        "padded",
        "darker",
        "brighter",
        "grainy",
        "all",
    ],
)
def test_a_copy_is_found(copy):
    assert kinds(boot(), copy) == {(0, 1): "near"}


@pytest.mark.parametrize(
    "other",
    [boot(NAVY), boot(BLACK), boot(shaft=60), boot(stripe=BROWN), boot(stripe=(60, 200, 230))],
    ids=["navy", "black", "lower shaft", "no stripe", "stripe of another color"],
)
def test_another_colorway_or_model_is_not_a_copy(other):
    assert kinds(boot(), other) == {}


def test_a_mirrored_copy_is_found_and_called_so():
    assert kinds(boot(), jpeg(boot()[:, ::-1], 80)) == {(0, 1): "mirrored"}


def test_a_symmetric_picture_is_near_rather_than_mirrored():
    bag = np.full((120, 120, 3), 255, np.uint8)
    bag[50:100, 30:90] = BROWN
    bag[20:50, 45:75] = (90, 30, 30)
    assert kinds(bag, jpeg(bag, 70)) == {(0, 1): "near"}


def test_equal_pixels_are_told_from_near_ones():
    pairs = near_duplicates([fingerprint(boot()), fingerprint(jpeg(boot(), 50)), fingerprint(boot())])
    assert [(pair.first, pair.second, pair.kind) for pair in pairs] == [(0, 1, "near"), (0, 2, "exact_pixels")]
    assert pairs[1].distance == 0
    assert 0 < pairs[0].distance <= NEAR


def test_copies_of_one_picture_are_paired_with_the_first_of_them_alone():
    assert kinds(*[boot()] * 4) == {(0, 1): "exact_pixels", (0, 2): "exact_pixels", (0, 3): "exact_pixels"}


@pytest.mark.parametrize("level", [255, 128, 0])
def test_a_picture_of_nothing_is_nobodys_duplicate(level):
    blank = np.full((80, 80, 3), level, np.uint8)
    grain = np.random.default_rng(0).integers(-2, 3, blank.shape)
    assert kinds(blank, blank, *[np.clip(blank + grain, 0, 255).astype(np.uint8)] * 2) == {}


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 2, 3), (7, 5, 3)])
def test_a_picture_of_any_shape_has_a_fingerprint_of_one_length(shape):
    drawn = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert len(fingerprint(drawn)) == len(fingerprint(boot()))


def test_a_fingerprint_of_another_release_is_refused_with_the_mend():
    with pytest.raises(DataError, match=r"fingerprint 1 .*begins with 63.*import the pictures again"):
        near_duplicates([fingerprint(boot()), b"c" + fingerprint(boot())[1:]])
    with pytest.raises(DataError, match=r"fingerprint 0 has 0 bytes and begins with nothing"):
        near_duplicates([b""])


def test_nothing_and_one_picture_have_no_pairs():
    assert near_duplicates([]) == []
    assert kinds(boot()) == {}


words = st.integers(0, 2**64 - 1)
clustered = st.builds(
    lambda centers, turned: np.array(
        [centers[c % len(centers)] ^ sum({1 << b for b in bits}) for c, bits in turned], np.uint64
    ),
    st.lists(words, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 63), max_size=7)), min_size=2, max_size=40),
)


@given(clustered)
def test_the_banded_search_proposes_what_comparing_all_pairs_would_and_each_pair_once(hashes):
    bands = hashes.view(np.uint16).reshape(-1, 4)
    proposed = [
        pair for chunk in nearness._proposed(bands, bands) for pair in zip(*map(np.ndarray.tolist, chunk), strict=True)
    ]
    all_pairs = combinations(range(len(hashes)), 2)
    assert sorted(proposed) == [(a, b) for a, b in all_pairs if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= RADIUS]


def test_a_proposal_never_holds_more_than_a_chunk_however_alike_the_hashes_are(monkeypatch):
    monkeypatch.setattr(nearness, "_CHUNK", 1000)
    alike = np.zeros((300, 4), np.uint16)
    chunks = [len(first) for first, _ in nearness._proposed(alike, alike)]
    assert sum(chunks) == 300 * 299 / 2
    assert max(chunks) <= 1000 + 300  # a row is never cut


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(8)))
def test_the_order_of_pictures_does_not_change_who_is_a_pair(order):
    pictures = [
        boot(),
        jpeg(boot(), 50),
        boot(NAVY),
        jpeg(boot(NAVY), 70),
        boot()[:, ::-1],
        boot(shaft=60),
        boot(BLACK),
        boot(noise=3),
    ]
    prints = [fingerprint(one) for one in pictures]
    wanted = {(pair.first, pair.second, pair.kind) for pair in near_duplicates(prints)}
    shuffled = near_duplicates([prints[place] for place in order])
    assert {(*sorted((order[pair.first], order[pair.second])), pair.kind) for pair in shuffled} == wanted


def test_mirroring_a_record_is_as_good_as_mirroring_the_picture():
    (turned,) = nearness._mirrored(nearness._table([fingerprint(boot())]))
    (drawn,) = nearness._table([fingerprint(np.ascontiguousarray(boot()[:, ::-1]))])
    differ = np.bitwise_count(turned["hash"] ^ drawn["hash"]).sum()
    assert differ <= 2
    assert np.abs(turned["thumbnail"].astype(int) - drawn["thumbnail"]).max() <= 2


def real_pairs(folder):
    if not (SHARED / folder).is_dir():
        pytest.skip(f"no {folder} beside the checkout")
    with (SHARED / folder / "catalog.csv").open() as file:
        names = [row["image"] for row in csv.DictReader(file)]
    prints = [fingerprint(np.asarray(Image.open(SHARED / folder / name).convert("RGB"))) for name in names]
    stems = [Path(name).stem for name in names]
    return {(*sorted((stems[pair.first], stems[pair.second])), pair.kind) for pair in near_duplicates(prints)}


@pytest.mark.real
def test_of_real_sneakers_one_photograph_used_for_three_products_is_found_and_no_colorway():
    pairs = real_pairs("sneaker_styles")
    assert len(pairs) == 2
    assert {name for *names, _ in pairs for name in names} == {"nike_0417", "nike_0481", "nike_0635"}


@pytest.mark.real
def test_of_real_second_views_only_the_photograph_that_was_mirrored_is_a_pair():
    assert real_pairs("zappos_views") == {("adidas-138_inside", "adidas-138_outside", "mirrored")}
