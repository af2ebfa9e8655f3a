"""Whole records of a RecordIO file, some at a time, in memory that holds no more of the file than those."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import DataError, FormatError

__all__ = ["Block", "RecordStream", "format_errors", "open_records"]

_READ_BYTES = 1 << 22
_PADDING = 3  # zeros after a record, which may be left out of its size


class Block(NamedTuple):
    """Whole records inside of `data`."""

    data: bytes
    starts: npt.NDArray[np.int64]  # of each record in data, and the end of the last
    offset: int  # of the first in the file
    record: int  # number of the first in the file

    @property
    def n_records(self) -> int:
        return len(self.starts) - 1


class RecordStream:
    """A source of records; made by `open_records`."""

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self.max_record: int | None = None  # bytes that a record may have; what is larger is not held to its end
        self._file = None if isinstance(source, bytes) else source
        self._data: bytes = source if isinstance(source, bytes) else b""
        self._at = 0  # what lies before has been given away
        self._offset = 0
        self._record = 0

    def take(self, max_records: int, max_bytes: int | None = None) -> Block:
        """Return the next records: `max_records` of them unless the file ends or they have `max_bytes` and more."""
        while True:
            with format_errors(self.name):
                starts = _core.recordio_starts(
                    self._data, self._at, max_records, self._file is None, self._offset, self._record
                )
            left = len(self._data) - self._at
            if self.max_record is not None and len(starts) == 1 and left > self.max_record + _PADDING:
                place = f"{self.name}: record" if self.name else "record"
                raise FormatError(
                    f"{place} {self._record}, byte {self._offset}: it is larger than {self.max_record:,} bytes"
                )
            enough = max_bytes is not None and starts[-1] >= max_bytes
            if len(starts) > max_records or enough or not self._read_more():
                break
        if max_bytes is not None:
            starts = starts[: max(2, int(np.searchsorted(starts, max_bytes, "right")))]
        block = Block(self._data, starts + self._at, self._offset, self._record)
        self._at += int(starts[-1])
        self._offset += int(starts[-1])
        self._record += block.n_records
        return block

    def _read_more(self) -> bool:
        """Whether there may be more of the file than was looked at."""
        if self._file is None:
            return False
        # As much again as is there: what is copied and looked at again then stays in proportion to the file.
        piece = self._file.read(max(_READ_BYTES, len(self._data) - self._at))
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise DataError(
                f"{self.name or 'the file'} gives {type(piece).__name__}, not bytes: open it in binary mode"
            )
        if len(piece) == 0:
            self._file = None
        else:
            self._data = self._data[self._at :] + piece
            self._at = 0
        return True


@contextlib.contextmanager
def open_records(source: Any) -> Iterator[RecordStream]:
    """Open a path; or take a binary file, which stays open, or bytes."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield RecordStream(bytes(source), "")
    elif isinstance(source, str | os.PathLike):
        with open(source, "rb", buffering=0) as file:
            yield RecordStream(file, os.fspath(source))
    elif hasattr(source, "read"):
        name = getattr(source, "name", "")
        yield RecordStream(source, name if isinstance(name, str) else "")
    else:
        raise DataError(f"source must be a path, a binary file or bytes, not {type(source).__name__}")


@contextlib.contextmanager
def format_errors(name: str) -> Iterator[None]:
    """Errors of the core as errors of the file that has this name."""
    try:
        yield
    except ValueError as error:
        raise FormatError(f"{name}: {error}" if name else str(error)) from None
