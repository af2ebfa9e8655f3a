"""How much an archive may unpack to."""

from __future__ import annotations

import io
from typing import BinaryIO, Protocol

from ..errors import FormatError

__all__ = ["LimitedStream", "Readable", "check_size", "default_limit", "read_limited"]

# What an honest model can need. A layer of compression can blow up a file by 1,000 times, two by a million; numbers
# that were trained hardly compress at all.
_SMALLEST_LIMIT = 256 << 20
_LARGEST_RATIO = 100
_CHUNK = 1 << 20


class Readable(Protocol):
    """Anything with ``read``."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        ...


def default_limit(file_size: int) -> int:
    """Return the most bytes that a file of this size may unpack to: 100 times its own, at least 256 MiB."""
    return max(_SMALLEST_LIMIT, _LARGEST_RATIO * file_size)


def check_size(size: int, limit: int, what: str) -> None:
    """Refuse what would take more than `limit` bytes."""
    if size > limit:
        raise FormatError(
            f"{what} would unpack to more than {limit} bytes; if it is to be trusted, give max_size= to "
            "factorec.formats.artifact.read_artifact"
        )


def read_limited(file: Readable, limit: int, what: str) -> bytes:
    """Read to the end, counting what comes out instead of believing what a header says."""
    stream = LimitedStream(file, limit, what)
    return stream.read(limit + 1)


class LimitedStream:
    """A stream that is read once, front to back, and refuses to yield more than `limit` bytes.

    Parameters
    ----------
    file : binary file
    limit : int
    name : str
        For errors.

    Attributes
    ----------
    offset : int
        Bytes read so far.
    """

    def __init__(self, file: BinaryIO | Readable, limit: int, name: str) -> None:
        self._file = file
        self._limit = limit
        self.name = name
        self.offset = 0

    def error(self, message: str, offset: int | None = None) -> FormatError:
        """Make the error that names the stream and the place (None: the current one)."""
        return FormatError(f"{self.name}, offset {self.offset if offset is None else offset}: {message}")

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end; memory is taken as they come."""
        parts = io.BytesIO()  # whose value is not copied
        while parts.tell() < size and (chunk := self._next(size - parts.tell())):
            parts.write(chunk)
        return parts.getvalue()

    def skip(self, size: int) -> int:
        """Step over `size` bytes; return how many were not there."""
        while size and (chunk := self._next(size)):
            size -= len(chunk)
        return size

    def drain(self) -> None:
        """Read what is left, so that a checksum at the end is looked at."""
        while self._next(_CHUNK):
            pass

    def _next(self, size: int) -> bytes:
        chunk = self._file.read(min(size, _CHUNK))
        self.offset += len(chunk)
        check_size(self.offset, self._limit, self.name)
        return chunk
