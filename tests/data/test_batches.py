"""What a training loop eats: an epoch is the same batches whoever makes them and wherever it begins; another epoch is not."""

import hashlib

import numpy as np
import pytest
import torch

from lookalike.data.augment import none, shift_and_light
from lookalike.data.batches import PlainBatches, TrainingBatches
from lookalike.data.sampler import Draw
from lookalike.data.transforms import albumentations, are_known

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 3), dtype=np.uint8)
LABELS = np.repeat(np.arange(4), 3)
PICTURES.setflags(write=False)  # as the cache's map is

# Python 3.12 and later warn of a fork beside torch's threads; workers leave those threads alone.
forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def batches(augment=shift_and_light, *, pictures=PICTURES, labels=LABELS, workers=0, **options):
    draw = Draw(labels=labels, **{"products": 2, "views": 2, "seed": 1, **options})
    return TrainingBatches(pictures, draw, augment, workers=workers)


def seen(made, epoch=0, start=0):
    """An epoch's pictures and labels, batch by batch."""
    made.set_epoch(epoch, start)
    return [(pictures.tolist(), labels.tolist()) for pictures, labels in made]


def noisy(pictures, random):
    """As sensitive as an augmentation can be: every pixel is drawn."""
    return random.integers(0, 256, pictures.shape, dtype=np.uint8)


def test_a_batch_is_pictures_with_their_labels():
    for pictures, labels in batches(none):
        for picture, label in zip(pictures, labels, strict=True):
            of_label = torch.from_numpy(PICTURES[label.item() == LABELS].copy())
            assert any(torch.equal(picture, one) for one in of_label)


def test_the_length_is_the_number_of_batches_of_a_whole_epoch():
    made = batches()
    assert len(made) == len(list(made)) == 2
    made.set_epoch(0, start=1)
    assert (len(made), len(list(made))) == (2, 1)


def test_an_epoch_can_be_made_again_and_the_next_one_differs():
    made = batches()
    assert seen(made) == seen(made) == seen(batches())
    assert seen(made) != seen(made, epoch=1)


def test_the_epoch_may_be_chosen_until_the_first_batch_is_asked_for():
    made = batches()
    begun = iter(made)
    made.set_epoch(1)
    assert next(begun)[0].tolist() == seen(made, epoch=1)[0][0]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=forks)])
def test_an_epoch_begun_in_its_middle_has_the_pixels_that_it_would_have_had(workers):
    made = batches(noisy, products=1, workers=workers)
    assert seen(made, epoch=3, start=2) == seen(batches(noisy, products=1), epoch=3)[2:]


@forks
def test_workers_give_the_same_pixels_in_the_same_order_epoch_after_epoch():
    alone, shared = batches(noisy, products=1), batches(noisy, products=1, workers=2)
    for epoch in (0, 1, 0):
        assert seen(shared, epoch) == seen(alone, epoch)


@forks
def test_an_iteration_given_up_leaves_nothing_to_the_next():
    made = batches(noisy, products=1, workers=2)
    next(iter(made))
    assert seen(made, epoch=1) == seen(batches(noisy, products=1), epoch=1)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=forks)])
def test_the_streams_that_the_training_draws_from_stay_where_they_are(workers):
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    seen(batches(workers=workers))
    after = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]


def test_the_augmentation_of_each_batch_epoch_seed_and_rank_is_its_own():
    drawn = [
        pictures
        for seed in (1, 2)
        for rank in (0, 1)
        for epoch in (0, 1)
        for pictures, _ in seen(batches(noisy, seed=seed, rank=rank, world=2), epoch)
    ]
    assert len({str(pictures) for pictures in drawn}) == len(drawn) == 16


CHAIN = [
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "Affine", "rotate": [-20, 20], "scale": [0.8, 1.2], "p": 1},
    {"name": "RandomBrightnessContrast", "p": 1},
]


def by_chain(pictures, random):
    return albumentations(pictures, random, transforms=CHAIN)


def digests(made):
    """A digest of every picture of two epochs."""
    return [
        hashlib.sha256(np.asarray(picture, np.uint8).tobytes()).hexdigest()
        for epoch in (0, 1)
        for pictures, _ in seen(made, epoch)
        for picture in pictures
    ]


@forks
def test_albumentations_draws_anew_for_every_picture_in_two_workers_and_two_epochs():
    """In it, workers draw what the others draw, and epoch 1 what epoch 0 drew: here one picture comes 48 times."""
    assert are_known(CHAIN)  # as the door asks; so the workers need not import it again
    picture = np.random.default_rng(5).integers(0, 256, (1, 40, 40, 3), dtype=np.uint8)
    same = np.repeat(picture, 24, axis=0)
    options = {"pictures": same, "labels": np.repeat(np.arange(12), 2)}
    first = digests(batches(by_chain, workers=2, **options))
    assert len(set(first)) == len(first) == 48
    assert digests(batches(by_chain, workers=2, **options)) == first
    assert digests(batches(by_chain, **options)) == first


def test_features_are_batched_like_pictures():
    features = np.arange(24, dtype=np.float32).reshape(12, 2)
    for some, labels in batches(none, pictures=features):
        assert some.dtype == torch.float32
        assert LABELS[(some[:, 0] / 2).int()].tolist() == labels.tolist()


def test_plain_batches_hold_every_picture_once_in_order():
    plain = PlainBatches(PICTURES, size=5)
    assert len(plain) == 3
    assert torch.equal(torch.cat(list(plain)), torch.from_numpy(PICTURES.copy()))
