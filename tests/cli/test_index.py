"""`lookalike index`, and what follows it: a catalog in a release is searched, changed, verified, promoted, and fits a phone."""

import json
import re
import shutil

import numpy as np
import onnxruntime
import polars as pl
import pytest

from lookalike import files
from lookalike.catalog.images import decode
from lookalike.cli import index as verb
from lookalike.release import bundle, phone, registry
from lookalike.release.looking import square
from lookalike.release.opened import identity, open_release
from lookalike.release.shelf import id_of, open_shelf


@pytest.fixture(scope="module")
def pocketed(into, exported):
    """The same with a bundle for a phone."""
    return into(exported.release, "split=test", "thumbnail=48", "phone=true")


def but_for_timings(release):
    """Its files by their hash; how long a search takes is told in one of them."""
    return {name: one["sha256"] for name, one in release.manifest["files"].items() if name != "index/index.json"}


def lying(release, damage):
    """A copy of a release that was damaged and sealed again: whole, and not what it says. Elsewhere, under no name."""
    folder = release.folder.parent / "0123456789ab"
    shutil.copytree(release.folder, folder)
    damage(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    listed = files.listed(folder)
    files.seal(folder, manifest | {"id": identity(manifest, listed)}, files=listed)
    return folder


def photograph(at, sha256):
    return (at / "data" / "images" / sha256[:2] / sha256).read_bytes()


def test_an_index_makes_a_new_release_of_the_same_models(exported, indexed):
    said, release = indexed
    assert release.label != exported.release.label
    assert release.manifest["indexed"].startswith("toy@")
    same = [name for name in release.manifest["files"] if name.startswith("model/")]
    assert {name: release.manifest["files"][name] for name in same} == {
        name: exported.release.manifest["files"][name] for name in same
    }
    assert "0 of them known before" in said
    assert " such pictures are compared" in said


def test_every_picture_of_the_catalog_finds_itself_first(indexed):
    shelf = open_shelf(indexed[1])
    found = shelf.search(np.array(shelf.vectors.shape), np.array(shelf.vectors.color), 0.5, 2)
    np.testing.assert_array_equal(found.ids[:, 0], shelf.vectors.ids)
    assert sorted(shelf.pictures["id"]) == sorted(id_of(image) for image in shelf.pictures["image"])
    assert set(shelf.pictures["product"]) == set(shelf.products["product"])


def test_what_is_indexed_is_what_the_served_model_says_of_a_photograph(indexed, exported):
    release, shelf = indexed[1], open_shelf(indexed[1])
    first = shelf.pictures.row(0, named=True)
    seen = square(photograph(exported.at, first["sha256"]), release.preprocessing)[None]
    row = list(shelf.vectors.ids).index(first["id"])
    assert release.shape()(seen)[0] @ shelf.vectors.shape[row].astype(np.float32) == pytest.approx(1, abs=3e-3)
    assert release.color()(seen)[0] @ shelf.vectors.color[row].astype(np.float32) == pytest.approx(1, abs=3e-3)


def test_next_week_only_new_pictures_are_embedded_and_gone_ones_are_gone(into, indexed):
    shelf = open_shelf(indexed[1])
    said, release = into(indexed[1], "split=all", "thumbnail=0")
    whole = open_shelf(release)
    assert f"{len(shelf.pictures)} of them known before" in said
    assert len(whole.pictures) > len(shelf.pictures)
    _, back = into(release, "split=test", "thumbnail=48")
    fewer = open_shelf(back)
    assert fewer.pictures.equals(shelf.pictures)
    np.testing.assert_array_equal(fewer.vectors.shape, shelf.vectors.shape)
    assert but_for_timings(back) == but_for_timings(indexed[1])


def test_an_index_that_was_changed_tells_its_own_figures_and_none_of_the_one_before(into, exported):
    _, first = into(exported.release, "split=test", "kind=ivf", "recall=0.5", "thumbnail=0")
    said, release = into(first, "split=all", "kind=ivf", "recall=0.5", "thumbnail=0")
    before, now = open_shelf(first), open_shelf(release)
    assert before.facts["why"] == "the quickest that finds what is wanted"
    assert "pictures gone, " in said
    assert f"ivf: changed from that of {first.manifest['indexed']}, and still finds" in said
    assert not {"build_seconds", "exact_milliseconds", "dropped"} & set(now.facts)
    assert now.facts["parameters"] == now.ann.parameters
    assert now.facts["efforts"] == [list(one) for one in now.ann.efforts] == before.facts["efforts"] != []
    assert now.facts["megabytes"] >= before.facts["megabytes"]
    assert now.facts["measured"][0]["rows"] == now.facts["rows"] == now.facts["pictures"] == len(now.pictures)
    assert now.facts["changed_from"] == first.manifest["indexed"]


def test_a_catalog_that_lies_is_told_and_embedded_anew(into, indexed):
    release = indexed[1]
    folder = lying(release, lambda here: np.save(here / "index" / "ids.npy", np.arange(30)))
    try:
        said, made = into(str(folder), "split=test", "thumbnail=48")
    finally:
        shutil.rmtree(folder)
    assert "all is embedded anew: " in said
    assert "pictures.parquet and ids.npy name other pictures" in said
    assert "0 of them known before" in said
    assert but_for_timings(made) == but_for_timings(release)


def test_a_candidate_that_is_indexed_stays_the_candidate_and_can_be_promoted(lookalike, exported):
    def run(*words):
        return lookalike(*words, at=exported.at)

    def now():
        return registry.pointers(exported.at / "releases")

    run("promote", exported.release.label, "candidate=true")
    said = run("index", "candidate", "dataset=toy", "split=test", "thumbnail=32")
    made = re.search(r"(small/\w{12}) can be searched", said)[1]
    assert f"{made} is the candidate now." in said
    assert (now().candidate, now().champion) == (made, None)
    assert (
        now().log[-1]["why"]
        == f"{exported.release.label} with an index of {open_release(exported.at / 'releases' / made).manifest['indexed']}"
    )
    assert "admitted as the first champion" in run("promote", "candidate")
    assert (now().candidate, now().champion) == (None, made)
    said = run("index", "champion", "dataset=toy", "split=val", "thumbnail=32")
    assert "candidate" not in said
    assert now().champion == made


def test_a_candidate_that_somebody_else_named_meanwhile_is_left(lookalike, exported, indexed, monkeypatch):
    releases, made = exported.at / "releases", verb._made

    def meanwhile(*said):
        with registry.held(releases):
            after = registry.named(registry.pointers(releases), indexed[1].label)
            registry.moved(releases, after, what="candidate", why="a test")
        return made(*said)

    lookalike("promote", exported.release.label, "candidate=true", at=exported.at)
    monkeypatch.setattr(verb, "_made", meanwhile)
    said = lookalike("index", "candidate", "dataset=toy", "split=test", "thumbnail=16", at=exported.at)
    assert f"the candidate is {indexed[1].label} by now, and stays." in said
    assert registry.pointers(releases).candidate == indexed[1].label


def test_a_full_disk_is_told_as_that_and_leaves_nothing(lookalike, exported, disk):
    home = disk("2m")
    shutil.copytree(exported.release.folder, home / "small" / exported.release.folder.name)
    (home / "fill").write_bytes(bytes(shutil.disk_usage(home).free - 60_000))
    before = sorted(home.rglob("*"))
    said = lookalike("index", "small", "dataset=toy", "split=test", f"paths.releases={home}", at=exported.at, code=4)
    assert "the disk is full" in said
    assert "paths.releases" in said
    assert sorted(home.rglob("*")) == before


# In a pocket


def test_a_release_with_a_phone_bundle_can_be_indexed_again_with_and_without_one(
    lookalike, into, pocketed, indexed, exported
):
    release = pocketed[1]
    assert "is whole, and gives what it gave" in lookalike("verify", release.label, at=exported.at)
    assert but_for_timings(into(release, "split=test", "thumbnail=48")[1]) == but_for_timings(indexed[1])
    _, again = into(release, "split=all", "thumbnail=0", "phone=true")
    told = json.loads((again.folder / "phone" / "manifest.json").read_text())
    assert told["products"] == open_shelf(again).products.height > open_shelf(release).products.height


def test_a_phone_bundle_is_near_to_the_catalog_and_says_how_near(pocketed):
    said, release = pocketed
    here = release.folder / "phone"
    told = json.loads((here / "manifest.json").read_text())
    near = told["model.onnx beside float32"]
    assert near["cosine"]["mean"] > 0.99
    assert near["pictures"] > 12
    assert f"cosine {near['cosine']['mean']:.4f}" in said
    assert str(phone.PAGE / "README.md") in said
    assert told["products"] == pl.read_parquet(release.folder / "index" / "products.parquet").height
    assert told["of the 10 nearest"] > 0.9
    assert (here / "model.onnx").stat().st_size < 0.6 * (release.folder / "model" / "float32.onnx").stat().st_size


def test_a_phone_paints_no_background_white_so_a_masked_network_is_refused_before_any_work(lookalike, exported):
    home, old = exported.at / "releases", exported.release
    with bundle.draft(home, "masked") as draft:
        bundle.carry_over(old, draft, leaving_out=())
        files.write_json(draft / "preprocessing.json", exported.told | {"mask": True})
        same = {name: old.manifest[name] for name in ("run", "commit", "dataset", "serves", "match", "indexed")}
        bundle.publish(draft, home, "masked", same)
    said = lookalike("index", "masked", "dataset=toy", "phone=true", at=exported.at, code=2)
    assert "phone=true: this network wants pictures whose background is painted white" in said


def nearest(here, pixels):
    """What a phone does: numpy, json and ONNX Runtime, and nothing of ours. The product that looks most alike, and its facts."""
    told, ids, facts = (
        json.loads((here / name).read_text()) for name in ("manifest.json", "ids.json", "products.json")
    )
    model = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])
    asked = model.run(None, {model.get_inputs()[0].name: pixels[None]})[0][0]
    if (here / "axes.f32").exists():
        asked = asked @ np.fromfile(here / "axes.f32", "<f4").reshape(-1, told["dimensions"]["shape"])
    rows = np.fromfile(here / "shape.i8", np.int8).reshape(len(ids), told["dimensions"]["shape"])
    scores = rows.astype(np.float32) @ asked * np.fromfile(here / "scales.f32", "<f4").reshape(-1, 2)[:, 0]
    best = ids[int(scores.argmax())]
    return best, facts[best]


def test_a_phone_finds_the_product_of_a_photograph_by_numpy_and_json(pocketed, exported):
    release, shelf = pocketed[1], open_shelf(pocketed[1])
    name_of = dict(shelf.products.select("product", "name").iter_rows())
    asked = shelf.pictures.unique("product", keep="first", maintain_order=True)
    found = [
        nearest(release.folder / "phone", decode(photograph(exported.at, sha256), at_least=32))
        for sha256 in asked["sha256"]
    ]
    own = [best == product for (best, _), product in zip(found, asked["product"], strict=True)]
    assert (
        sum(own) >= 0.9 * len(own) > 8
    )  # of two colorways of a style the spots of one picture may be nearer to the other
    assert [facts["name"] for _, facts in found] == [name_of[best] for best, _ in found]


def test_verify_sees_a_phones_model_that_gives_other_vectors(lookalike, pocketed, exported, network_file):
    release = pocketed[1]
    folder = lying(release, lambda here: (here / "phone" / "model.onnx").write_bytes(network_file(turned=True)))
    try:
        said = lookalike("verify", str(folder), at=exported.at, code=1)
    finally:
        shutil.rmtree(folder)
    assert "phone gives another vector than it gave" in said
