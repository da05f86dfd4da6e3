"""The gate: every row becomes a product's view or is set aside with a reason, and nothing bad stops the rest."""

import io
from decimal import Decimal

import numpy as np
import pytest
from PIL import Image

from lookalike.catalog.intake import take_in
from lookalike.catalog.pictures import read
from lookalike.catalog.product import Row, RowError


def picture(seed=0, form="PNG"):
    """A blotchy picture, another for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC).save(buffer, form)
    return buffer.getvalue()


def row(number, data, **fields):
    return Row(where=f"line {number}", picture=f"{number}.png", read=lambda: data, fields={"product": "a", **fields})


def broken(number, reason):
    def refuse():
        raise RowError(reason, "it is broken")

    return Row(where=f"line {number}", picture=f"{number}.png", read=refuse, fields={})


def test_rows_of_one_product_become_one_product_with_views_in_their_order(tmp_path):
    rows = [row(1, picture(1), view="outside", price="$5"), row(2, picture(2), view="inside", brand="Elm")]
    found = take_in(rows, tmp_path)
    (product,) = found.products
    assert [view.view for view in product.views] == ["outside", "inside"]
    assert (product.price, product.currency, product.brand) == (Decimal(5), "USD", "Elm")
    assert read(tmp_path, product.views[0].sha256) == picture(1)
    assert (product.views[0].width, product.views[0].height, product.views[0].format) == (64, 48, "PNG")


def test_what_cannot_be_taken_in_is_set_aside_with_its_reason_and_the_rest_goes_on(tmp_path):
    rows = [
        row(1, b"<html>not a picture</html>"),
        row(2, picture(1)[:200]),
        row(3, picture(1), product=""),
        row(4, picture(1), split="trian"),
        row(5, picture(1), role="probe"),
        broken(6, "malformed"),
        Row(where="line 7", picture="", read=bytes, fields={"product": "b"}),
        row(8, b""),
        row(9, picture(1)),
    ]
    found = take_in(rows, tmp_path)
    assert found.rows == 9
    assert found.pictures == 1
    assert [one.reason for one in found.set_aside] == [
        "unsupported_format",
        "truncated",
        "no_product",
        "bad_split",
        "bad_role",
        "malformed",
        "no_picture",
        "empty",
    ]
    assert all(one.text.startswith(one.where) for one in found.set_aside)


def test_the_same_row_twice_is_one_view(tmp_path):
    found = take_in([row(1, picture(1)), row(2, picture(1))], tmp_path)
    assert (found.rows, found.pictures, found.repeated) == (2, 1, 1)


def test_the_same_picture_under_two_view_names_is_two_views(tmp_path):
    assert take_in([row(1, picture(1), view="a"), row(2, picture(1), view="b")], tmp_path).pictures == 2


def test_rows_that_disagree_about_their_product_are_told_and_the_first_is_believed(tmp_path):
    found = take_in([row(1, picture(1), brand="Elm"), row(2, picture(2), brand="Oak"), row(3, picture(3))], tmp_path)
    assert found.products[0].brand == "Elm"
    assert found.disagreements == ("product a: brand is 'Elm' and 'Oak'",)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_nothing(tmp_path, threads):
    rows = [row(n, picture(n % 7), product=f"p{n % 11}", view=str(n)) for n in range(150)]
    moved = []
    found = take_in(rows, tmp_path, threads=threads, progress=moved.append)
    assert found == take_in(rows, tmp_path, threads=2)
    assert sum(moved) == found.rows == 150


def test_a_fault_of_the_program_is_not_mistaken_for_a_bad_row(tmp_path):
    def fault():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take_in([Row(where="line 1", picture="x", read=fault, fields={"product": "a"})], tmp_path)
