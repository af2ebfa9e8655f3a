"""The channels of a training job: which files, and the rows in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from ..errors import DataError, FormatError
from ..formats.recordio import iter_recordio
from .messages import CSV, RECORDIO, ContentType
from .messages.csv_rows import read_csv
from .messages.errors import PayloadError

__all__ = ["Channel", "read_rows"]

_LINES_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Channel:
    """A channel of a job.

    Attributes
    ----------
    name : str
    folder : Path
    content_type : str
        As the job's configuration has it; empty: recordio-protobuf.
    """

    name: str
    folder: Path
    content_type: str = ""

    def files(self) -> list[Path]:
        """All files of the channel, in folders too, in the order of their paths; hidden ones are left out.

        Raises
        ------
        DataError
            If there is none.
        """
        found = sorted(
            path
            for path in self.folder.rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        )
        if not found:
            raise DataError(f"channel {self.name!r} has no files: {self.folder} {_state(self.folder)}")
        return found


def read_rows(channel: Channel, n_features: int | None, *, takes_csv: bool) -> tuple[Any, npt.NDArray[np.float64]]:
    """Read a channel, file after file, so that memory holds every row once.

    Parameters
    ----------
    channel : Channel
    n_features : int, optional
        That every row must have; None: as many as the first.
    takes_csv : bool
        Whether ``text/csv;label_size=1`` is taken beside recordio-protobuf.

    Returns
    -------
    X : csr_array of float32, or ndarray if all records are dense
    y : ndarray of float64

    Raises
    ------
    DataError, FormatError
        Naming the file.
    """
    is_csv = _is_csv(channel, takes_csv)
    rows = _Rows()
    for path in channel.files():
        read = _csv_pieces(path, n_features) if is_csv else _record_pieces(path, n_features)
        first = rows.labels.size
        try:
            for X, y in read:
                rows.add(X, y, rows.labels.size - first)
                n_features = X.shape[1]
        except FormatError as error:  # names the file already
            raise error if str(path) in str(error) else FormatError(f"{path}: {error}") from None
        except PayloadError as error:
            raise DataError(f"{path}: {error.detail}") from None
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    if rows.labels.size == 0:
        raise DataError(f"channel {channel.name!r} has no rows")
    return rows.matrix(), rows.labels.array()


def _is_csv(channel: Channel, takes_csv: bool) -> bool:
    given = ContentType.parse(channel.content_type or RECORDIO)
    known = (RECORDIO, CSV) if takes_csv else (RECORDIO,)
    if given.name not in known:
        raise DataError(
            f"channel {channel.name!r}: content-type {given.name[:100]!r} not supported; this algorithm trains on "
            + ", ".join(known)
        )
    if given.name == CSV and given.parameters.get("label_size", "1") != "1":
        raise DataError(
            f"channel {channel.name!r}: label_size must be 1, got {given.parameters['label_size']!r}: the first column "
            "is the label"
        )
    return given.name == CSV


def _record_pieces(path: Path, n_features: int | None) -> Iterator[tuple[Any, npt.NDArray[Any]]]:
    n_rows = 0
    for records in iter_recordio(path, n_features=n_features):
        if records.y is None:
            raise DataError(f"record {n_rows} has no label: training needs one under 'values'")
        yield records.features, records.y
        n_rows += records.n_rows


def _csv_pieces(path: Path, n_features: int | None) -> Iterator[tuple[Any, npt.NDArray[Any]]]:
    with open(path, "rb") as file:
        first = 0
        while lines := list(islice(file, _LINES_AT_ONCE)):
            if n_features is None:
                n_features = next((line.count(b",") for line in lines if line.strip()), None)
                if n_features == 0:
                    raise DataError("the first line has no comma: the label and at least one feature are needed")
            if n_features is not None:
                try:
                    table = read_csv(b"".join(lines), n_features + 1)  # the label is one more number
                except PayloadError as error:
                    raise DataError(f"in the lines from {first + 1} on: {error.detail}") from None
                yield table[:, 1:], table[:, 0]
            first += len(lines)


def _state(folder: Path) -> str:
    return "is empty" if folder.is_dir() else "is not there"


class _Growing:
    """A vector that grows at its end: where the system can, without a second copy."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._values = np.empty(1 << 12, dtype)
        self.size = 0

    def extend(self, values: npt.NDArray[Any]) -> None:
        needed = self.size + len(values)
        if needed > len(self._values):
            self._values.resize(max(needed, len(self._values) * 5 // 4), refcheck=False)
        self._values[self.size : needed] = values
        self.size = needed

    def array(self) -> npt.NDArray[Any]:
        """The vector; it cannot grow any more."""
        self._values.resize(self.size, refcheck=False)
        return self._values


class _Rows:
    """Rows that come piece by piece, dense until a sparse piece comes."""

    def __init__(self) -> None:
        self.labels = _Growing(np.float64)
        self._values = _Growing(np.float32)
        self._columns: _Growing | None = None
        self._ends = _Growing(np.int64)
        self._width = 0

    def add(self, X: Any, y: npt.NDArray[Any], first: int) -> None:
        """Add rows; ``first`` is the number of the first one in its file."""
        self._width = int(X.shape[1])
        if issparse(X) and self._columns is None:
            self._be_sparse()
        if self._columns is not None:
            X = csr_array(X)
        stored = X.reshape(-1) if self._columns is None else X.data
        with np.errstate(over="ignore"):
            values = stored.astype(np.float32, copy=False)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            row = bad[0] // self._width if self._columns is None else np.searchsorted(X.indptr, bad[0], "right") - 1
            raise DataError(f"row {first + row} holds {stored[bad[0]]}: features must be finite float32 numbers")
        bad = np.flatnonzero(~np.isfinite(y))
        if len(bad):
            raise DataError(f"row {first + bad[0]} has the label {y[bad[0]]}: labels must be finite numbers")
        if self._columns is not None:
            self._ends.extend(self._values.size + X.indptr[1:].astype(np.int64))
            self._columns.extend(X.indices)
        self._values.extend(values)
        self.labels.extend(y)

    def _be_sparse(self) -> None:
        """Rows so far were dense: all their columns are stored."""
        self._columns = _Growing(np.int32 if self._width < 2**31 else np.int64)
        n_rows = self.labels.size
        self._columns.extend(np.tile(np.arange(self._width), n_rows))
        self._ends.extend(np.arange(1, n_rows + 1) * self._width)

    def matrix(self) -> Any:
        values = self._values.array()
        if self._columns is None:
            return values.reshape(self.labels.size, self._width)
        ends = np.concatenate([[0], self._ends.array()])
        columns = self._columns.array()
        if columns.dtype == np.int32 and ends[-1] < 2**31:
            ends = ends.astype(np.int32)  # scipy wants one type for both
        return csr_array((values, columns, ends), (self.labels.size, self._width))
