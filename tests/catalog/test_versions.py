"""Frozen data sets: named by their content, split without a leak, refused when altered."""

import json
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.catalog import versions
from lookalike.catalog.nearness import fingerprint
from lookalike.catalog.product import Product, SetAside, View
from lookalike.catalog.splits import LeakError
from lookalike.settings import DataError


def view(seed, **more):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    known = {"sha256": f"{seed:064x}", "format": "PNG", "width": 64, "height": 64, "size": 9, "source": f"line {seed}"}
    return View(**{**known, "fingerprint": fingerprint(pixels), **more})


def products(count, *, per_style=2):
    return [
        Product(
            product=f"p{n:03d}",
            style=f"s{n // per_style:03d}",
            category="Boots" if n % 3 else "Bags",
            price=Decimal("10.50"),
            attributes={"season": "Fall"} if n % 2 else {},
            views=(view(2 * n), view(2 * n + 1)),
        )
        for n in range(count)
    ]


@pytest.fixture
def root(tmp_path):
    return tmp_path / "datasets"


def split_of(dataset):
    return dict(zip(dataset.products["product"], dataset.products["split"], strict=True))


def test_what_is_frozen_is_read_back(root):
    frozen = versions.freeze("shoes", products(20), root=root)
    again = versions.find("shoes", root)
    assert again.version == frozen.version
    assert again.products.equals(frozen.products)
    assert len(again.views) == 40
    assert again.products["price"][0] == "10.50"
    assert versions.find(f"shoes@{frozen.version[:6]}", root).label == frozen.label


def test_the_same_content_is_the_same_version_whatever_the_order(root):
    one = versions.freeze("a", products(20), root=root)
    other = versions.freeze("b", products(20)[::-1], root=root)
    assert one.version == other.version


def test_other_content_is_another_version_whose_parent_is_the_first(root):
    first = versions.freeze("shoes", products(20), root=root)
    dearer = [replace(one, price=Decimal(11)) for one in products(20)]
    second = versions.freeze("shoes", dearer, root=root)
    assert second.version != first.version
    assert second.manifest["parent"] == first.version
    assert versions.find(f"shoes@{first.version}", root).products.equals(first.products)  # the old one stands


def test_a_style_is_never_cut_apart(root):
    frozen = versions.freeze("shoes", products(60, per_style=3), root=root)
    assert frozen.products.group_by("style").agg(pl.col("split").n_unique())["split"].max() == 1
    assert set(frozen.products["split"]) == {"train", "val", "test"}


def test_products_that_share_a_picture_are_never_cut_apart(root):
    shared = [replace(one, style="", views=(view(7), view(1000 + n))) for n, one in enumerate(products(12))]
    frozen = versions.freeze("shoes", shared, root=root)
    assert frozen.products["group"].n_unique() == 1


@settings(deadline=None, max_examples=8)
@given(extra=st.integers(1, 30))
def test_adding_products_moves_none_of_the_old_ones(tmp_path_factory, extra):
    root = tmp_path_factory.mktemp("datasets")
    first = split_of(versions.freeze("shoes", products(30), root=root))
    grown = versions.freeze("shoes", products(30 + extra), root=root)
    assert {product: split_of(grown)[product] for product in first} == first
    assert grown.manifest["split"]["moved"] == []


def test_a_given_split_is_kept(root):
    told = [
        replace(
            one, views=tuple(replace(v, split="train" if n < 8 else "test" if n < 10 else "val") for v in one.views)
        )
        for n, one in enumerate(products(12))
    ]
    frozen = versions.freeze("shoes", told, root=root, rule="given")
    assert [split_of(frozen)[f"p{n:03d}"] for n in (0, 9, 11)] == ["train", "test", "val"]


def test_a_given_split_that_leaks_is_refused_with_the_pair(root):
    told = products(4, per_style=1)
    cut = replace(told[0], views=(replace(told[0].views[0], split="train"), replace(told[0].views[1], split="test")))
    rest = [replace(one, views=tuple(replace(v, split="train") for v in one.views)) for one in told[1:]]
    with pytest.raises(LeakError, match=r"(?s)p000.*same product"):
        versions.freeze("shoes", [cut, *rest], root=root, rule="given")
    assert not root.exists() or not list(root.rglob("*.parquet"))


@pytest.mark.parametrize("rule", ["test", "none"])
def test_everything_can_be_test_or_nothing_at_all(root, rule):
    frozen = versions.freeze("shoes", products(6), root=root, rule=rule)
    assert set(frozen.views["split"]) == {"test" if rule == "test" else ""}


def test_one_row_a_picture_with_what_is_known_of_its_product(root):
    table = versions.freeze("shoes", products(20), root=root).pictures("train")
    assert set(table["split"]) == {"train"}
    assert set(table["season"]) <= {"Fall", ""}  # attributes are columns of their own
    assert table["image"].n_unique() == len(table)


def test_how_many_a_shop_had_on_hand_is_told_where_it_said(root):
    known = [replace(one, stock=stock) for one, stock in zip(products(3, per_style=1), (4, 0, None), strict=True)]
    table = versions.freeze("shoes", known, root=root, rule="none").products.sort("product")
    assert [json.loads(text).get("stock") for text in table["attributes"]] == ["4", "0", None]


def test_what_was_set_aside_is_kept_and_counted(root):
    aside = SetAside(where="line 3", picture="x.jpg", product="x", reason="truncated", text="half a file")
    frozen = versions.freeze("shoes", products(3), [aside], root=root)
    assert frozen.set_aside.rows() == [("line 3", "x.jpg", "x", "truncated", "half a file")]
    assert frozen.manifest["counts"]["set_aside"] == {"truncated": 1}


def test_nothing_to_freeze_says_what_was_set_aside(root):
    aside = SetAside(where="line 3", picture="x.jpg", product="x", reason="truncated", text="line 3: half a file")
    with pytest.raises(DataError, match="nothing to freeze.*1 truncated.*line 3: half a file"):
        versions.freeze("shoes", [], [aside], root=root)


def _cut_short(folder):
    file = folder / "views.parquet"
    file.write_bytes(file.read_bytes()[:-10])


def _altered(folder):
    file = folder / "products.parquet"
    data = bytearray(file.read_bytes())
    data[50] ^= 1
    file.write_bytes(data)


def _missing(folder):
    (folder / "set_aside.parquet").unlink()


def _added(folder):
    (folder / "more.parquet").write_bytes(b"x")


def _unfinished(folder):
    (folder / "manifest.json").unlink()


def _older(folder):
    facts = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**facts, "format": 0}))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_cut_short, "views.parquet has"),
        (_altered, "products.parquet was altered"),
        (_missing, "set_aside.parquet is missing"),
        (_added, "more.parquet is not in the manifest"),
        (_unfinished, "never finished"),
        (_older, "format 0, this lookalike reads 1"),
    ],
)
def test_a_harmed_version_is_refused_by_name(root, harm, said):
    frozen = versions.freeze("shoes", products(6), root=root)
    harm(frozen.folder)
    with pytest.raises(DataError, match=said):
        versions.find("shoes", root)


def test_a_data_set_that_is_not_there_names_those_that_are(root):
    versions.freeze("shoes", products(6), root=root)
    with pytest.raises(DataError, match="no data set 'shoe' under .*there are: shoes"):
        versions.find("shoe", root)
    with pytest.raises(DataError, match="no one version 'ffff'"):
        versions.find("shoes@ffff", root)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_folder_is_refused(root, name):
    with pytest.raises(DataError, match="becomes a folder: letters"):
        versions.freeze(name, products(3), root=root)


def _binary_manifest(folder):
    (folder / "manifest.json").write_bytes(bytes(range(128, 256)))


def _nothing_left(folder):
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _file_in_its_place(folder):
    _nothing_left(folder)
    folder.write_text("in the way")


@pytest.mark.parametrize(
    "harm",
    [_cut_short, _altered, _missing, _added, _unfinished, _older, _binary_manifest, _nothing_left, _file_in_its_place],
)
def test_freezing_again_mends_a_harmed_version_and_says_that_its_split_was_not_kept(root, harm):
    before = versions.freeze("shoes", products(20), root=root)
    harm(before.folder)
    mended = versions.freeze("shoes", products(20), root=root)
    assert mended.version == before.version
    assert versions.find("shoes", root).products.equals(before.products)
    assert mended.manifest["parent"] is None
    assert re.match(r"the version before could not be read \(.*\), so its split", mended.manifest["split"]["notes"][0])
    assert {one.name for one in (root / "shoes").iterdir()} == {"newest", mended.version}


def test_freezing_more_after_harm_leaves_the_harmed_version_where_it_is(root):
    before = versions.freeze("shoes", products(20), root=root)
    _cut_short(before.folder)
    grown = versions.freeze("shoes", products(24), root=root)
    assert versions.find("shoes", root).version == grown.version
    with pytest.raises(DataError, match=r"views\.parquet has"):
        versions.find(f"shoes@{before.version}", root)


@pytest.mark.parametrize("said", [b"", b"../../elsewhere\n", b"\xff\xfe\x00"])
def test_a_garbled_pointer_is_refused_by_name_and_written_anew(root, said):
    before = versions.freeze("shoes", products(6), root=root)
    (root / "shoes" / "newest").write_bytes(said)
    with pytest.raises(DataError, match="newest: .* is no version"):
        versions.find("shoes", root)
    versions.freeze("shoes", products(6), root=root)
    assert versions.find("shoes", root).version == before.version


def test_a_kill_while_a_harmed_version_is_replaced_leaves_a_state_that_explains_itself(root):
    """Between the two renames the version is nowhere, and an aside folder is left."""
    before = versions.freeze("shoes", products(6), root=root)
    before.folder.rename(before.folder.with_name(f".{before.version}.killed.old"))
    with pytest.raises(DataError, match="never finished. Make it again"):
        versions.find("shoes", root)
    versions.freeze("shoes", products(6), root=root)
    assert {one.name for one in (root / "shoes").iterdir()} == {"newest", before.version}


def test_a_manifest_that_lost_a_fact_is_refused_by_name(root):
    frozen = versions.freeze("shoes", products(6), root=root)
    facts = json.loads((frozen.folder / "manifest.json").read_text())
    del facts["counts"]
    (frozen.folder / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"manifest\.json: altered: it lacks counts"):
        versions.find("shoes", root)
