"""The reader of W&B's own files, on logs written by hand; test_mirror reads real ones."""

import struct
import zlib

import pytest

from lookalike.settings import DataError
from lookalike.tracking.mirror_file import BLOCK, MAGIC, newest, read, records

FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def piece(data, kind):
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data


def test_whole_records_are_read_in_their_order():
    log = MAGIC + piece(b"one", FULL) + piece(b"", FULL) + piece(b"three", FULL)
    assert list(records(log, "")) == [b"one", b"", b"three"]


def test_a_record_that_was_split_is_put_together():
    log = MAGIC + piece(b"on", FIRST) + piece(b"e and", MIDDLE) + piece(b" two", LAST) + piece(b"three", FULL)
    assert list(records(log, "")) == [b"one and two", b"three"]


@pytest.mark.parametrize("left", range(8))
def test_the_last_bytes_of_a_block_hold_no_piece_when_they_cannot(left):
    """Seven bytes are enough for a piece without data, six are not; nor is a piece begun at the very end."""
    first = bytes(BLOCK - len(MAGIC) - 7 - left)
    begun = piece(b"", FIRST) + piece(b"next", LAST) if left == 7 else bytes(left) + piece(b"next", FULL)
    log = MAGIC + piece(first, FULL) + begun
    assert log[BLOCK:].endswith(b"next")
    assert list(records(log, "")) == [first, b"next"]


def test_a_last_record_that_was_cut_short_is_left_out_wherever_it_was_cut():
    whole = MAGIC + piece(b"one", FULL)
    last = piece(b"tw", FIRST) + piece(b"o", LAST)
    for end in range(len(last)):
        assert list(records(whole + last[:end], "")) == [b"one"]


def test_what_was_altered_or_is_another_file_is_named():
    log = bytearray(MAGIC + piece(b"one", FULL) + piece(b"two", FULL))
    log[-1] ^= 1
    with pytest.raises(DataError, match="x.wandb: altered at byte 17: the checksum"):
        list(records(bytes(log), "x.wandb"))
    with pytest.raises(DataError, match="x.wandb: not a file of W&B"):
        list(records(b"PK", "x.wandb"))


def test_a_run_folder_without_a_mirror_says_how_to_have_one(tmp_path):
    with pytest.raises(DataError, match="no W&B run in it; train with tracking=both"):
        newest(tmp_path)


def test_a_run_that_has_only_begun_is_an_empty_one(tmp_path):
    (tmp_path / "run-1.wandb").write_bytes(MAGIC)
    found = read(tmp_path / "run-1.wandb")
    assert (found.history, found.summary, found.exit_code) == ([], {}, None)
