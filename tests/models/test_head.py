"""What stands between features and the embedding."""

import pytest
import torch

from lookalike.models.head import identity, linear, projection


def test_a_linear_head_is_one_map_and_identity_none():
    assert linear(6, dimensions=4)(torch.zeros(2, 6)).tolist() == [[0.0] * 4] * 2
    features = torch.rand(2, 6)
    assert identity(6)(features) is features


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_projection_is_two_maps_round_a_norm_and_a_bend(norm):
    head = projection(6, hidden=5, dimensions=4, norm=norm).eval()
    assert head(torch.rand(2, 6)).shape == (2, 4)
    assert [tuple(one.weight.shape) for one in head if isinstance(one, torch.nn.Linear)] == [(5, 6), (4, 5)]
    up, down = head(torch.ones(1, 6)), head(-torch.ones(1, 6))
    assert not torch.allclose(up, -down, atol=1e-3)  # a linear map would have it so


def test_a_projection_by_layer_norm_embeds_a_picture_alike_whatever_batch_it_is_in():
    head, features = projection(6, norm="layer").train(), torch.rand(4, 6)
    torch.testing.assert_close(head(features)[:1], head(features[:1]))
