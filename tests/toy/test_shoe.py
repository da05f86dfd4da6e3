"""Every kind of shoe and bag that there is a recipe for."""

import numpy as np
import pytest

from lookalike.toy import bag, shoe
from lookalike.toy.bag import Bag
from lookalike.toy.last import Shoe, half_width, rise, turns
from lookalike.toy.palette import Cloth, colorway
from lookalike.toy.panels import MARKS, PANELS
from lookalike.toy.recipes import RECIPES
from lookalike.toy.sheet import normals
from lookalike.toy.straps import STRAPS
from lookalike.toy.style import BRANDS, shape
from lookalike.toy.trim import ORNAMENTS
from lookalike.toy.upper import upper_points

KINDS = [(category, recipe) for category, recipes in RECIPES.items() for recipe in recipes]
_, DRESS = colorway("Cognac", Cloth(), np.random.default_rng(0))


def made(category, recipe, seed):
    parameters = shape(recipe, BRANDS[seed % len(BRANDS)], np.random.default_rng(seed), np.random.default_rng(1))
    if category == "Bags":
        return bag.sheets(Bag(**parameters), DRESS)
    return shoe.sheets(Shoe(**parameters), DRESS)


@pytest.mark.parametrize(("category", "recipe"), KINDS, ids=[recipe.words for _, recipe in KINDS])
def test_every_kind_stands_on_the_ground_and_is_whole(category, recipe):
    for seed in range(4):
        for sheet in made(category, recipe, seed):
            assert np.isfinite(sheet.points).all()
            assert np.isfinite(sheet.skin).all()
            assert sheet.skin.shape[2] == 7
            assert ((sheet.skin[..., :3] > -0.05) & (sheet.skin[..., :3] < 1.4)).all()
        lowest = min(sheet.points[..., 2].min() for sheet in made(category, recipe, seed))
        assert lowest == pytest.approx(0, abs=0.025)


@pytest.mark.parametrize(
    "part",
    [
        *[Shoe(panels=(name,), laces=3) for name in PANELS],
        *[Shoe(mark=name) for name in MARKS],
        *[Shoe(straps=(name,), upper=False) for name in STRAPS],
        *[Shoe(ornament=name) for name in ORNAMENTS],
    ],
    ids=[*PANELS, *MARKS, *STRAPS, *ORNAMENTS],
)
def test_every_panel_mark_strap_and_ornament_changes_the_shoe(part):
    plain = Shoe(laces=part.laces, upper=part.upper)

    def everything(made):
        return np.concatenate([np.r_[s.points.ravel(), s.skin.ravel()] for s in shoe.sheets(made, DRESS)])

    with_it, without = everything(part), everything(plain)
    assert len(with_it) != len(without) or not np.array_equal(with_it, without)


def test_the_heel_lifts_the_heel_and_not_the_ball():
    flat, high = Shoe(heel=0.0, platform=0.03), Shoe(heel=0.3, platform=0.03)
    assert rise(high, 0.05) - rise(flat, 0.05) == pytest.approx(0.3)
    assert rise(high, 0.75) == pytest.approx(rise(flat, 0.75))


def test_a_pointed_toe_is_narrower_than_a_round_one_and_a_square_one_wider():
    pointed, round_, square = (half_width(Shoe(toe=toe, square=q), 0.9, 1) for toe, q in ((1, 0), (0, 0), (0, 1)))
    assert pointed < round_ < square


def test_the_upper_looks_outward_all_round():
    out = normals(upper_points(Shoe()))[4]
    turn = turns()
    assert (out[..., 0] * -np.cos(turn) + out[..., 1] * np.sin(turn) > 0.1).all()


def test_a_bags_body_has_the_size_it_was_given():
    body = bag.body_points(Bag(wide=1.0, tall=0.7, belly=0.0, taper=1.0))
    assert np.ptp(body[..., 2]) == pytest.approx(0.7)
    assert np.ptp(body[..., 0]) == pytest.approx(1.0, abs=0.01)


def test_a_dip_lowers_the_middle_of_a_bags_top_and_not_its_ends():
    hobo = Bag(tall=0.8, dip=0.2)
    assert bag.top(hobo, 0) == pytest.approx(0.6)
    assert bag.top(hobo, 0.5) == pytest.approx(0.8)
