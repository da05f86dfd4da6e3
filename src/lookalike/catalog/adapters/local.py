"""Local files that a source names, and no others: found, opened and read with care.

In: paths, as a user or a list wrote them. Out: lines of text, the names of pictures, the bytes of a picture. Never:
leaves the folder it was given, follows a link out of it, waits on a pipe, reads without a limit, or decodes a
picture.
"""

import codecs
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NoReturn

from lookalike.catalog.images import LIMITS
from lookalike.catalog.product import Row, RowError
from lookalike.settings import DataError

LONGEST_LINE = 2**20  # characters; a file without line ends comes in pieces of this, not all at once
PEEK = 2**16  # bytes that tell what a file is

_NOT_PICTURES = """
.txt .csv .tsv .json .jsonl .md .html .htm .xml .yaml .yml .toml .ini .log .pdf .doc .docx .xls .xlsx .mat .npy .npz
.pkl .parquet .db .sqlite .zip .tar .gz .py .sh .m .mp4 .mov
"""
NOT_PICTURES = frozenset(_NOT_PICTURES.split())
_WARILY = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW  # a pipe must not make us wait, nor a link set just now lead away
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def did_you_mean(given: str, there: Iterable[str]) -> str:
    """The hint to end a message with: the name among those there that comes close to the one given, if any does."""
    by_lower = {name.lower(): name for name in there}
    close = get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""


def a_file(path: Path, what: str) -> Path:
    """`path`, if it is a regular file with something in it; else a DataError that says what it should be."""
    _must_exist(path, what)
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not {what}.{_first_of(path, '*' + path.suffix)}")
    if not path.is_file():
        raise DataError(f"{path}: is a pipe or a device, not {what}; write it to a regular file first.")
    if not path.stat().st_size:
        raise DataError(f"{path}: is empty; it should be {what}.")
    return path


def a_folder(path: Path, what: str) -> Path:
    """`path`, if it is a folder; else a DataError that says what it should hold."""
    _must_exist(path, what)
    if not path.is_dir():
        raise DataError(f"{path}: is a file; give the folder, {what} (its own folder is {path.parent}).")
    return path


def _must_exist(path: Path, what: str) -> None:
    if path.exists():
        return
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    missing = path.absolute().relative_to(folder).parts[0]
    hint = did_you_mean(missing, (one.name for one in folder.iterdir()))
    raise DataError(f"{path}: there is no such file or folder ({what} is wanted; {folder} has no {missing!r}).{hint}")


def _first_of(folder: Path, pattern: str) -> str:
    files = sorted(one.name for one in folder.glob(pattern) if one.is_file() and one.suffix in {".csv", ".tsv", ".txt"})
    return f" Did you mean {str(folder / files[0])!r}?" if files else ""


def lines(path: Path, *, encoding: str = "") -> Iterator[str]:
    """The lines of a text file, one after the other, endings kept.

    Told by its byte order mark, else UTF-8. A byte that is not of the encoding comes as a lone surrogate (see
    `legible`), so one bad line costs no other.
    """
    try:
        encoding = encoding or _encoding(path)
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            yield from iter(partial(file.readline, LONGEST_LINE), "")
    except LookupError:
        raise DataError(
            f"{path}: {encoding!r} is no encoding; give adapter.encoding=utf-8, cp1252, utf-16 ..."
        ) from None
    except UnicodeError as wrong:
        raise DataError(f"{path}: is not {encoding} ({wrong}); save it as UTF-8.") from None
    except OSError as wrong:
        raise DataError(f"{path}: cannot be read ({wrong.strerror}); allow it, or give another file.") from None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(PEEK)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        raise DataError(f"{path}: is not text (it holds zero bytes); save it as text in UTF-8.")
    return "utf-8"


def legible(line: str) -> bool:
    """Whether every byte of the line was of the file's encoding."""
    return not any("\udc80" <= sign <= "\udcff" for sign in line)


def shown(line: str) -> str:
    """The line with bytes that are no text written out ("gr\\udcfcn"), so that it can be stored and shown."""
    return line if legible(line) else line.encode("utf-8", "backslashreplace").decode()


def table(path: Path, columns: tuple[str, ...], *, header_line: int) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Rows of a list whose columns are apart by blanks, each with its line number; None where the row is not whole.

    The last column may hold blanks. A list that is too short for its header, or whose header is another, is refused.
    """
    numbered = enumerate(lines(path), start=1)
    header = next((line.split() for number, line in numbered if number == header_line), [])
    if tuple(header) != columns:
        asked = f"line {header_line} should be {' '.join(columns)!r}"
        raise DataError(f"{path}: {asked} (it is {' '.join(header)[:80]!r}); give the official list, unaltered.")
    for number, line in numbered:
        cells = line.split(maxsplit=len(columns) - 1)
        if cells:
            whole = len(cells) == len(columns) and legible(line)
            yield number, dict(zip(columns, map(str.strip, cells), strict=True)) if whole else None


def broken_line(where: str, columns: tuple[str, ...]) -> Row:
    """The Row of a list's line that is not whole: it says so when read."""
    read = refuse("malformed", f"should tell {', '.join(columns)}")
    return Row(where=where, picture="", read=read, fields={})


def pictures(folder: Path) -> Iterator[str]:
    """Names, relative to the folder, of all files under it that may be pictures, in order.

    Hidden files and those whose suffix says that they are none (.txt, .csv ...) are left out; what else there is, the
    decoder judges. Links to folders are named too, and not followed: reading one says so.
    """
    for here, inner, names in os.walk(folder, onerror=_unreadable):
        inner[:] = sorted(name for name in inner if _is_shown(name))
        links = [name for name in inner if (Path(here) / name).is_symlink()]
        for name in sorted([*links, *filter(_may_be_picture, names)]):
            yield (Path(here) / name).relative_to(folder).as_posix()


def _unreadable(wrong: OSError) -> NoReturn:
    raise DataError(f"{wrong.filename}: cannot be read ({wrong.strerror}); allow it, or move it away.") from wrong


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _may_be_picture(name: str) -> bool:
    return _is_shown(name) and name != "Thumbs.db" and Path(name).suffix.lower() not in NOT_PICTURES


def picture(folder: Path, name: str) -> bytes:
    """The bytes of the file that `name` means inside `folder`; a RowError if it is missing, elsewhere or too large."""
    if not name.strip():
        raise RowError("no_picture", "the row names no picture")
    if "://" in name:
        raise RowError("url", f"{name!r} is an address, not a file; addresses are fetched by adapter=feed")
    path = _inside(folder, name)
    try:
        handle = os.open(path, _WARILY)
    except (FileNotFoundError, NotADirectoryError):
        raise RowError(
            "missing", f"there is no {name!r} in {folder}; correct the path, or put the picture there"
        ) from None
    except OSError as wrong:
        raise RowError("unreadable", f"{name!r} in {folder} cannot be opened: {wrong.strerror}") from None
    try:
        return _read(handle, name)
    finally:
        os.close(handle)


def _inside(folder: Path, name: str) -> Path:
    """Where `name` lies once links are followed, refused unless that is inside the folder."""
    root = folder.resolve()
    try:
        path = (root / name.replace("\\", "/")).resolve()
    except (ValueError, RuntimeError, OSError) as wrong:  # a zero byte, a loop of links, a name too long
        raise RowError("unreadable", f"{name!r} is no usable path: {wrong}") from None
    if not path.is_relative_to(root):
        raise RowError("outside", f"{name!r} leads out of {folder}, and only what is inside is read; copy it there")
    return path


def _read(handle: int, name: str) -> bytes:
    told = os.fstat(handle)
    if not stat.S_ISREG(told.st_mode):
        raise RowError("not_a_file", f"{name!r} is a folder, a pipe or a device, not a file")
    if told.st_size > LIMITS.bytes:
        raise RowError("too_many_bytes", f"{name!r} has {told.st_size:,} bytes, more than the {LIMITS.bytes:,} allowed")
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(LIMITS.bytes)


def refuse(reason: str, text: str) -> Callable[[], bytes]:
    """The `read` of a row that is known to be unusable: it raises RowError, so the row is counted and not lost."""
    return partial(_refuse, reason, text)


def _refuse(reason: str, text: str) -> NoReturn:
    raise RowError(reason, text)
