import pytest

from lookalike.catalog import clean
from lookalike.catalog.adapters import sop
from lookalike.catalog.images import decode
from lookalike.catalog.product import RowError
from lookalike.settings import DataError

TRAIN = """image_id class_id super_class_id path
1 1 1 bicycle_final/111085122871_0.JPG
2 1 1 bicycle_final/111085122871_1.JPG
3 2 1 bicycle_final/111265328556_0.JPG
"""
TEST = """image_id class_id super_class_id path
59552 11319 3 coffee_maker_final/251952414262_0.JPG
"""


@pytest.fixture
def official(tmp_path, draw):
    """The official folder, with four pictures."""
    folder = tmp_path / "Stanford_Online_Products"
    for line in (TRAIN + TEST).splitlines():
        if line.endswith(".JPG"):
            draw(folder / line.split()[-1])
    (folder / "Ebay_train.txt").write_text(TRAIN)
    (folder / "Ebay_test.txt").write_text(TEST)
    return folder


def test_every_listed_picture_has_its_product_its_category_and_the_official_split(official):
    found = list(sop.rows(official))
    assert [(row.fields["product"], row.fields["category"], row.fields["split"]) for row in found] == [
        ("1", "bicycle", "train"),
        ("1", "bicycle", "train"),
        ("2", "bicycle", "train"),
        ("11319", "coffee_maker", "test"),
    ]
    assert (found[3].where, found[3].picture) == ("Ebay_test.txt, line 2", "coffee_maker_final/251952414262_0.JPG")
    assert all(decode(row.read()).shape == (6, 8, 3) for row in found)
    assert clean.read_view(found[3].fields).split == "test"


def test_the_folder_around_the_official_one_will_do(official):
    assert [row.picture for row in sop.rows(official.parent)] == [row.picture for row in sop.rows(official)]


def test_a_broken_line_and_a_missing_picture_are_set_aside_not_lost(official):
    (official / "Ebay_test.txt").write_text(TEST + "59553 11319\n59554 11319 3 coffee_maker_final/gone.JPG\n")
    *_, broken, gone = sop.rows(official)
    for row, reason in ((broken, "malformed"), (gone, "missing")):
        with pytest.raises(RowError) as wrong:
            row.read()
        assert wrong.value.reason == reason
    assert broken.where == "Ebay_test.txt, line 3"


def test_a_missing_list_and_an_altered_one_are_refused(official):
    (official / "Ebay_test.txt").write_text("image_id,class_id,super_class_id,path\n")
    with pytest.raises(DataError, match="line 1 should be 'image_id class_id super_class_id path'"):
        list(sop.rows(official))
    (official / "Ebay_test.txt").unlink()
    with pytest.raises(DataError, match=r"has no 'Ebay_test.txt'\).* Did you mean 'Ebay_train.txt'\?"):
        list(sop.rows(official))
