"""A score taken apart: the bias, what each field adds by itself, what each pair of fields adds together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._threads import one_blas_thread
from ..errors import DataError
from ._rows import Array, Parameters, as_rows, query_border
from .score_parts import RowFeatures, ScoreParts

__all__ = ["decompose"]

_CHUNK_NUMBERS = 1 << 22  # float64 of the fields' vectors at once: 32 MB, whatever the number of rows


@one_blas_thread()
def decompose(
    p: Parameters,
    x: Any,
    field_ranges: Mapping[str, tuple[int, int]],
) -> ScoreParts:
    r"""Take scores apart into bias, linear terms by field and pairwise terms by pair of fields.

    With ``s_A`` the sum of the factors of field A's features in a row, times their values, the pairwise part of two
    fields is :math:`\langle s_A, s_B \rangle`, and that of the pairs within a field is
    :math:`\tfrac12 (\|s_A\|^2 - \sum_{f \in A} x_f^2 \|v_f\|^2)` (Rendle 2010, the identity behind his equation 3, by
    field): closed forms, in time proportional to the entries of the rows. Computed in float64. Of parameters with
    ``interactions="bipartite"`` only pairs of a field of the query and one of the item have a part that is not zero.

    Parameters
    ----------
    p : FMParameters
        Or anything with ``bias`` (float), ``linear`` (n_features,) and ``factors`` (n_features, n_factors).
    x : sparse or array-like of shape (n_rows, n_features) or (n_features,)
    field_ranges : dict of str to (int, int)
        The columns of each field, from start to stop, as in ``Encoder.field_ranges_``.

    Returns
    -------
    ScoreParts
        Of one row if `x` has one dimension, else of all rows. ``score`` is `math.fsum` of the parts, to the bit;
        it agrees with ``decision_function`` to 1e-5 * max(1, |score|).

    Raises
    ------
    DataError
        If field ranges overlap, leave the columns or (of bipartite parameters) cross from queries to items, or a row
        holds a column of no field, NaN or infinity.

    References
    ----------
    Rendle. Factorization machines. ICDM 2010.

    Examples
    --------
    A user (column 0) and a film (column 1) of two genres (columns 2 and 3), each with weight 1/2:

    >>> from types import SimpleNamespace
    >>> factors = np.array([[1.0, 0], [0.5, 0.5], [0.4, 0], [-0.2, 1.0]])
    >>> p = SimpleNamespace(bias=3.5, linear=np.array([0.1, 0, 0.2, -0.4]), factors=factors)
    >>> parts = decompose(p, [1, 1, 0.5, 0.5], {"user_id": (0, 1), "item_id": (1, 2), "genres": (2, 4)})
    >>> parts
       score  +4.380
        bias  +3.500
      linear  +0.100  user_id
              −0.100  genres
    pairwise  +0.500  user_id × item_id
              +0.300  item_id × genres
              +0.100  user_id × genres
              −0.020  genres × genres
    Not shown: 1 part that is zero.
    >>> import math
    >>> parts.score == math.fsum(parts.values)
    True
    """
    n_features = p.factors.shape[0]
    one = np.ndim(x) == 1
    if one:
        x = x.reshape(1, -1) if hasattr(x, "reshape") else [x]
    X = _entries(as_rows(x, n_features, "x"))
    fields, starts = _fields(field_ranges, n_features)
    used, columns = np.unique(X.indices.astype(np.int64), return_inverse=True)
    group = _field_of(used, field_ranges, fields, starts)
    border = query_border(p)
    is_query = None if border is None else _sides(field_ranges, fields, border)
    factors = p.factors[used].astype(np.float64)
    linear = p.linear[used].astype(np.float64)
    rows = sparse.csr_matrix((X.data, columns, X.indptr), shape=(X.shape[0], len(used)), copy=False)
    values = np.empty((X.shape[0], 1 + len(fields) * (len(fields) + 3) // 2))
    step = max(1, _CHUNK_NUMBERS // max(1, len(fields) * factors.shape[1]))
    for start in range(0, X.shape[0], step):
        chunk = slice(start, start + step)
        values[chunk] = part_values(float(p.bias), linear, factors, rows[chunk], group, len(fields), is_query)
    own_sides = None if is_query is None else is_query[group]
    features = RowFeatures(float(p.bias), linear, factors, rows, used, used - starts[group], group, own_sides)
    parts = ScoreParts(fields, values, features)
    return parts[0] if one else parts


def part_values(
    bias: float,
    linear: Array,
    factors: Array,
    X: sparse.csr_matrix,
    group: npt.NDArray[np.intp],
    n_groups: int,
    is_query: npt.NDArray[np.bool_] | None = None,
) -> Array:
    """Values of the parts, a row per row of `X`: bias, each group's linear term, pairs of groups row by row.

    Columns of `X` ascend in each row, and so do their groups. With `is_query` groups of one side do not interact.
    """
    n = X.shape[0]
    lengths = np.diff(X.indptr)
    cell = np.repeat(np.arange(n) * n_groups, lengths) + group[X.indices]
    counts = np.bincount(cell, minlength=n * n_groups)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    by_group = sparse.csr_matrix((X.data.astype(np.float64), X.indices, indptr), shape=(len(counts), len(linear)))
    sums = np.asarray(by_group @ factors).reshape(n, n_groups, factors.shape[1])
    values = np.empty((n, 1 + n_groups * (n_groups + 3) // 2))
    values[:, 0] = bias
    values[:, 1 : 1 + n_groups] = np.asarray(by_group @ linear).reshape(n, n_groups)
    products = sums @ sums.transpose(0, 2, 1)
    by_group.data = by_group.data**2
    squares = np.asarray(by_group @ np.einsum("ij,ij->i", factors, factors)).reshape(n, n_groups)
    diagonal = np.arange(n_groups)
    # A single feature has no partner within its field; the subtraction would leave a rounding error.
    within = 0.5 * (products[:, diagonal, diagonal] - squares)
    products[:, diagonal, diagonal] = np.where(counts.reshape(n, n_groups) > 1, within, 0.0)
    if is_query is not None:
        products[:, is_query[:, None] == is_query] = 0.0
    first, second = np.triu_indices(n_groups)
    values[:, 1 + n_groups :] = products[:, first, second]
    values += 0.0  # no -0.0
    return values


def _entries(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """`X` with one entry per column, sorted, none of them zero; a copy where it is not so already."""
    if not X.has_canonical_format or not X.has_sorted_indices or not np.all(X.data):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    if not np.isfinite(X.data).all():
        row = int(np.searchsorted(X.indptr, np.argmin(np.isfinite(X.data)), side="right")) - 1
        raise DataError(f"x: row {row} holds NaN or an infinite value")
    return X


def _fields(
    field_ranges: Mapping[str, tuple[int, int]], n_features: int
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Names of the fields in the order of their columns, and where each starts."""
    order = sorted(field_ranges, key=lambda name: tuple(field_ranges[name]))
    stop, before = 0, ""
    for name in order:
        start, end = field_ranges[name]
        if not 0 <= start <= end <= n_features:
            raise DataError(f"field_ranges[{name!r}] is {(start, end)}, not a range within 0..{n_features}")
        if start < stop:
            raise DataError(f"field_ranges of {before!r} and {name!r} overlap in column {start}")
        stop, before = end, name
    return tuple(order), np.array([field_ranges[name][0] for name in order], dtype=np.int64)


def _field_of(
    used: npt.NDArray[Any],
    field_ranges: Mapping[str, tuple[int, int]],
    fields: tuple[str, ...],
    starts: npt.NDArray[np.int64],
) -> npt.NDArray[np.intp]:
    """Position of the field that each used column belongs to."""
    stops = np.array([field_ranges[name][1] for name in fields], dtype=np.int64)
    # The last of the fields that start there: those before it are empty.
    group = np.searchsorted(starts, used, side="right") - 1
    outside = (group < 0) | (used >= stops[group]) if len(fields) else np.ones(len(used), dtype=bool)
    if outside.any():
        raise DataError(f"column {used[int(np.argmax(outside))]} of x belongs to no field of field_ranges")
    return group


def _sides(field_ranges: Mapping[str, tuple[int, int]], fields: tuple[str, ...], border: int) -> npt.NDArray[np.bool_]:
    """Which fields belong to queries."""
    for name in fields:
        start, stop = field_ranges[name]
        if start < border < stop:
            raise DataError(f"field_ranges[{name!r}] is {(start, stop)}, but items begin with column {border}")
    return np.array([field_ranges[name][1] <= border for name in fields], dtype=bool)
