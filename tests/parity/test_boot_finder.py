"""Boot Finder, the first of the older systems: what of its work is done by the crawl, and its faults, which are not.

It scraped the women's boots of Zappos every week into `boot_id boot_name brand price style rating image_source buy_link`.
"""

import json
import re
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml

from lookalike.release import session
from lookalike.retrieval import foreign
from lookalike.toy.shop.faces import FACES
from lookalike.toy.shop.faces.zappos import rendered
from lookalike.toy.shop.serve import serving
from lookalike.toy.shop.stock import stock
from shops.pages import zappos

RECORDS = Path(__file__).parents[2].parent / "shared" / "data" / "zappos_boots.json"
CONFIGS = Path(__file__).parents[2] / "configs"
SHELF = {"products": 24, "views": 2, "size": 32, "per_page": 10, "seed": 1}
LISTING = "https://www.zappos.com/women-boots/CK_XARCz1wHAAQHiAgMBAhg.zso"
BOOT = {
    "name": 'Vail 6" Boot',
    "brand": "Acme",
    "price": "$139.99",
    "color": "Black Suede",
    "rating": "5 out of 5 stars",
    "href": "https://www.zappos.com/p/acme-vail/product/7152787/color/104",
    "image": "https://m.media-amazon.com/images/I/311Ot8ZXD3L._AC_SX255_.jpg",
}


def test_the_listing_of_all_womens_boots_is_ready_to_be_crawled():
    said = yaml.safe_load((CONFIGS / "shop" / "zappos.yaml").read_text())
    assert said["site"] + said["start"][0] == LISTING


def test_each_fact_that_it_kept_of_a_boot_is_kept():
    (found,) = zappos.read_listing(rendered([BOOT], LISTING), LISTING).found
    one = found.product
    assert (one.name, one.brand, str(one.price), one.color, one.rating) == (
        BOOT["name"],
        "Acme",
        "139.99",
        "Black Suede",
        5.0,
    )
    assert one.url == BOOT["href"]


@pytest.mark.real
@pytest.mark.skipif(not RECORDS.exists(), reason="the real records are not beside the checkout")
def test_all_2251_records_that_it_kept_come_back_from_the_listing_that_the_toy_shop_makes_of_them():
    records = json.loads(RECORDS.read_text())
    shown = [
        {
            **{name: one[name] for name in ("brand", "price")},
            **{"name": one["boot_name"], "color": one["style"], "rating": one["rating"] or ""},
            **{"href": one["buy_link"], "image": one["image_source"]},
        }
        for one in records
    ]
    page = zappos.read_listing(rendered(shown, LISTING), LISTING)
    assert (len(page.found), page.odd) == (2251, ())
    assert sum(one.product.rating is None for one in page.found) == 307
    for one, found in zip(records, page.found, strict=True):
        told = found.product
        stars = None if one["rating"] is None else float(one["rating"].removesuffix(" out of 5 stars"))
        assert (told.name, told.brand, told.color, told.rating) == (one["boot_name"], one["brand"], one["style"], stars)
        assert (told.price, told.currency) == (Decimal(one["price"].strip("$").replace(",", "")), "USD")
        assert told.url == one["buy_link"]
        assert told.product == one["buy_link"].partition("/product/")[2].replace("/color/", "/")
        assert [picture.url for picture in found.pictures] == [one["image_source"].replace("._AC_SX255_", "")]


def test_another_size_of_a_picture_does_not_make_a_boot_new():
    larger = BOOT | {"image": BOOT["image"].replace("SX255", "SX480")}
    ids = {zappos.read_listing(rendered([boot], LISTING), LISTING).found[0].product.product for boot in (BOOT, larger)}
    assert ids == {"7152787/104"}


def test_pages_are_counted_from_0_as_the_shop_does_and_the_last_is_reached(walked, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="zappos") as shop:
        trip = walked(shop, "zappos")
        pages = [one.partition("?p=")[2] for one in shop.asked if ".zso" in one]
    assert pages == ["0", "1", "2"]
    assert trip.book.staged(trip.number) == 24


def test_one_odd_label_does_not_end_the_crawl():
    labels = [
        BOOT,
        BOOT | {"price": "call us", "href": "/p/odd/product/1/color/2"},
        BOOT | {"href": "/p/b/product/7/color/9"},
    ]
    page = zappos.read_listing(rendered(labels, LISTING), LISTING)
    assert {one.product.product for one in page.found} >= {"7152787/104", "7/9"}
    assert len(page.odd) == 1


def test_what_is_new_since_last_week_is_counted(walked, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="zappos") as shop:
        first = walked(shop, "zappos")
        assert first.book.publish(first.number).new == 24
        shop.put(stock(**SHELF, day=1, added=3, gone=2, repriced=5))
        second = walked(shop, "zappos", week=1)
    did = second.book.publish(second.number)
    assert (did.new, did.gone, did.repriced) == (3, 2, 5)


def test_a_week_without_anything_new_changes_nothing(walked, catalog, drawn_pictures):
    with serving(stock(**SHELF), pictures=drawn_pictures, layout="zappos") as shop:
        first = walked(shop, "zappos")
        first.book.publish(first.number)
        before = catalog.products()
        second = walked(shop, "zappos", week=1)
        did = second.book.publish(second.number)
    assert (did.new, did.same) == (0, 24)
    assert catalog.products() == before


def test_a_boot_has_its_pictures_whatever_place_it_stands_at(walked, catalog, drawn_pictures):
    shelf = stock(**SHELF)
    with serving(shelf, pictures=drawn_pictures, layout="zappos") as shop:
        trip = walked(shop, "zappos")
        trip.book.publish(trip.number)
        face = FACES["zappos"]
        drawn = {
            face.known_as(item)[0]: {
                sha256(shop.answer(f"/images/I/{photo.id}.jpg").answer.body).hexdigest() for photo in item.photos
            }
            for item in shelf.items
        }
    assert {one.product: {view.sha256 for view in one.views} for one in catalog.products()} == drawn


# Its method: the pooled features of a pretrained ResNet-50, which learns nothing


def test_its_method_is_the_pooled_features_of_a_resnet_50(said_of, network_of):
    said, made = said_of("bootfinder"), network_of("bootfinder")
    assert said.backbone.options == {"model": "resnet50", "weights": "pretrained", "pooling": "own"}
    assert (made.dimensions, made.width, said.epochs) == (2048, 2048, 0)
    assert not list(made.embedder.head.parameters())


def test_nothing_is_learnt_and_boots_are_alike_by_cosine(method):
    run = method("bootfinder")
    assert (run.history, run.metrics["chosen"]["finish"]) == ([], "")
    assert run.metrics["protocol"]["similarity"] == "cosine"
    assert run.metrics["protocol"]["search"] == "exact"


def test_boots_that_are_newer_than_the_model_are_found_without_another_model(lookalike, method, shop):
    run = method("bootfinder")
    before = (run.folder / "checkpoints" / "best.ckpt").read_bytes()
    newer = ("adapter=toy", "adapter.styles=6", "adapter.colorways=2", "adapter.views=2", "adapter.size=64")
    lookalike("import", *newer, "adapter.seed=9", "name=newer", "split=test", at=shop)
    lookalike("evaluate", f"run={run.folder}", "dataset=newer", at=shop)
    (told,) = run.folder.glob("evaluations/newer-*/metrics.json")
    test = json.loads(told.read_text())["test"]
    assert (test["queries"], test["gallery"]) == (24, 24)
    assert (run.folder / "checkpoints" / "best.ckpt").read_bytes() == before


@pytest.fixture(scope="module")
def bundle(lookalike, method, shop):
    """What goes to the phone: the method exported, the shop's catalog put into it."""
    name = method("bootfinder").folder.parent.name
    lookalike("export", name, "formats=[float32,phone]", at=shop)
    said = lookalike("index", name, "dataset=toy", "phone=true", "thumbnail=0", at=shop)
    return shop / "releases" / re.search(rf"({name}/\w{{12}}) can be searched", said)[1] / "phone"


def test_its_model_ships_to_the_phone_as_coreml_beside_onnx_with_a_description(bundle):
    assert (bundle / "model.mlpackage" / "Manifest.json").is_file()
    assert (bundle / "model.onnx").is_file()
    told = json.loads((bundle / "manifest.json").read_text())
    assert told["catalog"].startswith("toy@")
    assert (told["products"], told["new pictures"], told["network"]) == (48, 144, "timm")


def test_boots_on_the_phone_have_their_ids_and_what_a_card_shows(bundle):
    boots = json.loads((bundle / "products.json").read_text())
    assert list(boots) == json.loads((bundle / "ids.json").read_text())
    assert len(boots) == 48
    assert all({"name", "brand", "price", "url"} <= boot.keys() for boot in boots.values())
    assert any("rating" in boot for boot in boots.values())  # not every boot was rated


def test_distances_are_not_baked_into_the_model_so_that_new_boots_need_no_new_one(bundle):
    look = session.embedder(bundle / "model.onnx")
    width = json.loads((bundle / "manifest.json").read_text())["dimensions"]["of"]
    assert look(np.zeros((1, 50, 70, 3), np.uint8)).shape == (1, width)  # a vector, whatever the number of boots


def test_what_a_model_gives_is_joined_to_the_boots_by_id_and_never_by_position(method, tmp_path):
    run = method("bootfinder")
    table, vectors = run.pictures("test"), run.shapes("test")
    order = np.random.default_rng(0).permutation(len(table))
    np.savez(tmp_path / "given.npz", images=table["image"].to_numpy().astype(str)[order], vectors=vectors[order])
    given = foreign.read(file=str(tmp_path / "given.npz"))
    np.testing.assert_allclose(given.of(table), vectors, atol=1e-6)
