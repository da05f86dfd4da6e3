"""The race: a slower embedder takes longer a picture, whatever the size of its batches."""

import time

import numpy as np
import pytest

from lookalike.release import speed


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.02)


def sleeping(milliseconds):
    def embed(pictures):
        time.sleep(len(pictures) * milliseconds / 1000)
        return pictures

    return embed


@pytest.mark.parametrize("batches", [[1, 1, 1], [4]])
def test_milliseconds_are_of_one_picture(batches):
    pictures = [np.zeros((count, 2, 2, 3), np.uint8) for count in batches]
    found = speed.race({"slow": sleeping(6), "quick": sleeping(2)}, pictures, rounds=3)
    assert 6 <= found["slow"] < 12
    assert 2 <= found["quick"] < 6


def test_all_take_turns():
    turns = []

    def noting(name):
        def embed(pictures):
            turns.append(name)
            time.sleep(0.03)
            return pictures

        return embed

    speed.race({"a": noting("a"), "b": noting("b")}, [np.zeros((1, 2, 2, 3), np.uint8)], rounds=2)
    assert "".join(turns) == "abab" + "ab"
