"""What an offline W&B run holds, read back from its own file: the proof that it mirrors the run folder.

In: run-<id>.wandb. Out: `Mirrored`. Never: starts wandb, or asks a server.

The file is a log as LevelDB writes it: 7 bytes of header, then blocks of 32 KiB with pieces of records (checksum, length, kind,
data); the pieces of a record put together are one of wandb's protocol buffers.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from lookalike.settings import DataError

MAGIC = b":W&B\xe1\xbe\x00"
BLOCK = 32 * 1024
PIECE = struct.Struct("<IHB")  # checksum of kind and data, length of data, kind
WHOLE, LAST = 1, 4  # kinds that end a record


@dataclass(kw_only=True)
class Mirrored:
    """One W&B run as its file tells it."""

    id: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)  # the lines of history.jsonl
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name: type, files, metadata
    exit_code: int | None = None


def newest(folder: Path) -> Path:
    """The file of a run folder's last mirror; a resumed run has several, and the last has the whole history."""
    found = sorted(folder.glob("wandb/*run-*/run-*.wandb"))
    if not found:
        raise DataError(f"{folder}: no W&B run in it; train with tracking=both and WANDB_MODE=offline")
    return found[-1]


def read(path: Path) -> Mirrored:
    """A W&B run from its file; one that was killed is read as far as it goes."""
    proto: Any = import_module("wandb.proto.wandb_internal_pb2")  # only now: reading a run folder needs no wandb
    run = Mirrored()
    for data in records(path.read_bytes(), str(path)):
        _take(run, proto.Record.FromString(data))
    run.summary = {name: value for name, value in run.summary.items() if name not in run.tables}
    return run


def records(data: bytes, where: str) -> Iterator[bytes]:
    """The records of a log; a last one that was cut short is left out."""
    if not data.startswith(MAGIC):
        raise DataError(f"{where}: not a file of W&B (it begins with {data[:7]!r})")
    at, parts = len(MAGIC), b""
    while at + PIECE.size <= len(data):
        if BLOCK - at % BLOCK < PIECE.size:  # no piece begins in the last bytes of a block
            at += BLOCK - at % BLOCK
            continue
        checksum, length, kind = PIECE.unpack_from(data, at)
        body = data[at + PIECE.size : at + PIECE.size + length]
        if len(body) < length:
            return
        if zlib.crc32(body, zlib.crc32(bytes([kind]))) != checksum:
            raise DataError(f"{where}: altered at byte {at}: the checksum is not that of the data")
        at += PIECE.size + length
        parts += body
        if kind in {WHOLE, LAST}:
            yield parts
            parts = b""


def _take(run: Mirrored, said: Any) -> None:
    kind = said.WhichOneof("record_type")
    if kind == "run":
        run.id, run.project = said.run.run_id, said.run.project
        run.name, run.group = said.run.display_name, said.run.run_group
        run.config |= _told(said.run.config.update)
    elif kind == "config":
        run.config |= _told(said.config.update)
    elif kind == "history":
        _take_line(run, _told(said.history.item))
    elif kind == "summary":
        run.summary |= _told(said.summary.update)
    elif kind == "artifact":
        one = said.artifact
        held = [entry.path for entry in one.manifest.contents]
        run.artifacts[one.name] = {"type": one.type, "files": held, "metadata": json.loads(one.metadata or "{}")}
    elif kind == "exit":
        run.exit_code = said.exit.exit_code


def _take_line(run: Mirrored, line: dict[str, Any]) -> None:
    tables = {name: value for name, value in line.items() if isinstance(value, dict)}
    run.tables |= tables
    if not tables:
        run.history.append(line)


def _told(items: Iterable[Any]) -> dict[str, Any]:
    """Names and values; W&B's own names begin with an underscore and are left out."""
    found: dict[str, Any] = {}
    for item in items:
        path = list(getattr(item, "nested_key", ())) or [item.key]
        if path[0].startswith("_"):
            continue
        at = found
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = json.loads(item.value_json)
    return found
