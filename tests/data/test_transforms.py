"""albumentations by name: what is refused before any work, what each draw follows from, and that pictures keep their size."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from lookalike.data import transforms
from lookalike.data.transforms import albumentations, are_known
from lookalike.settings import DataError

CONFIGS = Path(__file__).parents[2] / "configs" / "augment"


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def through(pictures, *said, seed=0):
    return albumentations(pictures, np.random.default_rng(seed), transforms=list(said))


def test_every_wrong_name_key_and_value_is_listed_at_once():
    with pytest.raises(ValueError, match="no such transform") as wrong:
        are_known(
            [
                {"name": "HorizontalFlap"},
                {"name": "HorizontalFlip", "p": 0.5},
                {"name": "Affine", "rotation": 5, "sheer": 2},
                {"name": "Affine", "p": 2, "scale": "big"},
                {"p": 0.5},
                {"name": "FDA"},
                {"name": "Resize"},
            ]
        )
    assert str(wrong.value).split("; ") == [
        "1. HorizontalFlap: albumentations has no such transform",
        "did you mean 'HorizontalFlip'?",
        "3. Affine.rotation: no such key",
        "did you mean 'rotate'?",
        "3. Affine.sheer: no such key",
        "did you mean 'shear'?",
        "4. Affine.scale: Input should be a valid tuple",
        "4. Affine.p: Input should be less than or equal to 1",
        "5. {'p': 0.5}: no name",
        "6. FDA: cannot be used here: it wants other pictures beside the picture",
        "7. Resize.width: Field required",
        "7. Resize.height: Field required",
    ]


def test_an_empty_list_changes_nothing(pictures):
    np.testing.assert_array_equal(through(pictures), pictures)


def test_transforms_follow_one_another_with_the_keys_they_are_given(pictures):
    turned = through(
        pictures, {"name": "HorizontalFlip", "p": 1}, {"name": "InvertImg", "p": 1}, {"name": "VerticalFlip", "p": 0}
    )
    np.testing.assert_array_equal(turned, 255 - pictures[:, :, ::-1])


def test_two_transforms_of_a_list_draw_apart():
    """`Compose.set_random_seed` gives both flips the same stream, and they would turn the same pictures, always."""
    corner = np.zeros((400, 4, 4, 3), np.uint8)
    corner[:, 0, 0] = 255
    turned = through(corner, {"name": "HorizontalFlip", "p": 0.5}, {"name": "VerticalFlip", "p": 0.5})
    at = Counter(tuple(int(place) for place in np.argwhere(one[..., 0])[0]) for one in turned)
    assert set(at) == {(0, 0), (0, 3), (3, 0), (3, 3)}
    assert min(at.values()) > 60  # a hundred each, by chance


def test_a_picture_of_another_size_is_refused_with_the_mend(pictures):
    with pytest.raises(
        DataError, match="32 x 32 x 3 uint8 came out as 40 x 40 x 3 uint8; .* Resize, height: 32, width: 32"
    ):
        through(pictures, {"name": "Resize", "height": 40, "width": 40})
    with pytest.raises(DataError, match="a picture of 32 x 32 x 3 uint8 cannot go through them: .*64"):
        through(pictures, {"name": "RandomCrop", "height": 64, "width": 64})


# They need keys, or change the size, which is refused when it happens.
NEED_KEYS = {"CenterCrop", "CropAndPad", "GridElasticDeform", "LongestMaxSize", "RandomCrop", "RandomResizedCrop"}
NEED_KEYS |= {"RandomSizedCrop", "Resize", "SmallestMaxSize"}
RESIZE = {"Crop", "PadIfNeeded", "RandomCropFromBorders", "RandomScale"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # some call themselves slow, or find nothing to do
def test_every_transform_that_may_be_named_works_on_a_picture_alone_and_follows_from_the_generator():
    """Another stream inside any of them, such as numpy's global one, would show here."""
    pictures = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    names = transforms._known().keys() - NEED_KEYS - RESIZE
    assert len(names) > 70
    for name in names:
        first, second = (through(pictures, {"name": name, "p": 1}, seed=3) for _ in range(2))
        np.testing.assert_array_equal(first, second, err_msg=name)


LISTS = {
    path.stem: said for path in CONFIGS.glob("*.yaml") if "transforms" in (said := yaml.safe_load(path.read_text()))
}


@pytest.mark.parametrize("said", LISTS.values(), ids=LISTS)
def test_every_list_of_the_project_can_be_used_and_leaves_white_ground_light(said):
    assert are_known(said["transforms"])
    white = np.full((20, 32, 32, 3), 255, np.uint8)
    assert through(white, *said["transforms"]).min() > 150


IMPORTED = (
    "import sys, lookalike.data.transforms as made; made.are_known([]); assert 'albumentations' not in sys.modules"
)


def test_albumentations_is_imported_where_it_is_named_and_does_not_look_for_updates():
    subprocess.run([sys.executable, "-c", IMPORTED], check=True)
    assert are_known([{"name": "NoOp"}])
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"]
