"""Closed forms do what their formulas say: checked by hand, against scikit-learn, and by what must not matter."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lookalike.models.closed import Affine, affine, centering, lda, pca_whitening, whitening
from lookalike.settings import DataError


def drawn(seed=0, *, labels=20, each=4, width=8, within=0.1):
    """Features whose twins differ most along the first axis, and whose labels lie apart along the others."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(labels, width)).repeat(each, axis=0)
    scatter = random.normal(size=(labels * each, width)) * within
    scatter[:, 0] *= 10
    return (centers + scatter).astype(np.float32), np.arange(labels).repeat(each)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mapped(fit, features):
    return (unit(features.astype(float)) - fit.mean) @ fit.matrix


def within_covariance(rows, labels):
    away = np.concatenate([rows[labels == one] - rows[labels == one].mean(0) for one in np.unique(labels)])
    return away.T @ away / (len(rows) - len(np.unique(labels)))


def nearest_is_twin(vectors, labels):
    likeness = unit(vectors) @ unit(vectors).T
    np.fill_diagonal(likeness, -2)
    return (labels[likeness.argmax(1)] == labels).mean()


def test_whitening_by_hand():
    # Unit vectors at 0 and 90 degrees are twins, so are those at 0 and -90: around its mean each pair differs by
    # (+-1/2, -+1/2), so the covariance is [[1/2, 0], [0, 1/2]] over two degrees of freedom. Its root inverse: sqrt(2) I.
    features = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.0, -4.0]])
    (fit,) = whitening(features, np.array([0, 0, 1, 1]), shrinkage=[0.0])
    np.testing.assert_allclose(fit.matrix, np.sqrt(2) * np.eye(2), atol=1e-12)
    np.testing.assert_allclose(fit.mean, [0.5, 0.0])


def test_after_whitening_twins_differ_equally_in_every_direction():
    features, labels = drawn()
    (fit,) = whitening(features, labels, shrinkage=[0.0])
    np.testing.assert_allclose(within_covariance(mapped(fit, features), labels), np.eye(8), atol=1e-9)


def test_shrinkage_mixes_the_covariance_with_a_multiple_of_the_identity():
    features, labels = drawn()
    (fit,) = whitening(features, labels, shrinkage=[0.3])
    found = within_covariance(unit(features.astype(float)), labels)
    wanted = 0.7 * found + 0.3 * np.trace(found) / 8 * np.eye(8)
    np.testing.assert_allclose(np.linalg.inv(fit.matrix @ fit.matrix), wanted, rtol=1e-8, atol=1e-12)


def test_whole_shrinkage_is_centering_at_another_scale():
    features, labels = drawn()
    (white,), (center,) = whitening(features, labels, shrinkage=[1.0]), centering(features, labels)
    np.testing.assert_allclose(unit(mapped(white, features)), unit(mapped(center, features)), atol=1e-9)


def test_pca_whitening_is_that_of_scikit_learn():
    features, labels = drawn()
    (fit,) = pca_whitening(features, labels, shrinkage=[0.0], dimensions=5)
    oracle = PCA(5, whiten=True).fit(unit(features.astype(float)))
    theirs = oracle.transform(unit(features.astype(float))) * np.sqrt(len(features) / (len(features) - 1))
    np.testing.assert_allclose(np.abs(mapped(fit, features)), np.abs(theirs), atol=1e-8)


def test_lda_spans_the_directions_of_scikit_learn():
    features, labels = drawn(labels=12, each=6)
    (fit,) = lda(features, labels, shrinkage=[0.0], dimensions=3)
    rows = unit(features.astype(float))
    oracle = LinearDiscriminantAnalysis(solver="eigen", n_components=3).fit(rows, labels)
    ours, theirs = (np.linalg.qr(one)[0] for one in (fit.matrix, oracle.scalings_[:, :3]))
    np.testing.assert_allclose(np.linalg.svd(ours.T @ theirs)[1], 1, atol=1e-6)


@pytest.mark.parametrize("closed", [whitening, lda])
def test_closed_forms_that_know_the_labels_find_more_twins_than_none(closed):
    features, labels = drawn(within=0.3)
    learnt, others = labels < 12, labels >= 12
    fit = next(closed(features[learnt], labels[learnt], shrinkage=[0.1]))
    assert nearest_is_twin(mapped(fit, features)[others], labels[others]) > nearest_is_twin(
        features[others], labels[others]
    )


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False), st.floats(0.01, 100))
def test_neither_the_order_nor_the_brightness_of_pictures_matters(random, scale):
    features, labels = drawn()
    order = random.sample(range(len(labels)), len(labels))
    (one,) = whitening(features, labels, shrinkage=[0.2])
    (other,) = whitening(features[order] * scale, labels[order], shrinkage=[0.2])
    np.testing.assert_allclose(one.matrix, other.matrix, rtol=1e-4, atol=1e-5)


def test_pictures_without_a_twin_and_without_a_label_teach_the_mean_alone():
    features, labels = drawn()
    more = np.concatenate([features, np.random.default_rng(1).normal(size=(3, 8))])
    (one,) = whitening(features, labels, shrinkage=[0.2])
    (other,) = whitening(more, np.concatenate([labels, [-1, -1, 99]]), shrinkage=[0.2])
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-12)
    assert not np.allclose(one.mean, other.mean)


def test_directions_in_which_nothing_varies_are_not_blown_up():
    features, labels = drawn()
    flat = np.concatenate([features, np.zeros((len(features), 4))], axis=1)
    (fit,) = whitening(flat, labels, shrinkage=[0.0])
    assert np.isfinite(fit.matrix).all()
    assert np.abs(mapped(fit, flat)).max() < 1e4


def test_several_shrinkages_are_offered_to_choose_from():
    features, labels = drawn()
    assert [fit.says for fit in whitening(features, labels, shrinkage=[0.1, 0.5])] == [
        "within-class whitening, shrinkage 0.1",
        "within-class whitening, shrinkage 0.5",
    ]
    assert len(list(lda(features, labels))) == 5


def test_labels_without_a_twin_are_refused_with_the_mend():
    with pytest.raises(DataError, match="match by something wider"):
        next(whitening(np.eye(3), np.array([0, 1, 2])))


def test_a_head_becomes_the_closed_form_that_it_takes():
    features, labels = drawn()
    (fit,) = whitening(features, labels, shrinkage=[0.2])
    room = Affine(8, 8)
    room.take(fit)
    given = room(torch.from_numpy(features)).detach().numpy()
    np.testing.assert_allclose(given, mapped(fit, features), rtol=1e-3, atol=1e-4)


def test_an_affine_head_keeps_the_width_unless_told_otherwise():
    assert affine(8)(torch.ones(2, 8)).shape == (2, 8)
    assert affine(8, dimensions=3)(torch.ones(2, 8)).shape == (2, 3)
