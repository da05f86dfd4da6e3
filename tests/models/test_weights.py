"""Weights from a file: found under any prefix, reported where they do not fit, never more than tensors."""

import argparse
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lookalike.models.backbone import timm_backbone
from lookalike.models.weights import fill, in_order, match, read_tensors, shared_prefix
from lookalike.settings import DataError


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


def other():
    """The same make, other weights; and those as a file would hold them."""
    torch.manual_seed(7)
    made = network()
    return made, made.state_dict()


def equal(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


WRAPS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
    "model": lambda state: {"model": state, "args": None},
    "module.": lambda state: {f"module.{name}": value for name, value in state.items()},
    "model.encoder.": lambda state: {f"model.encoder.{name}": value for name, value in state.items()},
    "a run of ours": lambda state: {
        "state_dict": {f"embedder.backbone.{name}": value for name, value in state.items()}
        | {"embedder.head.weight": torch.ones(2, 2)},
        "pytorch-lightning_version": "2.6.6",
    },
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("ending", [".pth", ".pt", ".ckpt"])
def test_tensors_are_found_under_whatever_a_training_wrapped_round_them(tmp_path, wrap, ending):
    theirs, state = other()
    torch.save(wrap(state), tmp_path / f"weights{ending}")
    mine = network()
    assert fill(mine, tmp_path / f"weights{ending}") == ""
    assert equal(mine, theirs)


def test_safetensors_are_read(tmp_path):
    theirs, state = other()
    save_file(state, tmp_path / "weights.safetensors")
    mine = network()
    assert fill(mine, tmp_path / "weights.safetensors") == ""
    assert equal(mine, theirs)


def test_half_precision_weights_fill_a_network_of_full_precision(tmp_path):
    theirs, state = other()
    torch.save(
        {name: value.half() if value.is_floating_point() else value for name, value in state.items()},
        tmp_path / "a.pth",
    )
    mine = network()
    fill(mine, tmp_path / "a.pth")
    assert mine[0].weight.dtype == torch.float32
    torch.testing.assert_close(mine[0].weight, theirs[0].weight, atol=1e-3, rtol=0)


def test_the_report_names_what_is_missing_unexpected_and_of_other_shape(tmp_path):
    _, state = other()
    del state["1.bias"]
    state["0.weight"] = torch.zeros(4, 1, 3, 3)
    state |= {f"extra.{number}": torch.zeros(1) for number in range(5)}
    torch.save(state, tmp_path / "odd.pth")
    mine = network()
    before = mine[0].weight.clone()
    assert fill(mine, tmp_path / "odd.pth") == (
        "odd.pth: 7 of 9 tensors loaded; 1 missing (1.bias); 5 unexpected (extra.0, extra.1, extra.2 and 2 more); "
        "1 of other shape (0.weight is (4, 1, 3, 3), not (4, 3, 3, 3))"
    )
    assert torch.equal(mine[0].weight, before)


def test_what_either_may_have_alone_is_not_reported():
    _, state = other()
    state["classifier.weight"] = torch.zeros(1)
    wanted = dict(state)
    wanted["pool.power"] = wanted.pop("classifier.weight")
    assert match(state, wanted).report() != ""
    assert match(state, wanted, spare=["classifier.weight", "pool.power"]).report() == ""


def test_the_counters_of_batch_norm_are_not_missed():
    _, state = other()
    wanted = dict(state)
    del state["1.num_batches_tracked"]
    assert match(state, wanted).report() == ""


def test_another_networks_weights_are_refused_with_the_report(tmp_path):
    torch.save(
        {"0.weight": torch.zeros(4, 3, 3, 3), "body.1": torch.zeros(2), "body.2": torch.zeros(2)}, tmp_path / "a.pth"
    )
    with pytest.raises(DataError, match=r"a.pth: not weights of this network: 1 of 9 tensors loaded; 7 missing"):
        fill(network(), tmp_path / "a.pth")


def test_the_prefix_is_the_one_by_which_most_names_fit():
    wanted = ["conv.weight", "conv.bias", "weight"]
    names = ["student.conv.weight", "teacher.conv.weight", "teacher.conv.bias", "student.head.weight"]
    assert shared_prefix(names, wanted) == "teacher."
    assert shared_prefix(["conv.weight"], wanted) == ""  # "conv." makes a wanted name too; the shorter prefix is taken
    assert shared_prefix(["else"], wanted) == ""


class Anything:
    pass


def damaged(path):
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (
            lambda path: torch.save({"model": {"a": torch.ones(1)}, "args": argparse.Namespace(lr=1)}, path),
            "more than tensors",
        ),
        (
            lambda path: torch.save(nn.Linear(2, 2), path),
            "more than tensors, and to read the rest is to run what it says",
        ),
        (lambda path: torch.save([torch.ones(2)], path), "no tensors by name"),
        (lambda path: torch.save({"epoch": 3}, path), "no tensors by name"),
        (lambda path: path.write_bytes(pickle.dumps(Anything())), "damaged"),
        (lambda path: path.write_text("<html>404</html>"), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (damaged, "damaged"),
    ],
)
def test_a_file_that_is_not_plain_tensors_is_refused_in_a_sentence(tmp_path, write, says):
    write(tmp_path / "odd.pth")
    with pytest.raises(DataError, match=f"backbone.weights=.*odd.pth: .*{says}"):
        read_tensors(tmp_path / "odd.pth")


def test_safetensors_that_are_none_are_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"a.safetensors: no safetensors file, or a damaged one"):
        read_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("word", ["pretraned", "weights.onnx", "missing.pth"])
def test_a_word_that_is_neither_known_nor_a_file_is_refused_with_what_is(word):
    with pytest.raises(
        DataError, match=rf"backbone.weights={word}: neither random nor pretrained, nor a file .*safetensors"
    ):
        timm_backbone(model="test_vit", weights=word)


def test_tensors_in_order_need_equal_numbers_and_equal_shapes():
    two = {"a": torch.zeros(2), "b": torch.zeros(3)}
    assert list(in_order(two, {"x": torch.zeros(2), "y": torch.zeros(3)})) == ["x", "y"]
    with pytest.raises(DataError, match="2 tensors, not 1"):
        in_order(two, {"x": torch.zeros(2)})
    with pytest.raises(DataError, match=r"y has shape \(3,\), not \(4,\)"):
        in_order(two, {"x": torch.zeros(2), "y": torch.zeros(4)})
