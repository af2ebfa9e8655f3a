"""Items as the core searches them: float32 panels, or 8-bit codes and the rows that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["Coded", "Panels", "pack"]

Floats = npt.NDArray[np.float32]

# With fewer items a search of the panels is over before a first pass over codes has paid.
MIN_CODED_ITEMS = 5_000


def pack(
    vectors: Floats, offsets: Floats | None, normalise: bool, n_threads: int, *, by_distance: bool
) -> Panels | Coded:
    """Bring vectors into the form that is searched fastest. Distances have no first pass over codes."""
    n_items, n_factors = vectors.shape
    if by_distance:
        return Panels(vectors, offsets, normalise, n_threads)
    if _core.can_code() and n_items >= MIN_CODED_ITEMS and 0 < n_factors <= _core.MAX_CODED_FACTORS:
        return Coded(vectors, offsets, normalise, n_threads)
    return Panels(vectors, offsets, normalise, n_threads)


class Panels:
    """Panels of float32."""

    def __init__(self, vectors: Floats, offsets: Floats | None, normalise: bool, n_threads: int) -> None:
        self.n_items, self.n_factors = vectors.shape
        n_panels = -(-self.n_items // _core.PANEL_ITEMS)
        self.panels = empty_aligned((n_panels, self.n_factors, _core.PANEL_ITEMS), np.float32)
        self.offsets = empty_aligned((n_panels * _core.PANEL_ITEMS,), np.float32)
        _core.pack_items(vectors, offsets, normalise, self.panels, self.offsets, n_threads)

    def search(self, *request: Any) -> None:
        """Pass a request on to the core."""
        _core.search_items(self.panels, self.offsets, self.n_items, *request)

    def unpack(self) -> tuple[Floats, Floats]:
        """Return vectors and offsets in the caller's order."""
        vectors = self.panels.transpose(0, 2, 1).reshape(-1, self.n_factors)
        return vectors[: self.n_items].copy(), self.offsets[: self.n_items].copy()


class Coded:
    """Codes, and rows of float32, in the order of the most promising first."""

    def __init__(self, vectors: Floats, offsets: Floats | None, normalise: bool, n_threads: int) -> None:
        self.n_items, n_factors = vectors.shape
        n_panels = -(-self.n_items // _core.PANEL_ITEMS)
        self.rows = empty_aligned((self.n_items, n_factors), np.float32)
        self.offsets = empty_aligned((n_panels * _core.PANEL_ITEMS,), np.float32)
        codes = empty_aligned((_core.code_bytes(self.n_items, n_factors),), np.uint8)
        bounds = empty_aligned((n_panels * 8,), np.float32)
        positions = empty_aligned((self.n_items,), np.uint32)
        places = empty_aligned((self.n_items,), np.uint32)
        arrays = (self.rows, codes, bounds, self.offsets)
        ordered = _core.pack_codes(vectors, offsets, normalise, (*arrays, positions, places), n_threads)
        self.positions = positions if ordered else None
        self.items = (*arrays, self.positions, places if ordered else None)

    def search(self, *request: Any) -> None:
        """Pass a request on to the core."""
        _core.search_codes(self.items, *request)

    def unpack(self) -> tuple[Floats, Floats]:
        """Return vectors and offsets in the caller's order."""
        offsets = self.offsets[: self.n_items]
        if self.positions is None:
            return self.rows.copy(), offsets.copy()
        vectors, in_order = np.empty_like(self.rows), np.empty_like(offsets)
        vectors[self.positions], in_order[self.positions] = self.rows, offsets
        return vectors, in_order


def empty_aligned(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Return an uninitialised array that starts on a cache line: a vector never straddles two."""
    wanted = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64))
    buffer = np.empty(size + 64 // wanted.itemsize, dtype=wanted)
    start = (-buffer.ctypes.data % 64) // wanted.itemsize
    return buffer[start : start + size].reshape(shape)
