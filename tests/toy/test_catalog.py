"""The drawn shop as a source of rows."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest

from lookalike.settings import ConfigError
from lookalike.toy.catalog import draw, rows, shots
from lookalike.toy.style import style


def pixels(row):
    return cv2.imdecode(np.frombuffer(row.read(), np.uint8), cv2.IMREAD_COLOR)


def shop(**said):
    return list(rows(**{"styles": 6, "size": 64} | said))


def test_every_style_comes_in_two_or_more_colorways_of_all_views():
    every = shop(styles=12, colorways=4, views=3)
    for number in range(12):
        own = [row.fields for row in every if row.fields["style"] == f"toy-{number:05d}"]
        products = {fields["product"] for fields in own}
        assert 2 <= len(products) <= 4
        assert len(own) == 3 * len(products)
        assert len({fields["color"] for fields in own}) == len(products)


def test_a_row_tells_all_that_a_shop_tells():
    fields = shop()[0].fields
    expected = {"product", "style", "brand", "category", "color", "name", "price", "currency", "rating", "url", "view"}
    assert set(fields) == expected
    assert fields["url"].startswith("https://toy.example/p/")
    assert fields["view"] == "outside"


def test_pictures_are_jpegs_of_the_size_asked_for():
    row = shop(styles=1, size=96)[0]
    assert row.read().startswith(b"\xff\xd8\xff")
    assert pixels(row).shape == (96, 96, 3)


def test_a_picture_is_the_same_bytes_in_any_order_and_from_several_threads():
    forward = {row.picture: row.read() for row in shop()}
    with ThreadPoolExecutor(2) as pool:
        again = shop()[::-1]
        backward = dict(zip([row.picture for row in again], pool.map(lambda row: row.read(), again), strict=True))
    assert forward == backward


def test_more_styles_colorways_or_views_leave_the_first_ones_as_they_were():
    few = {row.picture: row for row in shop(styles=3, colorways=2, views=2)}
    many = {row.picture: row for row in shop(styles=5, colorways=4, views=5)}
    assert set(few) < set(many)
    assert [row.fields for row in few.values()] == [many[picture].fields for picture in few]
    some = list(few)[::5]
    assert [few[picture].read() for picture in some] == [many[picture].read() for picture in some]


def test_another_seed_is_another_shop():
    assert shop(styles=1)[0].read() != shop(styles=1, seed=1)[0].read()


def test_no_two_pictures_are_the_same():
    every = [row.read() for row in shop(styles=4)]
    assert len(set(every)) == len(every)


def test_the_inside_is_not_the_outside_in_a_mirror():
    zipped = next(k for k in range(60) if "sidezip" in getattr(style(k, 0).shape, "panels", ()))
    outside, inside = (draw(shot).astype(int) for shot in shots(style(zipped, 0), views=3, size=160)[0:3:2])
    strip = np.s_[20:120, 40:130]
    assert np.abs(outside[:, ::-1][strip] - inside[strip]).max() > 60


def test_a_studio_is_white_round_the_object_and_a_cluttered_room_is_not():
    plain, cluttered = (pixels(shop(styles=1, clutter=clutter)[0]) for clutter in (0.0, 0.9))
    corners = np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert plain[corners].min() > 235
    assert cluttered[corners].mean() < 225


def test_more_clutter_takes_more_of_the_white_away():
    shares = [np.mean([(pixels(row) > 235).all(2).mean() for row in shop(clutter=c)[::4]]) for c in (0.0, 0.2, 0.9)]
    assert all(before > after for before, after in pairwise(shares))


def test_all_impossible_wishes_are_named_at_once():
    with pytest.raises(ConfigError, match=r"styles is 0.*size is 8.*clutter is 2"):
        rows(styles=0, size=8, clutter=2)


def nearest(vectors, forbidden):
    likeness = vectors @ vectors.T
    likeness[forbidden] = -np.inf
    return likeness.argmax(1)


@pytest.mark.slow
def test_color_alone_finds_products_but_no_styles_and_outlines_find_styles_but_no_products():
    every = list(rows(styles=60, size=96))
    product, made = (np.array([row.fields[name] for row in every]) for name in ("product", "style"))
    pictures = [pixels(row) for row in every]
    color = np.stack([_histogram(picture) for picture in pictures])
    outline = np.stack([_outline(picture) for picture in pictures])
    self, same = np.eye(len(every), dtype=bool), product[:, None] == product
    by_product = [np.mean(product[nearest(v, self)] == product) for v in (color, outline)]
    by_style = [np.mean(made[nearest(v, same)] == made) for v in (color, outline)]
    assert by_product[0] > 0.3 > by_product[1]
    assert by_style[0] < 0.15 < by_style[1] < 0.8


def _histogram(picture):
    counts = cv2.calcHist([picture], [0, 1, 2], None, [8, 8, 8], [0, 256, 0, 256, 0, 256]).ravel()
    counts[-1] = 0  # the white ground
    return np.sqrt(counts / counts.sum())


def _outline(picture):
    small = cv2.resize((picture.min(2) < 225).astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA).ravel()
    centred = small - small.mean()
    return centred / np.linalg.norm(centred)
