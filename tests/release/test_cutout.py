"""A network that tells product from background, from a file of the user's own."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lookalike.release import cutout
from lookalike.release.cutout import MEAN, SPREAD, cutter, on_white
from lookalike.settings import DataError

RED = (200, 30, 40)


def network(side=32, planes=3):
    """An ONNX file that takes for product what is red: the first plane less the second."""
    weights = np.zeros((1, planes, 1, 1), np.float32)
    weights[0, :2, 0, 0] = SPREAD[0], -SPREAD[1]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, planes, side, side])
    seen = helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1, 1, side, side])
    node = helper.make_node("Conv", ["picture", "weights"], ["seen"])
    graph = helper.make_graph([node], "red", [picture], [seen], [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture
def file(tmp_path):
    def made(*words, **more):
        (tmp_path / "cut.onnx").write_bytes(network(*words, **more))
        return tmp_path / "cut.onnx"

    return made


@pytest.fixture
def clutter():
    """A red shoe before a ground of green and blue noise."""
    pixels = np.random.default_rng(0).integers(0, 120, (120, 160, 3), np.uint8)
    pixels[..., 0] = 0
    pixels[40:100, 60:140] = RED
    return pixels


@pytest.mark.parametrize("side", [32, "S"])
def test_the_product_is_found_in_clutter_and_all_else_painted_white(file, clutter, side):
    mask = cutter(file(side))(clutter)
    true = np.zeros((120, 160), bool)
    true[40:100, 60:140] = True
    assert (mask & true).sum() / (mask | true).sum() > 0.9
    painted = on_white(clutter, mask)
    assert (painted[70, 100] == RED).all()
    assert (painted[:30] == 255).all()


def test_where_nothing_is_surer_than_the_rest_all_of_it_is_product(file):
    assert cutter(file())(np.full((50, 40, 3), 90, np.uint8)).all()


def test_the_picture_is_normalised_as_imagenet_is(file, clutter):
    given = cutout._normalised(clutter, 32)
    assert given.shape == (1, 3, 32, 32)
    assert given[0, :, 16, 25] == pytest.approx((np.array(RED) / 200 - MEAN) / SPREAD, abs=1e-5)


def test_another_kind_of_network_and_no_network_are_refused_with_what_is_wanted(file, tmp_path):
    with pytest.raises(DataError, match=r"takes \[\[1, 4, 32, 32\]\], and one picture \(1, 3, S, S\) is wanted"):
        cutter(file(planes=4))
    with pytest.raises(DataError, match="there is no such file"):
        cutter(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(DataError, match="ONNX Runtime cannot load this network"):
        cutter(tmp_path / "text.onnx")
