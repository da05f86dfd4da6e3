"""The bundle for a phone: joined by id, near to the float32 model or refused, and small enough."""

import json

import numpy as np
import onnx
import polars as pl
import pytest
import timm
from onnx import TensorProto, helper, numpy_helper

from lookalike.release import phone, small
from lookalike.release.session import embedder
from lookalike.settings import LookalikeError

MOST = 25_000_000  # bytes for 5,000 products
FEW, SHAPE, COLOR = (
    250,
    1280,
    335,
)  # products that are written here; the widths of the backbone and of the color feature
TOLD = {"catalog": "shop@1", "network": "mean color"}


def products_of(count):
    """Products as a shop tells of them."""
    rows = [
        {
            "product": f"shop:{9_000_000 + one}",
            "name": f"Women's Waterproof Chelsea Boot with Zip, Style {one}",
            "brand": "Acme Outdoor",
            "category": "Shoes > Boots > Ankle boots",
            "color": "Dark chocolate suede",
            "price": 129.95 + one,
            "currency": "USD",
            "rating": 0.0 if one else None,
            "url": f"https://www.shop.example/p/womens-waterproof-chelsea-boot-with-zip/product/{9_000_000 + one}/color/{one}",
        }
        for one in range(count)
    ]
    return pl.DataFrame(rows)


def vectors(count, width, seed):
    drawn = np.random.default_rng(seed).normal(size=(count, width))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def written(make, tmp_path):
    """A bundle of so many products, two pictures of each, told in an order that is not that of their ids."""
    release = make("boots")

    def write(count, **said):
        products = products_of(count)
        owners = products["product"].to_list()[::-1] * 2
        table = pl.DataFrame({"product": owners})
        shape, color = vectors(2 * count, SHAPE, 0), vectors(2 * count, COLOR, 1)
        draft = tmp_path / "draft"
        draft.mkdir()
        phone.write(draft, release, table, products, shape, color, told=TOLD, **said)
        return draft / "phone", owners, shape

    return write


def test_rows_ids_and_facts_are_joined_by_id(written):
    here, owners, shape = written(6)
    ids, facts = (json.loads((here / name).read_text()) for name in ("ids.json", "products.json"))
    rows = (
        np.fromfile(here / "shape.i8", np.int8).reshape(6, SHAPE) * np.fromfile(here / "scales.f32", "<f4")[::2, None]
    )
    mean = shape[:6] + shape[6:]
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    for row, one in enumerate(ids):
        assert rows[row] @ mean[owners.index(one)] > 0.999
        assert facts[one]["url"].endswith(f"/{int(one[5:]) - 9_000_000}")
    assert sorted(facts) == sorted(ids)
    told = json.loads((here / "manifest.json").read_text())
    assert told["color"] == {}
    assert told["of the 10 nearest"] > 0.9


def test_a_rating_of_nothing_is_a_rating_and_none_is_none(written):
    here, _, _ = written(2)
    facts = json.loads((here / "products.json").read_text())
    assert "rating" not in facts["shop:9000000"]
    assert facts["shop:9000001"]["rating"] == 0.0


def test_its_model_is_held_against_float32_on_golden_pictures_and_on_those_handed_in(written):
    squares = list(np.random.default_rng(2).integers(0, 256, (11, 16, 16, 3), dtype=np.uint8))
    here, _, _ = written(2, squares=squares)
    near = json.loads((here / "manifest.json").read_text())["model.onnx beside float32"]
    assert near == {
        "pictures": 12,
        "cosine": {"min": pytest.approx(1), "mean": pytest.approx(1)},
        "of the 10 nearest": 1.0,
    }


def test_a_model_that_rounding_ruins_is_refused_with_figures_and_the_mend(written, monkeypatch, network):
    def ruined(_, path):
        model = onnx.load_model_from_string(network)
        model.graph.node[2].input[0] = "squared"
        model.graph.node.insert(2, helper.make_node("Mul", ["mean", "weight"], ["squared"]))
        weight = numpy_helper.from_array(np.array([1, 0.2, 0.1], np.float32), "weight")
        model.graph.initializer.append(weight)
        onnx.save(model, str(path))

    monkeypatch.setattr(small, "onnx", ruined)
    with pytest.raises(
        LookalikeError, match=r"mean cosine of 0\.[67]\d+ with float32's .*less than 0.99.*Leave phone=true out"
    ):
        written(2)


def test_filters_of_8_bits_and_a_matrix_of_16_do_nearly_the_same_in_a_third_of_the_bytes(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "filters": rng.normal(size=(96, 3, 7, 7)),
        "matrix": rng.normal(size=(96, 80)),
        "few": rng.normal(size=80),
    }
    nodes = [
        helper.make_node("Conv", ["pictures", "filters"], ["seen"]),
        helper.make_node("GlobalAveragePool", ["seen"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "matrix", "few"], ["vectors"]),
    ]
    taken = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["B", 3, "H", "W"])
    given = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["B", 80])
    kept = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", [taken], [given], initializer=kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "whole.onnx"))
    small.onnx(tmp_path / "whole.onnx", tmp_path / "small.onnx")
    asked = rng.normal(size=(5, 3, 20, 20)).astype(np.float32)
    ours, whole = (embedder(tmp_path / f"{name}.onnx")(asked) for name in ("small", "whole"))
    assert np.corrcoef(ours.ravel(), whole.ravel())[0, 1] > 0.9995
    assert not np.array_equal(ours, whole)
    assert (tmp_path / "small.onnx").stat().st_size < 0.38 * (tmp_path / "whole.onnx").stat().st_size


def test_5000_products_with_the_models_that_ship_take_less_than_25_megabytes(written, tmp_path):
    """The rows of FEW products are written, and counted twentyfold; of the network its weights, whose bytes they are."""
    here, _, _ = written(FEW)
    told = json.loads((here / "manifest.json").read_text())["bytes"]
    rows = sum(told[name] for name in ("shape.i8", "color.i8", "scales.f32", "ids.json", "products.json")) * 5000 / FEW
    assert phone.axes_for(5000, SHAPE) == SHAPE
    backbone = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    weights = [numpy_helper.from_array(one.numpy(), name) for name, one in backbone.state_dict().items()]
    weights.append(numpy_helper.from_array(np.ones((SHAPE, SHAPE), np.float32), "whitening"))
    onnx.save(helper.make_model(helper.make_graph([], "weights", [], [], initializer=weights)), str(tmp_path / "whole"))
    small.onnx(tmp_path / "whole", tmp_path / "small")
    model = (tmp_path / "small").stat().st_size
    assert 6.5e6 < model < 7.5e6
    assert rows + 2 * model < MOST  # ONNX, and CoreML of as many numbers of as many bits


def test_a_row_of_whole_numbers_is_its_vector_to_a_two_hundredth():
    vectors = np.random.default_rng(1).normal(size=(50, 30))
    packed, scale = phone.packed_rows(vectors)
    assert packed.dtype == np.int8
    np.testing.assert_allclose(packed * scale[:, None], vectors, atol=np.abs(vectors).max() / 250)


def test_the_widest_axes_keep_all_of_vectors_that_lie_in_a_plane():
    flat = np.random.default_rng(2).normal(size=(40, 2)) @ np.random.default_rng(3).normal(size=(2, 9))
    axes = phone.widest(flat, 2)
    assert axes is not None
    np.testing.assert_allclose((flat @ axes) @ axes.T, flat, atol=1e-5)
    assert phone.widest(flat, 9) is None


def test_a_large_catalog_keeps_fewer_numbers_of_each_vector_and_a_small_one_all():
    assert phone.axes_for(5_000, 1280) == 1280
    assert phone.axes_for(20_000, 1280) == 6_500_000 // (20_000 + 4 * 1280) == 258
    assert phone.axes_for(10_000_000, 1280) == 1
