import hashlib
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from lookalike.catalog.audit import audit
from lookalike.catalog.nearness import fingerprint
from lookalike.catalog.versions import PRODUCTS, SET_ASIDE, VIEWS, DataSet


def shoe(seed):
    """A shoe of its own shape and color on white, (120, 160, 3)."""
    random = np.random.default_rng(seed)
    picture = np.full((120, 160, 3), 255, np.uint8)
    color, sole = (tuple(map(int, random.integers(0, 200, 3))) for _ in range(2))
    outline = np.array([(20, 90), (25, 40 + seed % 5 * 8), (60, 50), (100 + seed % 7 * 6, 80), (140, 90)], np.int32)
    cv2.fillPoly(picture, [outline], color)
    cv2.rectangle(picture, (20, 90), (140, 96 + seed % 4), sole, -1)
    x = int(random.integers(40, 90))
    cv2.line(picture, (x, 60), (x + 20, 88), tuple(map(int, random.integers(0, 256, 3))), 6)
    return picture


def png(picture):
    return cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def jpeg(picture, quality=60):
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ].tobytes()


class Shelf:
    """A data set made by hand: products with the bytes of their pictures, and a way to read these."""

    def __init__(self):
        self.products, self.views, self.stored = [], [], {}

    def put(self, product, *pictures, split="train", **known):
        self.products.append(
            {
                **dict.fromkeys(PRODUCTS, ""),
                "rating": None,
                "attributes": "{}",
                **known,
                "product": product,
                "split": split,
            }
        )
        for number, data in enumerate(pictures):
            key = hashlib.sha256(data).hexdigest()
            self.stored[key] = data
            row = {
                **dict.fromkeys(VIEWS, ""),
                "width": 1,
                "height": 1,
                "size": len(data),
                "fingerprint": b"not trusted",
            }
            row |= {"image": f"{product}#{number}", "product": product, "split": split, "sha256": key}
            self.views.append(row | {"source": f"list.csv, row {len(self.views) + 2}"})
        return self

    def read(self, key):
        if key not in self.stored:
            raise FileNotFoundError(2, "No such file or directory")
        return self.stored[key]

    def audited(self, **others):
        tables = {
            "products": pl.DataFrame(self.products, schema=PRODUCTS),
            "views": pl.DataFrame(self.views, schema=VIEWS),
        }
        tables["set_aside"] = others.pop("set_aside", pl.DataFrame(schema=SET_ASIDE))
        return audit(DataSet(name="hand", version="1", folder=Path(), manifest={}, **tables), self.read, **others)


def test_a_sound_version_has_no_leak_and_no_suspect():
    found = Shelf().put("a", png(shoe(1)), png(shoe(2))).put("b", png(shoe(3)), png(shoe(4)), split="test").audited()
    assert found.ok
    assert [len(table) for name, table in found.tables().items() if name != "balance"] == [0] * 6
    assert found.label == "hand@1"


def test_a_copy_in_another_split_is_a_leak_though_the_recorded_fingerprints_do_not_say_so():
    found = Shelf().put("a", png(shoe(1))).put("b", jpeg(shoe(1)), split="test").audited()
    assert not found.ok
    assert found.leaking.rows() == [("photograph", "a#0", "b#0", "a", "b", "train", "test")]
    (pair,) = found.pairs.to_dicts()
    assert (pair["relation"], pair["kind"]) == ("another product", "near")
    assert 0 < pair["distance"] < 0.15


def test_a_style_in_two_splits_is_a_leak_but_one_number_in_two_shops_is_two_styles():
    shelf = (
        Shelf().put("a", png(shoe(1)), style="7", shop="x").put("b", png(shoe(2)), style="7", shop="y", split="test")
    )
    assert shelf.audited().leaks == 0
    found = shelf.put("c", png(shoe(3)), style="7", shop="x", split="val").audited()
    assert found.leaking.rows() == [("style", "a#0", "c#0", "a", "c", "train", "val")]


def test_a_product_in_two_splits_is_a_leak():
    shelf = Shelf().put("a", png(shoe(1)), png(shoe(2)))
    shelf.views[1]["split"] = "test"
    found = shelf.audited()
    assert set(found.leaking["tie"]) == {"product"}
    assert not found.ok


def test_a_version_that_is_not_split_has_nothing_to_leak():
    found = Shelf().put("a", png(shoe(1)), style="s", split="").put("b", png(shoe(1)), style="s", split="").audited()
    assert found.ok
    assert found.pairs["kind"].to_list() == ["same_file"]


def test_duplicates_are_sorted_by_how_grave_they_are_and_named_by_what_they_are():
    shelf = (
        Shelf()
        .put("a", png(shoe(1)), jpeg(shoe(1), 95))
        .put("b", png(shoe(2)), style="s")
        .put("c", jpeg(shoe(2), 50), style="s")
    )
    found = shelf.put("d", png(shoe(3))).put("e", png(shoe(3)[:, ::-1])).audited()
    assert found.pairs.select("relation", "first", "second").rows() == [
        ("another product", "d#0", "e#0"),
        ("same style", "b#0", "c#0"),
        ("same product", "a#0", "a#1"),
    ]
    assert found.pairs["kind"].to_list() == ["mirrored", "near", "near"]


def test_equal_pixels_in_two_files_are_told_from_the_same_file():
    found = Shelf().put("a", png(shoe(1))).put("b", png(shoe(1)) + b"trailing").put("c", png(shoe(1))).audited()
    assert sorted(found.pairs.select("first", "second", "kind").rows()) == [
        ("a#0", "b#0", "exact_pixels"),
        ("a#0", "c#0", "same_file"),
    ]


def test_missing_altered_and_broken_files_are_named_and_the_others_still_compared():
    shelf = Shelf().put("a", png(shoe(1))).put("b", png(shoe(2))).put("c", b"GIF, honestly").put("d", png(shoe(1)))
    keys = [view["sha256"] for view in shelf.views]
    del shelf.stored[keys[1]]
    found = shelf.audited()
    assert found.unreadable.select("image", "reason", "source").rows() == [
        ("b#0", "missing", "list.csv, row 3"),
        ("c#0", "not_a_picture", "list.csv, row 4"),
    ]
    assert len(found.pairs) == 1
    shelf.stored[keys[1]] = png(shoe(9))
    text = shelf.audited().unreadable["text"][0]
    assert keys[1][:12] in text
    assert "restore" in text


def test_products_of_one_picture_are_listed_with_their_style_mates():
    shelf = (
        Shelf()
        .put("a", png(shoe(1)), style="s")
        .put("b", png(shoe(2)), png(shoe(3)), style="s")
        .put("c", png(shoe(4)), style="t")
    )
    found = shelf.put("d", png(shoe(5))).audited()
    assert found.singletons.select("product", "style_mates").rows() == [("a", 1), ("c", 0), ("d", 0)]


def test_the_balance_counts_products_and_pictures_of_each_category_and_split():
    shelf = (
        Shelf()
        .put("a", png(shoe(1)), png(shoe(2)), category="boots")
        .put("b", png(shoe(3)), category="boots", split="test")
    )
    found = shelf.put("c", png(shoe(4)), category="bags").audited()
    assert found.balance.rows() == [("boots", "test", 1, 1), ("boots", "train", 1, 2), ("bags", "train", 1, 1)]


def test_rows_that_the_import_set_aside_are_counted_by_reason():
    rows = [
        ("r1", "x", "p", "missing", "no file x"),
        ("r2", "y", "p", "missing", "no file y"),
        ("r3", "z", "p", "empty", "no bytes"),
    ]
    aside = pl.DataFrame(rows, schema=SET_ASIDE, orient="row")
    found = Shelf().put("a", png(shoe(1))).audited(set_aside=aside)
    assert found.set_aside.rows() == [("missing", 2, "no file x"), ("empty", 1, "no bytes")]


def test_one_photograph_with_two_labels_is_suspect():
    known = {"category": "boots", "style": ""}
    shelf = (
        Shelf()
        .put("a", png(shoe(1)), brand="Acme", color="red", **known)
        .put("b", png(shoe(1)), brand="Bolt", color="red", **known)
    )
    assert shelf.audited().suspects.rows() == [("one photograph, two labels", "a#0", "b#0", "brand 'Acme' or 'Bolt'")]


def test_two_products_of_one_name_are_suspect_unless_their_color_tells_them_apart():
    shelf = (
        Shelf().put("a", png(shoe(1)), name="Runner", color="red").put("b", png(shoe(2)), name="Runner", color="red")
    )
    found = (
        shelf.put("c", png(shoe(3)), name="Runner", color="blue")
        .put("d", png(shoe(4)))
        .put("e", png(shoe(5)))
        .audited()
    )
    assert found.suspects.rows() == [("one name, two products", "a#0", "b#0", "a and b are both called 'Runner'")]


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("8900.00", ["odd costs 8900.00 USD; the median of boots is 92.50"]),  # between 92 and 93
        ("0.89", ["odd costs 0.89 USD; the median of boots is 91.50"]),
        ("130.00", []),
        ("", []),
        ("0", []),
    ],
)
def test_a_price_far_from_its_categorys_is_suspect(price, told):
    shelf = Shelf()
    for number in range(25):
        shelf.put(f"p{number:02}", png(shoe(number)), category="boots", price=f"{80 + number}.00", currency="USD")
    shelf.put("odd", png(shoe(30)), category="boots", price=price, currency="USD")
    found = shelf.audited().suspects.filter(pl.col("kind") == "odd price")
    assert found["text"].to_list() == told


def test_a_product_whose_pictures_are_of_two_colors_is_suspect():
    shelf = Shelf()
    for number in range(8):
        shelf.put(f"p{number}", png(shoe(number)), png((shoe(number) * 0.9).astype(np.uint8)[6:]))
    red, blue = (
        np.where(shoe(40) < 255, np.array(color, np.uint8), 255).astype(np.uint8)
        for color in ((200, 20, 20), (20, 40, 200))
    )
    found = shelf.put("odd", png(red), png(blue)).audited().suspects
    assert found.select("kind", "first", "second").rows() == [("pictures of another color", "odd#0", "odd#1")]


def test_a_label_in_two_spellings_is_suspect():
    shelf = (
        Shelf()
        .put("a", png(shoe(1)), brand="Acme")
        .put("b", png(shoe(2)), brand="ACME ")
        .put("c", png(shoe(3)), brand="Acme")
    )
    (text,) = shelf.audited().suspects["text"]
    assert text == "brand is written 'ACME ' (1 products), 'Acme' (2 products)"


def test_blank_pictures_are_told_and_leak_nothing():
    white = png(np.full((90, 90, 3), 255, np.uint8))
    found = Shelf().put("a", white).put("b", white, split="test").audited()
    assert found.ok
    assert found.suspects.select("kind", "first").rows() == [("blank picture", "a#0"), ("blank picture", "b#0")]


def test_progress_is_told_of_every_file_once():
    told = []
    Shelf().put("a", png(shoe(1)), png(shoe(2))).put("b", png(shoe(1))).audited(progress=told.append)
    assert sum(told) == 2


def test_the_drawn_shoes_of_these_tests_are_different_enough_to_mean_something():
    assert len({fingerprint(shoe(number)) for number in range(40)}) == 40
