"""One specification by hash, and the numbers it stands for."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.features.grayscale import grayscale
from lookalike.models.backbone import Backbone
from lookalike.models.preprocessing import Prepare, Preprocessing, blurred, gaussian, median, preprocessing
from lookalike.settings import DataError, Pixels

PLAIN = Preprocessing(
    size=8,
    resize="squash",
    interpolation="bicubic",
    gray=False,
    folded=False,
    blur=0.0,
    subtract="none",
    mean=(0.5, 0.5, 0.5),
    deviation=(0.5, 0.5, 0.5),
)


def backbone(**more):
    said = {"width": 3, "mean": (0.4, 0.5, 0.6), "deviation": (0.2, 0.3, 0.4), "size": 160, "interpolation": "lanczos"}
    return Backbone(network=torch.nn.Identity(), **{**said, **more})


def noise(count=2, size=8, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


# The specification


def test_what_the_settings_leave_open_is_the_backbones_own():
    said = preprocessing(Pixels(size=0), backbone())
    assert (said.size, said.interpolation, said.mean, said.deviation) == (
        160,
        "lanczos",
        (0.4, 0.5, 0.6),
        (0.2, 0.3, 0.4),
    )


def test_what_the_settings_say_goes_before_the_backbones_own():
    said = preprocessing(Pixels(size=64, interpolation="bilinear", resize="crop", blur=1.5, gray=True), backbone())
    assert (said.size, said.interpolation, said.resize, said.blur, said.gray) == (64, "bilinear", "crop", 1.5, True)


def test_a_backbone_of_one_size_refuses_another_with_the_mend():
    with pytest.raises(DataError, match=r"pixels.size=112: .* pictures of 160 only; set pixels.size=160, or 0"):
        preprocessing(Pixels(size=112), backbone(only_size=True))
    assert preprocessing(Pixels(size=0), backbone(only_size=True)).size == 160


@pytest.mark.parametrize(("folded", "mean"), [(True, (0.5, 0.5, 0.5)), (False, (0.5,))])
def test_folded_settings_and_folded_backbones_go_together(folded, mean):
    with pytest.raises(ValueError, match="goes with a backbone from backbone.folded"):
        preprocessing(Pixels(gray=folded, folded=folded), backbone(mean=mean, deviation=mean))


def test_equal_specifications_have_one_hash_however_their_numbers_are_written():
    same = replace(PLAIN, blur=0, mean=(np.float64(0.5),) * 3)
    assert same.sha256 == PLAIN.sha256
    assert (
        PLAIN.sha256 == "7e52b7b27c7b9c115e0e32125b6cf46de2d59a663fe6232628af4b8984635193"
    )  # in every process and release


@pytest.mark.parametrize(
    "other",
    [
        {"size": 9},
        {"resize": "crop"},
        {"interpolation": "lanczos"},
        {"gray": True},
        {"folded": True},
        {"blur": 0.1},
        {"subtract": "mean"},
        {"mean": (0.5, 0.5, 0.4)},
        {"deviation": (0.5,)},
    ],
)
def test_any_change_is_another_hash(other):
    assert replace(PLAIN, **other).sha256 != PLAIN.sha256


# What becomes of the pixels


def prepared(pictures, **said):
    return Prepare(replace(PLAIN, **said))(pictures)


def test_pixels_are_scaled_and_normalised_channel_by_channel():
    picture = torch.zeros((1, 8, 8, 3), dtype=torch.uint8)
    picture[0, 0, 1] = torch.tensor([255, 0, 51])  # 1, 0, 0.2
    seen = prepared(picture, mean=(0.5, 0.4, 0.2), deviation=(0.5, 0.2, 0.1))
    assert seen.shape == (1, 3, 8, 8)
    torch.testing.assert_close(seen[0, :, 0, 1], torch.tensor([1.0, -2.0, 0.0]))


def test_gray_is_the_luminance_that_the_rest_of_the_house_calls_gray():
    seen = prepared(noise(), gray=True, mean=(0.0,) * 3, deviation=(1 / 255,) * 3)
    expected = torch.from_numpy(grayscale(noise().numpy())).float()
    for channel in range(3):
        torch.testing.assert_close(seen[:, channel], expected, atol=0.502, rtol=0)  # there it is rounded


def test_a_folded_gray_picture_is_one_plane():
    one = prepared(noise(), gray=True, folded=True, mean=(0.5,), deviation=(0.5,))
    assert one.shape == (2, 1, 8, 8)
    torch.testing.assert_close(one.expand(-1, 3, -1, -1), prepared(noise(), gray=True))


@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.5])
def test_the_blur_is_scipys(deviation):
    planes = torch.rand(2, 3, 12, 9, generator=torch.manual_seed(0))
    reach = len(gaussian(deviation)) // 2
    expected = scipy.ndimage.gaussian_filter(planes.numpy(), deviation, axes=(2, 3), mode="nearest", radius=reach)
    np.testing.assert_allclose(blurred(planes, gaussian(deviation)), expected, atol=1e-6)


@settings(deadline=None)  # the first torch call is slow
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_the_median_is_numpys_for_odd_and_for_even_numbers_of_pixels(height, width, seed):
    planes = np.random.default_rng(seed).random((2, 3, height, width), dtype=np.float32)
    np.testing.assert_allclose(median(torch.from_numpy(planes))[:, :, 0, 0], np.median(planes, axis=(2, 3)), rtol=1e-6)


@pytest.mark.parametrize("subtract", ["mean", "median"])
def test_what_is_subtracted_is_each_pictures_own_in_the_place_of_the_backbones_mean(subtract):
    seen = prepared(noise(), subtract=subtract, deviation=(0.5, 0.25, 1.0))
    own = getattr(np, subtract)(noise().numpy() / 255, axis=(1, 2), keepdims=True)
    expected = (noise().numpy() / 255 - own) / [0.5, 0.25, 1.0]
    np.testing.assert_allclose(seen.permute(0, 2, 3, 1), expected, atol=1e-5)


def test_the_median_is_that_of_the_blurred_picture():
    blurry = prepared(noise(), blur=1.0)
    expected = blurry - median(blurry)  # normalising is one scale and one shift here, which a median follows
    torch.testing.assert_close(prepared(noise(), blur=1.0, subtract="median"), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("subtract", ["mean", "median"])
def test_brighter_light_on_the_whole_picture_is_not_seen_once_it_is_subtracted(subtract):
    dark = noise() // 2
    torch.testing.assert_close(
        prepared(dark, subtract=subtract), prepared(dark + 40, subtract=subtract), atol=1e-5, rtol=0
    )


def test_it_has_no_weights_and_is_made_of_plain_operations_that_export():
    module = Prepare(replace(PLAIN, gray=True, blur=1.0, subtract="median"))
    assert not module.state_dict()
    graph = torch.export.export(module, (noise(2),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)).module()
    torch.testing.assert_close(graph(noise(5)), module(noise(5)))
