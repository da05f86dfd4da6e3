"""The search of a catalog, against a full sort in numpy; and indexes, whose answers are exact for whomever they name."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.retrieval.index import KINDS, build, changed, read, search, write
from lookalike.retrieval.scan import Vectors, exact, widened
from lookalike.settings import ConfigError, DataError, DiskFullError

NAMES = ("ids", "scores", "shape", "color")


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def catalog(count, dimensions=8, colors=6, *, seed=0, ids=None):
    random = np.random.default_rng(seed)
    return Vectors(
        shape=unit(random.normal(size=(count, dimensions))),
        color=unit(random.random((count, colors))),
        ids=np.arange(count) * 3 + 5 if ids is None else np.array(ids, np.int64),
    )


def asking(vectors, count=9, seed=1):
    random = np.random.default_rng(seed)
    rows = random.integers(len(vectors.ids), size=count)
    moved = [of[rows] + 0.1 * random.normal(size=of[rows].shape) for of in (vectors.shape, vectors.color)]
    return [unit(of).astype(np.float32) for of in moved]


def some(vectors, rows, ids=None):
    return Vectors(shape=vectors.shape[rows], color=vectors.color[rows], ids=vectors.ids[rows] if ids is None else ids)


def brute(vectors, shape, color, weight, k, allowed=None):
    """Every score at once, in float64, and a full sort -> ids, scores (B, k)."""
    scores = (1 - weight) * shape.astype(float) @ vectors.shape.astype(float).T
    scores = np.round(scores + weight * color.astype(float) @ vectors.color.astype(float).T, 6)
    scores[:, ~allowed if allowed is not None else np.zeros(len(vectors.ids), bool)] = -np.inf
    order = np.lexsort((np.broadcast_to(vectors.ids, scores.shape), -scores), axis=1)[:, :k]
    scores = np.take_along_axis(scores, order, 1)
    ids, short = np.where(np.isinf(scores), -1, vectors.ids[order]), ((0, 0), (0, k - order.shape[1]))
    scores = np.where(np.isinf(scores), np.nan, scores)
    return np.pad(ids, short, constant_values=-1), np.pad(scores, short, constant_values=np.nan)


def assert_brute(found, vectors, shape, color, weight, k, allowed=None):
    ids, scores = brute(vectors, shape, color, weight, k, allowed)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(found.scores, scores.astype(np.float32))
    np.testing.assert_allclose((1 - weight) * found.shape + weight * found.color, scores, atol=1e-6)


@pytest.mark.parametrize("weight", [0, 0.3, 1])
@pytest.mark.parametrize("k", [1, 10, 9100])
def test_the_exact_search_brings_what_a_full_sort_brings(weight, k):
    vectors = catalog(9000)  # three blocks
    asked = asking(vectors, 3)
    assert_brute(exact(vectors, *asked, weight, k), vectors, *asked, weight, k)


@pytest.mark.parametrize("k", [1, 100, 5000])
def test_where_many_are_equal_the_lower_ids_are_kept_over_all_blocks(k):
    few = catalog(5)
    vectors = some(few, np.arange(9000) % 5, ids=np.arange(9000))
    asked = asking(few, 4)
    assert_brute(exact(vectors, *asked, 0.2, k), vectors, *asked, 0.2, k)


def test_what_float32_cannot_tell_apart_is_still_in_order():
    one = catalog(1, 400, 300)
    vectors = some(one, np.zeros(4000, int), ids=np.arange(4000))
    random = np.random.default_rng(0)
    rows, columns = np.arange(4000), random.integers(400, size=4000)
    vectors.shape[rows, columns] = np.nextafter(vectors.shape[rows, columns], np.float16(random.choice([-1, 1], 4000)))
    asked = asking(one, 12)  # scores differ from the sixth decimal on
    assert_brute(exact(vectors, *asked, 0.1, 40), vectors, *asked, 0.1, 40)


def test_the_score_and_its_two_parts_by_hand():
    vectors = Vectors(
        shape=np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float16),
        color=np.array([[0, 1], [1, 0], [1, 0]], np.float16),
        ids=np.array([4, 7, 9]),
    )
    found = exact(vectors, np.array([[1, 0]]), np.array([[1, 0]]), 0.25, 4)
    assert found.ids.tolist() == [[4, 9, 7, -1]]  # 0.75, 0.75 x 0.6 + 0.25 = 0.70, 0.25
    np.testing.assert_allclose(found.scores, [[0.75, 0.7, 0.25, np.nan]], atol=2e-4)  # 0.6 is no float16
    np.testing.assert_allclose(found.shape, [[1, 0.6, 0, np.nan]], atol=2e-4)
    assert found.color[0, :3].tolist() == [0, 1, 1]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_whatever_the_ids_the_order_and_the_filter_it_is_a_full_sort(data):
    ids = sorted(data.draw(st.sets(st.integers(-(2**62), 2**62) | st.integers(0, 50), min_size=1, max_size=60)))
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids))))
    order, k = data.draw(st.permutations(range(len(ids)))), data.draw(st.integers(1, 70))
    vectors = some(catalog(7), np.array(order) % 7, ids=np.array(ids))  # few places: ties everywhere
    asked, weight = asking(vectors, 3), data.draw(st.floats(0, 1))
    assert_brute(exact(vectors, *asked, weight, k, allowed), vectors, *asked, weight, k, allowed)


def test_a_score_does_not_hang_on_how_many_are_asked_at_once():
    vectors = catalog(5000, 64, 48)
    shape, color = asking(vectors, 20)
    whole = exact(vectors, shape, color, 0.4, 30)
    for one in range(20):
        alone = exact(vectors, shape[one : one + 1], color[one : one + 1], 0.4, 30)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[one])


def test_a_filter_that_leaves_nobody_brings_nobody():
    vectors = catalog(20)
    found = exact(vectors, *asking(vectors, 2), 0.5, 3, np.zeros(20, bool))
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert np.isnan(found.scores).all()


def test_every_finite_half_is_widened_to_the_same_number():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    np.testing.assert_array_equal(widened(halves).view(np.int32), halves.astype(np.float32).view(np.int32))


def test_a_catalog_on_the_disk_is_never_copied_whole(tmp_path):
    made = catalog(60_000, 64, 2)
    np.save(tmp_path / "shape.npy", made.shape)
    vectors = Vectors(shape=np.load(tmp_path / "shape.npy", mmap_mode="r"), color=made.color, ids=made.ids)
    asked, allowed = asking(made, 5), np.arange(60_000) % 3 > 0
    tracemalloc.start()
    try:
        found = exact(vectors, *asked, 0.2, 10, allowed)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < made.shape.nbytes  # which is half of what a float32 copy would take
    assert_brute(found, made, *asked, 0.2, 10, allowed)


def test_vectors_that_do_not_belong_together_are_refused():
    one = catalog(5)
    with pytest.raises(DataError, match="5 shape vectors, 4 color vectors and 5 ids"):
        Vectors(shape=one.shape, color=one.color[:4], ids=one.ids)
    with pytest.raises(DataError, match="are float16, these are float32 and float16"):
        Vectors(shape=one.shape.astype(np.float32), color=one.color, ids=one.ids)
    for ids in ([1, 2, 2, 3, 4], [1, 3, 2, 4, 5]):
        with pytest.raises(DataError, match="do not rise, or one comes twice"):
            Vectors(shape=one.shape, color=one.color, ids=np.array(ids))


ROWS = 1500


@pytest.fixture(scope="module")
def vectors():
    return catalog(ROWS, 12, 7)


@pytest.fixture(scope="module", params=KINDS)
def ann(request, vectors):
    return build(vectors, request.param, seed=0, tell=lambda _: None)


def everywhere(ann):
    """The index, looking so far that it finds all."""
    return ann.looking(ann.index.nlist if ann.kind == "ivf" else ROWS)


@pytest.mark.parametrize("weight", [0, 0.2, 1])
@pytest.mark.parametrize("share", [1, 0.5, 0.02])
def test_an_index_that_looks_everywhere_brings_what_a_full_sort_brings(vectors, ann, weight, share):
    asked, allowed = asking(vectors, 20), np.random.default_rng(3).random(ROWS) < share
    found = search(vectors, everywhere(ann), *asked, weight, 5, allowed if share < 1 else None, exact_left=0)
    assert_brute(found, vectors, *asked, weight, 5, allowed)


def test_an_index_that_looks_nearby_gives_exact_scores_to_whom_it_names(vectors, ann):
    asked = asking(vectors, 50)
    found = search(vectors, ann.looking(1), *asked, 0.3, 5)
    ids, scores = brute(vectors, *asked, 0.3, ROWS)
    for mine, own, row, told in zip(found.ids, found.scores, ids, scores, strict=True):
        assert len(set(mine)) == 5
        known = dict(zip(row.tolist(), told.astype(np.float32), strict=True))
        assert [known[one] for one in mine] == own.tolist() == sorted(own, reverse=True)


def test_between_two_known_weights_it_looks_as_far_as_the_one_that_needs_more(ann):
    told = ann.reaching([(1.0, 9, 12), (0.2, 5, 6), (0.5, 3, 8)])
    weights = (0, 0.2, 0.3, 0.5, 0.6, 1, 1.2)
    assert [told.effort_at(weight, filtered=False) for weight in weights] == [5, 5, 5, 3, 9, 9, 9]
    assert [told.effort_at(weight, filtered=True) for weight in weights] == [6, 6, 8, 8, 12, 12, 12]
    assert told.effort == 12  # in the file, for who knows of no weights
    assert [ann.looking(4).effort_at(weight, filtered=True) for weight in weights] == [4] * len(weights)


def test_it_looks_as_far_as_the_weight_that_is_asked_for_needs(vectors, ann):
    asked, all_there_is = asking(vectors, 100), everywhere(ann).effort
    told = ann.reaching([(0.0, 1, all_there_is), (0.5, 1, all_there_is), (1.0, all_there_is, 1)])
    assert_brute(search(vectors, told, *asked, 1.0, 5), vectors, *asked, 1.0, 5)
    near = search(vectors, told, *asked, 0.2, 5).scores
    assert near.sum() < exact(vectors, *asked, 0.2, 5).scores.sum()
    np.testing.assert_array_equal(near, search(vectors, ann.looking(1), *asked, 0.2, 5).scores)
    allowed = np.arange(ROWS) % 2 == 0
    assert_brute(search(vectors, told, *asked, 0.2, 5, allowed, exact_left=0), vectors, *asked, 0.2, 5, allowed)


@pytest.mark.parametrize(
    "efforts", [[], [(0, 0, 8)], [(0, 8, 0)], [(-0.1, 8, 8)], [(float("nan"), 8, 8)], [(1.5, 8, 8)]]
)
def test_efforts_that_cannot_be_are_refused(ann, efforts):
    with pytest.raises(DataError, match="give weights from 0 to 1, and 1 or more each; index the catalog again"):
        ann.reaching(efforts)


def test_the_more_are_wanted_the_further_the_index_looks(vectors, ann):
    asked, fourth = asking(vectors, 100), everywhere(ann).effort // 4
    found = search(vectors, ann.looking(fourth), *asked, 0.2, 100)  # four times as many as an effort is chosen for
    assert_brute(found, vectors, *asked, 0.2, 100)


def test_the_fewer_a_filter_leaves_the_further_the_index_looks(vectors, ann):
    asked, allowed = asking(vectors, 100), np.random.default_rng(3).random(ROWS) < 0.05
    twentieth = everywhere(ann).effort // 16
    found = search(vectors, ann.looking(twentieth), *asked, 0.2, 2, allowed, exact_left=0)
    assert_brute(found, vectors, *asked, 0.2, 2, allowed)


def test_a_filter_that_shuts_the_places_looked_at_still_brings_all_there_are(vectors, ann):
    asked = [of[:1] for of in asking(vectors)]
    far = np.isin(vectors.ids, brute(vectors, *asked, 0.2, ROWS)[0][0, -300:])
    found = search(vectors, ann.looking(1), *asked, 0.2, 400, far, exact_left=0)
    assert_brute(found, vectors, *asked, 0.2, 400, far)


def test_where_a_filter_leaves_few_the_index_is_not_asked(vectors, ann):
    asked, allowed = asking(vectors, 30), np.arange(ROWS) % 4 == 0
    assert_brute(search(vectors, ann.looking(1), *asked, 0.2, 10, allowed), vectors, *asked, 0.2, 10, allowed)
    nobody = search(vectors, ann, *asked, 0.2, 10, np.zeros(ROWS, bool), exact_left=0)
    assert (nobody.ids == -1).all()


@pytest.mark.parametrize("first", [-(10**15), 10**15])
def test_ids_may_lie_far_apart(ann, vectors, first):
    apart = Vectors(shape=vectors.shape, color=vectors.color, ids=first + np.arange(ROWS) * 10**9)
    asked, allowed = asking(vectors), np.arange(ROWS) % 3 == 0
    told = everywhere(build(apart, ann.kind, seed=0, tell=lambda _: None))
    found = search(apart, told, *asked, 0.2, 10, allowed, exact_left=0)
    assert_brute(found, apart, *asked, 0.2, 10, allowed)


def test_the_same_lists_are_learnt_with_the_same_seed(vectors):
    asked = asking(vectors, 40)
    one, same, other = (
        search(vectors, build(vectors, "ivf", seed=seed, tell=lambda _: None), *asked, 0.2, 10).ids
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_an_index_of_another_catalog_is_refused(vectors, ann):
    fewer = some(vectors, np.arange(ROWS - 1))
    with pytest.raises(DataError, match=f"holds {ROWS} pictures of 32 numbers, the catalog {ROWS - 1} of 32"):
        search(fewer, ann, *asking(fewer), 0.2, 5)


def test_an_index_that_names_strangers_is_refused(vectors, ann):
    others = Vectors(shape=vectors.shape, color=vectors.color, ids=vectors.ids + 1)
    with pytest.raises(DataError, match=r"the search index names \d+, which the catalog has not"):
        search(others, ann, *asking(others), 0.2, 5)


def test_a_catalog_without_pictures_has_no_index(ann):
    with pytest.raises(DataError, match="a catalog without pictures has no search index"):
        build(catalog(0), ann.kind, seed=0, tell=print)


def test_an_unknown_kind_is_told_with_those_there_are(vectors):
    with pytest.raises(ConfigError, match="no search index is of the kind 'tree'; there are: ivf, hnsw"):
        build(vectors, "tree", seed=0, tell=print)


def test_an_index_comes_back_from_its_file_as_it_was(vectors, ann, tmp_path):
    asked, allowed = asking(vectors, 30), np.arange(ROWS) % 2 == 0
    write(ann.looking(3), tmp_path / "search.faiss")
    back = read(tmp_path / "search.faiss")
    assert (back.kind, back.parameters, back.effort) == (ann.kind, ann.parameters, 3)
    for may in (None, allowed):
        one, other = (search(vectors, of, *asked, 0.2, 10, may, exact_left=0) for of in (ann, back))
        for name in NAMES:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    if ann.kind == "ivf":
        assert isinstance(faiss.downcast_InvertedLists(back.index.invlists), faiss.OnDiskInvertedLists)


def test_what_is_no_index_is_refused(tmp_path):
    (tmp_path / "search.faiss").write_bytes(b"not an index, and long enough to be one" * 100)
    with pytest.raises(DataError, match=r"search\.faiss: not a search index"):
        read(tmp_path / "search.faiss")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told(ann):
    with pytest.raises(DiskFullError, match="the disk is full"):
        write(ann, Path("/dev/full"))


def next_week(vectors):
    """A tenth is gone, fifty came, before, between and behind; twenty have another shape and ten another color."""
    more = catalog(50, 12, 7, seed=8, ids=[-9, -7, *np.arange(48) * 150 + 7])
    kept = some(vectors, np.arange(ROWS) % 10 != 4)
    shape, color = kept.shape.copy(), kept.color.copy()
    shape[100:120] = -shape[100:120]
    color[200:210] = color[200:210, ::-1]
    ids = np.concatenate([kept.ids, more.ids])
    both = Vectors(shape=np.vstack([shape, more.shape]), color=np.vstack([color, more.color]), ids=np.arange(len(ids)))
    order = np.argsort(ids)
    return Vectors(shape=both.shape[order], color=both.color[order], ids=ids[order])


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("filtered", [False, True])
def test_a_changed_index_answers_as_one_that_is_built_of_the_new_catalog(vectors, ann, tmp_path, from_file, filtered):
    if from_file:
        write(ann, tmp_path / "search.faiss")
        ann = read(tmp_path / "search.faiss")
    now, asked = next_week(vectors), asking(vectors, 40)
    before = search(vectors, ann.looking(7), *asked, 0.2, 10).ids
    told = changed(ann.reaching([(0.0, 3, 5), (1.0, 7, 7)]), vectors, now)
    assert (told.effort, told.effort_at(0, filtered=False), told.effort_at(0, filtered=True)) == (7, 3, 5)
    allowed = np.arange(len(now.ids)) % 2 == 0 if filtered else None
    found = search(now, everywhere(told), *asked, 0.2, 10, allowed, exact_left=0)
    assert_brute(found, now, *asked, 0.2, 10, allowed)
    gone = np.setdiff1d(vectors.ids, now.ids)
    assert not np.isin(found.ids, gone).any()
    assert np.isin(before, gone).any()
    np.testing.assert_array_equal(search(vectors, ann.looking(7), *asked, 0.2, 10).ids, before)  # it is left as it was


def test_a_picture_whose_vectors_are_others_is_found_once_where_it_is_now(vectors, ann):
    now = next_week(vectors)
    kept, rows, later = np.intersect1d(vectors.ids, now.ids, return_indices=True)
    shape, color = (
        (one[rows] != two[later]).any(1) for one, two in ((vectors.shape, now.shape), (vectors.color, now.color))
    )
    assert (shape.sum(), color.sum()) == (20, 10)
    told = changed(ann, vectors, now)
    for part, weight in ((shape, 0.0), (color, 1.0)):
        asked = [of[later[part]].astype(np.float32) for of in (now.shape, now.color)]
        found = search(now, everywhere(told), *asked, weight, 3)
        assert found.ids[:, 0].tolist() == kept[part].tolist()
        assert (found.ids[:, 1:] != kept[part][:, None]).all()


def test_a_changed_index_can_be_written_and_changed_again(vectors, ann, tmp_path):
    now, asked = next_week(vectors), asking(vectors, 20)
    write(changed(ann, vectors, now), tmp_path / "search.faiss")
    back = changed(read(tmp_path / "search.faiss"), now, vectors)
    assert_brute(search(vectors, everywhere(back), *asked, 0.5, 10), vectors, *asked, 0.5, 10)


@pytest.mark.parametrize(("gone", "slots"), [(150, ROWS), (600, ROWS - 600)])
def test_a_graph_of_which_too_many_are_gone_is_built_anew(vectors, gone, slots):
    graph, said = build(vectors, "hnsw", seed=0, tell=lambda _: None), []
    now = some(vectors, np.arange(gone, ROWS))
    told = changed(graph.looking(11), vectors, now, tell=said.append)
    assert (told.index.ntotal, told.effort) == (slots, 11)
    assert any("built anew" in line for line in said) == (slots < ROWS)
    asked = asking(vectors, 20)
    assert_brute(search(now, everywhere(told), *asked, 0.2, 10), now, *asked, 0.2, 10)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2)), max_size=60), st.sampled_from(KINDS))
def test_whatever_comes_and_goes_nothing_is_lost_and_nothing_stays(changes, kind):
    whole = catalog(100)  # a draw of 2 puts another picture under the same id
    before, now = np.arange(100) < 60, np.arange(100) < 60
    shape = whole.shape.copy()
    for at, what in changes:
        now[at] = what > 0
        if what == 2:
            shape[at] = whole.shape[99 - at]
    now[0] = True
    later = some(Vectors(shape=shape, color=whole.color, ids=whole.ids), np.flatnonzero(now))
    first = some(whole, np.flatnonzero(before))
    told = everywhere(changed(build(first, kind, seed=0, tell=lambda _: None), first, later))
    asked = asking(later, 5)
    assert_brute(search(later, told, *asked, 0.4, 100), later, *asked, 0.4, 100)


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_answers_where_pytorch_metric_learning_has_put_a_search_of_its_own_in_its_place(kind):
    program = f"""
import faiss.contrib.torch_utils  # what the library imports
import numpy as np
from lookalike.retrieval.index import build, search
from lookalike.retrieval.scan import Vectors
vectors = Vectors(shape=np.eye(64, dtype=np.float16), color=np.eye(64, dtype=np.float16), ids=np.arange(64))
ann = build(vectors, {kind!r}, seed=0, tell=lambda _: None).looking(64)
asked = np.eye(64, dtype=np.float32)
print((search(vectors, ann, asked, asked, 0.5, 1, None).ids[:, 0] == np.arange(64)).all())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
