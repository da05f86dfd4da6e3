"""Curves: every tick lies within the drawing, and every value between the ticks."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lookalike.reporting.curves import BOTTOM, HEIGHT, TOP, Line, lines

VALUES = st.floats(-1e4, 1e4).map(lambda value: round(value, 6))


def drawn(*values):
    return str(lines([Line(label="one", points=tuple(enumerate(values)))], "what it shows", along="epoch"))


def ticks(svg):
    """(height on the drawing, what is written beside it), from the foot to the top."""
    heights = [float(one) for one in re.findall(r'class="ground" d="M40 (-?[0-9.]+)H', svg)]
    words = re.findall(r'text-anchor="end">([^<]*)</text>', svg)
    return list(zip(heights, map(float, words), strict=False))


@given(st.lists(VALUES, min_size=2, max_size=5))
@example([0.5867588260388346, 0.5967366182325959])  # five steps, of which twice as large a step made two and a half
@example([0.3, 0.3])
def test_ticks_go_from_the_foot_of_the_drawing_to_its_top_and_no_further(values):
    found = ticks(drawn(*values))
    assert found[0][0] == pytest.approx(HEIGHT - BOTTOM)
    assert found[-1][0] == pytest.approx(TOP)
    gaps = [low[0] - high[0] for low, high in pairwise(found)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps), abs=0.11)
    assert 2 <= len(found) <= 7


def test_ticks_by_hand():
    # 0.587 to 0.597: steps of 0.0025 from 0.585 to 0.5975
    assert [words for _, words in ticks(drawn(0.587, 0.597))] == [0.585, 0.5875, 0.59, 0.5925, 0.595, 0.5975]
    assert [words for _, words in ticks(drawn(0, 1))] == [0, 0.25, 0.5, 0.75, 1]
