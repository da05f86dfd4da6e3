"""A place in a bucket, s3://bucket/folder, with the few words of pathlib that pictures and data sets need.

In: an address. Out: an `S3Path`. Never: shows a secret, remembers what it listed, or says "not there" of what it could
not ask.

Who asks, and which server, is told where all of Amazon's tools look: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
AWS_PROFILE, ~/.aws; AWS_ENDPOINT_URL is a server of one's own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from lookalike.settings import PlaceError

SCHEME = "s3://"
ADDRESS = re.compile(rf"{SCHEME}(?P<bucket>[A-Za-z0-9._-]{{3,}})(?P<folder>(?:/.*)?)")
AT_ONCE = 16  # requests under way: a bucket answers one no sooner than many
TRIES = 2  # of a request, and as often of the whole answer
CALM = {
    "connect_timeout": 5,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": TRIES},
    "max_pool_connections": AT_ONCE,
}


@dataclass(frozen=True)
class S3Path:
    """A file or a folder in a bucket. A folder is there while a file is in it; a file is whole or not there."""

    key: str  # bucket/folder/name
    system: Any = field(repr=False, compare=False)  # an s3fs.S3FileSystem

    def __str__(self) -> str:
        return SCHEME + self.key

    def __truediv__(self, name: str) -> "S3Path":
        return replace(self, key=f"{self.key}/{name}".rstrip("/"))

    @property
    def name(self) -> str:
        """The last part."""
        return self.key.rpartition("/")[2]

    def is_file(self) -> bool:
        """Whether a file lies here."""
        return self.size() is not None

    def is_dir(self) -> bool:
        """Whether files lie below."""
        try:
            with _asking(self):
                return bool(self.system.info(self.key)["type"] == "directory")
        except FileNotFoundError:
            return False

    def size(self) -> int | None:
        """The bytes of the file here; None where there is none."""
        bucket, _, name = self.key.partition("/")
        try:
            with _asking(self):  # not by info(), which also looks for a folder where there is no file
                return int(self.system.call_s3("head_object", Bucket=bucket, Key=name)["ContentLength"])
        except FileNotFoundError:
            return None

    def sizes(self) -> dict[str, int]:
        """Every file below by its name from here on, with its bytes."""
        with _asking(self):
            found = self.system.find(self.key, detail=True)
        start = f"{self.key}/"
        inside = {name.removeprefix(start): told["size"] for name, told in found.items() if name.startswith(start)}
        return {name: size for name, size in inside.items() if name and name[-1] != "/"}  # a console's mark of a folder

    def iterdir(self) -> Iterator["S3Path"]:
        """What lies directly below."""
        with _asking(self):
            names = self.system.ls(self.key, detail=False)
        return (replace(self, key=name) for name in names if name.rstrip("/") != self.key)

    def read_bytes(self) -> bytes:
        """The file here; FileNotFoundError where there is none."""
        with _asking(self):
            return bytes(self.system.cat_file(self.key, max_concurrency=1))  # for more than one it asks the size first

    def write_bytes(self, data: bytes) -> int:
        """Put a file here: whoever reads sees the old one or the new one."""
        with _asking(self, for_bucket=True):
            self.system.pipe_file(self.key, data)
        return len(data)

    def unlink(self) -> None:
        """Remove the file here; that there is none is no fault."""
        with _asking(self):
            self.system.rm_file(self.key)


def reached(address: str) -> S3Path:
    """The place that an address means, once its bucket has answered; a PlaceError says what kept it from answering."""
    found = ADDRESS.fullmatch(address)
    if not found:
        raise PlaceError(f"{_bare(address)}: not a place that can be read; give a folder, or {SCHEME}bucket/folder")
    bucket, folder = found["bucket"], re.sub("/+", "/", found["folder"]).strip("/")
    place = S3Path(f"{bucket}/{folder}".rstrip("/"), _system(address))
    with _asking(place, for_bucket=True):
        place.system.call_s3("list_objects_v2", Bucket=bucket, Prefix=folder, MaxKeys=1)
    return place


def _system(address: str) -> Any:
    """What speaks to the server; one for all the places of a process."""
    try:
        from s3fs import S3FileSystem
    except ImportError:
        raise PlaceError(f"{address}: needs the package s3fs; pip install 'lookalike[s3]'") from None
    system = S3FileSystem(use_listings_cache=False, config_kwargs=CALM)
    system.retries = TRIES
    return system


@contextmanager
def _asking(place: S3Path, *, for_bucket: bool = False) -> Iterator[None]:
    """Turn what goes wrong on the way into a sentence. That a file is not there is an answer, except for_bucket."""
    from botocore.exceptions import BotoCoreError, ClientError
    from s3fs.core import S3_RETRYABLE_ERRORS

    try:
        yield
    except FileNotFoundError:
        if not for_bucket:
            raise
        bucket = place.key.partition("/")[0]
        raise PlaceError(f"{place}: the server has no bucket {bucket!r}. Make it, or give another place") from None
    except (OSError, BotoCoreError, ClientError, ValueError, *S3_RETRYABLE_ERRORS) as wrong:
        raise PlaceError(f"{place}: {_told(wrong, _bare(str(wrong)).rstrip('.'))}") from None


def _bare(text: str) -> str:
    """A text without what a URL in it may hold for a password."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _told(wrong: Exception, said: str) -> str:
    from botocore import exceptions

    if isinstance(wrong, PermissionError):
        return f"refused ({said}). Check the credentials: they must be allowed to list, read and write there"
    if isinstance(wrong, exceptions.ConnectionError | exceptions.HTTPClientError | TimeoutError | ConnectionError):
        return f"nobody answers ({said}). Check the network, and AWS_ENDPOINT_URL if the server is your own"
    if re.search("Credential|Profile|Token|SSO", type(wrong).__name__):
        return f"{said}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    return f"{said or type(wrong).__name__}. Check the address, and AWS_ENDPOINT_URL if the server is your own"
