"""pytorch-metric-learning's losses in this room's form: they are what the library computes, and keep this room's conventions."""

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning import losses, miners
from torch import nn

from lookalike.losses.library import loss_maker, miner_maker, miner_names, names
from lookalike.losses.library_loss import apart
from lookalike.settings import ConfigError, DataError

PRODUCTS, VIEWS, WIDTH = 6, 3, 8
LABELS = torch.arange(PRODUCTS).repeat_interleave(VIEWS)
NEEDED = {"margin": 0.4, "Tn": 5}  # of RankedListLoss
TAKES_NO_MINER = ("InstanceLoss", "ManifoldLoss", "P2SGradLoss", "PNPLoss", "RankedListLoss", "VICRegLoss")
# Which must be able to use a memory: those for which the library's own supports it, but for NCALoss (below).
REMEMBERS = (*sorted(set(losses.CrossBatchMemory.supported_losses()) - {"NCALoss"}), "DynamicSoftMarginLoss")


def batch(seed=0, size=PRODUCTS * VIEWS):
    """Twins that are already a little alike, as everything is at stake for no loss at random."""
    random = torch.manual_seed(seed)
    centres = torch.randn(size // VIEWS, WIDTH, generator=random).repeat_interleave(VIEWS, 0)
    return F.normalize(centres + torch.randn(size, WIDTH, generator=random)).requires_grad_()


def ours(name, miner=None, **options):
    torch.manual_seed(7)
    return loss_maker(name)(WIDTH, PRODUCTS, miner, **options)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning", "ignore:Using a non-tuple:UserWarning")
def theirs(name, **options):
    """The same loss from the library, with the same weights."""
    kind = getattr(losses, name)
    options = options or (NEEDED if name == "RankedListLoss" else {})
    torch.manual_seed(7)
    if name == "P2SGradLoss":
        return kind(WIDTH, PRODUCTS)
    if name == "ManifoldLoss":
        return kind(WIDTH)
    sized = {"num_classes": PRODUCTS, "embedding_size": WIDTH}
    is_sized = issubclass(kind, losses.WeightRegularizerMixin)
    return kind(**(sized if is_sized else {}), **options)


def called_directly(name, embeddings):
    """As the library's documentation calls it. Two have ways of their own: views in two heaps, and proxies by number."""
    loss = theirs(name)
    if name == "VICRegLoss":
        return loss(embeddings[::VIEWS], ref_emb=embeddings[1::VIEWS])
    if name == "ManifoldLoss":
        return loss(embeddings, indices_tuple=LABELS)
    return loss(embeddings, LABELS)


pytestmark = pytest.mark.filterwarnings(  # of the library, when it is called directly
    "ignore:__array_wrap__:DeprecationWarning", "ignore:Using a non-tuple:UserWarning"
)


@pytest.mark.parametrize("name", names())
def test_every_loss_is_what_the_library_computes_and_has_a_gradient(name):
    embeddings = batch()
    loss = ours(name)(embeddings, LABELS)
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert loss.shape == ()
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0
    torch.testing.assert_close(loss, called_directly(name, batch()))


@pytest.mark.parametrize("name", sorted(set(names()) - set(TAKES_NO_MINER)))
def test_every_loss_that_takes_a_miner_is_what_the_library_computes_with_it(name):
    embeddings = batch()
    loss = ours(name, miner_maker("MultiSimilarityMiner")())(embeddings, LABELS)
    indices = miners.MultiSimilarityMiner()(embeddings, LABELS)
    torch.testing.assert_close(loss, theirs(name)(embeddings, LABELS, indices))


@pytest.mark.parametrize("name", TAKES_NO_MINER)
def test_a_loss_that_takes_no_miner_says_so_before_any_work(name):
    with pytest.raises(ConfigError, match=f"pml:{name} .* takes no miner; leave miner out"):
        ours(name, miner_maker("HDCMiner")())


@pytest.mark.parametrize("name", miner_names())
def test_every_miner_chooses_for_a_loss_as_it_does_in_the_library(name):
    embeddings, mine, library = batch(), miner_maker(name)(), getattr(miners, name)()
    loss = ours("TripletMarginLoss", mine)
    torch.manual_seed(1)  # some miners draw
    found = loss(embeddings, LABELS)
    torch.manual_seed(1)
    torch.testing.assert_close(found, losses.TripletMarginLoss()(embeddings, LABELS, library(embeddings, LABELS)))


@pytest.mark.parametrize("name", names())
def test_a_second_step_can_be_learnt_from_too(name):
    """DynamicSoftMarginLoss keeps a histogram, through which the library would walk back into the first step."""
    loss = ours(name)
    for seed in (0, 1):
        loss(batch(seed), LABELS).backward()


@pytest.mark.parametrize("name", names())
def test_a_loss_that_was_saved_goes_on_as_if_it_had_not_been_stopped(name):
    whole, resumed = ours(name), loss_maker(name)(WIDTH, PRODUCTS)
    whole(batch(0), LABELS)
    resumed.load_state_dict(whole.state_dict())
    assert resumed(batch(1), LABELS) == whole(batch(1), LABELS)


@pytest.mark.parametrize("name", names())
def test_a_batch_without_twins_gives_numbers_too(name):
    embeddings = batch(size=PRODUCTS)
    loss = ours(name)(embeddings, torch.arange(PRODUCTS))
    (gradient,) = torch.autograd.grad(loss, embeddings)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


# Others


def test_which_losses_can_be_given_a_memory():
    assert {name for name in names() if ours(name).takes_others} == set(REMEMBERS)


@pytest.mark.parametrize("name", REMEMBERS)
def test_a_batch_among_itself_is_the_batch_alone(name):
    embeddings = batch()
    among = ours(name)(embeddings, LABELS, embeddings, LABELS)
    torch.testing.assert_close(among, ours(name)(embeddings, LABELS))


# LiftedStructureLoss takes places among the others for places in the batch: right only where the batch comes first, as here.
@pytest.mark.parametrize("name", sorted(set(REMEMBERS) - {"DynamicSoftMarginLoss", "LiftedStructureLoss"}))
@pytest.mark.parametrize("miner", [None, "MultiSimilarityMiner", "BatchHardMiner"])
def test_among_others_a_loss_is_what_the_librarys_own_memory_makes_of_it(name, miner):
    older, embeddings = batch(seed=1), batch()
    memory = losses.CrossBatchMemory(theirs(name), WIDTH, 100, getattr(miners, miner)() if miner else None)
    memory(older.detach(), LABELS)
    wanted = memory(embeddings, LABELS)
    found = ours(name, miner_maker(miner)() if miner else None)(
        embeddings, LABELS, torch.cat([embeddings, older]), LABELS.repeat(2)
    )
    torch.testing.assert_close(found, wanted)


def test_why_two_losses_that_accept_others_are_not_given_any():
    embeddings, others = batch(), torch.cat([batch(), batch(seed=1)])
    nca, other_labels = losses.NCALoss(), LABELS.repeat(2)
    assert nca(embeddings, LABELS, ref_emb=embeddings.clone(), ref_labels=LABELS) < nca(embeddings, LABELS)  # own twin
    with pytest.raises(IndexError):
        losses.ThresholdConsistentMarginLoss()(embeddings, LABELS, ref_emb=others, ref_labels=other_labels)


def test_why_swap_and_the_easiest_twin_go_without_others():
    assert not ours("TripletMarginLoss", swap=True).takes_others
    assert not ours("TripletMarginLoss", miner_maker("BatchEasyHardMiner")()).takes_others
    anchors, twins, _, _ = miners.BatchEasyHardMiner()(batch(), LABELS, batch(), LABELS.clone())
    assert torch.equal(anchors, twins)  # each picture's easiest twin is itself
    others = torch.cat([batch(), batch(seed=1)])
    with pytest.raises(IndexError):
        losses.TripletMarginLoss(swap=True)(batch(), LABELS, ref_emb=others, ref_labels=LABELS.repeat(2))


# Labels that are not known


def test_each_unknown_label_becomes_a_label_of_its_own():
    assert apart(torch.tensor([3, -1, 0, -1])).tolist() == [3, 4, 0, 5]
    assert apart(torch.tensor([-1, -1])).tolist() == [0, 1]


def test_pictures_of_unknown_label_are_strangers_where_pairs_are_compared():
    embeddings, unknown = batch(), LABELS.clone()
    unknown[:VIEWS] = -1
    lonely = LABELS.clone()
    lonely[:VIEWS] = 100 + torch.arange(VIEWS)
    wanted = ours("TripletMarginLoss")(embeddings, lonely)
    torch.testing.assert_close(ours("TripletMarginLoss")(embeddings, unknown), wanted)
    torch.testing.assert_close(ours("TripletMarginLoss")(embeddings, unknown, embeddings, unknown), wanted)


@pytest.mark.parametrize(
    "name", [name for name in names() if issubclass(getattr(losses, name), losses.WeightRegularizerMixin)]
)
def test_pictures_of_no_class_are_left_out_where_classes_are_learnt(name):
    embeddings, unknown = batch(), LABELS.clone()
    unknown[:VIEWS] = -1
    torch.testing.assert_close(ours(name)(embeddings, unknown), theirs(name)(embeddings[VIEWS:], LABELS[VIEWS:]))
    assert ours(name)(embeddings, torch.full_like(LABELS, -1)) == 0


# Losses that need something special of a batch


def test_smooth_ap_finds_twins_wherever_they_stand():
    embeddings, order = batch(), torch.randperm(len(LABELS), generator=torch.manual_seed(0))
    torch.testing.assert_close(
        ours("SmoothAPLoss")(embeddings[order], LABELS[order]), theirs("SmoothAPLoss")(embeddings, LABELS)
    )


def test_smooth_ap_says_what_it_needs_of_a_batch():
    uneven = LABELS.clone()
    uneven[0] = 5
    with pytest.raises(DataError, match=r"this one has 2 to 4; set batch\.sampler=products"):
        ours("SmoothAPLoss")(batch(), uneven)


def test_vicreg_takes_the_first_two_pictures_of_each_product_wherever_they_stand_and_leaves_lonely_ones_out():
    embeddings, order = batch(), torch.randperm(len(LABELS), generator=torch.manual_seed(0))
    shuffled, labels = embeddings[order], LABELS[order]
    labels[labels == 0] = -1
    first, second = zip(*((labels == one).nonzero()[:2, 0].tolist() for one in range(1, PRODUCTS)), strict=True)
    wanted = losses.VICRegLoss()(shuffled[list(first)], ref_emb=shuffled[list(second)])
    torch.testing.assert_close(ours("VICRegLoss")(shuffled, labels), wanted)


def test_losses_that_need_the_length_of_a_vector_ask_for_it():
    assert {name for name in names() if ours(name).raw} == {"LargeMarginSoftmaxLoss", "SphereFaceLoss", "VICRegLoss"}


def test_a_miner_of_triplets_says_what_it_needs_of_a_batch():
    loss = ours("TripletMarginLoss", miner_maker("EmbeddingsAlreadyPackagedAsTriplets")())
    with pytest.raises(DataError, match=r"16 pictures are no threes; set batch\.sampler=triplets"):
        loss(batch()[:16], LABELS[:16])


def test_the_histogram_loss_is_the_chance_that_a_stranger_is_more_alike_than_a_twin():
    """Bins of a half have nodes at -1, -0.5, 0, 0.5, 1. Twins are 0 and 0.5 alike; strangers 0 (3 of 4) and -0.5."""
    embeddings = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, -0.5, 0.5, 0.5**0.5]])
    loss = loss_maker("HistogramLoss")(4, 2, delta=0.5)(embeddings, torch.tensor([0, 0, 1, 1]))
    assert loss.item() == pytest.approx(0.75 * 0.5)  # a stranger at 0 is not less alike than half of the twins


def test_a_loss_of_bins_says_what_two_equal_pictures_do_to_it():
    same = torch.eye(4)[[0, 0, 1, 2]]
    with pytest.raises(DataError, match=r"pml:HistogramLoss counts distances in bins.*take another loss"):
        ours("HistogramLoss")(same, torch.tensor([0, 0, 1, 1]))


def test_the_weights_of_a_loss_learn():
    loss = ours("ProxyAnchorLoss")
    assert isinstance(loss, nn.Module)
    loss(batch(), LABELS).backward()
    assert all(one.grad.abs().sum() > 0 for one in loss.parameters())
