"""The random projections of the managed k-NN: fewer columns, inner products and distances nearly kept."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ..errors import DataError

__all__ = ["RandomProjection", "as_dense"]

_CHUNK_VALUES = 1 << 22  # of rows in double precision at a time: a small part of a second
_MAX_SIGNS = 1 << 25  # 256 MB
_MAX_COLUMNS = 1 << 24


def as_dense(rows: Any) -> Any:
    """Return a dense matrix, itself if it is one."""
    return rows.toarray() if hasattr(rows, "toarray") else rows


class RandomProjection:
    """A linear map that is drawn at random, from a seed.

    ``"sign"`` multiplies by a matrix of random signs, divided by the square root of ``target``: O(n_features x target)
    a row. ``"fjlt"`` is a fast Johnson-Lindenstrauss transform: random signs, a Walsh-Hadamard transform over the
    columns (filled up with zeros to a power of two) and ``target`` of its results, drawn without replacement:
    O(n_features log n_features) a row. Both keep squared lengths in expectation.

    The managed service documents no more than that, so its projections cannot be drawn again from its seeds. These
    ones can: a seed gives the same map with every version of numpy. A row's result does not depend on the others.

    Parameters
    ----------
    kind : {"sign", "fjlt"}
    n_features : int
        Columns of the rows.
    target : int
        Columns of the result.
    seed : int
        At least 0.

    Raises
    ------
    DataError
        If the map would be too large to hold.

    References
    ----------
    Achlioptas (2003), Database-friendly random projections. Ailon and Chazelle (2009), The fast
    Johnson-Lindenstrauss transform.

    Examples
    --------
    >>> projection = RandomProjection("fjlt", n_features=1000, target=300, seed=0)
    >>> rows = projection.transform(np.eye(2, 1000, dtype=np.float32))
    >>> rows.shape, rows.dtype, bool(abs(np.linalg.norm(rows[0] - rows[1]) - 2**0.5) < 0.1)
    ((2, 300), dtype('float32'), True)
    """

    def __init__(self, kind: Literal["sign", "fjlt"], n_features: int, target: int, seed: int) -> None:
        self.kind, self.n_features, self.target, self.seed = kind, n_features, target, seed
        bits = np.random.PCG64(seed)  # its stream, unlike what Generator makes of it, never changes
        if kind == "sign":
            if n_features * target > _MAX_SIGNS:
                raise DataError(
                    f"a matrix of {n_features} x {target} random signs is too large: take dimension_reduction_type fjlt"
                )
            self._matrix = _signs(bits, n_features * target).reshape(n_features, target) / math.sqrt(target)
        else:
            self._width = 1 << (max(n_features, target) - 1).bit_length()
            if self._width > _MAX_COLUMNS:
                raise DataError(f"fjlt of {n_features} columns to {target} is too large: at most {_MAX_COLUMNS}")
            self._flips = _signs(bits, n_features)
            drawn = np.argsort(bits.random_raw(self._width), kind="stable")[:target]
            self._kept = np.sort(drawn)

    def to_json(self) -> dict[str, Any]:
        """What an artifact says of it."""
        return {"type": self.kind, "seed": self.seed, "target_dim": self.target, "input_dim": self.n_features}

    @classmethod
    def from_json(cls, given: Any, target: int) -> RandomProjection:
        """Make the map that `to_json` described, of vectors with ``target`` columns."""
        if not isinstance(given, dict) or given.get("type") not in ("sign", "fjlt"):
            raise DataError(f"type must be sign or fjlt, got {given!r:.200}")
        whole: dict[str, int] = {}
        for name in ("seed", "input_dim", "target_dim"):
            value = given.get(name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
                raise DataError(f"{name} must be an integer of at least 0, got {value!r:.80}")
            whole[name] = value
        if whole["target_dim"] != target:
            raise DataError(f"target_dim is {whole['target_dim']}, the vectors have {target} columns")
        if whole["input_dim"] <= target:
            raise DataError(f"input_dim is {whole['input_dim']}, it must be more than target_dim {target}")
        return cls(given["type"], whole["input_dim"], target, whole["seed"])

    def transform(self, rows: Any) -> npt.NDArray[np.float32]:
        """Project rows.

        Parameters
        ----------
        rows : array or sparse matrix of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, target), float32
            Computed in double precision.
        """
        work = self.n_features * self.target // 16 if self.kind == "sign" else self._width
        chunk = max(1, _CHUNK_VALUES // max(work, 1))
        out = np.empty((rows.shape[0], self.target), dtype=np.float32)
        project = self._by_signs if self.kind == "sign" else self._by_hadamard
        for start in range(0, len(out), chunk):
            with np.errstate(over="ignore"):  # what becomes infinite is reported by the search, with its position
                out[start : start + chunk] = project(rows[start : start + chunk])
        return out

    def _by_signs(self, rows: Any) -> npt.NDArray[np.float64]:
        # Row by row, unlike a product of dense matrices, which BLAS sums up in an order that depends on their number.
        product: npt.NDArray[np.float64] = sparse.csr_array(rows, dtype=np.float64) @ self._matrix
        return product

    def _by_hadamard(self, rows: Any) -> npt.NDArray[np.float64]:
        values = np.zeros((rows.shape[0], self._width))
        values[:, : self.n_features] = as_dense(rows) * self._flips
        half = 1
        while half < self._width:
            pairs = values.reshape(len(values), -1, 2, half)
            values = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
            half *= 2
        # Over the square root of the width the transform keeps lengths; target of width columns hold their share.
        return values.reshape(-1, self._width)[:, self._kept] / math.sqrt(self.target)


def _signs(bits: np.random.PCG64, n: int) -> npt.NDArray[np.float64]:
    """``n`` signs from 64 at a time, the lowest bit first."""
    words = np.asarray(bits.random_raw(-(-n // 64)), dtype="<u8")
    ones = np.unpackbits(words.view(np.uint8), bitorder="little")[:n]
    return ones.astype(np.float64) * 2 - 1
