"""Reading a binary file front to back without trusting a number in it."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError

__all__ = ["Cursor"]


class Cursor:
    """A position in bytes that are there; every step is checked against what remains.

    Parameters
    ----------
    data : bytes-like
    name : str
        The file's name, for errors.

    Attributes
    ----------
    offset : int
        Bytes read so far.

    Examples
    --------
    >>> cursor = Cursor(bytes([1, 0, 2, 0]), "numbers")
    >>> cursor.number("<H", "first number"), cursor.offset
    (1, 2)
    >>> cursor.array(np.dtype("<f4"), 1, "values")
    Traceback (most recent call last):
    factorec.errors.FormatError: numbers, offset 2: values need 4 bytes, 2 are left
    """

    def __init__(self, data: bytes | bytearray | memoryview, name: str) -> None:
        self._data = memoryview(data)
        self.name = name
        self.offset = 0

    @property
    def remaining(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self.offset

    def error(self, message: str, offset: int | None = None) -> FormatError:
        """Make the error that names the file and the place (None: the current one)."""
        return FormatError(f"{self.name}, offset {self.offset if offset is None else offset}: {message}")

    def take(self, size: int, what: str) -> memoryview:
        """Step over `size` bytes and return them, not copied."""
        if not 0 <= size <= self.remaining:
            verb = "need" if what.endswith("s") else "needs"
            raise self.error(f"{what} {verb} {size} bytes, {self.remaining} are left")
        part = self._data[self.offset : self.offset + size]
        self.offset += size
        return part

    def number(self, code: str, what: str) -> int:
        """Read one number with a format of `struct`."""
        value: int = struct.unpack(code, self.take(struct.calcsize(code), what))[0]
        return value

    def array(self, dtype: np.dtype[Any], count: int, what: str) -> npt.NDArray[Any]:
        """Read `count` numbers into an array of its own, in the machine's byte order."""
        values = np.frombuffer(self.take(count * dtype.itemsize, what), dtype)
        return values.astype(dtype.newbyteorder("="), copy=True)

    def end(self) -> None:
        """Refuse bytes after the last part."""
        if self.remaining:
            raise self.error(f"{self.remaining} bytes follow the end")
