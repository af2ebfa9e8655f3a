"""Where the files of a batch transform are: a folder of this machine, or S3."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..._atomic import atomic_file
from ...errors import DataError
from ..payload import MIB

__all__ = ["LocalStore", "S3Store", "Source", "Store", "is_s3", "open_store"]


@dataclass(frozen=True)
class Source:
    """An input file.

    Attributes
    ----------
    path : str
        What the store opens, and errors show.
    name : str
        The path below the input prefix, which the output is named after.
    size : int
        Bytes.
    """

    path: str
    name: str
    size: int


class Store(Protocol):
    """Where files are listed, read and written."""

    def find(self, prefix: str) -> list[Source]:
        """All files below a prefix, sorted by name."""
        ...

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        ...

    def read(self, path: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file to be read from its beginning."""
        ...

    def place(self, folder: str, name: str) -> str:
        """Where the file `name`, which the input's owner chose, is to be written."""
        ...

    def write(self, path: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file that is there when the block has ended well, and not at all if it fails."""
        ...


def is_s3(uri: str) -> bool:
    """Whether it is an object or prefix in S3; anything else is a path."""
    return uri.startswith("s3://")


def open_store(uri: str) -> Store:
    """The store of a path or an URI."""
    if is_s3(uri):
        return S3Store()
    scheme, separator, _ = uri.partition("://")
    if separator:
        raise DataError(f"{scheme}:// is not supported; give a path or s3://bucket/prefix")
    return LocalStore()


class LocalStore:
    """Files of this machine; a prefix is a file or a folder, with all folders in it."""

    def find(self, prefix: str) -> list[Source]:
        """All files below a prefix, sorted by name. Names that begin with a dot are left out."""
        root = Path(prefix)
        if not root.is_dir():
            return [Source(str(root), root.name, root.stat().st_size)]
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            names += [Path(folder, name) for name in files if not name.startswith(".")]
        files_ = [path for path in names if path.is_file()]
        return sorted(
            (Source(str(path), path.relative_to(root).as_posix(), path.stat().st_size) for path in files_),
            key=lambda source: source.name,
        )

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        return Path(path).stat().st_size

    def read(self, path: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file to be read from its beginning."""
        return open(path, "rb")

    def place(self, folder: str, name: str) -> str:
        """Join folder and name; keys of S3 may hold anything, ``../..`` too."""
        if "\0" in name or {"", ".", ".."} & set(name.split("/")):
            raise DataError(f"the output would be named {name!r}, which cannot be a file below a folder")
        return f"{folder}/{name}"

    @contextlib.contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Open a file that is there when the block has ended well; its folders are made."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            yield file


class S3Store:
    """Objects in S3, through s3fs (extra ``sagemaker``).

    Credentials come from the environment, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and
    ``AWS_SESSION_TOKEN``, and from nowhere else; ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` names another server
    than Amazon's.
    """

    # What is held in memory of each file. Parts of an upload must have 5 MiB, and there are at most 10,000.
    BLOCK_BYTES = 16 * MIB

    def __init__(self) -> None:
        try:
            import s3fs
        except ImportError:
            raise ImportError('s3:// needs s3fs; run: pip install "factorec[sagemaker]"') from None
        try:
            key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        except KeyError as error:
            raise DataError(f"s3:// needs {error.args[0]} in the environment") from None
        self._fs: Any = s3fs.S3FileSystem(
            key=key,
            secret=secret,
            token=os.environ.get("AWS_SESSION_TOKEN"),
            use_listings_cache=False,
            skip_instance_cache=True,  # the next one may find other credentials
        )

    def find(self, prefix: str) -> list[Source]:
        """All objects whose key begins with a prefix, sorted by key; those that stand for a folder are left out.

        Two guesses. A prefix that is a key means that object alone, not also its ``.out`` of an earlier run beside it.
        Names are relative to the prefix, if it is the folder of all objects, otherwise to the folder that it is in.
        """
        path = prefix.removeprefix("s3://")
        bucket, _, key = path.partition("/")
        if not bucket:
            raise DataError(f"{prefix!r} names no bucket")
        above, _, beginning = key.rpartition("/")
        parent = f"{bucket}/{above}".rstrip("/")
        with _as_os_error(prefix):
            found = self._fs.find(parent, prefix=beginning, detail=True)
        sizes = {
            name: int(info["size"])
            for name, info in sorted(found.items())
            if info["type"] == "file" and not info["Key"].endswith("/")
        }
        if path in sizes:
            sizes = {path: sizes[path]}
        folder = f"{path.rstrip('/')}/"
        if not all(name.startswith(folder) for name in sizes):
            folder = f"{parent}/"
        return [Source(f"s3://{name}", name.removeprefix(folder), size) for name, size in sizes.items()]

    def size(self, path: str) -> int:
        """How many bytes an object has."""
        with _as_os_error(path):
            return int(self._fs.info(path)["size"])

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[BinaryIO]:
        """Open an object to be read from its beginning."""
        with _as_os_error(path), self._fs.open(path, "rb", block_size=self.BLOCK_BYTES, cache_type="readahead") as file:
            yield io.BufferedReader(file, MIB)  # type: ignore[type-var, unused-ignore]

    def place(self, folder: str, name: str) -> str:
        """Join prefix and name: a key may be anything."""
        return f"{folder}/{name}"

    @contextlib.contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Open an object that is there when the block has ended well; if it fails, the upload is aborted."""
        with _as_os_error(path):
            file = self._fs.open(path, "wb", block_size=self.BLOCK_BYTES)
        try:
            with _as_os_error(path):
                yield file
                file.close()
        except BaseException:
            # Closing would complete the upload, and so would the collector.
            file.closed = True
            with contextlib.suppress(Exception):
                file.discard()
            raise


@contextlib.contextmanager
def _as_os_error(path: str) -> Iterator[None]:
    """Name the object in errors of the client, which does not, and which has its own kinds."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        kind = type(error) if type(error) in (FileNotFoundError, PermissionError) else OSError
        raise kind(error.errno or errno.EIO, error.strerror or str(error), path) from error
    except BotoCoreError as error:  # such as a server that cannot be reached
        raise OSError(errno.EIO, str(error), path) from error
