"""Bag Hunter, the second of the older systems: its catalog of Farfetch bags, and the faults that lost or doubled them.

It read a listing API into a document store, kept the raw item, and refreshed from the first pages every other week.
"""

import io
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from lookalike import build
from lookalike.catalog import pages
from lookalike.catalog.crawl import Plan
from lookalike.catalog.images import decode
from lookalike.features.resize import resize
from lookalike.models.backbone import Backbone
from lookalike.models.preprocessing import Prepare, preprocessing
from lookalike.settings import Pixels
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock

CONFIGS = Path(__file__).parents[2] / "configs"
SHELF = {"products": 24, "views": 2, "size": 32, "per_page": 10, "seed": 1}


def published(trip):
    return trip.book.publish(trip.number)


def test_the_listing_of_all_bags_is_ready_to_be_crawled():
    said = yaml.safe_load((CONFIGS / "shop" / "farfetch.yaml").read_text())
    assert "/plpslice/listing-api/products-facets?page=1" in said["start"][0]
    assert "c-category=135971" in said["start"][0]


def test_an_item_is_kept_with_its_brand_and_its_pictures(walked, catalog, drawn_pictures):
    shelf = stock(**SHELF)
    with serving(shelf, pictures=drawn_pictures, layout="farfetch") as shop:
        published(walked(shop, "farfetch"))
    face = FACES["farfetch"]
    drawn = {face.known_as(item)[0]: (item.brand, item.price, len(item.photos)) for item in shelf.items}
    assert {one.product: (one.brand, one.price, len(one.views)) for one in catalog.products()} == drawn


def test_the_raw_item_is_kept(walked, tmp_path, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        walked(shop, "farfetch")
    kept = [pages.read(tmp_path / "pages", one.name.partition(".")[0]) for one in (tmp_path / "pages").glob("*/*")]
    assert any('"listingItems"' in text for text in kept)


def test_a_refresh_reads_the_first_pages_and_what_it_finds_reaches_the_catalog(walked, catalog, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        published(walked(shop, "farfetch"))
        shop.put(stock(**SHELF, day=1, added=4, gone=0, repriced=0))
        refresh = Plan(shop="toy", scope="first pages", complete=False)
        did = published(walked(shop, "farfetch", plan=refresh, since=True, week=2))
    assert did.new == 4
    assert len(catalog.products()) == 28


def test_no_id_is_stored_twice_however_often_it_is_crawled(walked, catalog, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="farfetch") as shop:
        for week in range(3):
            published(walked(shop, "farfetch", week=week))
    ids = [one.product for one in catalog.products()]
    assert len(ids) == len(set(ids)) == 24


# Its method: a network that learns to name the brand


def brands_of(table):
    return set(table["brand"]) - {""}


def test_its_method_is_a_vgg16_that_learns_to_name_the_brand(said_of):
    said = said_of("baghunter")
    assert said.backbone.options["model"] == "vgg16"
    assert (said.learn, said.loss.name, said.batch.sampler) == ("brand", "cross_entropy", "plain")
    assert (said.patience > 0, said.optimiser.schedule) == (True, "plateau")


def test_each_brand_is_a_class_while_it_learns_and_the_layer_before_the_name_embeds(method):
    run = method("baghunter", "epochs=1")
    classifier = run.weights("last.ckpt")["loss.classifier.weight"]
    assert classifier.shape == (len(brands_of(run.pictures("train"))), run.metrics["cost"]["dimensions"])
    assert not [name for name in run.weights() if name.startswith("loss.")]
    assert run.metrics["protocol"]["match"] == "product"  # so it stands on one leaderboard with the others


def test_it_stops_early_and_learns_slower_where_val_stands_still(method):
    still = ("optimiser.backbone_lr=0", "augment=none", "head.norm=layer", "optimiser.head_lr=1e-8")
    run = method("baghunter", *still, "optimiser.weight_decay=0", "optimiser.warmup=0")
    rates = [line["lr/head"] for line in run.history if "lr/head" in line]
    assert run.metrics["chosen"]["epochs"] == 1 + run.settings.patience < run.settings.epochs
    assert rates[0] == pytest.approx(1e-8)
    assert rates[-1] == pytest.approx(1e-9)


def test_a_bag_is_named_by_its_neighbours_more_often_rightly_than_by_the_most_frequent_name(method, measured):
    run = method("baghunter", "epochs=1")
    told = measured(f"run={run.folder}", "match=brand", "naming=brand")["naming"]
    assert told["majority"]["name"] in brands_of(run.pictures("test"))
    assert told["accuracy"]["value"] > told["majority"]["value"]
    for figure in (told["accuracy"], told["majority"]):
        assert figure["ci95"][0] <= figure["value"] <= figure["ci95"][1]


def test_the_accuracy_is_that_of_bags_that_chose_nothing(method, measured):
    run = method("baghunter", "epochs=1")
    told = measured(f"run={run.folder}", "match=brand", "naming=brand")
    assert told["protocol"]["split"] == "test"
    assert run.metrics["chosen"]["value"] == pytest.approx(run.metrics["val"]["map@r"]["value"])
    for column in ("product", "style", "sha256"):
        chose = {one for split in ("train", "val") for one in run.pictures(split)[column]}
        assert not chose & set(run.pictures("test")[column])


def test_what_is_asked_is_brought_into_shape_as_what_was_learnt_from(method, measured):
    run = method("baghunter", "epochs=1")
    said = run.settings
    learnt_from = build.embedder(said.backbone, said.head, said.pixels).embedder.preprocessing
    asked = measured(f"run={run.folder}", "match=brand", "naming=brand")["preprocessing"]
    assert asked["sha256"] == learnt_from.sha256
    assert (asked["resize"], asked["size"]) == (said.pixels.resize, said.pixels.size)


def test_a_red_bag_is_red_for_the_network():
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (220, 20, 40)).save(file, "JPEG", quality=95)
    picture = resize(decode(file.getvalue()), 16, "squash")
    said = preprocessing(
        Pixels(size=16), Backbone(network=nn.Identity(), width=0, mean=(0.0,) * 3, deviation=(1.0,) * 3)
    )
    red, green, blue = Prepare(said)(torch.from_numpy(picture[None]))[0].mean((1, 2))
    assert red > 0.8 > 0.2 > blue > green
