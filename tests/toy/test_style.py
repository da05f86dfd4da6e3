"""Styles, prices and colorways."""

import numpy as np
import pytest

from lookalike.toy.palette import COLORS, Cloth, colorway, names
from lookalike.toy.recipes import RECIPES
from lookalike.toy.style import BRANDS, HABIT, SHELVES, near, price, style


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [(124.0, "USD", "$124.95"), (1251, "GBP", "£1,250.00"), (1251, "EUR", "1.250,00 €"), (99, "EUR", "99,95 €")],
)
def test_prices_are_written_as_their_shops_write_them(amount, currency, told):
    assert price(amount, currency) == told


def test_a_style_is_the_same_each_time_and_another_under_another_seed():
    assert style(7, 0) == style(7, 0)
    assert style(7, 0).shape != style(7, 1).shape


def test_no_two_styles_have_the_same_shape():
    shapes = {repr(style(number, 0).shape) for number in range(120)}
    assert len(shapes) == 120


def test_every_category_and_every_brand_is_in_the_shop():
    made = [style(number, 0) for number in range(120)]
    assert {one.category for one in made} == set(RECIPES) == set(SHELVES)
    assert {one.brand for one in made} == set(BRANDS)


def test_some_styles_have_no_rating_and_the_others_one_of_five():
    ratings = [style(number, 0).rating for number in range(120)]
    assert 5 < ratings.count("") < 40
    assert all(1 <= float(rating) <= 5 for rating in ratings if rating)


def test_parameters_stay_within_reach_and_lean_to_the_makers_habit():
    drawn = [near({"heel": (0.2, 0.1)}, np.random.default_rng(k), np.random.default_rng(5))["heel"] for k in range(200)]
    habit = np.random.default_rng(5).uniform(-1, 1)
    assert max(abs(heel - 0.2) for heel in drawn) <= 0.1
    assert np.mean(drawn) == pytest.approx(0.2 + 0.1 * HABIT * habit, abs=0.01)


def test_the_colorways_of_a_style_lead_with_different_colors():
    assert sorted(names(np.random.default_rng(0))) == sorted(COLORS)


def test_a_colorway_in_two_tones_names_both():
    told, dress = colorway("Black", Cloth(contrast=1.0), np.random.default_rng(0))
    first, second = told.split("/")
    assert first == "Black"
    assert second in COLORS
    assert dress["main"].color != dress["second"].color


def test_a_colorway_in_one_tone_names_one():
    told, _ = colorway("Navy", Cloth(contrast=0.0), np.random.default_rng(0))
    assert told == "Navy"
