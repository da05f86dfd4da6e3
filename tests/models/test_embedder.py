"""The joint of the house: pictures in, unit vectors out, preprocessing inside."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lookalike.models.backbone import Backbone, efficientnet_lite0, timm_backbone
from lookalike.models.embedder import (
    Embedder,
    as_callable,
    embed_all,
    features_digest,
    features_of,
    fingerprint,
    fused,
)
from lookalike.models.head import identity, linear
from lookalike.models.preprocessing import preprocessing
from lookalike.settings import Pixels


class FirstPixel(torch.nn.Module):
    """A network simple enough to follow by hand: the three channels of the first pixel."""

    def forward(self, pixels):
        return pixels[:, :, 0, 0]


def by_hand(head=None, said=None, **more):
    backbone = Backbone(network=FirstPixel(), width=3, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))
    return Embedder(backbone, head or identity(3), said and preprocessing(said, backbone), **more)


def one_picture():
    """White first in its upper row, then black, then (1, 0, 1)."""
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[0, 0, 0], picture[0, 0, 3] = 255, [255, 0, 255]
    return picture


def noise(count=5, size=32):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_left_unsaid_pixels_are_scaled_and_normalised_as_the_backbone_says():
    picture = one_picture()[:, :, ::-1]  # (1, 0, 1) -> (1, -1, 1), length sqrt 3
    np.testing.assert_allclose(as_callable(by_hand())(picture), [[3**-0.5, -(3**-0.5), 3**-0.5]], rtol=1e-6)


def test_a_gray_embedder_cannot_see_color():
    red, gray = np.zeros((2, 1, 4, 4, 3), np.uint8)
    red[..., 0] = 200
    gray[...] = round(200 * 0.299)
    embed = as_callable(by_hand(said=Pixels(gray=True)))
    np.testing.assert_allclose(embed(red), embed(gray), atol=1e-2)
    assert np.ptp(embed(red)) < 1e-6


def test_every_vector_has_length_one_and_batches_do_not_matter():
    torch.manual_seed(0)
    network = efficientnet_lite0(weights="random")
    embed = as_callable(Embedder(network, linear(network.width, dimensions=16)))
    moved = []
    together = embed_all(embed, noise(), batch=5)
    by_twos = embed_all(embed, noise(), batch=2, progress=moved.append)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together, by_twos, atol=1e-5)
    assert moved == [2, 2, 1]


def test_no_pictures_no_vectors():
    assert embed_all(as_callable(by_hand()), np.zeros((0, 4, 4, 3), np.uint8)).shape[0] == 0


# Features, heads, finishes, mirrors


def doubling():
    head = linear(3, dimensions=3)
    with torch.no_grad():
        head.weight.copy_(2 * torch.eye(3))
    return head


class TakeAway(torch.nn.Module):
    def forward(self, vectors):
        return vectors - torch.tensor([1.0, 0.0, 0.0])


def test_features_come_before_the_head_and_raw_behind_it_and_neither_is_normalised():
    embedder = by_hand(doubling())
    batch = torch.from_numpy(one_picture())
    assert embedder.features(batch).tolist() == [[1.0, 1.0, 1.0]]
    assert embedder.raw(batch).tolist() == [[2.0, 2.0, 2.0]]


def test_a_finish_stands_between_the_head_and_the_unit_length():
    embedder = by_hand(doubling(), finish=TakeAway())  # (2, 2, 2) - (1, 0, 0) = (1, 2, 2), length 3
    np.testing.assert_allclose(as_callable(embedder)(one_picture()), [[1 / 3, 2 / 3, 2 / 3]], rtol=1e-6)


def test_a_head_makes_of_given_features_what_the_embedder_makes_of_the_pictures():
    torch.manual_seed(0)
    backbone = timm_backbone(model="test_byobnet")
    embedder = Embedder(backbone, linear(backbone.width, dimensions=4), mirror=True)
    features = features_of(embedder)(noise())
    assert (features.shape, features.dtype) == ((5, backbone.width), np.float32)
    with torch.inference_mode():
        vectors = embedder.embed_features(torch.from_numpy(features))
    np.testing.assert_array_equal(vectors, as_callable(embedder)(noise()))


def test_with_a_mirror_the_features_are_the_mean_of_both_ways_of_looking():
    """White (1, 1, 1) on the left and (1, -1, 1) on the right: the mean is (1, 0, 1)."""
    embedder = by_hand(mirror=True)
    assert features_of(embedder)(one_picture()).tolist() == [[1.0, 0.0, 1.0]]
    np.testing.assert_allclose(as_callable(embedder)(one_picture()), [[2**-0.5, 0, 2**-0.5]], rtol=1e-6)


def test_a_mirrored_picture_is_then_the_same_picture():
    backbone = timm_backbone(model="test_byobnet")
    embed = as_callable(Embedder(backbone, identity(backbone.width), mirror=True))
    np.testing.assert_allclose(embed(noise()), embed(noise()[:, :, ::-1]), atol=1e-6)


def test_while_learning_there_is_no_mirror():
    embedder = by_hand(mirror=True).train()
    assert embedder.features(torch.from_numpy(one_picture())).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_pictures_go_there_and_vectors_come_back():
    torch.manual_seed(0)
    backbone = timm_backbone(model="test_byobnet")
    embedder = Embedder(backbone, identity(backbone.width))
    here = as_callable(embedder)(noise())
    there = as_callable(embedder.cuda())(noise())
    np.testing.assert_allclose(here, there, atol=1e-3)


# Shape and color as one embedder


def units(seed):
    """An embedder of any pictures: rows of unit length that its seed decides."""

    def embed(pictures):
        vectors = np.random.default_rng(seed).normal(size=(len(pictures), 3 + seed)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed


@given(st.floats(0, 1))
def test_a_fused_inner_product_is_the_weighted_sum_of_both(weight):
    shape, color, both = (embed(noise()) for embed in (units(1), units(2), fused(units(1), units(2), weight)))
    np.testing.assert_allclose(both @ both.T, (1 - weight) * shape @ shape.T + weight * color @ color.T, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, rtol=1e-5)
    assert both.dtype == np.float32


def test_at_either_end_only_one_is_asked():
    shape, color = units(1), units(2)
    assert fused(shape, color, 0.0) is shape
    assert fused(shape, color, 1.0) is color


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(ValueError, match="the weight of color"):
        fused(units(1), units(2), weight)


# Fingerprints


def seeded(**said):
    torch.manual_seed(0)
    return timm_backbone(model="test_byobnet", **said)


def test_two_modules_of_the_same_make_and_weights_have_one_fingerprint():
    assert fingerprint(seeded().network) == fingerprint(seeded().network)


def test_one_changed_bit_or_another_pooling_is_another_fingerprint():
    network = seeded().network
    before = fingerprint(network)
    with torch.no_grad():
        weight = next(network.parameters()).view(-1)
        weight[0] = torch.nextafter(weight[0], torch.tensor(torch.inf))
    assert fingerprint(network) != before
    assert fingerprint(seeded(pooling="max").network) != before  # without a weight more or less


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_weights_of_every_type_and_of_no_dimension_are_read(dtype):
    module = torch.nn.Module()
    module.register_buffer("scale", torch.tensor(3, dtype=dtype))
    before = fingerprint(module)
    module.scale += 1
    assert fingerprint(module) != before


def test_the_digest_of_features_follows_preprocessing_backbone_and_mirror_but_not_the_head():
    def digest(pixels=Pixels(), head=identity, **more):  # noqa: B008 - frozen
        backbone = seeded()
        return features_digest(Embedder(backbone, head(backbone.width), preprocessing(pixels, backbone), **more))

    plain = digest()
    assert digest(head=linear) == plain
    assert len({plain, digest(mirror=True), digest(Pixels(blur=1)), digest(Pixels(resize="crop"))}) == 4
