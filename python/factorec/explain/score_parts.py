"""The parts of a score, to read, tabulate, plot and save."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ..errors import DataError
from ._rows import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RowFeatures", "ScoreParts"]


@dataclass(frozen=True, eq=False)
class RowFeatures:
    """The rows that were taken apart, over the columns that they hold, with these columns' parameters.

    Attributes
    ----------
    bias : float
    linear : ndarray of shape (n_used,)
    factors : ndarray of shape (n_used, n_factors)
    X : csr_matrix of shape (n_rows, n_used)
    columns, places, field : ndarray of shape (n_used,), int64
        Of each: its column in the model, its place within its field, the position of that field.
    is_query : ndarray of bool, shape (n_used,), optional
        The side of each, where only features of different sides interact.
    """

    bias: float
    linear: Array
    factors: Array
    X: sparse.csr_matrix
    columns: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    field: npt.NDArray[np.int64]
    is_query: npt.NDArray[np.bool_] | None = None

    def row(self, position: int) -> RowFeatures:
        """Keep one row, and what it holds."""
        start, stop = self.X.indptr[position : position + 2]
        used = self.X.indices[start:stop]
        X = sparse.csr_matrix(self.X.data[start:stop][None, :])
        columns, places, field = (values[used] for values in (self.columns, self.places, self.field))
        is_query = None if self.is_query is None else self.is_query[used]
        return RowFeatures(self.bias, self.linear[used], self.factors[used], X, columns, places, field, is_query)


@dataclass(frozen=True, eq=False, repr=False)
class ScoreParts:
    """A score, or the scores of many rows, as a sum over fields and pairs of fields.

    Made by `decompose` and by ``Recommender.explain``. ``score`` is `math.fsum` of the parts, to the bit.

    Parameters
    ----------
    fields : tuple of str
        In the order of their columns.
    values : ndarray of shape (n_parts,) or (n_rows, n_parts)
        The bias, the linear term of each field, then the pairwise terms: (first, first), (first, second), ...,
        (second, second), ... A field paired with itself: the pairs of its features with each other.
    features : RowFeatures, optional
        The rows by feature, from `decompose`: what `by_feature` needs.
    backend : str, optional
        Kind of table that `to_frame` gives by default: "pandas", "polars" or "pyarrow".

    Attributes
    ----------
    names : tuple of str
        Of the parts, in the order of `values`: ``"bias"``, ``"genres"``, ``"user_id × genres"``.
    score : float or ndarray of shape (n_rows,)
    bias : float
    linear : dict of str to float or ndarray of shape (n_rows,)
    pairwise : dict of (str, str) to float or ndarray of shape (n_rows,)

    Examples
    --------
    >>> parts = ScoreParts(("user_id", "item_id"), [3.5, 0.1, -0.2, 0.0, 0.4, 0.0])
    >>> parts.score, parts.linear["item_id"], parts.pairwise["user_id", "item_id"]
    (3.8, -0.2, 0.4)
    >>> parts
       score  +3.800
        bias  +3.500
      linear  −0.200  item_id
              +0.100  user_id
    pairwise  +0.400  user_id × item_id
    """

    fields: tuple[str, ...]
    values: Array
    features: RowFeatures | None = None
    backend: str | None = None

    def __post_init__(self) -> None:
        fields, values = tuple(self.fields), np.asarray(self.values, dtype=np.float64)
        n = 1 + len(fields) * (len(fields) + 3) // 2
        if values.ndim not in (1, 2) or values.shape[-1] != n:
            raise DataError(f"values of {len(fields)} fields must have {n} parts a row, got shape {values.shape}")
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "values", values)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of fields, in the order of their values."""
        return tuple(combinations_with_replacement(self.fields, 2))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the parts, in the order of `values`."""
        return ("bias", *self.fields, *(f"{a} × {b}" for a, b in self.pairs))

    @cached_property
    def score(self) -> Any:
        """The sum of the parts, rounded once."""
        if self.values.ndim == 1:
            return math.fsum(self.values.tolist())
        return np.array([math.fsum(row) for row in self.values.tolist()], dtype=np.float64)

    @property
    def bias(self) -> float:
        """The general level, the same in every row."""
        return float(self.values.flat[0]) if self.values.size else math.nan

    @property
    def linear(self) -> dict[str, Any]:
        """What each field adds by itself."""
        return {name: self._value(1 + i) for i, name in enumerate(self.fields)}

    @property
    def pairwise(self) -> dict[tuple[str, str], Any]:
        """What each pair of fields adds together."""
        first = 1 + len(self.fields)
        return {pair: self._value(first + i) for i, pair in enumerate(self.pairs)}

    def _value(self, part: int) -> Any:
        values = self.values[..., part]
        return float(values) if values.ndim == 0 else values

    def __len__(self) -> int:
        if self.values.ndim == 1:
            raise TypeError("these are the parts of one score; len() is for those of many rows")
        return len(self.values)

    def __getitem__(self, row: int) -> ScoreParts:
        if self.values.ndim == 1:
            raise TypeError("these are the parts of one score; rows are taken from those of many")
        position = range(len(self.values))[row]
        features = None if self.features is None else self.features.row(position)
        return ScoreParts(self.fields, self.values[position], features, self.backend)

    def by_feature(self, feature_names: Any = None) -> ScoreParts:
        """Take one score apart further: a part per feature and pair of features (which genre, which occupation).

        Parameters
        ----------
        feature_names : array-like of shape (n_features,), optional
            As ``encoder_.get_feature_names_out()`` gives them; by default a feature is called ``genres[3]``, by its
            place in its field.

        Returns
        -------
        ScoreParts
            Its ``fields`` are the features that the row holds, by name; its score is the same up to rounding.

        Raises
        ------
        DataError
            If there are several rows (take one: ``parts[0].by_feature()``), or these parts were not made by
            `decompose`.
        """
        from .decomposition import part_values

        self._one("by_feature")
        if self.features is None:
            raise DataError("by_feature needs the parts that decompose made by field; these know of no features")
        f = self.features
        n = len(f.linear)
        if feature_names is None:
            names = [f"{self.fields[g]}[{place}]" for g, place in zip(f.field, f.places, strict=True)]
        else:
            every = np.asarray(feature_names, dtype=object)
            if every.ndim != 1 or (n and len(every) <= f.columns.max()):
                raise DataError(f"feature_names must be one name per column of the model, got shape {every.shape}")
            names = every[f.columns].astype(str).tolist()
        values = part_values(f.bias, f.linear, f.factors, f.X, np.arange(n), n, f.is_query)
        return ScoreParts(tuple(names), values[0], backend=self.backend)

    def to_frame(self, backend: str | None = None) -> Any:
        """Give the parts as a table.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            By default `backend` of the parts, else the first of these installed.

        Returns
        -------
        table
            Of one score: a line per part (kind, part, value), zeros included. Of many rows: a line per row, a column
            per part and ``score``.
        """
        from ._frame import make_frame

        if self.values.ndim == 1:
            kinds = ["bias", *["linear"] * len(self.fields), *["pairwise"] * len(self.pairs)]
            columns = {"kind": np.array(kinds), "part": np.array(self.names, dtype=object), "value": self.values}
            return make_frame(columns, backend or self.backend)
        by_part = dict(zip(self.names, self.values.T, strict=True))
        return make_frame({**by_part, "score": self.score}, backend or self.backend)

    def plot(self, ax: Axes | None = None, n: int = 20) -> Axes:
        """Draw one score as a waterfall from the bias to the score (needs matplotlib).

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        n : int
            How many of the largest parts to draw; the others are summed, by kind.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        DataError
            If there are several rows (take one: ``parts[0].plot()``).
        """
        from ._plot import plot_parts

        self._one("plot")
        return plot_parts(self, ax, n)

    def to_html(self, *, n: int = 20) -> str:
        """Write the waterfall as a fragment of HTML.

        Parameters
        ----------
        n : int
            As in `plot`.

        Returns
        -------
        str
        """
        from ._html import parts_to_html

        return parts_to_html(self, n)

    def _one(self, method: str) -> None:
        if self.values.ndim != 1:
            raise DataError(f"{method} is for the parts of one score: take a row, as in parts[0].{method}()")

    def __repr__(self) -> str:
        from ._text import parts_to_text

        return "\n".join(parts_to_text(self))

    def _repr_html_(self) -> str:
        return self.to_html()
