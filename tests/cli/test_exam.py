"""Exports of runs of several makes: each ships what its run finds, or says why not."""

import json

import pytest

from lookalike.release.opened import open_release

TINY = ("dataset=toy", "pixels.size=32", "backbone=timm", "backbone.model=test_resnet", "epochs=0")
MAKES = {
    "bare": ("head=identity",),
    "masked": ("pixels.mask=true", "mirror=true", "color_weight=val", "finish=whitening"),
    "folded": ("pixels.gray=true", "pixels.folded=true", "pixels.resize=letterbox", "match=style", "learn=category"),
}


def only(folder):
    (one,) = [inside for inside in folder.iterdir() if inside.name[0] != "."]
    return one


@pytest.fixture(scope="module")
def made(lookalike, shop):
    """`made(name)` is the release of a run of this make, and the run's folder; each is made once."""
    done = {}

    def make(name):
        if name not in done:
            lookalike("train", *TINY, *MAKES[name], f"name={name}", at=shop)
            lookalike("export", name, "formats=[float32]", at=shop)
            done[name] = open_release(only(shop / "releases" / name)), only(shop / "runs" / name)
        return done[name]

    return make


@pytest.mark.parametrize("name", MAKES)
def test_every_make_of_run_ships_what_it_finds(lookalike, shop, made, name):
    release, run = made(name)
    told = json.loads((run / "metrics.json").read_text())
    assert release.metrics["test"]["recall@1"]["value"] == pytest.approx(told["test"]["recall@1"]["value"])
    assert release.metrics["protocol"]["color_weight"] == told["protocol"]["color_weight"]
    assert "is whole" in lookalike("verify", release.label, at=shop)


def test_a_masked_run_has_no_place_on_a_phone_and_its_card_says_what_the_caller_must_do(lookalike, shop, made):
    card = (made("masked")[0].folder / "card.md").read_text()
    said = lookalike("export", "masked", "formats=[float32,phone]", at=shop, code=2)
    assert "this run saw masked pictures (pixels.mask=true), and CoreML masks none" in said
    assert "all but the product painted white. That is the caller's to do: no model here masks" in card


def test_a_run_that_other_code_sees_otherwise_is_not_exported(lookalike, shop):
    lookalike("train", *TINY, *MAKES["bare"], "name=otherwise", at=shop)
    path = only(shop / "runs" / "otherwise") / "metrics.json"
    told = json.loads(path.read_text())
    told["test"]["recall@1"]["value"] += 0.2
    path.write_text(json.dumps(told))
    said = lookalike("export", "otherwise", "formats=[float32]", at=shop, code=1)
    assert "its weights do not give today what it wrote down: recall@1 0." in said
    assert "train it again" in said
