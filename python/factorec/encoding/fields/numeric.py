"""A column of numbers: standardised, or in bins."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ...errors import DataError
from .._columns import read_numbers
from .._sparse import one_hot
from .base import Declaration, Field, Learnt, choose
from .categories import refuse_missing

__all__ = ["Numeric"]


class Numeric(Declaration):
    """Declare a column of numbers, such as age or price.

    What is learnt (mean and standard deviation, or the bins) comes from the rows that are learnt from: one per
    user or item with interactions, interactions for context.

    Parameters
    ----------
    column : hashable
        The column of the table.
    bins : int or None
        An integer: that many bins of about equally many rows, a feature column each (one-hot); fewer where numbers
        repeat. None: one feature column with the standardised number; all equal: nothing. On MovieLens 100K bins of
        age and year predict likes better than standardised numbers, and ratings as well (``benchmarks/fields.py``).
    missing : {"ignore", "category", "raise"}
        A missing number contributes nothing (as the mean does), has a column of its own, or is an error.
    name : str, optional
        The field's name; None: that of the column.

    Examples
    --------
    >>> from factorec.encoding import Encoder, Numeric
    >>> users = {"user_id": [1, 2, 3], "age": [20, 40, 60]}
    >>> table = {"user_id": [1, 2, 3], "item_id": [7, 7, 7]}
    >>> encoder = Encoder(fields={"user": [Numeric("age", bins=2)]}).fit(table, users=users)
    >>> encoder.get_feature_names_out().tolist()[3:5]
    ['age_<40', 'age_>=40']
    """

    def __init__(
        self,
        column: Hashable,
        *,
        bins: int | None = 10,
        missing: Literal["ignore", "category", "raise"] = "ignore",
        name: str | None = None,
    ) -> None:
        self.column = column
        self.bins = bins
        self.missing = missing
        self.name = name

    @property
    def columns_read(self) -> list[Hashable]:
        """The one column."""
        return [self.column]

    def check(self) -> None:
        """Check the parameters."""
        self._check_choice("missing", ("ignore", "category", "raise"))
        bins: Any = self.bins
        if bins is not None and (isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 2):
            raise DataError(f"field {self.field_name!r}: bins must be None or an integer of at least 2, got {bins!r}")

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> NumericField:
        """Learn mean and standard deviation, or the bins; see `Declaration.fit_field`."""
        self.check()
        numbers = read_numbers(table, self.column)
        numbers = numbers[choose(learn, len(numbers)) & ~np.isnan(numbers)]
        if not len(numbers):
            raise DataError(f"field {self.field_name!r}: column {self.column!r} has no number to learn from")
        if self.bins is None:
            return NumericField(self.field_name, self, mean_and_rate(numbers, self.column), None)
        return NumericField(self.field_name, self, None, quantile_edges(numbers, int(self.bins)))

    def restore_field(self, learnt: Learnt) -> NumericField:
        """Make the field of a file."""
        if self.bins is not None:
            edges = np.array(learnt.numbers)
            if not (np.diff(edges) > 0).all():
                raise ValueError("the edges of its bins do not rise")
            return NumericField(self.field_name, self, None, edges)
        mean, rate = learnt.numbers
        return NumericField(self.field_name, self, (mean, rate), None)


class NumericField(Field):
    """Mean and standard deviation, or the edges between bins; then the column for missing values."""

    def __init__(
        self,
        name: str,
        declaration: Numeric,
        moments: tuple[float, float] | None,
        edges: npt.NDArray[np.float64] | None,
    ) -> None:
        super().__init__(name)
        self.declaration = declaration
        self.moments = moments
        self.edges = edges

    @property
    def n_columns(self) -> int:
        """1 or the number of bins, with that of missing values."""
        return (1 if self.edges is None else len(self.edges) + 1) + (self.declaration.missing == "category")

    def feature_names(self) -> list[str]:
        """Name the columns ``field``, or ``field_<a``, ``field_a..b`` (from a to below b), ``field_>=b``."""
        if self.edges is None:
            names = [self.name]
        elif not len(self.edges):
            names = [f"{self.name}_any"]
        else:
            e = [repr(int(edge)) if edge == int(edge) else repr(edge) for edge in self.edges.tolist()]
            between = [f"{self.name}_{a}..{b}" for a, b in pairwise(e)]
            names = [f"{self.name}_<{e[0]}", *between, f"{self.name}_>={e[-1]}"]
        return names + [f"{self.name}_missing"] * (self.declaration.missing == "category")

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """One row per bin, or per distinct number."""
        numbers = read_numbers(table, self.declaration.column)
        missing = np.isnan(numbers)
        refuse_missing(self.declaration, np.flatnonzero(~missing), len(numbers))
        own = self.n_columns - 1 if self.declaration.missing == "category" else -1
        if self.edges is not None:
            code = np.where(missing, own, np.searchsorted(self.edges, numbers, side="right"))
            columns = np.arange(self.n_columns)
            nothing = (code < 0).any()
            return one_hot(np.append(columns, -1) if nothing else columns, self.n_columns), np.where(
                code < 0, self.n_columns, code
            )
        values, which = np.unique(self._standardised(numbers), return_inverse=True)  # NaN is last
        is_number = ~np.isnan(values)
        stored = is_number & (values != 0)
        rows = np.zeros((len(values), self.n_columns), dtype=np.float32)
        rows[stored, 0] = values[stored]
        if own >= 0:
            rows[~is_number, own] = 1
        return csr_matrix(rows), which

    def _standardised(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        assert self.moments is not None
        mean, rate = self.moments
        with np.errstate(over="ignore", invalid="ignore"):
            values = ((numbers - mean) * rate).astype(np.float32)
        wrong = np.isinf(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"column {self.declaration.column!r} holds {numbers[row].item()!r} in row {row} (counting from 0), "
                f"which is beyond float32 after standardising with mean {mean:g} and standard deviation {1 / rate:g}"
            )
        return values

    def learnt(self) -> Learnt:
        """The edges, or the mean and one over the standard deviation."""
        if self.edges is not None:
            return Learnt(numbers=self.edges.tolist())
        assert self.moments is not None
        return Learnt(numbers=list(self.moments))


def mean_and_rate(numbers: npt.NDArray[np.float64], name: Any) -> tuple[float, float]:
    """Return the mean and one over the standard deviation; 0 where all numbers are equal, so that they become 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = float(numbers.mean()), float(numbers.std())
    if not np.isfinite([mean, scale]).all():
        raise DataError(f"column {name!r} holds numbers too large to average; rescale the column")
    return mean, 1 / scale if (numbers != numbers[0]).any() and scale > 1e-300 else 0.0


def quantile_edges(numbers: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    """Return the numbers at which a new bin begins; every bin holds some of `numbers`.

    A bin can begin at any number but the smallest; those are chosen that leave the share below nearest to 1/bins,
    2/bins and so on.
    """
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) <= bins:
        return np.asarray(distinct[1:])
    below = np.cumsum(counts)[:-1]
    wanted = len(numbers) * np.arange(1, bins) / bins
    after = np.clip(np.searchsorted(below, wanted), 1, len(below) - 1)
    nearest = np.where(wanted - below[after - 1] <= below[after] - wanted, after - 1, after)
    return np.asarray(distinct[1:][np.unique(nearest)])
