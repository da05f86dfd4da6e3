"""A release is refused by name unless it is whole, says what it said, and is of this format; it is served without torch."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from lookalike import build, files
from lookalike.release import bundle, drawn, formats, golden, shelf
from lookalike.release.looking import square, unresized
from lookalike.release.opened import FORMAT, identity, open_release
from lookalike.release.session import embedder as session_of
from lookalike.release.verify import faults
from lookalike.retrieval import index
from lookalike.retrieval.scan import Vectors
from lookalike.settings import Choice, DataError, DiskFullError, Pixels

FACTS = {
    "run": "small/1",
    "commit": "abc",
    "dataset": "toy@1",
    "serves": "float32",
    "match": "product",
    "indexed": None,
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """A folder with one release of a small network, its test figures left out: they are not looked at here."""
    home = tmp_path_factory.mktemp("releases")
    torch.manual_seed(0)
    made = build.embedder(Choice(name="small"), Choice(name="linear", options={"dimensions": 16}), Pixels(size=48))
    network = made.embedder.eval().requires_grad_(requires_grad=False)
    told = network.preprocessing.told()
    with bundle.draft(home, "small") as draft:
        (draft / "model").mkdir()
        sight, tail = (tmp_path_factory.mktemp("halves") / name for name in ("sight.onnx", "tail.onnx"))
        formats.write_sight(network, sight)
        formats.write_tail(network, network.head.in_features, tail)
        formats.join(sight, tail, draft / "model" / "float32.onnx")
        files.write_json(draft / "preprocessing.json", told)
        files.write_json(draft / "color.json", {"name": "color_histogram", "options": build.color_options()})
        files.write_json(draft / "metrics.json", {})
        files.write_bytes(draft / "per_query.parquet", b"")
        look, color = session_of(draft / "model" / "float32.onnx"), build.color()
        models = {
            "float32": lambda data: look(unresized(data, told)[None])[0],
            "color": lambda data: color(square(data, told)[None])[0],
        }
        golden.write(draft, drawn.pictures(4), models)
        bundle.publish(draft, home, "small", FACTS)
    return home


@pytest.fixture
def folder(releases, tmp_path):
    """A copy to be damaged."""
    (source,) = [one for one in (releases / "small").iterdir() if one.name[0] != "."]
    shutil.copytree(source, tmp_path / "small" / source.name)
    return tmp_path / "small" / source.name


def test_a_whole_release_opens_and_gives_what_it_gave(folder):
    release = open_release(folder)
    assert release.label == f"small/{folder.name}"
    assert release.shape()(np.zeros((2, 30, 40, 3), np.uint8)).shape == (2, 16)
    assert faults(release) == []


# What it is called


def again(folder, home, name="small", **facts):
    """The same files, released once more under `home`."""
    with bundle.draft(home, name) as draft:
        bundle.carry_over(open_release(folder), draft, leaving_out=())
        return bundle.publish(draft, home, name, FACTS | facts)


def test_the_same_files_with_the_same_facts_are_the_same_release_and_with_others_another(folder, tmp_path):
    home = tmp_path / "home"
    assert again(folder, home).folder.name == again(folder, home).folder.name == folder.name
    others = {again(folder, home, "boots").folder.name, again(folder, home, match="style").folder.name}
    assert len(others | {folder.name}) == 3
    assert not list(home.glob("*/.*"))


def test_the_id_is_that_of_files_and_facts_and_not_of_when_it_was_made():
    listed = {"b": {"sha256": "2", "bytes": 9}, "a": {"sha256": "1", "bytes": 9}}
    told = identity({"match": "product", "id": "x", "made": "now", "files": {}}, listed)
    # printf 'a 1\nb 2\n{"match": "product"}' | sha256sum
    assert told == "f54c82e4b82f"
    assert identity({"match": "product"}, dict(sorted(listed.items()))) == told


def told_otherwise(folder, **facts):
    manifest = json.loads((folder / "manifest.json").read_text())
    files.write_json(folder / "manifest.json", manifest | facts)


@pytest.mark.parametrize(
    "fact",
    [
        {"match": "style"},
        {"indexed": "shop@2"},
        {"run": "small/2"},
        {"dataset": "toy@2"},
        {"name": "boots"},
        {"more": 1},
    ],
    ids=lambda fact: next(iter(fact)),
)
def test_a_manifest_that_says_something_else_than_it_said_is_refused(folder, fact):
    told_otherwise(folder, **fact)
    with pytest.raises(
        DataError, match=rf"{folder.name}: refused: its manifest was altered\. What it says is of .* restore"
    ):
        open_release(folder)


def test_when_it_was_made_may_be_told_otherwise(folder):
    told_otherwise(folder, made="2030-01-01T00:00:00+00:00")
    assert open_release(folder).label == f"small/{folder.name}"


def resealed(folder, **facts):
    """A folder sealed again, with an id that fits where none is given: it is whole, and may lie."""
    manifest = json.loads((folder / "manifest.json").read_text()) | facts
    (folder / "manifest.json").unlink()
    listed = files.listed(folder)
    files.seal(folder, manifest | {"id": facts.get("id", identity(manifest, listed))}, files=listed)
    return folder


@pytest.mark.parametrize(
    "fact",
    [
        {"name": "../../boots"},
        {"name": 7},
        {"id": "../.."},
        {"run": "/etc/passwd"},
        {"run": "../boots/1"},
        {"run": "a/b/c"},
        {"serves": ["int8"]},
        {"indexed": True},
        {"dataset": None},
    ],
    ids=str,
)
def test_what_no_release_would_say_is_refused_before_a_path_is_built_of_it(folder, fact):
    (name,) = fact
    resealed(folder, **fact)
    with pytest.raises(DataError, match=rf"{folder.name}: its manifest (says {name}=|tells no model/\['int8'\])"):
        open_release(folder)


def test_a_model_that_no_server_loads_is_not_served(folder):
    (folder / "model" / "other.onnx").write_bytes((folder / "model" / "float32.onnx").read_bytes())
    with pytest.raises(DataError, match="its manifest says serves='other', which cannot be"):
        open_release(resealed(folder, serves="other"))


def test_a_manifest_that_lists_a_file_elsewhere_is_refused(folder, tmp_path):
    (tmp_path / "small" / "card.md").write_text("x")
    told = json.loads((folder / "manifest.json").read_text())
    told["files"]["../card.md"] = {"sha256": files.sha256_of(tmp_path / "small" / "card.md"), "bytes": 1}
    files.write_json(folder / "manifest.json", told | {"id": identity(told, told["files"])})
    with pytest.raises(DataError, match=r"not a manifest .*'\.\./card.md' is no name of a file in this folder"):
        open_release(folder)


# What is wrong with it


def corrupted(folder):
    path = folder / "model" / "float32.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return r"model/float32\.onnx was altered"


def truncated(folder):
    path = folder / "golden" / "expected.npz"
    path.write_bytes(path.read_bytes()[:-100])
    return r"golden/expected\.npz has \d+ bytes where the manifest says \d+"


def half_written(folder):
    (folder / "manifest.json").unlink()
    return r"no manifest\.json, so this folder was never finished"


def swapped(folder):
    one, other = folder / "preprocessing.json", folder / "color.json"
    told = one.read_bytes(), other.read_bytes()
    one.write_bytes(told[1])
    other.write_bytes(told[0])
    return r"color\.json has .* preprocessing\.json has"


def lost(folder):
    (folder / "color.json").unlink()
    return r"color\.json is missing"


def added(folder):
    (folder / "model" / "another.onnx").write_bytes(b"x")
    return r"model/another\.onnx is not in the manifest"


def older(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    files.write_json(folder / "manifest.json", manifest | {"format": FORMAT - 1})
    return rf"a release of format {FORMAT - 1}, and this lookalike reads {FORMAT}; export its run again"


def another_kind(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    files.write_json(folder / "manifest.json", manifest | {"kind": "data set"})
    return "not a release, its manifest says 'data set'"


def unserved(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    files.write_json(folder / "manifest.json", manifest | {"serves": "int8"})
    return r"its manifest tells no model/int8\.onnx"


DAMAGES = (corrupted, truncated, half_written, swapped, lost, added, older, another_kind, unserved)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_release_is_refused_by_name(folder, damage):
    said = damage(folder)
    with pytest.raises(DataError, match=rf"(?s){folder.name}.*{said}"):
        open_release(folder)


def test_a_model_that_gives_other_vectors_is_seen_even_where_its_seal_is_whole(folder):
    with np.load(folder / "golden" / "expected.npz") as kept:
        told = dict(kept)
    told["float32"] = np.roll(told["float32"], 1, axis=0)
    np.savez(folder / "golden" / "expected.npz", **told)
    (fault,) = faults(open_release(resealed(folder)))
    assert fault.startswith("float32 gives another vector than it gave: of 0")


def a_cut_network(folder):
    path = folder / "model" / "float32.onnx"
    path.write_bytes(path.read_bytes()[:5000])
    return ["float32 gives no vector: DataError: .*float32.onnx: ONNX Runtime cannot load this network"]


def words_for_pictures(folder):
    files.write_json(folder / "preprocessing.json", {"size": "wide"})
    return ["color gives no vector: ValueError: ", "float32 gives no vector: ValueError: "]


def no_object(folder):
    (folder / "color.json").write_text("[")
    return ["color gives no vector: JSONDecodeError: "]


def names_elsewhere(folder):
    path = folder / "golden" / "expected.npz"
    with np.load(path) as kept:
        told = dict(kept)
    told["names"] = np.array(["../manifest.json", *told["names"][1:]])
    np.savez(path, **told)
    return [r"golden/expected.npz names '\.\./manifest.json', and the release lists no such picture"]


def vectors_of_another_width(folder):
    path = folder / "golden" / "expected.npz"
    with np.load(path) as kept:
        told = dict(kept)
    np.savez(path, **told | {"float32": told["float32"][:, :3]})
    return ["float32 gives another vector .* is nan, less than"]


def no_vectors(folder):
    (folder / "golden" / "expected.npz").write_bytes(b"no archive")
    return ["golden/expected.npz holds no vectors "]


def no_catalog(folder):
    told_otherwise(folder, indexed="shop@1")
    return [r"index: a catalog that cannot be searched: FileNotFoundError: .*`lookalike index small/"]


LIES = (a_cut_network, words_for_pictures, no_object, names_elsewhere, vectors_of_another_width, no_vectors, no_catalog)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_whatever_a_sealed_release_lies_about_is_one_fault_a_model_and_no_crash(folder, lie):
    wanted = lie(folder)
    found = faults(open_release(resealed(folder)))
    assert len(found) == len(wanted)
    for fault, want in zip(found, wanted, strict=True):
        assert re.match(rf"(?s).*{want}", fault), fault


# How it is written


def test_hidden_files_are_neither_carried_over_nor_counted(folder, tmp_path):
    (folder / ".DS_Store").write_bytes(b"x")
    with bundle.draft(tmp_path / "home", "small") as draft:
        bundle.carry_over(open_release(folder), draft, leaving_out=())
        assert not (draft / ".DS_Store").exists()
        (draft / "model" / ".DS_Store").write_bytes(b"y")
        made = bundle.publish(draft, tmp_path / "home", "small", FACTS)
    assert made.folder.name == folder.name
    assert not list(made.folder.rglob(".*"))


def test_a_damaged_release_makes_way_for_the_same_one_and_a_whole_one_stays(folder, tmp_path):
    home = tmp_path / "home"
    first = again(folder, home)
    kept = (first.folder / "manifest.json").stat().st_ino
    assert (again(folder, home).folder / "manifest.json").stat().st_ino == kept
    (first.folder / "color.json").unlink()
    assert faults(again(folder, home)) == []


def test_what_cannot_be_opened_is_not_published(folder, tmp_path):
    with pytest.raises(DataError, match="not released: its manifest says run='my runs'"):
        again(folder, tmp_path / "home", run="my runs")
    assert not list((tmp_path / "home" / "small").iterdir())


def test_what_a_killed_process_left_is_swept_after_a_day_and_what_is_written_now_is_not(folder, tmp_path):
    home = tmp_path / "home"
    old, new = (home / "small" / name / "model" for name in (".draft.old", f".{folder.name}.new"))
    for one in (old, new):
        one.mkdir(parents=True)
        (one / "half.onnx").write_bytes(b"x")
    for one in (old / "half.onnx", old, old.parent, new.parent):
        os.utime(one, (1e9, 1e9))
    with bundle.draft(home, "small"):
        assert not old.parent.exists()
        assert new.exists()


def test_a_disk_that_is_full_is_told_as_that_and_keeps_nothing_half_written(folder, disk):
    home = disk("300k")
    with (
        pytest.raises(DiskFullError, match=r"the disk is full .*paths\.releases"),
        bundle.draft(home, "small") as draft,
    ):
        bundle.carry_over(open_release(folder), draft, leaving_out=())
    assert not list((home / "small").iterdir())


@pytest.mark.parametrize("large", ["shape", "color", "thumbnail", "name"])
def test_a_catalog_that_no_disk_has_room_for_is_told_as_that_whatever_is_too_large(disk, large):
    home, table = disk("256k"), pictures(40)
    rng, wide = np.random.default_rng(0), dict.fromkeys(["shape", "color", "thumbnail", "name"], 2) | {large: 10_000}
    names = [rng.bytes(wide["name"]).hex() for _ in range(40)]
    said = {"table": table, "products": table.select("product").with_columns(name=pl.Series(names))}
    vectors = {name: np.ones((40, wide[name])) for name in ("shape", "color")}
    with pytest.raises(DiskFullError, match="the disk is full"), bundle.draft(home, "small") as draft:
        shelf.write(draft, **said, **vectors, ann=None, facts={}, thumbnails=[b"x" * wide["thumbnail"]] * 40)
    assert not list((home / "small").iterdir())


# How it is served


def pictures(count):
    """A catalog's pictures, each of a product of its own."""
    rows = [{"image": f"p{one}#0", "product": f"p{one}", "view": "", "sha256": f"{one:064x}"} for one in range(count)]
    return shelf.ordered(pl.DataFrame(rows))


@pytest.fixture
def searched(folder, tmp_path):
    """The release with a catalog of 60 pictures, and an index of each kind."""
    rng, table = np.random.default_rng(0), pictures(60)
    shape, color = (rng.normal(size=(60, width)).astype(np.float32) for width in (16, 335))
    shape, color = ((one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float16) for one in (shape, color))
    vectors = Vectors(shape=shape, color=color, ids=table["id"].to_numpy())

    def made(kind):
        ann = None if kind == "exact" else index.build(vectors, kind, seed=0, tell=lambda _: None)
        with bundle.draft(tmp_path / "home", "small") as draft:
            bundle.carry_over(open_release(folder), draft, leaving_out=())
            jpegs = [f"jpeg of {image}".encode() for image in table["image"]]
            shelf.write(draft, table, table.select("product"), shape, color, ann, {"kind": kind}, jpegs)
            return bundle.publish(draft, tmp_path / "home", "small", FACTS | {"indexed": "shop@1"}).folder

    return made


def test_a_catalog_of_another_networks_vectors_is_seen(searched):
    folder = searched("exact")
    told = json.loads((folder / "index" / "index.json").read_text())
    np.save(folder / "index" / "shape.npy", np.ones((60, 8), np.float16))
    files.write_json(folder / "index" / "index.json", told | {"dimensions": {"shape": 8, "color": 335}})
    (fault,) = faults(open_release(resealed(folder)))
    assert fault == "the catalog's vectors of float32 have 8 numbers, the model's have 16; index it again"


@pytest.mark.parametrize("kind", ["exact", "ivf", "hnsw"])
def test_a_server_opens_and_searches_it_without_torch_or_lightning_and_nothing_is_unpickled(searched, kind):
    folder = searched(kind)
    program = f"""
import pickle, sys
from pathlib import Path
def refuse(*_, **__): raise AssertionError("something was unpickled")
pickle.load = pickle.loads = pickle.Unpickler = refuse
import numpy as np
from lookalike.release.opened import open_release
from lookalike.release.looking import square
from lookalike.release.shelf import open_shelf, thumbnail
from lookalike.release.verify import faults
release = open_release(Path({str(folder)!r}))
seen = square((release.folder / "golden" / "00.jpg").read_bytes(), release.preprocessing)[None]
shelf = open_shelf(release)
found = shelf.search(shelf.vectors.shape[7:8], shelf.vectors.color[7:8], 0.5, 3)
image = shelf.pictures.row(7, named=True)["image"]
print(release.shape()(seen).shape, release.color()(seen).shape, faults(release))
print(shelf.ann and shelf.ann.kind, found.ids[0, 0] == shelf.vectors.ids[7])
print(thumbnail(shelf, int(found.ids[0, 0])).decode() == f"jpeg of {{image}}")
names = ("torch", "pytorch_lightning", "lightning", "sklearn", "hydra", "wandb", "timm", "onnx", "coremltools")
print(sorted(set(names) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = None if kind == "exact" else kind
    assert done.stdout == f"(1, 16) (1, 335) []\n{said} True\nTrue\n[]\n", done.stderr


def test_golden_pictures_are_of_several_shapes_and_both_formats():
    one, other = drawn.pictures(12), drawn.pictures(12)
    assert [(a.name, a.data) for a in one] == [(b.name, b.data) for b in other]
    assert {picture.data[:3] for picture in one} == {b"\xff\xd8\xff", b"\x89PN"}
    shapes = {unresized(picture.data, {"size": 400}).shape for picture in one}
    assert any(height > width for height, width, _ in shapes)
    assert any(height < width for height, width, _ in shapes)
