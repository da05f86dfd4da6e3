"""A feature map into one vector."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.models.backbone import efficientnet_lite0, timm_backbone, torchvision_backbone
from lookalike.models.pooling import GeM
from lookalike.settings import DataError


def test_gem_by_hand():
    plane = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    cubes = (1 + 8 + 27 + 64) / 4
    torch.testing.assert_close(GeM(3.0)(plane), torch.tensor([[[[cubes ** (1 / 3)]]]]))


@settings(deadline=None)  # the first torch call is slow
@given(st.integers(0, 99))
def test_gem_lies_between_the_mean_and_the_maximum_and_meets_both(seed):
    planes = torch.rand(2, 3, 4, 5, generator=torch.manual_seed(seed)) + 0.1
    mean, most = planes.mean((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    torch.testing.assert_close(GeM(1.0)(planes), mean)
    assert ((mean < GeM(3.0)(planes)) & (GeM(3.0)(planes) < most)).all()
    torch.testing.assert_close(GeM(200.0)(planes), most, rtol=0.02, atol=0)


def test_gem_learns_its_power_or_keeps_it():
    assert [name for name, _ in GeM().named_parameters()] == ["power"]
    assert not list(GeM(learnt=False).parameters())
    assert "power" in GeM(learnt=False).state_dict()


def test_gem_has_a_slope_on_a_map_of_zeros():
    gem, planes = GeM(), torch.zeros(1, 2, 3, 3, requires_grad=True)
    gem(planes).sum().backward()
    assert torch.isfinite(planes.grad).all()
    assert torch.isfinite(gem.power.grad)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (efficientnet_lite0, {"weights": "random"}),
        (timm_backbone, {"model": "resnet18"}),
        (timm_backbone, {"model": "test_byobnet"}),
        (torchvision_backbone, {"model": "resnet18"}),
        (torchvision_backbone, {"model": "mobilenet_v3_small"}),
    ],
    ids=lambda said: getattr(said, "__name__", str(said)),
)
def test_a_network_that_pools_by_mean_pools_another_way_when_asked(make, said):
    def features(pooling):
        torch.manual_seed(0)
        return make(**said, pooling=pooling).network.eval()(pixels)

    pixels = torch.rand(2, 3, 96, 96, generator=torch.manual_seed(1))
    with torch.inference_mode():
        own, avg, most, gem = map(features, ["own", "avg", "max", "gem"])
    assert torch.equal(own, avg)
    assert own.shape == most.shape == gem.shape
    assert not torch.equal(own, most)
    assert not torch.equal(own, gem)


@pytest.mark.parametrize(
    ("make", "model"),
    [(timm_backbone, "test_vit"), (torchvision_backbone, "mobilenet_v2"), (torchvision_backbone, "alexnet")],
)
def test_a_network_without_a_map_to_pool_says_so(make, model):
    with pytest.raises(
        DataError, match=r"backbone.pooling=gem: this \w+ has no pooling of a feature map .*pooling=own"
    ):
        make(model=model, pooling="gem")
