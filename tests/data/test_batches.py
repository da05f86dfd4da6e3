"""What a training loop eats: the same epoch is the same batches, another one is not, and nothing of the map is changed."""

import numpy as np
import torch

from lookalike.data.augment import none, shift_and_light
from lookalike.data.batches import PlainBatches, TrainingBatches

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 3), dtype=np.uint8)
LABELS = np.repeat(np.arange(4), 3)
PICTURES.setflags(write=False)  # as the cache's map is


def batches(augment=shift_and_light):
    return TrainingBatches(PICTURES, LABELS, augment, products=2, views=2, seed=1)


def test_a_batch_is_pictures_with_their_labels():
    for pictures, labels in batches(none):
        for picture, label in zip(pictures, labels, strict=True):
            of_label = torch.from_numpy(PICTURES[label.item() == LABELS].copy())
            assert any(torch.equal(picture, one) for one in of_label)


def test_the_length_is_the_number_of_batches():
    assert len(batches()) == len(list(batches())) == 2


def test_an_epoch_can_be_made_again_and_the_next_one_differs():
    first, again, other = batches(), batches(), batches()
    other.set_epoch(1)
    drawn = [torch.cat([pictures for pictures, _ in one]) for one in (first, again, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_plain_batches_hold_every_picture_once_in_order():
    plain = PlainBatches(PICTURES, size=5)
    assert len(plain) == 3
    assert torch.equal(torch.cat(list(plain)), torch.from_numpy(PICTURES.copy()))
