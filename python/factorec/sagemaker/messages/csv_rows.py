"""Requests in CSV, which only k-NN takes (contract 5.3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .errors import PayloadError

__all__ = ["read_csv"]

_LARGEST = float(np.finfo(np.float32).max)


def read_csv(body: bytes, n_features: int, *, label_size: int = 0) -> npt.NDArray[np.float32]:
    r"""Read a row of numbers from each line; there is no header, and empty lines are skipped.

    Parameters
    ----------
    body : bytes
        UTF-8; commas between numbers, lines end with ``\n`` or ``\r\n``.
    n_features : int
    label_size : int, default=0
        How many columns at the left are labels, which are left out.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError

    Examples
    --------
    >>> read_csv(b"1,2.5\n-1,0\n", 2)
    array([[ 1. ,  2.5],
           [-1. ,  0. ]], dtype=float32)
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(f"byte {error.start} is not UTF-8") from None
    cells: list[str] = []
    numbers: list[int] = []  # of the lines with a row, from 1
    width = n_features + label_size
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        row = line.split(",")
        if len(row) != width:
            labels = f" and {label_size} label" if label_size else ""
            raise PayloadError(f"line {number} has {len(row)} columns, the model has {n_features} features{labels}")
        cells += row[label_size:]
        numbers.append(number)
    # float() also takes "1_000", "nan", and digits of every script.
    if text.isascii() and "_" not in text:
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            pass
        else:
            if (np.abs(values) <= _LARGEST).all():
                return values.astype(np.float32).reshape(len(numbers), n_features)
    at = next(position for position, cell in enumerate(cells) if not _is_number(cell))
    where = f"line {numbers[at // n_features]}, column {at % n_features + label_size + 1}"
    raise PayloadError(f"{where}: {cells[at][:40]!r} is no finite number that float32 can hold")


def _is_number(cell: str) -> bool:
    try:
        return cell.isascii() and "_" not in cell and abs(float(cell)) <= _LARGEST
    except ValueError:
        return False
