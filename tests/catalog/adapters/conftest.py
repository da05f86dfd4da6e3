import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def draw():
    """Puts a tiny picture of its own color at a path, folders and all, and gives its bytes."""
    rng = np.random.default_rng(0)

    def at(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(path, "JPEG")
        return path.read_bytes()

    return at
