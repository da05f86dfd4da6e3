"""The catalog inside a release: everything is joined by id, whatever the order it came in."""

import re

import numpy as np
import polars as pl
import pytest

from lookalike.release import shelf
from lookalike.release.opened import Release
from lookalike.retrieval import index
from lookalike.retrieval.scan import Vectors
from lookalike.settings import DataError


def catalog(count=6):
    """Pictures of half as many products, and unit vectors that tell them apart."""
    table = pl.DataFrame(
        {
            "image": [f"p{one // 2}#{one % 2}" for one in range(count)],
            "product": [f"p{one // 2}" for one in range(count)],
            "view": ["outside", "inside"] * (count // 2),
            "sha256": [f"{one:064x}" for one in range(count)],
        }
    )
    products = pl.DataFrame(
        {"product": [f"p{one}" for one in range(count)], "name": [f"name {one}" for one in range(count)]}
    )
    rng = np.random.default_rng(0)
    vectors = [
        one / np.linalg.norm(one, axis=1, keepdims=True)
        for one in (rng.normal(size=(count, 8)), rng.random((count, 5)))
    ]
    return table, products, *vectors


def opened(folder):
    return shelf.open_shelf(Release(folder, {"name": "small", "id": "1", "indexed": "toy@1"}))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
def test_a_picture_finds_itself_its_facts_and_its_thumbnail_by_its_id(tmp_path, order):
    table, products, shape, color = catalog()
    said = table[order].with_columns(pl.Series("row", order))
    ordered = shelf.ordered(said)
    rows = ordered["row"].to_list()
    jpegs = [f"jpeg of {image}".encode() for image in ordered["image"]]
    shelf.write(tmp_path, ordered, products, shape[rows], color[rows], None, {"kind": "exact"}, jpegs)
    found = opened(tmp_path)
    hits = found.search(shape[2:3], color[2:3], 0.3, 1)
    assert hits.ids.tolist() == [[shelf.id_of("p1#0")]]
    assert hits.scores[0, 0] == pytest.approx(1, abs=2e-3)  # vectors are kept in half precision
    assert shelf.thumbnail(found, int(hits.ids[0, 0])) == b"jpeg of p1#0"
    assert found.products["product"].to_list() == ["p0", "p1", "p2"]  # no product without a picture


def test_an_id_is_the_same_in_every_catalog_and_never_negative():
    assert shelf.id_of("p1#0") == shelf.id_of("p1#0") != shelf.id_of("p1#1")
    assert all(0 <= shelf.id_of(f"p{one}") < 2**63 for one in range(200))


def test_a_release_without_a_catalog_says_how_to_give_it_one(tmp_path):
    bare = Release(tmp_path, {"name": "small", "id": "1", "indexed": None})
    with pytest.raises(DataError, match="small/1 has no catalog yet; `lookalike index small/1 dataset=NAME`"):
        shelf.open_shelf(bare)


def test_no_thumbnails_are_no_bytes(tmp_path):
    table, products, shape, color = catalog()
    ordered = shelf.ordered(table)
    shelf.write(tmp_path, ordered, products, shape, color, None, {}, [b""] * len(table))
    found = opened(tmp_path)
    assert shelf.thumbnail(found, shelf.id_of("p0#0")) == b""
    for unknown in (0, 2**63 - 1):
        with pytest.raises(KeyError, match=f"{unknown} is no picture of"):
            shelf.thumbnail(found, unknown)


def test_vectors_lie_on_the_disk_as_numpy_writes_them(tmp_path):
    table, products, shape, color = catalog()
    shelf.write(tmp_path, shelf.ordered(table), products, shape, color, None, {}, [b""] * len(table))
    np.save(tmp_path / "by_numpy.npy", shape.astype(np.float16))
    assert (tmp_path / "index" / "shape.npy").read_bytes() == (tmp_path / "by_numpy.npy").read_bytes()


# A catalog that lies: each file is as its seal says, and still they do not belong together.


def lost(here):
    (here / "color.npy").unlink()
    return "FileNotFoundError: .*color.npy"


def no_object(here):
    (here / "index.json").write_text("[]")
    return "index.json is no object"


def no_json(here):
    (here / "index.json").write_text("{")
    return "JSONDecodeError"


def fewer_vectors(here):
    np.save(here / "shape.npy", np.load(here / "shape.npy")[1:])
    return "5 shape vectors, 6 color vectors and 6 ids do not belong together"


def flat_vectors(here):
    np.save(here / "shape.npy", np.load(here / "shape.npy")[:, 0])
    return "its vectors are no rows of numbers"


def narrower_vectors(here):
    np.save(here / "shape.npy", np.load(here / "shape.npy")[:, 1:])
    return "its vectors have {'shape': 7, 'color': 5} numbers, and index.json says {'color': 5, 'shape': 8}"


def twice_an_id(here):
    np.save(here / "ids.npy", np.load(here / "ids.npy")[[0, 0, 2, 3, 4, 5]])
    return "the ids of a catalog do not rise"


def other_ids(here):
    np.save(here / "ids.npy", np.load(here / "ids.npy") + 1)
    return "pictures.parquet and ids.npy name other pictures"


def no_table(here):
    (here / "pictures.parquet").write_bytes(b"x")
    return "ComputeError: "


def no_views(here):
    pl.read_parquet(here / "pictures.parquet").drop("view", "sha256").write_parquet(here / "pictures.parquet")
    return "its tables have no view, no sha256"


def no_such_product(here):
    pl.read_parquet(here / "products.parquet")[1:].write_parquet(here / "products.parquet")
    return "products.parquet has no p0, and pictures of it are there"


def twice_a_product(here):
    pl.read_parquet(here / "products.parquet")[[0, 0, 1, 2]].write_parquet(here / "products.parquet")
    return "a product is twice in products.parquet"


def cut_thumbnails(here):
    (here / "thumbnails.bin").write_bytes(b"x" * 5)
    return "a thumbnail lies outside thumbnails.bin, which has 5 bytes"


def another_search(here):
    ids = np.arange(50)
    shape, color = (np.eye(50, wide, dtype=np.float16) for wide in (8, 5))
    index.write(index.build(Vectors(shape=shape, color=color, ids=ids), "ivf", seed=0, tell=str), here / "search.faiss")
    return "the search index holds 50 pictures of 16 numbers, the catalog 6 of 16"


def no_search(here):
    (here / "search.faiss").write_bytes(b"x")
    return "search.faiss: not a search index"


LIES = (lost, no_object, no_json, fewer_vectors, flat_vectors, narrower_vectors, twice_an_id, other_ids, no_table)
MORE = (no_views, no_such_product, twice_a_product, cut_thumbnails, another_search, no_search)


@pytest.mark.parametrize("lie", LIES + MORE, ids=lambda lie: lie.__name__)
def test_a_catalog_whose_parts_do_not_belong_together_is_refused_with_the_mend(tmp_path, lie):
    table, products, shape, color = catalog()
    shelf.write(tmp_path, shelf.ordered(table), products, shape, color, None, {}, [b"jpeg"] * len(table))
    assert len(opened(tmp_path).pictures) == 6
    told = lie(tmp_path / "index")
    with pytest.raises(DataError) as wrong:
        opened(tmp_path)
    said = str(wrong.value)
    assert re.search(told if "*" in told else re.escape(told), said), said
    assert said.startswith(f"{tmp_path / 'index'}: a catalog that cannot be searched: ")
    assert said.endswith("`lookalike index small/1 dataset=NAME` makes a release with another one")


def test_tables_in_another_order_are_joined_by_id(tmp_path):
    table, products, shape, color = catalog()
    jpegs = [f"jpeg of {image}".encode() for image in shelf.ordered(table)["image"]]
    shelf.write(tmp_path, shelf.ordered(table), products, shape, color, None, {}, jpegs)
    there = tmp_path / "index" / "pictures.parquet"
    pl.read_parquet(there).reverse().write_parquet(there)
    assert shelf.thumbnail(opened(tmp_path), shelf.id_of("p2#1")) == b"jpeg of p2#1"
